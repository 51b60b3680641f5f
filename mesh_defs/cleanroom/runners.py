"""The processes of runs: each serves one, and the next one is started ahead, for what it imports takes half a second.

One that waits knows nothing: it is told all that it needs when its run begins (`joiner`).
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from tempfile import TemporaryDirectory

# Arrow's and numpy's own threads and allocators: a process that gives up rights wants neither.
_QUIET = {
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "OPENBLAS_NUM_THREADS": "1",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Runner:
    """A process and the folder that is its own."""

    process: "subprocess.Popen[str]"
    folder: "TemporaryDirectory[str]"

    def end(self) -> None:
        """End it, whatever it does, and leave nothing of it."""
        self.process.kill()
        # Popen closes its pipes and waits; what was still to be written is nobody's any more.
        with suppress(OSError), self.process:
            pass
        self.folder.cleanup()


class Runners:
    """Starts them, from a thread that lives as long as this does: the kernel ends a process with the thread that started it."""

    def __init__(self) -> None:
        self._starter = ThreadPoolExecutor(max_workers=1, thread_name_prefix="runners")
        self._waiting: Future[Runner] | None = None

    def start_ahead(self) -> None:
        """Have one ready for the next run."""
        if self._waiting is None:
            self._waiting = self._starter.submit(_started)

    @contextmanager
    def one(self) -> Iterator["subprocess.Popen[str]"]:
        """A process for one run, which does not outlive it. Used by one thread at a time."""
        runner = self._taken()
        try:
            yield runner.process
        finally:
            runner.end()
            self.start_ahead()

    def close(self) -> None:
        """End the one that waits."""
        self._starter.shutdown()
        if self._waiting is not None and self._waiting.exception() is None:
            self._waiting.result().end()

    def _taken(self) -> Runner:
        """The one that waits; another one when it could not be started, or died meanwhile."""
        waiting, self._waiting = self._waiting, None
        if waiting is not None and waiting.exception() is None:
            runner = waiting.result()
            if runner.process.poll() is None:
                return runner
            runner.end()
        return self._starter.submit(_started).result()


def _started() -> Runner:
    path = os.pathsep.join(os.path.abspath(each) for each in sys.path if each)  # noqa: PTH100
    folder = TemporaryDirectory(prefix="mesh-join-")
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "mesh_defs.cleanroom.joiner", folder.name, str(os.getpid())],
        env={**_QUIET, "PYTHONPATH": path, "TMPDIR": folder.name},
        cwd=folder.name,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    return Runner(process=process, folder=folder)
