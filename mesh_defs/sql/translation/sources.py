"""What makes rows in FROM besides queries: LATERAL, unnest, a range of numbers, PIVOT and UNPIVOT with their values named."""

from collections.abc import Callable, Sequence

from sqlglot import exp

from mesh_defs.sql.references import folded
from mesh_defs.sql.translation.expressions import Expressions
from mesh_defs.sql.translation.nested import element, is_nested
from mesh_defs.sql.translation.scope import Output, Relation, Scope
from mesh_defs.sql.translation.tables import quoted
from mesh_defs.sql.translation.values import refused, require_plain, unified, whole

# Trino makes no longer one.
_RANGE_MAX = 10_000
_PIVOT_PARTS = {"this", "expressions", "using", "group", "unpivot"}


def rows_of(function: exp.Expr, name: str, scope: Scope, expressions: Expressions) -> tuple[exp.Expr, list[Output]]:
    """FROM unnest(list), range(5) or generate_series(1, 5); lists may be columns of what stands before."""
    if function.name in ("range", "generate_series"):
        tree, type_ = _range(function), "BIGINT"
    elif function.name == "unnest" and len(function.expressions) == 1:
        value = expressions.value(function.expressions[0], scope)
        tree, type_ = value.tree, element(value.type) or ""
    else:
        raise refused(function, f"{function.name} makes no rows that were tried", "unnest one list")
    if not type_ or is_nested(type_):
        raise refused(function, "unnest takes a list of plain values")
    alias = exp.TableAlias(this=quoted(name), columns=[quoted("c0")])
    return exp.Unnest(expressions=[tree], alias=alias), [Output(name=function.name, type=type_, column="c0")]


def pivoted(pivot: exp.Pivot) -> exp.Select:
    """PIVOT as the SELECT that it stands for, in DuckDB's words: an aggregate for each value."""
    ranges, group = pivot.expressions, pivot.args.get("group")
    unknown = {key for key, value in pivot.args.items() if value and key not in _PIVOT_PARTS}
    using = pivot.args.get("using") or []
    if unknown or len(ranges) != 1 or not isinstance(ranges[0], exp.In) or not group or len(using) != 1:
        raise refused(pivot, "this form of PIVOT was not tried", "PIVOT … ON x IN ('a') USING sum(y) GROUP BY z")
    values = ranges[0].expressions
    function = using[0].unalias()
    if ranges[0].args.get("query") or not all(isinstance(each, exp.Literal) and each.is_string for each in values):
        raise refused(pivot, "PIVOT was tried with texts alone", "write sum(y) FILTER (WHERE x = 1)")
    if not all(isinstance(each, exp.Column) for each in group.expressions) or not isinstance(function, exp.Anonymous):
        raise refused(pivot, "this form of PIVOT was not tried", "GROUP BY columns, USING one aggregate")
    after = f"_{using[0].alias}" if isinstance(using[0], exp.Alias) else ""
    columns = [
        exp.Alias(
            this=exp.Filter(
                this=function.copy(),
                expression=exp.Where(this=exp.EQ(this=ranges[0].this.copy(), expression=each.copy())),
            ),
            alias=quoted(each.name + after),
        )
        for each in values
    ]
    keys = [each.copy() for each in group.expressions]
    source = exp.From(this=pivot.this.copy())
    return exp.Select(
        expressions=[*keys, *columns], from_=source, group=exp.Group(expressions=[k.copy() for k in keys])
    )


def unpivoted(
    pivot: exp.Pivot, source: exp.Expr, relation: Relation, name: Callable[[], str]
) -> tuple[exp.Query, list[Output]]:
    """UNPIVOT … ON a, b: a row for each of these columns that is known, with the column's name."""
    unknown = {key for key, value in pivot.args.items() if value and key not in _PIVOT_PARTS - {"group"}}
    if unknown or not all(isinstance(each, exp.Column) and len(each.parts) == 1 for each in pivot.expressions):
        raise refused(pivot, "this form of UNPIVOT was not tried", "UNPIVOT … ON a, b")
    scope = Scope(relations=[relation])
    values = [require_plain(scope.resolve(each), pivot) for each in pivot.expressions]
    chosen = [relation.find(folded(each.name)) for each in pivot.expressions]
    left = [each for each in relation.visible() if each not in chosen]
    trees, type_ = unified(values, pivot)
    made = name()
    names = exp.Array(expressions=[exp.Literal.string(each.name if each else "") for each in chosen])
    rows = exp.Unnest(
        expressions=[names, exp.Array(expressions=trees)],
        alias=exp.TableAlias(this=quoted(made), columns=[quoted("n"), quoted("v")]),
    )
    kept: Sequence[tuple[Output, exp.Expr]] = [
        *((each, relation.value(each, pivot).tree) for each in left),
        (Output(name="name", type="VARCHAR", column=None), exp.column(quoted("n"), table=quoted(made))),
        (Output(name="value", type=type_, column=None), exp.column(quoted("v"), table=quoted(made))),
    ]
    outputs = [Output(name=each.name, type=each.type, column=f"c{n}") for n, (each, _) in enumerate(kept)]
    items = [exp.Alias(this=tree, alias=quoted(f"c{n}")) for n, (_, tree) in enumerate(kept)]
    known = exp.Is(this=exp.column(quoted("v"), table=quoted(made)), expression=exp.Not(this=exp.Null()))
    select = exp.Select(
        expressions=items,
        from_=exp.From(this=source),
        joins=[exp.Join(this=rows, kind="CROSS")],
        where=exp.Where(this=known),
    )
    return select, outputs


def _range(function: exp.Expr) -> exp.Expr:
    numbers = [_integer(each) for each in function.expressions]
    if not 1 <= len(numbers) <= 2 or any(each is None for each in numbers):
        raise refused(function, f"{function.name} takes one or two literal numbers")
    known = [each for each in numbers if each is not None]
    start, end = known if len(known) == 2 else (0, known[0])
    end -= function.name == "range"
    if not start <= end < start + _RANGE_MAX:
        raise refused(function, f"{function.name} makes from 1 to {_RANGE_MAX:,} rows")
    bounds = (exp.Cast(this=whole(each), to=exp.DataType.build("BIGINT")) for each in (start, end))
    return exp.Anonymous(this="sequence", expressions=list(bounds))


def _integer(node: exp.Expr) -> int | None:
    negative = isinstance(node, exp.Neg)
    digits = node.this if negative else node
    if not isinstance(digits, exp.Literal) or not digits.name.isdigit() or len(digits.name) > 15:
        return None
    return -int(digits.name) if negative else int(digits.name)
