"""One suite for every storage: each test that takes `storage` runs once per kind."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pytest

from mesh_defs.model.contract import StorageKind
from mesh_defs.model.version import Part, Version
from mesh_defs.storage.base import Storage
from tests.storage.places import FILES, KINDS, Place, a_place

Rows = list[tuple[Any, ...]]


class Clock:
    """A clock that moves only when told to."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 1, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **by: float) -> datetime:
        self.now += timedelta(**by)
        return self.now


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test runs for every kind of storage; one that takes `folder` is about files and runs for those kinds only."""
    if "kind" in metafunc.fixturenames:
        metafunc.parametrize("kind", FILES if "folder" in metafunc.fixturenames else KINDS, scope="function")


@pytest.fixture(params=FILES)
def file_kind(request: pytest.FixtureRequest) -> StorageKind:
    """For tests of folders that a storage of files may be given."""
    return request.param


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def place(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> Place:
    return a_place(kind, tmp_path / "events" / "impressions", request.getfixturevalue)


@pytest.fixture
def owner(postgres: str) -> Iterator[psycopg.Connection]:
    """Who may do everything there."""
    with psycopg.connect(postgres, autocommit=True) as connection:
        yield connection


@pytest.fixture
def role(owner: psycopg.Connection) -> Iterator[str]:
    """A role that may log in, and nothing else."""
    name = f"reader_{owner.info.backend_pid}"
    owner.execute(f"""CREATE ROLE {name} LOGIN PASSWORD 'pa''ss \\ "word"'""")
    yield name
    owner.execute(f"DROP OWNED BY {name}; DROP ROLE {name}")


@pytest.fixture
def folder(place: Place) -> Path:
    """The folder of a file storage's place."""
    return place.folder


@pytest.fixture
def storage(place: Place, clock: Clock) -> Storage:
    return place.storage(clock)


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(config={"threads": 2}) as connection:
        yield connection


@pytest.fixture
def published(storage: Storage, connection: duckdb.DuckDBPyConnection) -> Callable[..., Version]:
    """Return a function that stages and publishes a SELECT."""

    def publish(select: str, *, partition: str | None = None, **stamp: Any) -> Version:
        return storage.publish(storage.stage(connection, select, partition=partition), stamp=stamp)

    return publish


@pytest.fixture
def rows(storage: Storage, connection: duckdb.DuckDBPyConnection) -> Callable[..., Rows]:
    """Return a function that reads parts as a domain's own step does."""

    def read(parts: tuple[Part, ...], select: str = "*") -> Rows:
        relation = storage.relation(connection, parts)
        try:
            return connection.execute(f"SELECT {select} FROM {relation}").fetchall()
        finally:
            storage.release(connection, parts)

    return read


@pytest.fixture
def stored(place: Place) -> Callable[[], set[str]]:
    """Return a function that lists everything that lies in the place."""
    return place.stored
