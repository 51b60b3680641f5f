"""One Postgres database as this process reaches it, from Python and from DuckDB. Knows nothing of products' tables."""

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import duckdb
import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import TupleRow

from mesh_defs.errors import StorageError
from mesh_defs.model.names import literal
from mesh_defs.model.place import Access
from mesh_defs.storage.extensions import load_extension

CONNECT_SECONDS_MAX = 10
LOCK_SECONDS_MAX = 60
# How long one statement may run: a whole SELECT is staged, or scanned by a step, in one.
STATEMENT_SECONDS_MAX = 6 * 3600.0
# An interrupt of DuckDB does not stop Postgres: it stops itself, a moment after whoever asked gave up.
_GRACE_SECONDS = 1.0
# DuckDB doubles the quotes of a pushed-down literal and lets backslashes be; a server's own setting might read them.
_ALWAYS = ("standard_conforming_strings=on",)
# A peer that vanished without a word is given up after this long.
_SILENCE: Mapping[str, Any] = {"keepalives_idle": 30, "keepalives_interval": 10, "tcp_user_timeout": 60_000}
# DuckDB's secret takes these by other names, and shows none of them; everything else may stand in plain sight.
_SECRET = {"host": "HOST", "port": "PORT", "dbname": "DATABASE", "user": "USER", "password": "PASSWORD"}

Connection = psycopg.Connection[TupleRow]


@dataclass(frozen=True)
class Database:
    """Where a domain's Postgres is, by the variable that says it. `url` may carry a password: it is never printed."""

    url: str = field(repr=False)
    variable: str

    def connect(self, *, autocommit: bool = False) -> Connection:
        """Open a connection; without autocommit, its transaction commits when its `with` block ends well."""
        # Whatever the server's defaults: who waited for a lock must see what its holder did, and a commit is durable.
        settings = ("synchronous_commit=on", r"default_transaction_isolation=read\ committed")
        conninfo = self._conninfo(STATEMENT_SECONDS_MAX, *settings)
        return psycopg.connect(conninfo, autocommit=autocommit, prepare_threshold=None)

    @contextmanager
    def attached(self, connection: duckdb.DuckDBPyConnection, schema: str) -> Iterator[str]:
        """Attach one schema for writing, under a name of its own, until the block ends."""
        alias = f"stage_{secrets.token_hex(8)}"
        self.attach(connection, schema, alias, "READ_WRITE", seconds_max=STATEMENT_SECONDS_MAX)
        try:
            yield alias
        finally:
            with suppress(duckdb.Error):  # what went wrong before is the news
                connection.execute(f"DETACH {alias}")

    def attach(
        self, connection: duckdb.DuckDBPyConnection, schema: str, alias: str, mode: str, *, seconds_max: float
    ) -> None:
        """Attach one schema as `alias`, unless that is attached already. The password stays out of DuckDB's catalog.

        Its connections close with the attachment, or with DuckDB's instance.
        """
        load_extension(connection, "postgres")
        secret = f"mesh_{secrets.token_hex(8)}"
        told = [f"{name} {literal(str(self.parts[key]))}" for key, name in _SECRET.items() if self.parts.get(key)]
        connection.execute(f"CREATE TEMPORARY SECRET {secret} ({', '.join(['TYPE postgres', *told])})")
        try:
            seconds = min(seconds_max, STATEMENT_SECONDS_MAX) + _GRACE_SECONDS
            read_only = ["default_transaction_read_only=on"] if mode == "READ_ONLY" else []
            path = self._conninfo(seconds, *read_only, without=_SECRET)
            options = f"TYPE postgres, {mode}, SCHEMA {literal(schema)}, SECRET {secret}"
            connection.execute(f"ATTACH IF NOT EXISTS {literal(path)} AS {alias} ({options})")
        finally:
            connection.execute(f"DROP SECRET {secret}")

    def _conninfo(self, statement_seconds: float, *settings: str, without: Mapping[str, str] | None = None) -> str:
        """The URL's own parameters go before ours, but for the timeouts, which are ours."""
        timeouts = f"statement_timeout={statement_seconds * 1000:.0f}", f"lock_timeout={LOCK_SECONDS_MAX * 1000:.0f}"
        ours = (*timeouts, *_ALWAYS, *settings)
        options = " ".join([str(self.parts.get("options", "")), *(f"-c {one}" for one in ours)])
        defaults = {"connect_timeout": CONNECT_SECONDS_MAX, "application_name": "mesh", **_SILENCE}
        given = {key: value for key, value in self.parts.items() if key not in (without or ())}
        return make_conninfo(**{**defaults, **given, "options": options.strip()})

    @cached_property
    def parts(self) -> dict[str, Any]:
        """What the URL says, by libpq's names, the password too."""
        try:
            return dict(conninfo_to_dict(self.url))
        except psycopg.ProgrammingError:
            fix = "write postgresql://user:password@host:5432/database"
            raise StorageError(f"{self.variable} is not a Postgres URL", fix=fix) from None


def database_of(access: Access) -> Database:
    """Return the database that the domain's variable names; StorageError, naming the variable, when it is not set."""
    variable = f"{access.variable}_POSTGRES"
    if access.postgres is None:
        fix = f"set {variable} to postgresql://user:password@host/database, or put it into the domain's secrets file"
        raise StorageError(f"{variable} is not set, so its Postgres cannot be reached", fix=fix)
    return Database(access.postgres, variable)
