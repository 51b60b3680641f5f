"""The suite of the storages under load: one writer and eight readers, each a process, at every kind of storage."""

import subprocess
from functools import partial

from drills.drill import HANGS_AFTER_SECONDS, Drill, Task, require
from drills.ground import KINDS, StorageKind
from drills.places import generation_at, require_tidy, write
from drills.watch import watching
from drills.writer import work_at

READERS = 8
# Longer than any read takes here, so that no version goes under a reader; the writer sweeps every tenth time.
KEEP_SECONDS = 30.0


def drills() -> list[Drill]:
    """One for each kind of storage."""
    told = f"one writer and {READERS} readers"
    return [Drill(name="adapters", part=kind, told=told, run=partial(_load, kind=kind)) for kind in KINDS]


def _load(task: Task, *, kind: StorageKind) -> str:
    place, seconds = task.ground.sound(task.ground.place(kind)), task.minutes * 60
    write(place, 1)
    with watching(place=place, readers=READERS) as seen:
        work = work_at(place, first=2, seconds=seconds, keep_seconds=KEEP_SECONDS)
        patience = seconds + HANGS_AFTER_SECONDS
        done = subprocess.run(work.command(), capture_output=True, text=True, timeout=patience, check=False)
    require(done.returncode == 0, f"the writer crashed: {done.stderr[-400:]}")
    lines = done.stdout.splitlines()
    failed = [line for line in lines if line.startswith("failed")]
    require(not failed, f"{len(failed)} failed writes, the first: {failed[:1]}")
    last = int(lines[-1].split()[1])
    require(generation_at(place) == last, "the last acknowledged version is not read")
    require_tidy(place)
    counted = f"{len(lines)} versions written, 0 failed; {seen.reads} reads, 0 wrong, 0 partial, 0 failed"
    return f"{seconds:.0f} s: {counted}; {seen.generations / READERS:.0f} versions seen by each"
