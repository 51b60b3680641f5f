"""No other domain's process sees the retailer's secrets: real code servers, real runs, looked at from within and without."""

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest

from mesh_defs.documents.workspace import read_workspace
from mesh_defs.errors import UnreachableError
from mesh_defs.processes.machine import run_machine
from mesh_defs.processes.programs import code_server_answers, read_ports, workspace_file
from mesh_defs.settings import Settings
from tests.meshes import PEOPLE, contract, python, settings_of, two_domains
from tests.processes.machine import Machine, alive, descendants, running, shown_by

ROOT = Path(__file__).parents[2]
CANARY = "canary-of-the-retailer-5a7f"
WRITES, READS = "people-writes-9c1b", "people-reads-77ab"

LOOK = """
import json, os, sys
from pathlib import Path
from mesh_defs.settings import load_settings


def look(moment):
    seen = {"environ": dict(os.environ), "overrides": dict(load_settings().overrides), "prefix": sys.prefix}
    file = Path(os.environ["MESH_HOME"], f"seen-{moment}-{os.environ['MESH_LOCATION']}-{os.getpid()}.json")
    file.write_text(json.dumps(seen))


"""
DEFINITIONS = f"from mesh_defs import domain_definitions\n{LOOK}look('loaded')\ndefs = domain_definitions(__file__)\n"
PRODUCT = f"""{LOOK}@data_product()
def looked() -> str:
    look("run")
    return "{PEOPLE}"
"""


def looking(domain: str) -> dict[str, str]:
    """A domain with a product `looked`, which tells what its process sees."""
    return {
        **contract(f"{domain}.looked"),
        **python("looked", PRODUCT),
        "definitions.py": DEFINITIONS,
    }


def three_domains() -> dict[str, dict[str, str]]:
    both = two_domains(people=looking("people"), shop=looking("shop"))
    return {**both, "retailer": looking("retailer")}


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    settings = settings_of(tmp_path_factory.mktemp("apart") / "mesh", three_domains())
    workspace = settings.root / "workspace.yaml"
    own = "location_name: retailer, executable_path: .interpreters/retailer/bin/python}"
    platform = "  - python_module: {module_name: mesh_defs.definitions, location_name: platform}\n"
    workspace.write_text(workspace.read_text().replace("location_name: retailer}", own) + platform)
    folder = settings.home / "secrets"
    folder.mkdir(parents=True)
    (folder / "retailer.env").write_text(
        f"MESH_RETAILER_POSTGRES=postgresql://x:{CANARY}@h/d\nMESH_RETAILER_S3_READ=https://k:{CANARY}@h\nTILL_TOKEN={CANARY}\n"
    )
    (folder / "people.env").write_text(f"MESH_PEOPLE_POSTGRES={WRITES}\nMESH_PEOPLE_POSTGRES_READ_FOR_SHOP={READS}\n")
    return settings


@pytest.fixture(scope="module")
def machine(settings: Settings) -> Iterator[Machine]:
    with running(settings, MESH_RETAILER_WAREHOUSE=":memory:", OPERATORS_TOKEN="of-the-operator") as machine:
        for domain in ("people", "shop", "retailer"):
            assert machine.run(f"{domain}.looked") == "SUCCESS"
        yield machine
        family = machine.family()
        os.kill(machine.process.pid, signal.SIGTERM)
        machine.process.wait(timeout=60)
        until_gone(family)


def seen(settings: Settings, moment: str, location: str) -> list[dict[str, dict[str, str]]]:
    """What each process of a location told: its code server, its run workers when they loaded, and when they ran."""
    files = sorted(settings.home.glob(f"seen-{moment}-{location}-*.json"))
    assert files, f"{location} never told what it saw"
    return [json.loads(file.read_text()) for file in files]


def test_all_locations_load(machine: Machine) -> None:
    assert machine.locations() == dict.fromkeys(("people", "shop", "retailer", "platform"), "RepositoryLocation")


@pytest.mark.parametrize("moment", ["loaded", "run"])
def test_the_retailers_own_processes_have_its_secrets(settings: Settings, machine: Machine, moment: str) -> None:
    for told in seen(settings, moment, "retailer"):
        assert told["environ"]["TILL_TOKEN"] == CANARY
        assert CANARY in told["overrides"]["MESH_RETAILER_POSTGRES"]
        assert told["prefix"] == str(settings.root / ".interpreters" / "retailer")
        assert WRITES not in json.dumps(told)
        assert READS not in json.dumps(told)


@pytest.mark.parametrize(
    ("location", "moment"),
    [("people", "loaded"), ("people", "run"), ("shop", "loaded"), ("shop", "run"), ("catalog", "loaded")],
)
def test_no_other_location_sees_them(settings: Settings, machine: Machine, location: str, moment: str) -> None:
    for told in map(json.dumps, seen(settings, moment, location)):
        assert CANARY not in told
        assert "MESH_RETAILER" not in told
        assert "of-the-operator" not in told
        assert location == "people" or WRITES not in told


