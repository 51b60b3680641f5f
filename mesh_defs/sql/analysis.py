"""From SQL to an analysis of a clean room. Compiled, never filtered: what has no place in an `Analysis` is refused.

Nothing of the asker's text goes further than this module; what the parties run is written anew from the analysis. What is
refused, and why, depends on the text and the agreement alone.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from sqlglot import exp

from mesh_defs.errors import AnalysisRejectedError, QueryRejectedError, nearest
from mesh_defs.model.room import Aggregate, Agreement, Analysis, DimensionValue, Field, Function, Question, SharedTable
from mesh_defs.sql.place import place, snippet
from mesh_defs.sql.references import folded
from mesh_defs.sql.tree import read

_CLAUSES = frozenset({"expressions", "from_", "joins", "where", "group"})
_HOW = "ask SELECT dimensions, aggregates FROM … JOIN … ON person = person WHERE dimension IN (…) GROUP BY dimensions"
# Python reads no number of more than 4,300 digits.
_WHOLE = re.compile(r"\d{1,1000}", re.ASCII)
Arguments = Mapping[str, DimensionValue]
NO_ARGUMENTS: Arguments = {}


def compile_analysis(sql: str, agreement: Agreement, arguments: Arguments = NO_ARGUMENTS) -> Question:
    """Return what is asked, in normal form. `arguments` fill the `$name`s of a template.

    Raises AnalysisRejectedError, with the place where known, for all that the agreement does not name: other tables and
    columns, joins other than by the person, filters other than `=` and `IN` on public values, any other function or
    clause. Who may ask, and which rule holds, is not judged here. Pure; about 1 ms.
    """
    try:
        tree = read(sql)
    except AnalysisRejectedError:
        raise
    except QueryRejectedError as error:
        raise AnalysisRejectedError(error.what, where=error.where, fix=error.fix) from None
    if type(tree) is not exp.Select:
        raise _refused(tree, "a room answers one plain SELECT")
    _only(tree, _CLAUSES)
    scope = _Scope(agreement, arguments)
    for table in _tables(tree):
        scope.add(table)
    scope.join(tree.args.get("joins") or [])
    outputs = tuple(scope.outputs(tree.expressions))
    dimensions = {what for _, what in outputs if isinstance(what, Field)}
    grouped = set(scope.grouped(tree.args.get("group"), outputs))
    if grouped != dimensions:
        raise _refused(
            tree.args.get("group") or tree, "the groups are not those that are shown", "GROUP BY what SELECT names"
        )
    aggregates = {what for _, what in outputs if isinstance(what, Aggregate)}
    if not aggregates:
        raise _refused(tree, "nothing is counted or added up", _HOW)
    filters = scope.filters(tree.args.get("where"))
    analysis = Analysis(
        tables=tuple(sorted(table.name for table in scope.tables.values())),
        dimensions=tuple(sorted(dimensions)),
        filters=tuple(sorted(_narrowing(filters, dimensions, agreement))),
        aggregates=tuple(sorted(aggregates, key=repr)),
    )
    return Question(analysis=analysis, outputs=outputs)


def _narrowing(
    filters: Mapping[Field, tuple[DimensionValue, ...]], grouped: Iterable[Field], agreement: Agreement
) -> Iterator[tuple[Field, tuple[DimensionValue, ...]]]:
    """Groups are of public values anyway: to name all of them is no filter. Without the groups it leaves out what has none."""
    for dimension, values in filters.items():
        if dimension not in grouped or values != agreement.domain(dimension):
            yield dimension, values


@dataclass(slots=True)
class _Scope:
    """What the names of one SELECT mean. `tables` by alias."""

    agreement: Agreement
    arguments: Arguments
    tables: dict[str, SharedTable] = field(default_factory=dict)

    def add(self, node: exp.Table) -> None:
        """Take in one table of FROM or JOIN."""
        _only(node, {"this", "db", "alias"})
        alias = node.args.get("alias")
        if alias is not None:
            _only(alias, {"this"})
        name = f"{folded(node.db)}.{folded(node.name)}"
        table = self.agreement.table(name)
        if table is None or not isinstance(node.this, exp.Identifier):
            known = [each.name for each in self.agreement.tables]
            raise _refused(node, f"'{snippet(name)}' is not shared in this room", nearest(name, known))
        called = folded(node.alias_or_name)
        if called in self.tables or table in self.tables.values():
            raise _refused(node, f"'{snippet(name)}' is read twice", "read each table once")
        self.tables[called] = table

    def join(self, joins: list[exp.Join]) -> None:
        """Check that each table is joined to those before it by the person, and by nothing else."""
        joined = {next(iter(self.tables))}
        for join in joins:
            _only(join, {"this", "on", "using", "kind"})
            called = folded(join.this.alias_or_name)
            if (join.args.get("kind") or "INNER").upper() != "INNER":
                raise _refused(join, "tables are joined by an inner JOIN only", "write JOIN … ON person = person")
            pairs = list(self._pairs(join, called))
            if not pairs or not all(called in pair and pair - {called} <= joined for pair in pairs):
                raise _refused(join, f"'{snippet(called)}' is not joined to a table before it", "ON person = person")
            joined.add(called)

    def _pairs(self, join: exp.Join, called: str) -> Iterator[set[str]]:
        for name in join.args.get("using") or []:
            others = [alias for alias in self.tables if alias != called]
            before = others[: list(self.tables).index(called)]
            if not all(self.tables[alias].person == folded(name.name) for alias in (called, before[0])):
                raise _refused(name, f"'{snippet(name.name)}' is not the person in both tables", "join by the person")
            yield {called, before[0]}
        if on := join.args.get("on"):
            for equal in _conjuncts(on):
                if type(equal) is not exp.EQ:
                    raise _refused(equal, "tables are joined by equality alone", "write ON person = person")
                sides = [self.column(equal.this), self.column(equal.expression)]
                if not all(self.tables[alias].person == name for alias, name in sides) or sides[0] == sides[1]:
                    raise _refused(equal, "tables are joined by the person alone", f"the person is {self._persons()}")
                yield {alias for alias, _ in sides}

    def column(self, node: exp.Expr) -> tuple[str, str]:
        """Return (alias, column) of a reference; the table may be left out where one table alone shares the column."""
        if type(node) is not exp.Column or not isinstance(node.this, exp.Identifier) or node.args.get("db"):
            raise _refused(node, "a plain column is wanted here", "write table.column")
        name, alias = folded(node.name), folded(node.table)
        owners = [alias] if alias else [each for each, table in self.tables.items() if name in table.columns]
        if len(owners) != 1 or owners[0] not in self.tables or name not in self.tables[owners[0]].columns:
            known = [f"{alias}.{column}" for alias, table in self.tables.items() for column in table.columns]
            said = snippet(f"{alias}.{name}" if alias else name)
            what = "is of several tables" if len(owners) > 1 else "is not shared in this room"
            raise _refused(node, f"'{said}' {what}", nearest(said, known))
        return owners[0], name

    def outputs(self, items: list[exp.Expr]) -> Iterator[tuple[str, Field | Aggregate]]:
        """Name each column of the answer, and what it shows."""
        named: set[str] = set()
        for item in items:
            if isinstance(item, exp.Alias):
                _only(item, {"this", "alias"})
            what = self._shown(item.unalias())
            name = item.alias or (what.column if isinstance(what, Field) else _called(what))
            if folded(name) in named:
                raise _refused(item, f"two columns are called '{snippet(name)}'", "give one another name: … AS name")
            named.add(folded(name))
            yield name, what

    def _shown(self, node: exp.Expr) -> Field | Aggregate:
        if type(node) is exp.Anonymous:
            return self._aggregate(node)
        return self._dimension(node)

    def _dimension(self, node: exp.Expr) -> Field:
        alias, name = self.column(node)
        table = self.tables[alias]
        if name not in table.dimensions:
            known = [f"{alias}.{each}" for alias, table in self.tables.items() for each in table.dimensions]
            raise _refused(node, f"'{snippet(name)}' is no dimension of this room", nearest(name, known))
        return Field(table.name, name)

    def _aggregate(self, node: exp.Anonymous) -> Aggregate:
        _only(node, {"this", "expressions"})
        function = str(node.this).lower()
        if function not in ("count", "sum", "avg") or len(node.expressions) != 1:
            raise _refused(
                node, f"{snippet(function)}(…) is not computed in a room", "count(*), count(DISTINCT person), sum, avg"
            )
        (of,) = node.expressions
        if function == "count":
            return self._count(of)
        alias, name = self.column(of)
        table = self.tables[alias]
        measure = table.measures.get(name)
        if measure is None or function not in measure.functions:
            raise _refused(
                of, f"{function}({snippet(name)}) is not agreed", "see `mesh room show` for what may be added up"
            )
        return Aggregate("sum" if function == "sum" else "avg", Field(table.name, name))

    def _count(self, of: exp.Expr) -> Aggregate:
        if type(of) is exp.Star:
            _only(of, set())
            return Aggregate("count")
        if type(of) is exp.Distinct and len(of.expressions) == 1:
            _only(of, {"expressions"})
            alias, name = self.column(of.expressions[0])
            if self.tables[alias].person == name:
                return Aggregate("reach")
        raise _refused(of, "a room counts rows or persons", "write count(*) or count(DISTINCT person)")

    def grouped(self, group: exp.Group | None, outputs: tuple[tuple[str, Field | Aggregate], ...]) -> Iterator[Field]:
        """Return the dimensions of GROUP BY: named, by their place, or by their name in the answer."""
        if group is None:
            return
        _only(group, {"expressions"})
        shown = {folded(name): what for name, what in outputs}
        for node in group.expressions:
            what: Field | Aggregate | None
            if type(node) is exp.Literal and not node.is_string and _WHOLE.fullmatch(node.this):
                number = int(node.this)
                what = outputs[number - 1][1] if 1 <= number <= len(outputs) else None
            elif type(node) is exp.Column and not node.table and folded(node.name) in shown:
                what = shown[folded(node.name)]
            else:
                what = self._dimension(node)
            if not isinstance(what, Field):
                raise _refused(node, "a group is of dimensions", "GROUP BY what SELECT names")
            yield what

    def filters(self, where: exp.Where | None) -> dict[Field, tuple[DimensionValue, ...]]:
        """Return the values that count, by dimension, in the domain's order."""
        found: dict[Field, tuple[DimensionValue, ...]] = {}
        for node in _conjuncts(where.this) if where is not None else ():
            dimension, values = self._filter(node)
            if dimension in found:
                raise _refused(node, f"'{dimension.column}' is filtered twice", "write one IN (…)")
            found[dimension] = values
        return found

    def _filter(self, node: exp.Expr) -> tuple[Field, tuple[DimensionValue, ...]]:
        if type(node) is exp.EQ:
            given = [node.expression]
        elif type(node) is exp.In:
            _only(node, {"this", "expressions"})
            given = node.expressions
        else:
            given = []
        if not given:
            raise _refused(node, "a filter of this kind is not agreed", "write dimension = value, or dimension IN (…)")
        dimension = self._dimension(node.this)
        domain = self.agreement.domain(dimension)
        values = [self._value(each, domain) for each in given]
        return dimension, tuple(each for each in domain if any(_same(each, value) for value in values))

    def _value(self, node: exp.Expr, domain: tuple[DimensionValue, ...]) -> DimensionValue:
        value: DimensionValue
        number = node.this if type(node) is exp.Neg else node
        if type(node) is exp.Placeholder and node.name in self.arguments:
            value = self.arguments[node.name]
        elif type(node) is exp.Literal and node.is_string:
            value = node.this
        elif type(number) is exp.Literal and not number.is_string and _WHOLE.fullmatch(number.this):
            value = int(number.this) * (1 if number is node else -1)
        else:
            raise _refused(node, "a filter compares with plain values", "write dimension IN ('value', …)")
        if not any(_same(each, value) for each in domain):
            raise _refused(node, f"'{snippet(str(value))}' is no public value", nearest(str(value), map(str, domain)))
        return value

    def _persons(self) -> str:
        return ", ".join(f"{alias}.{table.person}" for alias, table in self.tables.items())


