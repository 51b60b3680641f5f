"""Stage, publish and refuse on S3. Which version is current `s3_manifest` knows; who may remove what, `s3_candidates`."""

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from duckdb import DuckDBPyConnection

from mesh_defs.errors import StorageError, StorageUnreachableError
from mesh_defs.model.contract import Server, StorageKind
from mesh_defs.model.place import Access
from mesh_defs.model.version import Candidate, Part, Pin, Version
from mesh_defs.storage import failures, s3_reading
from mesh_defs.storage.base import Refused
from mesh_defs.storage.follow import Follower, follower_of
from mesh_defs.storage.layout import new_id
from mesh_defs.storage.manifest import MEND, Record, encode
from mesh_defs.storage.parquet import ParquetParts, scan
from mesh_defs.storage.partitions import merged_parts
from mesh_defs.storage.parts import described
from mesh_defs.storage.quarantine import note, require_parts_of
from mesh_defs.storage.s3_candidates import (
    decide,
    drop_quarantined,
    quarantine,
    quarantined,
    remove,
    require_conditions,
    require_parts,
)
from mesh_defs.storage.s3_manifest import KIND, TRIES_MAX, S3Manifest, Sight
from mesh_defs.storage.s3_objects import Objects
from mesh_defs.storage.s3_sweep import swept
from mesh_defs.storage.tokens import shown, without_tokens

_PARTS = ParquetParts()


def s3_at(server: Server, access: Access, clock: Callable[[], datetime]) -> "S3Storage":
    """Return the storage of one product below `s3://bucket/prefix`."""
    objects = Objects(server.place, access.s3, access.variable)
    return S3Storage(objects, access, clock, follower_of(server, access))


