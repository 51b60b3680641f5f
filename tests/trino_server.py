"""A real Trino for tests: a coordinator and a worker, started once, when first asked for; catalogs come and go by SQL.

A test that asks for one is marked `trino`. Without `make trino` it is skipped, under MESH_REQUIRE_TRINO=1 it fails.
"""

import os
import secrets
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from trino.dbapi import connect

from mesh_defs.model.names import literal
from mesh_defs.model.place import TrinoAccess
from mesh_defs.processes.programs import free_ports
from mesh_defs.query.mesh import open_mesh
from mesh_defs.settings import Settings, load_settings
from mesh_defs.trino.canary import Canary
from mesh_defs.trino.config import Sizing, config_of
from mesh_defs.trino.coordinator import Coordinator
from mesh_defs.trino.folder import write
from mesh_defs.trino.names import names_of
from mesh_defs.trino.policy_server import PolicyServer, Sight
from mesh_defs.trino.release import is_fetched, java_home
from mesh_defs.trino.serve import sight_of, watch
from mesh_defs.trino.server import Machine, running

FILES = {
    "jvm.config": "-Xmx1G\n-XX:TieredStopAtLevel=1\n",
    "config.properties": (
        "coordinator=true\nnode-scheduler.include-coordinator=false\ncatalog.management=dynamic\ncatalog.store=memory\n"
        "query.max-run-time=120s\n"  # an attack may never end where nothing governs it
    ),
    "worker.properties": "coordinator=false\ncatalog.management=dynamic\n",
}
_SETTINGS = load_settings(start=Path(__file__).parent)
_HOME = _SETTINGS.trino_home  # as it is now: some tests have another HOME


@dataclass(frozen=True)
class Trino:
    """One that runs."""

    url: str

    def rows(self, sql: str, user: str = "tester") -> list[list[Any]]:
        """Run one statement, and return its rows."""
        return self.table(sql, user)[1]

    def table(self, sql: str, user: str, timezone: str = "UTC") -> tuple[list[str], list[list[Any]]]:
        """Run one statement; the names of its columns, and its rows."""
        host, port = self.url.removeprefix("http://").split(":")
        with closing(connect(host=host, port=int(port), user=user, timezone=timezone)) as connection:
            cursor = connection.cursor().execute(sql)
            rows = cursor.fetchall()
            return [each[0] for each in cursor.description or ()], rows

    @contextmanager
    def catalog(self, properties: Mapping[str, str]) -> Iterator[str]:
        """Make a catalog of these properties, under a name of its own; drop it."""
        name = f"test_{secrets.token_hex(4)}"
        told = ", ".join(f'"{key}" = {literal(value)}' for key, value in properties.items() if key != "connector.name")
        self.rows(f"CREATE CATALOG {name} USING {properties['connector.name']}" + (f" WITH ({told})" if told else ""))
        yield name
        self.rows(f"DROP CATALOG {name}")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if {"trino", "trino_machine"} & set(getattr(item, "fixturenames", ())):
            item.add_marker("trino")


@pytest.fixture(scope="session")
def trino_machine(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    """What is needed to start one of a test's own."""
    return _machine(tmp_path_factory.mktemp("nodes"))


@pytest.fixture(scope="session")
def trino(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trino]:
    """The one that all tests of a process share."""
    folder = tmp_path_factory.mktemp("trino")
    with plain(folder, _machine(folder / "state")) as started:
        yield started


@contextmanager
def plain(folder: Path, machine: Machine) -> Iterator[Trino]:
    """Start one that asks nobody who may read what: the door's."""
    (folder / "etc").mkdir()
    for name, text in FILES.items():
        (folder / "etc" / name).write_text(text)
    with running(folder, machine, {"PATH": os.environ["PATH"]}) as url:
        yield Trino(url)


@contextmanager
def catalogs(trino: Trino, settings: Settings) -> Iterator[None]:
    """Let it read a mesh's products, for a while."""
    made = make_catalogs(trino, settings)
    yield
    for name in made:
        trino.rows(f"DROP CATALOG {name}")


def make_catalogs(trino: Trino, settings: Settings) -> list[str]:
    """Let it read a mesh's products; return the catalogs' names."""
    reached = config_of(open_mesh(settings), settings, Sizing()).reached
    made = {each.catalog.name: each.catalog.properties for each in reached}
    for name, properties in made.items():
        told = ", ".join(f'"{key}" = {literal(value)}' for key, value in properties.items() if key != "connector.name")
        trino.rows(f"CREATE CATALOG {name} USING {properties['connector.name']} WITH ({told})")
    return list(made)


@dataclass(frozen=True)
class Asking:
    """A mesh, and a Trino over it that asks its policy server."""

    settings: Settings
    trino: Trino
    server: PolicyServer
    coordinator: Coordinator


@contextmanager
def asking(settings: Settings, machine: Machine, folder: Path, sight: Sight | None = None) -> Iterator[Asking]:
    """Start a Trino as `mesh trino config` writes it, and its policy server. The canary is not sent yet.

    `sight`: what the policy server decides by; the settings' mesh."""
    names, found = names_of(), list[Coordinator]()
    server = PolicyServer(
        sight or sight_of(settings), Canary(names.canary), names, lambda user: found[0].under_way(user)
    )
    with _serving(server) as policy_url:
        config = config_of(open_mesh(settings), settings, Sizing(policy_url=policy_url, heap_megabytes=1024))
        write(folder, config.files)
        with running(folder, machine, {"PATH": os.environ["PATH"], **config.secrets}) as url:
            found.append(Coordinator(TrinoAccess(url=url, user=names.canary)))
            yield Asking(settings, Trino(url), server, found[0])


@contextmanager
def watched(asking: Asking) -> Iterator[None]:
    """Send the canary, until it came back and as long as the block takes."""
    canary, stop = asking.server.canary, threading.Event()
    thread = threading.Thread(target=watch, args=(canary, asking.coordinator, stop), daemon=True)
    thread.start()
    deadline = time.monotonic() + 30
    while not canary.trusted and time.monotonic() < deadline:
        time.sleep(0.1)
    try:
        assert canary.trusted
        yield
    finally:
        stop.set()
        thread.join()


@contextmanager
def _serving(server: PolicyServer) -> Iterator[str]:
    (port,) = free_ports(1)
    web = uvicorn.Server(uvicorn.Config(server.app(), host="127.0.0.1", port=port, log_level="warning"))
    thread = threading.Thread(target=web.run)
    thread.start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        web.should_exit = True
        thread.join()


def machine_here(state: Path) -> Machine:
    """What `make trino` fetched. FileNotFoundError when it did not."""
    if not is_fetched(_HOME):
        raise FileNotFoundError(f"there is no Trino in {_HOME}: run `make trino`")
    return Machine(server=_HOME, java=java_home(_SETTINGS.trino_java), state=state)


def _machine(state: Path) -> Machine:
    try:
        return machine_here(state)
    except FileNotFoundError as error:
        if os.environ.get("MESH_REQUIRE_TRINO"):
            pytest.fail(str(error))
        pytest.skip(str(error))
