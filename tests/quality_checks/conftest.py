"""Factories: `expect(type, …)` declares, `verdict(duckdb_type, values, type, …)` judges a table of one column."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import duckdb
import pytest

from quality_checks import Expectation, Result, evaluate, sorting

Expect = Callable[..., Expectation]
Verdict = Callable[..., Result]


@pytest.fixture(scope="session")
def database() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(config={"threads": 1}) as database:
        yield database


@pytest.fixture
def connection(database: duckdb.DuckDBPyConnection) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection of its own to a database without tables; a test may leave the table `t` behind."""
    database.execute("DROP TABLE IF EXISTS t")
    with database.cursor() as connection:
        yield connection


@pytest.fixture
def expect() -> Expect:
    def expect(type: str, /, **kwargs: Any) -> Expectation:
        return Expectation(type=type, kwargs=kwargs)

    return expect


@pytest.fixture
def verdict(connection: duckdb.DuckDBPyConnection, expect: Expect) -> Verdict:
    def verdict(duckdb_type: str, values: Sequence[Any], type: str, /, **kwargs: Any) -> Result:
        connection.execute(f"CREATE OR REPLACE TABLE t (c {duckdb_type})")
        if values:
            connection.executemany("INSERT INTO t VALUES (?)", [[value] for value in values])
        return evaluate(connection, "t", [expect(type, column="c", **kwargs)])[0]

    return verdict


@pytest.fixture(params=["by DuckDB", "sorted", "sorted in turns"])
def each_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Judge few rows as many are judged: what they would be sorted for, and in how many turns, is for larger tables."""
    if request.param != "by DuckDB":
        monkeypatch.setattr(sorting, "ROWS_MIN", 0)
    if request.param == "sorted in turns":
        monkeypatch.setattr(sorting, "NUMBERS_MAX", 2)
    return str(request.param)
