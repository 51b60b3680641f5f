"""`mesh quarantine` as the owner of a product, and as anybody else, runs it."""

import json
import subprocess

import pytest

from mesh_defs.catalog.quality import load_history
from mesh_defs.settings import Settings
from tests.cli.test_commands import mesh
from tests.held import NAME, OWNER, batch, batch_template, left_out, noted, refused, rows_template, seen  # noqa: F401


def run(settings: Settings, *command: str) -> subprocess.CompletedProcess[str]:
    return mesh(settings, "quarantine", *command, MESH_HOME=str(settings.home))


def test_lists_what_lies_there_and_why_without_a_value(left_out: Settings) -> None:  # noqa: F811
    [held] = refused(left_out)
    done = run(left_out, "list", NAME)
    assert done.returncode == 0, done.stderr
    assert "west" not in done.stdout
    heading, _, line = done.stdout.splitlines()
    assert heading.split() == ["id", "when", "product", "partition", "rows", "kind", "why"]
    assert line.split() == [held.id, "just", "now", NAME, "–", "1", "rows", "known"]
    [told] = json.loads(run(left_out, "list", "--json").stdout)
    assert {key: told[key] for key in told if key != "at"} == {
        "id": held.id,
        "product": NAME,
        "partition": None,
        "rows": 1,
        "kind": "rows",
        "why": ["known"],
    }


def test_shows_rows_to_the_owner_alone(left_out: Settings) -> None:  # noqa: F811
    [held] = refused(left_out)
    denied = run(left_out, "show", NAME, held.id)
    assert (denied.returncode, denied.stdout) == (1, "")
    assert f"--as {OWNER}" in denied.stderr
    shown = run(left_out, "show", NAME, held.id, "--as", OWNER)
    assert shown.returncode == 0, shown.stderr
    assert "‹confidential›" in shown.stdout
    assert "west" not in shown.stdout
    assert "1 of 1 rows; masked: region" in shown.stderr
    told = json.loads(run(left_out, "show", NAME, held.id, "--as", OWNER, "--unmasked", "--json").stdout)
    assert told["shown"] == [{"person_id": 11, "region": "west", "quarantine_reasons": "known"}]
    assert noted(left_out) == ["quarantine_shown", "quarantine_shown", "quarantine_denied"]


def test_says_what_keeps_a_batch_from_being_released(batch: Settings) -> None:  # noqa: F811
    [held] = refused(batch)
    done = run(batch, "release", NAME, held.id, "--json")
    assert done.returncode == 1
    assert f"{held.id} stays in quarantine: it does not pass the contract as it is today: known (1 rows" in done.stderr
    assert json.loads(done.stdout)["released"] is False
    assert seen(batch) == (10, 0)


@pytest.mark.parametrize(
    ("command", "code", "told"),
    [
        (("list", "people.person"), 1, "did you mean 'people.persons'?"),
        (("release", NAME, "mine"), 1, "has nothing called 'mine' in quarantine"),
        (("release", NAME, "mine", "--as", "ada"), 1, "ada may not see or release"),
        (("show", NAME, "mine", "--as", OWNER, "--limit", "-1"), 2, "--limit"),
    ],
)
def test_says_what_is_wrong(batch: Settings, command: tuple[str, ...], code: int, told: str) -> None:  # noqa: F811
    done = run(batch, *command)
    assert (done.returncode, "Traceback" in done.stderr) == (code, False)
    assert told in done.stderr


def test_a_mended_contract_releases_the_batch(batch: Settings) -> None:  # noqa: F811
    [held] = refused(batch)
    file = batch.root / "domains/people/contracts/persons.odcs.yaml"
    before = file.read_text()
    try:
        file.write_text(before.replace("[north, south]", "[north, south, west]").replace("1.0.0", "2.0.0"))
        done = run(batch, "release", NAME, held.id, "--as", OWNER)
        assert done.returncode == 0, done.stderr
        assert "released: people.persons is version" in done.stdout
        assert "11 rows" in done.stdout
        assert "nothing is in quarantine" in run(batch, "list").stdout
        again = run(batch, "release", NAME, held.id)
        assert (again.returncode, "was released before, as version" in again.stderr) == (1, True)
        assert seen(batch) == (11, 1)
        newest = load_history(batch, NAME).evaluations[-1]
        assert (newest.published, newest.rows) == (True, 11), "a release is an evaluation like any other"
    finally:
        file.write_text(before)
