"""Keeps programs running: starts them, starts them again when they end, ends them all when it ends itself.

Each program leads a process group of its own, so that its children end with it; a guard process ends the groups when this one
is killed. Output goes to a file per program. Knows nothing of Dagster or of the mesh.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from mesh_defs.processes.guard import POLITE_SECONDS, end_groups, is_alive
from mesh_defs.processes.programs import Program

BACKOFF_SECONDS_MAX = 60.0
# Who ran this long was well: the next end counts as the first.
WELL_SECONDS = 60.0
LOG_BYTES_MAX = 10_000_000


@dataclass
class _Running:
    program: Program
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    ends: int = 0
    due: float = 0.0


@dataclass
class Supervisor:
    """Runs programs until `close`. `say` tells a person what happened; `logs` is the folder of their output."""

    logs: Path
    say: Callable[[str], None]
    polite_seconds: float = POLITE_SECONDS
    _running: dict[str, _Running] = field(default_factory=dict)
    _groups: set[int] = field(default_factory=set)
    _guard: subprocess.Popen[str] | None = None

    def keep(self, programs: Iterable[Program]) -> None:
        """Start these, or start again those that are now told otherwise; others run on as they are.

        A replaced server ends alone: what its children still run, they may finish.
        """
        for program in programs:
            running = self._running.get(program.name)
            if running and running.program == program:
                continue
            if running and running.process and running.process.poll() is None:
                self.say(f"{program.name}: started again, its environment or command changed")
                self._end(running.process)
            self._running[program.name] = _Running(program=program)
            self._start(self._running[program.name])

    def tend(self) -> None:
        """Start again what ended, each time after a longer wait. Call it often."""
        now = time.monotonic()
        for running in self._running.values():
            if running.process and running.process.poll() is not None:
                self._ended(running, running.process.returncode, now)
            if running.process is None and now >= running.due:
                self._start(running)
        for group in [group for group in self._groups if not is_alive(group)]:
            self._forget(group)
        if self._guard and self._guard.poll() is not None:
            self._tell_guard("")

    def knows(self, name: str) -> bool:
        """Tell whether a program is kept."""
        return name in self._running

    def close(self) -> None:
        """End all programs and their children."""
        end_groups(sorted(self._groups), alive=self._group_alive, polite_seconds=self.polite_seconds)
        self._groups.clear()
        if self._guard and self._guard.stdin:
            with suppress(OSError):
                self._guard.stdin.close()
            self._guard.wait()

    def _group_alive(self, group: int) -> bool:
        for running in self._running.values():
            if running.process:
                running.process.poll()  # who is dead and not waited for would count as alive
        return is_alive(group)

    def _start(self, running: _Running) -> None:
        program = running.program
        self.logs.mkdir(parents=True, exist_ok=True)
        with _log(self.logs / f"{program.name}.log").open("ab") as out:
            try:
                running.process = subprocess.Popen(
                    program.command,
                    env=dict(program.environment),
                    cwd=program.folder,
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            except OSError as error:
                self._wait(running, f"cannot be started: {error.strerror}", time.monotonic())
                return
        running.started = time.monotonic()
        self._remember(running.process.pid)

    def _ended(self, running: _Running, code: int, now: float) -> None:
        running.process = None
        if now - running.started > WELL_SECONDS:
            running.ends = 0
        self._wait(running, f"ended by signal {-code}" if code < 0 else f"ended with code {code}", now)

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        process.terminate()
        try:
            process.wait(self.polite_seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _wait(self, running: _Running, told: str, now: float) -> None:
        seconds = min(2.0**running.ends, BACKOFF_SECONDS_MAX)
        running.ends, running.due = running.ends + 1, now + seconds
        name = running.program.name
        self.say(f"{name}: {told}; starting again in {seconds:.0f} s; its output: {self.logs / name}.log")

    def _remember(self, group: int) -> None:
        self._groups.add(group)
        self._tell_guard(f"+{group}\n")

    def _forget(self, group: int) -> None:
        self._groups.discard(group)
        self._tell_guard(f"-{group}\n")

    def _tell_guard(self, line: str) -> None:
        if self._guard is None or self._guard.poll() is not None:
            command = [sys.executable, "-m", "mesh_defs.processes.guard", str(self.polite_seconds)]
            command += map(str, sorted(self._groups))
            paths = {"PYTHONPATH": os.pathsep.join(sys.path)}  # and nothing else of our environment
            self._guard = subprocess.Popen(command, env=paths, stdin=subprocess.PIPE, text=True, start_new_session=True)
        if self._guard.stdin:
            with suppress(OSError):
                self._guard.stdin.write(line)
                self._guard.stdin.flush()


def _log(file: Path) -> Path:
    """One file back is kept; a log never grows without end over restarts."""
    if file.exists() and file.stat().st_size > LOG_BYTES_MAX:
        file.replace(file.with_suffix(".log.1"))
    return file
