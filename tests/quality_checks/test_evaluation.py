"""Evaluating many expectations: few queries, any names, clear errors without values."""

from collections.abc import Sequence
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quality_checks import Expectation, QualityError, evaluate, primary_key

NOT_NULL = "expect_column_values_to_not_be_null"
UNIQUE = "expect_column_values_to_be_unique"
BETWEEN = "expect_column_values_to_be_between"
IN_SET = "expect_column_values_to_be_in_set"
REGEX = "expect_column_values_to_match_regex"
COMPOUND = "expect_compound_columns_to_be_unique"
ROW_COUNT = "expect_table_row_count_to_be_between"


def a_rule(type: str = NOT_NULL, **kwargs: Any) -> Expectation:
    return Expectation(type=type, kwargs=kwargs)


def rules_of_every_type(column: str, other: str) -> list[Expectation]:
    return [
        a_rule(NOT_NULL, column=column),
        a_rule(UNIQUE, column=column),
        a_rule(BETWEEN, column=column, min_value="a"),
        a_rule(IN_SET, column=column, value_set=["a", "b"]),
        a_rule(REGEX, column=column, regex="^[a-z]$"),
        a_rule(COMPOUND, column_list=[column, other]),
        a_rule(ROW_COUNT, min_value=1),
    ]


