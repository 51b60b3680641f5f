"""Texts and DOUBLEs as other types, where the engines take different forms, or round apart.

A text is read when it has the one form that both read alike; what is certainly no value of the type is none; any other
form (`1e3`, ` 7 `, `2024-1-5`) fails the query, by `told`, instead of being read in two ways.
"""

from collections.abc import Mapping

from sqlglot import exp

from mesh_defs.sql.translation.values import Value, call, cast, digits_of, family, refused

# The form that both read, and what every text matches of which DuckDB may make a value.
_NUMBER = r"[-+]?([0-9_]+\.?[0-9_]*|\.[0-9_]+)([eE][-+]?[0-9_]*)?"
_DAY = r"(?i)\A\s*([-+]?[0-9]+[-/\\ ]\s*[0-9]+[-/\\ ]\s*[0-9]|epoch|[-+]?inf)"
_FORMS: Mapping[str, tuple[str, str]] = {
    "whole": (r"\A-?[0-9]{1,18}\z", rf"\A\s*({_NUMBER}\s*\z|[-+]?0[xXbBoO])"),
    "DOUBLE": (r"\A-?[0-9]{1,15}(\.[0-9]{1,15})?\z", rf"(?i)\A\s*({_NUMBER}\s*\z|[-+]?(nan|inf))"),
    "DATE": (r"\A(?!0000)[0-9]{4}-[0-9]{2}-[0-9]{2}\z", _DAY),
    "TIMESTAMP": (
        r"\A(?!0000)[0-9]{4}-[0-9]{2}-[0-9]{2}( ([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,6})?)?\z",
        _DAY,
    ),
}
# DOUBLEs below it that are whole are exact, and so is Trino's cast of them.
_DIGITS_MAX = 18
_BEYOND = {"TINYINT": 2**7, "SMALLINT": 2**15, "INTEGER": 2**31}


def from_text(value: Value, type_: str, node: exp.Expr, *, guarded: bool) -> Value:
    """A VARCHAR as a number, a day or a time; `guarded`: NULL for what is none, else the query fails."""
    form, maybe = _decimal_forms(type_) if family(type_) == "decimal" else _FORMS.get(family(type_), ("", ""))
    if not form:
        raise refused(node, f"a CAST from VARCHAR to {type_} was not tried")
    text = value.tree
    source = Value(tree=text.copy(), type="VARCHAR")
    read = cast(source, type_, node, guarded=guarded).tree
    none = exp.Null() if guarded else _failing(text, type_)
    unlike = cast(Value(tree=call("fail", _text("another form")), type=""), type_).tree
    branches = [
        exp.If(this=call("regexp_like", text, _text(form)), true=read),
        exp.If(this=call("regexp_like", text.copy(), _text(maybe)), true=unlike),
        exp.If(this=exp.Is(this=text.copy(), expression=exp.Not(this=exp.Null())), true=none),
    ]
    return Value(tree=exp.Case(ifs=branches), type=type_)


def from_double(value: Value, type_: str, node: exp.Expr, *, guarded: bool) -> Value:
    """A DOUBLE as an integer, half to even, or as a decimal, half away from zero, as DuckDB rounds."""
    if type_ == "HUGEINT" or digits_of(type_)[0] > _DIGITS_MAX + (family(type_) == "whole"):
        raise refused(node, f"a CAST from DOUBLE to {type_} is exact to {_DIGITS_MAX} digits", "CAST to a smaller one")
    if family(type_) == "whole":
        made = cast(Value(tree=_half_even(value.tree), type="DOUBLE"), type_).tree
    else:
        made = _scaled(value.tree, type_)
    made = call("try", made) if guarded else made
    if type_ in _BEYOND:
        edge = _at_the_edge(value.tree, _BEYOND[type_])
        unlike = cast(Value(tree=call("fail", _text("beyond")), type=""), type_).tree
        made = exp.Case(ifs=[exp.If(this=edge, true=unlike)], default=made)
    return Value(tree=made, type=type_)


