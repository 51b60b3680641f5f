"""Snapshots of a table: what a staged file is to Iceberg, and how it becomes the table's `main` in one commit.

A staged file has a manifest of its own beside it, which no manifest list names: its columns with their ids, and the statistics
of its pages. To publish is to add it to a snapshot, and to drop what the version does not name any more.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyiceberg.avro.file import AvroFile
from pyiceberg.io import FileIO
from pyiceberg.manifest import (
    DataFile,
    DataFileContent,
    FileFormat,
    ManifestContent,
    ManifestEntry,
    ManifestEntryStatus,
    ManifestFile,
    write_manifest,
)
from pyiceberg.partitioning import UNPARTITIONED_PARTITION_SPEC
from pyiceberg.schema import Schema
from pyiceberg.table.update import AddSchemaUpdate, SetCurrentSchemaUpdate, TableUpdate
from pyiceberg.typedef import Record as PartitionRecord
from pyiceberg.types import DateType, TimestampType, TimestamptzType

from mesh_defs.errors import StorageError
from mesh_defs.model.version import Part
from mesh_defs.storage.iceberg_catalog import Found
from mesh_defs.storage.iceberg_io import intact

if TYPE_CHECKING:
    from pyiceberg.table import Transaction
    from pyiceberg.table.metadata import TableMetadata

_SPEC = UNPARTITIONED_PARTITION_SPEC
# Nobody retries but the step itself: a commit that lost against another program must look at what that one did.
_PROPERTIES = {"format-version": "2", "commit.retry.num-retries": "0"}
_NO_SNAPSHOT = 0
# https://iceberg.apache.org/spec/#name-mapping-serialization
_NAMES = "schema.name-mapping.default"
_METRICS = "write.metadata.metrics"
_TIMES = (DateType, TimestampType, TimestamptzType)


def manifest_of(part_path: str) -> str:
    """Return the name of the manifest beside a part's file."""
    return part_path.removesuffix(".parquet") + ".avro"


def write_staged(io: FileIO, schema: Schema, file: Path, *, location: str, manifest: str) -> None:
    """Write the manifest of one Parquet file, whose bytes are at `file` and which will be known by its location."""
    data_file = DataFile.from_args(
        content=DataFileContent.DATA,
        file_path=location,
        file_format=FileFormat.PARQUET,
        partition=PartitionRecord(),
        file_size_in_bytes=file.stat().st_size,
        **_statistics(schema, file),
    )
    entry = ManifestEntry.from_args(
        status=ManifestEntryStatus.ADDED, snapshot_id=_NO_SNAPSHOT, sequence_number=None, data_file=data_file
    )
    with write_manifest(2, _SPEC, schema, io.new_output(manifest), _NO_SNAPSHOT, "zstandard") as writer:
        writer.add(entry)


def _statistics(schema: Schema, file: Path) -> dict[str, Any]:
    """Return the file's counts, and the bounds of its dates and times, by which Iceberg's readers skip files.

    Of nothing else: a snapshot's metadata names the bounds of the files that it dropped, too, and a person's key among
    them would outlive the person's erasure.
    """
    import pyarrow.parquet as pq
    from pyiceberg.io.pyarrow import (
        compute_statistics_plan,
        data_file_statistics_from_parquet_metadata,
        parquet_path_to_id_mapping,
    )

    bounded = {
        f"{_METRICS}.column.{each.name}": "full" for each in schema.fields if isinstance(each.field_type, _TIMES)
    }
    plan = compute_statistics_plan(schema, {f"{_METRICS}.default": "counts", **bounded})
    found = data_file_statistics_from_parquet_metadata(pq.read_metadata(file), plan, parquet_path_to_id_mapping(schema))
    return found.to_serialized_dict()


def published_file(part: Part, location: str) -> DataFile:
    """Return a published file without statistics: what it takes to drop it, whatever became of its bytes."""
    data_file = DataFile.from_args(
        content=DataFileContent.DATA,
        file_path=location,
        file_format=FileFormat.PARQUET,
        partition=PartitionRecord(),
        record_count=part.rows,
        file_size_in_bytes=part.bytes,
    )
    data_file.spec_id = _SPEC.spec_id
    return data_file


