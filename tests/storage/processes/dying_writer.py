"""Publish a second version, once per point at which it can die: python dying_writer.py <kind> <new places> <first>.

Each attempt is a forked child that kills itself before its nth change to the disk. Prints one line per attempt.
"""

import os
import shutil
import signal
import sys
from datetime import timedelta
from functools import partial
from pathlib import Path

import duckdb

from tests.storage.places import storage_in
from tests.storage.processes.dying import IN_THE_ROWS, attempt, deadly_select, die_before

CHANGES = ("fsync", "replace", "rename", "mkdir", "chmod", "unlink", "rmdir")


def select(generation: int) -> str:
    return f"SELECT {generation} AS g FROM range(1000)"


def write(kind, place: Path, number: int) -> None:
    storage = storage_in(kind, place)
    connection = duckdb.connect(config={"threads": 1})
    if number == IN_THE_ROWS:
        storage.stage(connection, deadly_select(connection))
    die_before([(os, name) for name in CHANGES], number)
    version = storage.publish(storage.stage(connection, select(2)), stamp={})
    storage.refuse(storage.stage(connection, select(3)), [{"check": "x"}])
    storage.sweep(version.published_at + timedelta(hours=1), retention_seconds=0)


def main(kind, root: Path, first: Path) -> None:
    for number in range(IN_THE_ROWS, 1000):
        place = root / str(number)
        shutil.copytree(first, place)
        code = attempt(partial(write, kind, place, number))
        print(code, flush=True)
        if code != -signal.SIGKILL:
            return


main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
