"""What differs between one file format and the next: how rows become an immutable part, and how parts are read."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from duckdb import DuckDBPyConnection

from mesh_defs.errors import StorageError
from mesh_defs.model.contract import StorageKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What a part holds: its rows, and its columns (name -> DuckDB type) as they will be read."""

    rows: int
    columns: Mapping[str, str]


class PartFormat(Protocol):
    """One file format. `locations` are absolute paths of parts that have the same columns."""

    @property
    def kind(self) -> StorageKind:
        """The contract's name of the storage that keeps its parts in this format; also the files' suffix."""
        ...

    def write(self, connection: DuckDBPyConnection, select: str, columns: Mapping[str, str], path: Path) -> Written:
        """Write the SELECT's rows to a new file, within the connection's memory limit. `columns` are the SELECT's."""
        ...

    def relation(self, connection: DuckDBPyConnection, locations: Sequence[str]) -> str:
        """Return text that may stand after FROM on this connection and reads exactly these files."""
        ...

    def release(self, connection: DuckDBPyConnection, locations: Sequence[str]) -> None:
        """Undo what `relation` did to the connection."""
        ...

    def opened(self, location: str) -> tuple[str, ...]:
        """Return the names under which DuckDB asks for this file, for `allowed_paths`."""
        ...


def described(connection: DuckDBPyConnection, select: str) -> dict[str, str]:
    """Return the SELECT's columns, name -> type, without running it; StorageError if two share a name."""
    # The line breaks keep a comment at the SELECT's end from swallowing the bracket.
    rows = connection.execute(f"DESCRIBE (\n{select}\n)").fetchall()
    repeated = [name for name, count in Counter(row[0].lower() for row in rows).items() if count > 1]
    if repeated:
        raise StorageError(f"two columns of the SELECT are called '{repeated[0]}'", fix="name each one apart with AS")
    return {row[0]: row[1] for row in rows}
