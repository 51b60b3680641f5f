"""A product's versions as snapshots of one Iceberg table, on a disk or in a bucket, in the catalog of the domain's Postgres.

A part is a Parquet file that DuckDB wrote, with the table's field ids. To publish is one commit of the catalog: a new snapshot,
and `main` moves to it. What nobody published is a file that no snapshot leads to. Whoever reads Iceberg reads the same rows.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from duckdb import DuckDBPyConnection
from pyiceberg.table import Table

from mesh_defs.errors import StorageError
from mesh_defs.model.contract import Server, StorageKind
from mesh_defs.model.names import quoted
from mesh_defs.model.place import Access
from mesh_defs.model.version import Candidate, Part, Pin, Version
from mesh_defs.storage import failures
from mesh_defs.storage.base import Refused
from mesh_defs.storage.iceberg_catalog import Found, Tables
from mesh_defs.storage.iceberg_commit import commit, main_schema, manifest_of, published_file, read_staged, write_staged
from mesh_defs.storage.iceberg_files import Files, Folder
from mesh_defs.storage.iceberg_io import TableIO
from mesh_defs.storage.iceberg_names import domain_of, table_of
from mesh_defs.storage.iceberg_sweep import swept
from mesh_defs.storage.iceberg_types import exact_select, field_ids, kept_types, schema_of
from mesh_defs.storage.iceberg_versions import KIND, Versions, record_of, summary_of, version_of
from mesh_defs.storage.layout import new_id, staged_at
from mesh_defs.storage.manifest import Record, decode, encode
from mesh_defs.storage.parquet import copy, scan
from mesh_defs.storage.partitions import merged_parts
from mesh_defs.storage.parts import described
from mesh_defs.storage.postgres_database import database_of
from mesh_defs.storage.quarantine import note, require_parts_of
from mesh_defs.storage.tokens import shown, without_tokens


@dataclass(frozen=True, slots=True)
class IcebergStorage:
    """A `Storage` in one Iceberg table."""

    tables: Tables
    clock: Callable[[], datetime]
    # By version: the table as it was when that was found to be its newest. Whoever pins it then need not ask again.
    _found: dict[str, Table] = field(default_factory=dict, repr=False, compare=False)

    @property
    def kind(self) -> StorageKind:
        """The contract's name of this kind of storage."""
        return KIND

    @property
    def files(self) -> Files:
        """What lies at the place."""
        return self.tables.files

    def stage(
        self,
        connection: DuckDBPyConnection,
        select: str,
        *,
        partition: str | None = None,
        tokens: Mapping[str, str] | None = None,
    ) -> Candidate:
        """Write the SELECT's rows as the one file of a new candidate, and a manifest beside it."""
        with self._told_by_duckdb("the product's SELECT does not run"):
            columns = described(connection, select)
            exact = exact_select(connection, select, columns)
            columns = described(connection, exact)
        with self.tables.reading("the new version could not be staged") as table:
            known = main_schema(table.metadata) if table else None
            kept = kept_types(connection, columns)
            schema = schema_of(kept, known, table.metadata.last_column_id if table else 0)
        id, what = new_id(self.clock()), "the new version could not be written"
        path = f"parts/{id}/0.parquet"
        with self._told(what), self.files.staged(connection, path) as file:
            with self._told_by_duckdb(what, columns):
                rows = copy(connection, exact, file, f"FIELD_IDS {field_ids(schema)}")
                written = described(connection, f"FROM {scan([str(file)])}")
            size = file.stat().st_size
            names = {"location": self._location(path), "manifest": self._location(manifest_of(path))}
            write_staged(TableIO(self.files), schema, file, **names)
        part = Part(path=path, rows=rows, bytes=size, partition=partition, tokens=tokens or {})
        return Candidate(id=id, parts=(part,), columns=shown(written, part), partition=partition)

    def relation(self, connection: DuckDBPyConnection, parts: Sequence[Part], *, whole: bool = False) -> str:
        """Return text that may stand after FROM and reads these parts, after a look at each file's size."""
        urls = self._require(parts)

        def read(some: Sequence[Part]) -> str:
            return _with_absent(some, lambda alike: scan([self.files.url(part.path) for part in alike]))

        with self._told_by_duckdb("the parts cannot be opened"):
            self.files.permit(connection, urls)
            return read(parts) if whole else without_tokens(parts, read)

    def remote(self, connection: DuckDBPyConnection, parts: Sequence[Part]) -> None:
        """Nowhere: files are read here."""

    def release(self, connection: DuckDBPyConnection, parts: Sequence[Part]) -> None:
        """Take back what `relation` gave to this connection."""
        with self._told_by_duckdb("the parts cannot be let go of"):
            self.files.forbid(connection, [self.files.url(part.path) for part in parts])

    def publish(self, candidate: Candidate, *, stamp: Mapping[str, Any]) -> Version:
        """Merge the candidate into what is current and move the table's `main`, in one commit under its lock.

        A partition may add columns at the end: the others' files lack them then. On StorageUnreachableError it is open
        whether it was published.
        """
        what = "the new version could not be published"
        with self.tables.writing(what) as found, failures.told(what, self.files.where):
            versions = Versions(found.table, self.files) if found.table else None
            record = versions.current() if versions else None
            if record and record.version.id == candidate.id:
                return record.version
            if versions and candidate.id in map(version_of, versions.snapshots()):
                what = f"candidate {candidate.id} was published before"
                raise StorageError(what, where=self.files.where, fix="stage it anew")
            self._require(candidate.parts)
            version = Version(
                id=candidate.id,
                parts=merged_parts(record.version if record else None, candidate, may_add=True),
                columns=candidate.columns,
                published_at=self.clock().astimezone(UTC),
                stamp=stamp,
            )
            return self._commit(found, record, version)

    def _commit(self, found: Found, before: Record | None, version: Version) -> Version:
        """Write the record, then make the snapshot that leads to it; return the version as readers will see it."""
        record, name = Record(sequence=before.sequence + 1 if before else 1, version=version), record_of(version.id)
        content = encode(record, KIND)
        written = decode(content, KIND, self.files.url(name))
        assert isinstance(written, Record)
        old = {part.path: part for part in before.version.parts} if before else {}
        new = {part.path for part in version.parts}
        io = TableIO(self.files)
        added = [read_staged(io, self._location(manifest_of(path))) for path in sorted(new - old.keys())]
        dropped = [published_file(part, self._location(path)) for path, part in old.items() if path not in new]
        self.files.write(name, content)
        commit(
            found,
            added,
            dropped,
            identifier=self.tables.identifier,
            location=self.files.location,
            properties=summary_of(version.id),
            whole=new.isdisjoint(old),
        )
        return written.version

    def refuse(
        self, candidate: Candidate, reasons: Sequence[Mapping[str, Any]], about: Mapping[str, Any] | None = None
    ) -> None:
        """Move the candidate's files into quarantine, with a note beside them."""
        _require_id(candidate.id)
        with self.tables.writing("the candidate could not be put in quarantine") as found:
            if self._is_published(found, candidate):
                what = f"candidate {candidate.id} is published already"
                raise StorageError(what, where=self.files.where, fix="publish a better version over it")
            self._require(candidate.parts)
            with self._told("the candidate could not be put in quarantine"):
                self.files.quarantine(candidate, note(candidate, reasons, about, self.clock()))

    def refused(self) -> tuple[Refused, ...]:
        """Return what is in quarantine, newest first."""
        with self._told("the quarantine cannot be read"):
            return self.files.quarantined()

    def refused_relation(self, connection: DuckDBPyConnection, refused: Refused) -> str:
        """Return text that may stand after FROM and reads the rows of one quarantined candidate."""
        require_parts_of(refused)
        return self.relation(connection, refused.parts)

    def drop_refused(self, id: str) -> bool:
        """Remove the candidate's files from quarantine."""
        with self._told("the batch could not be removed from quarantine"):
            known = staged_at(id) is not None and id in {one.id for one in self.files.quarantined()}
            if known:
                self.files.remove([f"refused/{id}/"])
            return known

    def discard(self, candidate: Candidate) -> None:
        """Remove the candidate's files, unless a version names them."""
        _require_id(candidate.id)
        with self.tables.writing("the candidate could not be removed") as found:
            if not self._is_published(found, candidate):
                with self._told("the candidate could not be removed"):
                    self.files.remove([f"parts/{candidate.id}/"])

    def current(self) -> Version | None:
        """Return what the table's `main` is; costs one connection and three small reads."""
        with self.tables.reading("the pointer cannot be read") as table:
            record = Versions(table, self.files).current() if table else None
        if table is None or record is None:
            return None
        self._found.clear()
        self._found[record.version.id] = table
        return record.version

    def versions(self) -> tuple[Version, ...]:
        """Return the retained versions, newest first."""
        with self.tables.reading("the history cannot be read") as table:
            records = Versions(table, self.files).published() if table else []
        return tuple(record.version for record in records)

    def pin(self, product: str, version: Version) -> Pin:
        """Return the snapshot's files, after a look at its manifest list and at each file's size."""
        what, table = "the version cannot be pinned", self._found.pop(version.id, None)
        with nullcontext(table) if table else self.tables.reading(what) as looked, self._told(what):
            snapshot = Versions(looked, self.files).snapshot_of(version) if looked is not None else None
        return Pin(
            product=product,
            version=version.id,
            kind=KIND,
            locations=tuple(self._require(version.parts)),
            columns=version.columns,
            tokens=version.token_columns,
            snapshot=snapshot,
            rows=version.rows,
            bytes=version.bytes,
            published_at=version.published_at,
        )

    def sweep(self, now: datetime, retention_seconds: float) -> tuple[str, ...]:
        """Remove what nobody can be reading; publishers wait meanwhile, readers never."""
        what = "old versions could not be removed"
        if self._is_untouched(what):
            return ()
        with self.tables.writing(what) as found, self._told(what):
            return swept(found, self.files, now, retention_seconds)

    def retire(self) -> tuple[str, ...]:
        """Take the table out of the catalog, then remove everything at the place."""
        what = "the place could not be removed"
        if self._is_untouched(what):
            return ()
        with self.tables.writing(what) as found, self._told(what):
            if found.table:
                found.catalog.drop_table(self.tables.identifier)
            names = sorted({each.name.partition("/")[0] for each in self.files.lying("")})
            self.files.remove([f"{name}/" for name in names])
        return tuple(names)

    def _is_untouched(self, what: str) -> bool:
        """Tell whether nothing was ever staged here, so that nothing need be made in the catalog either."""
        with self.tables.reading(what) as table, self._told(what):
            return table is None and next(self.files.lying(""), None) is None

    def _is_published(self, found: Found, candidate: Candidate) -> bool:
        """Tell whether a version that readers may have names one of the candidate's parts."""
        records = Versions(found.table, self.files).published() if found.table else []
        named = {part.path for record in records for part in record.version.parts}
        return any(part.path in named for part in candidate.parts)

    def _require(self, parts: Sequence[Part]) -> list[str]:
        """Return what DuckDB opens; StorageError for a part that is missing or not of the size that was written."""
        with self._told("the parts cannot be looked at"):
            sizes = self.files.sizes([part.path for part in parts])
        for part, size in zip(parts, sizes, strict=True):
            if size != part.bytes:
                state = "missing" if size is None else f"torn: {size} bytes of {part.bytes}"
                whole = "the product" if part.partition is None else f"partition '{part.partition}'"
                fix = f"restore the file, or re-materialize {whole}"
                raise StorageError(f"part {part.path} is {state}", where=self.files.where, fix=fix)
        return [self.files.url(part.path) for part in parts]

    def _location(self, name: str) -> str:
        return f"{self.files.location}/{name}"

    def _told(self, what: str) -> AbstractContextManager[None]:
        return self.files.told(what)

    def _told_by_duckdb(self, what: str, columns: Mapping[str, str] | None = None) -> AbstractContextManager[None]:
        return failures.told(what, self.files.where, columns=columns or ())


