"""Functions that are translated one by one, because Trino's of that name means something else, or there is none."""

import re
from collections.abc import Mapping, Sequence

from sqlglot import exp

from mesh_defs.sql.translation import texts
from mesh_defs.sql.translation.functions import same
from mesh_defs.sql.translation.nested import element
from mesh_defs.sql.translation.numbers import compared
from mesh_defs.sql.translation.parsed import rounded, square_root
from mesh_defs.sql.translation.texts import Own
from mesh_defs.sql.translation.values import Value, call, cast, digits_of, refused, require_plain, unified, whole

_TRUNCATED = ("year", "quarter", "month", "week", "day", "hour", "minute", "second")
# Not weeks: DuckDB does not count those far apart by their Mondays.
_COUNTED = ("year", "quarter", "month", "day", "hour", "minute", "second")
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

_FORMATS: Mapping[str, tuple[str, int]] = {
    "%Y": ("year", 4),
    "%y": ("year", 2),
    "%m": ("month", 2),
    "%d": ("day", 2),
    "%j": ("day_of_year", 3),
    "%H": ("hour", 2),
    "%M": ("minute", 2),
    "%S": ("second", 2),
    "%B": ("month", 0),
    "%b": ("month", 0),
    "%A": ("day_of_week", 0),
    "%a": ("day_of_week", 0),
    "%%": ("", 0),
}
_NAMES = {
    "%B": [
        *("January", "February", "March", "April", "May", "June"),
        *("July", "August", "September", "October", "November", "December"),
    ],
    "%b": ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"],
    "%A": ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"],
    "%a": ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"],
}


def own(name: str, arguments: Sequence[Value], node: exp.Expr) -> Value:
    """Return what stands for a call in Trino. QueryRejectedError for arguments that it was not tried with."""
    return OWN[name](name, arguments, node)


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


def _round(name: str, arguments: Sequence[Value], node: exp.Expr) -> Value:
    value, *places = arguments
    if len(places) > 1 or any(not (each.number or "").isdigit() for each in places):
        raise refused(node, "round is of a number, to a literal number of places")
    number = int(places[0].number or 0) if places else 0
    if value.family == "whole" and value.type != "HUGEINT":
        return value
    if value.family == "DOUBLE" and number <= 15:
        return rounded(value, number) if places else Value(tree=call("round", value.tree), type="DOUBLE")
    if value.family != "decimal":
        raise refused(node, "round is of a number, to 15 places at most")
    width, scale = digits_of(value.type)
    kept = min(number, scale)
    return cast(Value(tree=call("round", value.tree, whole(kept)), type=value.type), f"DECIMAL({width},{kept})")


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
    """How many borders of the unit lie between; Trino counts whole units."""
    unit, *ends = arguments
    part_ = (unit.text or "").lower().removesuffix("s")
    of_day = all(each.type == "DATE" for each in ends)
    if part_ not in _COUNTED or len(ends) != 2 or not (of_day or all(each.type == "TIMESTAMP" for each in ends)):
        raise refused(node, f"{name} is of two DATEs or two TIMESTAMPs, in {', '.join(_COUNTED)}", "CAST both to DATE")
    if of_day and part_ in ("hour", "minute", "second"):
        ends = [cast(each, "TIMESTAMP") for each in ends]
    start, end = (call("date_trunc", exp.Literal.string(part_), each.tree) for each in ends)
    return Value(tree=call("date_diff", exp.Literal.string(part_), start, end), type="BIGINT")


def _last_day(name: str, arguments: Sequence[Value], node: exp.Expr) -> Value:
    (day,) = arguments
    if day.type not in ("DATE", "TIMESTAMP"):
        raise refused(node, f"{name} is of a DATE or TIMESTAMP")
    return Value(tree=call("last_day_of_month", cast(day, "DATE").tree), type="DATE")


def _named(name: str, arguments: Sequence[Value], node: exp.Expr) -> Value:
    """monthname and dayname: in English on both."""
    (day,) = arguments
    return Value(tree=_written("%B" if name == "monthname" else "%A", day, node), type="VARCHAR")


def _strftime(name: str, arguments: Sequence[Value], node: exp.Expr) -> Value:
    """A format of the parts that are tried, piece by piece."""
    if len(arguments) != 2 or arguments[1].text is None:
        raise refused(node, f"{name} takes a literal format", "write strftime(day, '%Y-%m')")
    day, format_ = arguments[0], arguments[1].text
    pieces = re.findall(r"%.|[^%]+", format_, re.DOTALL)
    if "".join(pieces) != format_ or not pieces:
        raise refused(node, f"this format of {name} was not tried")
    trees = [_written(each, day, node) if each[0] == "%" else exp.Literal.string(each) for each in pieces]
    known = exp.Is(this=day.tree.copy(), expression=exp.Not(this=exp.Null()))
    joined = call("concat", *trees) if len(trees) > 1 else trees[0]
    return Value(tree=exp.Case(ifs=[exp.If(this=known, true=joined)]), type="VARCHAR")


