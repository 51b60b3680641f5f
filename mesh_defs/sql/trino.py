"""What a decision shows of a product, in Trino's SQL: row rules and masks, for a Trino that enforces them itself.

Written out by hand, form by form, so that nothing means something else there: what is not in these lists is refused. A
comparison with a DOUBLE is not: DuckDB holds NaN equal to itself and above all numbers, Trino does not.
"""

from datetime import date, datetime

from sqlglot import ErrorLevel, exp
from sqlglot.errors import UnsupportedError

from mesh_defs.errors import AccessDeniedError
from mesh_defs.model.access import Mask
from mesh_defs.model.contract import Column
from mesh_defs.sql.row_rule import condition
from mesh_defs.sql.tokens import DIALECT

_FIX = "ask through the door instead"
_INTEGERS = frozenset({"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER"})
_COMPARED = (exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE, exp.In, exp.Between)
_PARTS_OF_A_DAY = frozenset({"hour"})


def trino_rule(bound: str, columns: tuple[Column, ...]) -> str:
    """Return a bound row rule as a condition over the same columns. AccessDeniedError when it would not mean the same."""
    types = {column.name: column.type for column in columns}
    holder = exp.Paren(this=condition(bound, "").this)
    for column in holder.find_all(exp.Column):
        column.set("table", None)
        column.set("this", exp.to_identifier(column.name.lower(), quoted=True))
    for node in list(holder.find_all(*_COMPARED)):
        _type_values(node, types)
    for node in list(holder.find_all(exp.Is)):
        _replace_truth(node)
    return _written(holder)


def trino_mask(mask: Mask, column: Column) -> str | None:
    """Return what stands in the column's place; None for a column that is not shown at all. AccessDeniedError as above.

    Tokens lie where only the door reads them: here they are NULL.
    """
    name = exp.column(exp.to_identifier(column.name, quoted=True))
    if mask.kind == "deny":
        return None
    if mask.kind == "constant":
        number = isinstance(mask.value, int)
        value = exp.Literal.number(mask.value) if number else exp.Literal.string(str(mask.value))
        return _written(exp.Cast(this=value, to=exp.DataType.build(column.type, dialect=DIALECT)))
    if mask.kind == "truncate" and isinstance(mask.value, int):
        return _written(exp.Anonymous(this="substr", expressions=[name, _number(1), _number(mask.value)]))
    if mask.kind == "truncate":
        if column.type == "DATE" and mask.value in _PARTS_OF_A_DAY:
            return _written(name)
        part = exp.Literal.string(str(mask.value))
        return _written(exp.Anonymous(this="date_trunc", expressions=[part, name]))
    return "NULL"


def _type_values(node: exp.Expr, types: dict[str, str]) -> None:
    """Give every value that a column is compared with the column's type: Trino compares no text with a date."""
    sides = [each for each in node.iter_expressions() if not isinstance(each, exp.Column)]
    column = next(each for each in node.iter_expressions() if isinstance(each, exp.Column))
    type_ = types[column.name]
    if type_ in ("FLOAT", "DOUBLE"):
        what = f"a rule compares '{column.name}', a {type_}, which Trino compares otherwise (NaN)"
        raise AccessDeniedError(what, fix=_FIX)
    for side in sides:
        side.replace(_typed(side, type_))


def _typed(value: exp.Expr, type_: str) -> exp.Expr:
    if isinstance(value, exp.Boolean) and type_ == "BOOLEAN":
        return value
    literal = value.this if isinstance(value, exp.Neg | exp.Cast) else value
    text = f"-{literal.name}" if isinstance(value, exp.Neg) else literal.name
    if type_ == "VARCHAR":
        return exp.Literal.string(text)
    if type_ in _INTEGERS:
        return value
    if type_ == "DATE":
        return _cast(date.fromisoformat(text).isoformat(), "DATE")
    if type_ == "UUID":
        return _cast(text, "UUID")
    if type_.startswith("DECIMAL("):
        return _cast(text, type_)
    at = datetime.fromisoformat(text) if type_.startswith("TIMESTAMP") and "ZONE" not in type_ else None
    if at is None or at.tzinfo is not None:
        raise AccessDeniedError(f"a rule compares a {type_} in a way that Trino does not", fix=_FIX)
    return _cast(at.isoformat(sep=" ", timespec="microseconds"), "TIMESTAMP(6)")


def _replace_truth(node: exp.Is) -> None:
    """Trino knows IS NULL, but neither IS TRUE nor IS FALSE."""
    negated = isinstance(node.expression, exp.Not)
    wanted = node.expression.this if negated else node.expression
    if isinstance(wanted, exp.Boolean):
        column = node.this if wanted.this else exp.Not(this=node.this)
        told: exp.Expr = exp.Coalesce(this=column, expressions=[exp.false()])
        node.replace(exp.Not(this=told) if negated else told)


def _cast(text: str, type_: str) -> exp.Cast:
    return exp.Cast(this=exp.Literal.string(text), to=exp.DataType.build(type_, dialect="trino"))


def _number(value: int) -> exp.Expr:
    return exp.Literal.number(value)


def _written(tree: exp.Expr) -> str:
    try:
        return tree.sql("trino", comments=False, unsupported_level=ErrorLevel.RAISE)
    except UnsupportedError:
        raise AccessDeniedError("what the rules show cannot be said in Trino's SQL", fix=_FIX) from None
