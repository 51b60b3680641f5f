"""Row counts, and one aggregate of a column: computed in the one scan."""

from collections.abc import Callable
from typing import Any

import duckdb
import pytest

from quality_checks import Expectation, Result, evaluate

Verdict = Callable[..., Result]

NAN, INF = float("nan"), float("inf")
ROW_COUNT = "expect_table_row_count_to_be_between"
SHARE = "expect_column_proportion_of_non_null_values_to_be_between"


def of(name: str) -> str:
    return f"expect_column_{name}_to_be_between"


@pytest.mark.parametrize(
    ("kwargs", "success"),
    [
        ({"min_value": 3}, True),
        ({"min_value": 4}, False),
        ({"min_value": 3, "strict_min": True}, False),
        ({"max_value": 3}, True),
        ({"max_value": 2}, False),
        ({"max_value": 3, "strict_max": True}, False),
        ({"min_value": 1, "max_value": 5, "strict_min": True, "strict_max": True}, True),
        ({"min_value": 0, "max_value": None}, True),
    ],
)
def test_row_count_lies_within_bounds(
    connection: duckdb.DuckDBPyConnection, kwargs: dict[str, Any], success: bool
) -> None:
    result = evaluate(connection, "range(3)", [Expectation(type=ROW_COUNT, kwargs=kwargs)])[0]
    assert (result.success, result.observed_value, result.element_count) == (success, 3, None)


def test_an_empty_table_is_counted_as_zero(connection: duckdb.DuckDBPyConnection) -> None:
    result = evaluate(connection, "range(0)", [Expectation(type=ROW_COUNT, kwargs={"min_value": 1})])[0]
    assert (result.success, result.observed_value) == (False, 0)


@pytest.mark.parametrize(("value", "success"), [(3, True), (2, False)])
def test_row_count_equals(connection: duckdb.DuckDBPyConnection, value: int, success: bool) -> None:
    rule = Expectation(type="expect_table_row_count_to_equal", kwargs={"value": value})
    assert evaluate(connection, "range(3)", [rule])[0].success is success


@pytest.mark.parametrize(
    ("name", "type", "values", "observed"),
    [
        ("min", "INTEGER", [3, 1, None], 1),
        ("max", "DOUBLE", [NAN, 2.5, None], 2.5),
        ("max", "DOUBLE", [INF, 1.0], INF),
        ("max", "HUGEINT", [str(2**127 - 1)], 2**127 - 1),
        ("min", "DECIMAL(10,2)", ["0.10", "3"], 0.1),
        ("mean", "INTEGER", [1, 2, None], 1.5),
        ("mean", "DOUBLE", [NAN, 1.0, 2.0], 1.5),
        ("mean", "DECIMAL(10,2)", ["0.10", "0.20"], 0.15),
        ("sum", "INTEGER", [2**31 - 1, 2**31 - 1], 2**32 - 2),
        ("sum", "BIGINT", [2**63 - 1, 2**63 - 1], 2**64 - 2),
        ("sum", "DECIMAL(10,2)", ["0.10", "0.20"], 0.3),
        ("sum", "DOUBLE", [0.5, NAN, None], 0.5),
        ("stdev", "INTEGER", [1, 3], 2**0.5),
    ],
)
def test_an_aggregate_of_the_present_values_lies_within_bounds(
    verdict: Verdict, name: str, type: str, values: list[Any], observed: float
) -> None:
    result = verdict(type, values, of(name), min_value=-1e300)
    assert (result.success, result.observed_value) == (True, pytest.approx(observed, abs=0, rel=1e-15))


@pytest.mark.parametrize("name", ["min", "max", "sum"])
def test_an_aggregate_of_decimals_is_compared_by_its_digits(verdict: Verdict, name: str) -> None:
    assert verdict("DECIMAL(10,2)", ["0.10"], of(name), min_value=0.1, max_value=0.1).success
    assert not verdict("DECIMAL(10,2)", ["0.10"], of(name), max_value=0.1, strict_max=True).success


@pytest.mark.parametrize("name", ["min", "max", "mean", "sum", "stdev", "median"])
@pytest.mark.parametrize("values", [[], [None], [NAN]])
def test_the_sum_of_nothing_has_no_value(verdict: Verdict, name: str, values: list[Any]) -> None:
    for bounds in ({"min_value": -1e300}, {"max_value": 1e300}, {"min_value": 0, "max_value": 0}):
        result = verdict("DOUBLE", values, of(name), **bounds)
        assert (result.success, result.observed_value, result.error) == (False, None, None)


def test_one_value_has_no_spread(verdict: Verdict) -> None:
    assert not verdict("DOUBLE", [1.0], of("stdev"), min_value=0).success


@pytest.mark.parametrize(
    ("type", "values", "low", "high", "observed"),
    [
        ("DATE", ["2026-01-01", "2026-02-01"], "2026-02-01", "2026-02-01", "2026-02-01"),
        ("TIMESTAMP", ["2026-01-01 00:00:00"], "2026-01-01", "2026-01-01", "2026-01-01 00:00:00"),
        ("VARCHAR", ["a", "b"], "b", "b", None),
        ("ENUM('b', 'a')", ["a", "b"], "b", "b", None),
    ],
)
def test_the_greatest_time_is_told_and_a_text_is_kept(
    verdict: Verdict, type: str, values: list[str], low: str, high: str, observed: str | None
) -> None:
    result = verdict(type, values, of("max"), min_value=low, max_value=high)
    assert (result.success, result.observed_value) == (True, observed)
    assert not verdict(type, values, of("max"), min_value=low, strict_min=True).success


@pytest.mark.parametrize(("values", "share"), [([1, None], 0.5), ([1], 1), ([None], 0), ([], 0)])
def test_a_share_of_present_values(verdict: Verdict, values: list[Any], share: float) -> None:
    assert verdict("INTEGER", values, SHARE, min_value=share, max_value=share).success
    assert not verdict("INTEGER", values, SHARE, min_value=share, strict_min=True).success


def test_an_infinite_aggregate_is_null_in_json(verdict: Verdict) -> None:
    result = verdict("DOUBLE", [INF], of("sum"), min_value=0)
    assert (result.success, result.as_gx()["result"]) == (True, {"observed_value": None})
