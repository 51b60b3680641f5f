"""A Delta table that another system writes, on a disk or in a bucket: read as the Parquet files that its log names.

The log is read by deltalake before the engine is locked: DuckDB's own delta extension opens logs past `allowed_paths`.
What a list of files cannot say (deletion vectors, renamed columns) is refused, never ignored.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from duckdb import DuckDBPyConnection

from mesh_defs.errors import StorageError, UnreachableError
from mesh_defs.model.place import Access
from mesh_defs.model.version import Part, Pin, Version
from mesh_defs.sql.types import duckdb_type
from mesh_defs.storage.external_base import Scan, Source
from mesh_defs.storage.external_files import LyingFile, common_place, is_s3, shown, still_lying
from mesh_defs.storage.external_parquet import ParquetSource, file_columns, reach, scan_of
from mesh_defs.storage.external_trino import DELTA, alike

if TYPE_CHECKING:
    from deltalake import DeltaTable

# https://github.com/delta-io/delta/blob/master/PROTOCOL.md#valid-feature-names-in-table-features
_KNOWN_FEATURES = {"timestampNtz", "v2Checkpoint", "vacuumProtocolCheck", "typeWidening", "typeWidening-preview"}
_UNTRIED = {"typeWidening", "typeWidening-preview"}
_TYPES = {
    "string": "VARCHAR",
    "long": "BIGINT",
    "integer": "INTEGER",
    "short": "SMALLINT",
    "byte": "TINYINT",
    "float": "FLOAT",
    "double": "DOUBLE",
    "boolean": "BOOLEAN",
    "binary": "BLOB",
    "date": "DATE",
    "timestamp": "TIMESTAMP WITH TIME ZONE",
    "timestamp_ntz": "TIMESTAMP",
}


class DeltaSource:
    """A `Reader` of one table. Its version is the table's own."""

    def look(self, source: Source) -> Version:
        """Read the log: the newest version, its files, and when they were written."""
        table = _open(source)
        files = list(_files(table, source))
        return Version(
            id=_id(table),
            parts=tuple(Part(path=file.location, rows=0, bytes=file.bytes) for file in files),
            columns=source.promised,
            published_at=_changed(table, files),
        )

    def scan(self, source: Source, version: Version) -> Scan:
        """Read the log as of that version; the table's own schema says which columns old files may lack."""
        table = self._at(source, version.id)
        nullable = frozenset(field.name for field in table.schema().fields if field.nullable)
        return scan_of(list(_files(table, source)), source, absent=nullable)

    def found(self, source: Source) -> tuple[str, dict[str, str]]:
        """The table's own schema; a nested type as its first file has it."""
        table = _open(source)
        first = next(_files(table, source), None)
        nested = file_columns(source, first.location) if first else {}
        fields = {field.name: _type(field.type) for field in table.schema().fields}
        return _where(source), {name: type_ or nested.get(name, "VARCHAR") for name, type_ in fields.items()}

    def for_trino(self, source: Source, version: str) -> tuple[tuple[str, str], ...]:
        """Return the promised columns as `external_trino.alike`, at that version of the table.

        StorageError for what a Trino does not read alike, and for a table that was made anew since.
        """
        table = self._at(source, version)
        if widened := set(table.protocol().reader_features or ()) & _UNTRIED:
            raise _refused(source, f"the table has {', '.join(sorted(widened))}", "have its writer rewrite it without")
        return alike(
            source.columns, {each.name: _named(each.type) for each in table.schema().fields}, DELTA, _where(source)
        )

    def _at(self, source: Source, version: str) -> "DeltaTable":
        table = _open(source, version=number_of(version))
        if _id(table) != version:
            fix = "ask again to read the newest version"
            raise StorageError(f"version {version} is gone: the table was made anew", where=_where(source), fix=fix)
        return table

    def rows(self, source: Source) -> int | None:
        """The rows that the log counts; None where its writer did not count."""
        counts = [action.get("num_records") for action in _rows(_open(source).get_add_actions(flatten=True))]
        return None if None in counts else sum(int(each or 0) for each in counts)

    def prepare(self, connection: DuckDBPyConnection, pin: Pin, access: Access, seconds_max: float) -> None:
        """Let the connection reach the bucket; StorageError when a VACUUM removed what was pinned."""
        if not pin.locations:
            return
        place = common_place(pin.locations)
        reach(connection, place, access)
        if len(still_lying(pin.locations, access)) < len(pin.locations):
            what = f"version {pin.version} of {pin.product} is gone: its table was vacuumed"
            raise StorageError(what, where=shown(place, access), fix="ask again to read the newest version")

    def opened(self, pin: Pin) -> Sequence[str]:
        """The files, not the log."""
        return ParquetSource().opened(pin)


