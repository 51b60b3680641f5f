"""The ledger's one table, in SQLite or Postgres: opened, made, locked, and its failures told. Knows nothing of chains."""

import os
import sqlite3
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from mesh_defs.errors import StorageError

CONNECT_SECONDS_MAX = 10
# Of the advisory lock under which entries are appended: "mesh led" in ASCII. Whoever may connect may hold it, and no more.
_LOCK = 0x6D657368206C6564
_FIX = "check its disk, its rights and who else holds it; `mesh doctor` looks. Nothing runs unrecorded"
# Asking SQLAlchemy's inspector takes as long as an append.
_LISTED = {
    "sqlite": "SELECT name FROM sqlite_master WHERE name IN :names",
    "postgresql": "SELECT relname FROM pg_catalog.pg_class WHERE relname IN :names AND pg_catalog.pg_table_is_visible(oid)",
}

_metadata = sa.MetaData()
entries = sa.Table(
    "ledger_entries",
    _metadata,
    # SQLite numbers rows by INTEGER alone; Postgres's INTEGER ends at two thousand million.
    sa.Column("seq", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=False),
    sa.Column("format", sa.Integer, nullable=False),
    sa.Column("at", sa.String, nullable=False),
    sa.Column("kind", sa.String, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("previous", sa.String(64), nullable=False),
    sa.Column("hash", sa.String(64), nullable=False, unique=True),
)
_by_kind = sa.Index("ledger_entries_kind_seq", entries.c.kind, entries.c.seq)
newest = sa.select(entries).order_by(entries.c.seq.desc()).limit(1)


class EntryTable:
    """The table as this process reaches it; safe to share between threads. StorageError for whatever keeps it from that.

    Every append takes the same lock first, so that reading the newest entry and chaining to it are one step. `where` says
    the place, without a password.
    """

    def __init__(self, url: str, *, wait_seconds: float) -> None:
        self.where = "MESH_LEDGER"
        self._opened: tuple[int, object] | None = None
        with self.told("opened"):
            parsed = sa.make_url(url)
            if parsed.get_backend_name() == "sqlite":
                self._file: Path | None = _file_of(parsed)
                self.where = str(self._file)
                self._engine = sa.create_engine(parsed)
                sa.event.listen(self._engine, "connect", _sqlite_setup(int(wait_seconds * 1000)))
            else:
                self._file = None
                self.where = parsed.set(query={}).render_as_string()
                self._engine = _postgres(parsed, int(wait_seconds * 1000))
        weakref.finalize(
            self, self._engine.dispose
        )  # the last to close a SQLite file leaves it whole, without a journal

    def open(self) -> bool:
        """Tell whether the table was made; make nothing then, not even SQLite's file.

        A ledger from before there was an index by kinds gets it, if we may; else reading by kind is slower.
        """
        names: sa.BindParameter[list[str]] = sa.bindparam("names", [entries.name, _by_kind.name], expanding=True)
        with self.told("opened"):
            if self._file is not None and not self._file.exists():
                return False
            with self.reading() as connection:
                found = set(connection.execute(sa.text(_LISTED[self._engine.dialect.name]).bindparams(names)).scalars())
        if entries.name in found and _by_kind.name not in found:
            with suppress(sa.exc.SQLAlchemyError), self.writing() as connection:
                _by_kind.create(connection, checkfirst=True)
        return entries.name in found

    def make(self) -> None:
        """Make the table, unless another process was faster."""
        with self.told("opened"):
            if self._file is not None:
                self._file.parent.mkdir(parents=True, exist_ok=True)
            with self.writing() as connection:
                _metadata.create_all(connection)

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A connection that takes no lock: readers go on beside a writer."""
        self._refresh()
        with self._engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """A transaction that is alone from its start, and durable once it has ended well."""
        self._refresh()
        with self._engine.begin() as connection:
            if self._file is not None:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            else:  # a lock that asks for no right beyond INSERT and SELECT, as a lock of the table would
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
            yield connection

    @contextmanager
    def told(self, done: str) -> Iterator[None]:
        """Turn what the database says into a StorageError; `done` is what could not be done."""
        what = f"the ledger could not be {done}"
        try:
            yield
        except (sa.exc.SQLAlchemyError, sqlite3.Error, OSError, ValueError, OverflowError) as error:
            cause = getattr(error, "orig", None) or error
            if type(cause).__module__.startswith("psycopg"):
                from mesh_defs.storage.postgres_failures import told

                with told(what, self.where):
                    raise cause from None
            known = isinstance(cause, sqlite3.Error | OSError)
            raise StorageError(
                f"{what}: {cause if known else type(cause).__name__}", where=self.where, fix=_FIX
            ) from None

    def _refresh(self) -> None:
        """Give up connections to a file that was removed or replaced since, and those of a process that forked us."""
        here = os.getpid(), _identity(self._file)
        if self._opened not in (None, here):
            self._engine.dispose(close=self._opened is not None and self._opened[0] == here[0])
        self._opened = here


def _file_of(url: sa.URL) -> Path:
    if not url.database or url.database == ":memory:":
        fix = "say where its file is: sqlite:////path/to/ledger.sqlite"
        raise StorageError("a ledger in memory records nothing", where="MESH_LEDGER", fix=fix)
    return Path(url.database)


def _identity(file: Path | None) -> object:
    try:
        found = file.stat() if file is not None else None
    except OSError:
        return None
    return (found.st_dev, found.st_ino) if found else None


def _sqlite_setup(wait_milliseconds: int) -> Any:
    def setup(connection: sqlite3.Connection, _record: object) -> None:
        """WAL lets readers go on beside the writer; FULL makes an entry durable before its query may run."""
        connection.isolation_level = None
        connection.execute(f"PRAGMA busy_timeout = {wait_milliseconds}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")

    return setup


def _postgres(url: sa.URL, wait_milliseconds: int) -> sa.Engine:
    """Whatever the server's defaults: a commit is durable, and who waited for the lock sees what its holder wrote."""
    if url.drivername not in ("postgresql", "postgres", "postgresql+psycopg"):
        fix = "give an SQLAlchemy URL: sqlite:////path/to/ledger.sqlite, or postgresql://user:password@host/db"
        raise StorageError(f"the ledger cannot lie in {url.get_backend_name()}", where="MESH_LEDGER", fix=fix)
    settings = ("synchronous_commit=on", r"default_transaction_isolation=read\ committed")
    options = " ".join(f"-c {each}" for each in (*settings, f"lock_timeout={wait_milliseconds}"))
    given = url.query.get("options", "")
    try:
        return sa.create_engine(
            url.set(drivername="postgresql+psycopg"),
            pool_pre_ping=True,
            connect_args={
                "options": f"{given} {options}".strip(),
                "connect_timeout": CONNECT_SECONDS_MAX,
                "prepare_threshold": None,
            },
        )
    except ImportError:
        fix = "install mesh-defs[postgres]"
        raise StorageError(
            "a ledger in Postgres needs psycopg, which is not installed", where="MESH_LEDGER", fix=fix
        ) from None
