"""One walk over a SELECT that traces every output column, and what decides about rows, to the columns of products."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from sqlglot import exp

from mesh_defs.sql.aggregates import is_aggregate
from mesh_defs.sql.outputs import (
    NOTHING,
    Output,
    Outputs,
    Sources,
    Unresolved,
    ordinal,
    renamed,
    together,
    transformed,
    united,
    united_by_name,
)
from mesh_defs.sql.references import folded, product_of
from mesh_defs.sql.scopes import Relation, Scope, With, Withs

_STRUCT_MAKERS = frozenset({"row", "struct_concat", "struct_insert", "struct_pack", "struct_update"})
_BRACKETED = (exp.Table, exp.Subquery)
_JSON_PARTS = ("key", "value", "type", "atom", "id", "parent", "fullkey", "path")


@dataclass(slots=True, kw_only=True)
class Walk:
    """Traces queries. `products` holds each product's columns and their DuckDB types; `indirect` fills on the way."""

    products: Mapping[str, Mapping[str, str]]
    indirect: set[tuple[str, str, bool]] = field(default_factory=set)
    _traced: dict[int, tuple[Outputs, set[tuple[str, str, bool]]]] = field(default_factory=dict)

    def query(self, node: exp.Expr, withs: Withs, outer: Scope | None) -> Outputs:
        """The output columns of a query, in order. Raises Unresolved when one cannot be told for certain."""
        withs = _entered(node, withs, outer)
        scope = Scope(outer=outer, withs=withs)
        if isinstance(node, exp.Select):
            return self._select(node, scope)
        if isinstance(node, exp.Values):
            return self._values(node, scope)
        if isinstance(node, exp.SetOperation):
            outputs = self._set_operation(node, withs, outer)
        elif isinstance(node, exp.Subquery) and isinstance(node.this, exp.Query | exp.Values):
            outputs = self.query(node.this, withs, outer)
        else:
            raise Unresolved(f"{type(node.this).__name__.upper()} is not traced")
        scope.aliases = {folded(output.name): output.sources for output in outputs if output.name}
        self._order(node, scope, outputs)
        return outputs

    def _select(self, node: exp.Select, scope: Scope) -> Outputs:
        scope.windows = {folded(window.name): window for window in node.args.get("windows") or ()}
        if from_ := node.args.get("from_"):
            self._item(from_.this, scope)
        self._joins(node, scope)
        outputs: list[Output] = []
        for projection in node.expressions:
            found = list(self._projection(projection, scope))
            outputs += found
            if isinstance(projection, exp.Alias):
                scope.aliases.setdefault(folded(projection.alias), found[0].sources)
        self._clauses(node, scope, outputs)
        return tuple(outputs)

    def _set_operation(self, node: exp.SetOperation, withs: Withs, outer: Scope | None) -> Outputs:
        left = self.query(node.this, withs, outer)
        right = self.query(node.expression, withs, outer)
        if not isinstance(node, exp.Union) or node.args.get("distinct"):
            self.indirect |= together((*left, *right))
        if isinstance(node, exp.Except):
            return left
        return united_by_name(left, right) if node.args.get("by_name") else united(left, right)

    def _values(self, node: exp.Values, scope: Scope) -> Outputs:
        rows = [row.expressions if isinstance(row, exp.Tuple) else [row] for row in node.expressions]
        if len({len(row) for row in rows}) != 1:
            raise Unresolved("the rows of VALUES have different numbers of columns")
        cells = (transformed(*(self.value(cell, scope) for cell in column)) for column in zip(*rows, strict=True))
        return tuple(Output(f"col{number}", sources) for number, sources in enumerate(cells))

    def _with(self, entry: With | Outputs, name: str) -> Outputs:
        if isinstance(entry, tuple):
            return entry
        key = id(entry.cte)
        if key not in self._traced:
            with self._apart() as decided:
                outputs = self._recursive(entry, name) if entry.recursive else self._entry(entry, entry.withs)
            self._traced[key] = (outputs, decided)
        outputs, decided = self._traced[key]
        self.indirect |= decided
        return outputs

    def _entry(self, entry: With, withs: Withs) -> Outputs:
        return renamed(self.query(entry.cte.this, withs, entry.outer), entry.cte.args["alias"])

    def _recursive(self, entry: With, name: str) -> Outputs:
        """Feed the rows of a recursive WITH back into it until no source is new."""
        anchor = self.query(entry.cte.this.this, _entered(entry.cte.this, entry.withs, entry.outer), entry.outer)
        outputs, before = renamed(anchor, entry.cte.args["alias"]), None
        while outputs != before:
            before, traced = outputs, dict(self._traced)
            step = self._entry(entry, {**entry.withs, name: before})
            outputs = tuple(Output(one.name, one.sources | two.sources) for one, two in zip(before, step, strict=True))
            self._traced = traced  # what was traced inside saw only the sources so far
        return outputs

    @contextmanager
    def _apart(self) -> Iterator[set[tuple[str, str, bool]]]:
        """Collect what decides about rows inside; outside, it is added to all that does."""
        before, self.indirect = self.indirect, set()
        try:
            yield self.indirect
        finally:
            self.indirect |= before

    # FROM

    def _item(self, node: exp.Expr, scope: Scope) -> None:
        if node.args.get("pivots"):
            raise Unresolved("PIVOT and UNPIVOT are not traced")
        if isinstance(node, exp.Subquery) and isinstance(node.this, _BRACKETED) and not _is_query(node.this):
            self._bracketed(node, scope)
        elif isinstance(node, exp.Lateral):
            call = node.this
            scope.relations.append(
                self._subquery(call, node, scope) if _is_query(call) else self._call(call, node, scope)
            )
        elif isinstance(node, exp.Table):
            scope.relations.append(self._table(node, scope))
        else:
            scope.relations.append(self._subquery(node, node, scope))
        self._joins(node, scope)

    def _bracketed(self, node: exp.Subquery, scope: Scope) -> None:
        """( a JOIN b ): its relations are seen from outside, unless it has an alias of its own."""
        inner = Scope(outer=scope.outer, withs=scope.withs) if node.alias else scope
        self._item(node.this, inner)
        if node.alias:
            outputs = [output for relation in inner.relations for output in relation.visible()]
            scope.relations.append(_relation(node, outputs))

    def _table(self, table: exp.Table, scope: Scope) -> Relation:
        if isinstance(table.this, exp.Anonymous):
            return self._call(table.this, table, scope)
        product = product_of(table)
        if product is None:
            name = folded(table.name)
            return _relation(table, self._with(scope.withs[name], name), table.name)
        if product not in self.products:
            raise Unresolved(f"the columns of {product} are not known")
        outputs = [Output(name, frozenset({(product, name, True)})) for name in self.products[product]]
        relation = _relation(table, outputs, table.name)
        relation.product = None if table.alias else product
        return relation

    def _subquery(self, query: exp.Expr, item: exp.Expr, scope: Scope) -> Relation:
        return _relation(item, self.query(query, scope.withs, scope))

    def _call(self, call: exp.Expr, item: exp.Expr, scope: Scope) -> Relation:
        """unnest, range, json_each …: their arguments make the values, and how many rows there are."""
        name = call.this if isinstance(call, exp.Anonymous) else "unnest"
        made = [transformed(self.value(argument, scope)) for argument in call.expressions]
        self.indirect |= NOTHING.union(*made)
        if name != "unnest":
            made = [transformed(*made)]
        outputs = [Output(name if len(made) == 1 else None, sources) for sources in made]
        if name in ("json_each", "json_tree"):
            outputs = [Output(part, made[0]) for part in _JSON_PARTS]
        if item.args.get("ordinality") or call.args.get("offset"):
            outputs.append(Output("ordinality", NOTHING))
        return _relation(item, outputs, name)

    def _joins(self, node: exp.Expr, scope: Scope) -> None:
        for join in node.args.get("joins") or ():
            self._join(join, scope)
        for lateral in node.args.get("laterals") or ():
            self._item(lateral, scope)

    def _join(self, join: exp.Join, scope: Scope) -> None:
        before = list(scope.relations)
        self._item(join.this, scope)
        added = scope.relations[len(before) :]
        left, right = (Scope(outer=None, withs={}, relations=side) for side in (before, added))
        names = [folded(column.name) for column in join.args.get("using") or ()]
        if join.method.upper() == "NATURAL":
            names = [name for relation in before for name in relation.names() if right.owner(name)]
        for name in dict.fromkeys(names):
            self._using(name, join.side.upper(), left, right)
        if on := join.args.get("on"):
            self._decides(on, scope)
        if join.kind.upper() in ("SEMI", "ANTI"):
            scope.relations = before

    def _using(self, name: str, side: str, left: Scope, right: Scope) -> None:
        owner, joined = left.owner(name), right.owner(name)
        here, there = left.unqualified(name), right.unqualified(name)
        if not owner or not joined or here is None or there is None:
            raise Unresolved(f"USING column '{name}' is not on both sides")
        self.indirect |= here | there
        owner.joined[name] = {"RIGHT": there, "FULL": here | there}.get(side, here)
        joined.merged.add(name)

    # Clauses

    def _clauses(self, node: exp.Select, scope: Scope, outputs: Sequence[Output]) -> None:
        for clause in ("where", "having", "qualify"):
            if condition := node.args.get(clause):
                self._decides(condition.this, scope)
        if group := node.args.get("group"):
            self._group(group, node, scope, outputs)
        if distinct := node.args.get("distinct"):
            on = distinct.args.get("on")
            self.indirect |= self.value(on, scope) if on else together(outputs)
        self._order(node, scope, outputs)

    def _group(self, group: exp.Group, node: exp.Select, scope: Scope, outputs: Sequence[Output]) -> None:
        if group.args.get("all"):
            for projection in node.expressions:
                if not is_aggregate(projection):
                    self.indirect |= together(self._projection(projection, scope))
        for key in group.iter_expressions():
            self.indirect |= ordinal(key, outputs) or self.value(key, scope)

    def _order(self, node: exp.Expr, scope: Scope, outputs: Sequence[Output]) -> None:
        """An order decides about rows only where some are left out after it."""
        distinct = node.args.get("distinct")
        limits = [limit for key in ("limit", "offset") if (limit := node.args.get(key))]
        for limit in limits:
            self._decides(limit, scope)
        if not limits and not (isinstance(distinct, exp.Distinct) and distinct.args.get("on")):
            return
        for ordered in node.args["order"].expressions if node.args.get("order") else ():
            if isinstance(ordered.this, exp.Var):  # ORDER BY ALL
                self.indirect |= together(outputs)
            else:
                found = ordinal(ordered.this, outputs)
                self.indirect |= found or self.value(ordered.this, scope, aliases_first=True)

    def _decides(self, condition: exp.Expr, scope: Scope) -> None:
        self.indirect |= self.value(condition, scope)

    # Expressions

    def _projection(self, projection: exp.Expr, scope: Scope) -> Iterator[Output]:
        node = projection.unalias()
        if isinstance(node, exp.Star):
            outputs = [output for relation in scope.relations for output in relation.visible()]
            yield from self._star(node, outputs, scope)
        elif isinstance(node, exp.Column) and isinstance(node.this, exp.Star):
            relation = scope.relation(folded(node.table)) if len(node.parts) == 2 else None
            if relation is None:
                raise Unresolved(f"'{node.table}.*' is not to be found")
            yield from self._star(node.this, relation.outputs, scope)
        else:
            self._refuse_unnested_struct(node, scope)
            name = projection.alias if isinstance(projection, exp.Alias) else scope.name_of(node)
            yield Output(name, self.value(node, scope))

    def _star(self, star: exp.Star, outputs: Sequence[Output], scope: Scope) -> Iterator[Output]:
        left_out = {folded(column.name) for column in star.args.get("except_") or ()}
        replaced = {folded(alias.alias): alias.this for alias in star.args.get("replace") or ()}
        renamed = {folded(alias.this.name): alias.alias for alias in star.args.get("rename") or ()}
        if any(isinstance(column, exp.Column) and column.table for column in star.args.get("except_") or ()):
            raise Unresolved("EXCLUDE of a qualified column is not traced")
        for output in outputs:
            name = folded(output.name or "")
            if name in replaced:
                yield Output(output.name, self.value(replaced[name], scope))
            elif name not in left_out:
                yield Output(renamed.get(name, output.name), output.sources)

    def _refuse_unnested_struct(self, node: exp.Expr, scope: Scope) -> None:
        """SELECT unnest(s) of a struct makes a column of each field; of a list, one column."""
        if not isinstance(node, exp.Anonymous) or node.this != "unnest":
            return
        first, *options = node.expressions
        certain = isinstance(first, exp.Array) or (
            isinstance(first, exp.Anonymous) and first.this not in _STRUCT_MAKERS
        )
        if isinstance(first, exp.Column):
            types = [self.products[p][c] for p, c, unchanged in self.value(first, scope) if unchanged]
            certain = len(types) == 1 and types[0].endswith("]")
        if options or not certain:
            raise Unresolved("unnest of something that may be a struct is not traced")

    def value(self, node: exp.Expr, scope: Scope, *, aliases_first: bool = False) -> Sources:
        """Sources of an expression's value; what decides about rows inside it goes to `indirect`."""
        if isinstance(node, exp.Column) and not isinstance(node.this, exp.Star):
            return scope.resolve(node, aliases_first=aliases_first)
        if isinstance(node, exp.Alias | exp.Paren):
            return self.value(node.this, scope, aliases_first=aliases_first)
        if isinstance(node, exp.Query):
            outputs = self.query(node, scope.withs, scope)
            return outputs[0].sources if len(outputs) == 1 else transformed(together(outputs))
        if isinstance(node, exp.Exists):
            with self._apart() as decided:
                shown = self.value(node.this, scope)
            return transformed(shown, frozenset(decided))
        if isinstance(node, exp.Window):
            self._window(node, scope)
            return transformed(self.value(node.this, scope))
        made = transformed(*(self.value(part, inner) for part, inner in _parts(node, scope)))
        if isinstance(node, exp.Anonymous) and node.this == "unnest":
            self.indirect |= made  # as many rows as there are elements
        return made

    def _window(self, window: exp.Window, scope: Scope) -> None:
        keys = list(window.args.get("partition_by") or ())
        keys += [order for order in (window.args.get("order"), window.args.get("spec")) if order]
        for key in keys:
            self._decides(key, scope)
        if window.alias:
            named = scope.windows.get(folded(window.alias))
            if named is None or folded(named.name) == folded(named.alias):
                raise Unresolved(f"there is no WINDOW '{window.alias}'")
            self._window(named, scope)


