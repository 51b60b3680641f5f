"""What readers see while a pointer is damaged, and how the next publication mends it."""

from pathlib import Path

import pytest

from mesh_defs.catalog.describe import product_rows
from mesh_defs.errors import StorageError
from mesh_defs.query.mesh import open_mesh
from mesh_defs.settings import Settings
from tests.meshes import ask, refresh, settings_of, two_domains


@pytest.fixture
def published(tmp_path: Path) -> Settings:
    settings = settings_of(tmp_path / "mesh", two_domains())
    refresh(settings)
    return settings


def pointer(settings: Settings) -> Path:
    place = settings.home / "storage" / "people" / "persons"
    return next(file for file in place.iterdir() if file.suffix == ".json")


def test_a_torn_pointer_still_gives_the_last_good_version_and_says_so(published: Settings) -> None:
    torn = pointer(published)
    torn.write_bytes(torn.read_bytes()[:40])
    answer = ask(published, "SELECT count(*) AS n FROM people.persons")
    assert answer.table().to_pylist() == [{"n": 10}]
    assert torn.name in str(answer.movement.products[0].recovered)
    row = next(each for each in product_rows(open_mesh(published), published) if each["name"] == "people.persons")
    assert "re-materialize" in row["trouble"]


def test_the_next_publication_mends_the_pointer(published: Settings) -> None:
    pointer(published).write_text("not json")
    assert refresh(published)["people.persons"].state == "published"
    answer = ask(published, "SELECT count(*) AS n FROM people.persons")
    answer.table()
    assert answer.movement.products[0].recovered is None


def test_a_lost_part_is_named_with_its_mend_and_harms_no_other_product(published: Settings) -> None:
    for part in (published.home / "storage" / "people" / "persons").rglob("*.duckdb"):
        part.unlink()
    with pytest.raises(StorageError, match="re-materialize"):
        ask(published, "SELECT * FROM people.persons")
    assert ask(published, "SELECT * FROM shop.regions").table().num_rows == 2
