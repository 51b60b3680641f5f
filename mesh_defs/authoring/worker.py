"""Which process makes a run's products, written on the run itself, so that the reaper can tell a dead worker from a busy one.

Dagster records a worker's pid only: it says neither on which machine, nor whether that pid has been given to another
process since. Linux only; elsewhere nothing is written, and the reaper goes by silence alone.
"""

import json
import os
import platform
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

import dagster as dg

WORKER_TAG = "mesh/worker"
# `state` and all before it may hold spaces; the start time is the 20th field behind the command's closing bracket.
_START_FIELD = 19


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """A process: the host, its boot and its pid namespace, the pid there, and when it started, in the kernel's ticks.

    Clocks that jump do not touch the ticks.
    """

    host: str
    pid: int
    started: int

    def dump(self) -> str:
        """As a tag's value."""
        return json.dumps(asdict(self))


def this_host() -> str | None:
    """Name what pids are unique in: host, boot and pid namespace. None where the kernel does not tell."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{platform.node()}/{boot}/{os.readlink('/proc/self/ns/pid')}"  # noqa: PTH115  the link leads nowhere
    except OSError:
        return None


def started(pid: int) -> int | None:
    """When a process of this host started, in ticks since boot; None when there is none, or only its corpse."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[_START_FIELD])


def parse_worker(text: str | None) -> Worker | None:
    """Read a tag's value; None for one that we did not write."""
    try:
        return Worker(**json.loads(text or ""))
    except (ValueError, TypeError):
        return None


@lru_cache(maxsize=1)
def mark_worker(instance: dg.DagsterInstance, run_id: str) -> None:
    """Write this process on the run, once."""
    host, since = this_host(), started(os.getpid())
    if host is not None and since is not None:
        worker = Worker(host=host, pid=os.getpid(), started=since)
        instance.add_run_tags(run_id, {WORKER_TAG: worker.dump()})
