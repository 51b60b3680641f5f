"""A real Dagster for tests: webserver and daemon on a small mesh, each a process of its own, with a home of their own."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from mesh_defs.errors import UnreachableError
from mesh_defs.refresh.graphql import Dagster
from mesh_defs.refresh.instance import open_instance
from mesh_defs.settings import Settings, load_settings

PLATFORM = "  - python_module: {module_name: mesh_defs.definitions, location_name: platform}\n"
INSTANCE = """telemetry: {enabled: false}
nux: {enabled: false}
run_coordinator:
  module: dagster.core.run_coordinator
  class: QueuedRunCoordinator
  config: {dequeue_interval_seconds: 1, max_user_code_failure_retries: 20, user_code_failure_retry_delay: 5}
run_retries: {enabled: true, max_retries: 2, retry_on_asset_or_op_failure: false}
concurrency: {runs: {max_concurrent_runs: 6}}
"""


@dataclass(frozen=True, kw_only=True)
class Stack:
    """A running webserver and daemon. Every process that a test starts through it ends with it."""

    settings: Settings
    environ: dict[str, str]
    processes: dict[str, subprocess.Popen[str]] = field(default_factory=dict)

    @property
    def dagster(self) -> Dagster:
        return Dagster(self.settings.dagster_url)

    def mesh(self, *arguments: str) -> subprocess.Popen[str]:
        """Run the command line."""
        command = [sys.executable, "-m", "mesh_defs.cli.main", *arguments]
        return self._run(" ".join(arguments), command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def start(self, name: str) -> None:
        """Start the webserver or the daemon."""
        workspace = ["-w", str(self.settings.root / "workspace.yaml")]
        port = self.settings.dagster_url.rpartition(":")[2]
        commands = {
            "webserver": ["dagster_webserver", *workspace, "-h", "127.0.0.1", "-p", port],
            "daemon": ["dagster._daemon", "run", *workspace],
        }
        with open(self.settings.home / f"{name}.log", "a") as log:
            self._run(name, [sys.executable, "-m", *commands[name]], stdout=log, stderr=log)

    def stop(self, name: str) -> None:
        """Kill one, and everything that it started."""
        process = self.processes.pop(name)
        with suppress(psutil.NoSuchProcess):
            for each in (*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)):
                with suppress(psutil.NoSuchProcess):
                    each.kill()
        process.wait()

    def _run(self, name: str, command: list[str], **streams: object) -> subprocess.Popen[str]:
        process = subprocess.Popen(command, env=self.environ, cwd=self.settings.root, text=True, **streams)  # type: ignore[call-overload]
        self.processes[name] = process
        return process


@contextmanager
def running(root: Path, *, instance: str = INSTANCE, daemon: bool = True) -> Iterator[Stack]:
    """Serve the mesh at `root`, whose workspace gets the platform's location as well."""
    with open(root / "workspace.yaml", "a") as workspace:
        workspace.write(PLATFORM)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    home = root / ".mesh" / "dagster"
    home.mkdir(parents=True, exist_ok=True)
    (home / "dagster.yaml").write_text(instance)
    told = {"MESH_ROOT": str(root), "MESH_DAGSTER_URL": url, "DAGSTER_HOME": str(home)}
    stack = Stack(settings=load_settings(told), environ={**os.environ, **told, "DAGSTER_DISABLE_TELEMETRY": "1"})
    # Several processes that make a new instance's SQLite at once leave it broken (two heads of alembic).
    with open_instance(stack.settings):
        pass
    try:
        stack.start("webserver")
        if daemon:
            stack.start("daemon")
        wait_for(lambda: _answers(stack, daemon))
        yield stack
    finally:
        for name in list(stack.processes):
            stack.stop(name)


def wait_for(what: Callable[[], object], *, seconds_max: float = 60.0) -> None:
    """Wait until it is so; a hang fails the test."""
    deadline = time.monotonic() + seconds_max
    while not what():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.1)


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def _answers(stack: Stack, daemon: bool) -> bool:
    with suppress(UnreachableError):
        silence = stack.dagster.queue_silence(time.time())
        return not daemon or (silence is not None and silence < 60)
    return False
