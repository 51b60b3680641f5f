"""`mesh access` as those who ask and those who answer run it."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mesh_defs.settings import Settings
from tests.cli.test_commands import mesh
from tests.meshes import PEOPLE, contract, refresh, settings_of, sql

P = "people.persons"
ACCESS = """format: 1
product: people.persons
grants:
  - {id: analysts, roles: [analyst], purposes: [measurement], rows: "region = 'north'", expires: 2027-12-31}
requestable:
  - {id: planners, roles: [planner], purposes: [planning], days_max: 5, masks: {region: {truncate: 1}}}
  - {id: at-once, roles: [planner], purposes: [measurement], days_max: 1, instant: true, columns: [region]}
tests:
  - name: analysts see the north
    as: {roles: [analyst], purpose: measurement}
    given: [{person_id: 1, region: north}, {person_id: 2, region: south}]
    expect: [{person_id: 1, region: north}]
"""


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    files = {**contract(P), **sql("persons", PEOPLE), "access/persons.access.yaml": ACCESS}
    settings = settings_of(Path(tmp_path_factory.mktemp("access")) / "mesh", {"people": files})
    domain, standards = settings.root / "domains/people/domain.yaml", settings.root / "mesh.yaml"
    domain.write_text(domain.read_text().replace("steward: ada", "steward: grace"))
    standards.write_text(standards.read_text().replace("guest: {}", "grace: {}, guest: {}"))
    assert refresh(settings)[P].state == "published"
    yield settings


class Terminal:
    """Runs commands against one mesh, with a ledger of the test's own."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self._settings, self._folder = settings, folder

    def __call__(self, *command: str) -> subprocess.CompletedProcess[str]:
        places = {"MESH_LEDGER": f"sqlite:///{self._folder}/ledger.sqlite", "MESH_LEDGER_HEAD": f"{self._folder}/head"}
        secrets = {"MESH_SECRETS": str(self._folder / "secrets")}
        done = mesh(self._settings, *command, **places, **secrets)
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def access(self, *command: str, code: int = 0) -> str:
        done = self("access", *command)
        assert done.returncode == code, done.stderr + done.stdout
        return done.stdout if code == 0 else done.stderr + done.stdout

    def json(self, *command: str) -> Any:
        return json.loads(self.access(*command, "--json"))


@pytest.fixture
def terminal(published: Settings, tmp_path: Path) -> Terminal:
    return Terminal(published, tmp_path)


QUESTION = ("query", "SELECT DISTINCT region FROM people.persons ORDER BY 1", "--as", "max", "--purpose", "planning")


def test_from_asking_to_the_first_answer_and_to_the_end(terminal: Terminal) -> None:
    denied = terminal(*QUESTION)
    assert denied.returncode == 1
    assert "ask for it: mesh access request people.persons" in denied.stderr
    told = terminal.access("request", P, "--purpose", "planning", "--days", "3", "--as", "max", "--why", "spring plan")
    assert told.splitlines()[:4] == [
        "people.persons for planning, 3 days, by 'planners':",
        "  columns  person_id",
        "  region   its first 1 characters",
        "  rows     all",
    ]
    [waiting] = terminal.json("requests", "--as", "grace", "--to-answer")
    assert (waiting["by"], waiting["why"], waiting["answers"]) == ("max", "spring plan", "grace")
    assert told.splitlines()[4] == f"{waiting['id']} waits for grace: mesh access approve {waiting['id']} --as grace"
    assert terminal(*QUESTION).returncode == 1
    approved = terminal.access("approve", waiting["id"], "--as", "grace", "--rows", "person_id > 1", "--days", "2")
    assert f"{waiting['id']} is granted by grace until " in approved
    assert approved.rstrip().endswith("person_id, region, only where person_id > 1")
    answered = terminal(*QUESTION)
    assert answered.stdout.split() == ["region", "──────", "n", "s"]
    [grant] = [each for each in terminal.json("list", P) if each["id"] == waiting["id"]]
    assert grant["seconds_to_grant"] > 0
    assert grant["seconds_to_first_query"] > 0
    revoked = terminal.access("revoke", waiting["id"], "--reason", "plan is done", "--as", "max")
    assert revoked.strip() == f"{waiting['id']} is revoked by max: plan is done"
    assert terminal(*QUESTION).returncode == 1
    listed = terminal.access("list", P, "--as", "max")
    assert "revoked by max: plan is done" in listed


def test_what_the_file_answers_itself_holds_at_once_and_is_renewed_at_once(terminal: Terminal) -> None:
    asked = terminal.json("request", P, "--purpose", "measurement", "--days", "1", "--as", "max")["request"]
    assert (asked["state"], asked["answers"], asked["columns"]) == ("granted", "the access file", ["region"])
    query = ("query", "SELECT DISTINCT region FROM people.persons", "--as", "max", "--purpose", "measurement")
    assert terminal(*query).returncode == 0
    assert terminal.json("renew", asked["id"], "--as", "max")["until"] > asked["until"]


def test_a_dry_run_only_shows(terminal: Terminal) -> None:
    told = terminal.json("request", P, "--purpose", "planning", "--days", "3", "--as", "max", "--dry-run")
    assert told["request"] is None
    assert told["columns"] == {"person_id": "as it is", "region": "its first 1 characters"}
    assert terminal.json("requests", "--all") == []


