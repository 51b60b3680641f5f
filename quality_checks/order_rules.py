"""Expectations about a column's order: its median and quantiles. One query each."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlglot import exp

from quality_checks.arguments import COLUMN, Argument, Kwargs, is_flag, is_list
from quality_checks.bounds import Bounds
from quality_checks.columns import Column, Columns
from quality_checks.errors import NotCompiledError, QualityError
from quality_checks.expectation import Expectation
from quality_checks.expectation_type import expectation_type
from quality_checks.families import is_number
from quality_checks.plans import within
from quality_checks.relation import Relation
from quality_checks.result import Result
from quality_checks.table_rules import NUMBER_BOUNDS, float_of, numbers


@dataclass(frozen=True, slots=True, kw_only=True)
class MedianPlan:
    """The value in the middle, or the mean of the two that are."""

    column: Column
    bounds: Bounds

    @property
    def aggregates(self) -> Sequence[exp.Expr]:
        """Nothing that the shared scan computes."""
        return ()

    def judge(self, expectation: Expectation, answers: Sequence[Any], relation: Relation) -> Result:
        """Return the verdict; asks once."""
        (observed,) = relation.answer(relation.select(_call("MEDIAN", numbers(self.column))))
        return within(expectation, observed, self.bounds)


@expectation_type("expect_column_median_to_be_between", COLUMN, *NUMBER_BOUNDS)
def median(kwargs: Kwargs, columns: Columns) -> MedianPlan:
    """The median of the present values lies within the bounds; there is one."""
    column = columns[kwargs["column"]]
    numbers(column)
    return MedianPlan(column=column, bounds=Bounds.of(kwargs, float_of))


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantilePlan:
    """Each quantile, which is the present value nearest to its place in their order, lies within its range."""

    column: Column
    quantiles: Sequence[float]
    ranges: Sequence[tuple[float | None, float | None]]

    @property
    def aggregates(self) -> Sequence[exp.Expr]:
        """Present values."""
        return (self.column.present_count,)

    def judge(self, expectation: Expectation, answers: Sequence[Any], relation: Relation) -> Result:
        """Return the verdict; asks once, and for nothing when there are no values."""
        (present,) = answers
        if not present:
            return Result(expectation=expectation, success=False, observed_value=[])
        # pandas' "nearest" rounds a place halfway to the even one; QUANTILE_DISC takes the value in whose middle we ask.
        places = [(round(quantile * (present - 1)) + 0.5) / present for quantile in self.quantiles]
        asked = exp.Array(expressions=[exp.Literal.number(format(Decimal(repr(place)), "f")) for place in places])
        (values,) = relation.answer(relation.select(_call("QUANTILE_DISC", numbers(self.column), asked)))
        success = all(
            (low is None or value >= low) and (high is None or value <= high)
            for value, (low, high) in zip(values, self.ranges, strict=True)
        )
        observed = [value if isinstance(value, int) else float(value) for value in values]
        return Result(expectation=expectation, success=success, observed_value=observed)


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
def quantiles(kwargs: Kwargs, columns: Columns) -> QuantilePlan:
    """Each quantile of the present values lies within its range, bounds included."""
    column, given = columns[kwargs["column"]], kwargs["quantile_ranges"]
    numbers(column)
    if kwargs.get("allow_relative_error"):
        raise NotCompiledError("'allow_relative_error' asks for another kind of quantile")
    ranges = [(low, high) for low, high in given["value_ranges"]]
    if any(low is not None and high is not None and low > high for low, high in ranges):
        raise QualityError("a range of 'value_ranges' has its lower bound above its upper — swap them")
    return QuantilePlan(column=column, quantiles=given["quantiles"], ranges=ranges)


def _call(function: str, *arguments: exp.Expr) -> exp.Expr:
    return exp.Anonymous(this=function, expressions=list(arguments))
