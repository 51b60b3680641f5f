"""Aggregates and window functions. An average is a sum and a count, because the engines round their own averages apart."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sqlglot import exp

from mesh_defs.sql.translation.values import Value, call, cast, digits_of, refused, require_plain, trino_type, whole

# Puts FILTER and OVER around each of Trino's aggregates that an aggregate is made of.
Around = Callable[[exp.Expr], exp.Expr]

_TRINO = {
    "approx_count_distinct": "count",
    "stddev": "stddev_samp",
    "variance": "var_samp",
    "countif": "count_if",
    "mean": "avg",
    "rank_dense": "dense_rank",
}
_ORDERED = ("whole", "decimal", "VARCHAR", "DATE", "TIMESTAMP", "BOOLEAN", "DOUBLE")
# Aggregates that Trino makes of the list of all values, in an order.
LISTED = frozenset(
    {"array_agg", "list", "string_agg", "listagg", "group_concat", "median", "quantile_cont", "quantile_disc"}
)
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
    name, distinct = _TRINO.get(name, name), distinct or name == "approx_count_distinct"

    def made(trino: str, tree: exp.Expr) -> exp.Expr:
        return around(call(trino, exp.Distinct(expressions=[tree.copy()]) if distinct else tree.copy()))

    if value is not None and distinct:
        require_plain(value, node)
    if name == "count":
        return Value(
            tree=around(call("count", exp.Star())) if value is None else made("count", value.tree), type="BIGINT"
        )
    if value is None or value.text is not None:
        raise refused(node, f"{name} takes one column")
    return _AGGREGATES[name](name, value, node, made)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """How an aggregate of a list takes its values."""

    order: exp.Order | None
    distinct: bool
    around: Around

    def of(self, value: Value, order: exp.Order | None, *, nulls: bool = False) -> exp.Expr:
        """Trino's list of the values; NULL where there is none."""
        tree: exp.Expr = exp.Distinct(expressions=[value.tree.copy()]) if self.distinct else value.tree.copy()
        made = call("array_agg", exp.Order(this=tree, expressions=order.expressions) if order else tree)
        if nulls:
            return self.around(made)
        known = exp.Is(this=value.tree.copy(), expression=exp.Not(this=exp.Null()))
        filtered = self.around(made)
        if isinstance(filtered, exp.Filter):
            filtered.expression.set("this", exp.and_(filtered.expression.this, known))
            return filtered
        return exp.Filter(this=filtered, expression=exp.Where(this=known))


def listed(name: str, values: Sequence[Value], node: exp.Expr, how: Listed) -> Value:
    """Return an aggregate that looks at all values at once: they are in the memory of one node, a list for each group."""
    first, *others = values
    if name in ("string_agg", "listagg", "group_concat"):
        return _string_agg(name, values, node, how)
    if name in ("array_agg", "list"):
        if others or how.order is None or trino_type(first.type) is None:
            raise refused(node, f"{name} takes one column and an order", f"write {name}(x ORDER BY x)")
        return Value(tree=how.of(first, how.order, nulls=True), type=f"{first.type}[]")
    share = "0.5" if name == "median" and not others else (others[0].number or "") if len(others) == 1 else ""
    if not share or not 0 <= float(share) <= 1 or first.family not in ("whole", "DOUBLE") or first.type == "HUGEINT":
        raise refused(node, f"{name} is of integers or DOUBLEs, at a literal share", "CAST a DECIMAL to DOUBLE")
    if how.order is not None:
        raise refused(node, f"{name} was not tried with an order", f"write {name}(x, 0.5)")
    return _quantile(name, first, float(share), how)


def _string_agg(name: str, values: Sequence[Value], node: exp.Expr, how: Listed) -> Value:
    first, *others = values
    separator = others[0].text if others else ","
    if len(others) > 1 or separator is None or how.order is None or {first.type} - {"VARCHAR"}:
        raise refused(node, f"{name} joins texts, in an order", f"write {name}(text, ', ' ORDER BY text)")
    joined = call("array_join", how.of(first, how.order), exp.Literal.string(separator))
    return Value(tree=joined, type="VARCHAR")


def _quantile(name: str, value: Value, share: float, how: Listed) -> Value:
    """DuckDB's: at (n - 1) * share of the sorted values, between two of them in proportion; or the one at n * share."""
    discrete = name == "quantile_disc"
    of = value if discrete else cast(value, "DOUBLE")
    numbers = call("array_sort", how.of(of, None))
    count = exp.Cast(this=call("cardinality", numbers.copy()), to=_DOUBLE.copy())
    at: exp.Expr
    if discrete:
        # The first of which so great a share are not greater.
        at = call("ceil", exp.Mul(this=count, expression=_number(share)))
        place = exp.Cast(this=call("greatest", at, _number(1.0)), to=exp.DataType.build("BIGINT"))
        return Value(tree=call("element_at", numbers, place), type=value.type)
    at = exp.Paren(
        this=exp.Mul(this=exp.Paren(this=exp.Sub(this=count, expression=_number(1.0))), expression=_number(share))
    )
    below, above = call("floor", at), call("ceil", at.copy())
    low, high = (call("element_at", numbers.copy(), _place(each)) for each in (below, above))
    part = exp.Paren(this=exp.Sub(this=at.copy(), expression=below.copy()))
    rest = exp.Paren(this=exp.Sub(this=_number(1.0), expression=part.copy()))
    between = exp.Add(this=exp.Mul(this=low, expression=rest), expression=exp.Mul(this=high, expression=part))
    exact = exp.EQ(this=below.copy(), expression=above.copy())
    return Value(tree=exp.Case(ifs=[exp.If(this=exact, true=low.copy())], default=between), type="DOUBLE")


def _place(at: exp.Expr) -> exp.Expr:
    one = exp.Add(this=exp.Cast(this=at.copy(), to=exp.DataType.build("BIGINT")), expression=whole(1))
    return exp.Paren(this=one)


def _number(value: float) -> exp.Expr:
    return exp.Literal.number(f"{value!r}e0" if "e" not in repr(value) else repr(value))


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


def frame(spec: exp.Expr | None) -> exp.WindowSpec | None:
    """Rows may be counted, or all up to the current one; RANGE by a distance, and GROUPS, were not tried."""
    if spec is None:
        return None
    kind = spec.text("kind").upper()
    bounds = {key: spec.args.get(key) for key in ("start", "start_side", "end", "end_side")}
    counted = [each for each in bounds.values() if isinstance(each, exp.Expr)]
    plain = all(isinstance(each, exp.Literal) and each.name.isdigit() for each in counted)
    if kind not in ("ROWS", "RANGE") or not plain or (kind == "RANGE" and counted):
        raise refused(spec, "this window frame was not tried", "count ROWS, or leave the frame out")
    return exp.WindowSpec(
        kind=kind, **{key: each.copy() if isinstance(each, exp.Expr) else each for key, each in bounds.items()}
    )


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
