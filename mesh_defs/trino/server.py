"""A coordinator and one worker of Trino on this machine, for as long as somebody holds them.

Both run from one folder, as `mesh trino config` writes it: etc/jvm.config, etc/config.properties, etc/worker.properties and
what these name. No process outlives its keeper, however that ends.
"""

import json
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mesh_defs.errors import UnreachableError
from mesh_defs.processes.programs import HOST, Program, free_ports
from mesh_defs.processes.supervisor import Supervisor

START_SECONDS_MAX = 300.0
_POLL_SECONDS = 0.25
NODES = {"coordinator": "config.properties", "worker": "worker.properties"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What runs Trino here: the unpacked server, a Java, and a folder for what the nodes write."""

    server: Path
    java: Path
    state: Path


@contextmanager
def running(folder: Path, machine: Machine, environment: Mapping[str, str]) -> Iterator[str]:
    """Start both nodes from `folder`; yield the coordinator's URL once both are active; end them.

    `environment` is all that the nodes know of ours: what their files name as `${ENV:NAME}`. About 12 s; the first query
    waits up to 10 s more until the coordinator has heard of its worker. 0.5 GB each at rest, at most the heap of
    etc/jvm.config and 0.5 GB. UnreachableError, with the reason from its log, when one does not start.
    """
    ports = dict(zip(NODES, free_ports(len(NODES)), strict=True))
    said: list[str] = []
    with closing(Supervisor(logs=machine.state / "logs", say=said.append)) as supervisor:
        start(supervisor, said, folder, machine, environment, ports)
        yield f"http://{HOST}:{ports['coordinator']}"


def start(
    supervisor: Supervisor,
    said: list[str],
    folder: Path,
    machine: Machine,
    environment: Mapping[str, str],
    ports: Mapping[str, int],
    report: Callable[[str], None] = lambda node: None,
) -> None:
    """Have a supervisor keep both nodes, at these ports; return once both are active. `report` is told before each.

    `said` is what the supervisor has told so far: nothing, or one did not start. UnreachableError as of `running`.
    """
    # One after the other: a worker that finds no coordinator tries again only after many seconds.
    for node in NODES:
        report(node)
        supervisor.keep([_program(node, folder.absolute(), machine, ports, environment)])
        _await(supervisor, said, f"trino-{node}", ports[node], machine.state / "logs")


def _program(
    node: str, folder: Path, machine: Machine, ports: Mapping[str, int], environment: Mapping[str, str]
) -> Program:
    told = {
        "config": f"etc/{NODES[node]}",
        "node.id": node,
        "node.environment": "mesh",
        "node.data-dir": str(machine.state / node),
        "node.bind-ip": HOST,
        "node.internal-address": HOST,
        "plugin.dir": str(machine.server / "plugin"),
        "log.enable-console": "true",
        # Over what the files say, which are written for a machine per node.
        "http-server.http.port": str(ports[node]),
        "discovery.uri": f"http://{HOST}:{ports['coordinator']}",
    }
    if node == "coordinator":
        # On one machine no node is lost alone, and the first query would wait ten seconds more for the worker.
        told["failure-detector.enabled"] = "false"
    lines = (folder / "etc" / "jvm.config").read_text(encoding="utf-8").splitlines()
    options = [line for line in lines if line and not line.startswith("#")]
    java = str(machine.java / "bin" / "java")
    libraries = ("-cp", f"{machine.server}/lib/*", "io.trino.server.TrinoServer")
    command = (java, *options, *(f"-D{name}={value}" for name, value in told.items()), *libraries)
    return Program(name=f"trino-{node}", command=command, environment=environment, folder=folder)


def _await(supervisor: Supervisor, said: list[str], name: str, port: int, logs: Path) -> None:
    deadline = time.monotonic() + START_SECONDS_MAX
    while not is_active(port):
        supervisor.tend()
        if said:
            node = said[0].partition(":")[0]
            what = f"{node} did not start: {_last_error(logs / f'{node}.log')}"
            raise UnreachableError(what, where=str(logs), fix="read its log, and mend what it names")
        if time.monotonic() > deadline:
            what = f"{name} was not up after {START_SECONDS_MAX:.0f} s"
            raise UnreachableError(
                what, where=str(logs), fix="read its log; or try again when the machine is less busy"
            )
        time.sleep(_POLL_SECONDS)


def is_active(port: int) -> bool:
    """Whether the node at this port takes part."""
    try:
        return _asked(port, "/v1/info")["starting"] is False and _asked(port, "/v1/info/state") == "ACTIVE"
    except (urllib.error.URLError, OSError, ValueError):
        return False


def _asked(port: int, path: str) -> Any:
    with urllib.request.urlopen(f"http://{HOST}:{port}{path}", timeout=2) as answer:
        return json.load(answer)


def _last_error(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []
    # Java's own reasons for not starting come first: it has not enough memory, or does not know an option.
    fatal = [line for line in lines if line.startswith("Error: ") or re.search("insufficient memory|OutOfMemory", line)]
    numbered = fatal or [line for line in lines if line[:2] in ("1)", "2)") or "ERROR" in line]
    return (numbered or lines or ["it wrote nothing"])[-1].strip()[:500]
