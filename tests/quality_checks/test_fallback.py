"""What does not compile is judged by GX: the same rows, its own verdicts, nothing of a row, and never a silent pass."""

import json
import logging
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import duckdb
import pytest

from quality_checks import Expectation, QualityError, Result, fallback
from quality_checks.fallback import evaluate_with_gx, gx_problems
from quality_checks.gx_names import GX_SQL_TYPES, GX_TYPES
from quality_checks.registry import TYPES

JSON = "expect_column_values_to_be_json_parseable"
SCHEMA = "expect_column_values_to_match_json_schema"
INCREASING = "expect_column_values_to_be_increasing"
Z_SCORES = "expect_column_value_z_scores_to_be_less_than"
NOT_NULL = "expect_column_values_to_not_be_null"
IN_SET = "expect_column_values_to_be_in_set"
REGEX = "expect_column_values_to_match_regex"
ROW_COUNT = "expect_table_row_count_to_be_between"

SECRET = "xyzzy-4711"
PEOPLE = f"""(SELECT * FROM (VALUES
    (1, '{{"a": 1}}', DATE '2026-01-01', 0.5, 'de'),
    (2, '{SECRET}', DATE '2026-01-02', 1.5, 'us'),
    (3, NULL, NULL, NULL, 'us')) v(i, j, d, m, "two words"))"""


def a_rule(type: str, **kwargs: Any) -> Expectation:
    return Expectation(type=type, kwargs=kwargs)


def a_comparison(column: str, operator: str, parameter: Any) -> dict[str, Any]:
    return {"type": "comparison", "column": {"name": column}, "operator": operator, "parameter": parameter}


@pytest.fixture
def judge(connection: duckdb.DuckDBPyConnection) -> Any:
    def judge(type: str, /, relation: str = PEOPLE, **kwargs: Any) -> Result:
        return evaluate_with_gx(connection, relation, [a_rule(type, **kwargs)])[0]

    return judge


def test_gx_knows_the_types_that_are_written_down() -> None:
    from great_expectations.expectations.registry import list_registered_expectation_implementations

    assert frozenset(list_registered_expectation_implementations()) == GX_TYPES
    assert GX_SQL_TYPES < GX_TYPES


def test_gx_has_pandas_for_all_types_but_those_of_databases(connection: duckdb.DuckDBPyConnection) -> None:
    from great_expectations.expectations.registry import _registered_expectations, _registered_metrics

    for name in GX_TYPES:
        type = _registered_expectations[name]
        metrics = [f"{type.map_metric}.condition"] if hasattr(type, "map_metric") else type.metric_dependencies
        providers = [_registered_metrics[each]["providers"] for each in metrics if each in _registered_metrics]
        lacks = any("PandasExecutionEngine" not in each for each in providers)
        assert lacks == (name in GX_SQL_TYPES - {"expect_table_row_count_to_equal_other_table"}), name


def test_judges_what_only_gx_can(judge: Any) -> None:
    result = judge(JSON, column="j")
    assert (result.success, result.engine, result.error) == (False, "great_expectations", None)
    assert (result.element_count, result.missing_count, result.unexpected_count) == (3, 1, 1)
    assert result.unexpected_percent == 50.0


def test_reports_aggregates_as_json(judge: Any) -> None:
    assert judge("expect_column_max_to_be_between", column="i", max_value=9).observed_value == 3
    assert judge("expect_column_max_to_be_between", column="d", max_value="2027-01-01").observed_value == (
        "2026-01-02T00:00:00"
    )
    quantiles = {"quantiles": [0.0, 1.0], "value_ranges": [[0, 1], [1, 2]]}
    found = judge("expect_column_quantile_values_to_be_between", column="m", quantile_ranges=quantiles)
    assert (found.success, found.observed_value) == (True, [0.5, 1.5])
    assert type(found.success) is bool


