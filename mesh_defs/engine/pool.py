"""Workers that wait for their next query, by what they serve. Bounded: those at work, and those that wait."""

import threading
import time
from collections import deque
from collections.abc import Callable

from mesh_defs.engine.worker import Worker
from mesh_defs.errors import EngineError

# A worker that waits keeps the files of its versions on the disk, even when they were swept.
IDLE_SECONDS_MAX = 600.0


class Pool:
    """Safe for many threads. `workers_max` may be at work at once; the `idle_max` that were used last are kept for a while."""

    def __init__(self, *, workers_max: int, idle_max: int) -> None:
        self._working, self._idle_max, self._workers_max = threading.Semaphore(workers_max), idle_max, workers_max
        self._lock = threading.Lock()
        self._idle: deque[tuple[float, Worker]] = deque()  # since when; the last used at the right end

    def take(self, key: object, make: Callable[[], Worker], *, seconds_max: float) -> Worker:
        """Return a worker of this key, which nobody else has. EngineError when so many are at work for so long."""
        if not self._working.acquire(timeout=seconds_max):
            what = f"{self._workers_max} queries are running here already"
            raise EngineError(what, fix="ask again later, or close the answers that are not read to their end")
        try:
            return self._waiting(key) or make()
        except BaseException:
            self._working.release()
            raise

    def give_back(self, worker: Worker) -> None:
        """Let go of a worker: it waits for the next query, unless it is not fit for one."""
        if worker.fit:
            with self._lock:
                self._idle.append((time.monotonic(), worker))
        else:
            worker.end()
        self._working.release()
        self._end_surplus(self._idle_max)

    def close(self) -> None:
        """End those that wait."""
        self._end_surplus(0)

    def _end_surplus(self, idle_max: int) -> None:
        since = time.monotonic() - IDLE_SECONDS_MAX
        with self._lock:
            surplus = []
            while self._idle and (len(self._idle) > idle_max or self._idle[0][0] < since):
                surplus.append(self._idle.popleft()[1])
        for worker in surplus:
            worker.end()

    def _waiting(self, key: object) -> Worker | None:
        while True:
            with self._lock:
                found = next((each for each in reversed(self._idle) if each[1].key == key), None)
                if found is None:
                    return None
                self._idle.remove(found)
            if found[1].alive():
                return found[1]
            found[1].end()
