"""Items of FROM beside queries: joins, lists of VALUES, and the names that an alias gives columns."""

from collections.abc import Sequence

from sqlglot import exp

from mesh_defs.sql.references import folded
from mesh_defs.sql.translation.expressions import Expressions
from mesh_defs.sql.translation.numbers import compared
from mesh_defs.sql.translation.scope import Output, Scope
from mesh_defs.sql.translation.tables import quoted
from mesh_defs.sql.translation.values import refused, unified


def joined(join: exp.Join, tree: exp.Expr, scope: Scope, expressions: Expressions, *, comma: bool) -> exp.Join:
    """Return the join of the scope's newest relation, whose tree is given, with those before it."""
    side, kind = join.text("side").upper(), join.text("kind").upper()
    if kind not in ("", "INNER", "OUTER", "CROSS") or side not in ("", "LEFT", "RIGHT", "FULL"):
        raise refused(join, f"a {side} {kind} JOIN was not tried", "write it as JOIN … ON, or with EXISTS")
    if comma and side in ("RIGHT", "FULL"):
        raise refused(join, f"a {side} JOIN beside a comma was not tried", "write CROSS JOIN instead of the comma")
    if isinstance(tree, exp.Unnest) and (side or join.args.get("on") or join.args.get("using")):
        raise refused(join, "what unnest makes is joined by a comma or CROSS JOIN")
    if isinstance(tree, exp.Lateral) and side in ("RIGHT", "FULL"):
        raise refused(join, f"a {side} JOIN of a LATERAL was not tried")
    if join.args.get("using"):
        return exp.Join(this=tree, side=side, kind="" if side else "INNER", on=_using(join, side, scope))
    if join.args.get("on"):
        on = expressions.condition(join.args["on"], scope)
        return exp.Join(this=tree, side=side, kind="" if side else "INNER", on=on)
    if side:
        raise refused(join, f"a {side} JOIN has a condition", "write ON")
    return exp.Join(this=tree, kind="CROSS")


def _using(join: exp.Join, side: str, scope: Scope) -> exp.Expr:
    """Equal columns, of which the earlier relation's stays; that is the common one for INNER and LEFT alone."""
    if side not in ("", "LEFT"):
        raise refused(join, f"USING in a {side} JOIN was not tried", "write ON, and coalesce(a.x, b.x)")
    new, before = scope.relations[-1], Scope(relations=scope.relations[:-1])
    conditions = []
    for identifier in join.args["using"]:
        column = exp.Column(this=identifier.copy())
        found = new.find(folded(identifier.name))
        if found is None:
            raise refused(join, f"USING names no column '{identifier.name}' of the joined relation")
        conditions.append(compared(exp.EQ(), before.resolve(column), new.value(found, join)))
        new.merged.add(folded(identifier.name))
    return exp.and_(*conditions, copy=False)


def listed(values: exp.Values, expressions: Expressions) -> tuple[exp.Query, list[Output]]:
    """VALUES as a SELECT: each column of one type."""
    rows = [each.expressions if isinstance(each, exp.Tuple) else [each] for each in values.expressions]
    if not rows or len({len(row) for row in rows}) != 1:
        raise refused(values, "the rows of VALUES differ in length")
    columns = [unified([expressions.value(row[n], Scope()) for row in rows], values) for n in range(len(rows[0]))]
    tuples = [exp.Tuple(expressions=list(row)) for row in zip(*(trees for trees, _ in columns), strict=True)]
    names = [f"c{n}" for n in range(len(columns))]
    alias = exp.TableAlias(this=quoted("v"), columns=[quoted(name) for name in names])
    select = exp.Select(
        expressions=[exp.column(quoted(name)) for name in names],
        from_=exp.From(this=exp.Values(expressions=tuples, alias=alias)),
    )
    return select, [Output(name=f"col{n}", type=type_, column=f"c{n}") for n, (_, type_) in enumerate(columns)]


def renamed(outputs: Sequence[Output], alias: exp.Expr | None) -> list[Output]:
    """The columns under the names that an alias gives the first of them: t(a, b)."""
    columns = (alias.args.get("columns") or []) if alias else []
    if len(columns) > len(outputs):
        raise refused(alias, "an alias names more columns than there are")
    named = [Output(name=c.name, type=o.type, column=o.column) for c, o in zip(columns, outputs, strict=False)]
    return [*named, *outputs[len(named) :]]
