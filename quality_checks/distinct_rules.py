"""Expectations about the different values of a column: one query each, as DISTINCT beside other aggregates costs twice."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlglot import exp

from quality_checks.arguments import COLUMN, Argument, Kwargs, is_count, is_flag, is_set
from quality_checks.bounds import Bounds, bound_arguments
from quality_checks.columns import Column, Columns
from quality_checks.counts import count_where, row_count
from quality_checks.expectation import Expectation
from quality_checks.expectation_type import expectation_type
from quality_checks.plans import within
from quality_checks.relation import Relation
from quality_checks.result import Result
from quality_checks.row_rules import among, members_of
from quality_checks.table_rules import NUMBER_BOUNDS, float_of

_VALUE_SET = Argument(name="value_set", wants="a list with at least one value", accepts=is_set, required=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class DistinctPlan:
    """Counts the different present values, and those among `members`; `verdict` takes both and the size of the set."""

    column: Column
    members: Sequence[Any]
    verdict: Callable[[int, int, int], bool]

    @property
    def aggregates(self) -> Sequence[exp.Expr]:
        """Nothing that the shared scan computes."""
        return ()

    def judge(self, expectation: Expectation, answers: Sequence[Any], relation: Relation) -> Result:
        """Return the verdict; asks once."""
        different = relation.select(self.column.sql).distinct()
        present = exp.Column(this=exp.to_identifier(self.column.name, quoted=True))
        counts = exp.select(_count(present), count_where(among(self.column, self.members)))
        found, known = relation.answer(
            counts.from_(different.subquery("different")).where(exp.not_(self.column.missing))
        )
        wanted = len(set(members_of(self.column, self.members)))
        return Result(expectation=expectation, success=self.verdict(found, known, wanted), observed_value=found)


@expectation_type("expect_column_distinct_values_to_be_in_set", COLUMN, _VALUE_SET)
def distinct_in_set(kwargs: Kwargs, columns: Columns) -> DistinctPlan:
    """Each of the different values is in the set."""
    return _distinct(kwargs, columns, lambda found, known, wanted: found == known)


@expectation_type("expect_column_distinct_values_to_contain_set", COLUMN, _VALUE_SET)
def distinct_contain_set(kwargs: Kwargs, columns: Columns) -> DistinctPlan:
    """Each value of the set occurs."""
    return _distinct(kwargs, columns, lambda found, known, wanted: known == wanted)


@expectation_type("expect_column_distinct_values_to_equal_set", COLUMN, _VALUE_SET)
def distinct_equal_set(kwargs: Kwargs, columns: Columns) -> DistinctPlan:
    """The different values are those of the set: none is missing, and no other occurs."""
    return _distinct(kwargs, columns, lambda found, known, wanted: found == known == wanted)


@dataclass(frozen=True, slots=True, kw_only=True)
class CountPlan:
    """The number of different present values, or with `of_present` their share of the present values."""

    column: Column
    bounds: Bounds
    of_present: bool

    @property
    def aggregates(self) -> Sequence[exp.Expr]:
        """Present values."""
        return (self.column.present_count,)

    def judge(self, expectation: Expectation, answers: Sequence[Any], relation: Relation) -> Result:
        """Return the verdict; asks once."""
        (found,) = relation.answer(relation.select(exp.Count(this=exp.Distinct(expressions=[self.column.key]))))
        (present,) = answers
        observed = (found / present if present else 0) if self.of_present else found
        return within(expectation, observed, self.bounds)


@expectation_type(
    "expect_column_unique_value_count_to_be_between", COLUMN, *bound_arguments("a whole number", is_count)
)
def unique_count(kwargs: Kwargs, columns: Columns) -> CountPlan:
    """The number of different present values lies within the bounds."""
    return CountPlan(column=columns[kwargs["column"]], bounds=Bounds.of(kwargs, int), of_present=False)


@expectation_type("expect_column_proportion_of_unique_values_to_be_between", COLUMN, *NUMBER_BOUNDS)
def unique_share(kwargs: Kwargs, columns: Columns) -> CountPlan:
    """The different present values, as a share of the present values, lie within the bounds; of none it is 0."""
    return CountPlan(column=columns[kwargs["column"]], bounds=Bounds.of(kwargs, float_of), of_present=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class CommonPlan:
    """The value that occurs most often, or each of several that do, is among `members`."""

    column: Column
    members: Sequence[Any]
    ties_okay: bool

    @property
    def aggregates(self) -> Sequence[exp.Expr]:
        """Nothing that the shared scan computes."""
        return ()

    def judge(self, expectation: Expectation, answers: Sequence[Any], relation: Relation) -> Result:
        """Return the verdict; asks once. What is observed is how many values share the first place."""
        size = exp.to_identifier("occurrences", quoted=True)
        counted = relation.select(self.column.sql, exp.alias_(row_count(), size)).where(exp.not_(self.column.missing))
        counted = counted.group_by(self.column.sql)
        most = exp.select(exp.Max(this=exp.Column(this=size))).from_("counted")
        first = exp.EQ(this=exp.Column(this=size), expression=most.subquery())
        query = exp.select(row_count(), count_where(among(self.column, self.members))).from_("counted").where(first)
        found, known = relation.answer(query.with_("counted", as_=counted))
        success = known > 0 if self.ties_okay else (found, known) == (1, 1)
        return Result(expectation=expectation, success=success, observed_value=found)


@expectation_type(
    "expect_column_most_common_value_to_be_in_set",
    COLUMN,
    _VALUE_SET,
    Argument(name="ties_okay", wants="true or false", accepts=is_flag),
)
def most_common(kwargs: Kwargs, columns: Columns) -> CommonPlan:
    """The most common value is in the set; with ties_okay it is enough that one of several is."""
    column = columns[kwargs["column"]]
    among(column, kwargs["value_set"])  # refuses members that the column cannot hold
    return CommonPlan(column=column, members=kwargs["value_set"], ties_okay=bool(kwargs.get("ties_okay")))


def _distinct(kwargs: Kwargs, columns: Columns, verdict: Callable[[int, int, int], bool]) -> DistinctPlan:
    column = columns[kwargs["column"]]
    among(column, kwargs["value_set"])  # refuses members that the column cannot hold
    return DistinctPlan(column=column, members=kwargs["value_set"], verdict=verdict)


def _count(column: exp.Expr) -> exp.Expr:
    return exp.Count(this=column)
