"""Free SQL reads the batch and nothing else; comparisons with another table."""

from pathlib import Path
from typing import Any

import duckdb
import pytest

from quality_checks import Expectation, Result, evaluate, problems

FREE = "unexpected_rows_expectation"
SAME = "expect_table_row_count_to_equal_other_table"
EXISTS = "expect_column_values_to_exist_in_other_table"
BATCH = "(VALUES (1, 'a'), (2, 'b'), (NULL, 'c')) v(n, s)"


def judged(
    connection: duckdb.DuckDBPyConnection, type: str, tables: dict[str, str] | None = None, **kwargs: Any
) -> Result:
    (result,) = evaluate(connection, BATCH, [Expectation(type=type, kwargs=kwargs)], tables=tables or {})
    return result


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("SELECT * FROM {batch} WHERE n > 1", 1),
        ("SELECT * FROM {batch} WHERE n > 5", 0),
        ("SELECT n, count(*) FROM {batch} GROUP BY n HAVING count(*) > 1", 0),
        ("WITH big AS (SELECT * FROM {batch} WHERE n > 0) SELECT * FROM big AS b JOIN {batch} AS c ON b.n = c.n", 2),
        ("SELECT * FROM (SELECT n FROM {batch}) t WHERE n IN (SELECT n FROM {batch})", 2),
        ("SELECT 1 FROM {batch} UNION ALL SELECT 2 FROM {batch}", 6),
        ("SELECT * FROM {batch}, unnest([1, 2]) AS t(x) WHERE n IS NULL", 2),
        ('WITH "BIG" AS (FROM {batch}), bigger AS (FROM big) SELECT * FROM (SELECT * FROM bigger) t', 3),
    ],
)
def test_the_rows_that_a_select_finds_are_unexpected(
    connection: duckdb.DuckDBPyConnection, query: str, found: int
) -> None:
    result = judged(connection, FREE, unexpected_rows_query=query)
    assert (result.error, result.success, result.observed_value) == (None, found == 0, found)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM secrets",
        "SELECT * FROM {batch}, secrets",
        "SELECT * FROM {batch} WHERE n IN (SELECT n FROM secrets)",
        "SELECT (SELECT max(n) FROM secrets) FROM {batch}",
        "WITH t AS (FROM secrets) SELECT * FROM t, {batch}",
        "SELECT * FROM read_csv('FILE'), {batch}",
        "SELECT * FROM 'FILE', {batch}",
        'SELECT * FROM "FILE", {batch}',
        "SELECT * FROM {batch} JOIN read_text('FILE') ON true",
        "SELECT * FROM {batch}, LATERAL (SELECT * FROM read_text('FILE'))",
        "FROM {batch} SELECT query('SELECT 1')",
        "SELECT * FROM query('SELECT * FROM secrets'), {batch}",
        "SELECT * FROM query_table('secrets'), {batch}",
        "SELECT * FROM main.secrets, {batch}",
        "SELECT * FROM main.{batch}",
        "SELECT * FROM duckdb_settings(), {batch}",
        "SELECT * FROM {batch}; SELECT 1",
        "DROP TABLE secrets -- {batch}",
        "COPY (SELECT * FROM {batch}) TO 'FILE'",
        "CREATE TABLE t AS SELECT * FROM {batch}",
        "INSERT INTO secrets SELECT n FROM {batch}",
        "ATTACH 'FILE' AS f -- {batch}",
        "SELECT getenv('HOME') FROM {batch}",
        "SUMMARIZE {batch}",
        "SELECT * FROM secrets, (WITH secrets AS (SELECT 1 FROM {batch}) SELECT * FROM secrets) t",
        "WITH secrets AS (SELECT * FROM secrets) SELECT * FROM secrets, {batch}",
        "WITH a AS (SELECT * FROM secrets), secrets AS (SELECT 1) SELECT * FROM a, {batch}",
        "WITH RECURSIVE r AS (SELECT 1 AS x UNION ALL SELECT x + 1 FROM r) SELECT * FROM r, {batch}",
        "SELECT * FROM {batch} ORDER BY (SELECT max(n) FROM secrets)",
        "SELECT ARRAY(FROM secrets) FROM {batch}",
        "SELECT * FROM (TABLE secrets), {batch}",
        "SELECT nextval('s') FROM {batch}",
        "SELECT 's'.nextval() FROM {batch}",
        "SELECT current_setting('threads') FROM {batch}",
        "SELECT 1 WHERE false -- {batch}",
        "SELECT '{batch}' WHERE false",
        "PIVOT {batch} ON s USING count(*)",
        "SELECT",
        "{batch}",
        "",
    ],
)
def test_a_select_that_reads_anything_else_is_refused_and_never_runs(
    connection: duckdb.DuckDBPyConnection, query: str, tmp_path: Path
) -> None:
    file = tmp_path / "secret.csv"
    file.write_text("n\n1\n")
    connection.execute("CREATE OR REPLACE TABLE secrets AS SELECT 1 AS n")
    text = query.replace("FILE", str(file))
    result = judged(connection, FREE, unexpected_rows_query=text)
    assert not result.success
    assert result.error, "refused"
    assert problems(Expectation(type=FREE, kwargs={"unexpected_rows_query": text}), {"n": "INTEGER"})
    assert connection.execute("SELECT * FROM secrets").fetchall() == [(1,)]
    assert file.read_text() == "n\n1\n"


