"""Publish a second version, once per point at which it can die: python dying_postgres_writer.py <place>...

Each place gets one attempt: a forked child that kills itself before its nth exchange with Postgres, in place number n.
Prints one line per attempt.
"""

import os
import signal
import sys
from datetime import timedelta

import duckdb
import psycopg

from mesh_defs.storage.postgres_database import Database
from tests.storage.places import Place, place_told

DEADLY = ((psycopg.Connection, "execute"), (psycopg.Connection, "commit"), (Database, "connect"), (Database, "attach"))


def die_before_exchange(number: int) -> None:
    left = number

    def deadly(exchange):
        def call(*arguments, **options):
            nonlocal left
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            left -= 1
            return exchange(*arguments, **options)

        return call

    for owner, name in DEADLY:
        setattr(owner, name, deadly(getattr(owner, name)))


def die(_: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return 0


def write(place: Place, number: int) -> None:
    storage = place.storage()
    connection = duckdb.connect(config={"threads": 1})
    if number < 0:  # in the middle of writing the part itself
        connection.create_function("die", die, ["BIGINT"], "BIGINT")
        storage.stage(
            connection, "SELECT CASE WHEN range = 250_000 THEN die(range) ELSE 2 END AS g FROM range(300_000)"
        )
    die_before_exchange(number)
    candidate = storage.stage(connection, "SELECT 2 AS g FROM range(1000)")
    version = storage.publish(candidate, stamp={"contract_version": "1.1.0"})
    storage.sweep(version.published_at + timedelta(hours=1), retention_seconds=0)


def attempt(place: Place, number: int) -> int:
    child = os.fork()
    if child == 0:
        try:
            write(place, number)
            os._exit(0)
        except BaseException as error:  # noqa: BLE001  whatever kills it
            os.write(2, repr(error).encode())
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


for number, told in enumerate(sys.argv[1:], start=-1):
    code = attempt(place_told(told), number)
    print(code, flush=True)
    if code != -signal.SIGKILL:
        break
