"""Numbers in order, as they come from DuckDB: exactly, at most so many, and with its errors."""

from typing import Any

import duckdb
import pytest

from quality_checks import Expectation, evaluate, sorting
from quality_checks.sorting import _duckdbs, all_differ, sorted_numbers

UNIQUE = Expectation(type="expect_column_values_to_be_unique", kwargs={"column": "c"})


@pytest.mark.parametrize(
    ("type", "values"),
    [
        ("BIGINT", [-(2**63), -1, 0, 2**63 - 1]),
        ("UBIGINT", [0, 1, 2**64 - 1]),
        ("TINYINT", [-128, 0, 127]),
        ("DOUBLE", [float("-inf"), -0.5, 0.1, float("inf")]),
        ("FLOAT", [-0.5, 0.25]),
        ("INTEGER", []),
    ],
)
def test_numbers_come_in_order(connection: duckdb.DuckDBPyConnection, type: str, values: list[Any]) -> None:
    listed = "[" + ", ".join(f"'{value}'" for value in reversed(values)) + "]"
    found = sorted_numbers(connection.execute(f"SELECT unnest({listed}::{type}[])"), at_most=4)
    assert found is not None
    assert found.tolist() == values


@pytest.mark.parametrize("type", ["HUGEINT", "UHUGEINT", "DECIMAL(9,2)", "VARCHAR", "BOOLEAN", "DATE", "BIGNUM"])
def test_what_numpy_does_not_hold_exactly_is_not_sorted(connection: duckdb.DuckDBPyConnection, type: str) -> None:
    assert sorted_numbers(connection.execute(f"SELECT NULL::{type}"), at_most=1) is None
    assert connection.execute("SELECT 1").fetchall() == [(1,)]


@pytest.mark.parametrize("batch_rows", [1, 1_000, 2**17])
def test_no_more_are_held_than_are_allowed(
    connection: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch, batch_rows: int
) -> None:
    monkeypatch.setattr(sorting, "_BATCH_ROWS", batch_rows)
    assert sorted_numbers(connection.execute("FROM range(5000)"), at_most=4_999) is None
    found = sorted_numbers(connection.execute("FROM range(5000)"), at_most=5_000)
    assert found is not None
    assert all_differ(found)
    assert found.tolist() == list(range(5_000))


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Out of Memory Error: could not allocate", duckdb.OutOfMemoryException),
        ("IO Error: read", duckdb.IOException),
        ("HTTP Error: 503", duckdb.HTTPException),
        ("INTERRUPT Error: Interrupted!", duckdb.InterruptException),
        ("Conversion Error: 'secret'", duckdb.ConversionException),
        ("Unheard of Error: 'secret'", duckdb.Error),
        ("", duckdb.Error),
    ],
)
def test_an_error_while_arrow_reads_is_duckdbs(text: str, kind: type[duckdb.Error]) -> None:
    assert type(_duckdbs(OSError(text))) is kind


def test_a_key_that_cannot_be_read_to_its_end_is_named_and_its_values_are_not(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    """The scan counts the rows without reading the key, whose last value DuckDB refuses while Arrow reads."""
    key = "CASE WHEN i = 999999 THEN error('secret')::BIGINT ELSE i END"
    compound = Expectation(
        type="expect_compound_columns_to_be_unique", kwargs={"column_list": ["c", "i"], "ignore_row_if": "never"}
    )
    (result,) = evaluate(connection, f"(SELECT i, {key} AS c FROM range(1000000) r(i))", [compound])
    assert not result.success
    assert "cannot be evaluated on 'c', 'i': DuckDB raised InvalidInputException" in str(result.error)
    assert "secret" not in repr(result)


def test_stopping_is_no_verdict(connection: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(reader: Any, at_most: int) -> Any:
        raise OSError("INTERRUPT Error: Interrupted!")

    monkeypatch.setattr(sorting, "ROWS_MIN", 0)
    monkeypatch.setattr(sorting, "_collected", stopped)
    with pytest.raises(duckdb.InterruptException):
        evaluate(connection, "range(9) v(c)", [UNIQUE])
