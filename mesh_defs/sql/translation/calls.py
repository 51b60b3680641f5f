"""Functions that are translated one by one, because Trino's of that name means something else, or there is none."""

from collections.abc import Callable, Mapping, Sequence

from sqlglot import exp

from mesh_defs.sql.translation.functions import same
from mesh_defs.sql.translation.numbers import compared
from mesh_defs.sql.translation.values import UNKNOWN, Value, call, cast, digits_of, refused, unified, whole

# What DuckDB's trim takes off: Unicode's blanks. Trino's takes off line ends too, and keeps the ones that do not break.
BLANKS = "\u0020\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
_SIDES = {"trim": "BOTH", "ltrim": "LEADING", "rtrim": "TRAILING"}
_TRUNCATED = ("year", "quarter", "month", "week", "day", "hour", "minute", "second")
_PARTS = {
    "doy": "dayofyear",
    "dow": "dayofweek",
    **{part: part for part in (*_TRUNCATED, "isodow", "dayofyear", "dayofweek")},
}
_UNITS = {
    "DAY": "DAY",
    "HOUR": "HOUR",
    "MINUTE": "MINUTE",
    "SECOND": "SECOND",
    "MONTH": "MONTH",
    "YEAR": "YEAR",
    "WEEK": "DAY",
}

Own = Callable[[str, Sequence[Value], exp.Expr], Value]


def own(name: str, arguments: Sequence[Value], node: exp.Expr) -> Value:
    """Return what stands for a call in Trino. QueryRejectedError for arguments that it was not tried with."""
    return _OWN[name](name, arguments, node)


def part(name: str, value: Value, node: exp.Expr) -> Value:
    """EXTRACT(name FROM value)."""
    found = _PARTS.get(name.lower())
    if found is None:
        raise refused(node, f"'{name}' of a time was not tried")
    return _weekday(found, [value], node) if found == "dayofweek" else same(found, [value], node)


def moved(node: exp.Binary, one: Value, interval: exp.Interval) -> Value:
    """A day or a time, plus or minus an interval of whole units: a TIMESTAMP, as in DuckDB."""
    unit, count = interval.text("unit").upper().removesuffix("S"), interval.this
    sign = "-" if isinstance(count, exp.Neg) else ""
    count = count.this if sign else count
    if one.type not in ("DATE", "TIMESTAMP") or not isinstance(count, exp.Literal) or not count.name.isdigit():
        raise refused(node, "an interval is added to a DATE or a TIMESTAMP, as a whole number", "write INTERVAL 3 DAY")
    if unit not in _UNITS or len(count.name) > 6:
        raise refused(node, f"an interval of {count.name} {unit} was not tried", "count in DAY, MONTH or YEAR")
    number = int(count.name) * (7 if unit == "WEEK" else 1)
    tree = exp.Interval(this=exp.Literal.string(f"{sign}{number}"), unit=exp.Var(this=_UNITS[unit]))
    return Value(tree=exp.Paren(this=type(node)(this=cast(one, "TIMESTAMP").tree, expression=tree)), type="TIMESTAMP")


def days(node: exp.Binary, one: Value, other: Value) -> Value:
    """A day minus a day, or plus or minus a number of days."""
    if isinstance(node, exp.Sub) and one.type == other.type == "DATE":
        return Value(tree=call("date_diff", exp.Literal.string("day"), other.tree, one.tree), type="BIGINT")
    if other.family != "whole" or one.type != "DATE":
        raise refused(node, f"{one.type} and {other.type} are not added", "use INTERVAL, or date_diff('day', …)")
    number = cast(other, "BIGINT").tree
    number = exp.Neg(this=number) if isinstance(node, exp.Sub) else number
    return Value(tree=call("date_add", exp.Literal.string("day"), number, one.tree), type="DATE")


def _coalesce(name: str, arguments: Sequence[Value], node: exp.Expr) -> Value:
    trees, type_ = unified(arguments, node)
    return Value(tree=call("coalesce", *trees) if len(trees) > 1 else trees[0], type=type_)


def _nullif(name: str, arguments: Sequence[Value], node: exp.Expr) -> Value:
    one, other = arguments
    same_value = compared(exp.EQ(), one, other)
    tree = exp.Case(ifs=[exp.If(this=same_value, true=exp.Null())], default=one.tree.copy())
    return Value(tree=tree, type=one.type)


def _concat(name: str, arguments: Sequence[Value], node: exp.Expr) -> Value:
    """DuckDB passes over NULLs."""
    parts = [call("coalesce", each.tree, exp.Literal.string("")) for each in _texts(arguments, node)]
    return Value(tree=call("concat", *parts) if len(parts) > 1 else parts[0], type="VARCHAR")


def _contains(name: str, arguments: Sequence[Value], node: exp.Expr) -> Value:
    found = same("strpos", arguments, node).tree
    return Value(tree=exp.Paren(this=exp.GT(this=found, expression=exp.Literal.number(0))), type="BOOLEAN")


