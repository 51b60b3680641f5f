"""Row conditions: which rows an expectation judges, in all the ways that GX writes one."""

from typing import Any

import duckdb
import pytest

from quality_checks import Expectation, Result, evaluate
from quality_checks.conditions import condition_of
from quality_checks.errors import NotCompiledError, QualityError

ROWS = """(VALUES
    (1, 0.5::DOUBLE, 'a', DATE '2026-01-01'), (2, 'nan', 'b', DATE '2026-01-02'), (3, 1.5, 'a', NULL), (NULL, 'inf', NULL, NULL),
    (5, NULL, 'it''s', DATE '2026-01-03')
) v(n, f, s, d)"""
TYPES = {"n": "INTEGER", "f": "DOUBLE", "s": "VARCHAR", "d": "DATE"}


def compares(column: str, operator: str, parameter: Any) -> dict[str, Any]:
    return {"type": "comparison", "column": {"name": column}, "operator": operator, "parameter": parameter}


def rows_meant(connection: duckdb.DuckDBPyConnection, condition: Any, parser: str | None = None) -> Result:
    kwargs = {"min_value": 0, "row_condition": condition, "condition_parser": parser}
    (result,) = evaluate(connection, ROWS, [Expectation(type="expect_table_row_count_to_be_between", kwargs=kwargs)])
    assert (result.error, result.engine) == (None, "compiled")
    return result


@pytest.mark.parametrize(
    ("condition", "rows"),
    [
        (compares("n", ">", 1), 3),
        (compares("n", "<=", 2.5), 2),
        (compares("f", "<", 9), 2),
        (compares("f", ">", 0), 3),
        (compares("f", "==", 0.5), 1),
        (compares("n", "==", 0.5), 0),
        (compares("s", "==", "a"), 2),
        (compares("s", "==", "it's"), 1),
        (compares("d", ">=", "2026-01-02"), 2),
        (compares("n", "IN", [1, 2, 9, 0.5]), 2),
        (compares("s", "IN", []), 0),
        ({"type": "nullity", "column": {"name": "f"}, "is_null": True}, 2),
        ({"type": "nullity", "column": {"name": "f"}, "is_null": False}, 3),
        ({"type": "and", "conditions": [compares("n", ">", 1), compares("s", "==", "a")]}, 1),
        ({"type": "or", "conditions": [compares("n", ">", 2), compares("s", "==", "a")]}, 3),
        ({"type": "pass_through", "pass_through_filter": "n > 1"}, 3),
    ],
)
def test_a_structured_condition_means_the_rows_that_pandas_would_keep(
    connection: duckdb.DuckDBPyConnection, condition: dict[str, Any], rows: int
) -> None:
    assert rows_meant(connection, condition).observed_value == rows


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ('col("n") > 1', 3),
        (' col("n")<=-1.5 ', 0),
        ('col("s") == "a"', 2),
        ("col(\"s\") == 'a'", 2),
        ('col("f").notNull()', 3),
    ],
)
@pytest.mark.parametrize("parser", ["great_expectations", "great_expectations__experimental__"])
def test_gxs_own_text_is_read(connection: duckdb.DuckDBPyConnection, text: str, rows: int, parser: str) -> None:
    assert rows_meant(connection, text, parser).observed_value == rows


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("n > 1", 3),
        ("1 < n", 3),
        ("n >= -1 and s == 'a'", 2),
        ('n > 2 or (s == "a" and f < 1)', 3),
        ("n in [1, 2]", 2),
        ("n in (5, 6)", 1),
        ('s == "it\'s"', 1),
    ],
)
@pytest.mark.parametrize("parser", ["pandas", None])
def test_a_query_of_pandas_that_only_compares_is_read(
    connection: duckdb.DuckDBPyConnection, text: str, rows: int, parser: str | None
) -> None:
    assert rows_meant(connection, text, parser).observed_value == rows


