"""Which snapshots of a table are versions of a product, and the record of each. Opens no part and changes nothing.

A snapshot that the mesh made says so in its summary: `mesh.format`, and `mesh.version`, the version whose record lies in
`history`. Columns, parts, stamp and tokens stand there, for which a summary has no place. Any other program may read the table;
one that writes to it makes a snapshot that was never audited, and readers are told so instead of given its rows.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from pyiceberg.manifest import ManifestContent
from pyiceberg.table import Table
from pyiceberg.table.snapshots import Snapshot

from mesh_defs.errors import StorageError
from mesh_defs.model.contract import StorageKind
from mesh_defs.model.version import Version
from mesh_defs.storage.iceberg_files import Files
from mesh_defs.storage.iceberg_io import intact
from mesh_defs.storage.iceberg_names import FORMAT, FORMAT_PROPERTY, VERSION_PROPERTY
from mesh_defs.storage.manifest import Record, decode
from mesh_defs.storage.parallel import in_parallel

KIND: StorageKind = "iceberg"


@dataclass(frozen=True, slots=True)
class Versions:
    """The versions of one table, as its metadata was when it was loaded."""

    table: Table
    files: Files

    def current(self) -> Record | None:
        """Return what readers see. StorageError when another program wrote it, or its record is gone."""
        snapshot = self.table.metadata.current_snapshot()
        return self._record(snapshot) if snapshot else None

    def snapshots(self) -> list[Snapshot]:
        """Return those that are versions, newest first; not those after a `main` that was rolled back."""
        current = self.table.metadata.current_snapshot()
        newest = sequence(current) if current else 0
        ours = [each for each in self.table.metadata.snapshots if version_of(each) and sequence(each) <= newest]
        return sorted(ours, key=sequence, reverse=True)

    def published(self) -> list[Record]:
        """Return the retained versions, newest first."""
        if self.table.metadata.current_snapshot() is None:
            return []
        self.current()
        return in_parallel(self._record, self.snapshots())

    def snapshot_of(self, version: Version) -> int:
        """Return the number of a version's snapshot. StorageError when that is gone, or holds anything but its parts' rows."""
        found = next((each for each in self.snapshots() if version_of(each) == version.id), None)
        if found is None:
            fix = "ask again to read the newest version"
            raise StorageError(f"version {version.id} is gone", where=self.files.where, fix=fix)
        _require_whole(self, found, version)
        return found.snapshot_id

    def _record(self, snapshot: Snapshot) -> Record:
        id = version_of(snapshot)
        if id is None:
            raise self._foreign(snapshot)
        name = record_of(id)
        content = self.files.read(name)
        found = decode(content, KIND, self.files.url(name)) if content is not None else None
        if isinstance(found, Record) and found.version.id == id:
            return found
        reason = "is gone" if content is None else getattr(found, "reason", "is another version's")
        fix = "restore it from a backup; or give the product another place and re-materialize it"
        raise StorageError(f"the record {name} {reason}", where=self.files.where, fix=fix)

    def _foreign(self, snapshot: Snapshot) -> StorageError:
        name = ".".join(self.table.name())
        what = f"another program wrote snapshot {snapshot.snapshot_id} of {name}, which nobody audited"
        last = next((each.snapshot_id for each in self._before(snapshot) if version_of(each)), None)
        fix = f"roll it back, in Trino: ALTER TABLE {name} EXECUTE rollback_to_snapshot({last})"
        if last is None:
            fix = "drop the table there, and re-materialize the product"
        return StorageError(what, where=self.files.where, fix=f"{fix}; and let nobody else write it")

    def _before(self, snapshot: Snapshot) -> Iterator[Snapshot]:
        number = snapshot.parent_snapshot_id
        while number is not None and (parent := self.table.metadata.snapshot_by_id(number)):
            yield parent
            number = parent.parent_snapshot_id


def record_of(id: str) -> str:
    """Return the name of a version's record."""
    return f"history/{id}.json"


def summary_of(id: str) -> dict[str, str]:
    """Return what a version's snapshot says of it."""
    return {FORMAT_PROPERTY: FORMAT, VERSION_PROPERTY: id}


def version_of(snapshot: Snapshot) -> str | None:
    """Return the version that a snapshot is; None when the mesh did not make it. StorageError for a newer form."""
    told = snapshot.summary.additional_properties if snapshot.summary else {}
    id, form = told.get(VERSION_PROPERTY), told.get(FORMAT_PROPERTY)
    if id is not None and form != FORMAT:
        what = f"snapshot {snapshot.snapshot_id} is of format {form}, this release knows {FORMAT}"
        raise StorageError(what, fix="upgrade mesh-defs here")
    return id


def sequence(snapshot: Snapshot) -> int:
    """Return a snapshot's place in the order of commits, which no clock can disturb."""
    return snapshot.sequence_number or 0


def _require_whole(versions: Versions, snapshot: Snapshot, version: Version) -> None:
    """What another program wrote would have no version's name; this is against one that rewrites a snapshot of ours."""
    with intact(snapshot.manifest_list, versions.files.where):
        manifests = snapshot.manifests(versions.table.io)
    data = [each for each in manifests if each.content == ManifestContent.DATA]
    files = sum((each.added_files_count or 0) + (each.existing_files_count or 0) for each in data)
    rows = sum((each.added_rows_count or 0) + (each.existing_rows_count or 0) for each in data)
    fix = "re-materialize the product, and let nobody else write it"
    if len(data) < len(manifests):
        what = f"the snapshot of version {version.id} has delete files: its Parquet files hold deleted rows"
        raise StorageError(what, where=versions.files.where, fix=fix)
    if (files, rows) != (len(version.parts), version.rows):
        named = f"{len(version.parts)} files of {version.rows} rows"
        what = f"version {version.id} names {named}, its snapshot {files} of {rows}"
        raise StorageError(what, where=versions.files.where, fix=fix)