def read_staged(io: FileIO, manifest: str) -> tuple[Schema, DataFile]:
    """Return the columns and the file that a staged manifest tells of."""
    described = ManifestFile.from_args(
        manifest_path=manifest,
        manifest_length=0,
        partition_spec_id=_SPEC.spec_id,
        content=ManifestContent.DATA,
        sequence_number=0,
        min_sequence_number=0,
        added_snapshot_id=_NO_SNAPSHOT,
    )
    with intact(manifest, manifest):
        with AvroFile[ManifestEntry](io.new_input(manifest)) as reader:
            schema = Schema.model_validate_json(reader.header.meta["schema"])
        [entry] = described.fetch_manifest_entry(io)
    return schema, entry.data_file


def main_schema(metadata: "TableMetadata") -> Schema | None:
    """Return the schema of what readers see; not what an ALTER of another program made current since."""
    snapshot = metadata.current_snapshot()
    if snapshot is None or snapshot.schema_id is None:
        return None
    return next((each for each in metadata.schemas if each.schema_id == snapshot.schema_id), None)


def commit(
    found: Found,
    added: Sequence[tuple[Schema, DataFile]],
    dropped: Sequence[DataFile],
    *,
    identifier: tuple[str, str],
    location: str,
    properties: Mapping[str, str],
    whole: bool,
    names: str | None = None,
) -> None:
    """Let the table's `main` be a new snapshot: that before it, with these files and without those. One step.

    `whole`: no file stays. `names`: how the columns of files without field ids are known, as Iceberg's name mapping. Creates
    the table with its first snapshot. StorageError when its columns changed since the files were staged.
    """
    transaction = _begun(found, _merged([schema for schema, _ in added]), identifier, location, whole=whole)
    if names is not None:
        transaction.set_properties({_NAMES: names})
    update = transaction.update_snapshot(snapshot_properties=dict(properties))
    # To overwrite is to read every manifest of the table, to append none.
    with intact("a manifest", location), update.overwrite() if dropped else update.fast_append() as snapshot:
        for _, data_file in added:
            snapshot.append_data_file(data_file)
        for data_file in dropped:
            snapshot.delete_data_file(data_file)
    transaction.commit_transaction()


def _begun(found: Found, columns: Schema, identifier: tuple[str, str], location: str, *, whole: bool) -> "Transaction":
    """Begin a transaction in which the table has these columns."""
    if found.table is not None:
        transaction = found.table.transaction()
        _evolve(transaction, columns, whole=whole)
        return transaction
    found.catalog.create_namespace_if_not_exists(identifier[0])
    created = found.catalog.create_table_transaction(identifier, columns, location, properties=_PROPERTIES)
    if created.table_metadata.schema().fields != columns.fields:
        raise _changed()
    return created


def _evolve(transaction: "Transaction", columns: Schema, *, whole: bool) -> None:
    """Make these the table's columns, with those besides that only files hold which stay: tokens of other partitions."""
    metadata = transaction.table_metadata
    known = main_schema(metadata)
    _require_fit(columns, known, metadata.last_column_id, whole=whole)
    names = {field.name for field in columns.fields}
    staying = [] if whole or known is None else [field for field in known.fields if field.name not in names]
    fields = (*columns.fields, *staying)
    same = next((each for each in metadata.schemas if each.fields == fields), None)
    number = same.schema_id if same else 1 + max(each.schema_id for each in metadata.schemas)
    updates: list[TableUpdate] = [] if same else [AddSchemaUpdate(schema_=Schema(*fields, schema_id=number))]
    if number != metadata.current_schema_id:
        updates.append(SetCurrentSchemaUpdate(schema_id=number))
    transaction._apply(tuple(updates))  # there is no other way to give a column an id that a file has already


def _require_fit(columns: Schema, known: Schema | None, last_id: int, *, whole: bool) -> None:
    """Invariant: no id ever means two columns, and no name has two ids among the files of one version."""
    before = {field.name: field for field in known.fields} if known else {}
    for field in columns.fields:
        same = before.get(field.name)
        if same is not None and same.field_id == field.field_id:
            continue
        if field.field_id <= last_id or (same is not None and not whole):
            raise _changed()


def _changed() -> StorageError:
    return StorageError("the table's columns changed since the candidate was staged", fix="stage it anew")


def _merged(schemas: list[Schema]) -> Schema:
    """A candidate's parts have the same columns."""
    if any(each.fields != schemas[0].fields for each in schemas[1:]):
        raise _changed()
    return schemas[0]
