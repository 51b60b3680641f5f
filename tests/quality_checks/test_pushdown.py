"""Postgres judges its own rows as DuckDB judges a copy of them, and only aggregates cross."""

from collections.abc import Iterator
from typing import Any

import duckdb
import psycopg
import pytest

from mesh_defs.model.names import literal
from mesh_defs.storage.extensions import load_extension
from quality_checks import Expectation, Remote, Result, evaluate, known_types
from quality_checks.pushdown import Stopped
from quality_checks.state import ColumnState
from quality_checks.state_scan import state_of
from tests.quality_checks.every_type import ROWS, every_expectation

REMOTE = Remote(database="there", tables=(("public", "rows"),))
OTHER = {"other": "other"}


@pytest.fixture(scope="module")
def database(postgres_server: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """`there.public.rows` in Postgres, the same rows as `here`, and the table `nothing` of the same columns."""
    with psycopg.connect(postgres_server, autocommit=True) as owner:
        owner.execute("CREATE DATABASE pushdown TEMPLATE template0")
    url = psycopg.conninfo.make_conninfo(postgres_server, dbname="pushdown")
    with duckdb.connect(config={"threads": 1}) as connection:
        load_extension(connection, "postgres")
        connection.execute(f"ATTACH {literal(url)} AS there (TYPE postgres)")
        connection.execute(f"CREATE TABLE there.public.rows AS {ROWS}")
        connection.execute("CREATE TABLE here AS FROM there.public.rows")
        connection.execute("CREATE TABLE nothing AS FROM here LIMIT 0")
        connection.execute("CREATE TABLE other AS SELECT id FROM here WHERE id < 8")
        yield connection
    with psycopg.connect(postgres_server, autocommit=True) as owner:
        owner.execute("DROP DATABASE pushdown WITH (FORCE)")


def told(result: Result) -> tuple[Any, ...]:
    """A result without what only rounding decides."""
    observed = result.observed_value
    rounded = [pytest.approx(each, rel=1e-12) if isinstance(each, float) else each for each in _listed(observed)]
    counts = (result.element_count, result.missing_count, result.unexpected_count, result.unexpected_percent)
    return (
        result.expectation,
        result.success,
        *counts,
        result.error,
        rounded,
        [type(each) for each in _listed(observed)],
    )


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def by_type(results: list[Result], others: list[Result]) -> dict[str, int]:
    """How many results differ, by the type of expectation."""
    types = [one.expectation.type for one, other in zip(results, others, strict=True) if told(one) != told(other)]
    return {type: types.count(type) for type in types}


def test_every_type_of_expectation_is_tried(database):
    assert {expectation.type for expectation in every_expectation()} == set(known_types())


@pytest.fixture(scope="module")
def here(database) -> list[Result]:
    return evaluate(database, "here", list(every_expectation()), tables=OTHER)


def test_verdicts_and_counts_are_those_of_duckdb_on_a_copy(database, here):
    results = evaluate(database, "there.public.rows", list(every_expectation()), tables=OTHER, through=REMOTE)
    assert by_type(results, here) == {}
    assert len(results) > 1500
    assert {result.success for result in results} == {True, False}


def test_no_rows_cross_but_for_what_postgres_cannot_say(database, here):
    """DuckDB is given a table without rows: whatever it still answers by itself comes out differently."""
    results = evaluate(database, "nothing", list(every_expectation()), tables=OTHER, through=REMOTE)
    assert by_type(results, here) == {
        "expect_column_values_to_exist_in_other_table": 1,
        "unexpected_rows_expectation": 1,
        "expect_column_values_to_be_unique": 1,  # of lists
        "expect_column_proportion_of_unique_values_to_be_between": 1,
        "expect_column_unique_value_count_to_be_between": 1,
        "expect_column_stdev_to_be_between": 8,  # of infinities, which DuckDB refuses
        "expect_column_values_to_match_regex": 3,  # 300 repeats
        # FLOAT beside another type; where counts differ from those of no rows
        "expect_column_pair_values_to_be_equal": 6,
        "expect_column_pair_values_a_to_be_greater_than_b": 12,
        "expect_multicolumn_sum_to_equal": 3,
        "expect_select_column_values_to_be_unique_within_record": 1,
    }


def test_several_tables_are_one_relation(database):
    rows = "(SELECT * FROM there.public.rows UNION ALL SELECT * FROM there.public.rows)"
    twice = Remote(database="there", tables=REMOTE.tables * 2)
    unique = Expectation(type="expect_column_values_to_be_unique", kwargs={"column": "id"})
    mean = Expectation(type="expect_column_mean_to_be_between", kwargs={"column": "price", "min_value": 0})
    asked = [unique, mean]
    assert list(map(told, evaluate(database, rows, asked, through=twice))) == list(
        map(told, evaluate(database, rows, asked))
    )


NAMES = ['"', "a.b", "select", "Übung", "it's", "UPPER", "%", "key_0", "rows", "answer_0", "size"]


def test_names_are_quoted_whatever_they_are(database):
    columns = ", ".join(f'{at} AS "{name.replace(chr(34), chr(34) * 2)}"' for at, name in enumerate(NAMES))
    database.execute(f'CREATE OR REPLACE TABLE there.public."it\'s ""odd""" AS SELECT {columns}')
    database.execute('CREATE OR REPLACE TABLE odd AS FROM there.public."it\'s ""odd""" LIMIT 0')
    remote = Remote(database="there", tables=(("public", 'it\'s "odd"'),))
    asked = [
        Expectation(type=f"expect_column_{type}", kwargs={"column": name, **kwargs})
        for at, name in enumerate(NAMES)
        for type, kwargs in (
            ("values_to_be_unique", {}),
            ("values_to_be_in_set", {"value_set": [at]}),
            ("min_to_be_between", {"min_value": at, "max_value": at}),
            ("unique_value_count_to_be_between", {"min_value": 1}),
            ("most_common_value_to_be_in_set", {"value_set": [at]}),
        )
    ]
    results = evaluate(database, "odd", asked, through=remote)
    assert [result.expectation.kwargs for result in results if not result.success] == []


def test_literals_stay_literals(database):
    texts = ["'; DROP TABLE rows; --", "\\'; SELECT 1; --", "$$", "%s", "{}", ":x", "?"]
    asked = [
        Expectation(type="expect_column_values_to_not_be_in_set", kwargs={"column": "text", "value_set": [text]})
        for text in texts
    ]
    asked += [
        Expectation(
            type="expect_column_values_to_not_match_like_pattern", kwargs={"column": "text", "like_pattern": text}
        )
        for text in texts
    ]
    results = evaluate(database, "nothing", asked, through=REMOTE)
    assert [(result.success, result.element_count) for result in results] == [(True, 8)] * len(asked)


def test_what_postgres_refuses_is_left_to_duckdb_and_quotes_nothing(database):
    """The view raises in Postgres on one row only; DuckDB, which gets other rows here, can judge."""
    database.execute(
        "CALL postgres_execute('there', 'CREATE OR REPLACE VIEW broken AS SELECT id, 1 / (id - 8) AS quotient FROM rows')"
    )
    database.execute("CREATE OR REPLACE TABLE whole AS SELECT 1 AS id, 2 AS quotient")
    remote = Remote(database="there", tables=(("public", "broken"),))
    asked = [Expectation(type="expect_column_values_to_be_between", kwargs={"column": "quotient", "min_value": 2})]
    (result,) = evaluate(database, "whole", asked, through=remote)
    assert (result.success, result.element_count, result.engine) == (True, 1, "compiled")


def test_a_statement_that_postgres_stops_is_a_failing_storage_and_no_verdict(database, postgres_server):
    url = psycopg.conninfo.make_conninfo(postgres_server, dbname="pushdown", options="-c statement_timeout=200")
    database.execute(f"ATTACH {literal(url)} AS hasty (TYPE postgres, READ_ONLY)")
    database.execute(
        "CALL postgres_execute('there', 'CREATE OR REPLACE VIEW slow AS SELECT id, text, pg_sleep(id)::text AS nap FROM rows')"
    )
    remote = Remote(database="hasty", tables=(("public", "slow"),))
    asked = [Expectation(type="expect_column_values_to_be_in_set", kwargs={"column": "nap", "value_set": ["secret"]})]
    with pytest.raises(Stopped) as raised:
        evaluate(database, "(SELECT id, text, text AS nap FROM nothing)", asked, through=remote)
    assert "secret" not in str(raised.value)
    assert raised.value.__context__ is None
    database.execute("DETACH hasty")


def test_a_read_only_attachment_is_enough(database, postgres_server):
    url = psycopg.conninfo.make_conninfo(
        postgres_server, dbname="pushdown", options="-c default_transaction_read_only=on"
    )
    database.execute(f"ATTACH {literal(url)} AS readonly (TYPE postgres, READ_ONLY)")
    asked = [Expectation(type="expect_table_row_count_to_equal", kwargs={"value": 8})]
    assert evaluate(database, "nothing", asked, through=Remote(database="readonly", tables=REMOTE.tables))[0].success
    database.execute("DETACH readonly")


def test_more_answers_than_postgres_has_columns_for_are_asked_in_turns(database):
    asked = [
        Expectation(type="expect_column_values_to_be_between", kwargs={"column": "id", "min_value": bound})
        for bound in range(2500)
    ]
    results = evaluate(database, "nothing", asked, through=REMOTE)
    assert [result.unexpected_count for result in results] == [min(max(bound - 1, 0), 8) for bound in range(2500)]


def test_a_state_is_computed_there_as_well(database):
    """A table without rows stands in for what DuckDB would read."""
    database.execute(
        "CREATE OR REPLACE TABLE there.public.finite AS SELECT * REPLACE (1 AS double, 2 AS real) FROM here"
    )
    database.execute("CREATE OR REPLACE TABLE finite AS FROM there.public.finite")
    remote = Remote(database="there", tables=(("public", "finite"),))
    mine, theirs = state_of(database, "finite"), state_of(database, "(FROM finite LIMIT 0)", through=remote)
    assert [_figures(column) for column in theirs.columns.values()] == [
        pytest.approx(_figures(column), rel=1e-12) for column in mine.columns.values()
    ]
    assert theirs.rows == 8


def _figures(column: ColumnState) -> list[float]:
    values = (column.present, column.total, column.squares, column.low, column.high)
    return [-1.5 if value is None else float(value) for value in values]


def test_more_regular_expressions_than_a_backend_keeps_are_asked_in_turns(database):
    regexes = [f"^[a-{last}]" for last in "bcdefghijklmnopqrstuvwxyz"] + [f"{char}$" for char in "abcdefghijkl"]
    asked = [
        Expectation(type="expect_column_values_to_match_regex", kwargs={"column": "text", "regex": regex})
        for regex in regexes
    ]
    found = evaluate(database, "nothing", asked, through=REMOTE)
    assert [told(each) for each in found] == [told(each) for each in evaluate(database, "here", asked)]


def test_a_backend_that_is_ended_is_a_failing_storage(database):
    database.execute(
        "CALL postgres_execute('there', 'CREATE OR REPLACE VIEW ended AS"
        " SELECT id, pg_terminate_backend(pg_backend_pid()) AS gone FROM rows')"
    )
    asked = [Expectation(type="expect_column_values_to_be_in_set", kwargs={"column": "gone", "value_set": [True]})]
    with pytest.raises(Stopped):
        evaluate(
            database,
            "(SELECT id, true AS gone FROM nothing)",
            asked,
            through=Remote(database="there", tables=(("public", "ended"),)),
        )
