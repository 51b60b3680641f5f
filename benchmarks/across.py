"""A mesh on long-lived code servers, and what a refresh across its locations costs. `benchmarks.refresh` prints it."""

import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from benchmarks.scratch import make_mesh
from mesh_defs.errors import UnreachableError
from mesh_defs.query.mesh import open_mesh
from mesh_defs.refresh.graphql import Dagster
from mesh_defs.refresh.instance import open_instance
from mesh_defs.refresh.launch import refresh_across
from mesh_defs.settings import Settings, load_settings

START_SECONDS_MAX = 180.0
INSTANCE = """telemetry: {enabled: false}
nux: {enabled: false}
run_coordinator:
  module: dagster.core.run_coordinator
  class: QueuedRunCoordinator
  config: {dequeue_interval_seconds: 1}
"""
CONTRACT = """apiVersion: v3.1.0
kind: DataContract
id: urn:bench:{domain}
version: 1.0.0
status: active
domain: {domain}
dataProduct: persons
description: {{purpose: One row per person.}}
team: {{name: bench}}
servers: [{{server: local, environment: local, type: local, path: persons, format: parquet}}]
schema:
  - name: persons
    properties:
      - {{name: person_id, logicalType: integer, primaryKey: true,
         customProperties: [{{property: identifies, value: person}}]}}
customProperties: [{{property: granularity, value: audience}}]
"""


def across_locations(root: Path, locations: int, *, repeats: int) -> dict[str, float]:
    """Refresh `locations` domains of one product each; seconds are medians of the repeats after a first one."""
    names = [f"bench{number}" for number in range(locations)]
    files = {"products/persons.sql": "SELECT n AS person_id FROM range(1000) AS numbers(n)"}
    make_mesh(root, {name: {**files, "contracts/persons.odcs.yaml": CONTRACT.format(domain=name)} for name in names})
    with _running(root, names) as (settings, processes):
        mesh = open_mesh(settings)
        measured = [_measure(lambda: _refresh(settings, mesh), processes) for _ in range(repeats + 1)][1:]
        idle = _measure(lambda: time.sleep(10), processes)
    load = idle[0] / idle[1]
    cpu = statistics.median(max(0.0, cpu - load * wall) for cpu, wall in measured)
    wall = statistics.median(wall for _, wall in measured)
    return {
        "locations": locations,
        "across_wall_seconds": wall,
        "across_wall_seconds_per_location": wall / locations,
        "across_cpu_seconds_per_location": cpu / locations,
        "idle_cpu_seconds_per_second": load,
    }


def _refresh(settings: Settings, mesh: object) -> None:
    outcomes = refresh_across(settings, mesh)  # type: ignore[arg-type]
    if any(outcome.state != "published" for outcome in outcomes):
        raise AssertionError("the benchmark must publish every product")


def _measure(work: object, processes: list[psutil.Process]) -> tuple[float, float]:
    """CPU and wall seconds while it works. A worker that ended is in its parent's account of its children."""
    cpu, wall = _cpu(processes), time.perf_counter()
    work()  # type: ignore[operator]
    return _cpu(processes) - cpu, time.perf_counter() - wall


def _cpu(processes: list[psutil.Process]) -> float:
    total = time.process_time()
    for root in processes:
        for each in (root, *root.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                times = each.cpu_times()
                total += times.user + times.system + times.children_user + times.children_system
    return total


@contextmanager
def _running(root: Path, names: list[str]) -> Iterator[tuple[Settings, list[psutil.Process]]]:
    ports = {name: _free_port() for name in (*names, "webserver")}
    servers = "".join(
        f"  - grpc_server: {{host: 127.0.0.1, port: {ports[name]}, location_name: {name}}}\n" for name in names
    )
    (root / "servers.yaml").write_text("load_from:\n" + servers)
    home, url = root / ".mesh" / "dagster", f"http://127.0.0.1:{ports['webserver']}"
    home.mkdir(parents=True)
    (home / "dagster.yaml").write_text(INSTANCE)
    told = {"MESH_ROOT": str(root), "MESH_DAGSTER_URL": url, "DAGSTER_HOME": str(home)}
    # Several processes that make a new instance's SQLite at once leave it broken.
    with open_instance(load_settings(told)):
        pass
    environ = {**os.environ, **told, "DAGSTER_DISABLE_TELEMETRY": "1"}
    commands = [_code_server(root, name, ports[name]) for name in names]
    commands += [["dagster_webserver", "-w", "servers.yaml", "-h", "127.0.0.1", "-p", str(ports["webserver"])]]
    commands += [["dagster._daemon", "run", "-w", "servers.yaml"]]
    started: list[subprocess.Popen[bytes]] = []
    try:
        for command in commands:
            started.append(
                subprocess.Popen(
                    [sys.executable, "-m", *command],
                    env=environ,
                    cwd=root,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
            )
        settings = load_settings(told)
        _wait(settings, names)
        yield settings, [psutil.Process(each.pid) for each in started]
    finally:
        for each in started:
            for child in psutil.Process(each.pid).children(recursive=True):
                with suppress(psutil.NoSuchProcess):
                    child.kill()
            each.kill()
            each.wait()


def _code_server(root: Path, name: str, port: int) -> list[str]:
    file = str(root / "domains" / name / "definitions.py")
    return ["dagster", "code-server", "start", "-h", "127.0.0.1", "-p", str(port), "-f", file, "--location-name", name]


def _wait(settings: Settings, names: list[str]) -> None:
    dagster, deadline = Dagster(settings.dagster_url), time.monotonic() + START_SECONDS_MAX
    while time.monotonic() < deadline:
        with suppress(UnreachableError):
            silence, loaded = dagster.queue_silence(time.time()), dagster.locations()
            if silence is not None and silence < 60 and not any(loaded[name].error for name in names):
                return
            for name in names:
                if loaded[name].error:
                    dagster.reload(name)
        time.sleep(0.5)
    raise AssertionError("Dagster did not start")


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port
