"""The files of one Iceberg table's place, on a disk or in a bucket. Knows their names and their ages, not what they mean.

parts/<candidate id>/0.parquet      staged and published rows, and 0.avro: a manifest of that one file
history/<version id>.json           one record per published version: the document that file storages keep as manifest
metadata/…                          Iceberg's own: table metadata, manifest lists, manifests
refused/<candidate id>/…            quarantine: the parts, and why
"""

import shutil
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from duckdb import DuckDBPyConnection

from mesh_defs.model.version import Candidate
from mesh_defs.storage import durable
from mesh_defs.storage.base import Refused
from mesh_defs.storage.failures import told
from mesh_defs.storage.layout import Layout, staged_at
from mesh_defs.storage.quarantine import quarantine, quarantined


@dataclass(frozen=True, slots=True, kw_only=True)
class Lying:
    """A file that lies there, and for how long, by the clock of the disk or of the S3 server."""

    name: str
    age_seconds: float


class Files(Protocol):
    """The files below one place, by names relative to it. Raises StorageError for all it does."""

    @property
    def where(self) -> str:
        """The place, for messages."""
        ...

    @property
    def location(self) -> str:
        """The place as Iceberg's metadata names it, without a slash at its end: file:///… or s3://…"""
        ...

    def url(self, name: str) -> str:
        """Return what DuckDB opens."""
        ...

    def staged(self, connection: DuckDBPyConnection, name: str) -> AbstractContextManager[Path]:
        """Yield a path for DuckDB to write to. What was written there has this name, durably, when the block ends."""
        ...

    def read(self, name: str) -> bytes | None:
        """Return a small file, or None when there is none."""
        ...

    def write(self, name: str, content: bytes) -> None:
        """Write a small file in one step, durably."""
        ...

    def sizes(self, names: Sequence[str]) -> list[int | None]:
        """Return the files' bytes, None for one that is not there."""
        ...

    def lying(self, folder: str) -> Iterator[Lying]:
        """Yield the files below a folder, however deep."""
        ...

    def remove(self, names: Iterable[str]) -> None:
        """Remove files, and folders with all that is in them where a name ends with a slash."""
        ...

    def quarantine(self, candidate: Candidate, document: bytes) -> None:
        """Move a candidate's files beside a note that says why."""
        ...

    def quarantined(self) -> tuple[Refused, ...]:
        """Return what lies in quarantine, newest first."""
        ...

    def permit(self, connection: DuckDBPyConnection, urls: Sequence[str]) -> None:
        """Let the connection's instance open these, until they are forbidden."""
        ...

    def forbid(self, connection: DuckDBPyConnection, urls: Sequence[str]) -> None:
        """Undo what `permit` did for exactly these on this connection; harmless if that was nothing."""
        ...

    def told(self, what: str) -> AbstractContextManager[None]:
        """Say where a failure happened."""
        ...


@dataclass(frozen=True, slots=True)
class Folder:
    """The `Files` of a folder on a disk."""

    place: Path

    @property
    def where(self) -> str:
        """The folder."""
        return str(self.place)

    @property
    def location(self) -> str:
        """The folder as a URL; its characters stand as they are, as Iceberg's own writers have them."""
        return f"file://{self.place}"

    def url(self, name: str) -> str:
        """Return the path."""
        return str(self.place / name)

    @contextmanager
    def staged(self, connection: DuckDBPyConnection, name: str) -> Iterator[Path]:
        """Yield the path itself: nobody looks for it yet."""
        path = self.place / name
        try:
            durable.make_folder(path.parent)
            yield path
            path.chmod(path.stat().st_mode & ~0o222)
            durable.sync(path)
            durable.sync(path.parent)
        except BaseException:
            shutil.rmtree(path.parent, ignore_errors=True)
            raise

    def read(self, name: str) -> bytes | None:
        """Return a file's content."""
        try:
            return (self.place / name).read_bytes()
        except FileNotFoundError:
            return None

    def write(self, name: str, content: bytes) -> None:
        """Write a file and its folder."""
        durable.make_folder((self.place / name).parent)
        durable.replace(self.place / name, content)

    def sizes(self, names: Sequence[str]) -> list[int | None]:
        """Look at each file."""
        return [_size(self.place / name) for name in names]

    def lying(self, folder: str) -> Iterator[Lying]:
        """Yield files, not what links lead to."""
        now = time.time()
        for path in sorted((self.place / folder).rglob("*")):
            if not path.is_dir():
                age = now - path.lstat().st_mtime
                yield Lying(name=str(path.relative_to(self.place)), age_seconds=age)

    def remove(self, names: Iterable[str]) -> None:
        """Remove files, then folders."""
        for name in names:
            if name.endswith("/"):
                shutil.rmtree(self.place / name, ignore_errors=not (self.place / name).exists())
            else:
                (self.place / name).unlink(missing_ok=True)

    def quarantine(self, candidate: Candidate, document: bytes) -> None:
        """Move the candidate's folder in one step."""
        quarantine(Layout(self.place), candidate, document)

    def quarantined(self) -> tuple[Refused, ...]:
        """Read the notes."""
        return quarantined(Layout(self.place))

    def permit(self, connection: DuckDBPyConnection, urls: Sequence[str]) -> None:
        """Nothing: a file needs no secret."""

    def forbid(self, connection: DuckDBPyConnection, urls: Sequence[str]) -> None:
        """Nothing."""

    def told(self, what: str) -> AbstractContextManager[None]:
        """Tell of the disk."""
        return told(what, self.place)


def candidates_in(lying: Iterable[Lying]) -> list[str]:
    """Return the ids of the candidates whose files these are; what we did not make is left out."""
    ids = {each.name.split("/")[1] for each in lying if each.name.count("/") >= 2}
    return sorted(id for id in ids if staged_at(id))


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return None
