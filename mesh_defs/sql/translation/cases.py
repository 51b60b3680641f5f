"""CASE of many branches: Trino compiles one into a method, which Java bounds at 64 KB, so a long one is looked up in a map."""

from collections.abc import Sequence
from decimal import Decimal

from sqlglot import exp

from mesh_defs.sql.translation.values import Value, call, refused

# 500 short branches still ran, 700 did not. A map of 10,000 is read as fast as one of 200.
BRANCHES_MAX = 200
_LOOKED_UP = ("VARCHAR", "DATE", "TINYINT", "SMALLINT", "INTEGER", "BIGINT")


def case(
    conditions: Sequence[exp.Expr],
    results: Sequence[exp.Expr],
    default: exp.Expr | None,
    *,
    operand: Value | None,
    node: exp.Expr,
) -> exp.Expr:
    """Return the CASE. QueryRejectedError for more than BRANCHES_MAX branches, unless each is `operand`, a text, a day
    or an integer, compared with a literal, and gives one."""
    if len(conditions) <= BRANCHES_MAX:
        ifs = [exp.If(this=each, true=result) for each, result in zip(conditions, results, strict=True)]
        return exp.Case(ifs=ifs, default=default)
    found: dict[str | Decimal, tuple[exp.Expr, exp.Expr]] = {}
    for condition, result in zip(conditions, results, strict=True):
        equal = condition.unnest()
        key = _constant(equal.expression) if isinstance(equal, exp.EQ) else None
        of_it = operand is not None and operand.type in _LOOKED_UP and equal.this == operand.tree
        if key is None or not of_it or _constant(result) is None:
            what = f"a CASE of over {BRANCHES_MAX} branches compares one text, day or integer with literals, and gives literals"
            raise refused(node, what, "JOIN a list of VALUES")
        found.setdefault(key, (equal.expression, result))
    assert operand is not None
    keys, values = (exp.Array(expressions=[each[n] for each in found.values()]) for n in (0, 1))
    looked_up = call("element_at", call("map", keys, values), operand.tree.copy())
    return looked_up if default is None else call("coalesce", looked_up, default)


def _constant(tree: exp.Expr) -> str | Decimal | None:
    """What a literal stands for, cast or not; None for what is none."""
    while isinstance(tree, exp.Cast | exp.Paren):
        tree = tree.this
    if isinstance(tree, exp.Neg):
        number = _constant(tree.this)
        return -number if isinstance(number, Decimal) else None
    if not isinstance(tree, exp.Literal):
        return None
    return tree.name if tree.is_string else Decimal(tree.name)
