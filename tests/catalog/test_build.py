"""The snapshot: built from the asset graph, one section per location, last known good, a generation that only grows."""

import subprocess
import sys
from pathlib import Path

import pytest

from mesh_defs.catalog.build import build
from mesh_defs.errors import UnreachableError
from mesh_defs.query.mesh import open_mesh
from mesh_defs.settings import Settings
from tests.meshes import settings_of, two_domains


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_of(tmp_path / "mesh", two_domains())


def test_is_built_on_demand_when_missing(settings: Settings) -> None:
    assert not settings.snapshot_file.exists()
    assert set(open_mesh(settings).products) == {"people.persons", "shop.regions"}


def test_says_how_to_build_it_when_it_may_not(settings: Settings) -> None:
    with pytest.raises(UnreachableError, match="mesh refresh --catalog"):
        open_mesh(settings, build=False)


def test_holds_products_of_the_location_that_makes_them_and_no_stubs(settings: Settings) -> None:
    sections = {section.location: section for section in build(settings).sections}
    assert [product.name for product in sections["shop"].products] == ["shop.regions"]
    assert sections["shop"].products[0].inputs == ("people.persons",)


def test_is_not_built_again_while_nothing_changes(settings: Settings) -> None:
    assert build(settings).generation == build(settings).generation == 1


def test_a_changed_access_file_is_seen_at_once(settings: Settings) -> None:
    assert any(grant.roles == ("analyst",) for grant in open_mesh(settings).grants)
    for file in settings.root.glob("domains/*/access/*.yaml"):
        file.write_text(f"format: 1\nproduct: {file.parent.parent.name}.{file.name.partition('.')[0]}\ngrants: []\n")
    mesh = open_mesh(settings)
    assert mesh.grants == ()
    assert mesh.snapshot.generation == 2


def test_only_the_changed_location_is_loaded_again(settings: Settings) -> None:
    before = {section.location: section.loaded_at for section in build(settings).sections}
    (settings.root / "domains/shop/contracts/regions.odcs.yaml").open("a").write("\n")
    after = {section.location: section.loaded_at for section in build(settings).sections}
    assert after["people"] == before["people"]
    assert after["shop"] > before["shop"]


def test_a_broken_location_keeps_its_last_known_good_declarations_and_its_age(settings: Settings) -> None:
    good = {section.location: section for section in build(settings).sections}
    (settings.root / "domains/people/contracts/persons.odcs.yaml").write_text("kind: [")
    broken = {section.location: section for section in build(settings).sections}
    assert broken["people"].products == good["people"].products
    assert broken["people"].loaded_at == good["people"].loaded_at
    assert "persons.odcs.yaml" in str(broken["people"].error)
    assert broken["shop"].error is None


@pytest.mark.parametrize(
    "code", ["import sys; sys.exit(0)", "import os; os._exit(9)", "raise KeyboardInterrupt", "x ="]
)
def test_survives_whatever_a_location_does_on_import(settings: Settings, code: str) -> None:
    (settings.root / "domains/people/definitions.py").write_text(code + "\n")
    sections = {section.location: section for section in build(settings).sections}
    assert sections["people"].error
    assert [product.name for product in sections["shop"].products] == ["shop.regions"]


def test_a_damaged_snapshot_is_built_again(settings: Settings) -> None:
    build(settings)
    settings.snapshot_file.write_text("{")
    assert set(open_mesh(settings).products) == {"people.persons", "shop.regions"}


def test_of_many_builders_at_once_one_builds_and_the_others_read(settings: Settings) -> None:
    command = [sys.executable, "-m", "mesh_defs.catalog.build"]
    environment = {"MESH_ROOT": str(settings.root), "PATH": "/usr/bin:/bin"}
    running = [subprocess.Popen(command, env=environment) for _ in range(3)]
    assert [each.wait(timeout=120) for each in running] == [0, 0, 0]
    assert open_mesh(settings, build=False).snapshot.generation == 1


def test_a_removed_location_leaves_the_catalog(settings: Settings) -> None:
    build(settings)
    workspace = settings.root / "workspace.yaml"
    workspace.write_text("".join(line for line in workspace.open() if "shop" not in line))
    assert set(open_mesh(settings).products) == {"people.persons"}
