"""What a failed system call or DuckDB statement may say: the system's reason, the error's class, a known column's name.

DuckDB's own messages quote the values that they stumble over, so none is ever passed on.
"""

import errno
import os
import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from mesh_defs.errors import StorageError

_FIXES = {
    errno.ENOSPC: "free some disk space there, then run it again",
    errno.EDQUOT: "free some of the disk quota there, then run it again",
    errno.EFBIG: "raise the limit on file sizes (ulimit -f), then run it again",
    errno.EACCES: "let the user that runs this read and write there",
    errno.EPERM: "let the user that runs this read and write there",
    errno.EROFS: "mount it writable, or give the product another place in its contract",
    errno.ENOENT: "look whether the place was moved or unmounted",
    errno.ENOTDIR: "give the product a place that is a folder",
    errno.EEXIST: "give the product a place that is a folder",
    errno.EMFILE: "raise the limit on open files (ulimit -n), then run it again",
    errno.EIO: "look at the disk, then run it again",
}
_CAST_COLUMN = re.compile(r"when casting from source column (.+)$", re.MULTILINE)


@contextmanager
def told(what: str, where: Path | str, *, columns: Collection[str] = ()) -> Iterator[None]:
    """Turn a failure of the disk or of DuckDB into a StorageError that says where; `columns` may be named in it."""
    try:
        yield
    except StorageError as error:
        raise type(error)(error.what, where=error.where or str(where), fix=error.fix) from None
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise StorageError(f"{what}: {reason}", where=str(where), fix=_fix(error.errno)) from None
    except duckdb.Error as error:
        number = _system_reason(str(error))
        reason = f"{type(error).__name__}{_column(str(error), columns)}{f', {os.strerror(number)}' if number else ''}"
        raise StorageError(f"{what}: {reason}", where=str(where), fix=_fix(number, type(error))) from None


def _fix(number: int | None, kind: type[Exception] = OSError) -> str:
    if number in _FIXES:
        return _FIXES[number]
    if issubclass(kind, duckdb.OutOfMemoryException):
        return "raise DuckDB's memory_limit or max_temp_directory_size, or stage it one partition at a time"
    if issubclass(kind, duckdb.TransactionException):
        return "commit or roll back the connection's own transaction first"
    if issubclass(kind, duckdb.HTTPException):
        return "its server did not answer as it should: try again"
    if issubclass(kind, duckdb.Error):
        return "run its SELECT alone in DuckDB to see the cause"
    return "look at the file system there, then run it again"


def _system_reason(message: str) -> int | None:
    return next((number for number in _FIXES if os.strerror(number) in message), None)


def _column(message: str, columns: Collection[str]) -> str:
    """Name the column of a failed cast only when it is one of those we know: anything else might be a value."""
    found = _CAST_COLUMN.search(message)
    return f" in column '{found[1]}'" if found and found[1] in columns else ""
