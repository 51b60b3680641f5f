"""`mesh renovate` and `mesh erase` as a person runs them."""

import json
from pathlib import Path

import pytest

from mesh_defs.settings import Settings
from tests.cli.test_commands import mesh
from tests.meshes import refresh, rows, settings_of, two_domains

PERSONS = "domains/people/contracts/persons.odcs.yaml"


@pytest.fixture
def made(tmp_path: Path) -> Settings:
    settings = settings_of(tmp_path / "mesh", two_domains())
    refresh(settings)
    return settings


def test_a_changed_server_is_shown_then_moved_to_then_left_again(made: Settings) -> None:
    assert "already where its contract puts it" in mesh(made, "renovate", "people.persons").stdout
    file = made.root / PERSONS
    old, new = "type: duckdb, database: persons, schema: main", "type: local, path: lake, format: parquet"
    file.write_text(file.read_text().replace(old, new))
    assert "parquet: lake with `mesh renovate people.persons`" in mesh(made, "show", "people.persons").stdout
    moved = mesh(made, "renovate", "people.persons", "--json")
    assert json.loads(moved.stdout) == {
        "product": "people.persons",
        "moved": True,
        "versions": 1,
        "place": "parquet: lake",
    }
    assert "10 rows" in moved.stderr
    page = json.loads(mesh(made, "show", "people.persons", "--json").stdout)
    assert (page["storage"], page["move_to"], page["way_back"]) == ("parquet", None, "duckdb: persons")
    assert "duckdb: persons" in mesh(made, "renovate", "people.persons", "--back").stdout
    assert rows(made, "SELECT count(*) FROM people.persons") == [(10,)]


def test_an_unknown_product_cannot_move(made: Settings) -> None:
    done = mesh(made, "renovate", "people.person")
    assert done.returncode == 1
    assert "did you mean 'people.persons'?" in done.stderr


def test_a_person_is_looked_for_then_erased(made: Settings) -> None:
    looked = mesh(made, "erase", "--person", "3", "--dry-run", "--json")
    assert looked.returncode == 0, looked.stderr
    states = {each["product"]: each["state"] for each in json.loads(looked.stdout)}
    assert states == {"people.persons": "erased", "shop.regions": "counted"}
    assert rows(made, "SELECT count(*) FROM people.persons") == [(10,)]
    assert mesh(made, "erase", "--person", "3", "--yes", "--no-wait").returncode == 0
    assert rows(made, "SELECT count(*) FROM people.persons") == [(9,)]


def test_nobody_is_erased_without_a_yes(made: Settings) -> None:
    assert mesh(made, "erase", "--person", "3").returncode == 130
    assert mesh(made, "erase", "--person", "-").returncode == 2
    assert mesh(made, "erase", "--person", "").returncode == 2
    assert rows(made, "SELECT count(*) FROM people.persons") == [(10,)]