@dataclass(frozen=True, slots=True)
class S3Storage:
    """A `Storage` of Parquet files below one prefix. `follower`: of its table for Trino, where there may be one."""

    objects: Objects
    access: Access
    clock: Callable[[], datetime]
    follower: Follower | None = None

    @property
    def kind(self) -> StorageKind:
        """The contract's name of this kind of storage."""
        return KIND

    @property
    def manifest(self) -> S3Manifest:
        """The pointer and the history."""
        return S3Manifest(self.objects)

    def stage(
        self,
        connection: DuckDBPyConnection,
        select: str,
        *,
        partition: str | None = None,
        tokens: Mapping[str, str] | None = None,
    ) -> Candidate:
        """Write the SELECT's rows to a file that has no name, then upload it as the one part of a new candidate.

        130 MB took 2.7 s so, and 3.7 s straight from DuckDB, which also used more memory and would lose the work of a
        long SELECT whenever S3 stumbles.
        """
        with self._told_by_duckdb("the product's SELECT does not run"):
            columns = described(connection, select)
        id = new_id(self.clock())
        path = f"parts/{id}/0.parquet"
        with spill_file(connection) as (file, link), self.objects.told("the new version could not be written"):
            with self._told_by_duckdb("the new version could not be written", columns):
                written = _PARTS.write(connection, select, columns, link)
            size = os.fstat(file.fileno()).st_size
            try:
                self.objects.upload(path, file, size)
            except BaseException:
                with suppress(StorageError):
                    self.objects.remove([path])
                raise
        part = Part(path=path, rows=written.rows, bytes=size, partition=partition, tokens=tokens or {})
        return Candidate(id=id, parts=(part,), columns=shown(written.columns, part), partition=partition)

    def relation(self, connection: DuckDBPyConnection, parts: Sequence[Part], *, whole: bool = False) -> str:
        """Return text that may stand after FROM and reads these parts, after a look at each object's size."""
        urls = require_parts(self.objects, parts)

        def read(some: Sequence[Part]) -> str:
            return scan([self.objects.url(part.path) for part in some])

        with self._told_by_duckdb("the parts cannot be opened"):
            s3_reading.permit(connection, urls, self.access)
            return read(parts) if whole else without_tokens(parts, read)

    def remote(self, connection: DuckDBPyConnection, parts: Sequence[Part]) -> None:
        """Nowhere: files are read here."""

    def release(self, connection: DuckDBPyConnection, parts: Sequence[Part]) -> None:
        """Take back the secret that `relation` gave to this connection."""
        with self._told_by_duckdb("the parts cannot be let go of"):
            s3_reading.release(connection, [self.objects.url(part.path) for part in parts])

    def publish(self, candidate: Candidate, *, stamp: Mapping[str, Any]) -> Version:
        """Merge the candidate into what is current, record it and flip the pointer.

        On StorageUnreachableError it is open whether it was published, or will be together with the next version.
        """
        version = self._published(candidate, stamp)
        if self.follower:
            self.follower.changed(self)
        return version

    def _published(self, candidate: Candidate, stamp: Mapping[str, Any]) -> Version:
        with self._told("the new version could not be published"):
            sight = self.manifest.sight()
            look = sight.look
            current = look.record.version if look.record else None
            if current and current.id == candidate.id and not look.damage:
                return current
            if look.damage and not current and candidate.partition is not None:
                fix = f"move {self.objects.url('manifest.json')} away, then re-materialize every partition"
                raise StorageError(look.damage, fix=fix)
            # What cannot be published must fail before that is decided.
            encode(self._record(look.record, look.sequence + 1, candidate, stamp), KIND)
            before = self._decide_to_publish(sight, candidate)
            return before or self._commit(sight, candidate, stamp)

    def _decide_to_publish(self, sight: Sight, candidate: Candidate) -> Version | None:
        """Return the version if an earlier try has recorded it, whose pointer was not flipped."""
        decided = decide(self.objects, candidate.id, "published")
        if decided.fate != "published":
            raise StorageError(f"candidate {candidate.id} is missing: it was {decided.fate}", fix="stage it anew")
        if decided.before and (before := self.manifest.published(candidate.id, sight)):
            if before.sequence <= sight.look.sequence:
                raise StorageError(f"candidate {candidate.id} was published before", fix="stage it anew")
            self.manifest.flip(sight, before.sequence, encode(before, KIND))
            return before.version
        require_parts(self.objects, candidate.parts)
        if sight.look.record is None:
            require_conditions(self.objects, candidate.id)
        return None

    def _commit(self, sight: Sight, candidate: Candidate, stamp: Mapping[str, Any]) -> Version:
        """Take the next free place in the order of publications, building on whoever took one first."""
        base, sequence = sight.look.record, sight.look.sequence
        for _ in range(TRIES_MAX):
            sequence += 1
            content, there = self.manifest.claim(self._record(base, sequence, candidate, stamp))
            if isinstance(there, Record):
                if there.version.id == candidate.id:
                    self.manifest.flip(sight, sequence, content)
                    return there.version
                base = there
        raise StorageUnreachableError("other writers were always faster", fix="run it again")

    def _record(self, base: Record | None, sequence: int, candidate: Candidate, stamp: Mapping[str, Any]) -> Record:
        version = Version(
            id=candidate.id,
            parts=merged_parts(base.version if base else None, candidate),
            columns=candidate.columns,
            published_at=self.clock().astimezone(UTC),
            stamp=stamp,
        )
        return Record(sequence=sequence, version=version)

    def refuse(
        self, candidate: Candidate, reasons: Sequence[Mapping[str, Any]], about: Mapping[str, Any] | None = None
    ) -> None:
        """Move the candidate's parts into quarantine, beside a note."""
        with self._told("the candidate could not be put in quarantine"):
            decided = decide(self.objects, candidate.id, "refused")
            if decided.fate == "published":
                fix = "publish a better version over it"
                raise StorageError(f"candidate {candidate.id} is published already, or about to be", fix=fix)
            require_parts(self.objects, candidate.parts)
            quarantine(self.objects, candidate, note(candidate, reasons, about, self.clock()))

    def refused(self) -> tuple[Refused, ...]:
        """Return what is in quarantine, newest first."""
        with self._told("the quarantine cannot be read"):
            return quarantined(self.objects, self.objects.names("refused/"))

    def refused_relation(self, connection: DuckDBPyConnection, refused: Refused) -> str:
        """Return text that may stand after FROM and reads the rows of one quarantined candidate."""
        require_parts_of(refused)
        return self.relation(connection, refused.parts)

    def drop_refused(self, id: str) -> bool:
        """Remove the candidate's objects from quarantine."""
        with self._told("the batch could not be removed from quarantine"):
            return drop_quarantined(self.objects, id)

    def discard(self, candidate: Candidate) -> None:
        """Remove the candidate's parts, unless somebody has begun to publish them."""
        with self._told("the candidate could not be removed"):
            if decide(self.objects, candidate.id, "removed").fate != "published":
                remove(self.objects, candidate.id, [part.path for part in candidate.parts])

    def current(self) -> Version | None:
        """Return what the pointer names; costs one small read."""
        record = self._sight().look.record
        return record.version if record else None

    def versions(self) -> tuple[Version, ...]:
        """Return the retained versions, newest first; a record that cannot be read is left out."""
        look = self._sight().look
        if look.record is None:
            return ()
        with self._told("the history cannot be read"):
            older = (record for _, record in self.manifest.superseded(look))
            return (look.record.version, *(each.version for each in older if isinstance(each, Record)))

    def pin(self, product: str, version: Version) -> Pin:
        """Return the parts' URLs, after a look at each object's size."""
        return Pin(
            product=product,
            version=version.id,
            kind=KIND,
            locations=tuple(require_parts(self.objects, version.parts)),
            columns=version.columns,
            tokens=version.token_columns,
            rows=version.rows,
            bytes=version.bytes,
            published_at=version.published_at,
            recovered=version.recovered,
        )

    def sweep(self, now: datetime, retention_seconds: float) -> tuple[str, ...]:
        """Remove what nobody can be reading; nobody waits meanwhile."""
        with self._told("old versions could not be removed"):
            removed = swept(self.manifest, now, retention_seconds)
        if self.follower:
            self.follower.changed(self, retention_seconds=retention_seconds)
        return removed

    def retire(self) -> tuple[str, ...]:
        """Remove every object below the prefix: the parts last, so that no pointer outlives what it names."""
        with self._told("the place could not be removed"):
            names = sorted(self.objects.names(""), key=lambda name: (name.startswith("parts/"), name))
            self.objects.remove(names)
            removed = (*names, *self.objects.abort_uploads("", 0))
        if self.follower:
            self.follower.retired()
        return removed

    def _sight(self) -> Sight:
        with self._told("the pointer cannot be read"):
            sight = self.manifest.sight()
        if sight.look.damage and not sight.look.record:
            raise StorageError(sight.look.damage, where=self.objects.place, fix=MEND)
        return sight

    def _told(self, what: str) -> AbstractContextManager[None]:
        return self.objects.told(what)

    def _told_by_duckdb(self, what: str, columns: Mapping[str, str] | None = None) -> AbstractContextManager[None]:
        return failures.told(what, self.objects.place, columns=columns or ())


@contextmanager
def spill_file(connection: DuckDBPyConnection) -> Iterator[tuple[IO[bytes], Path]]:
    """Yield a file where DuckDB spills, and a link to it; the file's bytes go with this process, however it ends.

    The link's name is new each time: DuckDB would show the columns that it remembers of another `/dev/fd/7`.
    """
    [(spill,)] = connection.execute("SELECT current_setting('temp_directory')").fetchall()
    place = spill if spill and Path(spill).is_absolute() else None
    if place:
        Path(place).mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place) as folder, tempfile.TemporaryFile(dir=place) as file:
        link = Path(folder) / "0.parquet"
        link.symlink_to(f"/dev/fd/{file.fileno()}")
        yield file, link