def _replace(name: str, arguments: Sequence[Value], node: exp.Expr) -> Value:
    if len(arguments) != 3 or not arguments[1].text:
        raise refused(node, "replace looks for a literal that is not empty", "write it as 'text'")
    return Value(tree=call("replace", *(each.tree for each in _texts(arguments, node))), type="VARCHAR")


def _lower(name: str, arguments: Sequence[Value], node: exp.Expr) -> Value:
    (text,) = _texts(arguments, node)
    return Value(tree=call("lower", text.tree), type="VARCHAR")


def _upper(name: str, arguments: Sequence[Value], node: exp.Expr) -> Value:
    """DuckDB knows the one capital of ß; Java knows none of one letter."""
    (text,) = _texts(arguments, node)
    known = call("replace", text.tree, exp.Literal.string("ß"), exp.Literal.string("ẞ"))
    return Value(tree=call("upper", known), type="VARCHAR")


def _trim(name: str, arguments: Sequence[Value], node: exp.Expr) -> Value:
    if len(arguments) != 1:
        raise refused(node, f"{name} of other characters than blanks was not tried")
    (text,) = _texts(arguments, node)
    return Value(
        tree=exp.Trim(this=text.tree, expression=exp.Literal.string(BLANKS), position=_SIDES[name]), type="VARCHAR"
    )


def _substr(name: str, arguments: Sequence[Value], node: exp.Expr) -> Value:
    if name == "left":
        arguments = [arguments[0], Value(tree=whole(1), type="INTEGER", number="1"), *arguments[1:]]
    text, *bounds = arguments
    numbers = [each.number or "" for each in bounds]
    if not all(each.isdigit() for each in numbers) or numbers[0] == "0" or len(numbers) > 2:
        raise refused(node, f"{name} takes literal numbers, from 1 on", "write substr(text, 1, 3)")
    (text,) = _texts([text], node)
    return Value(tree=call("substr", text.tree, *(whole(int(each)) for each in numbers)), type="VARCHAR")


def _round(name: str, arguments: Sequence[Value], node: exp.Expr) -> Value:
    value, *places = arguments
    if value.family == "DOUBLE" and not places:
        return Value(tree=call("round", value.tree), type="DOUBLE")
    if value.family != "decimal" or any(not (each.number or "").isdigit() for each in places):
        raise refused(node, "round is of a DECIMAL to a literal number of places, or of a DOUBLE to none")
    width, scale = digits_of(value.type)
    kept = min(int(places[0].number or 0) if places else 0, scale)
    rounded = Value(tree=call("round", value.tree, whole(kept)), type=value.type)
    return cast(rounded, f"DECIMAL({width},{kept})")


def _date_trunc(name: str, arguments: Sequence[Value], node: exp.Expr) -> Value:
    unit, value = arguments
    if (unit.text or "").lower() not in _TRUNCATED or value.type not in ("DATE", "TIMESTAMP"):
        raise refused(node, f"{name} is of a DATE or TIMESTAMP, to one of: {', '.join(_TRUNCATED)}")
    tree = call("date_trunc", exp.Literal.string((unit.text or "").lower()), cast(value, "TIMESTAMP").tree)
    return Value(tree=tree, type="TIMESTAMP")


def _date_part(name: str, arguments: Sequence[Value], node: exp.Expr) -> Value:
    unit, value = arguments
    return part(unit.text or "?", value, node)


def _weekday(name: str, arguments: Sequence[Value], node: exp.Expr) -> Value:
    monday_first = same("isodow", arguments, node).tree
    return Value(tree=exp.Paren(this=exp.Mod(this=monday_first, expression=whole(7))), type="BIGINT")


def _date_diff(name: str, arguments: Sequence[Value], node: exp.Expr) -> Value:
    unit, start, end = arguments
    if (unit.text or "").lower() != "day" or not start.type == end.type == "DATE":
        raise refused(node, f"{name} counts the days between two DATEs", "CAST both to DATE, and count days")
    return Value(tree=call("date_diff", exp.Literal.string("day"), start.tree, end.tree), type="BIGINT")


def _texts(arguments: Sequence[Value], node: exp.Expr) -> Sequence[Value]:
    for each in arguments:
        if each.type not in ("VARCHAR", UNKNOWN):
            raise refused(node, f"this takes texts, not {each.type}", "CAST it to VARCHAR")
    return arguments


_OWN: Mapping[str, Own] = {
    **dict.fromkeys(("coalesce", "ifnull"), _coalesce),
    "nullif": _nullif,
    "concat": _concat,
    "contains": _contains,
    "replace": _replace,
    **dict.fromkeys(("lower", "lcase"), _lower),
    **dict.fromkeys(("upper", "ucase"), _upper),
    **dict.fromkeys(_SIDES, _trim),
    **dict.fromkeys(("left", "substr", "substring"), _substr),
    "round": _round,
    **dict.fromkeys(("date_trunc", "datetrunc"), _date_trunc),
    **dict.fromkeys(("date_part", "datepart"), _date_part),
    **dict.fromkeys(("dayofweek", "weekday"), _weekday),
    **dict.fromkeys(("date_diff", "datediff"), _date_diff),
}