@pytest.mark.parametrize(
    ("command", "code", "told"),
    [
        (("request", P, "--purpose", "planning", "--days", "9", "--as", "max"), 1, "1 to 5 days, not 9 — --days 5"),
        (("request", P, "--purpose", "planning", "--days", "3", "--as", "guest"), 1, "not found, or nothing of it may"),
        (("request", "people.x", "--purpose", "planning", "--days", "3", "--as", "max"), 1, "not found, or nothing"),
        (("request", P, "--purpose", "planning", "--as", "max"), 2, "--days"),
        (("request", P, "--purpose", "planning", "--days", "0", "--as", "max"), 2, "--days"),
        (("request", P, "--days", "3", "--as", "max"), 2, "say what for"),
        (("request", P, "--purpose", "planning", "--days", "3"), 2, "say who you are"),
        (("request", P, "--purpose", "planning", "--days", "3", "--columns", " , ", "--as", "max"), 2, "at least one"),
        (("approve", "17", "--as", "grace"), 1, "there is no request-17"),
        (("approve", "request-x", "--as", "grace"), 2, "no request's id: write request-17"),
        (("approve", "9" * 99, "--as", "grace"), 2, "no request's id"),
        (("refuse", "17", "--as", "grace"), 2, "--reason"),
        (("list", "people.person"), 1, "did you mean 'people.persons'?"),
        (("list", "--as", "adda"), 1, "did you mean 'ada'?"),
        (("why", P, "--as", "guest"), 1, "not found or not permitted to guest"),
        (("why", P, "--as", "ada", "--row", "person_id"), 2, "no COLUMN=VALUE"),
        (("why", P, "--as", "max", "--by", "ada"), 1, "ada is not the steward of its domain"),
        (("test", "/nowhere"), 2, "does not exist"),
    ],
    ids=str,
)
def test_says_what_is_wrong(terminal: Terminal, command: tuple[str, ...], code: int, told: str) -> None:
    assert told in terminal.access(*command, code=code)


def test_why_with_and_without_a_row(terminal: Terminal) -> None:
    told = terminal.access("why", P, "--as", "ada", "--purpose", "measurement")
    assert told.splitlines() == [
        "ada may read people.persons for measurement: grant 'analysts', until 2028-01-01 00:00:00 UTC",
        "  columns  person_id, region",
        "  rows     only where region = 'north' (grant 'analysts')",
    ]
    row = ("why", P, "--as", "ada", "--purpose", "measurement", "--row")
    assert terminal.access(*row, "person_id=2") == "shown\n"
    assert terminal.access(*row, "person_id=1", code=1) == "not shown, or not there\n"
    assert terminal.access(*row, "person_id=77", code=1) == "not shown, or not there\n"
    assert terminal.access(*row, "person_id=1", "--by", "grace", code=1).splitlines() == [
        "not shown to ada",
        "  false    region = 'north' (grant 'analysts')",
    ]


def test_runs_the_tests_of_the_files_that_are_named(terminal: Terminal, published: Settings) -> None:
    assert terminal.access("test") == "passed  people.persons: analysts see the north\n"
    assert terminal.access("test", str(published.root / "domains/people/access/persons.access.yaml")).startswith(
        "passed"
    )
    assert terminal.access("test", str(published.root / "domains/people/contracts")) == ""
    file = published.root / "domains/people/access/persons.access.yaml"
    try:
        file.write_text(ACCESS.replace("rows: \"region = 'north'\"", "rows: \"region = 'south'\""))
        told = terminal.access("test", code=1)
        assert "FAILED  people.persons: analysts see the north" in told
        assert (
            "persons.access.yaml:9: tests[0]: not shown: {person_id: 1, region: 'north'}; shown, but not expected"
            in told
        )
        found = terminal("validate")
        assert found.returncode == 1
        assert "test 'analysts see the north' fails: not shown: {person_id: 1, region: 'north'}" in found.stdout
        file.write_text(ACCESS.replace("region = 'north'\"", 'gone = 1"'))
        assert "there is no column 'gone'" in terminal("validate").stdout
        file.write_text(ACCESS.replace("masks: {region", "masks: {regio"))
        assert "'regio' is no column of the product — did you mean 'region'?" in terminal("validate").stdout
    finally:
        file.write_text(ACCESS)


def test_validate_says_what_a_product_owes_the_standards(terminal: Terminal, published: Settings) -> None:
    file, standards = published.root / "domains/people/access/persons.access.yaml", published.root / "mesh.yaml"
    before = standards.read_text()
    rules = """
governance: [{rule: access_tests, why: rules are code, mend: test it}]
row_rules: [{name: consent, why: law, granularity: audience, rows: {measurement: consented, planning: person_id > 1}}]
"""
    try:
        standards.write_text(before + rules)
        file.write_text(ACCESS.partition("tests:")[0])
        told = terminal("validate").stdout
        assert "(access_tests: rules are code) — test it" in told
        assert "it is granted for measurement, for which the standard 'consent' shows nothing of it" in told
        assert "planning" not in told
        standards.write_text(before + rules.replace("access_tests", "acess_tests"))
        assert (
            "'acess_tests' is no rule that the platform knows — did you mean 'access_tests'?"
            in terminal("validate").stdout
        )
    finally:
        file.write_text(ACCESS)
        standards.write_text(before)
