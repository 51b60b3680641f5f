"""SELECTs that other packages need, built as trees instead of glued from strings."""

from collections.abc import Mapping, Sequence

from sqlglot import exp

from mesh_defs.errors import QueryRejectedError, nearest
from mesh_defs.model.names import split_product
from mesh_defs.sql.references import folded
from mesh_defs.sql.tree import reread, write
from mesh_defs.sql.types import duckdb_type


def conform(select_sql: str, columns: Mapping[str, str], present: Sequence[str] | Mapping[str, str]) -> str:
    """Return a SELECT of exactly these columns (name -> DuckDB type), in this order and of these types.

    `select_sql` is any SELECT, governed or of the step's own connection. `present` are its columns: names, or names and
    types; where the type is known to be right, no cast is written. Raises QueryRejectedError when a column is missing.
    """
    types = present if isinstance(present, Mapping) else dict.fromkeys(present, "")
    known = {folded(name): name for name in types}
    projections: list[exp.Expr] = []
    for name, wanted in columns.items():
        if folded(name) not in known:
            what = f"the SELECT gives no column '{name}'"
            raise QueryRejectedError(what, fix=f"add it, or rename one: {nearest(name, types)}")
        source = known[folded(name)]
        column = exp.column(_quoted(source), table=_quoted("made"))
        projections.append(_as(column, name, None if _same_type(types[source], wanted) else wanted))
    made = exp.Subquery(this=reread(select_sql), alias=exp.TableAlias(this=_quoted("made")))
    return write(exp.Select(expressions=projections, from_=exp.From(this=made)))


def select_columns(product: str, columns: Sequence[str]) -> str:
    """Return the SELECT of some columns of one product, for `parse_select`. Raises ValueError when it is no product."""
    domain, name = split_product(product)
    table = exp.Table(this=_quoted(name), db=_quoted(domain))
    return write(
        exp.Select(expressions=[exp.column(_quoted(column)) for column in columns], from_=exp.From(this=table))
    )


def canonical(sql: str) -> str:
    """Return the same text for the same SELECT, whatever its layout, comments and the case of its keywords.

    For hashing: the version of a product's code. Raises QueryRejectedError when it is not one SELECT.
    """
    return write(reread(sql))


def _as(column: exp.Column, name: str, wanted: str | None) -> exp.Expr:
    value = exp.Cast(this=column, to=exp.DataType.build(wanted, dialect="duckdb")) if wanted else column
    return exp.alias_(value, _quoted(name))


def _same_type(present: str, wanted: str) -> bool:
    return bool(present) and duckdb_type(present) == duckdb_type(wanted)


def _quoted(name: str) -> exp.Identifier:
    return exp.to_identifier(name, quoted=True)
