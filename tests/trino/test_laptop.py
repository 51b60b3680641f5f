"""The walk of docs/guides/trino.md on the demo: started by a command, the same rows through the door and past it."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from trino.dbapi import connect

from demo.other_systems import main as write_other_systems
from mesh_defs.errors import MeshError
from mesh_defs.model.query import EngineName, QueryRequest
from mesh_defs.processes.postgres import start, stop
from mesh_defs.processes.programs import free_ports
from mesh_defs.processes.provision import provision_mesh
from mesh_defs.query.mesh import open_mesh
from mesh_defs.query.platform import Platform, open_platform
from mesh_defs.query.run import run_query
from mesh_defs.refresh.outcome import WELL
from mesh_defs.settings import Settings, load_settings
from mesh_defs.trino.keeper import places
from mesh_defs.trino.laptop import running
from mesh_defs.trino.server import Machine
from tests.cli.test_commands import mesh as command
from tests.meshes import refresh, settings_of, two_domains

ROOT = Path(__file__).parent.parent.parent
ASKERS = [("ada", "measurement"), ("max", "planning")]
ROWS_MAX = 300


@pytest.fixture(scope="module")
def demo(trino_machine: Machine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """The repository's domains, made as `make demo` makes them."""
    root = tmp_path_factory.mktemp("laptop") / "mesh"
    root.mkdir()
    for name in ("mesh.yaml", "workspace.yaml", "dagster.yaml", "domains"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copyfile
        copy(ROOT / name, root / name)
    settings = load_settings({"MESH_ROOT": str(root)})
    start(settings, port=0)
    try:
        provision_mesh(settings, open_mesh(settings))
        settings = load_settings({"MESH_ROOT": str(root)})
        write_other_systems(settings)
        assert {name: each.told for name, each in refresh(settings).items() if each.state not in WELL} == {}
        yield settings
    finally:
        stop(settings)


@pytest.fixture(scope="module")
def started(demo: Settings) -> Iterator[dict[str, Any]]:
    """What the command told."""
    coordinator, policy = free_ports(2)
    options = ("--port", str(coordinator), "--policy-port", str(policy), "--heap-mb", "768")
    done = command(demo, "trino", "start", *options, "--json")
    try:
        assert done.returncode == 0, done.stderr
        yield {**json.loads(done.stdout), "options": options, "steps": done.stderr}
    finally:
        command(demo, "trino", "stop")


@pytest.fixture(scope="module")
def platform(demo: Settings, started: dict[str, Any]) -> Iterator[Platform]:
    """The door, as any process finds it afterwards."""
    found = open_platform(load_settings({"MESH_ROOT": str(demo.root)}))
    yield found
    found.engine.close()


def test_it_reaches_every_product_but_those_in_duckdb_files(demo: Settings, started: dict[str, Any]) -> None:
    mesh = open_mesh(demo)
    held = {name for name, each in mesh.products.items() if each.contract.servers[0].kind == "duckdb"}
    assert started["reached"].keys() == mesh.products.keys() - held
    assert started["refused"].keys() == held
    assert all("mesh renovate" in why for why in started["refused"].values())
    assert set(started["registered"].values()) == {"registered"}
    assert (
        started["steps"].count(" …") >= 3
    )  # coordinator, worker, canary; the policy server may be up too soon to be told of


def test_it_runs_once_however_often_it_is_started(demo: Settings, started: dict[str, Any]) -> None:
    again = json.loads(command(demo, "trino", "start", *started["options"], "--json").stdout)
    assert (again["ran"], again["url"], set(again["registered"].values())) == (True, started["url"], {"unchanged"})
    told = json.loads(command(demo, "trino", "status", "--json").stdout)
    assert told["nodes"] == {"coordinator": "active", "worker": "active", "policy": "active"}


def test_the_door_gives_the_same_rows_on_either_engine_for_every_product(platform: Platform) -> None:
    seen = 0
    for name, product in platform.mesh.products.items():
        for who, purpose in ASKERS:
            ours, theirs = (
                outcome(platform, name, who, purpose, "trino"),
                outcome(platform, name, who, purpose, "duckdb"),
            )
            if product.contract.servers[0].kind == "duckdb" and "denied" not in theirs:
                assert "mesh renovate" in ours
            else:
                assert ours == theirs, (name, who)
                seen += theirs.startswith("[")
    assert seen > 10


def outcome(platform: Platform, product: str, who: str, purpose: str, engine: EngineName) -> str:
    query = f"SELECT * FROM {product} ORDER BY ALL LIMIT {ROWS_MAX}"
    request = QueryRequest(sql=query, principal=who, purpose=purpose, engine=engine)
    try:
        with run_query(request, platform) as answer:
            return str(answer.table().to_pylist()).replace("Etc/UTC", "UTC")
    except MeshError as error:
        return f"{error.code}: {error}"


def test_who_asks_trino_directly_sees_what_the_door_shows(platform: Platform, started: dict[str, Any]) -> None:
    query = "SELECT person_id, region FROM {} ORDER BY person_id, region LIMIT 50"
    request = QueryRequest(sql=query.format("audiences.engagement"), principal="ada", purpose="measurement")
    with run_query(request, platform) as answer:
        shown = [list(row.values()) for row in answer.table().to_pylist()]
    assert shown
    assert direct(started, "ada+measurement", query.format(started["reached"]["audiences.engagement"])) == shown


@pytest.mark.parametrize("user", ["ada", "mesh", "mesh-door-", "mesh-door-0123456789abcdef", "nobody+measurement"])
def test_nobody_gets_in_by_a_name_that_is_no_persons_with_a_purpose(started: dict[str, Any], user: str) -> None:
    with pytest.raises(Exception, match="Access Denied"):
        direct(started, user, f"SELECT count(*) FROM {started['reached']['events.clicks']}")


def test_the_doors_name_writes_nothing(platform: Platform, started: dict[str, Any]) -> None:
    door = platform.settings.trino.user if platform.settings.trino else ""
    clicks = started["reached"]["events.clicks"]
    for statement in (
        f"DELETE FROM {clicks}",
        f"DROP TABLE {clicks}",
        f"CREATE TABLE {clicks}_2 AS SELECT 1 AS a",
        "CALL events_iceberg.system.rollback_to_snapshot('events_parquet', 'clicks', 1)",
        "CALL events_delta.system.vacuum('events', 'weather', '0s')",
        f"ALTER TABLE {started['reached']['events.weather']} ADD COLUMN x int",
    ):
        with pytest.raises(Exception, match=r"Access Denied|not supported|does not support|No matching resource group"):
            direct(started, door, statement)


def direct(started: dict[str, Any], user: str, query: str) -> list[list[Any]]:
    host, port = started["url"].removeprefix("http://").split(":")
    with closing(connect(host=host, port=int(port), user=user, timezone="UTC")) as connection:
        return connection.cursor().execute(query).fetchall()


def test_its_secrets_lie_in_no_shared_file(demo: Settings, started: dict[str, Any]) -> None:
    door = demo.secrets / "trino.env"
    assert door.stat().st_mode & 0o777 == 0o600
    known = [line.partition("=")[2] for each in demo.secrets.glob("*.env") for line in each.read_text().splitlines()]
    passwords = [url.split(":")[2].split("@")[0] for url in known if url.startswith("postgresql://")]
    names = [value for value in known if value.startswith("mesh-door-")]
    assert passwords
    assert names
    written = "".join(each.read_text() for each in (places(demo).folder / "etc").rglob("*.*"))
    assert not [secret for secret in (*passwords, *names) if secret in written]


def test_a_node_that_is_killed_is_started_again(demo: Settings, platform: Platform, started: dict[str, Any]) -> None:
    os.kill(_node(demo, "worker"), signal.SIGKILL)
    deadline = time.monotonic() + 300
    while command(demo, "trino", "status").returncode != 0:
        assert time.monotonic() < deadline, "it stays away"
        time.sleep(1)
    ours = outcome(platform, "events.clicks", "ada", "measurement", "trino")
    while ours.startswith("unreachable") and time.monotonic() < deadline:  # the coordinator has not heard of it yet
        time.sleep(1)
        ours = outcome(platform, "events.clicks", "ada", "measurement", "trino")
    assert ours == outcome(platform, "events.clicks", "ada", "measurement", "duckdb")


def test_a_keeper_that_is_killed_takes_its_nodes_along_and_is_told(demo: Settings, started: dict[str, Any]) -> None:
    state = running(demo)
    assert state
    os.kill(state.pid, signal.SIGKILL)
    deadline = time.monotonic() + 60
    while _nodes(demo):
        assert time.monotonic() < deadline, "a node lives on"
        time.sleep(0.1)
    told = command(demo, "trino", "status")
    assert (told.returncode, told.stdout) == (3, "does not run — `mesh trino start`\n")
    asked = command(
        demo,
        "query",
        "SELECT 1 AS a FROM events.clicks",
        "--engine",
        "trino",
        "--as",
        "ada",
        MESH_PURPOSE="measurement",
    )
    assert asked.returncode == 3
    assert "does not answer" in asked.stderr
    assert command(demo, "trino", "stop").stdout == "it did not run\n"


def _nodes(settings: Settings) -> list[int]:
    listed = subprocess.run(["ps", "-ww", "-eo", "pid,args"], capture_output=True, text=True, check=True).stdout
    mark = f"node.data-dir={places(settings).nodes}"
    return [int(line.split()[0]) for line in listed.splitlines() if mark in line]


def _node(settings: Settings, name: str) -> int:
    listed = subprocess.run(["ps", "-ww", "-eo", "pid,args"], capture_output=True, text=True, check=True).stdout
    mark = f"node.data-dir={places(settings).nodes / name}"
    return next(int(line.split()[0]) for line in listed.splitlines() if mark in line)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"MESH_TRINO_HOME": "/nowhere"}, r"there is no Trino \(/nowhere\) — run `mesh trino fetch`|mesh trino fetch"),
        ({"MESH_TRINO_JAVA": "/nowhere"}, "there is no Java here"),
        ({"heap": "9000000"}, r"MB of memory; .* MB are free .*--heap-mb"),
        ({"port": "taken"}, r"port \d+ of this machine is taken .*--port"),
    ],
)
def test_what_is_missing_is_told_before_anything_starts(
    trino_machine: Machine, tmp_path: Path, given: dict[str, str], why: str
) -> None:
    own, ports = settings_of(tmp_path / "mesh", two_domains()), free_ports(2)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1] if "port" in given else ports[0]
        options = ("--port", str(port), "--policy-port", str(ports[1]), "--heap-mb", given.get("heap", "768"))
        variables = {name: value for name, value in given.items() if name.startswith("MESH_")}
        done = command(own, "trino", "start", *options, **variables)
    assert done.returncode == 3
    assert re.search(why, done.stderr)
    assert not (own.secrets / "trino.env").exists()