def _written(piece: str, day: Value, node: exp.Expr) -> exp.Expr:
    """One part of a day or a time as text."""
    if day.type not in ("DATE", "TIMESTAMP") or piece not in _FORMATS:
        raise refused(
            node, f"{piece} of a {day.type} was not tried", f"use {' '.join(_FORMATS)} of a DATE or TIMESTAMP"
        )
    if piece == "%%":
        return exp.Literal.string("%")
    trino, width = _FORMATS[piece]
    number = Value(tree=call(trino, day.tree.copy()), type="BIGINT")
    if not width:
        # Not Trino's own names of them: its calendar for texts is not the one that it counts in.
        listed = exp.Array(expressions=[exp.Literal.string(each) for each in _NAMES[piece]])
        return call("element_at", listed, number.tree)
    if piece == "%y":
        number = Value(tree=exp.Mod(this=number.tree, expression=whole(100)), type="BIGINT")
    if piece in ("%H", "%M", "%S"):
        number = Value(tree=call(trino, cast(day, "TIMESTAMP").tree.copy()), type="BIGINT")
    return call("lpad", cast(number, "VARCHAR").tree, whole(width), exp.Literal.string("0"))


def _extreme(name: str, arguments: Sequence[Value], node: exp.Expr) -> Value:
    """The greatest or least of those that are known; Trino's is NULL where one is. Of NaN, the greatest of all, too."""
    trees, type_ = unified(arguments, node)
    require_plain(Value(tree=trees[0], type=type_), node)
    if type_ in ("DOUBLE", "FLOAT"):
        raise refused(node, f"{name} of DOUBLEs was not tried", "write CASE")
    each = [call("coalesce", *trees[n:], *trees[:n]) for n in range(len(trees))] if len(trees) > 1 else trees
    return Value(tree=call(name, *(tree.copy() for tree in each)), type=type_)


def _len(name: str, arguments: Sequence[Value], node: exp.Expr) -> Value:
    """Of a list, or of a text."""
    if len(arguments) == 1 and element(arguments[0].type) is not None:
        return Value(tree=call("cardinality", arguments[0].tree), type="BIGINT")
    return same("length", arguments, node)


def _sqrt(name: str, arguments: Sequence[Value], node: exp.Expr) -> Value:
    (value,) = arguments
    if value.family not in ("whole", "decimal", "DOUBLE"):
        raise refused(node, f"{name} is of a number")
    return square_root(value)


def _cut(name: str, arguments: Sequence[Value], node: exp.Expr) -> Value:
    """floor, ceil and trunc of a decimal: in DuckDB of as many digits as before."""
    (value,) = arguments
    trino = {"floor": "floor", "trunc": "truncate"}.get(name, "ceil")
    if value.family == "whole" and value.type != "HUGEINT":
        return value if name == "trunc" else cast(value, "DOUBLE")
    if value.family not in ("decimal", "DOUBLE"):
        raise refused(node, f"{name} is of a number")
    if value.type == "DOUBLE":
        return Value(tree=call(trino, value.tree), type="DOUBLE")
    return cast(Value(tree=call(trino, value.tree), type=""), f"DECIMAL({digits_of(value.type)[0]},0)")


def _sign(name: str, arguments: Sequence[Value], node: exp.Expr) -> Value:
    (value,) = arguments
    if value.family not in ("whole", "decimal"):
        raise refused(node, "sign is of an integer or a DECIMAL")
    return cast(Value(tree=call("sign", value.tree), type=""), "TINYINT")


OWN: Mapping[str, Own] = {
    **texts.OWN,
    **dict.fromkeys(("coalesce", "ifnull"), _coalesce),
    "nullif": _nullif,
    "round": _round,
    **dict.fromkeys(("greatest", "least"), _extreme),
    **dict.fromkeys(("floor", "ceil", "ceiling", "trunc"), _cut),
    "len": _len,
    "sqrt": _sqrt,
    "sign": _sign,
    **dict.fromkeys(("date_trunc", "datetrunc"), _date_trunc),
    **dict.fromkeys(("date_part", "datepart"), _date_part),
    **dict.fromkeys(("dayofweek", "weekday"), _weekday),
    **dict.fromkeys(("date_diff", "datediff"), _date_diff),
    "last_day": _last_day,
    **dict.fromkeys(("monthname", "dayname"), _named),
    "strftime": _strftime,
}