@pytest.mark.parametrize(
    "kwargs",
    [
        {"row_condition": compares("n", "!=", 1)},
        {"row_condition": compares("n", "NOT_IN", [1])},
        {"row_condition": {"type": "and", "conditions": []}},
        {"row_condition": {}},
        {"row_condition": 'col("n") > 1 and col("n") < 3', "condition_parser": "great_expectations"},
        {"row_condition": 'col("n") > 1'},
        {"row_condition": "n != 1"},
        {"row_condition": "not n > 1"},
        {"row_condition": "n > f"},
        {"row_condition": "n + 1 > 2"},
        {"row_condition": "0 < n < 3"},
        {"row_condition": "s.str.len() > 1"},
        {"row_condition": "@x > 1"},
        {"row_condition": "n >"},
        {"row_condition": "(" * 5000 + "n > 1"},
        {"row_condition": ""},
    ],
)
def test_what_sql_does_not_say_alike_is_left_to_gx(kwargs: dict[str, Any]) -> None:
    with pytest.raises(NotCompiledError, match="row_condition"):
        condition_of(kwargs, TYPES)


@pytest.mark.parametrize(
    ("condition", "told"),
    [
        ("nn > 1", "names no column 'nn' — did you mean 'n'?"),
        (compares("x y", ">", 1), "names no column 'x y'"),
        (compares("n", ">", "a"), "not to be compared with 'a'"),
        (compares("d", ">", "soon"), "give ISO dates"),
        ("s == 5", "give text"),
    ],
)
def test_a_condition_that_cannot_be_meant_is_refused(condition: Any, told: str) -> None:
    with pytest.raises(QualityError) as caught:
        condition_of({"row_condition": condition}, TYPES)
    assert told in str(caught.value)
    assert not isinstance(caught.value, NotCompiledError)


@pytest.mark.parametrize(
    ("type", "kwargs", "counts"),
    [
        ("expect_column_values_to_not_be_null", {"column": "d"}, (3, 1)),
        ("expect_column_values_to_be_in_set", {"column": "s", "value_set": ["b"]}, (3, 2)),
        ("expect_column_values_to_be_unique", {"column": "s"}, (3, 2)),
        ("expect_compound_columns_to_be_unique", {"column_list": ["s", "d"], "ignore_row_if": "never"}, (3, 0)),
        ("expect_column_pair_values_to_be_equal", {"column_A": "n", "column_B": "f"}, (3, 3)),
    ],
)
def test_other_rows_are_not_even_counted(
    connection: duckdb.DuckDBPyConnection, type: str, kwargs: dict[str, Any], counts: tuple[int, int]
) -> None:
    rule = Expectation(type=type, kwargs={**kwargs, "row_condition": "n < 4", "condition_parser": "pandas"})
    (result,) = evaluate(connection, ROWS, [rule])
    assert (result.element_count, result.unexpected_count) == counts


@pytest.mark.parametrize(
    ("type", "kwargs", "observed"),
    [
        ("expect_column_max_to_be_between", {"min_value": 0}, 3),
        ("expect_column_sum_to_be_between", {"min_value": 0}, 6),
        ("expect_column_mean_to_be_between", {"min_value": 0}, 2),
        ("expect_column_stdev_to_be_between", {"min_value": 0}, 1),
        ("expect_column_median_to_be_between", {"min_value": 0}, 2),
        ("expect_column_unique_value_count_to_be_between", {"min_value": 0}, 3),
        ("expect_column_distinct_values_to_be_in_set", {"value_set": [1, 2, 3]}, 3),
        ("expect_column_most_common_value_to_be_in_set", {"value_set": [1, 2, 3], "ties_okay": True}, 3),
    ],
)
def test_an_aggregate_is_that_of_the_rows_that_are_meant(
    connection: duckdb.DuckDBPyConnection, type: str, kwargs: dict[str, Any], observed: float
) -> None:
    rule = Expectation(type=type, kwargs={**kwargs, "column": "n", "row_condition": compares("n", "<", 4)})
    (result,) = evaluate(connection, ROWS, [rule])
    assert (result.success, result.observed_value) == (True, observed)


def test_rules_with_other_conditions_do_not_share_an_answer(connection: duckdb.DuckDBPyConnection) -> None:
    median = {"column": "n", "min_value": 0}
    conditions = [None, compares("n", "<", 4), compares("n", ">", 1)]
    rules = [
        Expectation(type="expect_column_median_to_be_between", kwargs={**median, "row_condition": condition})
        for condition in conditions
    ]
    assert [result.observed_value for result in evaluate(connection, ROWS, rules)] == [2.5, 2, 3]
