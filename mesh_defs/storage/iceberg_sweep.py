"""What may be removed from a table and its place: only what nobody can be reading any more. Needs the table's lock.

Snapshots go first, in one commit; then records, parts and Iceberg's own files that no snapshot leads to. A snapshot that
somebody gave a name (a tag or a branch) stays, with all its files, until they take the name away.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from pyiceberg.table import Table
from pyiceberg.table.snapshots import Snapshot

from mesh_defs.model.version import Version
from mesh_defs.storage import durable
from mesh_defs.storage.iceberg_catalog import Found
from mesh_defs.storage.iceberg_files import Files, candidates_in
from mesh_defs.storage.iceberg_io import TableIO
from mesh_defs.storage.iceberg_versions import Versions, version_of
from mesh_defs.storage.layout import staged_at
from mesh_defs.storage.sweep import retained


def swept(found: Found, files: Files, now: datetime, retention_seconds: float) -> tuple[str, ...]:
    """Remove old versions, orphans, quarantined candidates and old metadata; return their names.

    Removes nothing while readers cannot be told what is current.
    """
    cutoff = now - timedelta(seconds=retention_seconds)
    kept = _expire(found, files, cutoff) if found.table else []
    doomed = [
        *_records(files, {version.id for version in kept}),
        *_orphans(files, kept, cutoff),
        *_refused(files, cutoff),
        *(unreached(found, files, retention_seconds) if found.table else ()),
    ]
    files.remove(doomed)
    return tuple(name.rstrip("/") for name in doomed)


def _expire(found: Found, files: Files, cutoff: datetime) -> list[Version]:
    """Remove the snapshots superseded before the cutoff; return the versions that stay."""
    assert found.table is not None
    versions = Versions(found.table, files)
    records = versions.published()
    if not records:
        return []
    older = [(record.version.id, record) for record in records[1:]]
    staying, expired = retained(records[0].version, older, cutoff) or ([], [])
    metadata = found.table.metadata
    named = {ref.snapshot_id for ref in metadata.refs.values()} | {metadata.current_snapshot_id}
    gone = [each for each in metadata.snapshots if each.snapshot_id not in named and _is_old(each, expired, cutoff)]
    if gone:
        found.table.maintenance.expire_snapshots().by_ids([each.snapshot_id for each in gone]).commit()
    ids = set(expired) & {version_of(each) for each in gone}
    return [*staying, *(record.version for id, record in older if id in expired and id not in ids)]


def _is_old(snapshot: Snapshot, expired: Iterable[str], cutoff: datetime) -> bool:
    """Another program's snapshots go by their own time; `main` is never one, for then nothing is swept."""
    id = version_of(snapshot)
    return id in expired if id else snapshot.timestamp_ms < cutoff.timestamp() * 1000


def _records(files: Files, kept: set[str]) -> Iterator[str]:
    """Yield records that no version has, and what was half written: under the lock nobody is about to publish one."""
    for each in files.lying("history"):
        name = each.name.removeprefix("history/")
        id = name.removesuffix(".json")
        if (staged_at(id) and id not in kept) or (name.startswith(".") and name.endswith(durable.TEMPORARY)):
            yield each.name


def _orphans(files: Files, kept: list[Version], cutoff: datetime) -> Iterator[str]:
    named = {part.path.split("/")[1] for version in kept for part in version.parts}
    for id in candidates_in(files.lying("parts")):
        staged = staged_at(id)
        if id not in named and staged is not None and staged < cutoff:
            yield f"parts/{id}/"


def _refused(files: Files, cutoff: datetime) -> Iterator[str]:
    return (f"refused/{one.id}/" for one in files.quarantined() if one.refused_at < cutoff)


def unreached(found: Found, files: Files, retention_seconds: float) -> Iterator[str]:
    """Yield Iceberg's own files that no snapshot leads to, when they are old by the clock of whoever keeps them.

    A reader may have found the one before just now, and another program may be about to commit a new one.
    """
    old = [each.name for each in files.lying("metadata") if each.age_seconds >= retention_seconds]
    if old and found.table:
        table = found.table.refresh()
        reached = set(_reached(table, TableIO(files)))
        yield from (name for name in old if name not in reached)


def _reached(table: Table, io: TableIO) -> Iterator[str]:
    yield io.name(table.metadata_location)
    for snapshot in table.metadata.snapshots:
        yield io.name(snapshot.manifest_list)
        yield from (io.name(each.manifest_path) for each in snapshot.manifests(io))
    yield from (io.name(each.statistics_path) for each in table.metadata.statistics)
