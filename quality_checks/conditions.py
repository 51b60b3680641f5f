"""Which rows an expectation judges: GX's row_condition, as a predicate that is true for those rows.

Compared as pandas does, GX's reference, where null and NaN are never equal, above or below; what SQL and pandas see otherwise
(`!=` keeps nulls in one and drops them in the other) is left to GX.
"""

import ast
import operator
import re
from collections.abc import Mapping
from typing import Any

from sqlglot import exp

from quality_checks.columns import Column
from quality_checks.errors import NotCompiledError, QualityError, nearest

_COMPARED: Mapping[str, type[exp.Binary]] = {
    "==": exp.EQ,
    "<": exp.LT,
    "<=": exp.LTE,
    ">": exp.GT,
    ">=": exp.GTE,
}
_SYMBOLS: Mapping[type[ast.cmpop], str] = {ast.Eq: "==", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">="}
_MIRRORED = {"==": "==", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_GX_TEXT = re.compile(
    r"""\s*col\("(?P<column>[^"]+)"\)\s*(?:(?P<present>\.(?i:notnull)\(\))|
    (?P<symbol>==|<=|>=|<|>)\s*(?P<value>[+-]?\d+(?:\.\d*)?|"[^"\\]*"|'[^'\\]*'))\s*""",
    re.VERBOSE,
)
Columns = Mapping[str, str]


def condition_of(kwargs: Mapping[str, Any], columns: Columns) -> exp.Expr | None:
    """Return the predicate of a row_condition; None when there is none.

    Raises NotCompiledError for one that SQL cannot say, QualityError for one that names a column that is not there.
    """
    condition = kwargs.get("row_condition")
    if condition is None:
        return None
    if isinstance(condition, dict):
        return _structured(condition, columns)
    if kwargs.get("condition_parser") in (None, "pandas"):
        return _query(condition, columns)
    return _gx_text(condition, columns)


def _structured(condition: Any, columns: Columns) -> exp.Expr:
    match condition:
        case {"type": "and", "conditions": [_, *_] as parts}:
            return exp.and_(*(_structured(part, columns) for part in parts))
        case {"type": "or", "conditions": [_, *_] as parts}:
            return exp.or_(*(_structured(part, columns) for part in parts))
        case {"type": "nullity", "column": named, "is_null": bool(is_null)}:
            missing = _column(named, columns).missing
            return missing if is_null else exp.not_(missing)
        case {"type": "comparison", "column": named, "operator": "IN", "parameter": [*members]}:
            return _in(_column(named, columns), members)
        case {"type": "comparison", "column": named, "operator": str(symbol), "parameter": value}:
            return _compared(_column(named, columns), symbol, value)
        case {"type": "pass_through", "pass_through_filter": str(text)}:
            return _query(text, columns)
    raise NotCompiledError("'row_condition' is none that compiles — compare a column with a value")


def _gx_text(text: str, columns: Columns) -> exp.Expr:
    found = _GX_TEXT.fullmatch(text)
    if found is None:
        raise NotCompiledError("'row_condition' is none that compiles — write `col(\"a\") > 5`")
    column = _column(found["column"], columns)
    if found["present"]:
        return exp.not_(column.missing)
    return _compared(column, found["symbol"], ast.literal_eval(found["value"]))


def _query(text: str, columns: Columns) -> exp.Expr:
    """pandas' query language, as far as it compares columns with values."""
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise NotCompiledError(
            "'row_condition' is no expression that compiles — compare a column with a value"
        ) from None
    return _node(tree.body, columns)


def _node(node: ast.AST, columns: Columns) -> exp.Expr:
    match node:
        case ast.BoolOp(op=ast.And(), values=parts):
            return exp.and_(*(_node(part, columns) for part in parts))
        case ast.BoolOp(op=ast.Or(), values=parts):
            return exp.or_(*(_node(part, columns) for part in parts))
        case ast.Compare(left=ast.Name(id=name), ops=[ast.In()], comparators=[ast.List() | ast.Tuple() as members]):
            return _in(_column(name, columns), [_value(member) for member in members.elts])
        case ast.Compare(left=ast.Name(id=name), ops=[sign], comparators=[value]) if type(sign) in _SYMBOLS:
            return _compared(_column(name, columns), _SYMBOLS[type(sign)], _value(value))
        case ast.Compare(left=value, ops=[sign], comparators=[ast.Name(id=name)]) if type(sign) in _SYMBOLS:
            return _compared(_column(name, columns), _MIRRORED[_SYMBOLS[type(sign)]], _value(value))
    raise NotCompiledError("'row_condition' does more than compare columns with values")


def _value(node: ast.AST) -> Any:
    match node:
        case ast.Constant(value=int() | float() | str() as value):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)):
            return operator.neg(value)
    raise NotCompiledError("'row_condition' compares with something that is no plain value")


def _column(named: Any, columns: Columns) -> Column:
    name = named.get("name") if isinstance(named, dict) else named
    if not isinstance(name, str) or name not in columns:
        raise QualityError(f"'row_condition' names no column '{name}' — {nearest(str(name), columns)}")
    return Column(name=name, type=columns[name])


def _compared(column: Column, symbol: str, value: Any) -> exp.Expr:
    if symbol not in _COMPARED:
        raise NotCompiledError(
            f"'row_condition' compares by {symbol}, which keeps nulls in pandas and drops them in SQL"
        )
    known = column.read(value)
    if symbol == "==" and not column.may_hold(known):
        return exp.false()
    return _present(column, _COMPARED[symbol](this=column.compared, expression=column.literal(known)))


def _in(column: Column, members: list[Any]) -> exp.Expr:
    values = [value for value in map(column.read, members) if column.may_hold(value)]
    if not values:
        return exp.false()
    literals = [column.literal(value) for value in values]
    return _present(column, exp.In(this=column.compared, expressions=literals))


def _present(column: Column, predicate: exp.Expr) -> exp.Expr:
    """Never null: what cannot be compared is not meant."""
    return exp.and_(exp.not_(column.missing), predicate)
