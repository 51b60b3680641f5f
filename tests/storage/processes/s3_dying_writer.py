"""Publish a second version on S3, once per request before which it can die: python s3_dying_writer.py <place>.

Each attempt is a forked child, below a prefix of its own, that kills itself before its nth request. Prints one line per
attempt: its exit code.
"""

import signal
import sys
from dataclasses import replace
from datetime import timedelta
from functools import partial

import duckdb
from botocore.httpsession import URLLib3Session

from tests.storage.places import Place, place_told
from tests.storage.processes.dying import attempt, die_before


def write(place: Place, number: int) -> None:
    storage = place.storage()
    connection = duckdb.connect(config={"threads": 1})
    storage.publish(storage.stage(connection, "SELECT 1 AS g FROM range(1000)"), stamp={})
    die_before([(URLLib3Session, "send")], number)
    version = storage.publish(storage.stage(connection, "SELECT 2 AS g FROM range(1000)"), stamp={})
    storage.refuse(storage.stage(connection, "SELECT 3 AS g"), [{"check": "x"}])
    storage.sweep(version.published_at + timedelta(hours=1), retention_seconds=0)


def main(place: Place) -> None:
    for number in range(1000):
        own = replace(place, server=replace(place.server, place=f"{place.server.place}/{number}"))
        code = attempt(partial(write, own, number))
        print(code, flush=True)
        if code != -signal.SIGKILL:
            return


main(place_told(sys.argv[1]))
