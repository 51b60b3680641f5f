"""How a relation's columns come to pandas: no value is lost on the way."""

from datetime import datetime
from decimal import Decimal
from typing import Any

import duckdb
import pytest

from quality_checks.frames import frame_of, rows_of
from quality_checks.relation import Relation, UnansweredError


def cells(connection: duckdb.DuckDBPyConnection, type: str, *values: str) -> tuple[str, list[Any]]:
    connection.execute("CREATE OR REPLACE TABLE t (c ENUM('a'))".replace("ENUM('a')", type))
    for value in (*values, "NULL"):
        connection.execute(f"INSERT INTO t VALUES ({value})")
    relation = Relation.parse(connection, "t")
    series = frame_of(relation, relation.columns())["c"]
    assert series.isna().tolist()[-1]
    return str(series.dtype), series.tolist()[:-1]


@pytest.mark.parametrize("type", ["TINYINT", "BIGINT", "UINTEGER"])
def test_integers_stay_integers_beside_nulls(connection: duckdb.DuckDBPyConnection, type: str) -> None:
    assert cells(connection, type, "1", "100") == ("Int64", [1, 100])


def test_no_digit_of_an_integer_is_lost(connection: duckdb.DuckDBPyConnection) -> None:
    assert cells(connection, "BIGINT", str(2**53 + 1)) == ("Int64", [2**53 + 1])
    assert cells(connection, "UBIGINT", str(2**64 - 1)) == ("object", [2**64 - 1])
    assert cells(connection, "HUGEINT", str(2**127 - 1), str(1 - 2**127)) == ("object", [2**127 - 1, 1 - 2**127])


def test_a_decimal_equals_the_number_it_is_written_as(connection: duckdb.DuckDBPyConnection) -> None:
    assert cells(connection, "DECIMAL(15,2)", "0.1", "9999999999999.99") == ("float64", [0.1, 9999999999999.99])
    exact = "12345678901234567890123456789012345.678"
    assert cells(connection, "DECIMAL(38,3)", exact) == ("object", [Decimal(exact)])


def test_a_float_equals_the_number_it_is_written_as(connection: duckdb.DuckDBPyConnection) -> None:
    assert cells(connection, "FLOAT", "0.1", "'inf'") == ("float64", [0.1, float("inf")])
    assert cells(connection, "DOUBLE", "0.1", "'-inf'") == ("float64", [0.1, -float("inf")])


def test_text_is_objects(connection: duckdb.DuckDBPyConnection) -> None:
    assert cells(connection, "VARCHAR", "'é'", "''", "'a' || chr(10)") == ("object", ["é", "", "a\n"])
    assert cells(connection, "ENUM('x', 'y')", "'y'") == ("object", ["y"])
    assert cells(connection, "TIME", "'10:00'") == ("object", ["10:00:00"])


def test_times_are_times_far_from_today_too(connection: duckdb.DuckDBPyConnection) -> None:
    assert cells(connection, "TIMESTAMP", "'0001-01-01'") == ("datetime64[us]", [datetime(1, 1, 1)])
    assert cells(connection, "DATE", "'9999-12-31'") == ("datetime64[us]", [datetime(9999, 12, 31)])
    dtype, [nanoseconds] = cells(connection, "TIMESTAMP_NS", "'2026-01-01 00:00:00.123456789'")
    assert (dtype, nanoseconds.nanosecond) == ("datetime64[ns]", 789)


def test_instants_are_of_utc_whatever_the_session(connection: duckdb.DuckDBPyConnection) -> None:
    dtype, [instant] = cells(connection, "TIMESTAMPTZ", "'2026-01-01 02:00:00+02'")
    assert (dtype, instant.isoformat()) == ("datetime64[us, UTC]", "2026-01-01T00:00:00+00:00")


def test_booleans_and_nested_values(connection: duckdb.DuckDBPyConnection) -> None:
    assert cells(connection, "BOOLEAN", "true", "false") == ("boolean", [True, False])
    assert cells(connection, "INTEGER[]", "[1, 2]") == ("object", [[1, 2]])
    assert cells(connection, "STRUCT(k INTEGER)", "{'k': 1}") == ("object", [{"k": 1}])


@pytest.mark.parametrize("name", ['we"ird', "a.b", "c0", "c1", "é", "index", "select", "{x}"])
def test_a_columns_name_is_only_ever_a_name(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    quoted = '"' + name.replace('"', '""') + '"'
    relation = Relation.parse(connection, f"(SELECT 1 AS {quoted}, 2 AS other)")
    assert frame_of(relation, relation.columns()).to_dict("list") == {name: [1], "other": [2]}


def test_no_columns_are_rows_all_the_same(connection: duckdb.DuckDBPyConnection) -> None:
    relation = Relation.parse(connection, "range(3)")
    assert len(frame_of(relation, {})) == rows_of(relation) == 3


def test_what_duckdb_cannot_read_is_said_without_its_message(connection: duckdb.DuckDBPyConnection) -> None:
    relation = Relation.parse(connection, "(SELECT s::INTEGER AS c FROM (VALUES ('secret')) v(s))")
    with pytest.raises(UnansweredError) as unread:
        frame_of(relation, relation.columns())
    assert str(unread.value) == "ConversionException"
    assert unread.value.__context__ is None
