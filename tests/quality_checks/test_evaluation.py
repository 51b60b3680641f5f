"""Evaluating many expectations: few queries, any names, clear errors without values."""

from collections.abc import Sequence
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quality_checks import Expectation, QualityError, evaluate, primary_key, row_reasons, sorting

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


def test_many_keys_are_sorted_and_few_are_left_to_duckdb(
    connection: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    unique = [a_rule(UNIQUE, column="c")]
    assert "DISTINCT" in queries(connection, "range(9) v(c)", unique)[1]
    monkeypatch.setattr(sorting, "ROWS_MIN", 9)
    assert queries(connection, "range(9) v(c)", unique)[1].startswith('SELECT HASH("c") FROM')


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


def test_what_cannot_be_read_is_cut_out_in_few_scans(connection: duckdb.DuckDBPyConnection) -> None:
    columns = ", ".join(f"i AS c{at}" for at in range(63))
    relation = f"(SELECT error('secret')::INTEGER AS bad, {columns} FROM range(3) r(i))"
    good = [a_rule(NOT_NULL, column=f"c{at}") for at in range(63)]
    bad = [a_rule(NOT_NULL, column="bad"), a_rule(BETWEEN, column="bad", min_value=0)]
    rules = [bad[0], *good, bad[1]]
    counting = Counting(connection)
    results = evaluate(counting, relation, rules)  # type: ignore[arg-type]
    assert [result.success for result in results] == [False, *[True] * 63, False]
    assert len(counting.asked) < 20


def test_one_query_orders_a_column_for_all_its_rules(connection: duckdb.DuckDBPyConnection) -> None:
    quantiles = {"quantiles": [0, 0.5, 1], "value_ranges": [[0, 0], [None, None], [8, 8]]}
    rules = [
        a_rule("expect_column_median_to_be_between", column="c", min_value=4, max_value=4),
        a_rule("expect_column_median_to_be_between", column="c", min_value=5),
        a_rule("expect_column_quantile_values_to_be_between", column="c", quantile_ranges=quantiles),
    ]
    assert [result.success for result in evaluate(connection, "range(9) v(c)", rules)] == [True, False, True]
    assert len(queries(connection, "range(9) v(c)", rules)) == 2
    assert len(queries(connection, "range(0) v(c)", rules)) == 1


def test_an_aggregate_that_one_rule_needs_twice_is_answered_twice(connection: duckdb.DuckDBPyConnection) -> None:
    rule = a_rule("expect_column_pair_values_to_be_equal", column_A="c", column_B="c", ignore_row_if="neither")
    (result,) = evaluate(connection, "(VALUES (1), (NULL)) v(c)", [rule])
    assert (result.element_count, result.missing_count, result.unexpected_count) == (2, 0, 1)


@pytest.mark.parametrize("levels", [900, 5000])
def test_arguments_that_nest_too_deep_have_failed(connection: duckdb.DuckDBPyConnection, levels: int) -> None:
    nested: dict[str, Any] = {"type": "nullity", "column": {"name": "c"}, "is_null": False}
    for _ in range(levels):
        nested = {"type": "or", "conditions": [nested, {"type": "nullity", "column": {"name": "c"}, "is_null": True}]}
    deep = a_rule(NOT_NULL, column="c", row_condition=nested)
    results = evaluate(connection, "range(3) v(c)", [deep, a_rule(NOT_NULL, column="c")])
    assert [result.success for result in results] == [False, True]
    assert "nested too deep" in str(results[0].error)


def test_rows_are_told_from_one_another_by_a_predicate_that_is_never_null(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    relation = "(VALUES (1, 'a'), (2, NULL), (NULL, 'b'), (NULL, NULL)) v(n, s)"
    rules = [
        a_rule(NOT_NULL, column="n"),
        a_rule(BETWEEN, column="n", max_value=1),
        a_rule(IN_SET, column="s", value_set=["a"]),
        a_rule(REGEX, column="s", regex="^a$", row_condition="n > 5", condition_parser="pandas"),
        a_rule("expect_column_pair_values_to_be_equal", column_A="n", column_B="n", ignore_row_if="neither"),
        a_rule(UNIQUE, column="n"),
        a_rule(ROW_COUNT, min_value=9),
        a_rule(REGEX, column="s", regex="(?i)a"),
        a_rule(NOT_NULL, column="no such"),
    ]
    reasons = row_reasons(rules, {"n": "INTEGER", "s": "VARCHAR"})
    assert [rule for rule, _ in reasons] == rules[:5]
    predicates = ", ".join(predicate.sql("duckdb") for _, predicate in reasons)
    assert connection.execute(f"SELECT {predicates} FROM {relation}").fetchall() == [
        (False, False, False, False, False),
        (False, True, False, False, False),
        (True, False, True, False, True),
        (True, False, False, False, True),
    ]


@pytest.mark.parametrize("rows", ["", "WHERE i < 3"])
def test_every_type_of_rule_on_every_type_of_column_gives_a_verdict_or_an_error(
    connection: duckdb.DuckDBPyConnection, rows: str
) -> None:
    """Never an exception; and what says that it cannot be evaluated has failed."""
    columns = ", ".join(f"{value} AS c{at}" for at, value in enumerate(VALUES_OF_EVERY_TYPE))
    relation = f"(SELECT {columns} FROM range(5) r(i) {rows or 'WHERE false'})"
    rules = [
        rule
        for at in range(len(VALUES_OF_EVERY_TYPE))
        for column, other in ((f"c{at}", "c0"), (f"c{at}", f"c{(at + 1) % len(VALUES_OF_EVERY_TYPE)}"))
        for rule in aggregates_and_rules_of(column, other)
    ]
    results = evaluate(connection, relation, rules)
    assert all(not result.success for result in results if result.error)
    assert sum(result.error is None for result in results) > len(VALUES_OF_EVERY_TYPE) * 10


VALUES_OF_EVERY_TYPE = [
    "i::INTEGER",
    "(i - 170141183460469231731687303715884105728)::HUGEINT",
    "340282366920938463463374607431768211455::UHUGEINT",
    "i::UTINYINT",
    "(-0.0)::DOUBLE",
    "'inf'::FLOAT",
    "'nan'::DOUBLE",
    "'0.99999999999999999999999999999999999999'::DECIMAL(38,38)",
    "'99999999999999999999999999999999999999'::DECIMAL(38,0)",
    "i % 2 = 0",
    "'infinity'::DATE",
    "'290000-01-01'::TIMESTAMP",
    "TIMESTAMPTZ '2026-01-01 00:00:00+05'",
    "'a'::ENUM('a', 'b')",
    "'it''s'",
    "''::BLOB",
    "'101'::BIT",
    "[i, NULL]",
    "[1, 2]::INTEGER[2]",
    "{'a': i}",
    "MAP {'a': i}",
    "union_value(n := i)",
    "'00000000-0000-0000-0000-000000000000'::UUID",
    "'{}'::JSON",
    "INTERVAL 1 DAY",
    "TIME '00:00'",
    "NULL",
]


def aggregates_and_rules_of(column: str, other: str) -> list[Expectation]:
    quantiles = {"quantiles": [0, 0.5], "value_ranges": [[None, 1], [0, None]]}
    one: list[tuple[str, dict[str, Any]]] = [(NOT_NULL, {}), (UNIQUE, {}), (REGEX, {"regex": r"^\w"})]
    one += [(IN_SET, {"value_set": [value]}) for value in ("a", 1, 0.5, True, "2026-01-01", "2026-01-01T00:00Z")]
    one += [(BETWEEN, {"min_value": value}) for value in ("a", 1, 0.5, 1e30, "2026-01-01", "2026-01-01T00:00Z")]
    one += [(f"expect_column_{each}_to_be_between", {"min_value": 0}) for each in ("min", "sum", "mean", "median")]
    one += [("expect_column_distinct_values_to_equal_set", {"value_set": [1]})]
    one += [("expect_column_unique_value_count_to_be_between", {"min_value": 1})]
    one += [("expect_column_most_common_value_to_be_in_set", {"value_set": ["a"]})]
    one += [("expect_column_quantile_values_to_be_between", {"quantile_ranges": quantiles})]
    pair = {"column_A": column, "column_B": other}
    several = {"column_list": list(dict.fromkeys([column, other]))}
    return [
        *(a_rule(type, column=column, **kwargs) for type, kwargs in one),
        a_rule("expect_column_pair_values_to_be_equal", **pair),
        a_rule("expect_column_pair_values_a_to_be_greater_than_b", **pair),
        a_rule("expect_multicolumn_sum_to_equal", **several, sum_total=1),
        *([a_rule(COMPOUND, **several)] if column != other else []),
    ]


def test_many_rules_on_many_columns_are_judged_in_seconds(connection: duckdb.DuckDBPyConnection) -> None:
    columns = ", ".join(f"i + {at} AS c{at}" for at in range(10_000))
    rules = [a_rule(NOT_NULL, column=f"c{at}") for at in range(0, 10_000, 10)]
    results = evaluate(connection, f"(SELECT {columns} FROM range(3) r(i))", rules)
    assert all(result.success for result in results)


def test_running_out_of_memory_is_not_blamed_on_a_rule() -> None:
    connection = duckdb.connect(config={"memory_limit": "4MB", "temp_directory": ""})
    different = a_rule("expect_column_unique_value_count_to_be_between", column="c", min_value=1)
    with connection, pytest.raises(duckdb.OutOfMemoryException):
        evaluate(connection, "(SELECT i::VARCHAR AS c FROM range(1000000) r(i))", [different])
