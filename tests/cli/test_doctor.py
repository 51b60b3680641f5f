"""`mesh doctor` names what would make tomorrow's runs fail, and is content with a laptop."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mesh_defs.catalog.build import build
from mesh_defs.cli.doctor_running import workers
from mesh_defs.cli.doctor_stores import clocks, locks, retention, secrets, stores
from mesh_defs.processes.machine import url_of_running
from mesh_defs.settings import Settings, load_settings
from tests.meshes import refresh, settings_of, two_domains
from tests.processes.machine import running


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = settings_of(tmp_path / "mesh", two_domains())
    build(settings)
    return settings


def doctor(settings: Settings) -> dict[str, dict[str, Any]]:
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "PYTHONPATH") if name in os.environ}
    command = [sys.executable, "-m", "mesh_defs.cli.main", "doctor", "--json"]
    done = subprocess.run(
        command, env={**inherited, "MESH_ROOT": str(settings.root)}, capture_output=True, text=True, check=False
    )
    assert done.stdout, done.stderr
    return {each["name"]: each for each in json.loads(done.stdout)}


def secret(settings: Settings, domain: str, text: str, mode: int = 0o600) -> Settings:
    settings.secrets.mkdir(parents=True, exist_ok=True)
    file = settings.secrets / f"{domain}.env"
    file.write_text(text)
    file.chmod(mode)
    return load_settings({"MESH_ROOT": str(settings.root)})


def postgres_contract(settings: Settings, domain: str, product: str) -> None:
    file = settings.root / f"domains/{domain}/contracts/{product}.odcs.yaml"
    lines = file.read_text().splitlines()
    server = "servers: [{server: local, environment: local, type: postgres, database: mesh, schema: people}]"
    file.write_text("\n".join(server if line.startswith("servers:") else line for line in lines) + "\n")


def test_a_laptop_that_made_its_mesh_is_well(tmp_path: Path) -> None:
    settings = settings_of(tmp_path / "mesh", two_domains())
    refresh(settings)
    told = doctor(settings)
    assert [each for each in told.values() if not each["ok"]] == []
    assert "one machine only" in told["dagster instance"]["found"]
    assert told["mesh up"]["found"] == "does not run here"
    assert told["stores of shop"]["found"] == "1 products and 1 inputs answer"


def test_an_interpreter_that_is_missing_is_named(settings: Settings) -> None:
    file = settings.root / "workspace.yaml"
    file.write_text(
        file.read_text().replace("location_name: shop}", "location_name: shop, executable_path: no/bin/python}")
    )
    told = doctor(settings)
    assert "python -m venv" in told["python of shop"]["fix"]


def test_an_instance_whose_storage_does_not_answer_is_named_and_shows_no_password(settings: Settings) -> None:
    settings.dagster_home.mkdir(parents=True)
    url = "postgresql+psycopg2://dagster:hunter2@127.0.0.1:1/dagster"
    (settings.dagster_home / "dagster.yaml").write_text(f"storage: {{postgres: {{postgres_url: '{url}'}}}}\n")
    told = doctor(settings)
    assert "does not open" in told["dagster instance"]["found"]
    assert told["dagster instance"]["fix"]
    assert "hunter2" not in json.dumps(told)


def test_an_open_secrets_file_and_one_of_nobody_are_named(settings: Settings) -> None:
    secret(settings, "people", "TOKEN=x\n")
    secret(settings, "shop", "TOKEN=x\n", mode=0o644)
    secret(settings, "shopp", "TOKEN=x\n")
    told = {each.name: each.fix for each in secrets(settings)}
    assert told["secrets of people"] == ""
    assert told["secrets of shop"].startswith("chmod 600 ")
    assert "no location has this name" in told["secrets of shopp"]


def test_locks_work_here(settings: Settings) -> None:
    assert [(each.found, each.fix) for each in locks(settings)] == [("work", "")]


def test_retention_outlives_queries(settings: Settings) -> None:
    assert [each.fix for each in retention(settings)] == [""]


def test_a_reader_without_a_read_credential_is_named_before_its_run_fails(settings: Settings, postgres: str) -> None:
    postgres_contract(settings, "people", "persons")
    changed = secret(settings, "people", f"MESH_PEOPLE_POSTGRES={postgres}\n")
    build(changed)
    told = {each.name: each for each in stores(changed)}
    assert told["stores of people"].fix == ""
    assert "people.persons cannot be read" in told["stores of shop"].found
    assert told["stores of shop"].fix
    changed = secret(settings, "people", f"MESH_PEOPLE_POSTGRES={postgres}\nMESH_PEOPLE_POSTGRES_READ={postgres}\n")
    assert [each.fix for each in stores(changed)] == ["", ""]


def test_a_location_without_the_key_of_its_tokens_is_named_before_its_run_fails(settings: Settings) -> None:
    kinds, file = settings.root / "mesh.yaml", settings.root / "domains/people/contracts/persons.odcs.yaml"
    kinds.write_text(f"{kinds.read_text()}identifiers: {{person: As it is.}}\n")
    marked = "{property: identifies, value: person}"
    file.write_text(file.read_text().replace(marked, f"{marked}, {{property: token, value: person}}"))
    build(settings)
    told = {each.name: each for each in stores(settings)}
    assert "no key for tokens of the kind 'person'" in told["stores of people"].found
    assert "set MESH_TOKENS_PERSON" in told["stores of people"].fix
    changed = secret(settings, "tokens", f"MESH_TOKENS_PERSON={'ab' * 32}\n")
    assert [each.fix for each in (*stores(changed), *secrets(changed))] == ["", "", ""]


def test_a_postgres_that_does_not_answer_is_named_without_its_password(settings: Settings) -> None:
    postgres_contract(settings, "people", "persons")
    url = "postgresql://people:hunter2@127.0.0.1:1/mesh"
    changed = secret(settings, "people", f"MESH_PEOPLE_POSTGRES={url}\n")
    build(changed)
    told = [*stores(changed), *clocks(changed)]
    assert [each.name for each in told if each.fix] == ["stores of people", "stores of shop", "clock of people"]
    assert "hunter2" not in repr(told)


def test_the_clock_of_a_domains_postgres_is_compared(settings: Settings, postgres: str) -> None:
    changed = secret(settings, "people", f"MESH_PEOPLE_POSTGRES={postgres}\n")
    assert [(each.name, each.fix) for each in clocks(changed)] == [("clock of people", "")]


def test_what_mesh_up_started_is_looked_at_while_it_runs(settings: Settings) -> None:
    with running(settings) as machine:
        assert url_of_running(settings) == machine.url
        told = doctor(settings)
        assert told["mesh up"]["found"] == machine.url
        assert told["code server people"]["found"] == "answers"
        assert told["code server shop"]["ok"]
    assert url_of_running(settings) is None


@pytest.mark.parametrize(
    ("version", "platform", "found", "fix"),
    [
        (7, "linux", "confined to their files by Landlock 7", ""),
        (4, "linux", "confined to their files by Landlock 4, not signals", ""),
        (1, "linux", "confined to their files by Landlock 1, not TCP, not signals", ""),
        (0, "linux", "locked and limited, not confined: no Landlock here", "let the kernel"),
        (0, "darwin", "locked and limited, not confined: no Landlock here", ""),
    ],
)
def test_says_whether_the_kernel_confines_the_workers(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, version: int, platform: str, found: str, fix: str
) -> None:
    monkeypatch.setattr("mesh_defs.cli.doctor_running.landlock", lambda: version)
    monkeypatch.setattr("sys.platform", platform)
    [told] = workers(settings)
    assert (told.found, told.fix[: len("let the kernel")]) == (found, fix)
