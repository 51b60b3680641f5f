"""Publish a second version, once per point at which it can die: python dying_iceberg_writer.py <place>...

Each place gets one attempt: a forked child that kills itself before its nth change to the disk or exchange with Postgres,
every third n. Prints one line per attempt.
"""

import os
import signal
import sys
from datetime import timedelta
from functools import partial

import duckdb
import psycopg

from tests.storage.places import Place, place_told
from tests.storage.processes.dying import IN_THE_ROWS, attempt, deadly_select, die_before

CHANGES = ("fsync", "replace", "rename", "mkdir", "chmod", "unlink", "rmdir")


def write(place: Place, number: int) -> None:
    storage = place.storage()
    connection = duckdb.connect(config={"threads": 1})
    if number == IN_THE_ROWS:
        storage.stage(connection, deadly_select(connection))
    exchanges = [(psycopg.Connection, "execute"), (psycopg.Cursor, "execute"), (psycopg.Connection, "commit")]
    die_before([*((os, name) for name in CHANGES), *exchanges], number)
    version = storage.publish(storage.stage(connection, "SELECT 2 AS g, 'x' AS new FROM range(1000)"), stamp={})
    storage.sweep(version.published_at + timedelta(hours=1), retention_seconds=0)


for number, told in zip([IN_THE_ROWS, *range(0, 1000, 3)], sys.argv[1:], strict=False):
    code = attempt(partial(write, place_told(told), number))
    print(code, flush=True)
    if code != -signal.SIGKILL:
        break
