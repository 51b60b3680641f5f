"""Expectations about a column's order: its median and quantiles. One query for each column, which has to be sorted."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

from quality_checks.arguments import COLUMN, Argument, Kwargs, is_flag, is_list
from quality_checks.bounds import Bounds
from quality_checks.columns import Column, Columns
from quality_checks.errors import NotCompiledError, QualityError
from quality_checks.expectation import Expectation
from quality_checks.expectation_type import expectation_type
from quality_checks.families import is_number
from quality_checks.plans import OrderPlan, within
from quality_checks.result import Result
from quality_checks.table_rules import NUMBER_BOUNDS, float_of, numbers


@expectation_type("expect_column_median_to_be_between", COLUMN, *NUMBER_BOUNDS)
def median(kwargs: Kwargs, columns: Columns) -> OrderPlan:
    """The median of the present values lies within the bounds; there is one."""
    bounds = Bounds.of(kwargs, float_of)
    return _ordered(
        columns[kwargs["column"]],
        lambda present: [(present - 1) // 2, present // 2],
        lambda expectation, middle: within(expectation, _mean(*middle), bounds),
    )


def _mean(a: Any, b: Any) -> Any:
    """Exact where the values are; of two infinities that differ it is NaN."""
    if isinstance(a, float):
        return (a + b) / 2
    both = Fraction(a) + Fraction(b)
    return int(both / 2) if both % 2 == 0 else both / 2


def _are_ranges(value: Any) -> bool:
    if not isinstance(value, dict) or set(value) != {"quantiles", "value_ranges"}:
        return False
    quantiles, ranges = value["quantiles"], value["value_ranges"]
    return (
        is_list(quantiles)
        and is_list(ranges)
        and len(quantiles) == len(ranges) > 0
        and all(is_number(each) and 0 <= each <= 1 for each in quantiles)
        and all(is_list(each) and len(each) == 2 and all(b is None or is_number(b) for b in each) for each in ranges)
    )


@expectation_type(
    "expect_column_quantile_values_to_be_between",
    COLUMN,
    Argument(
        name="quantile_ranges",
        wants="{quantiles: [0.5, …], value_ranges: [[low, high], …]}, as many of each",
        accepts=_are_ranges,
        required=True,
    ),
    Argument(
        name="allow_relative_error", wants="false", accepts=lambda value: is_flag(value) or isinstance(value, str)
    ),
)
def quantiles(kwargs: Kwargs, columns: Columns) -> OrderPlan:
    """Each quantile of the present values lies within its range, bounds included."""
    given = kwargs["quantile_ranges"]
    if kwargs.get("allow_relative_error"):
        raise NotCompiledError("'allow_relative_error' asks for another kind of quantile")
    ranges = [(low, high) for low, high in given["value_ranges"]]
    if any(low is not None and high is not None and low > high for low, high in ranges):
        raise QualityError("a range of 'value_ranges' has its lower bound above its upper — swap them")
    return _ordered(
        columns[kwargs["column"]],
        # As pandas' "nearest": a place halfway is rounded to the even one.
        lambda present: [round(quantile * (present - 1)) for quantile in given["quantiles"]],
        lambda expectation, values: Result(
            expectation=expectation,
            success=all(map(_lies_within, values, ranges)),
            observed_value=[value if isinstance(value, int) else float(value) for value in values],
        ),
    )


def _lies_within(value: Any, limits: tuple[float | None, float | None]) -> bool:
    low, high = limits
    return Bounds(low=low, high=high, strict_low=False, strict_high=False).contain(value)


def _ordered(
    column: Column,
    places: Callable[[int], Sequence[int]],
    verdict: Callable[[Expectation, Sequence[Any]], Result],
) -> OrderPlan:
    return OrderPlan(ordered=numbers(column), present=column.present_count, places=places, verdict=verdict)
