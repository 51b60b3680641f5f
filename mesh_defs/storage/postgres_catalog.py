"""The pointer, the history and the quarantine of one product, as tables of its schema. Reads no product's rows.

    mesh_pointer   one row: the sequence of the version that readers see (0: none yet); writers lock this row
    mesh_history   one row per published version: the same document that file storages keep as their manifest
    mesh_refused   one row per quarantined candidate: when and why

A publication is one transaction, so a pointer is never torn and needs no recovery: a document that cannot be believed was
changed by hand, and is told.
"""

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from psycopg import errors, sql

from mesh_defs.errors import StorageError
from mesh_defs.model.contract import StorageKind
from mesh_defs.model.version import Candidate, Part, Version
from mesh_defs.storage.base import Refused
from mesh_defs.storage.manifest import Record, decode, encode
from mesh_defs.storage.postgres_database import Connection
from mesh_defs.storage.postgres_names import HISTORY, POINTER, REFUSED, table_of
from mesh_defs.storage.quarantine import with_parts

_KIND: StorageKind = "postgres"
_TABLES = (
    "CREATE TABLE {history} (sequence bigint PRIMARY KEY, id text NOT NULL UNIQUE, record json NOT NULL)",
    "CREATE TABLE {refused} (id text PRIMARY KEY, refused_at timestamptz NOT NULL, note json NOT NULL)",
    "CREATE TABLE {pointer} (one boolean PRIMARY KEY DEFAULT true CHECK (one), sequence bigint NOT NULL)",
    "INSERT INTO {pointer} (sequence) VALUES (0)",
)
_CURRENT = "SELECT p.sequence, h.record::text FROM {pointer} p LEFT JOIN {history} h USING (sequence)"
_HISTORY = "SELECT h.record::text FROM {history} h, {pointer} p WHERE h.sequence <= p.sequence ORDER BY h.sequence DESC"
# pg_class may be read by every role: what is missing is told from what is forbidden.
_READABLE = """
SELECT c.relname, has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = {schema} AND c.relname = ANY({tables})
"""
_MISSING = (errors.UndefinedTable, errors.InvalidSchemaName)


