"""Stage, publish and refuse on a local disk, whatever the parts' format. Which version is current, `manifest` knows."""

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from duckdb import DuckDBPyConnection

from mesh_defs.errors import StorageError
from mesh_defs.model.contract import StorageKind
from mesh_defs.model.version import Candidate, Part, Pin, Version
from mesh_defs.storage import durable
from mesh_defs.storage.base import Refused
from mesh_defs.storage.failures import told
from mesh_defs.storage.follow import Follower
from mesh_defs.storage.layout import Layout, new_id, staged_at
from mesh_defs.storage.manifest import MEND, Look, Manifest, Record
from mesh_defs.storage.partitions import merged_parts
from mesh_defs.storage.parts import PartFormat, Written, described
from mesh_defs.storage.quarantine import note, quarantine, quarantined, require_parts_of
from mesh_defs.storage.sweep import swept
from mesh_defs.storage.tokens import shown, without_tokens


def utc_now() -> datetime:
    """Return the time, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class LocalStorage:
    """A `Storage` in one folder of a local disk. `follower`: of its table for Trino, where there may be one."""

    format: PartFormat
    layout: Layout
    clock: Callable[[], datetime] = utc_now
    follower: Follower | None = None

    @property
    def kind(self) -> StorageKind:
        """The contract's name of this kind of storage."""
        return self.format.kind

    @property
    def manifest(self) -> Manifest:
        """The pointer and the history."""
        return Manifest(self.layout, self.kind)

    def stage(
        self,
        connection: DuckDBPyConnection,
        select: str,
        *,
        partition: str | None = None,
        tokens: Mapping[str, str] | None = None,
    ) -> Candidate:
        """Write the SELECT's rows as the one part of a new candidate."""
        with self._told("the product's SELECT does not run"):
            columns = described(connection, select)
        id = new_id(self.clock())
        path = f"parts/{id}/0.{self.kind}"
        with told("the new version could not be written", self.layout.place, columns=columns):
            written, size = self._write(connection, select, columns, self.layout.place / path)
        part = Part(path=path, rows=written.rows, bytes=size, partition=partition, tokens=tokens or {})
        return Candidate(id=id, parts=(part,), columns=shown(written.columns, part), partition=partition)

    def _write(
        self, connection: DuckDBPyConnection, select: str, columns: Mapping[str, str], path: Path
    ) -> tuple[Written, int]:
        try:
            durable.make_folder(path.parent)
            written = self.format.write(connection, select, columns, path)
            status = path.stat()
            path.chmod(status.st_mode & ~0o222)
            durable.sync(path)
            durable.sync(path.parent)
        except BaseException:
            shutil.rmtree(path.parent, ignore_errors=True)
            raise
        return written, status.st_size

    def relation(self, connection: DuckDBPyConnection, parts: Sequence[Part], *, whole: bool = False) -> str:
        """Return text that may stand after FROM and reads these parts, after a look at each file's size."""

        def read(some: Sequence[Part]) -> str:
            return self.format.relation(connection, self._locations(some))

        with self._told("the parts cannot be opened"):
            return read(parts) if whole else without_tokens(parts, read)

    def remote(self, connection: DuckDBPyConnection, parts: Sequence[Part]) -> None:
        """Nowhere: files are read here."""

    def release(self, connection: DuckDBPyConnection, parts: Sequence[Part]) -> None:
        """Undo what `relation` did to this connection."""
        with self._told("the parts cannot be let go of"):
            self.format.release(connection, [str(self.layout.place / part.path) for part in parts])

    def publish(self, candidate: Candidate, *, stamp: Mapping[str, Any]) -> Version:
        """Merge the candidate into what is current and flip the pointer, under the place's lock."""
        version = self._published(candidate, stamp)
        if self.follower:
            self.follower.changed(self)
        return version

    def _published(self, candidate: Candidate, stamp: Mapping[str, Any]) -> Version:
        with self._locked("the new version could not be published"):
            look = self.manifest.look()
            current = look.record.version if look.record else None
            if current and current.id == candidate.id and not look.damage:
                return current
            if self.manifest.was_published(candidate.id, look):
                what = f"candidate {candidate.id} was published before"
                raise StorageError(what, where=str(self.layout.place), fix="stage it anew")
            if look.damage and not current and candidate.partition is not None:
                fix = f"move {self.layout.pointer} away, then re-materialize every partition"
                raise StorageError(look.damage, where=str(self.layout.place), fix=fix)
            self._locations(candidate.parts)
            version = Version(
                id=candidate.id,
                parts=merged_parts(current, candidate),
                columns=candidate.columns,
                published_at=self.clock().astimezone(UTC),
                stamp=stamp,
            )
            return self.manifest.commit(look, version)

    def refuse(
        self, candidate: Candidate, reasons: Sequence[Mapping[str, Any]], about: Mapping[str, Any] | None = None
    ) -> None:
        """Move the candidate's folder into quarantine, with a note inside."""
        with self._locked("the candidate could not be put in quarantine"):
            if self._is_published(candidate, self.manifest.look()):
                what = f"candidate {candidate.id} is published already"
                raise StorageError(what, where=str(self.layout.place), fix="publish a better version over it")
            quarantine(self.layout, candidate, note(candidate, reasons, about, self.clock()))

    def refused(self) -> tuple[Refused, ...]:
        """Return what is in quarantine, newest first."""
        with self._told("the quarantine cannot be read"):
            return quarantined(self.layout)

    def refused_relation(self, connection: DuckDBPyConnection, refused: Refused) -> str:
        """Return text that may stand after FROM and reads the rows of one quarantined candidate."""
        require_parts_of(refused)
        return self.relation(connection, refused.parts)

    def drop_refused(self, id: str) -> bool:
        """Remove the candidate's folder from quarantine."""
        folder = self.layout.refused / id
        if staged_at(id) is None or not folder.is_dir():
            return False
        with self._locked("the batch could not be removed from quarantine"):
            shutil.rmtree(folder)
        return True

    def discard(self, candidate: Candidate) -> None:
        """Remove the candidate's folder, unless a published version names it."""
        folder = self.layout.staged(candidate.id)
        if not folder.exists():
            return
        with self._locked("the candidate could not be removed"):
            if not self._is_published(candidate, self.manifest.look()):
                shutil.rmtree(folder)

    def current(self) -> Version | None:
        """Return what the pointer names; costs one small read."""
        record = self._look().record
        return record.version if record else None

    def versions(self) -> tuple[Version, ...]:
        """Return the retained versions, newest first; a record that cannot be read is left out."""
        return tuple(self._versions(self._look()))

    def pin(self, product: str, version: Version) -> Pin:
        """Return the parts' absolute paths, after a look at each file's size."""
        return Pin(
            product=product,
            version=version.id,
            kind=self.kind,
            locations=tuple(self._locations(version.parts)),
            columns=version.columns,
            tokens=version.token_columns,
            rows=version.rows,
            bytes=version.bytes,
            published_at=version.published_at,
            recovered=version.recovered,
        )

    def sweep(self, now: datetime, retention_seconds: float) -> tuple[str, ...]:
        """Remove what nobody can be reading; publishers wait meanwhile."""
        if not self.layout.place.is_dir():
            return ()
        with self._locked("old versions could not be removed"):
            removed = swept(self.manifest, now, retention_seconds)
        if self.follower:
            self.follower.changed(self, retention_seconds=retention_seconds)
        return removed

    def retire(self) -> tuple[str, ...]:
        """Remove the folder: the pointer first, so that a crash leaves no pointer to parts that are gone."""
        if not self.layout.place.is_dir():
            return ()
        with self._locked("the place could not be removed"):
            removed = tuple(sorted(path.name for path in self.layout.place.iterdir()))
            self.layout.pointer.unlink(missing_ok=True)
            shutil.rmtree(self.layout.place)
        if self.follower:
            self.follower.retired()
        return removed

    def _look(self) -> Look:
        with self._told("the pointer cannot be read"):
            look = self.manifest.look()
        if look.damage and not look.record:
            raise StorageError(look.damage, where=str(self.layout.place), fix=MEND)
        return look

    def _versions(self, look: Look) -> Iterator[Version]:
        if look.record:
            yield look.record.version
        with self._told("the history cannot be read"):
            for entry in self.manifest.superseded(look):
                record = self.manifest.read(entry.path)
                if isinstance(record, Record):
                    yield record.version

    def _is_published(self, candidate: Candidate, look: Look) -> bool:
        """Tell whether a version that readers may have names one of the candidate's parts."""
        paths = {part.path for part in candidate.parts}
        return any(part.path in paths for version in self._versions(look) for part in version.parts)

    def _locations(self, parts: Sequence[Part]) -> list[str]:
        return [self._location(part) for part in parts]

    def _location(self, part: Part) -> str:
        """Return the part's path; StorageError if it is missing or not the size that was written."""
        path = self.layout.place / part.path
        whole = "the product" if part.partition is None else f"partition '{part.partition}'"
        fix = f"restore the file, or re-materialize {whole}"
        try:
            size = path.stat().st_size
        except FileNotFoundError:
            raise StorageError(f"part {part.path} is missing", where=str(self.layout.place), fix=fix) from None
        if size != part.bytes:
            what = f"part {part.path} is torn: {size} bytes of {part.bytes}"
            raise StorageError(what, where=str(self.layout.place), fix=fix)
        return str(path)

    @contextmanager
    def _locked(self, what: str) -> Iterator[None]:
        with self._told(what):
            durable.make_folder(self.layout.place)
            with durable.locked(self.layout.lock):
                yield

    def _told(self, what: str) -> AbstractContextManager[None]:
        return told(what, self.layout.place)