def _same(one: DimensionValue, other: DimensionValue) -> bool:
    """A text is no number, and no truth value is either."""
    return type(one) is type(other) and one == other


def _tables(tree: exp.Select) -> Iterator[exp.Table]:
    source = tree.args.get("from_")
    if source is None:
        raise _refused(tree, "nothing is read", _HOW)
    _only(source, {"this"})
    for node in (source.this, *(join.this for join in tree.args.get("joins") or [])):
        if type(node) is not exp.Table:
            raise _refused(node, "a room reads shared tables only", _HOW)
        yield node


def _conjuncts(node: exp.Expr) -> Iterator[exp.Expr]:
    pending = [node]
    while pending:
        node = pending.pop()
        if type(node) is exp.And:
            pending.extend((node.expression, node.this))
        elif type(node) is exp.Paren:
            pending.append(node.this)
        else:
            yield node


def _only(node: exp.Expr, known: Iterable[str]) -> None:
    """Refuse a node that has more to it than we look at."""
    surplus = [key for key, value in node.args.items() if value and key not in known]
    if surplus:
        what = surplus[0].strip("_").upper().replace("_", " ")
        raise _refused(node, f"{what} has no place in a room's question", _HOW)


def _called(aggregate: Aggregate) -> str:
    names: dict[Function, str] = {"count": "rows", "reach": "persons", "sum": "sum", "avg": "avg"}
    name = names[aggregate.function]
    return f"{name}_{aggregate.field.column}" if aggregate.field else name


def _refused(node: exp.Expr, what: str, fix: str = _HOW) -> AnalysisRejectedError:
    return AnalysisRejectedError(what, where=place(node), fix=fix)
