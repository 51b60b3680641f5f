"""A product's Parquet parts listed as an Iceberg table as well: for a Trino, which reads no list of ours. Copies no row.

The table follows the pointer, never leads it: a version that is published becomes a snapshot that names the very same files.
Whoever pins a version asks for its snapshot; where the table lags behind, there is none, and nothing else is read instead.
Files have no field ids, so columns are known by name. Invariant: within one table a name has one id and one type; where
that cannot be kept the table is made anew, with the current version alone.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from duckdb import DuckDBPyConnection
from pyiceberg.manifest import DataFile, DataFileContent
from pyiceberg.schema import Schema
from pyiceberg.table import Table
from pyiceberg.table.metadata import TableMetadata
from pyiceberg.table.name_mapping import create_mapping_from_schema
from pyiceberg.table.snapshots import Snapshot
from pyiceberg.types import IcebergType

from mesh_defs.errors import StorageError
from mesh_defs.model.contract import Server
from mesh_defs.model.place import Access
from mesh_defs.model.version import Part, Version, token_column
from mesh_defs.storage.base import Storage
from mesh_defs.storage.external_base import looking
from mesh_defs.storage.iceberg import files_at
from mesh_defs.storage.iceberg_catalog import Found, Tables
from mesh_defs.storage.iceberg_commit import commit, main_schema, published_file
from mesh_defs.storage.iceberg_files import Files
from mesh_defs.storage.iceberg_io import intact
from mesh_defs.storage.iceberg_names import domain_of, listed_namespace, table_of
from mesh_defs.storage.iceberg_sweep import unreached
from mesh_defs.storage.iceberg_types import read_type, schema_of, unnumbered
from mesh_defs.storage.iceberg_versions import Versions, summary_of, version_of
from mesh_defs.storage.postgres_database import database_of


@dataclass(frozen=True, slots=True)
class Registration:
    """The table of one product's place."""

    tables: Tables

    @property
    def files(self) -> Files:
        """What lies at the place."""
        return self.tables.files

    def follow(self, storage: Storage, *, retention_seconds: float | None = None) -> bool:
        """Let the table's `main` be what readers of the product see, and forget versions that are retired; False when both
        was so. One commit each, under the table's lock. With `retention_seconds` older metadata goes that nothing leads to.

        StorageError for a product with a type that Iceberg would read as another.
        """
        what = "its table could not follow it"
        with self.tables.writing(what) as found, self.files.told(what):
            kept = storage.versions()
            if not kept:
                return False
            changed = self._show(found, kept[0])
            table = found.catalog.load_table(self.tables.identifier)
            expired = _retired(table, {version.id for version in kept})
            if expired:
                table.maintenance.expire_snapshots().by_ids(expired).commit()
            if retention_seconds is not None:
                after = Found(catalog=found.catalog, table=table)
                self.files.remove(list(unreached(after, self.files, retention_seconds)))
            return changed or bool(expired)

    def snapshot_of(self, version: Version) -> int:
        """Return the number of the snapshot that names exactly the version's files. StorageError when there is none."""
        what = "its table cannot be read"
        with self.tables.reading(what) as table, self.files.told(what):
            ours = Versions(table, self.files).snapshots() if table else []
            found = next((each for each in ours if version_of(each) == version.id), None)
            if table is None or found is None:
                state = "is at another version" if table else "is not there yet"
                what, fix = f"the table by which Trino reads its Parquet files {state}", "run `mesh trino register`"
                raise StorageError(what, where=self.files.where, fix=fix)
            if not self._names_exactly(table, found, version):
                what = f"its table names other files than version {version.id} has: another program changed it"
                raise StorageError(what, where=self.files.where, fix="run `mesh trino register --anew`")
            return found.snapshot_id

    def _names_exactly(self, table: Table, snapshot: Snapshot, version: Version) -> bool:
        wanted = {self._location(part): (part.rows, part.bytes) for part in version.parts}
        entries = list(self._entries(table, snapshot))
        told = {location: (each.record_count, each.file_size_in_bytes) for location, each in entries}
        return told == wanted and all(each.content == DataFileContent.DATA for _, each in entries)

    def forget(self) -> None:
        """Take the table out of the catalog. Its metadata stays at the place until that is swept or retired."""
        self.tables.forget("its table could not be forgotten")

    def _show(self, found: Found, version: Version) -> bool:
        table = found.table
        main = table.metadata.current_snapshot() if table else None
        if main is not None and version_of(main) == version.id:
            return False
        new = {self._location(part): part for part in version.parts}
        with looking() as connection:
            columns = _columns(version, connection)
        old = dict(self._entries(table, main)) if table and main else {}
        if table is not None and not (new.keys() - old.keys() and _continues(table.metadata, columns)):
            found.catalog.drop_table(self.tables.identifier)
            table, found, old = None, Found(catalog=found.catalog, table=None), {}
        known = main_schema(table.metadata) if table else None
        schema = schema_of(columns, known, table.metadata.last_column_id if table else 0)
        commit(
            found,
            [(schema, published_file(part, location)) for location, part in new.items() if location not in old],
            [data_file for location, data_file in old.items() if location not in new],
            identifier=self.tables.identifier,
            location=self.files.location,
            properties=summary_of(version.id),
            whole=True,
            names=_names(table.metadata if table else None, schema),
        )
        return True

    def _entries(self, table: Table, snapshot: Snapshot) -> Iterator[tuple[str, DataFile]]:
        with intact(snapshot.manifest_list, self.files.where):
            for manifest in snapshot.manifests(table.io):
                for entry in manifest.fetch_manifest_entry(table.io):
                    yield entry.data_file.file_path, entry.data_file

    def _location(self, part: Part) -> str:
        return f"{self.files.location}/{part.path}"


def registration_at(server: Server, access: Access) -> Registration:
    """Return the table of the Parquet product at a server's place; connects to nothing yet."""
    domain = domain_of(access)
    _, name = table_of(domain, server.place)
    identifier = listed_namespace(domain), name
    return Registration(Tables(database=database_of(access), files=files_at(server, access), identifier=identifier))


def _columns(version: Version, connection: DuckDBPyConnection) -> dict[str, IcebergType]:
    """The version's columns, and those of tokens that any part has, as what its files say is read by whoever reads Iceberg."""
    tokens = sorted({token_column(column) for part in version.parts for column in part.tokens})
    return {
        name: read_type(name, connection.sqltype(type_))
        for name, type_ in {**version.columns, **dict.fromkeys(tokens, "VARCHAR")}.items()
    }


def _continues(metadata: TableMetadata, columns: Mapping[str, IcebergType]) -> bool:
    """Whether each column is the same as before, or one whose name no version of this table ever had."""
    main = main_schema(metadata)
    known = {field.name: field.field_type for field in main.fields} if main else {}
    ever = {field.name for schema in metadata.schemas for field in schema.fields}
    return all(
        unnumbered(known[name]) == unnumbered(type_) if name in known else name not in ever
        for name, type_ in columns.items()
    )


def _names(metadata: TableMetadata | None, schema: Schema) -> str:
    """The ids of all names that the table ever had: older snapshots are read by it, too."""
    before = [field for each in metadata.schemas for field in each.fields] if metadata else []
    fields = {field.name: field for field in (*before, *schema.fields)}
    return create_mapping_from_schema(Schema(*fields.values())).model_dump_json()


def _retired(table: Table, kept: set[str]) -> list[int]:
    named = {ref.snapshot_id for ref in table.metadata.refs.values()}
    return [
        each.snapshot_id
        for each in table.metadata.snapshots
        if each.snapshot_id not in named and version_of(each) not in kept
    ]
