"""The embedded engine: runs governed SQL in processes that can open the pinned files and nothing else."""

import os
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from mesh_defs.engine import spawn
from mesh_defs.engine.pool import Pool
from mesh_defs.engine.session import Hold, Rows, Session
from mesh_defs.engine.setup import Limits, Setup, to_json
from mesh_defs.engine.worker import Worker
from mesh_defs.model.place import Access
from mesh_defs.model.query import GovernedSQL
from mesh_defs.model.version import Pin

# At work at once, for one engine; and waiting, attached, for a next query over what they serve.
WORKERS_MAX = 32
IDLE_WORKERS_MAX = 16
SPILL_BYTES_MAX = 20 * 2**30
THREADS_MAX = 16
_NOTHING: Mapping[str, str] = {}


class DuckDBEngine:
    """Safe for many threads. `spill` is where a query that outgrows its memory writes; `access_of` tells how the stores of
    a pin are reached. `environment` is all that workers see of ours; `drivers`, what a store's driver reads besides, is
    told only to workers that need one."""

    def __init__(
        self,
        *,
        spill: Path,
        seconds_max: float,
        memory_bytes_max: int,
        access_of: Callable[[Pin], Access],
        environment: Mapping[str, str] = _NOTHING,
        drivers: Mapping[str, str] = _NOTHING,
    ) -> None:
        self._spill, self._seconds, self._memory = spill, seconds_max, memory_bytes_max
        self._access_of, self._environment, self._drivers = access_of, environment, drivers
        self._pool = cache(lambda process: Pool(workers_max=WORKERS_MAX, idle_max=IDLE_WORKERS_MAX))

    def start(self) -> None:
        """Let this process's zygote get warm meanwhile."""
        spawn.start(self._environment)

    def session(self, pins: tuple[Pin, ...]) -> Session:
        """Return a worker over exactly these pins, for one question. StorageError when a version is gone."""
        return Session(self.hold(pins), self._seconds)

    def hold(self, pins: tuple[Pin, ...]) -> Hold:
        """Return a worker over exactly these pins: one that waits, or a new one. StorageError when a version is gone."""
        pool = self._pool(os.getpid())
        key = tuple(_identity(pin) for pin in pins)
        worker = pool.take(key, lambda: self._new(pins, key), seconds_max=self._seconds)
        return Hold(worker, pool.give_back)

    def run(self, governed: GovernedSQL, parameters: Mapping[str, Any]) -> Rows:
        """Start a governed query. Raises QueryRejectedError when it does not bind, EngineError when it fails."""
        with self.session(governed.pins) as session:
            return session.run(governed, parameters)

    def close(self) -> None:
        """End the workers that wait. Those at work end with their answers."""
        self._pool(os.getpid()).close()

    def _new(self, pins: tuple[Pin, ...], key: object) -> Worker:
        setup = self._setup(pins)
        born = spawn.new_worker(self._environment, stores=setup.stores, spill=self._spill)
        worker = Worker(born, key)
        try:
            worker.begin(to_json(setup), seconds_max=self._seconds)
        except BaseException:
            worker.end()
            raise
        return worker

    def _setup(self, pins: tuple[Pin, ...]) -> Setup:
        limits = Limits(
            seconds_max=self._seconds,
            memory_bytes_max=self._memory,
            spill_bytes_max=SPILL_BYTES_MAX,
            threads=min(os.cpu_count() or 1, THREADS_MAX),
        )
        plain = Setup(pins=pins, accesses=tuple(self._access_of(pin) for pin in pins), limits=limits, drivers={})
        return Setup(pins=pins, accesses=plain.accesses, limits=limits, drivers=self._drivers if plain.stores else {})


def _identity(pin: Pin) -> tuple[object, ...]:
    """What makes two workers over this pin alike. An external product may keep its version while its scan changes."""
    return pin.product, pin.version, pin.locations, pin.scan, tuple(pin.columns.items()), tuple(pin.tokens.items())
