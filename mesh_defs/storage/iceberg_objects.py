"""The files of one Iceberg table's place in a bucket: `Files` by the S3 objects that the s3 storage has."""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from duckdb import DuckDBPyConnection

from mesh_defs.errors import StorageError
from mesh_defs.model.place import Access
from mesh_defs.model.version import Candidate
from mesh_defs.storage import s3_reading
from mesh_defs.storage.base import Refused
from mesh_defs.storage.iceberg_files import Lying
from mesh_defs.storage.parallel import in_parallel
from mesh_defs.storage.s3 import spill_file
from mesh_defs.storage.s3_candidates import quarantine, quarantined
from mesh_defs.storage.s3_objects import Objects


@dataclass(frozen=True, slots=True)
class Bucket:
    """The `Files` below a prefix."""

    objects: Objects
    access: Access

    @property
    def where(self) -> str:
        """The prefix."""
        return self.objects.place

    @property
    def location(self) -> str:
        """The prefix."""
        return self.objects.place

    def url(self, name: str) -> str:
        """Return the object's URL."""
        return self.objects.url(name)

    @contextmanager
    def staged(self, connection: DuckDBPyConnection, name: str) -> Iterator[Path]:
        """Yield a file where DuckDB spills, and upload it at the end."""
        with spill_file(connection) as (file, link):
            yield link
            try:
                self.objects.upload(name, file, os.fstat(file.fileno()).st_size)
            except BaseException:
                with suppress(StorageError):  # the sweep does
                    self.objects.remove([name])
                raise

    def read(self, name: str) -> bytes | None:
        """Return an object's content."""
        found = self.objects.get(name)
        return found.content if found else None

    def write(self, name: str, content: bytes) -> None:
        """Put an object."""
        self.objects.put(name, content)

    def sizes(self, names: Sequence[str]) -> list[int | None]:
        """Look at the objects."""
        return in_parallel(self.objects.size, names)

    def lying(self, folder: str) -> Iterator[Lying]:
        """Yield the objects, as S3 lists them: it may leave out what is new, and show what is gone."""
        for name, age in self.objects.aged(folder):
            yield Lying(name=name, age_seconds=age)

    def remove(self, names: Iterable[str]) -> None:
        """Remove objects, and all below a folder."""
        given = list(names)
        below = [each for folder in given if folder.endswith("/") for each in self.objects.names(folder)]
        self.objects.remove([*(name for name in given if not name.endswith("/")), *below])

    def quarantine(self, candidate: Candidate, document: bytes) -> None:
        """Copy the candidate's objects, then remove them."""
        quarantine(self.objects, candidate, document)

    def quarantined(self) -> tuple[Refused, ...]:
        """Read the notes."""
        return quarantined(self.objects, self.objects.names("refused/"))

    def permit(self, connection: DuckDBPyConnection, urls: Sequence[str]) -> None:
        """Give the instance a secret for these."""
        s3_reading.permit(connection, urls, self.access)

    def forbid(self, connection: DuckDBPyConnection, urls: Sequence[str]) -> None:
        """Take it back."""
        s3_reading.release(connection, urls)

    def told(self, what: str) -> AbstractContextManager[None]:
        """Tell of S3."""
        return self.objects.told(what)
