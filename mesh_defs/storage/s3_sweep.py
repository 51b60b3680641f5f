"""What may be removed from a place on S3: only what nobody can be reading or publishing any more. Takes no lock.

A candidate that its publisher may still be at goes when that was decided longer ago than the retention, by the clock of
the S3 server: one's own may jump.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from mesh_defs.model.version import Version
from mesh_defs.storage.layout import staged_at
from mesh_defs.storage.manifest import Record
from mesh_defs.storage.s3_candidates import decide, fate_of, quarantined, remove
from mesh_defs.storage.s3_manifest import S3Manifest, name
from mesh_defs.storage.sweep import retained


def swept(manifest: S3Manifest, now: datetime, retention_seconds: float) -> tuple[str, ...]:
    """Remove old versions, orphans, quarantined candidates and uploads; return their names.

    Removes nothing while the pointer, or the record of a version that is still retained, cannot be read: nobody knows
    then which parts it names.
    """
    objects, cutoff = manifest.objects, now - timedelta(seconds=retention_seconds)
    listed = [*objects.names("parts/"), *objects.names("refused/")]
    look = manifest.sight().look
    ahead = manifest.ahead(look)
    superseded = manifest.superseded(look)
    retention = retained(look.record.version, iter(superseded), cutoff) if look.record else ([], [])
    if look.damage or retention is None or not all(isinstance(record, Record) for _, record in ahead):
        return ()
    versions, expired = retention
    kept = _ids([*versions, *(record.version for _, record in ahead if isinstance(record, Record))])
    gone = _ids([r.version for number, r in superseded if number in expired and isinstance(r, Record)])
    # Records go first: should we die half-way, parts without a record are orphans, a record without parts is a lie.
    doomed = [name(number) for number in sorted(expired)]
    objects.remove(doomed)
    orphans = sorted(_staged(listed, "parts", cutoff) - kept)
    removed = [id for id in orphans if id in gone or _is_nobodys(manifest, id, retention_seconds)]
    for id in removed:
        remove(objects, id)
    refused = [one.id for one in quarantined(objects, _old(listed, cutoff)) if one.refused_at < cutoff]
    objects.remove([each for each in listed if each.startswith("refused/") and each.split("/")[1] in refused])
    folders = [*(f"parts/{id}" for id in removed), *(f"refused/{id}" for id in refused)]
    return (*doomed, *folders, *objects.abort_uploads("parts/", retention_seconds))


def _is_nobodys(manifest: S3Manifest, id: str, retention_seconds: float) -> bool:
    """Tell whether nobody will publish this candidate, deciding so if nobody has decided."""
    if decide(manifest.objects, id, "removed").fate != "published":
        return True
    found = manifest.objects.get(fate_of(id))
    return found is not None and found.age_seconds is not None and found.age_seconds >= retention_seconds


def _ids(versions: list[Version]) -> set[str]:
    return {part.path.split("/")[1] for version in versions for part in version.parts}


def _staged(listed: list[str], folder: str, cutoff: datetime) -> set[str]:
    """Return the candidates staged before the cutoff; what we did not make is left alone."""
    return {each.split("/")[1] for each in _old(listed, cutoff) if each.startswith(f"{folder}/")}


def _old(listed: list[str], cutoff: datetime) -> Iterator[str]:
    for each in listed:
        staged = staged_at(each.split("/")[1])
        if staged is not None and staged < cutoff:
            yield each
