"""What a failed statement of Postgres may say: a reason of our own words by its SQLSTATE, and a mend.

Postgres's messages quote the values that they stumble over, as DuckDB's do, so none is ever passed on. Through DuckDB no
SQLSTATE arrives: there a few of the server's fixed phrases tell the reason.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import duckdb
import psycopg
from psycopg import errors

from mesh_defs.errors import StorageError, StorageUnreachableError
from mesh_defs.storage import failures

_GRANT = "let its role create, read and write there: CREATE SCHEMA … AUTHORIZATION, or GRANT"
# Reason and mend, for every class of failure that a person can do something about.
_REASONS: Mapping[type[psycopg.Error], tuple[str, str]] = {
    errors.DiskFull: ("its disk is full", "free some disk space on the database's machine, then run it again"),
    errors.QueryCanceled: ("its statement_timeout stopped it", "narrow the work, or stage it one partition at a time"),
    errors.LockNotAvailable: (
        "another session has held a lock for too long",
        "find it in pg_stat_activity and end it, then run it again",
    ),
    errors.InsufficientPrivilege: ("its role may not do that", _GRANT),
    errors.ReadOnlySqlTransaction: ("it may only be read there", "write to the primary server, with the owner's role"),
    errors.InvalidCatalogName: ("there is no such database", "create it, or mend the URL"),
    errors.DependentObjectsStillExist: ("somebody's own views stand on it", "drop those views, then run it again"),
    errors.OutOfMemory: ("it ran out of memory", "stage it one partition at a time"),
}
_CONNECTING: Mapping[str, tuple[str, str]] = {
    "password authentication failed": ("it refuses the password", "mend the URL, or give the role that password"),
    "no password supplied": ("it asks for a password", "put one into the URL"),
    "permission denied for database": ("its role may not connect there", "GRANT CONNECT ON DATABASE … to it"),
    "does not exist": ("it knows no such database or role", "create it, or mend the URL"),
}
_GONE = re.compile(
    r"Unable to connect to Postgres|connection to server|server closed the connection|terminating connection|"
    r"no connection to the server|the database system is|connection has been closed|could not receive data from server|"
    r"too many clients|remaining connection slots"
)
_NUL = "NULL-byte"
_PHRASES: Mapping[str, tuple[str, str]] = {
    _NUL: (
        "a text holds the character NUL, which Postgres cannot keep",
        "remove it in the product's SELECT: replace(column, chr(0), '')",
    ),
    "due to statement timeout": _REASONS[errors.QueryCanceled],
    "due to lock timeout": _REASONS[errors.LockNotAvailable],
    "in a read-only transaction": _REASONS[errors.ReadOnlySqlTransaction],
    "permission denied": _REASONS[errors.InsufficientPrivilege],
    "out of range": (
        "a date or a time lies outside of what Postgres keeps",
        "keep it between 4713 BC and 294276 AD in the product's SELECT",
    ),
    "target lists can have at most": ("it has more columns than Postgres keeps", "publish it as two products"),
    "tables can have at most": ("it has more columns than Postgres keeps", "publish it as two products"),
}


@contextmanager
def told(what: str, where: str, *, columns: Mapping[str, str] = {}) -> Iterator[None]:
    """Turn a failure of Postgres, or of DuckDB with it, into a StorageError; one that may pass can be retried.

    `columns` (name -> type) may be named.
    """
    try:
        with failures.told(what, where, columns=columns):
            try:
                yield
            except duckdb.Error as error:
                _raise_known(what, where, str(error), columns)
                raise
    except psycopg.Error as error:
        raise _failure(what, where, error) from None


def _raise_known(what: str, where: str, message: str, columns: Mapping[str, str]) -> None:
    if _GONE.search(message):
        raise _unreachable(what, where, message) from None
    for phrase, (reason, fix) in _PHRASES.items():
        if phrase in message:
            texts = [name for name, type_ in columns.items() if "VARCHAR" in type_ and phrase == _NUL]
            of = f" (in {' or '.join(texts)})" if texts else ""
            raise StorageError(f"{what}: {reason}{of}", where=where, fix=fix) from None


def _failure(what: str, where: str, error: psycopg.Error) -> StorageError:
    for kind, (reason, fix) in _REASONS.items():
        if isinstance(error, kind):
            return StorageError(f"{what}: {reason}", where=where, fix=fix)
    # Without a state it is libpq that failed: it cannot connect, or has lost its connection. 08, 53, 57: see there.
    if isinstance(error, psycopg.OperationalError) and (error.sqlstate or "08")[:2] in ("08", "53", "57"):
        return _unreachable(what, where, str(error))
    return StorageError(f"{what}: {type(error).__name__}", where=where, fix="look into the log of Postgres")


def _unreachable(what: str, where: str, message: str) -> StorageError:
    for phrase, (reason, fix) in _CONNECTING.items():
        if phrase in message:
            return StorageError(f"{what}: {reason}", where=where, fix=fix)
    fix = "start it, or look whether the network and the URL lead to it, then run it again"
    return StorageUnreachableError(f"{what}: Postgres does not answer", where=where, fix=fix)
