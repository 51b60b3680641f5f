"""What runs on one machine: a long-lived code server per location, and Dagster's webserver and daemon, which share them.

Each is a command, an environment and how it tells that it answers. Starts nothing; `supervisor` does.
"""

import socket
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from mesh_defs.documents.workspace import Location
from mesh_defs.processes.apart import dagster_environment
from mesh_defs.processes.interpreter import interpreter_of
from mesh_defs.settings import Settings

HOST = "127.0.0.1"
_HEALTH = "DagsterApi"


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """One long-lived process: what to run, where, and with which environment."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)
    folder: Path


def code_server(
    location: Location, settings: Settings, environment: Mapping[str, str], *, host: str, port: int
) -> Program:
    """A server that loads its code again when Dagster asks, without ending. Raises UnreachableError without interpreter."""
    python = str(interpreter_of(location, settings.root))
    return Program(
        name=location.name,
        command=(
            *(python, "-m", "dagster", "code-server", "start", "--use-python-environment-entry-point"),
            *("--python-file", str(location.file), "--working-directory", str(settings.root)),
            *("--location-name", location.name, "--host", host, "--port", str(port), "--log-level", "warning"),
        ),
        environment=environment,
        folder=settings.root,
    )


def webserver(settings: Settings, workspace: Path, *, host: str, port: int) -> Program:
    """Dagster's UI and GraphQL. It imports no domain and holds no domain's secret."""
    command = (sys.executable, "-m", "dagster_webserver", "-w", str(workspace), "-h", host, "-p", str(port))
    return Program(
        name="dagster-webserver", command=command, environment=dagster_environment(settings), folder=settings.home
    )


def daemon(settings: Settings, workspace: Path) -> Program:
    """Dagster's schedules, sensors, queue and monitoring. It imports no domain and holds no domain's secret."""
    command = (sys.executable, "-m", "dagster._daemon", "run", "-w", str(workspace), "--log-level", "warning")
    return Program(
        name="dagster-daemon", command=command, environment=dagster_environment(settings), folder=settings.home
    )


def write_workspace(file: Path, locations: Mapping[Location, int]) -> None:
    """Write the workspace that webserver and daemon share: where each location's code server answers."""
    servers = [
        {"grpc_server": {"host": HOST, "port": port, "location_name": location.name}}
        for location, port in locations.items()
    ]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(yaml.safe_dump({"load_from": servers}, sort_keys=False), encoding="utf-8")


def read_ports(file: Path) -> dict[str, int]:
    """Ports by location, as the last `mesh up` wrote them; none when there was none."""
    if not file.is_file():
        return {}
    servers = [entry["grpc_server"] for entry in yaml.safe_load(file.read_text(encoding="utf-8"))["load_from"]]
    return {server["location_name"]: server["port"] for server in servers}


def workspace_file(settings: Settings) -> Path:
    """Where `mesh up` tells which ports it gave."""
    return settings.home / "workspace.yaml"


def free_ports(count: int) -> list[int]:
    """Ports of this machine that nobody listens at now; held together, so that none is given twice."""
    held = [socket.socket() for _ in range(count)]
    try:
        for each in held:
            each.bind((HOST, 0))
        return [each.getsockname()[1] for each in held]
    finally:
        for each in held:
            each.close()


def is_free(port: int) -> bool:
    """Whether nobody listens at this port of this machine."""
    with socket.socket() as caller:
        return caller.connect_ex((HOST, port)) != 0


def code_server_answers(port: int, *, timeout_seconds: float = 2) -> bool:
    """Ask a code server's health service; it serves as soon as it can tell its definitions, or why they do not load."""
    import grpc
    from grpc_health.v1 import health_pb2, health_pb2_grpc

    with grpc.insecure_channel(f"{HOST}:{port}") as channel:
        try:
            asked = health_pb2.HealthCheckRequest(service=_HEALTH)
            answer = health_pb2_grpc.HealthStub(channel).Check(asked, timeout=timeout_seconds)
        except grpc.RpcError:
            return False
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


def web_answers(host: str, port: int, *, timeout_seconds: float = 2) -> bool:
    """Ask the webserver for its version."""
    try:
        with urllib.request.urlopen(f"http://{host}:{port}/server_info", timeout=timeout_seconds) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
