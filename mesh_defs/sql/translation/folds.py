"""Aggregates and window functions. An average is a sum and a count, because the engines round their own averages apart."""

from collections.abc import Callable, Mapping, Sequence

from sqlglot import exp

from mesh_defs.sql.translation.values import Value, call, cast, digits_of, refused, whole

# Puts FILTER and OVER around each of Trino's aggregates that an aggregate is made of.
Around = Callable[[exp.Expr], exp.Expr]

_TRINO = {
    "stddev": "stddev_samp",
    "variance": "var_samp",
    "countif": "count_if",
    "mean": "avg",
    "rank_dense": "dense_rank",
}
_ORDERED = ("whole", "decimal", "VARCHAR", "DATE", "TIMESTAMP", "BOOLEAN", "DOUBLE")
# Window functions that a frame means something to.
FRAMED = frozenset({"first_value", "last_value", "nth_value"})
_RANKS = {
    "row_number": "BIGINT",
    "rank": "BIGINT",
    "dense_rank": "BIGINT",
    "percent_rank": "DOUBLE",
    "cume_dist": "DOUBLE",
}


def aggregate(name: str, value: Value | None, node: exp.Expr, around: Around, *, distinct: bool) -> Value:
    """Return an aggregate of one value, or count(*) of none."""
    name = _TRINO.get(name, name)

    def made(trino: str, tree: exp.Expr) -> exp.Expr:
        return around(call(trino, exp.Distinct(expressions=[tree.copy()]) if distinct else tree.copy()))

    if name == "count":
        return Value(
            tree=around(call("count", exp.Star())) if value is None else made("count", value.tree), type="BIGINT"
        )
    if value is None or value.text is not None:
        raise refused(node, f"{name} takes one column")
    return _AGGREGATES[name](name, value, node, made)


def window(name: str, arguments: Sequence[Value], node: exp.Expr) -> Value:
    """Return a window function without its OVER."""
    name = _TRINO.get(name, name)
    if name in _RANKS and not arguments:
        return Value(tree=call(name), type=_RANKS[name])
    numbers = [each.number or "" for each in (arguments if name == "ntile" else arguments[1:])]
    if name in _RANKS or not all(each.isdigit() for each in numbers) or len(numbers) > 1 or not arguments:
        raise refused(node, f"{name} takes literal numbers, and no default", "write coalesce(…) around it")
    if name == "ntile":
        return Value(tree=call(name, whole(int(numbers[0]))), type="BIGINT")
    return Value(tree=call(name, arguments[0].tree, *(whole(int(each)) for each in numbers)), type=arguments[0].type)


_Made = Callable[[str, exp.Expr], exp.Expr]


def _sum(name: str, value: Value, node: exp.Expr, made: _Made) -> Value:
    if value.family == "whole" and value.type not in ("BIGINT", "HUGEINT"):
        return cast(Value(tree=made("sum", cast(value, "BIGINT").tree), type="BIGINT"), "HUGEINT")
    if value.family == "whole":
        return Value(tree=made("sum", cast(value, "HUGEINT").tree), type="HUGEINT")
    if value.family == "decimal":
        return Value(tree=made("sum", value.tree), type=f"DECIMAL(38,{digits_of(value.type)[1]})")
    return Value(tree=made("sum", _double(value, node).tree), type="DOUBLE")


def _avg(name: str, value: Value, node: exp.Expr, made: _Made) -> Value:
    """DuckDB divides the exact sum, in the unit of its last decimal, by the count in that unit: once rounded."""
    if value.family not in ("whole", "decimal"):
        return Value(tree=made("avg", _double(value, node).tree), type="DOUBLE")
    scale = digits_of(value.type)[1]
    total = _sum(name, value, node, made)
    count: exp.Expr = exp.Cast(this=made("count", value.tree), to=_DOUBLE.copy())
    if scale:
        unit = exp.Literal.number(10**scale)
        units = exp.Cast(this=unit, to=exp.DataType.build(f"DECIMAL({scale + 1}, 0)", dialect="trino"))
        total = Value(tree=exp.Paren(this=exp.Mul(this=total.tree, expression=units)), type=total.type)
        count = exp.Paren(this=exp.Mul(this=count, expression=exp.Cast(this=unit.copy(), to=_DOUBLE.copy())))
    divided = exp.Div(this=cast(total, "DOUBLE").tree, expression=count, typed=True, safe=False)
    return Value(tree=exp.Paren(this=divided), type="DOUBLE")


def _extreme(name: str, value: Value, node: exp.Expr, made: _Made) -> Value:
    """Of numbers with a NaN among them that is the greatest, in DuckDB."""
    if value.family not in _ORDERED:
        raise refused(node, f"{name} of {value.type} was not tried")
    plain = made(name, value.tree)
    if name == "min" or value.family != "DOUBLE":
        return Value(tree=plain, type=value.type)
    branch = exp.If(this=made("bool_or", call("is_nan", value.tree.copy())), true=call("nan"))
    return Value(tree=exp.Case(ifs=[branch], default=plain), type=value.type)


def _truth(name: str, value: Value, node: exp.Expr, made: _Made) -> Value:
    """count_if is NULL where no condition is known."""
    if value.type != "BOOLEAN":
        raise refused(node, f"{name} takes a condition, not {value.type}")
    if name == "count_if":
        return _sum("sum", cast(value, "INTEGER"), node, made)
    return Value(tree=made(name, value.tree), type="BOOLEAN")


def _spread(name: str, value: Value, node: exp.Expr, made: _Made) -> Value:
    return Value(tree=made(name, _double(value, node).tree), type="DOUBLE")


def _double(value: Value, node: exp.Expr) -> Value:
    if value.family not in ("whole", "decimal", "DOUBLE", "FLOAT"):
        raise refused(node, f"this aggregate takes numbers, not {value.type}", "CAST it to a number, or count_if it")
    return cast(value, "DOUBLE")


_DOUBLE = exp.DataType.build("DOUBLE", dialect="trino")
_AGGREGATES: Mapping[str, Callable[[str, Value, exp.Expr, _Made], Value]] = {
    "sum": _sum,
    "avg": _avg,
    **dict.fromkeys(("min", "max"), _extreme),
    **dict.fromkeys(("bool_and", "bool_or", "count_if"), _truth),
    **dict.fromkeys(("stddev_samp", "stddev_pop", "var_samp", "var_pop"), _spread),
}
