"""A table of a DuckDB file that another system replaces whole. Its version is the file: another file, another version.

A file with a log beside it is being written to, and is no source: a reader's lock would stop its writer.
"""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from duckdb import DuckDBPyConnection

from mesh_defs.errors import StorageError, nearest
from mesh_defs.model.names import literal, quoted
from mesh_defs.model.place import Access
from mesh_defs.model.version import Part, Pin, Version
from mesh_defs.storage.external_base import Scan, Source, looking
from mesh_defs.storage.external_columns import promised_select
from mesh_defs.storage.failures import told


class DuckDBFileSource:
    """A `Reader` of one table in one file."""

    def look(self, source: Source) -> Version:
        """Look at the file's inode, size and time."""
        path = _path(source)
        id, size, modified = _state(path)
        part = Part(path=str(path), rows=0, bytes=size)
        return Version(id=id, parts=(part,), columns=source.promised, published_at=modified)

    def scan(self, source: Source, version: Version) -> Scan:
        """Attach the file and look at the table; StorageError when it was replaced since."""
        path = _path(source)
        with looking() as connection:
            _attach(connection, path, version.id)
            columns = _columns(connection, path, source)
            relation = ".".join(map(quoted, (_alias(str(path)), *_table(source))))
            text = promised_select(source.columns, columns, relation, where=_where(source))
            counted = connection.execute(f"SELECT count(*) FROM {relation}").fetchone()
        return Scan(text=text, locations=(str(path),), rows=counted[0] if counted else 0)

    def found(self, source: Source) -> tuple[str, dict[str, str]]:
        """The table's columns."""
        path = _path(source)
        with looking() as connection:
            _attach(connection, path, _state(path)[0])
            return _where(source), _columns(connection, path, source)

    def prepare(self, connection: DuckDBPyConnection, pin: Pin, access: Access, seconds_max: float) -> None:
        """Attach the file read-only, if it is still the pinned one. What is attached stays as it is, even if replaced."""
        _attach(connection, Path(pin.locations[0]), pin.version)

    def opened(self, pin: Pin) -> Sequence[str]:
        """The file; attached before the instance is locked, it needs no permission any more."""
        return pin.locations


def _attach(connection: DuckDBPyConnection, path: Path, version: str) -> None:
    _require_same(path, version)
    with told("the DuckDB file cannot be opened", path):
        alias = quoted(_alias(str(path)))
        connection.execute(f"ATTACH IF NOT EXISTS {literal(str(path))} AS {alias} (TYPE duckdb, READ_ONLY)")
    # It may have been replaced between the look and the open: then we hold one or the other, and cannot tell which.
    _require_same(path, version)


def _require_same(path: Path, version: str) -> None:
    if _state(path)[0] != version:
        fix = "ask again to read the newest version"
        raise StorageError(f"version {version} is gone: its writer replaced the file", where=str(path), fix=fix)


def _state(path: Path) -> tuple[str, int, datetime]:
    """Return (version's id, bytes, time of the last change)."""
    log = path.with_name(path.name + ".wal")
    if log.exists():
        fix = "have its writer close the file, and replace it whole: write a new one, then rename it"
        raise StorageError("the DuckDB file is being written to (a log lies beside it)", where=str(path), fix=fix)
    with told("the source cannot be read", path):
        status = path.stat()
    modified = datetime.fromtimestamp(status.st_mtime, UTC)
    return f"file-{status.st_ino:x}-{status.st_size:x}-{status.st_mtime_ns:x}", status.st_size, modified


def _columns(connection: DuckDBPyConnection, path: Path, source: Source) -> dict[str, str]:
    """Of a table, not of a view: a view's SELECT could read what only we may read."""
    schema, table = _table(source)
    names = "SELECT table_name FROM duckdb_tables() WHERE database_name = ? AND schema_name = ? ORDER BY ALL"
    known = [row[0] for row in connection.execute(names, [_alias(str(path)), schema]).fetchall()]
    if table not in known:
        raise StorageError(f"no table '{table}' in its schema '{schema}'", where=str(path), fix=nearest(table, known))
    listed = (
        "SELECT column_name, data_type FROM duckdb_columns() WHERE database_name = ? AND schema_name = ?"
        " AND table_name = ? ORDER BY column_index"
    )
    return dict(connection.execute(listed, [_alias(str(path)), schema, table]).fetchall())


def _table(source: Source) -> tuple[str, str]:
    schema, _, table = (source.server.table or "main.data").partition(".")
    return schema, table


def _path(source: Source) -> Path:
    return (source.access.root / source.server.place).absolute()


def _where(source: Source) -> str:
    return f"{_path(source)}: {'.'.join(_table(source))}"


def _alias(location: str) -> str:
    return "external_" + hashlib.blake2b(location.encode(), digest_size=8).hexdigest()
