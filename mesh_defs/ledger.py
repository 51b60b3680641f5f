"""Append-only record of what was asked, decided and answered. Each entry carries the hash of the one before it.

SQLite by default, any SQLAlchemy URL. The chain shows a changed or removed entry; it does not yet show a cut tail.
"""

import hashlib
import json
from collections.abc import Mapping
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
    """Appends entries durably and in one order; safe to share between threads and processes."""

    def __init__(self, url: str) -> None:
        parsed = sa.make_url(url)
        if parsed.drivername.startswith("sqlite") and parsed.database:
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
        self._engine = sa.create_engine(parsed, poolclass=sa.NullPool)
        if self._engine.dialect.name == "sqlite":
            sa.event.listen(self._engine, "connect", _sqlite_setup)
            sa.event.listen(self._engine, "begin", _sqlite_take_write_lock)
        _metadata.create_all(self._engine)

    def append(self, kind: str, body: Mapping[str, Any], *, at: datetime) -> LedgerEntry:
        """Record one fact; it is on disk when this returns. Raises StorageError when it cannot be recorded."""
        text = json.dumps(body, sort_keys=True, ensure_ascii=False)
        try:
            with self._engine.begin() as connection:
                last = connection.execute(
                    sa.select(_entries.c.seq, _entries.c.hash).order_by(_entries.c.seq.desc()).limit(1)
                ).first()
                seq, previous = (last.seq + 1, last.hash) if last else (1, _GENESIS)
                when = at.isoformat()
                digest = _digest(seq, when, kind, text, previous)
                row = {"seq": seq, "format": FORMAT, "at": when, "kind": kind, "body": text}
                connection.execute(_entries.insert().values(**row, previous=previous, hash=digest))
        except sa.exc.SQLAlchemyError as error:
            what = f"the ledger did not take an entry ({type(error).__name__})"
            raise StorageError(what, fix="check the ledger's disk and rights; nothing runs unrecorded") from None
        return LedgerEntry(seq=seq, at=when, kind=kind, body=body, previous=previous, hash=digest)

    def entries(self, *, kind: str | None = None, limit: int = 100) -> tuple[LedgerEntry, ...]:
        """The newest entries first, at most `limit`, of one kind or of all."""
        query = sa.select(_entries).order_by(_entries.c.seq.desc()).limit(limit)
        if kind:
            query = query.where(_entries.c.kind == kind)
        with self._engine.connect() as connection:
            return tuple(_entry(row) for row in connection.execute(query))

    def broken_at(self) -> int | None:
        """Return the first entry whose hash does not follow from its content and its predecessor; None when all do."""
        previous, expected = _GENESIS, 1
        with self._engine.connect() as connection:
            for row in connection.execute(sa.select(_entries).order_by(_entries.c.seq)):
                right = _digest(row.seq, row.at, row.kind, row.body, previous)
                if (row.seq, row.previous, row.hash) != (expected, previous, right):
                    return int(row.seq)
                previous, expected = row.hash, expected + 1
        return None


def _digest(seq: int, at: str, kind: str, body: str, previous: str) -> str:
    return hashlib.sha256("\n".join((str(seq), at, kind, body, previous)).encode()).hexdigest()


def _entry(row: Any) -> LedgerEntry:
    body = json.loads(row.body)
    return LedgerEntry(seq=row.seq, at=row.at, kind=row.kind, body=body, previous=row.previous, hash=row.hash)


def _sqlite_setup(connection: Any, _record: Any) -> None:
    """WAL lets readers go on beside the writer; FULL makes an entry durable before its query may run."""
    connection.isolation_level = None
    connection.execute("PRAGMA busy_timeout = 30000")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")


def _sqlite_take_write_lock(connection: Any) -> None:
    """Reading the head and appending to it must be one step, or two writers would chain to one head."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")