def _parts(node: exp.Expr, scope: Scope) -> Iterator[tuple[exp.Expr, Scope]]:
    """What an expression is computed from, and the names that each part sees."""
    if isinstance(node, exp.Columns | exp.PositionalColumn):
        raise Unresolved(f"{type(node).__name__.upper()} is not traced")
    if isinstance(node, exp.Anonymous) and node.this == "count":
        yield from ((part, scope) for part in node.expressions if not isinstance(part, exp.Star))
    elif isinstance(node, exp.Star) or (isinstance(node, exp.Column) and isinstance(node.this, exp.Star)):
        raise Unresolved("* inside an expression is not traced")
    elif isinstance(node, exp.PropertyEQ | exp.Kwarg):
        yield node.expression, scope
    elif isinstance(node, exp.Comprehension):
        names = frozenset(folded(node.args[key].name) for key in ("expression", "position") if node.args.get(key))
        yield node.args["iterator"], scope
        inner = Scope(outer=scope, withs=scope.withs, windows=scope.windows, parameters=names)
        yield from ((node.args[key], inner) for key in ("this", "condition") if node.args.get(key))
    else:
        yield from ((part, scope) for part in node.iter_expressions())


def _entered(node: exp.Expr, withs: Withs, outer: Scope | None) -> Withs:
    with_ = node.args.get("with_") or exp.With(expressions=[])
    for cte in with_.expressions:
        recursive = bool(with_.args.get("recursive")) and isinstance(cte.this, exp.SetOperation)
        withs = {**withs, folded(cte.alias): With(cte, withs, outer, recursive)}
    return withs


def _relation(item: exp.Expr, outputs: Sequence[Output], name: str = "") -> Relation:
    return Relation(alias=item.alias or name, outputs=renamed(outputs, item.args.get("alias")))


def _is_query(node: exp.Expr) -> bool:
    while isinstance(node, exp.Subquery):
        node = node.this
    return isinstance(node, exp.Query | exp.Values)
