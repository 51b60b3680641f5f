"""The pointer of one place, and the immutable record of every published version. Opens no part and runs no SQL.

Both are the same JSON document: `format`, `checksum` and the version. The record is written before the pointer, so a
record whose sequence is past the pointer's belongs to a publication that died before its flip, and counts for nothing.
"""

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from mesh_defs.errors import StorageError
from mesh_defs.model.contract import StorageKind
from mesh_defs.model.version import Part, Version
from mesh_defs.storage import durable
from mesh_defs.storage.layout import Layout

FORMAT = 1
MEND = "re-materialize the product to write a new one"
_RECORD = re.compile(r"(\d{10,})-(.+)\.json")
# A file below `parts`, or a table of the product's own schema.
_PART_PATH = re.compile(r"parts/(?!\.)[^/\0]+/(?!\.)[^/\0]+|data_[0-9a-z_]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A published version and its place in the order of publications, which no clock can disturb."""

    sequence: int
    version: Version


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """A document that cannot be believed, and why."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A record's file in the history: what its name says."""

    sequence: int
    id: str
    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What one look at the pointer found. With `damage`, `record` is the newest intact one of the history, or None."""

    record: Record | None = None
    damage: str | None = None

    @property
    def sequence(self) -> int:
        """The record's place in the order of publications; 0 before the first."""
        return self.record.sequence if self.record else 0


@dataclass(frozen=True, slots=True)
class Manifest:
    """The documents of one place. Writing needs the place's lock; reading does not."""

    layout: Layout
    kind: StorageKind

    def look(self) -> Look:
        """Read the pointer; when it is lost or torn, find the newest intact record instead."""
        found = self.read(self.layout.pointer)
        if isinstance(found, Record):
            return Look(record=found)
        entries = self.entries()
        if found is None and entries:
            found = self.read(self.layout.pointer)  # the first publications may have happened since the first look
            if isinstance(found, Record):
                return Look(record=found)
        # A first publication that died before its flip leaves record 1 and no pointer: never published.
        if found is None and (not entries or entries[0].sequence == 1):
            return Look()
        return self._recover(entries, "is gone" if found is None else found.reason)

    def _recover(self, entries: tuple[Entry, ...], reason: str) -> Look:
        what = f"the pointer {self.layout.pointer} {reason}"
        return recovered(what, str(self.layout.history), ((str(each.path), self.read(each.path)) for each in entries))

    def entries(self) -> tuple[Entry, ...]:
        """Return the history's files, newest first, whatever is in them."""
        try:
            names = [_RECORD.fullmatch(path.name) for path in self.layout.history.iterdir()]
        except FileNotFoundError:
            return ()
        found = [Entry(sequence=int(name[1]), id=name[2], path=self.layout.history / name[0]) for name in names if name]
        return tuple(sorted(found, key=lambda entry: (entry.sequence, entry.id), reverse=True))

    def superseded(self, look: Look) -> tuple[Entry, ...]:
        """Return the records that were published before the one that `look` found, newest first."""
        return tuple(entry for entry in self.entries() if entry.sequence < look.sequence)

    def was_published(self, id: str, look: Look) -> bool:
        """Tell whether a candidate of this id was published, as far as the history reaches; reads names only."""
        return any(entry.id == id and entry.sequence <= look.sequence for entry in self.entries())

    def unflipped(self, look: Look) -> tuple[Entry, ...]:
        """Return the records of publications that died before their flip; none can be told apart without a pointer."""
        return () if look.damage else tuple(entry for entry in self.entries() if entry.sequence > look.sequence)

    def commit(self, look: Look, version: Version) -> Version:
        """Record the version, then flip the pointer to it; return it as readers will see it."""
        durable.make_folder(self.layout.history)
        for entry in self.unflipped(look):
            entry.path.unlink()
        sequence = 1 + max([look.sequence, *(entry.sequence for entry in self.entries())])
        content = encode(Record(sequence=sequence, version=version), self.kind)
        path = self.layout.history / f"{sequence:010d}-{version.id}.json"
        written = decode(content, self.kind, path)
        assert isinstance(written, Record)
        try:
            durable.replace(path, content)
            durable.replace(self.layout.pointer, content)
        except BaseException:
            if self.read(self.layout.pointer) != written:
                path.unlink(missing_ok=True)
            raise
        return written.version

    def read(self, path: Path) -> Record | Damage | None:
        """Return what a document says, why it cannot be believed, or None when there is none."""
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return None
        return decode(content, self.kind, path)


def recovered(damage: str, history: str, found: Iterable[tuple[str, Record | Damage | None]]) -> Look:
    """Return the first intact record of those found, newest first, instead of what the pointer named."""
    for where, record in found:
        if isinstance(record, Record):
            serving = f"{damage}; version {record.version.id} is read from {where} instead — {MEND}"
            return Look(record=replace(record, version=replace(record.version, recovered=serving)), damage=damage)
    return Look(damage=f"{damage}, and no record in {history} is intact")


def encode(record: Record, kind: StorageKind) -> bytes:
    """Return the document; raises TypeError or ValueError if the version's stamp is not JSON."""
    version = record.version
    body = {
        "kind": kind,
        "sequence": record.sequence,
        "id": version.id,
        "published_at": version.published_at.astimezone(UTC).isoformat(),
        "columns": dict(version.columns),
        "parts": list(map(document_of, version.parts)),
        "stamp": dict(version.stamp),
    }
    body = json.loads(json.dumps(body, allow_nan=False))  # as it will be read back: no tuples, no int keys
    return json.dumps({"format": FORMAT, "checksum": _checksum(FORMAT, body), **body}, indent=1).encode()


@lru_cache(maxsize=64)
def decode(content: bytes, kind: StorageKind, where: Path | str) -> Record | Damage:
    """Return the record; StorageError for a newer format and for a place that holds another kind of storage.

    The same few documents are read at each question, and nobody changes what comes of them.
    """
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        return Damage(reason="is not JSON" if content else "is empty")
    if not isinstance(body, dict):
        return Damage(reason="is not a JSON object")
    number, checksum = body.pop("format", None), body.pop("checksum", None)
    # Before the checksum, which a newer format may take otherwise. Mistaken for damage, it would be published over.
    if isinstance(number, int) and number > FORMAT:
        what = f"is of format {number}, this release knows up to {FORMAT}"
        fix = "upgrade mesh-defs here; if no newer release wrote it, restore the file"
        raise StorageError(what, where=str(where), fix=fix)
    if number != FORMAT or checksum != _checksum(FORMAT, body):
        return Damage(reason="does not match its checksum")
    if body.get("kind") != kind:
        fix = "give the product another place in its contract; two kinds cannot share one"
        raise StorageError(f"this place holds '{body.get('kind')}' storage, not '{kind}'", where=str(where), fix=fix)
    try:
        return _record(body)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        return Damage(reason=f"is not a manifest ({type(error).__name__})")


def _checksum(number: int, body: dict[str, Any]) -> str:
    """Return the digest of the parsed document: the order of its keys counts (columns have one), its blanks do not."""
    canonical = json.dumps([number, body], separators=(",", ":"))
    return "sha256:" + hashlib.sha256(canonical.encode()).hexdigest()


def _record(body: dict[str, Any]) -> Record:
    version = Version(
        id=body["id"],
        parts=tuple(part_of(part) for part in body["parts"]),
        columns=body["columns"],
        published_at=datetime.fromisoformat(body["published_at"]),
        stamp=body["stamp"],
    )
    if not version.parts:
        raise ValueError
    return Record(sequence=body["sequence"], version=version)


def document_of(part: Part) -> dict[str, Any]:
    """Return a part as documents name it; one without tokens, or columns added since, as before there were any."""
    return {name: value for name, value in asdict(part).items() if value or name not in ("tokens", "absent")}


def part_of(body: dict[str, Any]) -> Part:
    """Return a part that a document names; ValueError for a path that is none.

    Invariant: a part's path never leaves its place, so that one product's pointer cannot name another's bytes.
    """
    part = Part(**body)
    if not _PART_PATH.fullmatch(part.path) or not isinstance(part.tokens, dict) or not isinstance(part.absent, dict):
        raise ValueError
    return part
