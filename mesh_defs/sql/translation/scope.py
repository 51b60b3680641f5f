"""Names in one SELECT and the values they stand for. What is not certainly one column of one relation is refused.

Every relation and every column of it has a name of our own in Trino's text (r1, c0, …): no name of an asker's can be
folded, quoted or looked up otherwise there than DuckDB does.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from sqlglot import exp

from mesh_defs.model.names import quoted as name_quoted
from mesh_defs.sql.references import folded
from mesh_defs.sql.translation.nested import fields
from mesh_defs.sql.translation.values import Value, call, cast, refused


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """A column of a query: its DuckDB name and type, and its name in Trino's text; none when Trino cannot keep its type."""

    name: str | None
    type: str
    column: str | None


@dataclass(slots=True, kw_only=True)
class Relation:
    """An item of FROM: what the asker calls it, what Trino's text does (nothing: columns stand by themselves). `merged`: what
    USING folded into an earlier one."""

    alias: str
    name: str
    outputs: Sequence[Output]
    merged: set[str] = field(default_factory=set)

    def find(self, name: str) -> Output | None:
        """The column of a folded name; None when there is none."""
        found = [each for each in self.outputs if each.name is not None and folded(each.name) == name]
        if len(found) > 1:
            raise refused(None, f"'{name}' is two columns of '{self.alias}'", "give each its own name: AS …")
        return found[0] if found else None

    def value(self, output: Output, node: exp.Expr | None = None) -> Value:
        """The column as a value."""
        if output.column is None:
            raise refused(node, f"the column '{output.name}' of type {output.type} is not read")
        table = _quoted(self.name) if self.name else None
        return Value(tree=exp.column(_quoted(output.column), table=table), type=output.type)

    def row(self, node: exp.Expr) -> Value:
        """All of it as one struct: what its alias stands for, where no column is called so."""
        columns = [(each.name or "", self.value(each, node)) for each in self.outputs]
        type_ = f"STRUCT({', '.join(f'{name_quoted(name)} {value.type}' for name, value in columns)})"
        return cast(Value(tree=call("row", *(value.tree for _, value in columns)), type=""), type_, node)

    def visible(self) -> list[Output]:
        """What * stands for."""
        return [each for each in self.outputs if each.name is None or folded(each.name) not in self.merged]


@dataclass(slots=True, kw_only=True)
class Scope:
    """What the expressions of one SELECT can name. `aliases` are its own projections, which DuckDB lets WHERE use too."""

    outer: "Scope | None" = None
    withs: Mapping[str, tuple[str, list[Output]]] = field(default_factory=dict)
    relations: list[Relation] = field(default_factory=list)
    aliases: dict[str, Value] = field(default_factory=dict)

    def resolve(self, node: exp.Column) -> Value:
        """The value of a column's name."""
        parts = [folded(part.name) for part in node.parts]
        scope: Scope | None = self
        while scope is not None:
            if (found := scope._own(parts[:2], node)) is not None:
                return self._fields(found, node.parts[2:], node)
            # alias.column goes before column.field
            if len(parts) > 1 and (found := scope._own(parts[:1], node)) is not None:
                return self._fields(found, node.parts[1:], node)
            scope = scope.outer
        raise refused(node, f"'{'.'.join(parts)}' is not certainly a column", "write alias.column")

    def relation(self, alias: str, node: exp.Expr) -> Relation:
        """The one relation that is called so."""
        found = [each for each in self.relations if folded(each.alias) == alias]
        if len(found) != 1:
            raise refused(node, f"'{alias}' is not one relation here")
        return found[0]

    def _fields(self, value: Value, names: Sequence[exp.Expr], node: exp.Expr) -> Value:
        for each in names:
            value = field_of(value, each.name, node)
        return value

    def _own(self, parts: Sequence[str], node: exp.Column) -> Value | None:
        if len(parts) == 2:
            if all(folded(each.alias) != parts[0] for each in self.relations):
                return None
            relation = self.relation(parts[0], node)
            output = relation.find(parts[1])
            if output is None:
                raise refused(node, f"'{parts[1]}' is not certainly a column of '{parts[0]}'")
            return relation.value(output, node)
        owners = [each for each in self.relations if parts[0] not in each.merged and each.find(parts[0]) is not None]
        if len(owners) > 1:
            raise refused(node, f"'{parts[0]}' is a column of two relations", "write alias.column")
        if owners:
            output = owners[0].find(parts[0])
            assert output is not None
            return owners[0].value(output, node)
        if found := self.aliases.get(parts[0]):
            return replace(found, tree=found.tree.copy())
        # Around a subquery the name may be a column, which DuckDB would not prefer.
        rows = [each for each in self.relations if folded(each.alias) == parts[0]] if self.outer is None else []
        return rows[0].row(node) if len(rows) == 1 else None


def field_of(value: Value, name: str, node: exp.Expr) -> Value:
    """A field of a struct, by its place: Trino's names of fields know no case."""
    known = fields(value.type) or ()
    places = [n for n, (each, _) in enumerate(known, 1) if folded(each) == folded(name)]
    if len(places) != 1:
        raise refused(node, f"'{name[:40]}' is not certainly a field")
    tree = exp.Bracket(this=value.tree, expressions=[exp.Literal.number(places[0])], offset=1)
    return Value(tree=tree, type=known[places[0] - 1][1])


def _quoted(name: str) -> exp.Identifier:
    return exp.to_identifier(name, quoted=True)