@dataclass(frozen=True, slots=True)
class Catalog:
    """The tables of one schema, read and written on a connection that is given."""

    schema: str
    where: str

    def create(self, connection: Connection) -> None:
        """Create the schema and its tables where they are missing; harmless when another process does the same."""
        if self.exists(connection):
            return
        connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"mesh {self.schema}"])
        if self.exists(connection):
            return
        # CREATE SCHEMA IF NOT EXISTS asks for the right to create one even where it exists.
        if not connection.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", [self.schema]).fetchone():
            connection.execute(self._sql("CREATE SCHEMA {schema}"))
        for statement in _TABLES:
            connection.execute(self._sql(statement))

    def lock(self, connection: Connection) -> None:
        """Wait for other writers of this product, and keep them waiting until the transaction ends. Readers never wait."""
        connection.execute(self._sql("SELECT FROM {pointer} FOR UPDATE"))

    def current(self, connection: Connection) -> Record | None:
        """Return what the pointer names; None when nothing was ever published. StorageError for a changed document."""
        with suppress(*_MISSING):
            row = connection.execute(self._sql(_CURRENT)).fetchone()
            if row is None:
                raise self._damaged("is empty")
            if row[0] > 0:
                return self._record(row[1])
        return None

    def published(self, connection: Connection) -> tuple[Version, ...]:
        """Return the retained versions, newest first. StorageError for a changed document."""
        with suppress(*_MISSING):
            rows = connection.execute(self._sql(_HISTORY)).fetchall()
            return tuple(self._record(row[0]).version for row in rows)
        return ()

    def was_published(self, connection: Connection, id: str) -> bool:
        """Tell whether a candidate of this id was published, as far as the history reaches."""
        query = self._sql("SELECT 1 FROM {history} WHERE id = %s")
        return connection.execute(query, [id]).fetchone() is not None

    def names(self, connection: Connection, table: str) -> bool:
        """Tell whether a retained version names this table; a stamp that quotes its name protects it as well."""
        query = self._sql("SELECT 1 FROM {history} WHERE position(%s IN record::text) > 0 LIMIT 1")
        return connection.execute(query, [f'"{table}"']).fetchone() is not None

    def commit(self, connection: Connection, after: int, version: Version) -> Version:
        """Record the version and point to it; return it as readers will see it. Needs the lock."""
        content = encode(Record(sequence=after + 1, version=version), _KIND).decode()
        row = [after + 1, version.id, content]
        connection.execute(self._sql("INSERT INTO {history} (sequence, id, record) VALUES (%s, %s, %s)"), row)
        connection.execute(self._sql("UPDATE {pointer} SET sequence = %s"), [after + 1])
        return self._record(content).version

    def forget(self, connection: Connection, ids: Sequence[str]) -> None:
        """Remove the records of versions. Needs the lock."""
        connection.execute(self._sql("DELETE FROM {history} WHERE id = ANY(%s)"), [list(ids)])

    def refuse(self, connection: Connection, candidate: Candidate, document: bytes, at: datetime) -> None:
        """Note that a candidate is in quarantine; the first note stays."""
        insert = "INSERT INTO {refused} VALUES (%s, %s, %s) ON CONFLICT DO NOTHING"
        connection.execute(self._sql(insert), [candidate.id, at, document.decode()])

    def refused(self, connection: Connection) -> tuple[Refused, ...]:
        """Return what is in quarantine, newest first."""
        with suppress(*_MISSING):
            query = "SELECT id, refused_at, note::text FROM {refused} ORDER BY refused_at DESC, id DESC"
            return tuple(self._refused(*row) for row in connection.execute(self._sql(query)).fetchall())
        return ()

    def release(self, connection: Connection, id: str) -> None:
        """Remove a candidate's note from the quarantine."""
        connection.execute(self._sql("DELETE FROM {refused} WHERE id = %s"), [id])

    def require(self, connection: Connection, parts: Sequence[Part]) -> None:
        """Raise StorageError for a part whose table is gone, is in quarantine, or may not be read by this role."""
        tables = [part.path for part in parts]
        query = sql.SQL(_READABLE).format(schema=sql.Literal(self.schema), tables=sql.Placeholder())
        readable: dict[str, bool] = dict(connection.execute(query, [tables]).fetchall())
        quarantined = {one.path.partition(".")[2] for one in self.refused(connection)}
        for part in parts:
            if part.path not in readable or part.path in quarantined:
                raise self._missing(part)
            if not readable[part.path]:
                what = f"this process's role may not read {self.schema}.{part.path}"
                raise StorageError(
                    what, where=self.where, fix="GRANT USAGE ON the SCHEMA and SELECT on its tables to it"
                )

    def require_refused(self, connection: Connection, refused: Refused) -> None:
        """Raise StorageError for what is not in quarantine (any more), or has lost its table."""
        if refused.id not in {one.id for one in self.refused(connection)}:
            raise StorageError(f"{refused.id} is no longer in quarantine", where=self.where, fix="list it again")
        tables = "SELECT count(*) FROM pg_tables WHERE schemaname = %s AND tablename = ANY(%s)"
        names = [part.path for part in refused.parts]
        if connection.execute(tables, [self.schema, names]).fetchone() != (len(names),):
            raise self._missing(refused.parts[0])

    def exists(self, connection: Connection) -> bool:
        """Tell whether anything was ever staged here."""
        query = "SELECT count(*) FROM pg_tables WHERE schemaname = %s AND tablename = ANY(%s)"
        return connection.execute(query, [self.schema, [POINTER, HISTORY, REFUSED]]).fetchone() == (3,)

    def _record(self, content: str | None) -> Record:
        found = decode(content.encode(), _KIND, Path(f"{self.schema}.{HISTORY}")) if content else None
        if not isinstance(found, Record):
            raise self._damaged(found.reason if found else "has no record of the version that it points to")
        return found

    def _refused(self, id: str, at: datetime, note: str) -> Refused:
        told = json.loads(note)
        path = f"{self.schema}.{table_of(id)}"
        refused = Refused(id=id, refused_at=at.astimezone(UTC), reasons=tuple(told["reasons"]), path=path)
        return with_parts(refused, told, staged=table_of(id), now=table_of(id))

    def _missing(self, part: Part) -> StorageError:
        whole = "the product" if part.partition is None else f"partition '{part.partition}'"
        fix = f"restore the table, or re-materialize {whole}"
        return StorageError(f"part {part.path} is missing", where=self.where, fix=fix)

    def _damaged(self, reason: str) -> StorageError:
        fix = f"restore {POINTER} and {HISTORY} from a backup; or give the product another place and re-materialize it"
        return StorageError(f"the pointer {reason}", where=self.where, fix=fix)

    def _sql(self, text: str) -> sql.Composed:
        names = {"pointer": POINTER, "history": HISTORY, "refused": REFUSED}
        tables = {key: sql.Identifier(self.schema, name) for key, name in names.items()}
        return sql.SQL(text).format(schema=sql.Identifier(self.schema), **tables)
