"""Unique values and unique combinations: every member of a duplicate group is unexpected."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlglot import exp

from quality_checks import Expectation, Result, evaluate, sorting
from quality_checks.uniqueness import TURNS_MAX, UniquePlan

Verdict = Callable[..., Result]

pytestmark = pytest.mark.usefixtures("each_way")

UNIQUE = "expect_column_values_to_be_unique"
COMPOUND = "expect_compound_columns_to_be_unique"
NAN = float("nan")
INTEGERS = ["TINYINT", "UTINYINT", "SMALLINT", "INTEGER", "UINTEGER", "BIGINT", "UBIGINT", "HUGEINT", "UHUGEINT"]


def in_groups(values: list[Any]) -> int:
    return sum(count for count in Counter(values).values() if count > 1)


@pytest.mark.parametrize("type", [*INTEGERS, "DOUBLE", "DECIMAL(9,2)", "VARCHAR"])
def test_every_member_of_a_group_is_unexpected(verdict: Verdict, type: str) -> None:
    result = verdict(type, [1, 2, 2, 3, 3, 3, None, None], UNIQUE)
    assert (result.success, result.element_count, result.missing_count) == (False, 8, 2)
    assert (result.unexpected_count, result.unexpected_percent) == (5, 5 / 6 * 100)


@pytest.mark.parametrize("values", [[], [None, None], [1], [1, 2, 3, None, None]])
@pytest.mark.parametrize("type", ["BIGINT", "VARCHAR"])
def test_what_does_not_repeat_is_unique(verdict: Verdict, type: str, values: list[Any]) -> None:
    assert verdict(type, values, UNIQUE).success


def test_nan_and_null_are_missing_and_zeros_are_equal(verdict: Verdict) -> None:
    result = verdict("DOUBLE", [NAN, NAN, None, None, 0.0, -0.0, 1.0], UNIQUE)
    assert (result.missing_count, result.unexpected_count) == (4, 2)


@pytest.mark.parametrize(("mostly", "success"), [(0.5, True), (0.51, False)])
def test_mostly_is_the_share_outside_groups(verdict: Verdict, mostly: float, success: bool) -> None:
    assert verdict("INTEGER", [1, 2, 3, 3], UNIQUE, mostly=mostly).success is success


@pytest.mark.parametrize("type", INTEGERS)
def test_the_limits_of_integer_types_are_counted(connection: duckdb.DuckDBPyConnection, type: str) -> None:
    low, high = (int(connection.execute(f"SELECT {end}").fetchall()[0][0]) for end in limits(type))
    for values in ([low, low + 1, low + 2], [high - 2, high - 1, high], [low, high]):
        rows = ", ".join(f"('{value}'::{type})" for value in values)
        assert evaluate(connection, f"(VALUES {rows}) v(c)", [unique_c()])[0].success
        assert evaluate(connection, f"(VALUES {rows}, {rows}) v(c)", [unique_c()])[0].unexpected_count == 2 * len(
            values
        )


def limits(type: str) -> tuple[str, str]:
    bits = {"TINYINT": 8, "SMALLINT": 16, "INTEGER": 32, "UINTEGER": 32, "BIGINT": 64, "HUGEINT": 128}
    width = next(bits[name] for name in (type, type.removeprefix("U")) if name in bits)
    low, high = (0, 2**width - 1) if type.startswith("U") else (-(2 ** (width - 1)), 2 ** (width - 1) - 1)
    return f"'{low}'::{type}", f"'{high}'::{type}"


def unique_c() -> Expectation:
    return Expectation(type=UNIQUE, kwargs={"column": "c"})


@settings(max_examples=40, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=st.lists(st.one_of(st.integers(-6, 6), st.integers(-200, 200), st.none()), max_size=14))
@pytest.mark.parametrize("type", ["INTEGER", "VARCHAR"])
def test_counts_as_a_counter_does(verdict: Verdict, type: str, values: list[int | None]) -> None:
    assert verdict(type, values, UNIQUE).unexpected_count == in_groups([value for value in values if value is not None])


ROWS = [(1, 1.0), (1, 1.0), (1, 2.0), (None, 1.0), (None, 1.0), (1, None), (1, NAN), (None, None), (None, NAN)]


@pytest.mark.parametrize(
    ("ignore_row_if", "missing", "unexpected"),
    [(None, 2, 6), ("all_values_are_missing", 2, 6), ("any_value_is_missing", 6, 2), ("never", 0, 8)],
)
def test_compound_ignores_what_it_is_told_to(
    connection: duckdb.DuckDBPyConnection, ignore_row_if: str | None, missing: int, unexpected: int
) -> None:
    connection.execute("CREATE TABLE t (a INTEGER, b DOUBLE)")
    connection.executemany("INSERT INTO t VALUES (?, ?)", ROWS)
    kwargs = {"column_list": ["a", "b"], "ignore_row_if": ignore_row_if}
    result = evaluate(connection, "t", [Expectation(type=COMPOUND, kwargs=kwargs)])[0]
    assert (result.element_count, result.missing_count, result.unexpected_count) == (9, missing, unexpected)
    assert result.success is False


@pytest.mark.parametrize("type", ["INTEGER[]", "STRUCT(a INTEGER)", "DATE", "TIMESTAMPTZ", "UUID", "BLOB", "INTERVAL"])
def test_any_type_can_be_a_key(connection: duckdb.DuckDBPyConnection, type: str) -> None:
    null_only = f"(SELECT NULL::{type} AS c, i FROM range(3) r(i))"
    key = Expectation(type=COMPOUND, kwargs={"column_list": ["c", "i"], "ignore_row_if": "never"})
    assert [result.success for result in evaluate(connection, null_only, [unique_c(), key])] == [True, True]


@pytest.mark.parametrize("again", [0, 1, 131_071, 131_072, 299_998])
def test_a_key_that_occurs_again_is_found_wherever_it_stands(connection: duckdb.DuckDBPyConnection, again: int) -> None:
    """Within a batch, at its edges, and in another one."""
    relation = f"(SELECT CASE WHEN i = 299999 THEN {again} ELSE i END * 7919 AS c FROM range(300000) r(i))"
    assert evaluate(connection, relation, [unique_c()])[0].unexpected_count == 2


def test_keys_whose_hashes_collide_are_no_duplicates(
    connection: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_two = property(lambda plan: exp.Mod(this=exp.Anonymous(this="HASH", expressions=plan._key), expression=two()))
    monkeypatch.setattr(UniquePlan, "_hash", of_two)
    assert evaluate(connection, "range(9) v(c)", [unique_c()])[0].success
    assert evaluate(connection, "(SELECT i // 2 AS c FROM range(9) v(i))", [unique_c()])[0].unexpected_count == 8


def two() -> exp.Expr:
    return exp.Literal.number(2)


def test_only_the_rows_of_a_condition_are_judged(connection: duckdb.DuckDBPyConnection) -> None:
    kwargs = {"column": "c", "row_condition": "i > 2", "condition_parser": "pandas"}
    of_some = Expectation(type=UNIQUE, kwargs=kwargs)
    results = evaluate(connection, "(SELECT i, greatest(i, 3) AS c FROM range(9) v(i))", [of_some, unique_c()])
    assert [result.unexpected_count for result in results] == [0, 4]


@pytest.mark.parametrize("rows", [2 * TURNS_MAX, 2 * TURNS_MAX + 1])
def test_more_turns_than_are_worth_it_are_left_to_duckdb(
    connection: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch, each_way: str, rows: int
) -> None:
    sizes: list[int] = []

    def noted(*arguments: Any, **named: Any) -> Any:
        found = sorted_numbers(*arguments, **named)
        sizes.append(0 if found is None else len(found))
        return found

    sorted_numbers = sorting.sorted_numbers
    monkeypatch.setattr(sorting, "sorted_numbers", noted)
    assert evaluate(connection, f"range({rows}) v(c)", [unique_c()])[0].success
    turns = {"by DuckDB": 0, "sorted": 1, "sorted in turns": TURNS_MAX if rows <= 2 * TURNS_MAX else 0}[each_way]
    assert len(sizes) == turns
    assert sum(sizes) == (rows if turns else 0)