def test_an_infinite_aggregate_is_no_json_number(judge: Any) -> None:
    assert judge("expect_column_max_to_be_between", "(SELECT 'inf'::DOUBLE AS c)", column="c", min_value=1) == Result(
        expectation=a_rule("expect_column_max_to_be_between", column="c", min_value=1),
        success=True,
        engine="great_expectations",
    )


def test_results_come_in_the_order_of_the_expectations(connection: duckdb.DuckDBPyConnection) -> None:
    rules = [
        a_rule(JSON, column="j"),
        a_rule(INCREASING, column="i"),
        a_rule("no_such_type"),
        a_rule(INCREASING, column="i"),
        a_rule(ROW_COUNT, min_value=3),
        a_rule(NOT_NULL, column="nowhere"),
        a_rule(JSON, column="j", mostly=0.5),
    ]
    results = evaluate_with_gx(connection, PEOPLE, rules)
    assert [result.expectation for result in results] == rules
    assert [result.success for result in results] == [False, True, False, True, True, False, True]
    assert [bool(result.error) for result in results] == [False, False, True, False, False, True, False]


def test_quantiles_of_one_column_get_their_own_numbers(connection: duckdb.DuckDBPyConnection) -> None:
    """GX 1.24.1 gives a batch's second quantile of a column the first one's value."""
    name = "expect_column_quantile_values_to_be_between"
    rules = [
        a_rule(name, column="m", quantile_ranges={"quantiles": [each], "value_ranges": [[each + 0.5, each + 0.5]]})
        for each in (0, 1)
    ]
    results = evaluate_with_gx(connection, PEOPLE, rules)
    assert [(result.success, result.observed_value) for result in results] == [(True, [0.5]), (True, [1.5])]


