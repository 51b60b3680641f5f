"""A product's versions as tables of a Postgres schema of its own. A part is a table, written once; its path is its name.

DuckDB streams a candidate's rows into its table; everything else is plain SQL in one transaction: merge, record, flip the
pointer, move the view. There is no half-written state to mend: what a writer that died leaves behind is one table that no
version names, and the sweep drops it.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import duckdb
import psycopg
from duckdb import DuckDBPyConnection
from psycopg import sql

from mesh_defs.errors import StorageError
from mesh_defs.model.contract import Server, StorageKind
from mesh_defs.model.names import literal, quoted
from mesh_defs.model.place import Access
from mesh_defs.model.version import Candidate, Part, Pin, Version
from mesh_defs.storage.base import Refused
from mesh_defs.storage.layout import new_id
from mesh_defs.storage.partitions import merged_parts
from mesh_defs.storage.parts import described
from mesh_defs.storage.postgres_catalog import Catalog
from mesh_defs.storage.postgres_database import STATEMENT_SECONDS_MAX, Connection, Database, database_of
from mesh_defs.storage.postgres_failures import told
from mesh_defs.storage.postgres_names import table_of
from mesh_defs.storage.postgres_sweep import drop, retired, swept
from mesh_defs.storage.postgres_types import exact_select
from mesh_defs.storage.postgres_views import show
from mesh_defs.storage.quarantine import note, require_parts_of
from mesh_defs.storage.tokens import shown, without_tokens
from quality_checks import Remote

_ENCODING = "SELECT current_setting('server_encoding')"


@dataclass(frozen=True, slots=True)
class PostgresStorage:
    """A `Storage` in one schema of a Postgres database."""

    database: Database
    schema: str
    clock: Callable[[], datetime]

    @property
    def kind(self) -> StorageKind:
        """The contract's name of this kind of storage."""
        return "postgres"

    @property
    def where(self) -> str:
        """The place, without who may reach it."""
        return place_of(self.database, self.schema)

    def stage(
        self,
        connection: DuckDBPyConnection,
        select: str,
        *,
        partition: str | None = None,
        tokens: Mapping[str, str] | None = None,
    ) -> Candidate:
        """Stream the SELECT's rows into the table of a new candidate."""
        with self._told("the product's SELECT does not run"):
            columns = described(connection, select)
            exact = exact_select(select, columns)
        id, what = new_id(self.clock()), "the new version could not be written"
        with told(what, self.where, columns=columns):
            with self.database.connect() as own:
                self._catalog.create(own)
            try:
                rows, kept = self._copy(connection, exact, table_of(id))
                size = self._seal(table_of(id))
            except BaseException:
                with suppress(psycopg.Error), self.database.connect() as own:
                    drop(own, self.schema, table_of(id))
                raise
        part = Part(path=table_of(id), rows=rows, bytes=size, partition=partition, tokens=tokens or {})
        return Candidate(id=id, parts=(part,), columns=shown(kept, part), partition=partition)

    def _copy(self, connection: DuckDBPyConnection, select: str, table: str) -> tuple[int, Mapping[str, str]]:
        connection.begin()  # raises inside a transaction, whose rows would not be in the table when we let go of it
        connection.rollback()
        with self.database.attached(connection, self.schema) as alias:
            name = f"{alias}.{quoted(self.schema)}.{table}"
            row = connection.execute(f"CREATE TABLE {name} AS\n{select}").fetchone()
            return row[0] if row else 0, described(connection, f"FROM {name}")

    def _seal(self, table: str) -> int:
        """Take the right to change the table from its owner, count its pages for planners, and return its bytes."""
        with self.database.connect() as own:
            name = sql.Identifier(self.schema, table)
            own.execute(sql.SQL("REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON {} FROM CURRENT_USER").format(name))
            own.execute(sql.SQL("ANALYZE {}").format(name))
            row = own.execute("SELECT pg_total_relation_size(%s::regclass)", [name.as_string(own)]).fetchone()
            return int(row[0]) if row else 0

    def relation(self, connection: DuckDBPyConnection, parts: Sequence[Part], *, whole: bool = False) -> str:
        """Attach the schema and return the parts' rows as one relation; it stays attached until `release`."""
        with self._reading("the parts cannot be opened") as own:
            self._catalog.require(own, parts)
            return self._attached(connection, parts, whole=whole)

    def _attached(self, connection: DuckDBPyConnection, parts: Sequence[Part], *, whole: bool) -> str:
        alias = _alias(connection, self.where, [part.path for part in parts])
        self.database.attach(connection, self.schema, alias, "READ_ONLY", seconds_max=STATEMENT_SECONDS_MAX)

        def rows(some: Sequence[Part]) -> str:
            return _rows(alias, self.schema, [part.path for part in some])

        return rows(parts) if whole else without_tokens(parts, rows)

    def remote(self, connection: DuckDBPyConnection, parts: Sequence[Part]) -> Remote | None:
        """Return the parts' tables, as `relation` has attached them; None when the database does not keep UTF-8."""
        tables = [part.path for part in parts]
        alias = _alias(connection, self.where, tables)
        with self._told("the parts cannot be asked"):
            row = connection.execute(f"SELECT * FROM postgres_query({literal(alias)}, {literal(_ENCODING)})").fetchone()
        if row != ("UTF8",):
            return None
        return Remote(database=alias, tables=tuple((self.schema, table) for table in tables))

    def release(self, connection: DuckDBPyConnection, parts: Sequence[Part]) -> None:
        """Detach what `relation` attached."""
        with self._told("the parts cannot be let go of"):
            alias = _alias(connection, self.where, [part.path for part in parts])
            connection.execute(f"DETACH DATABASE IF EXISTS {alias}")

    def publish(self, candidate: Candidate, *, stamp: Mapping[str, Any]) -> Version:
        """Merge the candidate into what is current, flip the pointer and move the view, in one transaction."""
        with self._writing("the new version could not be published") as own:
            record = self._catalog.current(own)
            if record and record.version.id == candidate.id:
                return record.version
            if self._catalog.was_published(own, candidate.id):
                what = f"candidate {candidate.id} was published before"
                raise StorageError(what, where=self.where, fix="stage it anew")
            self._catalog.require(own, candidate.parts)
            version = Version(
                id=candidate.id,
                parts=merged_parts(record.version if record else None, candidate),
                columns=candidate.columns,
                published_at=self.clock().astimezone(UTC),
                stamp=stamp,
            )
            written = self._catalog.commit(own, record.sequence if record else 0, version)
            show(own, self.schema, written, self.where)
        return written

    def refuse(
        self, candidate: Candidate, reasons: Sequence[Mapping[str, Any]], about: Mapping[str, Any] | None = None
    ) -> None:
        """Note the candidate as refused; its table stays, and no version may name it any more."""
        table_of(candidate.id)
        with self._writing("the candidate could not be put in quarantine") as own:
            if self._is_published(own, candidate):
                what = f"candidate {candidate.id} is published already"
                raise StorageError(what, where=self.where, fix="publish a better version over it")
            self._catalog.refuse(own, candidate, note(candidate, reasons, about, self.clock()), self.clock())

    def refused(self) -> tuple[Refused, ...]:
        """Return what is in quarantine, newest first."""
        with self._reading("the quarantine cannot be read") as own:
            return self._catalog.refused(own)

    def refused_relation(self, connection: DuckDBPyConnection, refused: Refused) -> str:
        """Attach the schema and return the rows of one quarantined candidate."""
        require_parts_of(refused)
        with self._reading("the quarantine cannot be opened") as own:
            self._catalog.require_refused(own, refused)
            return self._attached(connection, refused.parts, whole=False)

    def drop_refused(self, id: str) -> bool:
        """Forget the candidate's note and drop its table; one that is still being read is left to the sweep."""
        with self._writing("the batch could not be removed from quarantine") as own:
            known = id in {one.id for one in self._catalog.refused(own)}
            if known:
                self._catalog.release(own, id)
                drop(own, self.schema, table_of(id))
            return known

    def discard(self, candidate: Candidate) -> None:
        """Drop the candidate's table, unless a version names it; one that is still being read is left to the sweep."""
        table = table_of(candidate.id)
        with self._writing("the candidate could not be removed") as own:
            if not self._is_published(own, candidate):
                drop(own, self.schema, table)

    def current(self) -> Version | None:
        """Return what the pointer names; costs one connection and one small read."""
        with self._reading("the pointer cannot be read") as own:
            record = self._catalog.current(own)
        return record.version if record else None

    def versions(self) -> tuple[Version, ...]:
        """Return the retained versions, newest first."""
        with self._reading("the history cannot be read") as own:
            return self._catalog.published(own)

    def pin(self, product: str, version: Version) -> Pin:
        """Return the parts' tables as `schema.table`, after a look whether this role may read each."""
        with self._reading("the version cannot be pinned") as own:
            self._catalog.require(own, version.parts)
        return Pin(
            product=product,
            version=version.id,
            kind=self.kind,
            locations=tuple(f"{self.schema}.{part.path}" for part in version.parts),
            columns=version.columns,
            tokens=version.token_columns,
            rows=version.rows,
            bytes=version.bytes,
            published_at=version.published_at,
        )

    def sweep(self, now: datetime, retention_seconds: float) -> tuple[str, ...]:
        """Remove what nobody can be reading; publishers wait meanwhile, readers never."""
        with self._reading("old versions could not be looked for") as own:
            if not self._catalog.exists(own):
                return ()
        with self._writing("old versions could not be removed") as own:
            record = self._catalog.current(own)
            if record:
                show(own, self.schema, record.version, self.where)
            return swept(own, self._catalog, now, retention_seconds)

    def retire(self) -> tuple[str, ...]:
        """Drop the product's views and tables in one transaction; the schema and what others put there stay."""
        with self._reading("the place cannot be looked at") as own:
            if not self._catalog.exists(own):
                return ()
        with self._writing("the place could not be removed") as own:
            return retired(own, self.schema)

    def _is_published(self, own: Connection, candidate: Candidate) -> bool:
        return any(self._catalog.names(own, part.path) for part in candidate.parts)

    @property
    def _catalog(self) -> Catalog:
        return Catalog(self.schema, self.where)

    @contextmanager
    def _reading(self, what: str) -> Iterator[Connection]:
        with self._told(what), self.database.connect(autocommit=True) as own:
            yield own

    @contextmanager
    def _writing(self, what: str) -> Iterator[Connection]:
        """One transaction, under the product's lock."""
        with self._told(what), self.database.connect() as own:
            self._catalog.create(own)
            self._catalog.lock(own)
            yield own

    def _told(self, what: str) -> AbstractContextManager[None]:
        return told(what, self.where)


