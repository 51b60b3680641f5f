"""The whole mesh on one machine: code servers first, then the webserver and daemon that share them, until told to stop.

A changed input or secret starts the one code server anew that it concerns. Compiles no catalog and opens no instance.
"""

import fcntl
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Event

from mesh_defs.documents.snapshot import load_snapshot
from mesh_defs.documents.workspace import Location, read_workspace
from mesh_defs.errors import MeshError, UnreachableError
from mesh_defs.model.mesh import Snapshot
from mesh_defs.processes.apart import dagster_environment, location_environment
from mesh_defs.processes.programs import (
    HOST,
    Program,
    code_server,
    code_server_answers,
    daemon,
    free_ports,
    web_answers,
    webserver,
    workspace_file,
    write_workspace,
)
from mesh_defs.processes.supervisor import Supervisor
from mesh_defs.processes.token_keys import make_token_keys
from mesh_defs.settings import Settings

START_SECONDS_MAX = 180.0
LOOK_AGAIN_SECONDS = 10.0
_TICK_SECONDS = 0.25
_DEFAULTS = "telemetry: {enabled: false}\nnux: {enabled: false}\n"


def run_machine(settings: Settings, *, host: str, port: int, say: Callable[[str], None], stop: Event) -> None:
    """Run everything until `stop` is set, and leave no process behind. Raises UnreachableError when it already runs."""
    with _alone(settings, f"http://{host}:{port}"):
        _require_free(host, port)
        _prepare(settings)
        settings = replace(settings, dagster_url=f"http://{host}:{port}")
        locations = read_workspace(settings.root)
        ports = dict(zip(locations, free_ports(len(locations)), strict=True))
        write_workspace(workspace_file(settings), ports)
        supervisor = Supervisor(logs=settings.home / "logs", say=say)
        wanted = _Wanted(settings, ports, say)
        try:
            supervisor.keep(wanted.now())
            _await_code_servers(supervisor, ports, say, stop)
            file = workspace_file(settings)
            supervisor.keep([webserver(settings, file, host=host, port=port), daemon(settings, file)])
            if _await(supervisor, stop, lambda: web_answers(host, port)):
                say(f"Dagster answers at http://{host}:{port}")
            while not stop.wait(_TICK_SECONDS):
                supervisor.tend()
                if wanted.is_due():
                    supervisor.keep(wanted.now())
        finally:
            supervisor.close()


class _Wanted:
    """The code servers as the catalog, the secrets and the interpreters want them now."""

    def __init__(self, settings: Settings, ports: dict[Location, int], say: Callable[[str], None]) -> None:
        self._settings, self._ports, self._say = settings, ports, say
        self._looked = 0.0
        self._told: set[str] = set()

    def is_due(self) -> bool:
        return time.monotonic() - self._looked > LOOK_AGAIN_SECONDS

    def now(self) -> list[Program]:
        """One that cannot be run is left out and told once; the others are unharmed."""
        self._looked = time.monotonic()
        try:
            snapshot = load_snapshot(self._settings.snapshot_file)
        except MeshError as error:
            return self._tell(error)
        self._make_keys(snapshot or _nothing())
        return [program for each in self._ports for program in self._program(each, snapshot or _nothing())]

    def _make_keys(self, snapshot: Snapshot) -> None:
        try:
            make_token_keys(self._settings, (product for each in snapshot.sections for product in each.products))
        except MeshError as error:
            self._tell(error)

    def _program(self, location: Location, snapshot: Snapshot) -> list[Program]:
        try:
            environment = location_environment(location, self._settings, snapshot)
            return [code_server(location, self._settings, environment, host=HOST, port=self._ports[location])]
        except (MeshError, OSError) as error:
            return self._tell(error)

    def _tell(self, error: Exception) -> list[Program]:
        if str(error) not in self._told:
            self._told.add(str(error))
            self._say(str(error))
        return []


def _await_code_servers(
    supervisor: Supervisor, ports: dict[Location, int], say: Callable[[str], None], stop: Event
) -> None:
    """Wait for all that run; webserver and daemon find the later ones by themselves."""
    waiting = {each.name: port for each, port in ports.items() if supervisor.knows(each.name)}
    say(f"starting {len(waiting)} code servers")

    def all_answer() -> bool:
        for name in [name for name, port in waiting.items() if code_server_answers(port)]:
            del waiting[name]
        return not waiting

    _await(supervisor, stop, all_answer)
    for name in waiting if not stop.is_set() else ():
        say(f"{name}: does not answer yet; it goes on trying")


def _await(supervisor: Supervisor, stop: Event, answers: Callable[[], bool]) -> bool:
    until = time.monotonic() + START_SECONDS_MAX
    while time.monotonic() < until and not stop.is_set():
        if answers():
            return True
        supervisor.tend()
        stop.wait(_TICK_SECONDS)
    return False


def _prepare(settings: Settings) -> None:
    """Make Dagster's instance before anything shares it: several processes that make its tables at once break them for good."""
    settings.dagster_home.mkdir(parents=True, exist_ok=True)
    ours, defaults = settings.dagster_home / "dagster.yaml", settings.root / "dagster.yaml"
    if not ours.exists():
        ours.write_text(defaults.read_text(encoding="utf-8") if defaults.exists() else _DEFAULTS, encoding="utf-8")
    code = "import dagster\nwith dagster.DagsterInstance.get():\n    pass"
    environment = dagster_environment(settings)
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        what = f"Dagster's instance cannot be opened: {last.partition(':')[0]}"
        raise UnreachableError(what, where=str(ours), fix="see `mesh doctor`; its storage must be reachable")


def _require_free(host: str, port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            what = f"{host}:{port} cannot be listened at: {error.strerror}"
            raise UnreachableError(what, fix="end what listens there, or name another with --port") from None


@contextmanager
def _alone(settings: Settings, url: str) -> Iterator[None]:
    """Two daemons on one instance would each fire every schedule. The right ends with its process, however that ends."""
    settings.home.mkdir(parents=True, exist_ok=True)
    with _lock_file(settings).open("a+", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            what = f"`mesh up` already runs on {settings.home}"
            raise UnreachableError(what, fix="use that one, or end it first") from None
        lock.truncate(0)
        lock.write(url)
        lock.flush()
        yield


def url_of_running(settings: Settings) -> str | None:
    """URL of the webserver of the `mesh up` that runs on this state; None when none does."""
    try:
        with _lock_file(settings).open(encoding="utf-8") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError:
                return lock.read()
    except FileNotFoundError:
        pass
    return None


def _lock_file(settings: Settings) -> Path:
    return settings.home / "up.lock"


def _nothing() -> Snapshot:
    return Snapshot(format=1, generation=0, sections=())
