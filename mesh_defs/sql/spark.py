"""A signed template as Spark's SQL, for a service that runs it itself. Written anew from the analysis, as for the parties' own
engines: what the agreement says of values and of repeated rows stands in the text, so that the service need not know of it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from sqlglot import exp

from mesh_defs.errors import AnalysisRejectedError
from mesh_defs.model.names import is_name
from mesh_defs.model.room import (
    Aggregate,
    Agreement,
    Analysis,
    AnalysisTemplate,
    DimensionValue,
    Field,
    Question,
    SharedTable,
)
from mesh_defs.sql.analysis import compile_analysis

_DIALECT = "spark"
_OWN = "own"


@dataclass(frozen=True, slots=True, kw_only=True)
class SparkTemplate:
    """A template's text, with `:name` for each parameter, and what it asks, with stand-ins for their values."""

    sql: str
    analysis: Analysis


def spark_template(
    template: AnalysisTemplate, agreement: Agreement, *, analyst: str, names: Mapping[str, str]
) -> SparkTemplate:
    """Return the template's SQL over tables that are called `names`. AnalysisRejectedError for what is no analysis of the room.

    Rows of whoever asks are distinct persons and groups; groups and parameters have public values only.
    """
    stand_ins, widened = _stand_ins(template, agreement)
    question = compile_analysis(template.sql, widened, stand_ins)
    for name in (*(each for each, _ in question.outputs), *template.parameters):
        if not is_name(name.lower()):
            raise AnalysisRejectedError(f"'{name}' is no name of a column", fix="letters, digits and _ only")
    written = {value: exp.Placeholder(this=name) for name, value in stand_ins.items()}
    scope = _Scope(question=question, agreement=agreement, analyst=analyst, names=names, written=written)
    return SparkTemplate(sql=scope.select().sql(dialect=_DIALECT, identify=True), analysis=question.analysis)


def _stand_ins(template: AnalysisTemplate, agreement: Agreement) -> tuple[dict[str, DimensionValue], Agreement]:
    """Return a value for each parameter that no domain has, and the agreement with those in the domains."""
    found: dict[str, DimensionValue] = {}
    more: dict[Field, tuple[DimensionValue, ...]] = {}
    known = {value for table in agreement.tables for domain in table.dimensions.values() for value in domain}
    highest = max((value for value in known if isinstance(value, int)), default=0)
    for number, (name, field) in enumerate(sorted(template.parameters.items()), start=1):
        is_number = isinstance(agreement.domain(field)[0], int)
        found[name] = highest + number if is_number else f"\0{name}"
        more[field] = (*more.get(field, ()), found[name])
    tables = tuple(
        replace(
            table,
            dimensions={
                column: (*domain, *more.get(Field(table.name, column), ()))
                for column, domain in table.dimensions.items()
            },
        )
        for table in agreement.tables
    )
    return found, replace(agreement, tables=tables)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scope:
    """One question on its way to a tree. `written`: what stands for a value that is a parameter."""

    question: Question
    agreement: Agreement
    analyst: str
    names: Mapping[str, str]
    written: Mapping[DimensionValue, exp.Placeholder]

    @property
    def analysis(self) -> Analysis:
        return self.question.analysis

    def tables(self, *, own: bool) -> list[SharedTable]:
        known = [table for table in self.agreement.tables if table.name in self.analysis.tables]
        return [table for table in known if (table.party == self.analyst) == own]

    def select(self) -> exp.Select:
        """The protected tables and, once for each person and group, the own ones."""
        protected = self.tables(own=False)
        sources: list[exp.Expr] = [self._table(table) for table in protected]
        persons = [self._column(Field(table.name, table.person)) for table in protected]
        if self.tables(own=True):
            sources.append(exp.Subquery(this=self._own(), alias=exp.TableAlias(this=_name(_OWN))))
            persons.append(exp.column(_name("person"), table=_name(_OWN)))
        shown = [exp.alias_(self._output(what), name, quoted=True) for name, what in self.question.outputs]
        dimensions = [self._output(each) for each in self.analysis.dimensions]
        return exp.Select(
            expressions=shown,
            from_=exp.From(this=sources[0]),
            joins=_joined(sources, persons),
            where=_where(self._conditions({table.name for table in protected})),
            group=exp.Group(expressions=dimensions) if dimensions else None,
        )

    def _own(self) -> exp.Select:
        tables = self.tables(own=True)
        persons = [self._column(Field(table.name, table.person)) for table in tables]
        shown = [exp.alias_(persons[0].copy(), "person", quoted=True)]
        shown += [
            exp.alias_(self._column(each), f"d{number}", quoted=True)
            for number, each in enumerate(self.analysis.dimensions)
            if each.table in {table.name for table in tables}
        ]
        return exp.Select(
            expressions=shown,
            distinct=exp.Distinct(),
            from_=exp.From(this=self._table(tables[0])),
            joins=_joined([self._table(table) for table in tables], persons),
            where=_where(self._conditions({table.name for table in tables})),
        )

    def _output(self, what: Field | Aggregate) -> exp.Expr:
        if isinstance(what, Field):
            own = {table.name for table in self.tables(own=True)}
            number = self.analysis.dimensions.index(what)
            return exp.column(_name(f"d{number}"), table=_name(_OWN)) if what.table in own else self._column(what)
        if what.function == "count":
            return exp.Count(this=exp.Star())
        if what.field is not None:
            return (exp.Sum if what.function == "sum" else exp.Avg)(this=self._column(what.field))
        table = self.tables(own=False)[0]
        return exp.Count(this=exp.Distinct(expressions=[self._column(Field(table.name, table.person))]))

    def _conditions(self, tables: set[str]) -> Iterator[exp.Expr]:
        chosen = dict(self.analysis.filters)
        for each in sorted({*self.analysis.dimensions, *chosen}):
            if each.table not in tables:
                continue
            domain = self.agreement.domain(each)
            values = chosen.get(each, domain)
            yield exp.In(this=self._column(each), expressions=[self._value(value) for value in values])
            if any(value in self.written for value in values):
                yield exp.In(this=self._column(each), expressions=[self._value(value) for value in domain])

    def _value(self, value: DimensionValue) -> exp.Expr:
        if value in self.written:
            return self.written[value].copy()
        return exp.Literal.number(value) if isinstance(value, int) else exp.Literal.string(value)

    def _column(self, field: Field) -> exp.Column:
        return exp.column(_name(field.column), table=_name(self.names[field.table]))

    def _table(self, table: SharedTable) -> exp.Table:
        return exp.Table(this=_name(self.names[table.name]))


def _joined(sources: Sequence[exp.Expr], persons: Sequence[exp.Column]) -> list[exp.Join]:
    return [
        exp.Join(this=source, on=exp.EQ(this=persons[0].copy(), expression=person.copy()))
        for source, person in list(zip(sources, persons, strict=True))[1:]
    ]


def _where(conditions: Iterator[exp.Expr]) -> exp.Where | None:
    found = list(conditions)
    return exp.Where(this=exp.and_(*found)) if found else None


def _name(text: str) -> exp.Identifier:
    return exp.to_identifier(text, quoted=True)
