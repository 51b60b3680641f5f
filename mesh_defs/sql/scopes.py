"""Names in one SELECT and what they stand for, as DuckDB looks them up: relations, columns, aliases, USING."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from sqlglot import exp

from mesh_defs.sql.outputs import NOTHING, Output, Outputs, Sources, Unresolved, together, transformed
from mesh_defs.sql.references import folded

Withs = Mapping[str, "With | Outputs"]


@dataclass(frozen=True, slots=True)
class With:
    """A WITH entry as it was written, to be traced when it is first read."""

    cte: exp.CTE
    withs: Withs
    outer: "Scope | None"
    recursive: bool


@dataclass(slots=True, kw_only=True)
class Relation:
    """One item of FROM. `merged` are columns that USING folded into an earlier relation, whose `joined` holds them."""

    alias: str
    product: str | None = None
    outputs: Sequence[Output]
    merged: set[str] = field(default_factory=set)
    joined: dict[str, Sources] = field(default_factory=dict)
    _places: dict[str | None, list[int]] = field(init=False)

    def __post_init__(self) -> None:
        self._places = {}
        for number, output in enumerate(self.outputs):
            self._places.setdefault(output.name and folded(output.name), []).append(number)

    def find(self, name: str) -> Sources | None:
        """Sources of a column; None when there is no such name. Raises Unresolved when there are, or may be, two."""
        places = self._places.get(name, [])
        if len(places) > 1 or (not places and None in self._places):
            raise Unresolved(f"'{name}' is not one certain column of '{self.alias}'")
        return self.outputs[places[0]].sources if places else None

    def spelled(self, name: str) -> str | None:
        """A column's name as it was first written; None when there is no such name."""
        places = self._places.get(name)
        return self.outputs[places[0]].name if places else None

    def names(self) -> set[str]:
        """The names that stand for a column of its own."""
        return {name for name in self._places if name is not None} - self.merged

    def visible(self) -> Iterator[Output]:
        """What * stands for: each USING column once."""
        for output in self.outputs:
            name = folded(output.name or "")
            if name not in self.merged:
                yield Output(output.name, self.joined.get(name, output.sources))


@dataclass(slots=True, kw_only=True)
class Scope:
    """What the expressions of one SELECT can name. An inner scope looks outwards for what it does not find."""

    outer: "Scope | None"
    withs: Withs
    relations: list[Relation] = field(default_factory=list)
    aliases: dict[str, Sources] = field(default_factory=dict)
    windows: dict[str, exp.Window] = field(default_factory=dict)
    parameters: frozenset[str] = frozenset()

    def resolve(self, column: exp.Column, *, aliases_first: bool = False) -> Sources:
        """Sources of what a column's name stands for. Raises Unresolved when it is ambiguous or not to be found."""
        parts = [folded(part.name) for part in column.parts]
        scope: Scope | None = self
        while scope is not None:
            if parts[0] in scope.parameters:
                return NOTHING
            found = scope._single(parts[0], aliases_first) if len(parts) == 1 else scope._qualified(parts)
            if found is not None:
                return found
            scope = scope.outer
        raise Unresolved(f"column '{'.'.join(parts)}' is not to be found")

    def name_of(self, node: exp.Expr) -> str | None:
        """What the engine calls a projection without an alias, where that is certain."""
        while isinstance(node, exp.Paren):
            node = node.this
        if isinstance(node, exp.Column):
            spelled = (relation.spelled(folded(node.name)) for relation in self.relations)
            return next((name for name in spelled if name), node.name)
        field = node
        while isinstance(field, exp.Dot):
            field = field.this
        return node.expression.name if isinstance(field, exp.Column) else None

    def relation(self, alias: str) -> Relation | None:
        """The one relation of that alias; None when there is none."""
        found = [relation for relation in self.relations if folded(relation.alias) == alias]
        if len(found) > 1:
            raise Unresolved(f"two relations are called '{alias}'")
        return found[0] if found else None

    def owner(self, name: str) -> Relation | None:
        """The one relation that an unqualified column belongs to; None when there is none."""
        found = [one for one in self.relations if name not in one.merged and one.find(name) is not None]
        if len(found) > 1:
            raise Unresolved(f"column '{name}' is ambiguous")
        return found[0] if found else None

    def unqualified(self, name: str) -> Sources | None:
        """Sources of a column that is named without its relation; None when there is none."""
        owner = self.owner(name)
        return owner.joined.get(name, owner.find(name)) if owner else None

    def _single(self, name: str, aliases_first: bool) -> Sources | None:
        if aliases_first and name in self.aliases:
            return self.aliases[name]
        if (found := self.unqualified(name)) is not None:
            return found
        if name in self.aliases:
            return self.aliases[name]
        relation = self.relation(name)
        return transformed(together(relation.outputs)) if relation else None

    def _qualified(self, parts: Sequence[str]) -> Sources | None:
        """schema.table.column, then table.column, then column.field: DuckDB's order."""
        for relation in self.relations:
            if len(parts) > 2 and relation.product == f"{parts[0]}.{parts[1]}":
                return _field(relation.find(parts[2]), parts[3:])
        relation_named = self.relation(parts[0])
        if relation_named and (found := relation_named.find(parts[1])) is not None:
            return _field(found, parts[2:])
        return _field(self._single(parts[0], False), parts[1:])


def _field(found: Sources | None, fields: Sequence[str]) -> Sources | None:
    """A struct's field is a part of the column, no longer the column."""
    return transformed(found) if found is not None and fields else found
