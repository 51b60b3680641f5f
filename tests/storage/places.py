"""Places where one product's bytes lie, one kind of storage each, and what a test must do to them from outside."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg

from mesh_defs.model.contract import Server, StorageKind
from mesh_defs.model.place import Access, S3Access
from mesh_defs.model.version import Part
from mesh_defs.storage.base import Storage
from mesh_defs.storage.local import utc_now
from mesh_defs.storage.open import storage_at
from mesh_defs.storage.s3_objects import Objects

FILES: tuple[StorageKind, ...] = ("parquet", "duckdb")
# An Iceberg table's files lie in a folder or in a bucket.
KINDS = (*FILES, "postgres", "s3", "iceberg", "iceberg-s3")
NOWHERE = Access(root=Path("/nowhere"))


@dataclass(frozen=True, kw_only=True)
class Place:
    """One place of any kind, which another process can be told of."""

    server: Server
    access: Access

    def storage(self, clock: Callable[[], datetime] = utc_now) -> Storage:
        return storage_at(self.server, self.access, clock=clock)

    @property
    def folder(self) -> Path:
        """Where a file storage keeps everything."""
        return self.access.root / self.server.place

    @property
    def where(self) -> str:
        """How messages name it."""
        if self.server.kind == "postgres":
            return f"{self.access.variable}_POSTGRES schema {self.server.place}"
        return self.server.place if self.server.place.startswith("s3://") else str(self.folder)

    def stored(self) -> set[str]:
        """Names of everything that lies there: files but the lock, or rows of the mesh's tables and tables of parts."""
        if self.server.kind == "postgres":
            return set(_tables(self.access.postgres or "", self.server.place))
        if self.server.place.startswith("s3://"):
            return {name for name in self.objects.names("") if not _is_beside(name)}
        paths = (path for path in self.folder.rglob("*") if path.is_file() and path.name != "lock")
        names = (str(path.relative_to(self.folder)) for path in paths)
        return {name for name in names if self.server.kind != "iceberg" or not _is_beside(name)}

    def lose(self, part: Part) -> None:
        """Remove a part's bytes behind the storage's back."""
        if self.server.kind == "postgres":
            with psycopg.connect(self.access.postgres or "") as connection:
                connection.execute(f'DROP TABLE "{self.server.place}"."{part.path}" CASCADE')
        elif self.server.place.startswith("s3://"):
            self.objects.remove([part.path])
        else:
            (self.folder / part.path).unlink()

    @property
    def objects(self) -> Objects:
        """Where S3 keeps everything."""
        return Objects(self.server.place, self.access.s3, self.access.variable)

    def told(self) -> str:
        """This place as one argument of a command."""
        return json.dumps({"server": asdict(self.server), "access": asdict(self.access)}, default=str)


def place_told(text: str) -> Place:
    """The place that `told` described."""
    told: dict[str, Any] = json.loads(text)
    access = told["access"] | {"root": Path(told["access"]["root"]), "s3": S3Access(**told["access"]["s3"])}
    return Place(server=Server(**told["server"]), access=Access(**access))


def folder_place(kind: str, folder: Path) -> Place:
    """The place of a file storage in this folder."""
    return Place(
        server=Server(environment="local", kind=kind, place=folder.name),
        access=Access(root=folder.parent),
    )


def postgres_place(url: str, schema: str = "impressions") -> Place:
    """The place of a product in a schema of this database."""
    return Place(
        server=Server(environment="local", kind="postgres", place=schema),
        access=Access(root=Path("/nowhere"), postgres=url, variable="MESH_EVENTS"),
    )


def s3_place(s3: S3Access, bucket: str, prefix: str = "events/impressions") -> Place:
    """The place of a product below a prefix of this bucket."""
    return Place(
        server=Server(environment="local", kind="s3", place=f"s3://{bucket}/{prefix}"),
        access=Access(root=Path("/nowhere"), s3=s3, variable="MESH_EVENTS"),
    )


def iceberg_place(url: str, folder: Path) -> Place:
    """The place of a product whose table's files lie in this folder, in the catalog of this database."""
    return Place(
        server=Server(environment="local", kind="iceberg", place=folder.name),
        access=Access(root=folder.parent, postgres=url, variable="MESH_EVENTS"),
    )


def iceberg_s3_place(url: str, s3: S3Access, bucket: str, prefix: str = "events/impressions") -> Place:
    """The place of a product whose table's files lie below a prefix of this bucket, in the catalog of this database."""
    return Place(
        server=Server(environment="local", kind="iceberg", place=f"s3://{bucket}/{prefix}"),
        access=Access(root=Path("/nowhere"), postgres=url, s3=s3, variable="MESH_EVENTS"),
    )


def a_place(kind: str, folder: Path, fixture: Callable[[str], Any]) -> Place:
    """A place of one of `KINDS`: in this folder, or in a database or a bucket of the test's own, called as the folder is."""
    prefix = f"{folder.parent.name}/{folder.name}"
    if kind == "postgres":
        return postgres_place(fixture("postgres"), folder.name)
    if kind == "s3":
        return s3_place(fixture("s3_server"), fixture("bucket"), prefix)
    if kind == "iceberg":
        return iceberg_place(fixture("postgres"), folder)
    if kind == "iceberg-s3":
        return iceberg_s3_place(fixture("postgres"), fixture("s3_server"), fixture("bucket"), prefix)
    return folder_place(kind, folder)


def storage_in(kind: str, folder: Path, *, clock: Callable[[], datetime] = utc_now) -> Storage:
    """The file storage whose bytes lie in this folder."""
    return folder_place(kind, folder).storage(clock)


def _is_beside(name: str) -> bool:
    """What lies beside a candidate's or a version's own files: its fate, its manifest, Iceberg's metadata."""
    return name.endswith(("/fate", "/0.avro")) or name.startswith("metadata/")


def _tables(url: str, schema: str) -> list[str]:
    with psycopg.connect(url) as connection:
        query = "SELECT tablename FROM pg_tables WHERE schemaname = %s"
        names = [row[0] for row in connection.execute(query, [schema]).fetchall()]
        rows = [
            f"{name}/{row[0]}"
            for name in ("mesh_history", "mesh_refused")
            if name in names
            for row in connection.execute(f'SELECT id FROM "{schema}".{name}').fetchall()
        ]
    return [name for name in names if name.startswith("data_")] + rows
