"""One suite for every storage: each test that takes `storage` runs once per kind."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, get_args

import duckdb
import pytest

from mesh_defs.model.contract import StorageKind
from mesh_defs.model.version import Part, Version
from mesh_defs.storage.base import Storage
from mesh_defs.storage.open import storage_at

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


@pytest.fixture(params=get_args(StorageKind))
def kind(request: pytest.FixtureRequest) -> StorageKind:
    return request.param


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "events" / "impressions"


@pytest.fixture
def storage(kind: StorageKind, place: Path, clock: Clock) -> Storage:
    return storage_at(kind, place, clock=clock)


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
def files(place: Path) -> Callable[[], set[str]]:
    """Return a function that lists every file of the place but the lock."""

    def listed() -> set[str]:
        paths = (path for path in place.rglob("*") if path.is_file() and path.name != "lock")
        return {str(path.relative_to(place)) for path in paths}

    return listed
