"""Refuses operators that DuckDB would group otherwise than sqlglot did, for want of brackets.

sqlglot writes some operators as calls (`a ~ b`, `a ** b`, `x::t`), so a wrong grouping would change the answer:
`a ~ b || c` is a ~ (b || c) to sqlglot and (a ~ b) || c to DuckDB. The levels are those of DuckDB 1.5's gram.y;
a test compares every pair of operators with the engine's own parser.
"""

from sqlglot import exp

from mesh_defs.errors import QueryRejectedError
from mesh_defs.sql.place import place

# From loosest to tightest. `~ a` and all operators without a level of their own are on _OPERATORS.
_ARROW, _OR, _AND, _NOT, _IS, _COMPARISON, _LIKE, _OPERATORS = range(1, 9)
_SUM, _PRODUCT, _POWER, _ZONE, _COLLATE, _MINUS, _WHOLE = range(9, 16)

_LEVELS: dict[type[exp.Expr], int] = {
    exp.JSONExtract: _ARROW,
    exp.JSONExtractScalar: _OPERATORS,
    exp.Or: _OR,
    exp.And: _AND,
    exp.Not: _NOT,
    **dict.fromkeys((exp.Is, exp.NullSafeEQ, exp.NullSafeNEQ), _IS),
    **dict.fromkeys((exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE), _COMPARISON),
    **dict.fromkeys((exp.In, exp.Between, exp.Like, exp.ILike, exp.Glob, exp.SimilarTo, exp.Escape), _LIKE),
    **dict.fromkeys((exp.DPipe, exp.BitwiseAnd, exp.BitwiseOr, exp.BitwiseLeftShift), _OPERATORS),
    **dict.fromkeys((exp.BitwiseRightShift, exp.RegexpFullMatch, exp.StartsWith, exp.ArrayOverlaps), _OPERATORS),
    **dict.fromkeys((exp.ArrayContainsAll, exp.ArrayContainedBy, exp.BitwiseNot), _OPERATORS),
    **dict.fromkeys((exp.Add, exp.Sub), _SUM),
    **dict.fromkeys((exp.Mul, exp.Div, exp.IntDiv, exp.Mod), _PRODUCT),
    exp.Pow: _POWER,
    exp.AtTimeZone: _ZONE,
    exp.Collate: _COLLATE,
    exp.Neg: _MINUS,
}
_PREFIXES = (exp.Not, exp.Neg, exp.BitwiseNot)
_SIMPLE = (exp.Column, exp.Paren, exp.Array, exp.Placeholder)
_ALONE = (_IS, _COMPARISON, _LIKE)  # a = b = c is an error in DuckDB


def refuse_ambiguous(tree: exp.Expr, *, double_equals: bool) -> None:
    """Raise QueryRejectedError where an operator's operand would belong to its neighbour in DuckDB.

    `double_equals`: the text holds `==`, which DuckDB groups like `||`, and sqlglot like `=`.
    """
    for node in tree.walk():
        level = _LEVELS.get(type(node))
        if level is None:
            continue
        if double_equals and isinstance(node, exp.EQ):
            level = _OPERATORS
        if not _stands(node, level):
            what = "DuckDB groups these operators otherwise than it looks"
            raise QueryRejectedError(what, where=place(node), fix="put brackets around what belongs together")


def _stands(node: exp.Expr, level: int) -> bool:
    this = _bare(node.this)
    if isinstance(node, _PREFIXES):
        return isinstance(this, _PREFIXES) or _as_right(this) >= level + (level == _OPERATORS)
    if isinstance(node, exp.Is):
        return isinstance(_bare(node.expression), exp.Null | exp.Boolean) and _as_left(this) > level
    if isinstance(node, exp.In) and node.args.get("field"):
        return isinstance(_bare(node.args["field"]), _SIMPLE) and _as_left(this) > level
    if isinstance(node, exp.Escape):
        return True
    if isinstance(node, exp.Collate):
        return isinstance(node.expression, exp.Var | exp.Column) and _as_left(this) >= level
    rights = [
        _bare(node.args[key]) for key in ("expression", "low", "high") if isinstance(node.args.get(key), exp.Expr)
    ]
    left_fits = isinstance(node, exp.JSONExtractScalar) or _as_left(this) >= level + (level in _ALONE)
    return left_fits and all(_as_right(right) > level for right in rights)


def _as_left(node: exp.Expr) -> int:
    """How tightly a left operand holds together: a prefix at its right end would take in what follows."""
    level = _LEVELS.get(type(node), _WHOLE)
    while type(node) in _LEVELS:
        if isinstance(node, _PREFIXES):
            level = min(level, _LEVELS[type(node)])
        end = node.this if isinstance(node, _PREFIXES) else node.args.get("expression")
        node = _bare(end) if isinstance(end, exp.Expr) else exp.Null()
    return level


def _as_right(node: exp.Expr) -> int:
    """How tightly a right operand holds together: before an arrow at its left end, the engine closes what is open."""
    level = _LEVELS.get(type(node), _WHOLE)
    while type(node) in _LEVELS and not isinstance(node, _PREFIXES):
        if isinstance(node, exp.JSONExtract | exp.JSONExtractScalar):
            return _ARROW
        node = _bare(node.this)
    return level


def _bare(node: exp.Expr) -> exp.Expr:
    """Look through the brackets that sqlglot adds; those of the asker carry the comment of `sql.tokens`."""
    while isinstance(node, exp.Paren) and not node.comments:
        node = node.this
    return node