def _open(source: Source, *, version: int | None = None) -> "DeltaTable":
    try:
        from deltalake import DeltaTable
        from deltalake.exceptions import DeltaError
    except ImportError:
        raise UnreachableError(
            "Delta needs deltalake, which is not installed", fix="install mesh-defs[delta]"
        ) from None
    place = source.server.place
    uri = place if is_s3(place) else str((source.access.root / place).absolute())
    try:
        table = DeltaTable(uri, version=version, storage_options=_options(source.access) if is_s3(place) else None)
    except (DeltaError, OSError, ValueError) as error:
        what = f"no Delta table can be read there ({type(error).__name__})"
        fix = "look whether its writer has run, and at the contract's server"
        raise StorageError(what, where=_where(source), fix=fix) from None
    _require_plain(table, source)
    return table


def _require_plain(table: "DeltaTable", source: Source) -> None:
    protocol, settings = table.protocol(), table.metadata().configuration
    unknown = set(protocol.reader_features or ()) - _KNOWN_FEATURES - {"deletionVectors", "columnMapping"}
    if protocol.min_reader_version > 3 or unknown:
        told = ", ".join(sorted(unknown)) or f"reader version {protocol.min_reader_version}"
        raise _refused(source, f"the table needs a reader of {told}", "have its writer turn that off")
    if (settings.get("delta.columnMapping.mode") or "none") != "none":
        raise _refused(source, "the table maps column names", "have its writer rewrite it without column mapping")
    if "deletionVectors" in (protocol.reader_features or ()) and _has_deletion_vectors(table):
        fix = "have its writer run REORG TABLE … APPLY (PURGE), or turn delta.enableDeletionVectors off"
        raise _refused(source, "the table has deletion vectors: its files hold deleted rows", fix)


def _has_deletion_vectors(table: "DeltaTable") -> bool:
    from deltalake.exceptions import DeltaError

    try:
        return any(batch.num_rows for batch in table.deletion_vectors())
    except DeltaError:  # there is one, and it cannot be read
        return True


def _files(table: "DeltaTable", source: Source) -> Iterator[LyingFile]:
    place = source.server.place
    top = place if is_s3(place) else str((source.access.root / place).absolute())
    partitions = table.metadata().partition_columns
    for action in _rows(table.get_add_actions(flatten=True)):
        path = unquote(action["path"])
        # Invariant: a log cannot name files elsewhere, such as another domain's.
        if "://" in path or path.startswith("/") or ".." in PurePosixPath(path).parts:
            raise _refused(
                source, "its log names files outside of the table", "have its writer make it whole: no clone"
            )
        given = {name: action[f"partition.{name}"] for name in partitions}
        yield LyingFile(
            location=f"{top}/{path}",
            bytes=action["size_bytes"],
            mark="",
            modified_at=datetime.fromtimestamp(action["modification_time"] / 1000, UTC),
            given={name: None if value is None else str(value) for name, value in given.items()},
        )


def _rows(table: Any) -> list[dict[str, Any]]:
    import pyarrow as pa

    return pa.table(table).to_pylist()


def _changed(table: "DeltaTable", files: Sequence[LyingFile]) -> datetime:
    """When the newest file was written. Not the commit's time: deltalake reads that holding the interpreter's lock."""
    made = datetime.fromtimestamp((table.metadata().created_time or 0) / 1000, UTC)
    return max((file.modified_at for file in files), default=made)


def _id(table: "DeltaTable") -> str:
    """A table that is made anew at the same place counts from 0 again, under another id."""
    return f"delta-{str(table.metadata().id)[:8]}-{table.version()}"


def number_of(version: str) -> int:
    """Return the number that the table's log has for one of its versions."""
    return int(version.rpartition("-")[2])


def _named(declared: Any) -> str:
    return str(getattr(declared, "type", declared))


def _type(declared: Any) -> str | None:
    name = _named(declared)
    return _TYPES.get(name) or (duckdb_type(name) if name.startswith("decimal") else None)


def _options(access: Access) -> dict[str, str]:
    told = {
        "AWS_ENDPOINT_URL": access.s3.endpoint,
        "AWS_REGION": access.s3.region,
        "AWS_ACCESS_KEY_ID": access.s3.key,
        "AWS_SECRET_ACCESS_KEY": access.s3.secret,
        "AWS_ALLOW_HTTP": "true" if (access.s3.endpoint or "").startswith("http://") else None,
    }
    return {name: value for name, value in told.items() if value}


def _where(source: Source) -> str:
    return shown(source.server.place, source.access)


def _refused(source: Source, what: str, fix: str) -> StorageError:
    return StorageError(what, where=_where(source), fix=fix)