def test_a_tables_name_is_no_set_of_values(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("CREATE OR REPLACE TABLE secrets AS SELECT 1 AS n")
    assert judged(connection, FREE, unexpected_rows_query="SELECT n IN secrets FROM {batch}").error


def test_a_table_called_like_the_batch_is_not_read_in_its_place(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("CREATE OR REPLACE TABLE the_batch_in_question AS SELECT 9 AS n")
    result = judged(connection, FREE, unexpected_rows_query="SELECT * FROM {batch} WHERE n = 9")
    assert result.success


def test_a_select_that_fails_on_the_data_has_failed_without_a_value(connection: duckdb.DuckDBPyConnection) -> None:
    result = judged(connection, FREE, unexpected_rows_query="SELECT s::INTEGER AS x FROM {batch} WHERE x > 0")
    assert not result.success
    assert "ConversionException" in str(result.error)
    assert "'a'" not in str(result.error)


def test_row_counts_are_compared_with_another_table(connection: duckdb.DuckDBPyConnection) -> None:
    assert judged(connection, SAME, {"other": "range(3)"}, other_table_name="other").success
    result = judged(connection, SAME, {"other": "range(4)"}, other_table_name="other")
    assert (result.success, result.observed_value) == (False, [3, 4])


def test_values_are_looked_up_in_another_table_and_missing_ones_are_not_judged(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    known = {"other": "(VALUES (1), (NULL), (7)) o(n)"}
    result = judged(connection, EXISTS, known, column="n", other_table_name="other", other_column="n")
    assert (result.success, result.unexpected_count, result.missing_count) == (False, 1, 1)
    kwargs = {"column": "n", "other_table_name": "other", "other_column": "n", "mostly": 0.5}
    assert judged(connection, EXISTS, known, **kwargs).success
    narrowed = {**kwargs, "mostly": 1, "row_condition": "n < 2", "condition_parser": "pandas"}
    assert judged(connection, EXISTS, known, **narrowed).success


@pytest.mark.parametrize(
    ("tables", "told"),
    [({}, "no table 'other'"), ({"other": "nowhere"}, "CatalogException"), ({"other": "range(2)"}, "BinderException")],
)
def test_a_table_or_column_that_is_not_there_is_a_failure(
    connection: duckdb.DuckDBPyConnection, tables: dict[str, str], told: str
) -> None:
    result = judged(connection, EXISTS, tables, column="n", other_table_name="other", other_column="x")
    assert not result.success
    assert told in str(result.error)