def iceberg_at(server: Server, access: Access, clock: Callable[[], datetime]) -> IcebergStorage:
    """Return the storage of the product whose table's files lie at the server's place; connects to nothing yet."""
    identifier = table_of(domain_of(access), server.place)
    return IcebergStorage(
        Tables(database=database_of(access), files=files_at(server, access), identifier=identifier), clock
    )


def files_at(server: Server, access: Access) -> Files:
    """Return the files at a server's place, in a folder or in a bucket."""
    if not server.place.startswith("s3://"):
        return Folder(Path(access.root / server.place).absolute())
    from mesh_defs.storage.iceberg_objects import Bucket
    from mesh_defs.storage.s3_objects import Objects

    return Bucket(Objects(server.place, access.s3, access.variable), access)


def _with_absent(parts: Sequence[Part], read: Callable[[Sequence[Part]], str]) -> str:
    """Return text that reads these parts, with NULL for the columns that were added after some of them were written."""
    alike: dict[tuple[tuple[str, str], ...], list[Part]] = {}
    for part in parts:
        alike.setdefault(tuple(part.absent.items()), []).append(part)
    if not any(alike):
        return read(parts)
    selects = [
        f"SELECT *{''.join(f', CAST(NULL AS {type_}) AS {quoted(name)}' for name, type_ in absent)} FROM {read(some)}"
        for absent, some in alike.items()
    ]
    return f"({' UNION ALL BY NAME '.join(selects)})"


def _require_id(id: str) -> None:
    """ValueError for an id that is not ours: folders get removed."""
    if staged_at(id) is None:
        raise ValueError(f"'{id}' is not a candidate's id")
