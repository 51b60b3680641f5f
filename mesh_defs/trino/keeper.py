"""The process that keeps a laptop's Trino: coordinator, worker and policy server, until it is told to end.

It starts a node again that was killed or ran out of memory; should it be killed itself, its nodes end with it. What it is
at stands in <home>/trino/running.json, for `trino.laptop`, which starts and ends it. Run as `python -m mesh_defs.trino.keeper`.
"""

import json
import os
import signal
import sys
import threading
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

from mesh_defs.errors import MeshError
from mesh_defs.processes.programs import HOST
from mesh_defs.processes.supervisor import Supervisor
from mesh_defs.settings import Settings, load_settings
from mesh_defs.storage import durable
from mesh_defs.trino.release import java_home
from mesh_defs.trino.serve import serve
from mesh_defs.trino.server import Machine, start

_TEND_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """How far it is: "starting" something, "keeping" both nodes, or "failed" for the reason that stands in `told`."""

    pid: int
    url: str
    ports: dict[str, int]
    state: str
    told: str = ""
    fix: str = ""


@dataclass(frozen=True, slots=True)
class Places:
    """Where a laptop's Trino has what it needs."""

    folder: Path

    @property
    def state(self) -> Path:
        """What the keeper says of itself."""
        return self.folder / "running.json"

    @property
    def lock(self) -> Path:
        """Held by the keeper while it lives."""
        return self.folder / "keeper.lock"

    @property
    def nodes(self) -> Path:
        """Data and logs of the nodes, and the keeper's own log."""
        return self.folder / "nodes"

    @property
    def metastore(self) -> Path:
        """Where Trino notes which Delta tables were registered."""
        return self.folder / "metastore"


def places(settings: Settings) -> Places:
    """Return where this mesh's laptop Trino lies."""
    return Places(settings.home / "trino")


def door_file(settings: Settings) -> Path:
    """The secrets file by which the door finds the Trino, and by a name that nobody else knows."""
    return settings.secrets / "trino.env"


def keep(settings: Settings, ports: dict[str, int], environment: dict[str, str]) -> None:
    """Keep all three until SIGTERM. What goes wrong before is told in the state's file."""
    at, url = places(settings), f"http://{HOST}:{ports['coordinator']}"

    def tell(state: str, told: str = "", fix: str = "") -> None:
        now = State(pid=os.getpid(), url=url, ports=ports, state=state, told=told, fix=fix)
        durable.replace(at.state, json.dumps(asdict(now)).encode())

    ended, said = threading.Event(), list[str]()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    with durable.locked(at.lock), closing(Supervisor(logs=at.nodes / "logs", say=said.append)) as supervisor:
        try:
            tell("starting", "policy server")
            policy = threading.Thread(target=_policy, args=(settings, ports["policy"], url, ended), daemon=True)
            policy.start()
            machine = Machine(server=settings.trino_home, java=java_home(settings.trino_java), state=at.nodes)
            start(supervisor, said, at.folder, machine, environment, ports, lambda node: tell("starting", node))
            tell("keeping")
        except MeshError as error:
            tell("failed", f"{error.what} ({error.where})" if error.where else error.what, error.fix or "")
            return
        while not ended.wait(_TEND_SECONDS):
            supervisor.tend()
            while said:
                sys.stderr.write(f"{said.pop(0)}\n")
                sys.stderr.flush()
    at.state.unlink(missing_ok=True)
    door_file(settings).unlink(missing_ok=True)


def _policy(settings: Settings, port: int, url: str, ended: threading.Event) -> None:
    """Without it Trino denies everything, so all ends with it."""
    try:
        serve(settings, host=HOST, port=port, trino_url=url)
    finally:
        ended.set()


def main() -> int:
    """Read from standard input what to keep: it holds what Trino's files name as secrets."""
    told = json.loads(sys.stdin.read())
    keep(load_settings(start=Path(told["root"])), told["ports"], told["environment"])
    return 0


if __name__ == "__main__":
    sys.exit(main())
