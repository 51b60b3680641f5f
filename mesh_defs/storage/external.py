"""An external product's bytes as the door reads them: looked at, judged against the promise, pinned. Never written."""

from collections.abc import Mapping
from dataclasses import dataclass

from duckdb import DuckDBPyConnection

from mesh_defs.errors import StorageError, UnreachableError
from mesh_defs.model.place import Access
from mesh_defs.model.version import Pin, Version
from mesh_defs.storage.external_base import Reader, Source
from mesh_defs.storage.external_delta import DeltaSource
from mesh_defs.storage.external_duckdb import DuckDBFileSource
from mesh_defs.storage.external_parquet import ParquetSource

_FILES: Mapping[str, Reader] = {
    "parquet": ParquetSource(),
    "s3": ParquetSource(),
    "delta": DeltaSource(),
    "duckdb": DuckDBFileSource(),
}


@dataclass(frozen=True, slots=True)
class External:
    """A `Readable` of what another system writes. Its versions are identities of what lies there at the moment."""

    source: Source

    def current(self) -> Version:
        """Return what lies there now. Reads names and counts, no rows; raises StorageError when nothing does."""
        return reader_of(self.source.server.kind).look(self.source)

    def pin(self, product: str, version: Version) -> Pin:
        """Return how engines read this version. StorageError names a promised column that is missing or of another type."""
        kind = self.source.server.kind
        scan = reader_of(kind).scan(self.source, version)
        return Pin(
            product=product,
            version=version.id,
            kind=kind,
            locations=scan.locations,
            columns=self.source.promised,
            rows=scan.rows,
            bytes=version.bytes,
            published_at=version.published_at,
            scan=scan.text,
        )

    def for_trino(self, version: str) -> tuple[tuple[str, str], ...]:
        """Return the promised columns, (name there, promised name), as a Trino reads them exactly as DuckDB does.

        StorageError for what it does not, and for a kind of source that it does not reach.
        """
        if self.source.server.kind == "delta":
            return DeltaSource().for_trino(self.source, version)
        if self.source.server.kind != "postgres":
            raise StorageError("Trino reads no such source", fix="have its writer offer it as Delta or Postgres")
        from mesh_defs.storage.external_postgres import PostgresSource

        return PostgresSource().for_trino(self.source, version)

    def data_version(self, version: Version) -> str:
        """Return what changes exactly when the rows do: the version's id, or a digest of all rows where that is no proof.

        The digest scans the table, inside its own server.
        """
        if self.source.server.kind != "postgres":
            return version.id
        from mesh_defs.storage.external_postgres import PostgresSource

        return PostgresSource().digest(self.source)


def attach_external(connection: DuckDBPyConnection, pin: Pin, access: Access, *, seconds_max: float) -> str:
    """Return text that may stand after FROM on this connection and reads an external product's pinned version."""
    reader_of(pin.kind).prepare(connection, pin, access, seconds_max)
    return f"({pin.scan})"


def external_paths(pin: Pin) -> tuple[str, ...]:
    """Return what `allowed_paths` must name for a locked DuckDB to read an external product's pin."""
    return tuple(reader_of(pin.kind).opened(pin))


def reader_of(kind: str) -> Reader:
    """Return the reader of a kind of source; Postgres only where its driver is installed."""
    if kind != "postgres":
        return _FILES[kind]
    try:
        from mesh_defs.storage.external_postgres import PostgresSource
    except ImportError:
        raise UnreachableError(
            "Postgres needs psycopg, which is not installed", fix="install mesh-defs[postgres]"
        ) from None
    return PostgresSource()
