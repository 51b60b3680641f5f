"""Arithmetic and comparisons: where DuckDB and Trino differ, Trino's SQL says what DuckDB means.

`/` is of DOUBLEs, an integer divided by zero is NULL, NaN equals itself and is greater than all else.
"""

from collections.abc import Callable

from sqlglot import exp

from mesh_defs.sql.translation.values import UNKNOWN, Value, call, cast, decimal, digits_of, met, refused

_NUMBERS = frozenset({"whole", "decimal", "DOUBLE", UNKNOWN})
COMPARISONS = (exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE)
ARITHMETIC = (exp.Add, exp.Sub, exp.Mul, exp.Div, exp.IntDiv, exp.Mod)
_FLIPPED = {exp.GT: exp.LT, exp.GTE: exp.LTE}


def arithmetic(node: exp.Binary, one: Value, other: Value) -> Value:
    """Return `one node other`, which are numbers."""
    for each in (one, other):
        if each.family not in _NUMBERS or each.text is not None:
            raise refused(node, f"there is no arithmetic with {each.type} here", "CAST it to a number first")
    if isinstance(node, exp.Div):
        return _binary(exp.Div, cast(one, "DOUBLE"), cast(other, "DOUBLE"), "DOUBLE")
    if isinstance(node, exp.IntDiv | exp.Mod):
        return _divided(node, one, other)
    kinds = {one.family, other.family}
    if "DOUBLE" in kinds:
        return _binary(type(node), cast(one, "DOUBLE"), cast(other, "DOUBLE"), "DOUBLE")
    if UNKNOWN in kinds:
        return Value(tree=exp.Null(), type=one.type if other.type == UNKNOWN else other.type)
    if kinds == {"whole"} and "HUGEINT" not in (one.type, other.type):
        return _binary(type(node), one, other, _wider(one, other))
    return _binary(type(node), one, other, _decimals(node, one, other))


def compared(node: exp.Binary, one: Value, other: Value) -> exp.Expr:
    """Return the comparison; of DOUBLEs one in which NaN has its place."""
    one, other = met(one, other, node)
    if "FLOAT" in (one.type, other.type) and one.type != other.type:
        raise refused(node, "FLOAT is not compared with another type", "CAST it to DOUBLE")
    if {one.type, other.type}.isdisjoint({"DOUBLE", "FLOAT"}):
        return type(node)(this=one.tree, expression=other.tree)
    return _floats(type(node), one, other)


def _floats(kind: type[exp.Expr], one: Value, other: Value) -> exp.Expr:
    if kind in _FLIPPED:
        return _floats(_FLIPPED[kind], other, one)
    plain = kind(this=one.tree, expression=other.tree)
    nan, also = _is_nan(one), _is_nan(other)
    if kind is exp.NEQ:
        return exp.Not(this=exp.Paren(this=_floats(exp.EQ, one, other)))
    if also is None:
        return plain
    if kind is exp.LTE:
        return _or(
            plain, exp.And(this=also, expression=exp.Is(this=one.tree.copy(), expression=exp.Not(this=exp.Null())))
        )
    if kind is exp.EQ:
        return plain if nan is None else _or(plain, exp.And(this=nan, expression=also))
    number = exp.Is(this=one.tree.copy(), expression=exp.Not(this=exp.Null())) if nan is None else exp.Not(this=nan)
    return _or(plain, exp.And(this=number, expression=also))


def _is_nan(value: Value) -> exp.Expr | None:
    """None for what is no NaN: a literal, or a number of another type."""
    if value.number is not None or value.family not in ("DOUBLE", "FLOAT"):
        return None
    return call("is_nan", value.tree.copy())


def _or(one: exp.Expr, other: exp.Expr) -> exp.Expr:
    return exp.Paren(this=exp.Or(this=one, expression=exp.Paren(this=other)))


def _divided(node: exp.Binary, one: Value, other: Value) -> Value:
    if {one.family, other.family} != {"whole"} or "HUGEINT" in (one.type, other.type):
        raise refused(
            node, f"{'//' if isinstance(node, exp.IntDiv) else '%'} is of integers only", "CAST both to BIGINT"
        )
    divisor = Value(tree=call("nullif", other.tree, exp.Literal.number(0)), type=other.type)
    return _binary(exp.Div if isinstance(node, exp.IntDiv) else exp.Mod, one, divisor, _wider(one, other))


def _wider(one: Value, other: Value) -> str:
    """A literal takes the other's type."""
    if one.number is not None or other.number is not None:
        typed = other if one.number is not None else one
        return typed.type if (one if typed is other else other).type in ("INTEGER", typed.type) else "BIGINT"
    return max(one.type, other.type, key=lambda type_: digits_of(type_)[0])


def _decimals(node: exp.Binary, one: Value, other: Value) -> str:
    (w1, s1), (w2, s2) = digits_of(one.type), digits_of(other.type)
    if isinstance(node, exp.Mul):
        return decimal(w1 + w2, s1 + s2, node)
    scale = max(s1, s2)
    return decimal(max(w1 - s1, w2 - s2) + scale + 1, scale)


def _binary(kind: Callable[..., exp.Expr], one: Value, other: Value, type_: str) -> Value:
    options = {"typed": True, "safe": False} if kind is exp.Div else {}
    tree = kind(this=one.tree, expression=other.tree, **options)
    return Value(tree=exp.Paren(this=tree), type=type_)
