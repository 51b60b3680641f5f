"""One table of the catalog that lies in the domain's Postgres: found, locked, told about. Knows nothing of versions.

Whoever writes at a place holds an advisory lock on the very connection that its commit goes through: who has lost the one
cannot do the other. A commit is one UPDATE of the table's row, over exactly the metadata that it was made from.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import psycopg
from pyiceberg.catalog import MetastoreCatalog
from pyiceberg.catalog.sql import IcebergTables, SqlCatalog, SqlCatalogBaseTable
from pyiceberg.exceptions import CommitFailedException, NoSuchTableError, ValidationException
from pyiceberg.io import FileIO
from pyiceberg.serializers import FromInputFile
from pyiceberg.table import Table
from pyiceberg.table.metadata import TableMetadata
from pyiceberg.typedef import EMPTY_DICT, Properties
from sqlalchemy import Engine, StaticPool, create_engine
from sqlalchemy.exc import DBAPIError

from mesh_defs.errors import StorageError, StorageUnreachableError
from mesh_defs.storage import postgres_failures
from mesh_defs.storage.iceberg_files import Files
from mesh_defs.storage.iceberg_io import TableIO, intact
from mesh_defs.storage.iceberg_names import CATALOG, CATALOG_SCHEMA
from mesh_defs.storage.postgres_database import Connection, Database

_EXISTS = "SELECT to_regclass(%s) IS NOT NULL"
_LOCK = "SELECT pg_advisory_lock(hashtextextended(%s, 0))"
# What pyiceberg's `load_table` asks for, without the three questions that SQLAlchemy asks a new connection before it.
_FIND = """SELECT metadata_location FROM iceberg_tables
    WHERE catalog_name = %s AND table_namespace = %s AND table_name = %s AND (iceberg_type = 'TABLE' OR iceberg_type IS NULL)"""
_UNLOCK = "SELECT pg_advisory_unlock(hashtextextended(%s, 0))"


class Catalog(SqlCatalog):
    """pyiceberg's catalog on a connection that is given, with files that are given."""

    def __init__(self, connection: Connection, io: TableIO, read: dict[str, TableMetadata]) -> None:
        # Not SqlCatalog's own: it would open a pool of its own and look for tables that a reader may not create.
        MetastoreCatalog.__init__(self, CATALOG)
        self.engine = _engine(connection)
        self._schema_version = "v1"
        self._io, self._read = io, read

    def _load_file_io(self, properties: Properties = EMPTY_DICT, location: str | None = None) -> FileIO:
        return self._io

    def _convert_orm_to_iceberg(self, orm_table: IcebergTables) -> Table:
        return self._at(str(orm_table.metadata_location), (orm_table.table_namespace, orm_table.table_name))

    def _at(self, location: str, identifier: tuple[str, str]) -> Table:
        files = self._io.files
        if not location.startswith(f"{files.location}/"):
            what = f"the catalog's table {'.'.join(identifier)} lies elsewhere"
            fix = "if its folder was moved, move it back; else let the place's last folder be one that no other product has"
            raise StorageError(what, where=files.where, fix=fix)
        metadata = self._read.get(location)
        if metadata is None:
            with intact(location, files.where):
                metadata = FromInputFile.table_metadata(self._io.new_input(location))
            self._read.clear()
            self._read[location] = metadata
        return Table(identifier, metadata, location, self._io, self)

    def found(self, connection: Connection, identifier: tuple[str, str]) -> Table | None:
        """Load a table to read it, in one question to Postgres; None when there is none."""
        row = connection.execute(_FIND, [CATALOG, *identifier]).fetchone()
        if row is None:
            return None
        return self._at(str(row[0]), identifier)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The table as it is at the moment; `table` None: nothing was ever published at the place."""

    catalog: Catalog
    table: Table | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """Where one product's table is found."""

    database: Database
    files: Files
    identifier: tuple[str, str]
    # Metadata by its file, which never changes: who looks for the pointer and pins it then reads it once.
    _read: dict[str, TableMetadata] = field(default_factory=dict, repr=False, compare=False)

    @property
    def where(self) -> str:
        """The catalog, for messages."""
        return f"{self.database.variable} schema {CATALOG_SCHEMA}"

    @contextmanager
    def reading(self, what: str) -> Iterator[Table | None]:
        """Yield the table, or None when nothing was ever published; creates nothing."""
        with self._told(what), self._connected() as own:
            yield Catalog(own, TableIO(self.files), self._read).found(own, self.identifier) if _exists(own) else None

    @contextmanager
    def writing(self, what: str) -> Iterator[Found]:
        """Yield the table under its lock, after waiting for other writers. Readers never wait."""
        with self._told(what), self._connected() as own:
            self._create(own)
            own.execute(_LOCK, [f"mesh iceberg {'.'.join(self.identifier)}"])
            own.commit()
            yield self._found(own)

    def forget(self, what: str) -> None:
        """Take the table out of the catalog, whatever became of its files, which stay; harmless when it is not there."""
        with self._told(what), self._connected() as own:
            if _exists(own):
                with suppress(NoSuchTableError):
                    Catalog(own, TableIO(self.files), self._read).drop_table(self.identifier)

    def _found(self, own: Connection) -> Found:
        catalog = Catalog(own, TableIO(self.files), self._read)
        try:
            return Found(catalog=catalog, table=catalog.load_table(self.identifier))
        except NoSuchTableError:
            return Found(catalog=catalog, table=None)

    def _create(self, own: Connection) -> None:
        """Create the schema and Iceberg's own tables where they are missing; harmless when another does the same."""
        if _exists(own):
            return
        own.execute(_LOCK, [f"mesh {CATALOG_SCHEMA}"])
        # CREATE SCHEMA IF NOT EXISTS asks for the right to create one even where it exists.
        if not own.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", [CATALOG_SCHEMA]).fetchone():
            own.execute(f"CREATE SCHEMA {CATALOG_SCHEMA}")
        own.commit()
        SqlCatalogBaseTable.metadata.create_all(_engine(own))
        own.execute(_UNLOCK, [f"mesh {CATALOG_SCHEMA}"])
        own.commit()

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        with self.database.connect() as own:
            # Not among the URL's options: a pooler may drop those.
            own.execute(f"SET search_path = {CATALOG_SCHEMA}")
            own.commit()
            yield own

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        try:
            with postgres_failures.told(what, self.where):
                try:
                    yield
                except DBAPIError as error:
                    if isinstance(error.orig, psycopg.Error):
                        raise error.orig from None
                    raise
        except (CommitFailedException, ValidationException):
            fix = "run it again; if it stays so, look who else writes the table"
            told = f"{what}: another program changed the table meanwhile"
            raise StorageUnreachableError(told, where=self.where, fix=fix) from None


def _engine(own: Connection) -> Engine:
    return create_engine("postgresql+psycopg://", creator=lambda: own, poolclass=StaticPool)


def _exists(own: Connection) -> bool:
    row = own.execute(_EXISTS, [f"{CATALOG_SCHEMA}.iceberg_tables"]).fetchone()
    own.commit()
    return bool(row and row[0])
