"""An audit of a Postgres part runs in Postgres: the same verdicts, and no row crosses."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
import psycopg
import pytest

from mesh_defs.model.version import Part, Version
from mesh_defs.storage.base import Storage
from mesh_defs.upkeep.audit import audit
from quality_checks import Expectation, evaluate
from tests.factories import a_contract
from tests.storage.places import Place, postgres_place

ROWS = "SELECT i AS id, 'user ' || i % 7 AS name, i / 3.0 AS cost FROM range({first}, {last}) AS t(i)"


def expect(type: str, **kwargs: Any) -> Expectation:
    return Expectation(type=f"expect_{type}", kwargs=kwargs)


ASKED = [
    expect("column_values_to_be_unique", column="id"),
    expect("column_values_to_match_regex", column="name", regex="^user [0-6]$"),
    expect("column_mean_to_be_between", column="cost", min_value=0, max_value=10),
    expect("column_distinct_values_to_be_in_set", column="name", value_set=["user 1"]),
    expect("table_row_count_to_equal", value=200),
]


@pytest.fixture
def place(postgres: str) -> Place:
    return postgres_place(postgres)


@pytest.fixture
def version(published: Callable[..., Version]) -> Version:
    """Two partitions."""
    published(ROWS.format(first=0, last=100), partition="2026-01-01")
    return published(ROWS.format(first=100, last=200), partition="2026-01-02")


def test_parts_are_judged_where_they_lie(storage: Storage, connection, version):
    relation = storage.relation(connection, version.parts)
    remote = storage.remote(connection, version.parts)
    assert remote is not None
    connection.execute(f"CREATE TABLE empty AS FROM {relation} LIMIT 0")
    there = evaluate(connection, relation, ASKED, through=remote)
    assert there == evaluate(connection, relation, ASKED)
    assert [result.success for result in there] == [True, True, False, False, True]
    # Whatever DuckDB read by itself would come from the empty table.
    assert evaluate(connection, "empty", ASKED, through=remote) == there
    storage.release(connection, version.parts)


@dataclass(frozen=True)
class Emptied:
    """The storage, but for that DuckDB reads none of its rows."""

    storage: Storage

    def relation(self, connection: duckdb.DuckDBPyConnection, parts: Sequence[Part]) -> str:
        return f"(SELECT * FROM {self.storage.relation(connection, parts)} LIMIT 0)"

    def __getattr__(self, name: str) -> Any:
        return getattr(self.storage, name)


def test_an_audit_asks_postgres(storage: Storage, connection, version):
    contract = a_contract(expectations=tuple(ASKED))
    results = audit(connection, storage, version.parts, contract)
    assert [result.success for result in results][-5:] == [True, True, False, False, True]
    assert audit(connection, Emptied(storage), version.parts, contract) == results


def test_a_database_of_another_encoding_is_judged_here(clock, connection, postgres_server):
    with psycopg.connect(postgres_server, autocommit=True) as owner:
        owner.execute("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    storage = postgres_place(psycopg.conninfo.make_conninfo(postgres_server, dbname="latin")).storage(clock)
    candidate = storage.stage(connection, ROWS.format(first=0, last=10))
    relation = storage.relation(connection, candidate.parts)
    assert storage.remote(connection, candidate.parts) is None
    assert evaluate(connection, relation, ASKED)[0].success
    storage.release(connection, candidate.parts)
    with psycopg.connect(postgres_server, autocommit=True) as owner:
        owner.execute("DROP DATABASE latin WITH (FORCE)")