def postgres_at(server: Server, access: Access, clock: Callable[[], datetime]) -> PostgresStorage:
    """Return the storage of the product whose schema is the server's place; connects to nothing yet."""
    return PostgresStorage(database_of(access), server.place, clock)


def attach_pin(connection: DuckDBPyConnection, pin: Pin, access: Access, *, seconds_max: float) -> str:
    """Return text that reads the pinned `schema.table`s of one schema, mesh-made or not; they stay attached.

    `seconds_max` is how long Postgres may take for one of its scans. StorageError when a table is gone.
    """
    database, schema = database_of(access), pin.locations[0].partition(".")[0]
    tables = [location.partition(".")[2] for location in pin.locations]
    where = place_of(database, schema)
    with told(f"version {pin.version} of {pin.product} cannot be opened", where):
        alias = _alias(connection, where, tables)
        database.attach(connection, schema, alias, "READ_ONLY", seconds_max=seconds_max)
        relation = _rows(alias, schema, tables)
        try:
            connection.execute(f"DESCRIBE FROM {relation}")
        except duckdb.CatalogException:
            fix = "ask again to read the newest version; if that fails too, re-materialize the product"
            raise StorageError(f"version {pin.version} is gone", where=where, fix=fix) from None
    return relation


def place_of(database: Database, schema: str) -> str:
    """Name a schema for messages, without who may reach it."""
    return f"{database.variable} schema {schema}"


def _rows(alias: str, schema: str, tables: Sequence[str]) -> str:
    names = [f"{alias}.{quoted(schema)}.{quoted(table)}" for table in tables]
    rows = " UNION ALL BY NAME ".join(f"SELECT * FROM {name}" for name in names)  # some may hold tokens besides
    return names[0] if len(names) == 1 else f"({rows})"


def _alias(connection: DuckDBPyConnection, where: str, tables: Sequence[str]) -> str:
    """Name an attachment after its tables and the connection: cursors of one instance share names, and one must not
    detach what another is reading."""
    digest = hashlib.blake2b("\0".join([where, *tables]).encode(), digest_size=8).hexdigest()
    return f"postgres_{digest}_{id(connection):x}"
