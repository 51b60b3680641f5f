"""Files that survive a crash, and the lock of one place. Knows nothing of versions."""

import fcntl
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from mesh_defs.errors import StorageError

# A publisher holds the lock for some milliseconds; one that holds it this long is stopped or hangs on its disk.
LOCK_SECONDS_MAX = 60.0
_LOCK_POLL_SECONDS = 0.01
TEMPORARY = ".tmp"


def replace(path: Path, content: bytes, *, private: bool = False) -> None:
    """Give `path` this content in one step: a reader, or a crash, sees the old content or the new, never a mixture.

    `private`: its owner alone may read it, from its first byte on.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}{TEMPORARY}")
    mode = 0o600 if private else 0o666
    try:
        with open(temporary, "xb", opener=lambda name, flags: os.open(name, flags, mode)) as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync(path.parent)


def sync(path: Path) -> None:
    """Wait until a file's content, or a folder's list of names, is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(path: Path) -> None:
    """Create a folder and the missing ones above it, durably; one that exists is left as it is."""
    if path.is_dir():
        return
    make_folder(path.parent)
    path.mkdir(exist_ok=True)
    sync(path.parent)


@contextmanager
def locked(path: Path, *, shared: bool = False, seconds_max: float | None = None) -> Iterator[None]:
    """Hold the lock on this file against other threads and processes; the kernel frees it when we die.

    Any number may hold it `shared` at once, and nobody else then. StorageError when others hold it too long.
    """
    with open(path, "ab") as file:
        _acquire(file, path, fcntl.LOCK_SH if shared else fcntl.LOCK_EX, seconds_max or LOCK_SECONDS_MAX)
        try:
            yield
        finally:
            # Closing alone would not free it while a forked child still holds a copy of the descriptor.
            fcntl.flock(file, fcntl.LOCK_UN)


def _acquire(file: IO[bytes], path: Path, kind: int, seconds_max: float) -> None:
    deadline = time.monotonic() + seconds_max
    while True:
        try:
            fcntl.flock(file, kind | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > deadline:
                what = f"another process has held this lock for over {seconds_max:g} s"
                raise StorageError(what, where=str(path), fix="find it with `fuser`, end it, run again") from None
            time.sleep(_LOCK_POLL_SECONDS)
