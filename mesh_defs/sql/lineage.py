"""Where the columns of a SELECT come from, in OpenLineage's terms.

OpenLineage's column lineage facet: DIRECT/IDENTITY is our "identity", every other DIRECT our "transformation"; INDIRECT
(filter, join, group by, sort, window) is our `indirect`. One departure: the condition of a CASE or FILTER, INDIRECT
there, is a "transformation" here, because it decides a value and our `indirect` is about rows.
"""

from collections.abc import Mapping, Sequence

from mesh_defs.model.lineage import ColumnLineage, ColumnSource
from mesh_defs.sql.outputs import Output, Sources, Unresolved
from mesh_defs.sql.parse import parse_select
from mesh_defs.sql.references import folded
from mesh_defs.sql.trace import Walk


def column_lineage(
    sql: str, columns: Mapping[str, Mapping[str, str]], *, expected: Sequence[str] | None = None
) -> ColumnLineage:
    """Trace each output column to columns of products, given each product's columns and their DuckDB types.

    `expected` are the names that the engine gives the output: they name what has no alias, and where they disagree the
    lineage is unknown. So it is whenever one column cannot be told for certain (PIVOT, COLUMNS(…), an ambiguous name):
    never a guess. Raises QueryRejectedError like `parse_select`. 1 ms for three products; 200 columns through 20 WITHs
    take 40.
    """
    walk = Walk(products=columns)
    try:
        outputs = walk.query(parse_select(sql).tree, {}, None)
        named = _named(outputs, expected)
    except Unresolved as reason:
        return ColumnLineage(columns={}, unknown=str(reason))
    except RecursionError:
        return ColumnLineage(columns={}, unknown="the SQL chains too many operators to be traced")
    indirect = {f"{product}.{column}" for product, column, _ in walk.indirect}
    return ColumnLineage(
        columns={name: _as_values(sources) for name, sources in named.items()}, indirect=tuple(sorted(indirect))
    )


def _named(outputs: Sequence[Output], expected: Sequence[str] | None) -> dict[str, Sources]:
    names = [output.name for output in outputs] if expected is None else list(expected)
    if len(names) != len(outputs) or not all(
        output.name is None or name is None or folded(output.name) == folded(name)
        for output, name in zip(outputs, names, strict=True)
    ):
        raise Unresolved("the engine names other columns than were traced")
    named = {}
    for place, (name, output) in enumerate(zip(names, outputs, strict=True), start=1):
        if name is None:
            raise Unresolved(f"column {place} has no alias")
        if name in named:
            raise Unresolved(f"two columns are called '{name}'")
        named[name] = output.sources
    return named


def _as_values(sources: Sources) -> tuple[ColumnSource, ...]:
    """A column that comes both unchanged and computed counts as unchanged: the value itself is there to read."""
    strongest = {(product, column): unchanged for product, column, unchanged in sorted(sources)}
    return tuple(
        ColumnSource(product=product, column=column, how="identity" if unchanged else "transformation")
        for (product, column), unchanged in sorted(strongest.items())
    )
