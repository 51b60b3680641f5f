"""Starts and ends the Trino of a laptop: two nodes and a policy server, kept by a process of their own (`trino.keeper`).

It is for trials: Trino asks nobody for a password and believes the name that it is given, as the embedded door does. The
door's own name is drawn at random at each start and lies in the secrets folder; only who knows it reads past the rules.
"""

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from mesh_defs.engine.trino_client import Client
from mesh_defs.errors import MeshError, StorageError, UnreachableError
from mesh_defs.model.mesh import Mesh
from mesh_defs.processes.postgres import write_private
from mesh_defs.processes.programs import free_ports, is_free
from mesh_defs.settings import Settings, load_settings
from mesh_defs.storage import durable
from mesh_defs.trino.config import Config, Sizing, config_of
from mesh_defs.trino.folder import write
from mesh_defs.trino.keeper import State, door_file, places
from mesh_defs.trino.release import is_fetched, java_home
from mesh_defs.trino.rights import DOOR
from mesh_defs.trino.server import START_SECONDS_MAX, is_active

STOP_SECONDS_MAX = 60.0
# What a node takes beside its heap: code, threads, buffers.
_BESIDE_MEGABYTES = 512
_POLL_SECONDS = 0.25
_CODE = Path(__file__).parent.parent.parent
_QUERY_SECONDS_MAX = 60.0


def start(
    mesh: Mesh, settings: Settings, sizing: Sizing, *, policy_port: int, report: Callable[[str], None]
) -> tuple[Config, dict[str, str], bool]:
    """Write its folder, and start it unless it runs; return what it reaches, what changed in the folder, whether it ran.

    `report` is told of each step. About 25 s; returns when it answers the door. UnreachableError, saying what to mend, for a
    missing server or Java, a port that is taken, too little memory, and a node that does not start.
    """
    if door_file(settings).stem in mesh.domains:
        what = "a domain is called 'trino', and its secrets file is the one that the door would find this Trino by"
        raise UnreachableError(what, fix="set MESH_TRINO_URL to a Trino of your own")
    at, port = places(settings), int(sizing.discovery_url.rpartition(":")[2])
    at.metastore.mkdir(parents=True, exist_ok=True)
    with durable.locked(at.folder / "start.lock", seconds_max=2 * START_SECONDS_MAX):
        ran = running(settings) is not None
        if not ran:
            _require_possible(settings, sizing, (port, policy_port))
        config = config_of(mesh, settings, sizing)
        changed = write(at.folder, config.files)
        if not ran:
            at.state.unlink(missing_ok=True)
            write_private(
                door_file(settings),
                f"MESH_TRINO_URL={sizing.discovery_url}\nMESH_TRINO_USER={DOOR}{secrets.token_hex(16)}\n",
            )
            (worker,) = free_ports(1)
            keeper = _launch(settings, config, {"coordinator": port, "worker": worker, "policy": policy_port})
            _await(settings, keeper, report)
    return config, changed, ran


def running(settings: Settings) -> State | None:
    """Return what its keeper is at; None when there is none."""
    at = places(settings)
    if not at.lock.exists():
        return None
    with suppress(StorageError), durable.locked(at.lock, seconds_max=_POLL_SECONDS / 10):
        return None
    return _state(at.state)


def nodes(state: State) -> dict[str, str]:
    """What each of them is at: "active", or "down"."""
    up = {name: is_active(port) if name != "policy" else not is_free(port) for name, port in state.ports.items()}
    return {name: "active" if each else "down" for name, each in up.items()}


def stop(settings: Settings) -> bool:
    """End it; False when it did not run."""
    state = running(settings)
    if state is None:
        door_file(settings).unlink(missing_ok=True)
        return False
    with suppress(ProcessLookupError):
        os.kill(state.pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS_MAX
    while running(settings) is not None:
        if time.monotonic() > deadline:
            raise UnreachableError("the Trino does not end", where=str(places(settings).nodes), fix=f"kill {state.pid}")
        time.sleep(_POLL_SECONDS)
    return True


def _require_possible(settings: Settings, sizing: Sizing, ports: tuple[int, ...]) -> None:
    if not is_fetched(settings.trino_home):
        raise UnreachableError("there is no Trino", where=str(settings.trino_home), fix="run `mesh trino fetch`")
    java_home(settings.trino_java)
    for port in ports:
        if not is_free(port):
            fix = "give it others: --port, --policy-port"
            raise UnreachableError(f"port {port} of this machine is taken", fix=fix)
    wanted, free = 2 * (sizing.heap_megabytes + _BESIDE_MEGABYTES), _free_megabytes()
    if free is not None and free < wanted:
        what = f"two nodes with {sizing.heap_megabytes:,} MB of heap take about {wanted:,} MB of memory; {free:,} MB are free"
        raise UnreachableError(what, fix="give each less: --heap-mb, 768 at least; or end other programs")


def _free_megabytes() -> int | None:
    """Memory that could be had without swapping, where the kernel tells."""
    with suppress(OSError):
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) // 1024
    return None


def _launch(settings: Settings, config: Config, ports: Mapping[str, int]) -> "subprocess.Popen[bytes]":
    at = places(settings)
    environment = {**config.secrets, "PATH": os.defpath, "MESH_TRINO_METASTORE": f"local://{at.metastore.absolute()}"}
    at.nodes.mkdir(parents=True, exist_ok=True)
    with (at.nodes / "keeper.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "mesh_defs.trino.keeper"],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            cwd=_CODE,  # so that it runs the very code that starts it
            start_new_session=True,
        )
    assert process.stdin
    told = {"root": str(settings.root), "ports": dict(ports), "environment": environment}
    process.stdin.write(json.dumps(told).encode())
    process.stdin.close()
    return process


def _await(settings: Settings, keeper: "subprocess.Popen[bytes]", report: Callable[[str], None]) -> None:
    at, deadline, told = places(settings), time.monotonic() + 2 * START_SECONDS_MAX, ""
    while True:
        ended, state = keeper.poll() is not None, _state(at.state)
        if state is not None and state.state == "keeping":
            break
        if state is not None and state.state == "failed":
            raise UnreachableError(state.told, fix=state.fix)
        if state is not None and state.told != told:
            told = state.told
            report(f"{told} …")
        if ended or time.monotonic() > deadline:
            raise UnreachableError(
                "the Trino did not start", where=str(at.nodes), fix=f"read {at.nodes / 'keeper.log'}"
            )
        time.sleep(_POLL_SECONDS)
    report("the canary …")
    _await_answer(settings, deadline)


def _await_answer(settings: Settings, deadline: float) -> None:
    """Until the policy server has seen that its rules are applied, everything is denied."""
    access = load_settings({"MESH_ROOT": str(settings.root), "MESH_SECRETS": str(settings.secrets)}).trino
    assert access is not None
    client = Client(access, _QUERY_SECONDS_MAX)
    while True:
        try:
            client.text("SELECT 1")
            return
        except MeshError:
            if time.monotonic() > deadline:
                raise
            time.sleep(_POLL_SECONDS)


def _state(file: Path) -> State | None:
    with suppress(OSError, ValueError, TypeError):
        return State(**json.loads(file.read_bytes()))
    return None
