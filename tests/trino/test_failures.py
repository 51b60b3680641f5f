"""A Trino that runs out of memory, is interrupted, loses its nodes in mid-query: failed with the reason and the mend, never
a part of an answer that passes for all of it, and all of it on record."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from mesh_defs.errors import EngineError, MeshError, UnreachableError
from mesh_defs.query.platform import open_platform
from mesh_defs.settings import load_settings
from mesh_defs.trino.server import Machine, running
from tests.trino.conftest import World
from tests.trino_server import FILES, Trino, make_catalogs

# Small, and quick to give a node up; a production waits a minute for one that pauses.
LIMITS = "query.max-memory-per-node=40MB\nquery.max-memory=40MB\nquery.remote-task.max-error-duration=2s\n"
MANY = "lake.people p0, " + ", ".join(f"lake.people p{number}" for number in range(1, 11))
SECONDS_MAX = 60.0


@dataclass(frozen=True)
class Frail:
    """A Trino of this module's own, which the mesh asks."""

    world: World
    folder: Path

    def states(self) -> list[str]:
        """What its queries of the mesh's are, without EXPLAINs."""
        asked = "SELECT state FROM system.runtime.queries WHERE source = 'mesh' AND query NOT LIKE 'EXPLAIN%'"
        return [state for (state,) in self.world.trino.rows(asked)]

    def kill(self, node: str) -> None:
        """End a node at once."""
        marker = f"data-dir={self.folder / 'state' / node}".encode()
        for each in Path("/proc").iterdir():
            if each.name.isdigit() and marker in _read(each / "cmdline"):
                os.kill(int(each.name), signal.SIGKILL)


@pytest.fixture(scope="module")
def frail(world: World, trino_machine: Machine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Frail]:
    folder = tmp_path_factory.mktemp("frail")
    (folder / "etc").mkdir()
    for name, text in FILES.items():
        (folder / "etc" / name).write_text(text + (LIMITS if name == "config.properties" else ""))
    with running(folder, replace(trino_machine, state=folder / "state"), {"PATH": os.environ["PATH"]}) as url:
        made = load_settings({"MESH_ROOT": str(world.settings.root), "MESH_TRINO_URL": url})
        platform = open_platform(made)
        asked = World(made, platform, Trino(url))
        make_catalogs(asked.trino, made)
        yield Frail(asked, folder)
        platform.engine.close()


def test_a_query_past_its_memory_fails_with_the_mend(frail: Frail) -> None:
    sums = " + ".join(f"p{number}.person_id * {7**number}" for number in range(8))
    tables = ", ".join(f"lake.people p{number}" for number in range(8))
    with pytest.raises(EngineError, match=r"out of memory .*query\.memory_bytes_max"):
        frail.world.ask(
            f"SELECT max(n) FROM (SELECT {sums} AS k, count(*) AS n FROM {tables} GROUP BY k)", who="max"
        ).table()
    assert kinds(frail.world, 2) == ["failed", "allowed"]


def test_ctrl_c_ends_it_on_the_server_and_is_on_record(frail: Frail) -> None:
    """In a process of its own, as `mesh query` runs."""
    command = [sys.executable, "-W", "ignore", "-m", "mesh_defs.cli.main", "query", f"SELECT count(*) FROM {MANY}"]
    told = {"MESH_ROOT": str(frail.world.settings.root), "MESH_TRINO_URL": frail.world.trino.url}
    asking = subprocess.Popen(
        [*command, "--as", "max", "--purpose", "measurement", "--engine", "trino"],
        env={**os.environ, **told, "DAGSTER_DISABLE_TELEMETRY": "1"},
        stderr=subprocess.PIPE,
    )
    until(lambda: "RUNNING" in frail.states())
    asking.send_signal(signal.SIGINT)
    asking.wait(timeout=SECONDS_MAX)
    until(lambda: "RUNNING" not in frail.states())
    assert asking.returncode != 0
    assert kinds(frail.world, 2) == ["failed", "allowed"]


def test_nodes_that_are_lost_in_mid_query_are_told_of(frail: Frail) -> None:
    """The worker while its rows come; then the coordinator, which waits for another worker."""
    with frail.world.ask(f"SELECT p0.person_id FROM {MANY}", who="max") as answer:
        batches = iter(answer.reader())
        assert next(batches).num_rows
        frail.kill("worker")
        with pytest.raises(UnreachableError, match=r"node .*lost.* ask again"):
            for _ in batches:
                pass
    crossed, _ = frail.world.platform.ledger.search(limit=2)
    assert (crossed.kind, crossed.body["code"]) == ("failed", "unreachable")
    assert crossed.body["rows_crossed"] > 0

    found: list[MeshError] = []

    def ask() -> None:
        try:
            frail.world.ask("SELECT count(*) FROM lake.people", who="max").table()
        except MeshError as error:
            found.append(error)

    asking = threading.Thread(target=ask)
    asking.start()
    time.sleep(1)
    frail.kill("coordinator")
    asking.join(timeout=SECONDS_MAX)
    assert [type(each) for each in found] == [UnreachableError] or found[0].code == "unreachable"
    assert kinds(frail.world, 1)[0] in ("failed", "refused")


def kinds(world: World, count: int) -> list[str]:
    """The newest entries of the ledger."""
    return [each.kind for each in world.platform.ledger.search(limit=count)]


def until(holds: Callable[[], bool]) -> None:
    """Wait for it."""
    deadline = time.monotonic() + SECONDS_MAX
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        return b""
