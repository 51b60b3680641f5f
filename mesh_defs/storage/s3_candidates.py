"""What becomes of a candidate on S3: published, refused or removed, decided once and for all by an object of its own.

Whoever creates it first decides; the others find out. So nobody removes parts that somebody is publishing, whatever the
clocks say, and nobody publishes what was removed. Which version is current, `s3_manifest` knows.
"""

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from mesh_defs.errors import StorageError
from mesh_defs.model.version import Candidate, Part
from mesh_defs.storage.base import Refused
from mesh_defs.storage.layout import staged_at
from mesh_defs.storage.parallel import in_parallel
from mesh_defs.storage.quarantine import NOTE, noted
from mesh_defs.storage.s3_objects import Objects

Fate = Literal["published", "refused", "removed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """A candidate's fate. `before`: not by this call, as far as the answers of S3 tell."""

    fate: str
    before: bool


def decide(objects: Objects, id: str, fate: Fate) -> Decided:
    """Decide what becomes of a candidate, unless that is decided. ValueError for an id that is not ours."""
    if staged_at(id) is None:
        raise ValueError(f"'{id}' is not a candidate's id")
    mine = f"{fate} {secrets.token_hex(8)}".encode()
    there = objects.settle(fate_of(id), mine)
    return Decided(fate=there.decode(errors="replace").partition(" ")[0], before=there != mine)


def fate_of(id: str) -> str:
    """Return the name of the object that decides."""
    return f"parts/{id}/fate"


def require_conditions(objects: Objects, id: str) -> None:
    """Raise StorageError if this S3 overwrites what it was told not to: two writers would lose each other's versions."""
    if objects.put_over(fate_of(id), b"published", None):
        fix = "use an S3 API that honours If-None-Match and If-Match on PUT, as Amazon's does, or parquet on a disk"
        raise StorageError("this S3 ignores the conditions of a PUT", where=objects.place, fix=fix)


def require_parts(objects: Objects, parts: Sequence[Part]) -> list[str]:
    """Return the parts' URLs, after a look at each one's size; StorageError for one that is missing or torn."""
    sizes = in_parallel(objects.size, [part.path for part in parts])
    for part, size in zip(parts, sizes, strict=True):
        if size != part.bytes:
            state = "missing" if size is None else f"torn: {size} bytes of {part.bytes}"
            whole = "the product" if part.partition is None else f"partition '{part.partition}'"
            fix = f"restore the object, or re-materialize {whole}"
            raise StorageError(f"part {part.path} is {state}", where=objects.place, fix=fix)
    return [objects.url(part.path) for part in parts]


def remove(objects: Objects, id: str, paths: Iterable[str] = ()) -> None:
    """Remove a candidate's parts, then what was decided of it."""
    names = {*paths, *objects.names(f"parts/{id}/")} - {fate_of(id)}
    objects.remove(sorted(names))
    objects.remove([fate_of(id)])


def quarantine(objects: Objects, candidate: Candidate, document: bytes) -> None:
    """Write the note, then move the parts beside it; the note never lags behind them."""
    objects.put(f"refused/{candidate.id}/{NOTE}", document)
    for part in candidate.parts:
        objects.copy(part.path, part.path.replace("parts/", "refused/", 1))
    remove(objects, candidate.id, [part.path for part in candidate.parts])


def quarantined(objects: Objects, names: Iterable[str]) -> tuple[Refused, ...]:
    """Return what these names tell of the quarantine, newest first."""
    ids = sorted({each.split("/")[1] for each in names if each.startswith("refused/")})
    found = in_parallel(lambda id: _noted(objects, id), [id for id in ids if staged_at(id)])
    return tuple(sorted(found, key=lambda one: (one.refused_at, one.id), reverse=True))


def drop_quarantined(objects: Objects, id: str) -> bool:
    """Remove a quarantined candidate, its note last: what is listed can be looked for again."""
    document = f"refused/{id}/{NOTE}"
    found = staged_at(id) is not None and objects.get(document) is not None
    if found:
        objects.remove(name for name in objects.names(f"refused/{id}/") if name != document)
        objects.remove([document])
    return found


def _noted(objects: Objects, id: str) -> Refused:
    found = objects.get(f"refused/{id}/{NOTE}")
    return noted(id, found.content if found else b"", objects.url(f"refused/{id}"))
