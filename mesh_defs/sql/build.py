"""SELECTs that other packages need, built as trees instead of glued from strings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from sqlglot import exp

from mesh_defs.errors import QueryRejectedError, nearest
from mesh_defs.model.names import split_product
from mesh_defs.sql.references import folded
from mesh_defs.sql.tree import read, reread, write
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


def select_columns(product: str, columns: Sequence[str], *, within: "Within | None" = None) -> str:
    """Return the SELECT of some columns of one product, for `parse_select`. Raises ValueError when it is no product."""
    domain, name = split_product(product)
    table = exp.Table(this=_quoted(name), db=_quoted(domain))
    select = exp.Select(expressions=[exp.column(_quoted(column)) for column in columns], from_=exp.From(this=table))
    return write(select.where(*_conditions(within)) if within else select)


def filled(sql: str, values: Mapping[str, str | date]) -> str:
    """Return the SELECT with each `$name` replaced by its value: a DATE, or a text.

    Raises QueryRejectedError for a name without a value, and for what is not one SELECT.
    """
    tree = read(sql)
    for placeholder in list(tree.find_all(exp.Placeholder)):
        if placeholder.name not in values:
            what = f"${placeholder.name} has no value here"
            known = f"known: ${', $'.join(values)}" if values else "it means something in a partitioned product only"
            raise QueryRejectedError(what, fix=known)
        value = values[placeholder.name]
        placeholder.replace(_date(value) if isinstance(value, date) else exp.Literal.string(value))
    return write(tree)


def canonical(sql: str) -> str:
    """Return the same text for the same SELECT, whatever its layout, comments and the case of its keywords.

    For hashing: the version of a product's code. Raises QueryRejectedError when it is not one SELECT.
    """
    return write(reread(sql))


@dataclass(frozen=True, slots=True, kw_only=True)
class Within:
    """Rows whose `column` is at least `low` and below `high`, or equals `value`."""

    column: str
    low: date | None = None
    high: date | None = None
    value: str | None = None


def _conditions(within: Within) -> list[exp.Expr]:
    column = exp.column(_quoted(within.column))
    if within.low is None or within.high is None:
        return [exp.EQ(this=column, expression=exp.Literal.string(within.value or ""))]
    return [
        exp.GTE(this=column, expression=_date(within.low)),
        exp.LT(this=column.copy(), expression=_date(within.high)),
    ]


def _date(value: date) -> exp.Expr:
    return exp.Cast(this=exp.Literal.string(str(value)), to=exp.DataType.build("DATE"))


def _as(column: exp.Column, name: str, wanted: str | None) -> exp.Expr:
    value = exp.Cast(this=column, to=exp.DataType.build(wanted, dialect="duckdb")) if wanted else column
    return exp.alias_(value, _quoted(name))


def _same_type(present: str, wanted: str) -> bool:
    return bool(present) and duckdb_type(present) == duckdb_type(wanted)


def _quoted(name: str) -> exp.Identifier:
    return exp.to_identifier(name, quoted=True)
