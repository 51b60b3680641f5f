"""A small mesh that really runs: `mesh up` in a process, asked over GraphQL, looked at through /proc."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from mesh_defs.processes.programs import free_ports
from mesh_defs.settings import Settings

LAUNCH = """mutation Launch($location: String!, $path: [String!]!) {
  launchPipelineExecution(executionParams: {mode: "default", selector: {
    repositoryLocationName: $location, repositoryName: "__repository__", pipelineName: "__ASSET_JOB",
    assetSelection: [{path: $path}]}}) { __typename ... on LaunchRunSuccess { run { runId } }
    ... on PythonError { message } } }"""
STATUS = "query Status($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"
LOCATIONS = """{ workspaceOrError { ... on Workspace { locationEntries { name
  locationOrLoadError { __typename ... on PythonError { message } } } } } }"""


class Machine:
    """One running `mesh up`."""

    def __init__(self, process: subprocess.Popen[bytes], url: str, log: Path) -> None:
        self.process, self.url, self.log = process, url, log

    def graphql(self, query: str, **variables: object) -> Any:
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(f"{self.url}/graphql", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)["data"]

    def run(self, product: str, *, location: str | None = None) -> str:
        """Launch a run of one product; return how it ended."""
        return self.ending(self.launch(product, location=location))

    def launch(self, product: str, *, location: str | None = None) -> str:
        domain = product.split(".")[0]
        told = self.graphql(LAUNCH, location=location or domain, path=product.split("."))["launchPipelineExecution"]
        assert told["__typename"] == "LaunchRunSuccess", told
        return str(told["run"]["runId"])

    def refresh(self, settings: Settings, selection: str) -> dict[str, str]:
        """Refresh across locations from a terminal; return what became of each product."""
        done = subprocess.run(
            [sys.executable, "-m", "mesh_defs.cli.main", "refresh", "--json", "--select", selection],
            env={**os.environ, "MESH_ROOT": str(settings.root), "MESH_DAGSTER_URL": self.url},
            capture_output=True,
            text=True,
            timeout=180,
        )
        assert done.stdout, done.stderr
        return {outcome["product"]: outcome["state"] for outcome in json.loads(done.stdout)}

    def ending(self, run: str) -> str:
        self.until(lambda: self.status(run) in ("SUCCESS", "FAILURE", "CANCELED"))
        return self.status(run)

    def status(self, run: str) -> str:
        return str(self.graphql(STATUS, id=run)["runOrError"]["status"])

    def locations(self) -> dict[str, str]:
        entries = self.graphql(LOCATIONS)["workspaceOrError"]["locationEntries"]
        return {each["name"]: (each["locationOrLoadError"] or {}).get("__typename", "") for each in entries}

    def until(self, true: Callable[[], object]) -> None:
        deadline = time.monotonic() + 180
        while not true():
            assert time.monotonic() < deadline and self.process.poll() is None, self.log.read_text()
            time.sleep(0.25)

    def family(self) -> list[int]:
        """`mesh up` and all that descends from it."""
        return descendants(self.process.pid)


@contextmanager
def running(settings: Settings, **environment: str) -> Iterator[Machine]:
    (port,) = free_ports(1)
    settings.home.mkdir(parents=True, exist_ok=True)
    log = settings.home / "up.log"
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "PYTHONPATH") if name in os.environ}
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "mesh_defs.cli.main", "up", "--port", str(port)],
            env={**inherited, "MESH_ROOT": str(settings.root), "DAGSTER_DISABLE_TELEMETRY": "1", **environment},
            stdout=out,
            stderr=out,
        )
    machine = Machine(process, f"http://127.0.0.1:{port}", log)
    try:
        machine.until(lambda: "Dagster answers" in log.read_text())
        yield machine
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)


def descendants(pid: int) -> list[int]:
    """A process and all that it started, from whichever of its threads: Dagster starts runs from another than the main one."""
    try:
        return [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]
    except psutil.NoSuchProcess:
        return []


def shown_by(pid: int) -> bytes:
    """What a process shows of itself to others of its user: command line and environment."""
    try:
        return b"".join(Path(f"/proc/{pid}/{name}").read_bytes() for name in ("cmdline", "environ"))
    except OSError:
        return b""


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