class Reading:
    """A connection that keeps the SQL it was asked."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection, self.asked = connection, list[str]()

    def execute(self, sql: str) -> duckdb.DuckDBPyConnection:
        self.asked.append(sql)
        return self.connection.execute(sql)


@pytest.mark.parametrize(
    ("rule", "read"),
    [
        (a_rule(JSON, column="j"), {"j"}),
        (a_rule(NOT_NULL, column="j", row_condition="i > 1 and `two words`.notnull()"), {"j", "i", "two words"}),
        (a_rule(NOT_NULL, column="j", row_condition=a_comparison("m", "!=", 1)), {"j", "m"}),
        (a_rule("expect_compound_columns_to_be_unique", column_list=["i", "d"]), {"i", "d"}),
        (a_rule("expect_column_pair_values_to_be_equal", column_A="i", column_B="m"), {"i", "m"}),
        (a_rule("expect_table_column_count_to_equal", value=5), {"i", "j", "d", "m", "two words"}),
    ],
)
def test_only_the_columns_that_are_named_are_read(
    connection: duckdb.DuckDBPyConnection, rule: Expectation, read: set[str]
) -> None:
    connection.execute(f"CREATE TABLE t AS FROM {PEOPLE}")
    reading = Reading(connection)
    evaluate_with_gx(reading, "t", [rule])  # type: ignore[arg-type]
    fetched = reading.asked[-1]
    assert {name for name in ("i", "j", "d", "m", "two words") if f'"{name}"' in fetched} == read


@pytest.mark.parametrize(
    ("condition", "parser", "rows"),
    [
        ("i.isin([1, 3])", None, 2),
        ('i > 1 and j.str.contains("xyz")', "pandas", 1),
        ('col("i") >= 2', "great_expectations", 2),
        ('col("d") > date("2026-01-01")', "great_expectations", 1),
        (a_comparison("two words", "==", "us"), None, 2),
        (a_comparison("d", ">", "2026-01-01"), None, 1),
        (a_comparison("j", "IN", ["it's", 'a" or "']), None, 0),
        ({"type": "nullity", "column": {"name": "m"}, "is_null": True}, None, 1),
    ],
)
def test_a_row_condition_narrows_the_rows(judge: Any, condition: Any, parser: str | None, rows: int) -> None:
    result = judge(NOT_NULL, column="i", row_condition=condition, condition_parser=parser)
    assert (result.error, result.element_count) == (None, rows)


def test_a_condition_that_gx_would_forget_is_refused(judge: Any) -> None:
    """GX 1.24.1 judges all pairs, and counts those of the row_condition: `(2, x)` would fail below."""
    pairs = {"column_A": "i", "column_B": "two words", "value_pairs_set": [[1, "de"], [None, None]]}
    found = judge("expect_column_pair_values_to_be_in_set", row_condition=a_comparison("i", "==", 1), **pairs)
    assert (found.success, found.element_count) == (True, 1)
    found = judge("expect_column_pair_values_to_be_in_set", row_condition="i.isin([1])", **pairs)
    assert (found.success, "GX forgets the 'row_condition'" in found.error) == (False, True)


def test_code_in_a_row_condition_is_not_run(judge: Any, tmp_path: Any) -> None:
    written = tmp_path / "written"
    for condition in (f"i.to_csv('{written}')", f"@pd.DataFrame().to_csv('{written}')"):
        result = judge(NOT_NULL, column="i", row_condition=condition)
        assert (result.success, result.engine) == (False, "great_expectations")
        assert "cannot be passed to GX" in result.error
    assert not written.exists()


def test_a_schema_elsewhere_is_not_fetched(judge: Any) -> None:
    schema = {"properties": {"a": {"$ref": "http://127.0.0.1:9/schema"}}}
    assert "would be fetched" in judge(SCHEMA, column="j", json_schema=schema).error
    within = {"$defs": {"n": {"type": "object"}}, "$ref": "#/$defs/n"}
    assert judge(SCHEMA, f"(FROM {PEOPLE} WHERE i = 1)", column="j", json_schema=within).success


def test_times_are_found_in_a_set_of_iso_texts(judge: Any) -> None:
    assert judge(IN_SET, column="d", value_set=["2026-01-01", "2026-01-02"]).success
    assert not judge(IN_SET, column="d", value_set=["2026-01-01"]).success


def test_statistics_of_decimals_are_computed(judge: Any) -> None:
    assert judge(Z_SCORES, column="m", threshold=3, double_sided=True).success


def test_numbers_that_int64_does_not_hold_are_compared(judge: Any) -> None:
    assert judge(IN_SET, f"(SELECT {2**100}::HUGEINT AS c)", column="c", value_set=[2**100]).success
    assert not judge(IN_SET, f"(SELECT {2**100}::HUGEINT AS c)", column="c", value_set=[2**100 + 1]).success


def test_an_error_within_gx_is_a_failure_without_any_value(
    judge: Any, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.DEBUG):
        result = judge(SCHEMA, column="j", json_schema={"type": "object"})
    assert (result.success, result.engine) == (False, "great_expectations")
    assert result.error.startswith("GX raised JSONDecodeError (its message is left out")
    written = capfd.readouterr()
    for text in (repr(result), json.dumps(result.as_gx()), caplog.text, written.out, written.err):
        assert SECRET not in text
    assert result.as_gx()["exception_info"]["raised_exception"] is True


@pytest.mark.parametrize(
    ("type", "kwargs"),
    [
        (JSON, {}),
        (REGEX, {"regex": "^$"}),
        (IN_SET, {"value_set": ["a"]}),
        ("expect_column_values_to_be_unique", {}),
        ("expect_column_distinct_values_to_be_in_set", {"value_set": ["a"]}),
        ("expect_column_distinct_values_to_equal_set", {"value_set": ["a"]}),
        ("expect_column_most_common_value_to_be_in_set", {"value_set": ["a"]}),
        ("expect_column_max_to_be_between", {"min_value": 5}),
        ("expect_column_max_to_be_between", {"min_value": "2026-01-01"}),
        ("expect_column_value_lengths_to_equal", {"value": 1}),
        ("expect_column_values_to_match_strftime_format", {"strftime_format": "%Y"}),
        ("expect_column_values_to_be_dateutil_parseable", {}),
        (Z_SCORES, {"threshold": 1, "double_sided": True}),
        (
            "expect_column_kl_divergence_to_be_less_than",
            {"threshold": 0.1, "partition_object": {"values": ["a", "b"], "weights": [0.5, 0.5]}},
        ),
    ],
)
def test_no_result_and_no_log_holds_a_rows_value(
    judge: Any, type: str, kwargs: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    twice = f"(SELECT '{SECRET}' AS c FROM range(2))"
    with caplog.at_level(logging.DEBUG):
        result = judge(type, twice, column="c", **kwargs)
    assert not result.success
    assert SECRET not in repr(result) + json.dumps(result.as_gx(), allow_nan=False) + caplog.text


def test_a_column_that_cannot_be_read_is_nothing_to_the_others(connection: duckdb.DuckDBPyConnection) -> None:
    relation = f"(SELECT s::INTEGER AS c, 1 AS d FROM (VALUES ('{SECRET}')) v(s))"
    broken, whole = evaluate_with_gx(connection, relation, [a_rule(INCREASING, column=name) for name in "cd"])
    assert (broken.success, whole.success) == (False, True)
    assert broken.error is not None
    assert broken.error.startswith("'c' cannot be read: DuckDB raised ConversionException")
    assert SECRET not in repr(broken)


def test_more_rows_than_the_limit_fail_unsampled(judge: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fallback, "FALLBACK_ROWS_MAX", 3)
    assert judge(INCREASING, "range(3)", column="range").success
    result = judge(INCREASING, "range(4)", column="range")
    assert (result.success, result.element_count) == (False, None)
    assert result.error.startswith("4 rows are more than the 3 that GX is given")


def test_a_relation_that_does_not_exist_is_named(judge: Any) -> None:
    with pytest.raises(QualityError, match="nothing_here cannot be read"):
        judge(INCREASING, "nothing_here", column="c")


def test_running_out_of_memory_is_no_verdict() -> None:
    connection = duckdb.connect(config={"memory_limit": "4MB", "temp_directory": "", "threads": 1})
    many = "(SELECT list(i)::VARCHAR AS c FROM range(1000000) r(i))"
    with connection, pytest.raises(duckdb.OutOfMemoryException):
        evaluate_with_gx(connection, many, [a_rule(JSON, column="c")])


def test_an_empty_table_is_judged(judge: Any) -> None:
    nothing = f"(FROM {PEOPLE} WHERE false)"
    result = judge(JSON, nothing, column="j")
    assert (result.success, result.element_count, result.unexpected_percent) == (True, 0, None)


def test_threads_get_their_own_numbers() -> None:
    """Threads that shared a GX context got another's numbers 52 times out of 60 (GX 1.24.1)."""
    barrier = threading.Barrier(4)

    def counted(number: int) -> list[int | None]:
        barrier.wait()
        with duckdb.connect(config={"threads": 1}) as connection:
            rules = [a_rule(JSON, column="range"), a_rule(ROW_COUNT, min_value=0)]
            return [
                found
                for rows in range(number * 10, number * 10 + 5)
                for result in evaluate_with_gx(
                    connection, f"(SELECT range::VARCHAR AS range FROM range({rows}))", rules
                )
                for found in [result.element_count if result.expectation.type == JSON else result.observed_value]
            ]  # type: ignore[misc]

    with ThreadPoolExecutor(4) as threads:
        for number, found in enumerate(threads.map(counted, range(4))):
            assert found == [rows for rows in range(number * 10, number * 10 + 5) for _ in range(2)]


