"""Makes a parsed tree uniform, such that reading what is written from it gives the same tree again.

sqlglot has several nodes for one text, and one text for several nodes. Where that is so, the plain call is chosen:
`a ~ b`, `position(a IN b)`, `x.f(y)` and `FROM unnest(…)` become the calls that the engine makes of them itself.
"""

from collections.abc import Callable
from typing import Any

from sqlglot import exp

from mesh_defs.sql.tokens import MARK

# Operators that sqlglot would write as calls.
_CALLS: dict[type[exp.Expr], str] = {
    exp.Pow: "power",
    exp.RegexpFullMatch: "regexp_full_match",
    exp.StartsWith: "starts_with",
    exp.StrPosition: "strpos",
}
# f(p) WITHIN GROUP (ORDER BY x), and what the engine's parser makes of f.
_ORDERED_SETS = {"percentile_cont": "quantile_cont", "percentile_disc": "quantile_disc", "mode": "mode"}


def uniform(tree: exp.Expr) -> exp.Expr:
    """Rewrite the tree in place, inner nodes first; returns it with a SELECT, a set operation or a bracket on top."""
    for node in reversed(list(tree.walk())):
        change = _CHANGES.get(type(node))
        if change is not None:
            change(node)
        elif type(node) in _CALLS:
            _replace(node, call(_CALLS[type(node)], *node.iter_expressions()))
    return _query(tree)


def call(name: str, *arguments: exp.Expr) -> exp.Anonymous:
    """Return a call of an engine's function by its own name."""
    return exp.Anonymous(this=name, expressions=list(arguments))


def column(parts: list[exp.Expr]) -> exp.Expr:
    """Return a.b.c.d… as the parser would have read it: at most four parts in a column, the rest as fields."""
    this, *qualifiers = reversed(parts[:4])
    node: exp.Expr = exp.Column(this=this, **dict(zip(("table", "db", "catalog"), qualifiers, strict=False)))
    for part in parts[4:]:
        node = exp.Dot(this=node, expression=part)
    return node


def put(node: exp.Expr, other: exp.Expr) -> None:
    """Put another node where this one stands, in constant time: sqlglot's `replace` numbers all siblings anew."""
    parent, key, index = node.parent, node.arg_key, node.index
    if parent is None or key is None:
        raise ValueError("the top of a tree cannot be replaced in place")
    if index is None:
        parent.set(key, other)
    else:
        parent.args[key][index] = other
        other.parent, other.arg_key, other.index = parent, key, index


def _replace(node: exp.Expr, other: exp.Expr) -> None:
    other.meta.update(node.meta)
    put(node, other)


def _identifier(node: exp.Expr) -> None:
    node.set("this", node.name.removeprefix(MARK))
    node.set("quoted", True)


def _anonymous(node: exp.Expr) -> None:
    if isinstance(node.this, str):
        node.set("this", node.this.removeprefix(MARK).lower())


def _dot(node: exp.Expr) -> None:
    """x.f(y) -> f(x, y): afterwards no text can name a schema's function, a macro of an attached database say."""
    method = node.args["expression"]
    if isinstance(method, exp.Anonymous):
        parts = _names(node.this)
        function = call(method.this, column(parts) if parts else node.this, *method.expressions)
        function.meta.update(method.meta)
        _replace(node, function)


def _names(node: exp.Expr) -> list[exp.Expr]:
    """The parts of a.b.c when it is nothing but names."""
    if isinstance(node, exp.Identifier):
        return [node]
    if isinstance(node, exp.Dot) and isinstance(node.expression, exp.Identifier) and (before := _names(node.this)):
        return [*before, node.expression]
    return []


def _not(node: exp.Expr) -> None:
    """NOT x IS NULL -> x IS NOT NULL: sqlglot reads both alike, and the second is what people write."""
    test = node.this
    if isinstance(test, exp.Is) and isinstance(test.expression, exp.Null | exp.Boolean):
        _replace(node, exp.Is(this=test.this, expression=exp.Not(this=test.expression)))
    elif isinstance(test, exp.In | exp.Between | exp.SimilarTo | exp.Glob):
        node.set("this", exp.Paren(this=test))


def _if(node: exp.Expr) -> None:
    if not isinstance(node.parent, exp.Case):
        branch = exp.If(this=node.this, true=node.args.get("true"))
        _replace(node, exp.Case(ifs=[branch], default=node.args.get("false")))


