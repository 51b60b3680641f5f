"""SELECTs and set operations: FROM, joins, grouping, order and limits, with every name resolved and every star written out."""

import re
from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any

from sqlglot import exp

from mesh_defs.errors import QueryRejectedError
from mesh_defs.sql.references import folded
from mesh_defs.sql.translation import guards
from mesh_defs.sql.translation.expressions import Expressions
from mesh_defs.sql.translation.grouping import grouped, limits, ordered
from mesh_defs.sql.translation.nested import is_nested
from mesh_defs.sql.translation.patterns import pattern
from mesh_defs.sql.translation.relations import joined, listed, renamed
from mesh_defs.sql.translation.scope import Output, Relation, Scope
from mesh_defs.sql.translation.sources import pivoted, rows_of, unpivoted
from mesh_defs.sql.translation.tables import Pinned, fenced, quoted
from mesh_defs.sql.translation.values import (
    UNKNOWN,
    Value,
    cast,
    common,
    family,
    refused,
    require_plain,
    trino_type,
)

Translated = tuple[exp.Query, list[Output]]


class Queries:
    """One statement's translation. `guards`: the product -> Trino's SELECT that shows of it what may be seen."""

    def __init__(self, pinned: Mapping[str, Pinned]) -> None:
        self._pinned, self._numbers = pinned, count()
        self._expressions = Expressions(lambda node, scope: self.query(node, scope, scope.withs))
        self.guards: dict[str, exp.Select] = {}

    def query(
        self, node: exp.Expr, outer: Scope | None, withs: Mapping[str, Any], final: Sequence[str] | None = None
    ) -> Translated:
        """Return the translated query and its columns; `final` are DuckDB's types that they are cast to."""
        if isinstance(node, exp.Subquery) and not _present(node) - {"this"}:
            return self.query(node.this, outer, withs, final)
        made = self._with(node, outer, withs)
        if isinstance(node, exp.Select):
            tree, outputs = self._guard(node) or self._select(node, outer, made[1], final)
        elif isinstance(node, exp.SetOperation):
            tree, outputs = self._set(node, outer, made[1], final)
        else:
            raise refused(node, "this stands where a SELECT is expected")
        if made[0]:
            tree.set("with_", exp.With(expressions=made[0]))
        return tree, outputs

    def _with(
        self, node: exp.Expr, outer: Scope | None, withs: Mapping[str, Any]
    ) -> tuple[list[exp.CTE], Mapping[str, Any]]:
        held = node.args.get("with_")
        made = []
        for cte in held.expressions if held else ():
            tree, outputs = self.query(cte.this, outer, withs)
            name = self._name("w")
            withs = {**withs, folded(cte.alias): (name, renamed(outputs, cte.args.get("alias")))}
            made.append(exp.CTE(this=tree, alias=exp.TableAlias(this=quoted(name))))
        return made, withs

    def _guard(self, node: exp.Select) -> Translated | None:
        """Only the rewriter names a pin: what reads one is the subquery that shows of it what may be seen."""
        source: exp.Expr | None = node.args["from_"].this if node.args.get("from_") else None
        pinned = self._pinned.get(source.name) if isinstance(source, exp.Table) else None
        if source is None or pinned is None:
            return None
        try:
            return self._shown(node, source.alias, pinned)
        except QueryRejectedError:  # which would tell of a rule
            raise refused(None, f"a rule or a mask of {pinned.pin.product} was not tried to mean the same") from None

    def _shown(self, node: exp.Select, alias: str, pinned: Pinned) -> Translated:
        name = self._name("r")
        scope = Scope(relations=[Relation(alias=alias, name=name, outputs=pinned.outputs())])
        outputs: list[Output] = []
        items: list[exp.Expr] = []
        for number, each in enumerate(guards.shown(node, scope, self._expressions)):
            outputs.append(Output(name=each.name, type=each.type, column=f"c{number}" if each.value else None))
            if each.value:
                items.append(exp.Alias(this=each.value.tree, alias=quoted(f"c{number}")))
        select = exp.Select(expressions=items, from_=exp.From(this=pinned.relation(name)))
        if condition := guards.condition(node, scope, self._expressions):
            select.set("where", exp.Where(this=condition))
            select = fenced(select, [each.column for each in outputs if each.column], self._name("r"))
            self.guards[pinned.pin.product] = select.copy()
        return select, outputs

    def _select(
        self, node: exp.Select, outer: Scope | None, withs: Mapping[str, Any], final: Sequence[str] | None
    ) -> Translated:
        scope = Scope(outer=outer, withs=withs)
        parts = self._from(node, scope)
        shown = self._projections(node, scope)
        if final is not None:
            shown = _finished(shown, final, node)
        outputs = [Output(name=name, type=value.type, column=f"c{n}") for n, (name, value, _) in enumerate(shown)]
        items = [exp.Alias(this=value.tree, alias=quoted(f"c{n}")) for n, (_, value, _) in enumerate(shown)]
        tree = exp.Select(expressions=items, **parts)
        if where := node.args.get("where"):
            tree.set("where", exp.Where(this=self._expressions.condition(where.this, scope)))
        if group := node.args.get("group"):
            tree.set("group", grouped(group, shown, scope, self._expressions))
        if having := node.args.get("having"):
            tree.set("having", exp.Having(this=self._expressions.condition(having.this, scope)))
        order = node.args.get("order")
        by = ordered(order, outputs, scope, self._expressions) if order else None
        if qualify := node.args.get("qualify"):
            tree = self._qualified(node, tree, self._expressions.condition(qualify.this, scope), by)
        if node.args.get("distinct"):
            for _, value, _ in shown:
                require_plain(value, node)
            tree.set("distinct", exp.Distinct())
        tree.set("order", by)
        limits(node, tree)
        return tree, outputs

    def _qualified(self, node: exp.Select, tree: exp.Select, condition: exp.Expr, by: exp.Order | None) -> exp.Select:
        """Put a SELECT around it that keeps the rows of QUALIFY; what it is ordered by beside its columns goes with them."""
        inner, name = tree, self._name("r")
        shown = [exp.column(quoted(each.alias), table=quoted(name)) for each in tree.expressions]
        inner.append("expressions", exp.Alias(this=condition, alias=quoted("q")))
        for number, item in enumerate(by.expressions if by else ()):
            if all(column.table for column in item.this.find_all(exp.Column)):
                if node.args.get("distinct"):
                    raise refused(node, "DISTINCT is ordered by its columns")
                inner.append("expressions", exp.Alias(this=item.this.copy(), alias=quoted(f"o{number}")))
                item.set("this", exp.column(quoted(f"o{number}"), table=quoted(name)))
        return exp.Select(
            expressions=[exp.Alias(this=each, alias=quoted(each.name)) for each in shown],
            from_=exp.From(this=exp.Subquery(this=inner, alias=exp.TableAlias(this=quoted(name)))),
            where=exp.Where(this=exp.column(quoted("q"), table=quoted(name))),
        )

    def _set(
        self, node: exp.SetOperation, outer: Scope | None, withs: Mapping[str, Any], final: Sequence[str] | None
    ) -> Translated:
        (left, one), (right, other) = (self.query(side, outer, withs) for side in (node.left, node.right))
        if len(one) != len(other):
            raise refused(node, "the sides have different numbers of columns")
        pairs = list(zip(one, other, strict=True))
        types = [common(_null(a), _null(b), node) for a, b in pairs]
        if node.args.get("distinct"):
            for type_ in types:
                require_plain(Value(tree=exp.Null(), type=type_), node)
        sides = [exp.Subquery(this=self._as(tree, cols, types)) for tree, cols in ((left, one), (right, other))]
        both = type(node)(this=sides[0], expression=sides[1], distinct=node.args.get("distinct"))
        outputs = [
            Output(name=a.name, type=type_, column=f"c{n}")
            for n, ((a, _), type_) in enumerate(zip(pairs, types, strict=True))
        ]
        relation = Relation(alias="", name=self._name("r"), outputs=outputs)
        shown = [(each.name, relation.value(each, node), None) for each in outputs]
        if final is not None:
            shown = _finished(shown, final, node)
        items = [exp.Alias(this=value.tree, alias=quoted(f"c{n}")) for n, (_, value, _) in enumerate(shown)]
        source = exp.Subquery(this=both, alias=exp.TableAlias(this=quoted(relation.name)))
        tree = exp.Select(expressions=items, from_=exp.From(this=source))
        if order := node.args.get("order"):
            tree.set("order", ordered(order, outputs, None, self._expressions))
        limits(node, tree)
        return tree, outputs

    def _as(self, tree: exp.Query, outputs: Sequence[Output], types: Sequence[str]) -> exp.Query:
        """A side of a set operation, in the types of both."""
        if [each.type for each in outputs] == list(types):
            return tree
        relation = Relation(alias="", name=self._name("r"), outputs=outputs)
        values = [relation.value(each) for each in outputs]
        cast_ = [
            value if type_ in (value.type, UNKNOWN) else cast(value, type_)
            for value, type_ in zip(values, types, strict=True)
        ]
        items = [exp.Alias(this=value.tree, alias=quoted(f"c{n}")) for n, value in enumerate(cast_)]
        source = exp.Subquery(this=tree, alias=exp.TableAlias(this=quoted(relation.name)))
        return exp.Select(expressions=items, from_=exp.From(this=source))

    def _from(self, node: exp.Select, scope: Scope) -> dict[str, Any]:
        if not node.args.get("from_"):
            return {}
        parts: dict[str, Any] = {"from_": exp.From(this=self._relation(node.args["from_"].this, scope)), "joins": []}
        for join in node.args.get("joins") or ():
            tree = self._relation(join.this, scope)
            parts["joins"].append(joined(join, tree, scope, self._expressions, comma=_has_comma(node)))
        return parts

    def _relation(self, node: exp.Expr, scope: Scope) -> exp.Expr:
        """Translate an item of FROM, and let the scope know it."""
        name = self._name("r")
        alias, outputs = node.args.get("alias"), list[Output]()
        if isinstance(node, exp.Lateral):
            tree, outputs = self.query(node.this, scope, scope.withs)
            scope.relations.append(Relation(alias=node.alias, name=name, outputs=renamed(outputs, alias)))
            return exp.Lateral(this=exp.Subquery(this=tree), alias=exp.TableAlias(this=quoted(name)))
        if isinstance(node, exp.Table) and isinstance(node.this, exp.Anonymous):
            rows, outputs = rows_of(node.this, name, scope, self._expressions)
            scope.relations.append(Relation(alias=node.alias, name=name, outputs=renamed(outputs, alias)))
            return rows
        if isinstance(node, exp.Subquery) and isinstance(node.this, exp.Pivot):
            tree, outputs = self._pivot(node.this, scope)
        elif isinstance(node, exp.Values):
            tree, outputs = listed(node, self._expressions)
        elif isinstance(node, exp.Subquery) and isinstance(node.this, exp.Values):
            tree, outputs = listed(node.this, self._expressions)
        elif isinstance(node, exp.Subquery):
            tree, outputs = self.query(node.this, scope.outer, scope.withs)
        elif isinstance(node, exp.Table) and not node.args.get("db") and folded(node.name) in scope.withs:
            held, outputs = scope.withs[folded(node.name)]
            table = exp.Table(this=quoted(held), alias=exp.TableAlias(this=quoted(name)))
            scope.relations.append(Relation(alias=node.alias or node.name, name=name, outputs=renamed(outputs, alias)))
            return table
        else:
            raise refused(node, "this is not read as a relation", "read products, WITH names and SELECTs")
        scope.relations.append(Relation(alias=node.alias, name=name, outputs=renamed(outputs, alias)))
        return exp.Subquery(this=tree, alias=exp.TableAlias(this=quoted(name)))

    def _pivot(self, pivot: exp.Pivot, scope: Scope) -> Translated:
        if not pivot.args.get("unpivot"):
            return self.query(pivoted(pivot), scope.outer, scope.withs)
        inner = Scope(outer=scope.outer, withs=scope.withs)
        source = self._relation(pivot.this, inner)
        return unpivoted(pivot, source, inner.relations[0], lambda: self._name("r"))

    def _projections(self, node: exp.Select, scope: Scope) -> list[tuple[str | None, Value, exp.Expr | None]]:
        """Name, value and source of each column of the answer; a star's have no source."""
        shown: list[tuple[str | None, Value, exp.Expr | None]] = []
        for projection in node.expressions:
            if isinstance(projection, exp.Columns):
                shown += [(name, value, None) for name, value in _matching(projection, scope)]
                continue
            star = projection if isinstance(projection, exp.Star) else projection.this
            if isinstance(star, exp.Star) and isinstance(projection, exp.Star | exp.Column):
                shown += [(name, value, None) for name, value in _starred(projection, star, scope)]
                continue
            value = self._expressions.value(projection.unalias(), scope)
            name = projection.alias_or_name if isinstance(projection, exp.Alias | exp.Column) else None
            if isinstance(projection, exp.Alias):
                scope.aliases[folded(projection.alias)] = value
            shown.append((name, value, projection))
        return shown

    def _name(self, letter: str) -> str:
        return f"{letter}{next(self._numbers)}"


