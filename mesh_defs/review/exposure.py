"""Columns of a SELECT that are newly made of more sensitive ones than they say: masks go by what a column says it is."""

from collections.abc import Iterator
from typing import get_args

from mesh_defs.model.contract import Classification
from mesh_defs.review.side import Side
from mesh_defs.sql.lineage import column_lineage

_RANKS = {name: rank for rank, name in enumerate(get_args(Classification))}


def exposures(before: Side, after: Side) -> tuple[str, ...]:
    """What the newer side exposes so and the older one did not, in words."""
    known = set(_exposed(before))
    return tuple(dict.fromkeys(each for each in _exposed(after) if each not in known))


def _exposed(side: Side) -> Iterator[str]:
    """In an aggregate, a count of persons tells of none: there only values that pass through unchanged matter."""
    for product, made in sorted(side.made.items()):
        contract = side.contracts.get(product)
        if contract is None or made.sql is None:
            continue
        lineage = column_lineage(made.sql, {name: side.schema(name) for name in made.inputs or ()})
        for column in contract.columns:
            for source in lineage.columns.get(column.name, ()):
                origin = side.contracts[source.product].column(source.column)
                passes = source.how == "identity" or contract.granularity != "aggregate"
                if origin and passes and _RANKS[origin.classification] > _RANKS[column.classification]:
                    made_of = f"{source.product}.{source.column} ({origin.classification})"
                    yield f"{product}.{column.name} ({column.classification}) is made of {made_of}"
