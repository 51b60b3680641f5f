"""Publish a second version, once per point at which it can die: python dying_postgres_writer.py <place>...

Each place gets one attempt: a forked child that kills itself before its nth exchange with Postgres, in place number n.
Prints one line per attempt.
"""

import signal
import sys
from datetime import timedelta
from functools import partial

import duckdb
import psycopg

from mesh_defs.storage.postgres_database import Database
from tests.storage.places import Place, place_told
from tests.storage.processes.dying import IN_THE_ROWS, attempt, deadly_select, die_before

EXCHANGES = (
    (psycopg.Connection, "execute"),
    (psycopg.Connection, "commit"),
    (Database, "connect"),
    (Database, "attach"),
)


def write(place: Place, number: int) -> None:
    storage = place.storage()
    connection = duckdb.connect(config={"threads": 1})
    if number == IN_THE_ROWS:
        storage.stage(connection, deadly_select(connection))
    die_before(EXCHANGES, number)
    candidate = storage.stage(connection, "SELECT 2 AS g FROM range(1000)")
    version = storage.publish(candidate, stamp={"contract_version": "1.1.0"})
    storage.sweep(version.published_at + timedelta(hours=1), retention_seconds=0)


for number, told in enumerate(sys.argv[1:], start=IN_THE_ROWS):
    code = attempt(partial(write, place_told(told), number))
    print(code, flush=True)
    if code != -signal.SIGKILL:
        break