def _starred(node: exp.Expr, star: exp.Star, scope: Scope) -> list[tuple[str | None, Value]]:
    without = {folded(each.name) for each in star.args.get("except_") or ()}
    relations = [scope.relation(folded(node.table), node)] if isinstance(node, exp.Column) else scope.relations
    found = [(each, relation) for relation in relations for each in relation.visible()]
    if without - {folded(each.name or "") for each, _ in found}:
        raise refused(node, "EXCLUDE names a column that is not there")
    return [
        (each.name, relation.value(each, node)) for each, relation in found if folded(each.name or "") not in without
    ]


def _matching(node: exp.Columns, scope: Scope) -> list[tuple[str | None, Value]]:
    """COLUMNS('regular expression'): the columns whose names it matches, wherever in them."""
    if not isinstance(node.this, exp.Literal) or not node.this.is_string:
        raise refused(node, "COLUMNS takes a regular expression", "name the columns")
    wanted = re.compile(pattern(node.this.name, node).text.replace(r"\z", r"\Z"))
    found = [(each, relation) for relation in scope.relations for each in relation.visible()]
    return [(each.name, relation.value(each, node)) for each, relation in found if wanted.search(each.name or "")]


def _finished(
    shown: Sequence[tuple[Any, Value, Any]], final: Sequence[str], node: exp.Expr
) -> list[tuple[Any, Value, Any]]:
    """The answer's columns as DuckDB types them. That both find the same kind of value is a second opinion on all of this."""
    if len(shown) != len(final):
        raise refused(node, "another number of columns is found than by DuckDB")
    for (name, value, _), type_ in zip(shown, final, strict=True):
        if value.type != UNKNOWN and _kind(value.type) != _kind(type_):
            raise refused(node, f"column '{name or '?'}' is found to be {value.type}, and by DuckDB {type_}", "CAST it")
    return [(name, cast(value, type_, node), each) for (name, value, each), type_ in zip(shown, final, strict=True)]


def _kind(type_: str) -> str | None:
    """Of lists and structs the kinds within, whatever the fields are called."""
    return trino_type(type_) if is_nested(type_) else family(type_)


def _null(output: Output) -> Value:
    return Value(tree=exp.Null(), type=output.type)


def _has_comma(node: exp.Select) -> bool:
    return any(not _present(join) - {"this"} for join in node.args.get("joins") or ())


def _present(node: exp.Expr) -> set[str]:
    return {key for key, value in node.args.items() if value not in (None, False, [])}
