"""Factories with valid defaults: `expect(type, …)`, `verdict(duckdb_type, values, type, …)` on a table `t` with column `c`."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import duckdb
import pytest

from quality_checks import Expectation, Result, evaluate

Expect = Callable[..., Expectation]
Verdict = Callable[..., Result]


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
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
