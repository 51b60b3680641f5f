"""What a process of a room must not forget: which messages it has had, how far each run is, what others signed for it.

A SQLite file of its own in the mesh's home. It holds no row and no key. What a run did is in the ledger; this is about the
wire: nothing is taken twice, and no step is taken out of order, across restarts too.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from mesh_defs.cleanroom.wire import SKEW_SECONDS_MAX
from mesh_defs.errors import AccessDeniedError, StorageError
from mesh_defs.storage import durable

_WAIT_SECONDS = 10.0
_TABLES = """
CREATE TABLE IF NOT EXISTS nonces (nonce TEXT PRIMARY KEY, until TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS runs (run TEXT PRIMARY KEY, room TEXT NOT NULL, state TEXT NOT NULL, told TEXT NOT NULL)
    WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS kept (room TEXT, run TEXT, party TEXT, message BLOB NOT NULL, PRIMARY KEY (room, run, party))
    WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Journal:
    """Safe for threads and processes. StorageError when the file cannot be used: nothing is answered then."""

    file: Path

    def once(self, nonce: str, now: datetime) -> None:
        """Take note of a message. AccessDeniedError when it was here before.

        One that is too old to be taken anyway is forgotten.
        """
        until = now + timedelta(seconds=2 * SKEW_SECONDS_MAX)
        with self._opened() as database:
            database.execute("DELETE FROM nonces WHERE until < ?", (_text(now),))
            taken = database.execute("INSERT OR IGNORE INTO nonces VALUES (?, ?)", (nonce, _text(until)))
            if not taken.rowcount:
                raise AccessDeniedError("this message was here before")

    def begin(self, run: str, room: str, state: str, told: str = "") -> None:
        """Begin a run. AccessDeniedError when there was one of this name, in whatever room."""
        with self._opened() as database:
            made = database.execute("INSERT OR IGNORE INTO runs VALUES (?, ?, ?, ?)", (run, room, state, told))
            if not made.rowcount:
                raise AccessDeniedError("there was such a run before")

    def move(self, run: str, room: str, *, from_: tuple[str, ...], to: str) -> str:
        """Take one step of a run; return the state that it was in. AccessDeniedError when it is not where this step begins."""
        with self._opened() as database:
            row = database.execute("SELECT state FROM runs WHERE run = ? AND room = ?", (run, room)).fetchone()
            if row is None or row[0] not in from_:
                raise AccessDeniedError("the run is not at this step")
            database.execute("UPDATE runs SET state = ? WHERE run = ?", (to, run))
            return str(row[0])

    def state(self, run: str) -> str | None:
        """How far a run is; None for one that never began."""
        with self._opened() as database:
            row = database.execute("SELECT state FROM runs WHERE run = ?", (run,)).fetchone()
            return str(row[0]) if row else None

    def runs(self, room: str, state: str) -> tuple[tuple[str, str], ...]:
        """Runs of a room in this state, each with what was told of it."""
        with self._opened() as database:
            found = database.execute("SELECT run, told FROM runs WHERE room = ? AND state = ?", (room, state))
            return tuple((str(run), str(told)) for run, told in found)

    def keep(self, room: str, run: str, party: str, message: bytes) -> None:
        """Keep what a party signed about a run."""
        with self._opened() as database:
            database.execute("INSERT OR REPLACE INTO kept VALUES (?, ?, ?, ?)", (room, run, party, message))

    def kept(self, room: str) -> tuple[bytes, ...]:
        """What parties signed about the runs of a room, in the order of runs' names."""
        with self._opened() as database:
            found = database.execute("SELECT message FROM kept WHERE room = ? ORDER BY run, party", (room,))
            return tuple(bytes(message) for (message,) in found)

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        """A transaction that is alone from its start, and durable once it has ended well."""
        try:
            durable.make_folder(self.file.parent)
            with closing(sqlite3.connect(self.file, timeout=_WAIT_SECONDS, isolation_level=None)) as database:
                database.execute("PRAGMA journal_mode = WAL")
                database.execute("PRAGMA synchronous = FULL")
                database.executescript(_TABLES)
                database.execute("BEGIN IMMEDIATE")
                try:
                    yield database
                except BaseException:
                    database.execute("ROLLBACK")
                    raise
                database.execute("COMMIT")
        except (sqlite3.Error, OSError) as error:
            what = f"what a room must not forget cannot be noted: {error}"
            raise StorageError(what, where=str(self.file), fix="check its disk and its rights") from None


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat()
