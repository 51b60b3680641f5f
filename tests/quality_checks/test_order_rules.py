"""Median and quantiles."""

from collections.abc import Callable
from decimal import Decimal
from statistics import median
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quality_checks import Expectation, Result, evaluate

Verdict = Callable[..., Result]

pytestmark = pytest.mark.usefixtures("each_way")

NAN, INF = float("nan"), float("inf")
MEDIAN = "expect_column_median_to_be_between"
QUANTILES = "expect_column_quantile_values_to_be_between"


@pytest.mark.parametrize(
    ("type", "values", "observed"),
    [
        ("INTEGER", [3, 1, None, 2], 2),
        ("INTEGER", [1, 2], 1.5),
        ("DOUBLE", [NAN, 1.0, None, 4.0], 2.5),
        ("DOUBLE", [INF, 1.0], INF),
        ("DECIMAL(10,2)", ["0.50", "2.25"], 1.375),
        ("HUGEINT", [str(2**100), str(2**100 + 2)], 2**100 + 1),
        ("BIGINT", [2**63 - 1, 2**63 - 1], 2**63 - 1),
    ],
)
def test_the_median_is_the_middle_or_the_mean_of_two(
    verdict: Verdict, type: str, values: list[Any], observed: float
) -> None:
    result = verdict(type, values, MEDIAN, min_value=-1e300)
    assert (result.success, result.observed_value) == (True, observed)


def test_a_decimals_median_is_compared_by_its_digits(verdict: Verdict) -> None:
    values = ["0.50", "-1.00", "0.10"]
    assert verdict("DECIMAL(10,2)", values, MEDIAN, min_value=0.1, max_value=0.1).success
    assert not verdict("DECIMAL(10,2)", values, MEDIAN, min_value=0.1, strict_min=True).success


@pytest.mark.parametrize("values", [[], [None], [-INF, INF]])
def test_there_is_no_median_of_nothing_and_of_opposite_infinities(verdict: Verdict, values: list[Any]) -> None:
    result = verdict("DOUBLE", values, MEDIAN, min_value=-1e300)
    assert (result.success, result.observed_value) == (False, None)


@settings(max_examples=40, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=st.lists(st.one_of(st.none(), st.decimals(-9, 9, places=2)), max_size=9))
def test_the_median_is_pythons(verdict: Verdict, values: list[Decimal | None]) -> None:
    present = [value for value in values if value is not None]
    observed = verdict("DECIMAL(9,2)", values, MEDIAN, min_value=-99).observed_value
    assert observed == (float(median(present)) if present else None)


def ranges(*limits: tuple[float | None, float | None], quantiles: tuple[float, ...]) -> dict[str, Any]:
    return {"quantiles": list(quantiles), "value_ranges": [list(each) for each in limits]}


def test_each_quantile_lies_within_its_range(verdict: Verdict) -> None:
    places = ranges((None, 1), (2, 3), (4, None), quantiles=(0, 0.5, 1))
    result = verdict("INTEGER", [1, 2, 3, 4, None], QUANTILES, quantile_ranges=places)
    assert (result.success, result.observed_value) == (True, [1, 3, 4])
    off = ranges((None, 1), (None, 2), (4, None), quantiles=(0, 0.5, 1))
    assert not verdict("INTEGER", [1, 2, 3, 4, None], QUANTILES, quantile_ranges=off).success


def test_decimals_are_compared_with_ranges_by_their_digits(verdict: Verdict) -> None:
    places = ranges((0.1, 0.1), quantiles=(0.5,))
    assert verdict("DECIMAL(3,1)", ["0.1"], QUANTILES, quantile_ranges=places).success


def test_nothing_has_no_quantiles(verdict: Verdict) -> None:
    places = ranges((None, None), quantiles=(0.5,))
    assert not verdict("INTEGER", [None], QUANTILES, quantile_ranges=places).success


def test_an_infinite_quantile_is_null_in_json(verdict: Verdict) -> None:
    places = ranges((None, None), (None, None), quantiles=(0, 1))
    result = verdict("DOUBLE", [-INF, 1.0], QUANTILES, quantile_ranges=places)
    assert result.as_gx()["result"] == {"observed_value": [None, 1.0]}


@pytest.mark.parametrize("rows", [7, 1000, 99_991])
def test_places_are_exact_in_many_rows(connection: duckdb.DuckDBPyConnection, rows: int) -> None:
    quantiles = (0, 0.001, 0.25, 0.333, 0.5, 0.95, 0.999, 1)
    wanted = [round(each * (rows - 1)) for each in quantiles]
    places = ranges(*((each, each) for each in wanted), quantiles=quantiles)
    rule = Expectation(type=QUANTILES, kwargs={"column": "range", "quantile_ranges": places})
    assert evaluate(connection, f"range({rows})", [rule])[0].success