class Counting:
    """A connection that keeps the SQL it was asked."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection, self.asked = connection, list[str]()

    def execute(self, sql: str) -> duckdb.DuckDBPyConnection:
        self.asked.append(sql)
        return self.connection.execute(sql)


def queries(connection: duckdb.DuckDBPyConnection, relation: str, rules: Sequence[Expectation]) -> list[str]:
    counting = Counting(connection)
    evaluate(counting, relation, rules)  # type: ignore[arg-type]
    described, *asked = counting.asked
    assert described.startswith("DESCRIBE ")
    return asked


def test_nothing_is_asked_for_no_expectations(connection: duckdb.DuckDBPyConnection) -> None:
    assert evaluate(connection, "no_such_table", []) == []


def test_results_come_in_the_order_of_the_expectations(connection: duckdb.DuckDBPyConnection) -> None:
    rules = rules_of_every_type("c", "d")
    results = evaluate(connection, "(VALUES ('a', 1), ('b', 2)) v(c, d)", rules)
    assert [result.expectation for result in results] == rules
    assert all(result.success for result in results)


def test_one_scan_answers_all_row_and_table_rules(connection: duckdb.DuckDBPyConnection) -> None:
    rules = [rule for rule in rules_of_every_type("c", "d") if rule.type not in (UNIQUE, COMPOUND)]
    assert len(queries(connection, "(VALUES ('a', 1), ('b', 2)) v(c, d)", rules)) == 1


def test_each_uniqueness_costs_one_query_and_one_more_when_it_fails(connection: duckdb.DuckDBPyConnection) -> None:
    both = [a_rule(UNIQUE, column="c"), a_rule(COMPOUND, column_list=["c", "d"])]
    assert len(queries(connection, "(VALUES ('a', 1), ('b', 2)) v(c, d)", both)) == 3
    assert len(queries(connection, "(VALUES ('a', 1), ('a', 2)) v(c, d)", both)) == 4


def test_an_aggregate_that_rules_share_is_computed_once(connection: duckdb.DuckDBPyConnection) -> None:
    rules = [a_rule(IN_SET, column="c", value_set=["a"]), a_rule(REGEX, column="c", regex="a")]
    (scan,) = queries(connection, "(VALUES ('a'), ('b')) v(c)", rules)
    assert scan.count('COUNT("c")') == scan.count("COUNT(*)") == 1


def test_dense_integers_are_proved_by_a_bitmap_and_sparse_ones_by_hashes(connection: duckdb.DuckDBPyConnection) -> None:
    unique = [a_rule(UNIQUE, column="c")]
    assert "BITSTRING_AGG" in queries(connection, "range(9) v(c)", unique)[1]
    assert "HASH" in queries(connection, "(SELECT i * 9 AS c FROM range(9) v(i))", unique)[1]


def test_more_rows_than_values_need_no_proof(connection: duckdb.DuckDBPyConnection) -> None:
    _scan, exact = queries(connection, "(SELECT i % 2 AS c FROM range(9) v(i))", [a_rule(UNIQUE, column="c")])
    assert "GROUP BY" in exact


HOSTILE = [
    'we"ird',
    "a.b",
    "select",
    "a b",
    "é",
    "--",
    "1",
    "*",
    "t",
    "count",
    "size",
    "groups",
    "a'b",
    "\\",
    "$1",
    "%s",
    "{x}",
]


@pytest.mark.parametrize("name", [*HOSTILE, "'; DROP TABLE t; --"])
def test_a_columns_name_is_only_ever_a_name(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    quoted = '"' + name.replace('"', '""') + '"'
    connection.execute(f"CREATE TABLE t ({quoted} VARCHAR, other INTEGER)")
    connection.execute("INSERT INTO t VALUES ('a', 1), ('b', 1), ('b', 1), ('1', 2), (NULL, 2)")
    results = evaluate(connection, "t", rules_of_every_type(name, "other"))
    assert [result.unexpected_count for result in results] == [1, 2, 1, 1, 1, 2, None]


@settings(max_examples=25, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=8))
def test_any_name_that_duckdb_takes_is_found(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    quoted = '"' + name.replace('"', '""') + '"'
    connection.execute(f"CREATE OR REPLACE TABLE t ({quoted} INTEGER)")
    assert all(result.success for result in evaluate(connection, "t", primary_key([name])))


@pytest.mark.parametrize(
    "relation",
    [
        "t",
        "main.t",
        '"t"',
        "(SELECT c FROM t WHERE c > 0)",
        "(FROM t)",
        "t AS renamed",
        "range(3) r(c)",
        "(VALUES (1)) v(c)",
    ],
)
def test_whatever_stands_after_from_can_be_examined(connection: duckdb.DuckDBPyConnection, relation: str) -> None:
    connection.execute("CREATE TABLE t AS SELECT 1 AS c")
    assert all(result.success for result in evaluate(connection, relation, primary_key(["c"])))


def test_parquet_files_can_be_examined(connection: duckdb.DuckDBPyConnection, tmp_path: Any) -> None:
    paths = [tmp_path / name for name in ("a.parquet", "it's b.parquet")]
    for number, path in enumerate(paths):
        connection.execute(
            f"COPY (SELECT {number} AS c) TO '{str(path).replace(chr(39), chr(39) * 2)}' (FORMAT parquet)"
        )
    listed = ", ".join("'" + str(path).replace("'", "''") + "'" for path in paths)
    results = evaluate(connection, f"read_parquet([{listed}])", [*primary_key(["c"]), a_rule(ROW_COUNT, min_value=2)])
    assert [result.success for result in results] == [True, True, True]


@pytest.mark.parametrize("relation", ["", "t; DROP TABLE t", "t WHERE false", "t ORDER BY c", "(SELECT 1", "t LIMIT 1"])
def test_text_that_cannot_stand_after_from_is_refused(connection: duckdb.DuckDBPyConnection, relation: str) -> None:
    connection.execute("CREATE TABLE t AS SELECT 1 AS c")
    with pytest.raises(QualityError, match="cannot stand after FROM"):
        evaluate(connection, relation, primary_key(["c"]))
    assert connection.execute("SELECT * FROM t").fetchall() == [(1,)]


def test_a_relation_that_does_not_exist_is_named(connection: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(QualityError, match="nothing_here cannot be read"):
        evaluate(connection, "nothing_here", primary_key(["c"]))


def test_a_rule_that_does_not_fit_its_column_fails_alone_and_says_why(connection: duckdb.DuckDBPyConnection) -> None:
    rules = [a_rule(NOT_NULL, column="c"), a_rule(BETWEEN, column="c", min_value=5), a_rule(NOT_NULL, column="d")]
    fits, between, not_null = evaluate(connection, "(VALUES ('secret')) v(c)", rules)
    assert (fits.success, fits.error) == (True, None)
    assert not between.success
    assert not not_null.success
    assert str(between.error).startswith("column 'c' is VARCHAR, not to be compared with 5")
    assert str(not_null.error).startswith("there is no column 'd'")


def test_a_type_that_nobody_knows_has_failed(connection: duckdb.DuckDBPyConnection) -> None:
    (result,) = evaluate(connection, "range(3)", [a_rule("expect_colum_to_exist", column="range")])
    assert not result.success
    assert "did you mean 'expect_column_to_exist'?" in str(result.error)


@pytest.mark.parametrize("number", range(5))
def test_a_column_that_cannot_be_read_is_named_its_values_are_not_and_others_are_judged(
    connection: duckdb.DuckDBPyConnection, number: int
) -> None:
    relation = "(SELECT s::INTEGER AS c, 1 AS d FROM (VALUES ('1'), ('secret')) v(s))"
    rules = [a_rule(NOT_NULL, column="d") for _ in range(4)]
    rules.insert(number, a_rule(BETWEEN, column="c", min_value=0))
    results = evaluate(connection, relation, rules)
    assert [result.success for result in results] == [at != number for at in range(5)]
    told = str(results[number].error)
    assert told.startswith("cannot be evaluated on 'c': DuckDB raised ConversionException")
    assert "secret" not in repr(results)


def test_a_key_that_cannot_be_read_is_named_and_its_values_are_not(connection: duckdb.DuckDBPyConnection) -> None:
    relation = "(SELECT error('secret') AS c, 1 AS d FROM range(3))"
    (result,) = evaluate(connection, relation, [a_rule(COMPOUND, column_list=["c", "d"], ignore_row_if="never")])
    assert not result.success
    assert str(result.error).startswith("cannot be evaluated on 'c', 'd'")
    assert "secret" not in repr(result)


def test_within_a_transaction_all_rules_of_a_failed_scan_have_failed(connection: duckdb.DuckDBPyConnection) -> None:
    rules = [a_rule(NOT_NULL, column="d"), a_rule(BETWEEN, column="c", min_value=0)]
    connection.begin()
    results = evaluate(connection, "(SELECT s::INTEGER AS c, 1 AS d FROM (VALUES ('secret')) v(s))", rules)
    assert [result.success for result in results] == [False, False]
    assert all(result.error for result in results)


def test_within_a_transaction_what_follows_an_error_has_failed_too(connection: duckdb.DuckDBPyConnection) -> None:
    connection.begin()
    bad = a_rule(COMPOUND, column_list=["c", "d"], ignore_row_if="never")
    results = evaluate(
        connection, "(SELECT error('secret') AS c, 1 AS d FROM range(3))", [bad, a_rule(UNIQUE, column="d")]
    )
    assert not any(result.success for result in results)


def test_many_rules_on_many_columns_are_judged_in_seconds(connection: duckdb.DuckDBPyConnection) -> None:
    columns = ", ".join(f"i + {at} AS c{at}" for at in range(10_000))
    rules = [a_rule(NOT_NULL, column=f"c{at}") for at in range(0, 10_000, 10)]
    results = evaluate(connection, f"(SELECT {columns} FROM range(3) r(i))", rules)
    assert all(result.success for result in results)


def test_running_out_of_memory_is_not_blamed_on_a_rule() -> None:
    connection = duckdb.connect(config={"memory_limit": "4MB", "temp_directory": ""})
    with connection, pytest.raises(duckdb.OutOfMemoryException):
        evaluate(connection, "(SELECT i::VARCHAR AS c FROM range(1000000) r(i))", [a_rule(UNIQUE, column="c")])
