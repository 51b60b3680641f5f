"""A writer in a process of its own: publishes one generation after the other at a place, and says what was acknowledged.

    python -m drills.writer '{"place": …, "first": 2, "last": 9}'

Prints `published N` once a version is durable, or `failed N: why`.
"""

import json
import os
import signal
import sys
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import duckdb
from botocore.retries.standard import ExponentialBackoff

from drills.stops import select, stop_before_change
from mesh_defs.errors import MeshError
from mesh_defs.storage import durable, postgres_database, s3_client
from mesh_defs.storage.base import Storage
from tests.storage.places import Place, place_told


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What to write: generations `first` to `last`, none last: for ever. Old versions are kept for `keep_seconds`.

    `stop_at`: the write of a publication before which the process stops, as by SIGSTOP. `impatient`: servers and locks are
    given up after a second instead of a minute.
    """

    place: str
    first: int = 1
    last: int | None = None
    seconds: float | None = None
    keep_seconds: float | None = None
    stop_at: int | None = None
    impatient: bool = False

    def command(self) -> list[str]:
        """How to start it."""
        return [sys.executable, "-m", "drills.writer", json.dumps(asdict(self))]


def publish(
    storage: Storage, connection: duckdb.DuckDBPyConnection, generation: int, *, stop_at: int | None = None
) -> None:
    """Write one generation as a step does; nothing staged is left when it fails. `stop_at`: see `Work`."""
    candidate = storage.stage(connection, select(generation))
    if stop_at is not None:
        stop_before_change(stop_at, lambda: os.kill(os.getpid(), signal.SIGSTOP))
    try:
        storage.publish(candidate, stamp={"contract_version": "1.0.0", "generation": generation})
    except BaseException:
        storage.discard(candidate)
        raise


def main(work: Work) -> None:
    """Write until the last generation, or until the time is over."""
    if work.impatient:
        _lose_patience()
    storage, began, generation = place_told(work.place).storage(), time.monotonic(), work.first
    while work.last is None or generation <= work.last:
        if work.seconds is not None and time.monotonic() - began > work.seconds:
            break
        # A new instance each time, as each step has: one whose COPY was cut off is of no more use.
        with duckdb.connect(config={"threads": 1}) as connection:
            try:
                publish(storage, connection, generation, stop_at=work.stop_at)
                _say(f"published {generation}")
            except MeshError as error:
                _say(f"failed {generation}: {error}")
        if work.keep_seconds is not None and generation % 10 == 0:
            storage.sweep(datetime.now(UTC), work.keep_seconds)
        generation += 1


def work_at(place: Place, **more: Any) -> Work:
    """Work at a place."""
    return Work(place=place.told(), **more)


def _lose_patience() -> None:
    durable.locked.__wrapped__.__kwdefaults__["seconds_max"] = 1.0  # type: ignore[attr-defined]
    postgres_database.LOCK_SECONDS_MAX = 1
    s3_client.ANSWER_SECONDS_MAX, s3_client.ATTEMPTS_MAX = 1.0, 2
    ExponentialBackoff.delay_amount = lambda *_: 0.01


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(Work(**json.loads(sys.argv[1])))
