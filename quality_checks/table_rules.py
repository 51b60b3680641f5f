"""Expectations that judge one aggregate of the whole table or of a column: computed in the one scan that all share."""

from collections.abc import Callable
from typing import Any

from sqlglot import exp

from quality_checks.arguments import COLUMN, Argument, Kwargs, is_count
from quality_checks.bounds import Bounds, bound_arguments, is_bound
from quality_checks.columns import Column, Columns
from quality_checks.counts import row_count
from quality_checks.expectation_type import ExpectationType, expectation_type
from quality_checks.families import NUMBERS, TIMES, is_number
from quality_checks.plans import AggregatePlan, MetPlan, Plan

Aggregate = Callable[[exp.Expr], exp.Expr]
NUMBER_BOUNDS = bound_arguments("a number", is_number)
_ROW_BOUNDS = bound_arguments("a whole number of rows, 0 or more", is_count)


@expectation_type("expect_table_row_count_to_be_between", *_ROW_BOUNDS)
def row_count_between(kwargs: Kwargs, columns: Columns) -> AggregatePlan:
    """The number of rows lies within the bounds."""
    return AggregatePlan(aggregate=row_count(), bounds=Bounds.of(kwargs, int))


@expectation_type(
    "expect_table_row_count_to_equal",
    Argument(name="value", wants="a whole number of rows, 0 or more", accepts=is_count, required=True),
)
def row_count_equal(kwargs: Kwargs, columns: Columns) -> AggregatePlan:
    """There are exactly so many rows."""
    bounds = Bounds(low=kwargs["value"], high=kwargs["value"], strict_low=False, strict_high=False)
    return AggregatePlan(aggregate=row_count(), bounds=bounds)


@expectation_type(
    "expect_column_min_to_be_between", COLUMN, *bound_arguments("a number, or text for text and times", is_bound)
)
def minimum(kwargs: Kwargs, columns: Columns) -> Plan:
    """The least present value lies within the bounds; there is one."""
    return _extreme(columns[kwargs["column"]], kwargs, lambda column: exp.Min(this=column))


@expectation_type(
    "expect_column_max_to_be_between", COLUMN, *bound_arguments("a number, or text for text and times", is_bound)
)
def maximum(kwargs: Kwargs, columns: Columns) -> Plan:
    """The greatest present value lies within the bounds; there is one."""
    return _extreme(columns[kwargs["column"]], kwargs, lambda column: exp.Max(this=column))


def _of_numbers(name: str, told: str, aggregate: Aggregate) -> ExpectationType:
    def plan(kwargs: Kwargs, columns: Columns) -> AggregatePlan:
        return AggregatePlan(
            aggregate=aggregate(numbers(columns[kwargs["column"]])), bounds=Bounds.of(kwargs, float_of)
        )

    plan.__doc__ = told
    return expectation_type(name, COLUMN, *NUMBER_BOUNDS)(plan)


mean = _of_numbers(
    "expect_column_mean_to_be_between",
    "The mean of the present values lies within the bounds; there is one.",
    lambda column: exp.Avg(this=column),
)
total = _of_numbers(
    "expect_column_sum_to_be_between",
    "The sum of the present values lies within the bounds; of no values there is no sum.",
    lambda column: exp.Sum(this=column),
)
stdev = _of_numbers(
    "expect_column_stdev_to_be_between",
    "The sample standard deviation (divided by n - 1) lies within the bounds; it takes two values.",
    lambda column: exp.StddevSamp(this=column),
)


@expectation_type("expect_column_proportion_of_non_null_values_to_be_between", COLUMN, *NUMBER_BOUNDS)
def proportion_present(kwargs: Kwargs, columns: Columns) -> AggregatePlan:
    """The share of rows whose value is present lies within the bounds; of no rows it is 0, as GX has it."""
    rows = exp.Nullif(this=row_count(), expression=exp.Literal.number(0))
    present = exp.cast(columns[kwargs["column"]].present_count, "DOUBLE")
    share = exp.func("COALESCE", exp.Div(this=present, expression=rows), exp.Literal.number(0))
    return AggregatePlan(aggregate=share, bounds=Bounds.of(kwargs, float_of))


def numbers(column: Column) -> exp.Expr:
    """The column's numbers, with NaN as null; raises QualityError when it holds none."""
    column.require(*NUMBERS, doing="take a column of numbers")
    return column.key


def float_of(value: Any) -> int | float:
    """Read a bound of a number, exactly."""
    return int(value) if isinstance(value, int) else float(value)


def _extreme(column: Column, kwargs: Kwargs, aggregate: Aggregate) -> Plan:
    bounds = Bounds.of(kwargs, column.read)
    if column.family in NUMBERS:
        return AggregatePlan(aggregate=aggregate(column.key), bounds=bounds)
    compared = aggregate(column.compared)
    limits: list[exp.Expr] = []
    if bounds.low is not None:
        above = exp.GT if bounds.strict_low else exp.GTE
        limits.append(above(this=compared.copy(), expression=column.literal(bounds.low)))
    if bounds.high is not None:
        below = exp.LT if bounds.strict_high else exp.LTE
        limits.append(below(this=compared.copy(), expression=column.literal(bounds.high)))
    # A text is a row's own value and stays where it is; a time says how far the rows reach.
    observed = exp.cast(compared.copy(), "TEXT") if column.family in TIMES else exp.null()
    return MetPlan(met=exp.and_(*limits), observed=observed)
