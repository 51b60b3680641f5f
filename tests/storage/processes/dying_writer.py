"""Publish a second version, once per point at which it can die: python dying_writer.py <kind> <new places> <first>.

Each attempt is a forked child that kills itself before its nth change to the disk. Prints one line per attempt.
"""

import os
import shutil
import signal
import sys
from datetime import timedelta
from pathlib import Path

import duckdb

from tests.storage.places import storage_in

CHANGES = ("fsync", "replace", "rename", "mkdir", "chmod", "unlink", "rmdir")


def select(generation: int) -> str:
    return f"SELECT {generation} AS g FROM range(1000)"


def die_before_change(number: int) -> None:
    """Patch `os` so that this process is killed just before its nth change."""
    left = number

    def deadly(change):
        def call(*arguments, **options):
            nonlocal left
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            left -= 1
            return change(*arguments, **options)

        return call

    for name in CHANGES:
        setattr(os, name, deadly(getattr(os, name)))


def die(_: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return 0


def write(kind, place: Path, number: int) -> None:
    storage = storage_in(kind, place)
    connection = duckdb.connect(config={"threads": 1})
    if number < 0:  # in the middle of writing the part itself
        connection.create_function("die", die, ["BIGINT"], "BIGINT")
        storage.stage(
            connection, "SELECT CASE WHEN range = 250_000 THEN die(range) ELSE 2 END AS g FROM range(300_000)"
        )
    die_before_change(number)
    version = storage.publish(storage.stage(connection, select(2)), stamp={})
    storage.refuse(storage.stage(connection, select(3)), [{"check": "x"}])
    storage.sweep(version.published_at + timedelta(hours=1), retention_seconds=0)


def attempt(kind, place: Path, number: int) -> int:
    child = os.fork()
    if child == 0:
        try:
            write(kind, place, number)
            os._exit(0)
        except BaseException as error:  # noqa: BLE001  whatever kills it
            os.write(2, repr(error).encode())
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def main(kind, root: Path, first: Path) -> None:
    """No DuckDB instance exists in this process, so that it may fork."""
    for number in range(-1, 1000):
        place = root / str(number)
        shutil.copytree(first, place)
        code = attempt(kind, place, number)
        print(code, flush=True)
        if code != -signal.SIGKILL:
            return


main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
