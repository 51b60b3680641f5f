"""Runs one question in a process tree of its own, and measures from outside how long it takes and how much it holds."""

import contextlib
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass

import psutil  # type: ignore[import-untyped]

from mesh_defs.settings import Settings
from tests.redteam.door import Outcome

SECONDS_MAX, BYTES_MAX = 10.0, 2_000_000_000
# Until the mesh is open: imports and the catalog are not the question's.
_START_SECONDS_MAX = 120.0
_POLL_SECONDS = 0.02


@dataclass(frozen=True, kw_only=True)
class Watched:
    """What became of a question: its outcome (None: it was ended by us), seconds, and the most its processes held."""

    outcome: Outcome | None
    seconds: float
    bytes_most: int
    why: str = ""


def asking(settings: Settings) -> list[str]:
    """The command that asks a fixture, on its Trino when it has one."""
    trino = [settings.trino.url] if settings.trino is not None else []
    return [sys.executable, "-W", "ignore", "-m", "tests.redteam.once", str(settings.root), *trino]


def watched(command: list[str], sql: str) -> Watched:
    """Run what asks, and end everything that is over the limits. Its whole tree counts, shared pages twice."""
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True) as process:
        assert process.stdin and process.stdout and process.stderr
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(sql.encode("utf-8", "surrogatepass"))
            process.stdin.close()
        tree = {psutil.Process(process.pid)}
        try:
            return _watch(process, tree)
        finally:
            end(tree)


def _watch(process: subprocess.Popen[bytes], tree: set[psutil.Process]) -> Watched:
    assert process.stdout and process.stderr
    out, err = b"", b""
    started: float | None = None
    begun, most = time.monotonic(), 0
    open_pipes = {process.stdout.fileno(): True, process.stderr.fileno(): False}
    while open_pipes:
        for fd in select.select(list(open_pipes), [], [], _POLL_SECONDS)[0]:
            chunk = os.read(fd, 1 << 16)
            if not chunk:
                del open_pipes[fd]
            elif open_pipes[fd]:
                out += chunk
            else:
                err += chunk
        now = time.monotonic()
        if started is None and out.startswith(b"ready\n"):
            started = now
        tree |= descendants(process.pid)
        most = max(most, sum(map(held, tree)))
        seconds = now - (started or begun)
        if most > BYTES_MAX:
            return Watched(outcome=None, seconds=seconds, bytes_most=most, why=f"held {most / 1e9:.1f} GB")
        if seconds > (SECONDS_MAX if started else _START_SECONDS_MAX):
            return Watched(outcome=None, seconds=seconds, bytes_most=most, why=f"did not end within {seconds:.0f} s")
        if out.count(b"\n") >= 2:
            break
    seconds = time.monotonic() - (started or begun)
    if left := _left_behind(process, tree, SECONDS_MAX - seconds):
        return Watched(outcome=None, seconds=SECONDS_MAX, bytes_most=most, why=f"left {left} processes running")
    return Watched(outcome=_outcome(out, err), seconds=seconds, bytes_most=most)


def _left_behind(process: subprocess.Popen[bytes], tree: set[psutil.Process], seconds: float) -> int:
    """How many processes of the tree are still alive after their time."""
    until = time.monotonic() + max(seconds, 1.0)
    while time.monotonic() < until:
        tree |= descendants(process.pid)
        process.poll()
        if not [each for each in tree if is_alive(each)]:
            return 0
        time.sleep(_POLL_SECONDS)
    return len([each for each in tree if is_alive(each)])


def _outcome(out: bytes, err: bytes) -> Outcome:
    said = err.decode("utf-8", "replace")
    lines = out.decode("utf-8", "replace").splitlines()
    if len(lines) < 2:  # ended by somebody else: a killed asker shows nothing
        return Outcome(error="ended", texts=("the process ended without an outcome",), said=said, crashed=True)
    told = json.loads(lines[1])
    rows = tuple(map(tuple, told.pop("rows")))
    texts, columns = tuple(told.pop("texts")), tuple(told.pop("columns"))
    return Outcome(**{**told, "said": told["said"] + said}, rows=rows, texts=texts, columns=columns)


def descendants(root: int) -> set[psutil.Process]:
    """Every process below this one. Each is known by its start as well as its pid, which another may be given later."""
    with contextlib.suppress(psutil.Error):
        return set(psutil.Process(root).children(recursive=True))
    return set()


def held(process: psutil.Process | int) -> int:
    """Resident bytes of one process; 0 when it is gone."""
    with contextlib.suppress(psutil.Error):
        return int((psutil.Process(process) if isinstance(process, int) else process).memory_info().rss)
    return 0


def is_alive(process: psutil.Process) -> bool:
    """Whether it still runs: neither gone, nor another under its pid, nor only waiting to be collected."""
    with contextlib.suppress(psutil.Error):
        return bool(process.is_running() and process.status() not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD))
    return False


def end(processes: Iterable[psutil.Process]) -> None:
    """Kill these processes, which are ours; never one that has got the pid of one since."""
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.kill()
