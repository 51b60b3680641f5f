"""The pointer of one place on S3, and its history. Opens no part and runs no SQL.

    manifest.json                the pointer
    history/<sequence>.json      one record per published version, in their order
    parts/<candidate id>/…       the part, and `fate`: what became of the candidate
    refused/<candidate id>/…     quarantine: the parts, and why

There is no lock. To create the next record, unless it exists, is to publish: one of several writers does, the others
build on that one's version and try the number after it. The pointer follows, over exactly what it was, and only forward.
So a record is never a lie, and a writer that died between the two is caught up with by the next. Nothing here believes a
listing: it may be old, so numbers are counted on from it, up and down, until none answers.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import count, takewhile
from typing import TypeVar

from mesh_defs.errors import StorageUnreachableError
from mesh_defs.model.contract import StorageKind
from mesh_defs.storage.manifest import Damage, Look, Record, decode, encode, recovered
from mesh_defs.storage.parallel import in_parallel
from mesh_defs.storage.s3_objects import Objects

KIND: StorageKind = "s3"
POINTER = "manifest.json"
# Each try that fails is a version that another writer published.
TRIES_MAX = 1000
_Each = TypeVar("_Each")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What one look at the pointer found, and the mark of exactly this pointer; no mark when there is none."""

    look: Look
    etag: str | None


@dataclass(frozen=True, slots=True)
class S3Manifest:
    """The documents of one place."""

    objects: Objects

    def sight(self) -> Sight:
        """Read the pointer; when it is lost or torn, find the newest intact record instead."""
        found = self.objects.get(POINTER)
        if found is None and self._newest():
            found = self.objects.get(POINTER)  # the first publications may have happened since the first look
        record = decode(found.content, KIND, self.objects.url(POINTER)) if found else None
        if isinstance(record, Record):
            return Sight(look=Look(record=record), etag=found.etag if found else None)
        reason = record.reason if record else "is gone"
        return Sight(look=self._recover(reason, exists=found is not None), etag=found.etag if found else None)

    def _recover(self, reason: str, *, exists: bool) -> Look:
        newest = self._newest()
        # A first publication that died before its flip leaves record 1 and no pointer: no reader ever had it.
        if not exists and newest <= 1:
            return Look()
        found = ((self.objects.url(name(number)), self.read(number)) for number in range(newest, 0, -1))
        damage = f"the pointer {self.objects.url(POINTER)} {reason}"
        return recovered(damage, self.objects.url("history"), _until_none(found))

    def claim(self, record: Record) -> tuple[bytes, Record | Damage]:
        """Create the record of its number unless it exists; return the one that is there, ours or another's."""
        content = self.objects.settle(name(record.sequence), encode(record, KIND))
        return content, decode(content, KIND, self.objects.url(name(record.sequence)))

    def flip(self, sight: Sight, sequence: int, content: bytes) -> None:
        """Let the pointer say this, unless it is further already; returns when it has happened."""
        for _ in range(TRIES_MAX):
            try:
                if self.objects.put_over(POINTER, content, sight.etag):
                    return
            except StorageUnreachableError:
                if self._passed(sequence):
                    return
                raise
            sight = self.sight()
            if sight.look.record and not sight.look.damage and sight.look.sequence >= sequence:
                return
        raise StorageUnreachableError("the pointer never stands still", where=self.objects.place, fix="run it again")

    def _passed(self, sequence: int) -> bool:
        look = self.sight().look
        return not look.damage and look.sequence >= sequence

    def read(self, number: int) -> Record | Damage | None:
        """Return what a record says, why it cannot be believed, or None when there is none of that number."""
        found = self.objects.get(name(number))
        return decode(found.content, KIND, self.objects.url(name(number))) if found else None

    def superseded(self, look: Look) -> list[tuple[int, Record | Damage]]:
        """Return the records before the one that readers see, newest first."""
        oldest = min(self._listed(), default=look.sequence)
        numbers = list(range(look.sequence - 1, oldest - 1, -1))
        listed = zip(numbers, in_parallel(self.read, numbers), strict=True)
        below = min(oldest, look.sequence)
        further = ((number, self.read(number)) for number in range(below - 1, 0, -1))
        return [*_present(listed), *_present(_until_none(further))]

    def ahead(self, look: Look) -> list[tuple[int, Record | Damage]]:
        """Return the records that the pointer has not come to yet, oldest first."""
        return list(_present(_until_none((number, self.read(number)) for number in count(look.sequence + 1))))

    def published(self, id: str, sight: Sight) -> Record | None:
        """Return a candidate's record, if it was published as far as the history reaches."""
        records = (record for _, record in (*self.ahead(sight.look), *self.superseded(sight.look)))
        return next((each for each in records if isinstance(each, Record) and each.version.id == id), None)

    def _newest(self) -> int:
        number = max(self._listed(), default=0)
        while self.objects.size(name(number + 1)) is not None:
            number += 1
        return number

    def _listed(self) -> Iterator[int]:
        for each in self.objects.names("history/"):
            number = each.removeprefix("history/").removesuffix(".json")
            if number.isascii() and number.isdigit() and each == name(int(number)):
                yield int(number)


def name(sequence: int) -> str:
    """Return the name of a record."""
    return f"history/{sequence:010d}.json"


def _present(found: Iterable[tuple[int, Record | Damage | None]]) -> Iterator[tuple[int, Record | Damage]]:
    return ((number, record) for number, record in found if record is not None)


def _until_none(
    found: Iterable[tuple[_Each, Record | Damage | None]],
) -> Iterator[tuple[_Each, Record | Damage | None]]:
    return takewhile(lambda each: each[1] is not None, found)