def test_the_callers_own_gx_warnings_and_log_levels_stay() -> None:
    import great_expectations as gx
    from great_expectations.data_context.data_context.context_factory import project_manager

    mine = gx.get_context(mode="ephemeral")
    filters, level = list(warnings.filters), logging.getLogger("great_expectations").level
    with duckdb.connect() as connection:
        evaluate_with_gx(connection, "range(3)", [a_rule(INCREASING, column="range")])
    assert project_manager.get_current_project() is mine
    assert (list(warnings.filters), logging.getLogger("great_expectations").level) == (filters, level)


QUIET = """
import socket, sys
def refuse(*arguments): raise SystemExit("network")
socket.socket.connect = refuse
import duckdb, logging
logging.basicConfig(level="DEBUG")
from quality_checks import Expectation
from quality_checks.fallback import evaluate_with_gx
assert not {"pandas", "great_expectations"} & set(sys.modules)
KL = {"column": "x", "threshold": 1, "partition_object": {"bins": [0, 1, 2], "weights": [0.5, 0.5]}}
rules = [
    Expectation(type="expect_column_values_to_be_json_parseable", kwargs={"column": "c"}),
    Expectation(type="expect_column_values_to_not_be_null", kwargs={"column": "c", "row_condition": "c.notnull()"}),
    Expectation(type="expect_column_value_lengths_to_equal", kwargs={"column": "c", "value": 1}),
    Expectation(type="expect_column_values_to_match_json_schema", kwargs={"column": "c", "json_schema": {}}),
    Expectation(type="expect_column_kl_divergence_to_be_less_than", kwargs=KL),
]
results = evaluate_with_gx(duckdb.connect(), "(SELECT 'a' AS c, 1.0::DOUBLE AS x FROM range(2))", rules)
assert [result.error is None for result in results] == [True, True, True, False, True]
assert "great_expectations" in sys.modules
"""


