"""Append-only record of what was asked, decided and answered. Each entry carries the hash of the one before it.

SQLite through SQLAlchemy; other databases are not tried yet. The chain shows an entry that was changed, removed, inserted
or moved. It shows neither a cut tail nor a chain that was computed anew from some entry on: that takes a signed head.
"""

import hashlib
import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from mesh_defs.errors import StorageError

FORMAT = 1
_GENESIS = "0" * 64
_metadata = sa.MetaData()
_entries = sa.Table(
    "ledger_entries",
    _metadata,
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("format", sa.Integer, nullable=False),
    sa.Column("at", sa.String, nullable=False),
    sa.Column("kind", sa.String, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("previous", sa.String(64), nullable=False),
    sa.Column("hash", sa.String(64), nullable=False, unique=True),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """One recorded fact. `body` holds JSON values, never a row of data."""

    seq: int
    at: str
    kind: str
    body: Mapping[str, Any]
    previous: str
    hash: str


class Ledger:
    """Appends entries durably and in one order; safe to share between threads and processes.

    `wait_seconds` is how long an append waits for other writers. Everything raises StorageError when the database cannot
    be opened, written or read.
    """

    def __init__(self, url: str, *, wait_seconds: float = 30.0) -> None:
        parsed = sa.make_url(url)
        self._where = str(parsed.database or parsed.render_as_string())
        self._wait_milliseconds = int(wait_seconds * 1000)
        self._engine = sa.create_engine(parsed, poolclass=sa.NullPool)
        with self._told("opened"):
            if self._engine.dialect.name == "sqlite":
                if parsed.database:
                    Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
                sa.event.listen(self._engine, "connect", self._sqlite_setup)
            with self._engine.connect() as connection:
                made = sa.inspect(connection).has_table(_entries.name)
            if not made:  # else opening would wait for writers, and fail where the ledger can only be read
                with self._writing() as connection:
                    _metadata.create_all(connection)

    def append(self, kind: str, body: Mapping[str, Any], *, at: datetime) -> LedgerEntry:
        """Record one fact; it is on disk when this returns. Raises TypeError for a body that is not JSON."""
        text = _json(kind, body)
        with self._told("written"), self._writing() as connection:
            newest = sa.select(_entries.c.seq, _entries.c.hash).order_by(_entries.c.seq.desc()).limit(1)
            last = connection.execute(newest).first()
            seq, previous = (last.seq + 1, last.hash) if last else (1, _GENESIS)
            row = {"seq": seq, "format": FORMAT, "at": at.isoformat(), "kind": kind, "body": text, "previous": previous}
            row["hash"] = _digest(row)
            connection.execute(_entries.insert().values(**row))
        return _entry(row)

    def entries(self, *, kind: str | None = None, limit: int = 100) -> tuple[LedgerEntry, ...]:
        """The newest entries first, at most `limit`, of one kind or of all."""
        query = sa.select(_entries).order_by(_entries.c.seq.desc()).limit(limit)
        if kind:
            query = query.where(_entries.c.kind == kind)
        with self._told("read"), self._engine.connect() as connection:
            return tuple(_entry(row._mapping) for row in connection.execute(query))

    def broken_at(self) -> int | None:
        """Return the first entry that does not follow from its content and its predecessor; None when all do."""
        previous, expected = _GENESIS, 1
        with self._told("read"), self._engine.connect() as connection:
            for row in connection.execute(sa.select(_entries).order_by(_entries.c.seq)):
                if (row.seq, row.previous, row.hash) != (expected, previous, _digest(row._mapping)):
                    return int(row.seq)
                previous, expected = row.hash, expected + 1
        return None

    @contextmanager
    def _writing(self) -> Iterator[sa.Connection]:
        """A transaction that holds the write lock from its start.

        Reading the head and appending to it must be one step, or two writers would chain to one head. Readers take no
        lock: they go on beside a writer.
        """
        with self._engine.begin() as connection:
            if self._engine.dialect.name == "sqlite":
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection

    @contextmanager
    def _told(self, done: str) -> Iterator[None]:
        try:
            yield
        except (sa.exc.SQLAlchemyError, sqlite3.Error, OSError, json.JSONDecodeError) as error:
            cause = getattr(error, "orig", None) or error
            known = isinstance(cause, sqlite3.Error | OSError)
            what = f"the ledger could not be {done}: {cause if known else type(cause).__name__}"
            fix = "check its disk, its rights and who else holds it; `mesh doctor` looks. Nothing runs unrecorded"
            raise StorageError(what, where=self._where, fix=fix) from None

    def _sqlite_setup(self, connection: Any, _record: Any) -> None:
        """WAL lets readers go on beside the writer; FULL makes an entry durable before its query may run."""
        connection.isolation_level = None
        connection.execute(f"PRAGMA busy_timeout = {self._wait_milliseconds}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")


def _json(kind: str, body: Mapping[str, Any]) -> str:
    """The same text for the same body, in ASCII: a surrogate of some shell's argument must not stop the record."""
    try:
        return json.dumps(dict(body), sort_keys=True, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise TypeError(f"the body of a '{kind}' entry is not JSON: {error}") from None


def _digest(row: Mapping[Any, Any]) -> str:
    """SHA-256 over all that an entry says, in one unambiguous text."""
    told = [row[name] for name in ("format", "seq", "at", "kind", "body", "previous")]
    return hashlib.sha256(json.dumps(told, default=repr).encode()).hexdigest()


def _entry(row: Mapping[Any, Any]) -> LedgerEntry:
    return LedgerEntry(
        seq=row["seq"],
        at=row["at"],
        kind=row["kind"],
        body=json.loads(str(row["body"])),
        previous=row["previous"],
        hash=row["hash"],
    )
