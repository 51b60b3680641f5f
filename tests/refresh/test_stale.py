"""What a refresh reads without making it, and what is wrong with that."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from mesh_defs.query.mesh import open_mesh
from mesh_defs.refresh.stale import stale_inputs
from mesh_defs.settings import Settings
from tests.meshes import refresh, settings_of, two_domains

NOW = datetime.now(UTC)


def test_an_input_within_its_promise_is_not_named(shared_mesh: Settings) -> None:
    assert stale_inputs(shared_mesh, open_mesh(shared_mesh), ["shop.regions"], now=datetime.now(UTC)) == {}


def test_an_input_older_than_its_promise_is_named(shared_mesh: Settings) -> None:
    told = stale_inputs(shared_mesh, open_mesh(shared_mesh), ["shop.regions"], now=NOW + timedelta(days=2))
    assert told["people.persons"].startswith("older than promised; published 2")


def test_an_input_that_the_refresh_makes_itself_is_not_named(shared_mesh: Settings) -> None:
    chosen = ["shop.regions", "people.persons"]
    assert stale_inputs(shared_mesh, open_mesh(shared_mesh), chosen, now=NOW + timedelta(days=2)) == {}


def test_an_input_that_was_refused_since_or_never_published_is_named(tmp_path: Path) -> None:
    settings = settings_of(tmp_path / "mesh", two_domains())
    told = stale_inputs(settings, open_mesh(settings), ["shop.regions"], now=NOW)
    assert told == {"people.persons": "never published"}
    refresh(settings)
    (settings.root / "domains/people/products/persons.sql").write_text(
        "SELECT 1 AS person_id, CAST(NULL AS VARCHAR) AS region"
    )
    refresh(settings)
    told = stale_inputs(settings, open_mesh(settings), ["shop.regions"], now=NOW)
    assert told["people.persons"].startswith("its newer candidate was refused")