def _at_the_edge(tree: exp.Expr, beyond: int) -> exp.Expr:
    """Less than one beyond the smallest integer, which DuckDB 1.5.5 refuses to round to, and what rounds past the largest,
    of which it makes the smallest."""

    def between(low: float, high: float) -> exp.Expr:
        least, most = (cast(Value(tree=_text(str(each)), type=""), "DOUBLE").tree for each in (low, high))
        above = exp.GTE(this=tree.copy(), expression=least)
        below = exp.LT(this=tree.copy(), expression=most)
        return exp.Paren(this=exp.And(this=above, expression=below))

    return exp.Or(this=between(-beyond - 1.0, -beyond), expression=between(beyond - 0.5, beyond))


def _half_even(tree: exp.Expr) -> exp.Expr:
    """2.5 -> 2, 3.5 -> 4; Trino rounds a half away from zero."""
    rest = call("abs", exp.Sub(this=tree, expression=call("truncate", tree.copy())))
    half = exp.EQ(this=rest, expression=exp.Literal.number("5e-1"))
    halved = exp.Paren(this=exp.Div(this=tree.copy(), expression=exp.Literal.number("2e0"), typed=True, safe=False))
    even = exp.Mul(this=exp.Literal.number("2e0"), expression=call("round", halved))
    return exp.Case(ifs=[exp.If(this=half, true=even)], default=call("round", tree.copy()))


def _scaled(tree: exp.Expr, type_: str) -> exp.Expr:
    """DuckDB takes it times 10 ^ scale, and rounds that."""
    _, scale = digits_of(type_)
    units = call("round", exp.Mul(this=exp.Paren(this=tree), expression=exp.Literal.number(f"1e{scale}")))
    whole_ = cast(cast(Value(tree=units, type="DOUBLE"), "BIGINT"), "DECIMAL(19,0)")
    if not scale:
        return cast(whole_, type_).tree
    unit = exp.Cast(this=_text(f"0.{'0' * (scale - 1)}1"), to=exp.DataType.build(f"DECIMAL({scale}, {scale})"))
    return cast(Value(tree=exp.Mul(this=whole_.tree, expression=unit), type=""), type_).tree


def square_root(value: Value) -> Value:
    """Of a negative number the query fails, as in DuckDB; Trino has NaN for it."""
    number = cast(value, "DOUBLE").tree
    negative = exp.LT(this=number, expression=exp.Literal.number("0e0"))
    branches = [exp.If(this=negative, true=_failing(cast(value, "VARCHAR").tree.copy(), "DOUBLE"))]
    return Value(tree=exp.Case(ifs=branches, default=call("sqrt", number.copy())), type="DOUBLE")


def rounded(value: Value, places: int) -> Value:
    """A DOUBLE to so many decimals: DuckDB rounds the multiple, and leaves what that makes infinite as it is."""
    unit = exp.Literal.number(f"1e{places}")
    multiple = call("round", exp.Mul(this=exp.Paren(this=value.tree), expression=unit))
    divided = exp.Div(this=multiple, expression=unit.copy(), typed=True, safe=False)
    finite = call("is_finite", divided)
    return Value(
        tree=exp.Case(ifs=[exp.If(this=finite, true=divided.copy())], default=value.tree.copy()), type="DOUBLE"
    )


def _failing(text: exp.Expr, type_: str) -> exp.Expr:
    """A cast that fails whenever it is evaluated."""
    return cast(Value(tree=call("concat", _text("no value: "), text.copy()), type="VARCHAR"), type_).tree


def _decimal_forms(type_: str) -> tuple[str, str]:
    _, scale = digits_of(type_)
    after = rf"(\.[0-9]{{1,{scale}}})?" if scale else ""
    return rf"\A-?[0-9]{{1,18}}{after}\z", _FORMS["DOUBLE"][1]


def _text(text: str) -> exp.Expr:
    return exp.Literal.string(text)