def _unnest(node: exp.Expr) -> None:
    """FROM unnest(…) as a table function: sqlglot would turn the comma before it into JOIN … ON TRUE."""
    if isinstance(node.parent, exp.From | exp.Join):
        alias, offset = node.args.get("alias"), node.args.get("offset")
        if alias and isinstance(offset, exp.Identifier):
            alias.append("columns", offset)
        arguments = {key: node.args.get(key) for key in ("joins", "laterals", "pivots", "sample")}
        function = call("unnest", *node.expressions)
        _replace(node, exp.Table(this=function, alias=alias, ordinality=bool(offset), **arguments))


def _distinct(node: exp.Expr) -> None:
    """f(DISTINCT a, b): the DISTINCT goes with the first argument, else sqlglot writes one tuple of all."""
    within = node.parent if isinstance(node.parent, exp.Order) else node
    first, *others = node.expressions or [None]
    if others and isinstance(within.parent, exp.Anonymous):
        function, last = within.parent, others[-1]
        node.set("expressions", [first])
        if within is not node:
            within.set("this", last)
            others[-1] = within
        function.set("expressions", [node, *others])


def _trim(node: exp.Expr) -> None:
    name = {"LEADING": "ltrim", "TRAILING": "rtrim"}.get(node.args.get("position") or "", "trim")
    _replace(node, call(name, *[node.args[key] for key in ("this", "expression") if node.args.get(key)]))


def _within_group(node: exp.Expr) -> None:
    """f(p) WITHIN GROUP (ORDER BY x) -> f(p ORDER BY x), as the engine's parser does."""
    function = node.this
    if isinstance(function, exp.Anonymous) and function.this in _ORDERED_SETS:
        arguments = function.expressions
        order = node.expression
        order.set("this", arguments[-1] if arguments else None)
        _replace(node, call(_ORDERED_SETS[function.this], *arguments[:-1], order))


def _bracketed(node: exp.Expr) -> None:
    """x ->> 'k', x >> 1: sqlglot writes brackets around some of them; here all have them."""
    if not isinstance(node.parent, exp.Paren):
        bracket = exp.Paren()
        put(node, bracket)
        bracket.set("this", node)


def _prefix(node: exp.Expr) -> None:
    """- ~ a -> -(~a): without the space, which sqlglot does not write, it would be another operator."""
    if isinstance(node.this, exp.Neg | exp.BitwiseNot):
        node.set("this", exp.Paren(this=node.this))


def _fetch(node: exp.Expr) -> None:
    options = node.args.get("limit_options")
    if not options or not (options.args.get("percent") or options.args.get("with_ties")):
        _replace(node, exp.Limit(expression=node.args.get("count")))


def _window_spec(node: exp.Expr) -> None:
    if node.args.get("start") and not node.args.get("end"):
        node.set("end", "CURRENT ROW")


def _summarize(node: exp.Expr) -> None:
    if isinstance(node.this, exp.Table):
        node.set("this", exp.Select(expressions=[exp.Star()], from_=exp.From(this=node.this)))


def _sample(node: exp.Expr) -> None:
    """SYSTEM, which a percentage is without a method, takes blocks as they are stored: how many rows of a block are seen
    would tell how many are hidden. BERNOULLI takes rows."""
    if node.text("method").upper() == "SYSTEM":
        node.set("method", exp.Var(this="BERNOULLI"))


def _pivot(node: exp.Expr) -> None:
    node.set("columns", None)  # what sqlglot thinks the columns will be


_CHANGES: dict[type[exp.Expr], Callable[[Any], None]] = {
    exp.Identifier: _identifier,
    exp.Anonymous: _anonymous,
    exp.Dot: _dot,
    exp.Not: _not,
    exp.If: _if,
    exp.Summarize: _summarize,
    exp.Unnest: _unnest,
    exp.Distinct: _distinct,
    exp.Trim: _trim,
    exp.WithinGroup: _within_group,
    exp.JSONExtract: _bracketed,
    exp.JSONExtractScalar: _bracketed,
    exp.BitwiseLeftShift: _bracketed,
    exp.BitwiseRightShift: _bracketed,
    exp.Fetch: _fetch,
    exp.Neg: _prefix,
    exp.BitwiseNot: _prefix,
    exp.WindowSpec: _window_spec,
    exp.TableSample: _sample,
    exp.Pivot: _pivot,
}


def _query(tree: exp.Expr) -> exp.Expr:
    """VALUES, PIVOT and SUMMARIZE stand on their own in DuckDB; put SELECT * FROM ( … ) around them."""
    if not isinstance(tree, exp.Values | exp.Pivot | exp.Summarize):
        return tree
    outer = exp.Select(expressions=[exp.Star()], with_=tree.args.get("with_"))
    tree.set("with_", None)
    outer.set("from_", exp.From(this=tree if isinstance(tree, exp.Values) else exp.Subquery(this=tree)))
    return outer