@pytest.mark.parametrize("moment", ["loaded", "run"])
def test_a_reader_has_the_role_that_was_made_for_it_and_the_owner_what_writes(
    settings: Settings, machine: Machine, moment: str
) -> None:
    for told in seen(settings, moment, "shop"):
        assert told["overrides"]["MESH_PEOPLE_POSTGRES_READ"] == READS
    for told in seen(settings, moment, "people"):
        assert told["overrides"]["MESH_PEOPLE_POSTGRES"] == WRITES


def test_from_without_only_the_retailers_processes_show_its_secrets(settings: Settings, machine: Machine) -> None:
    showing = [pid for pid in machine.family() if CANARY.encode() in shown_by(pid)]
    assert showing, "its own code server has them"
    groups = {os.getpgid(pid) for pid in showing}
    assert all(b"retailer/definitions.py" in shown_by(group) for group in groups)
    assert len(groups) == 1


def test_dagster_records_none_of_them(settings: Settings, machine: Machine) -> None:
    state = [file for file in settings.home.rglob("*") if file.is_file() and file.parent.name != "secrets"]
    files = [file for file in state if not file.name.startswith("seen-") and "seen-" not in file.name]
    assert any(file.suffix == ".db" for file in files)
    for value in (CANARY, WRITES, READS):
        assert [file for file in files if value.encode() in file.read_bytes()] == []


def test_graphql_tells_none_of_them(machine: Machine) -> None:
    everything = """{ repositoriesOrError { ... on RepositoryConnection { nodes { name
      allTopLevelResourceDetails { name configFields { name } configuredValues { key value type } }
      assetNodes { assetKey { path } metadataEntries { label description } } } } }
      runsOrError { ... on Runs { results { runConfigYaml tags { key value }
        eventConnection { events { ... on MessageEvent { message } } } } } } }"""
    told = json.dumps(machine.graphql(everything))
    assert "shop" in told
    assert CANARY not in told
    assert WRITES not in told


def test_a_code_server_that_is_killed_comes_back_and_is_named(settings: Settings, machine: Machine) -> None:
    (proxy,) = proxies(machine, "people")
    os.kill(proxy, signal.SIGKILL)
    machine.until(lambda: "people: ended by signal 9" in machine.log.read_text())
    machine.until(lambda: proxies(machine, "people") not in ([], [proxy]))
    machine.until(lambda: code_server_answers(read_ports(workspace_file(settings))["people"]))
    # The webserver may not have found it again yet: whoever refreshes waits for that.
    assert machine.refresh(settings, "people.looked") == {"people.looked": "published"}


def test_a_role_that_is_handed_out_later_reaches_its_reader_and_starts_nobody_else_again(
    settings: Settings, machine: Machine
) -> None:
    """Changes the mesh that the others of this file look at, and so stands after them."""
    retailer = proxies(machine, "retailer")
    secrets = settings.home / "secrets" / "people.env"
    secrets.write_text(secrets.read_text() + "MESH_PEOPLE_S3_READ_FOR_SHOP=https://new@h\n")
    machine.until(lambda: "shop: started again" in machine.log.read_text())
    machine.until(
        lambda: any(b"MESH_PEOPLE_S3_READ=https://new@h" in shown_by(pid) for pid in proxies(machine, "shop"))
    )
    assert proxies(machine, "retailer") == retailer


def proxies(machine: Machine, location: str) -> list[int]:
    """The code server of a location, as `mesh up` started it."""
    told = {pid: shown_by(pid) for pid in machine.family()}
    return [
        pid for pid, text in told.items() if b"code-server" in text and f"/{location}/definitions.py".encode() in text
    ]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_no_process_outlives_mesh_up(tmp_path: Path, number: signal.Signals) -> None:
    settings = settings_of(tmp_path / "mesh", {"people": two_domains()["people"]})
    with running(settings) as machine:
        family = descendants(machine.process.pid)
        assert len(family) >= 6  # itself, guard, web, daemon, code server and what serves behind it
        os.kill(machine.process.pid, number)
        machine.process.wait(timeout=60)
    until_gone(family)


def until_gone(family: list[int]) -> None:
    deadline = time.monotonic() + 60
    while any(map(alive, family)):
        assert time.monotonic() < deadline, [pid for pid in family if alive(pid)]
        time.sleep(0.1)


def test_a_second_mesh_up_is_refused(machine: Machine, settings: Settings) -> None:
    with pytest.raises(UnreachableError, match="already runs"):
        run_machine(settings, host="127.0.0.1", port=0, say=print, stop=Event())


def test_the_demos_retailer_runs_by_its_own_interpreter_and_no_other_does() -> None:
    own = {location.name: location.executable for location in read_workspace(ROOT) if location.executable}
    assert own == {"retailer": ROOT / ".interpreters" / "retailer" / "bin" / "python"}
