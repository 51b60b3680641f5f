"""Expectations that judge one aggregate of the whole table."""

from quality_checks.arguments import Kwargs, is_count
from quality_checks.bounds import Bounds, bound_arguments
from quality_checks.counts import row_count
from quality_checks.expectation_type import Columns, expectation_type
from quality_checks.plans import AggregatePlan


@expectation_type(
    "expect_table_row_count_to_be_between", *bound_arguments("a whole number of rows, 0 or more", is_count)
)
def row_count_between(kwargs: Kwargs, columns: Columns) -> AggregatePlan:
    """The number of rows lies within the bounds."""
    return AggregatePlan(aggregate=row_count(), bounds=Bounds.of(kwargs, int))
