"""`mesh quality` as a person and a program run it."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mesh_defs.catalog.quality import record_evaluation
from mesh_defs.settings import Settings, load_settings
from quality_checks import Expectation, Result
from tests.cli.test_commands import mesh
from tests.meshes import settings_of, two_domains

NAME = "people.persons"
UNIQUE = Expectation(type="expect_column_values_to_be_unique", kwargs={"column": "person_id"})


@pytest.fixture(scope="module")
def unpublished(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return settings_of(Path(tmp_path_factory.mktemp("unpublished")) / "mesh", two_domains())


def test_the_scorecard_names_every_dimension_and_product(shared_mesh: Settings) -> None:
    done = mesh(shared_mesh, "quality")
    assert (done.returncode, done.stderr) == (0, "")
    heading, _, *rest = done.stdout.splitlines()
    dimensions = ["completeness", "uniqueness", "validity", "accuracy", "consistency", "timeliness"]
    assert heading.split() == ["domain", *dimensions, "checks"]
    assert rest[0].split() == ["people", "100", "%", "100", "%", "–", "–", "–", "100", "%", "4/4"]
    told = next(line for line in rest if line.startswith(NAME))
    assert told.split()[:3] == [NAME, "passed", "4/4"]
    assert "not enough history" in told


def test_a_product_is_told_check_by_check_with_its_history(shared_mesh: Settings) -> None:
    done = mesh(shared_mesh, "quality", NAME)
    assert (done.returncode, done.stderr) == (0, "")
    unique = next(line for line in done.stdout.splitlines() if line.startswith("unique__person_id"))
    assert unique.split() == ["unique__person_id", "ok", "–", "0", "0", "compiled", "uniqueness", "▁"]
    assert " without enough history (it takes 5 of the same weekday, or 10 in all)" in done.stdout


def test_json_has_what_the_tables_have(shared_mesh: Settings) -> None:
    card = json.loads(mesh(shared_mesh, "quality", "--json").stdout)
    assert {row["product"] for row in card["products"]} == {NAME, "shop.regions"}
    page = json.loads(mesh(shared_mesh, "quality", NAME, "--json").stdout)
    assert [check["dimension"] for check in page["check_list"]][-1] == "timeliness"
    assert page["drift"][0]["verdict"] == "not enough history"


def test_without_any_history_it_reads_like_a_beginning(unpublished: Settings) -> None:
    card = mesh(unpublished, "quality")
    assert (card.returncode, card.stderr) == (0, "")
    assert "no history" in card.stdout
    assert card.stdout.count("not published") == 2
    page = mesh(unpublished, "quality", NAME)
    assert (page.returncode, page.stderr) == (0, "")
    assert "no history yet: it begins with the next publication" in page.stdout
    assert page.stdout.count("not yet") == 3


def test_failures_their_reasons_and_drift_are_seen_and_reading_them_is_no_failure(unpublished: Settings) -> None:
    settings = load_settings({"MESH_ROOT": str(unpublished.root), "MESH_HOME": "other"})
    for days in range(12, -1, -1):
        failed = Result(
            expectation=UNIQUE, success=days > 0, observed_value=1 / 3, error=None if days else "why — mend"
        )
        at = datetime.now(UTC) - timedelta(days=days)
        rows = 1000 if days else 1
        told = record_evaluation(settings, NAME, [failed], at=at, version=f"v{days}", published=True, rows=rows)
        assert told is None
    done = mesh(unpublished, "quality", NAME, MESH_HOME="other")
    assert done.returncode == 0
    unique = next(line for line in done.stdout.splitlines() if line.startswith("unique__person_id"))
    assert unique.split() == [
        "unique__person_id",
        "FAILED",
        "0.333333",
        "–",
        "–",
        "compiled",
        "uniqueness",
        "▁" * 12 + "✗",
    ]
    assert "! unique__person_id: why — mend" in done.stdout
    assert "1 drifted, 0 steady, 0 without enough history\n" in done.stdout


def test_a_torn_file_is_named_beside_the_answer(unpublished: Settings) -> None:
    folder = unpublished.root / "torn" / "quality" / NAME
    folder.mkdir(parents=True)
    (folder / "x.json").write_text("{")
    done = mesh(unpublished, "quality", MESH_HOME="torn")
    assert done.returncode == 0
    assert f"! {folder / 'x.json'} cannot be read and is left out" in done.stderr


def test_pages_are_written_for_every_product(shared_mesh: Settings, tmp_path: Path) -> None:
    done = mesh(shared_mesh, "quality", "--pages", str(tmp_path / "new" / "docs"))
    assert done.returncode == 0, done.stderr
    assert {file.name for file in (tmp_path / "new" / "docs").iterdir()} == {
        "index.html",
        "people.persons.html",
        "shop.regions.html",
    }
    assert (tmp_path / "new" / "docs" / "index.html").as_uri() in done.stderr


def test_pages_of_one_product_and_json_go_together(shared_mesh: Settings, tmp_path: Path) -> None:
    done = mesh(shared_mesh, "quality", NAME, "--json", "--pages", str(tmp_path))
    assert json.loads(done.stdout)["product"] == NAME
    assert {file.name for file in tmp_path.iterdir()} == {"index.html", "people.persons.html"}


def test_a_folder_that_cannot_be_written_is_named(shared_mesh: Settings, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    done = mesh(shared_mesh, "quality", "--pages", str(tmp_path / "file" / "docs"))
    assert done.returncode == 3
    assert "the pages could not be written" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unknown_product_gets_the_nearest_name(shared_mesh: Settings) -> None:
    done = mesh(shared_mesh, "quality", "people.person")
    assert done.returncode == 1
    assert f"did you mean '{NAME}'?" in done.stderr
