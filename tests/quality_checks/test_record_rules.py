"""Expectations about several columns of one row."""

from typing import Any

import duckdb
import pytest

from quality_checks import Expectation, Result, evaluate, problems

EQUAL = "expect_column_pair_values_to_be_equal"
GREATER = "expect_column_pair_values_a_to_be_greater_than_b"
PAIRS = "expect_column_pair_values_to_be_in_set"
SUM = "expect_multicolumn_sum_to_equal"
WITHIN = "expect_select_column_values_to_be_unique_within_record"
NUMBERS = "(VALUES (1, 1.0::DOUBLE), (2, 1), (1, 2), (NULL, 1), (1, 'nan'), (NULL, NULL)) v(a, b)"


def judged(connection: duckdb.DuckDBPyConnection, relation: str, type: str, **kwargs: Any) -> Result:
    (result,) = evaluate(connection, relation, [Expectation(type=type, kwargs=kwargs)])
    assert result.error is None
    return result


@pytest.mark.parametrize(
    ("ignored", "missing", "unexpected"),
    [(None, 1, 4), ("both_values_are_missing", 1, 4), ("either_value_is_missing", 3, 2), ("neither", 0, 5)],
)
def test_a_pair_is_equal_or_unexpected(
    connection: duckdb.DuckDBPyConnection, ignored: str | None, missing: int, unexpected: int
) -> None:
    result = judged(connection, NUMBERS, EQUAL, column_A="a", column_B="b", ignore_row_if=ignored)
    assert (result.missing_count, result.unexpected_count) == (missing, unexpected)


@pytest.mark.parametrize(("or_equal", "unexpected"), [(None, 2), (False, 2), (True, 1)])
def test_a_is_above_b_or_equal(connection: duckdb.DuckDBPyConnection, or_equal: bool | None, unexpected: int) -> None:
    kwargs = {"column_A": "a", "column_B": "b", "ignore_row_if": "either_value_is_missing"}
    assert judged(connection, NUMBERS, GREATER, or_equal=or_equal, **kwargs).unexpected_count == unexpected


@pytest.mark.parametrize(
    ("low", "high"),
    [
        ("DATE '2026-01-01'", "DATE '2026-01-02'"),
        ("TIMESTAMPTZ '2026-01-01 01:00:00+02'", "TIMESTAMPTZ '2026-01-01 00:00:00+00'"),
        ("'a'", "'b'"),
        ("'B'", "'a'"),
        ("false", "true"),
        ("9007199254740992::BIGINT", "9007199254740993::BIGINT"),
        ("1.10::DECIMAL(9,2)", "1.101::DECIMAL(9,3)"),
        ("-0.5::DOUBLE", "0::INTEGER"),
    ],
)
def test_a_pair_of_one_kind_is_compared(connection: duckdb.DuckDBPyConnection, low: str, high: str) -> None:
    pair = {"column_A": "a", "column_B": "b"}
    assert judged(connection, f"(SELECT {high} AS a, {low} AS b)", GREATER, **pair).success
    assert not judged(connection, f"(SELECT {low} AS a, {high} AS b)", GREATER, **pair).success
    assert not judged(connection, f"(SELECT {low} AS a, {high} AS b)", EQUAL, **pair).success


def test_a_pair_is_one_of_the_set(connection: duckdb.DuckDBPyConnection) -> None:
    rows = "(VALUES (1, 'a'), (1, 'b'), (2, 'b'), (NULL, 'a'), (NULL, NULL)) v(n, s)"
    pairs = {"column_A": "n", "column_B": "s", "value_pairs_set": [[1, "a"], [2, "b"], [0.5, "b"], [10**40, "a"]]}
    result = judged(connection, rows, PAIRS, **pairs)
    assert (result.missing_count, result.unexpected_count) == (1, 2)
    result = judged(connection, rows, PAIRS, ignore_row_if="either_value_is_missing", **pairs)
    assert (result.missing_count, result.unexpected_count) == (2, 1)


def test_no_pair_is_one_that_no_column_can_hold(connection: duckdb.DuckDBPyConnection) -> None:
    pairs = {"column_A": "a", "column_B": "b", "value_pairs_set": [[0.5, 1]]}
    assert judged(connection, "(SELECT 1 AS a, 1 AS b)", PAIRS, **pairs).unexpected_count == 1


def test_thousands_of_pairs_are_compared(connection: duckdb.DuckDBPyConnection) -> None:
    pairs = [[at, at] for at in range(3000)]
    rows = "(SELECT i AS a, i AS b FROM range(3001) r(i))"
    assert judged(connection, rows, PAIRS, column_A="a", column_B="b", value_pairs_set=pairs).unexpected_count == 1


@pytest.mark.parametrize(
    ("ignored", "missing", "unexpected"),
    [(None, 1, 4), ("all_values_are_missing", 1, 4), ("any_value_is_missing", 3, 2), ("never", 0, 5)],
)
def test_a_row_adds_up_or_is_unexpected(
    connection: duckdb.DuckDBPyConnection, ignored: str | None, missing: int, unexpected: int
) -> None:
    result = judged(connection, NUMBERS, SUM, column_list=["a", "b"], sum_total=2, ignore_row_if=ignored)
    assert (result.missing_count, result.unexpected_count) == (missing, unexpected)


@pytest.mark.parametrize(
    ("row", "total"),
    [
        ("9223372036854775807::BIGINT AS a, 9223372036854775807::BIGINT AS b", 18446744073709551614),
        ("127::TINYINT AS a, 127::TINYINT AS b", 254),
        ("0.1::DECIMAL(9,1) AS a, 0.20::DECIMAL(9,2) AS b", 0.3),
        ("0.5::DOUBLE AS a, 1 AS b", 1.5),
    ],
)
def test_a_sum_is_exact_and_does_not_overflow(connection: duckdb.DuckDBPyConnection, row: str, total: float) -> None:
    assert judged(connection, f"(SELECT {row})", SUM, column_list=["a", "b"], sum_total=total).success


def test_a_sum_may_be_of_one_column(connection: duckdb.DuckDBPyConnection) -> None:
    assert judged(connection, "(SELECT 2 AS a)", SUM, column_list=["a"], sum_total=2).success


@pytest.mark.parametrize(
    ("ignored", "missing", "unexpected"),
    [(None, 1, 2), ("all_values_are_missing", 1, 2), ("any_value_is_missing", 3, 1), ("never", 0, 3)],
)
def test_no_value_is_in_a_row_twice(
    connection: duckdb.DuckDBPyConnection, ignored: str | None, missing: int, unexpected: int
) -> None:
    rows = "(VALUES (1, 2, 3), (1, 2, 1), (NULL, 2, NULL), (NULL, 2, 3), (NULL, NULL, NULL)) v(a, b, c)"
    result = judged(connection, rows, WITHIN, column_list=["a", "b", "c"], ignore_row_if=ignored)
    assert (result.missing_count, result.unexpected_count) == (missing, unexpected)


def test_columns_of_two_kinds_are_not_compared() -> None:
    kwargs = {"column_A": "n", "column_B": "s"}
    (told,) = problems(Expectation(type=EQUAL, kwargs=kwargs), {"n": "INTEGER", "s": "VARCHAR"})
    assert told == "column 'n' is INTEGER, 's' is VARCHAR — compare columns of one kind"
