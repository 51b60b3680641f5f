"""Row counts."""

from typing import Any

import duckdb
import pytest

from quality_checks import Expectation, evaluate


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
    rule = Expectation(type="expect_table_row_count_to_be_between", kwargs=kwargs)
    result = evaluate(connection, "range(3)", [rule])[0]
    assert (result.success, result.observed_value, result.element_count) == (success, 3, None)


def test_an_empty_table_is_counted_as_zero(connection: duckdb.DuckDBPyConnection) -> None:
    rule = Expectation(type="expect_table_row_count_to_be_between", kwargs={"min_value": 1})
    result = evaluate(connection, "range(0)", [rule])[0]
    assert (result.success, result.observed_value) == (False, 0)
