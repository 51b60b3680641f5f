"""What may be removed from a place: only what nobody can be reading any more. Needs the place's lock."""

import shutil
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

from mesh_defs.model.version import Version
from mesh_defs.storage import durable
from mesh_defs.storage.layout import Layout, staged_at
from mesh_defs.storage.manifest import Damage, Manifest, Record
from mesh_defs.storage.quarantine import quarantined

_Entry = TypeVar("_Entry")


def swept(manifest: Manifest, now: datetime, retention_seconds: float) -> tuple[str, ...]:
    """Remove old versions, orphans and quarantined candidates; return their paths relative to the place.

    Removes nothing while the pointer, or the record of a version that is still retained, cannot be read: nobody knows
    then which parts it names.
    """
    look, layout, cutoff = manifest.look(), manifest.layout, now - timedelta(seconds=retention_seconds)
    superseded = ((entry, manifest.read(entry.path)) for entry in manifest.superseded(look))
    retention = retained(look.record.version, superseded, cutoff) if look.record else ([], [])
    if look.damage or retention is None:
        return ()
    versions, expired = retention
    kept = {Path(part.path).parent.name for version in versions for part in version.parts}
    # Records go first: should we die half-way, parts without a record are orphans, a record without parts is a lie.
    doomed = [*(entry.path for entry in (*expired, *manifest.unflipped(look))), *_residue(layout)]
    for path in doomed:
        path.unlink()
    if doomed and layout.history.is_dir():
        durable.sync(layout.history)
    folders = [*_orphans(layout, kept, cutoff), *_refused(layout, cutoff)]
    for folder in folders:
        shutil.rmtree(folder)
    return tuple(str(path.relative_to(layout.place)) for path in (*doomed, *folders))


def retained(
    current: Version, superseded: Iterable[tuple[_Entry, Record | Damage | None]], cutoff: datetime
) -> tuple[list[Version], list[_Entry]] | None:
    """Return the versions that readers may have, and the records of those superseded before the cutoff.

    None when a retained version's record cannot be read. `superseded` are newest first.
    """
    versions, expired, superseded_at = [current], list[_Entry](), current.published_at
    for entry, record in superseded:
        if superseded_at < cutoff:
            expired.append(entry)
        elif isinstance(record, Record):
            versions.append(record.version)
        else:
            return None
        if isinstance(record, Record):
            superseded_at = record.version.published_at
    return versions, expired


def _orphans(layout: Layout, kept: set[str], cutoff: datetime) -> Iterator[Path]:
    """Yield folders of candidates that no retained version names; files that we did not make are left alone."""
    for folder in sorted(layout.parts.iterdir()) if layout.parts.is_dir() else []:
        staged = staged_at(folder.name)
        if folder.name not in kept and staged is not None and staged < cutoff:
            yield folder


def _refused(layout: Layout, cutoff: datetime) -> Iterator[Path]:
    return (Path(one.path) for one in quarantined(layout) if one.refused_at < cutoff)


def _residue(layout: Layout) -> Iterator[Path]:
    """Yield what a writer that died left of a file it was replacing; none can be alive, for we hold the lock."""
    yield from layout.place.glob(f".*{durable.TEMPORARY}")
    yield from layout.history.glob(f".*{durable.TEMPORARY}")
