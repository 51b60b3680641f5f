"""A real Trino for tests: a coordinator and a worker, started once, when first asked for; catalogs come and go by SQL.

A test that asks for one is marked `trino`. Without `make trino` it is skipped, under MESH_REQUIRE_TRINO=1 it fails.
"""

import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from trino.dbapi import connect

from mesh_defs.model.names import literal
from mesh_defs.settings import load_settings
from mesh_defs.trino.release import is_fetched, java_home
from mesh_defs.trino.server import Machine, running

FILES = {
    "jvm.config": "-Xmx1G\n-XX:TieredStopAtLevel=1\n",
    "config.properties": (
        "coordinator=true\nnode-scheduler.include-coordinator=false\ncatalog.management=dynamic\ncatalog.store=memory\n"
    ),
    "worker.properties": "coordinator=false\ncatalog.management=dynamic\n",
}
_SETTINGS = load_settings(start=Path(__file__).parent)


@dataclass(frozen=True)
class Trino:
    """One that runs."""

    url: str

    def rows(self, sql: str, user: str = "tester") -> list[list[Any]]:
        """Run one statement, and return its rows."""
        host, port = self.url.removeprefix("http://").split(":")
        with closing(connect(host=host, port=int(port), user=user, timezone="UTC")) as connection:
            return connection.cursor().execute(sql).fetchall()

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
    (folder / "etc").mkdir()
    for name, text in FILES.items():
        (folder / "etc" / name).write_text(text)
    with running(folder, _machine(folder / "state"), {"PATH": os.environ["PATH"]}) as url:
        yield Trino(url)


def _machine(state: Path) -> Machine:
    if not is_fetched(_SETTINGS.trino_home):
        told = f"there is no Trino in {_SETTINGS.trino_home}: run `make trino`"
        if os.environ.get("MESH_REQUIRE_TRINO"):
            pytest.fail(told)
        pytest.skip(told)
    return Machine(server=_SETTINGS.trino_home, java=java_home(_SETTINGS.trino_java), state=state)
