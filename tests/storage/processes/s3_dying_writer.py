"""Publish a second version on S3, once per request before which it can die: python s3_dying_writer.py <place>.

Each attempt is a forked child, below a prefix of its own, that kills itself before its nth request. Prints one line per
attempt: its exit code.
"""

import os
import signal
import sys
from dataclasses import replace
from datetime import timedelta

import duckdb
from botocore.httpsession import URLLib3Session

from tests.storage.places import Place, place_told


def die_before_request(number: int) -> None:
    """Patch botocore so that this process is killed just before its nth request."""
    send, left = URLLib3Session.send, number

    def deadly(session: URLLib3Session, request: object) -> object:
        nonlocal left
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1
        return send(session, request)

    URLLib3Session.send = deadly


def write(place: Place, number: int) -> None:
    storage = place.storage()
    connection = duckdb.connect(config={"threads": 1})
    storage.publish(storage.stage(connection, "SELECT 1 AS g FROM range(1000)"), stamp={})
    die_before_request(number)
    version = storage.publish(storage.stage(connection, "SELECT 2 AS g FROM range(1000)"), stamp={})
    storage.refuse(storage.stage(connection, "SELECT 3 AS g"), [{"check": "x"}])
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


def main(place: Place) -> None:
    """No DuckDB instance and no connection exists in this process, so that it may fork."""
    for number in range(1000):
        own = replace(place, server=replace(place.server, place=f"{place.server.place}/{number}"))
        code = attempt(own, number)
        print(code, flush=True)
        if code != -signal.SIGKILL:
            return


main(place_told(sys.argv[1]))