def test_says_nothing_asks_no_network_and_writes_no_file(tmp_path: Any) -> None:
    environment = {
        "PATH": "",
        "HOME": str(tmp_path),
        "TMPDIR": str(tmp_path),
        "PYTHONWARNINGS": "default",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    run = subprocess.run([sys.executable, "-c", QUIET], capture_output=True, text=True, env=environment, cwd=tmp_path)
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")
    assert list(tmp_path.rglob("*")) == []


def refused() -> Iterator[tuple[Expectation, str]]:
    yield a_rule("expect_column_values_to_be_json_parsable"), "did you mean 'expect_column_values_to_be_json_parseable'"
    yield a_rule(JSON), "'column': field required"
    yield a_rule(JSON, column="j", mostly=2), "'mostly'"
    yield a_rule(JSON, column="j", most=1), "'most': extra fields not permitted"
    yield a_rule("unexpected_rows_expectation", unexpected_rows_query="SELECT 1"), "in databases only"
    yield a_rule(JSON, column="j", row_condition="@x"), "cannot be passed to GX"
    yield a_rule(SCHEMA, column="j", json_schema={"$ref": "file:///etc/passwd"}), "would be fetched"


@pytest.mark.parametrize(("rule", "problem"), refused())
def test_says_before_any_data_what_gx_would_refuse(rule: Expectation, problem: str) -> None:
    assert problem in "\n".join(gx_problems(rule))


def test_an_expectation_that_gx_refuses_fails_and_says_so(judge: Any) -> None:
    result = judge(JSON, column="j", mostly=2)
    assert (result.success, "GX refuses 'mostly'" in result.error) == (False, True)


def test_finds_nothing_wrong_with_what_gx_takes() -> None:
    assert gx_problems(a_rule(SCHEMA, column="j", json_schema={"type": "object"}, mostly=0.5)) == []
    assert gx_problems(a_rule(NOT_NULL, column="i", row_condition="i > 1", condition_parser="pandas")) == []


def test_every_compiled_type_is_a_type_of_gx_but_one_of_ours() -> None:
    assert set(TYPES) - GX_TYPES <= {"expect_column_values_to_exist_in_other_table"}
