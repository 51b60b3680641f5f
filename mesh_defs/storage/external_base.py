"""The seam between an external product and what differs from one kind of source to the next. Holds no format."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import duckdb
from duckdb import DuckDBPyConnection

from mesh_defs.model.contract import Column, Server
from mesh_defs.model.place import Access
from mesh_defs.model.version import Pin, Version


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where another system keeps a product, how this process reaches it, and the columns that were promised of it."""

    server: Server
    access: Access
    columns: tuple[Column, ...]

    @property
    def promised(self) -> dict[str, str]:
        """Promised columns, name -> DuckDB type."""
        return {column.name: column.type for column in self.columns}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """The SELECT that reads a version's promised columns, the locations it opens, and its rows (as told by the source)."""

    text: str
    locations: tuple[str, ...]
    rows: int


class Reader(Protocol):
    """One kind of source. Every method raises StorageError when the source does not answer or is not as promised."""

    def look(self, source: Source) -> Version:
        """Return what lies there now: its identity, its pieces and when it last changed. Reads no rows."""
        ...

    def scan(self, source: Source, version: Version) -> Scan:
        """Return how to read exactly this version, after a look at its columns."""
        ...

    def found(self, source: Source) -> tuple[str, dict[str, str]]:
        """Return where it lies, for messages, and the columns that it holds, name -> DuckDB type; promised or not."""
        ...

    def prepare(self, connection: DuckDBPyConnection, pin: Pin, access: Access, seconds_max: float) -> None:
        """Make the pin's scan runnable on this connection, for so long; refuse a version that is not there any more."""
        ...

    def opened(self, pin: Pin) -> Sequence[str]:
        """Return what `allowed_paths` must name for a locked DuckDB to run the scan."""
        ...


@contextmanager
def looking() -> Iterator[DuckDBPyConnection]:
    """A DuckDB of its own to look at files with: nothing is fetched, nothing stays."""
    config: dict[str, str | bool | int | float | list[str]] = {
        "threads": 2,
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "python_enable_replacements": False,
    }
    with duckdb.connect(":memory:", config=config) as connection:
        yield connection
