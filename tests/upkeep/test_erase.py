"""A person is removed from every product that names them, in every version, and does not come back."""

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from mesh_defs.query.mesh import open_mesh, open_storage
from mesh_defs.settings import Settings
from mesh_defs.upkeep.erase import Erasure, erase, find, retire_erased
from mesh_defs.upkeep.sweep import sweep
from tests.meshes import ask, contract, derived, grants, python, refresh, rows, settings_of, sql, two_domains

TO_ALL = "{id: all, principals: [ada, 'service:shop'], purposes: [measurement]}"
VISITS = "SELECT person_id, region FROM people.persons WHERE person_id <= 5 UNION ALL SELECT 3, 'again'"


@pytest.fixture
def mesh(tmp_path: Path) -> Settings:
    """`people.persons` twice published, `shop.visits` naming persons, `shop.regions` counting them, and a partner's."""
    person = "{name: person_id, logicalType: integer, required: true, customProperties: [{property: identifies, value: person}]}"
    columns = (person, "{name: region, logicalType: string}")
    visits = {
        **derived(
            "shop.visits",
            grain="person_id, region",
            columns=columns,
            custom=("{property: republishes, value: A log.}",),
        ),
        **sql("visits", VISITS),
        **grants("shop.visits", TO_ALL),
    }
    partner = {**contract("partner.clients"), **sql("clients", "SELECT 3 AS person_id, 'x' AS region")}
    settings = settings_of(tmp_path / "mesh", {**two_domains(shop=visits), "partner": partner})
    domain = settings.root / "domains/partner/domain.yaml"
    domain.write_text(domain.read_text() + "organisation: Others\n")
    for _ in range(2):
        outcomes = refresh(settings).values()
        assert {each.state for each in outcomes} == {"published"}, outcomes
    return settings


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        yield connection


def by_product(erasures: tuple[Erasure, ...]) -> dict[str, tuple[str, int, int]]:
    return {each.product: (each.state, each.rows, each.versions) for each in erasures}


EXPECTED = {
    "partner.clients": ("impossible", 0, 0),
    "people.persons": ("erased", 1, 1),
    "shop.visits": ("erased", 2, 1),
    "shop.regions": ("counted", 0, 0),
}


def test_a_preview_finds_the_person_and_changes_nothing(mesh: Settings, connection: duckdb.DuckDBPyConnection) -> None:
    assert by_product(find("3", open_mesh(mesh), mesh, connection=connection)) == EXPECTED
    assert rows(mesh, "SELECT count(*) FROM people.persons WHERE person_id = 3") == [(1,)]
    assert not (mesh.home / "erased").exists()


def test_the_person_is_gone_everywhere_and_stays_gone(mesh: Settings, connection: duckdb.DuckDBPyConnection) -> None:
    opened, now = open_mesh(mesh), datetime.now(UTC)
    running = ask(mesh, "SELECT person_id FROM people.persons ORDER BY 1")
    erasures = erase("3", opened, mesh, connection=connection, now=now)
    assert by_product(erasures) == EXPECTED
    assert rows(mesh, "SELECT count(*), count(*) FILTER (person_id = 3) FROM people.persons") == [(9, 0)]
    assert rows(mesh, "SELECT count(*) FILTER (person_id = 3) FROM shop.visits") == [(0,)]
    assert running.table().num_rows == 10

    retire_erased(erasures, opened, mesh, now=datetime.now(UTC) + timedelta(seconds=301))
    for name in ("people.persons", "shop.visits"):
        assert len(open_storage(opened.products[name], mesh).versions()) == 1

    refresh(mesh)
    assert rows(mesh, "SELECT count(*) FILTER (person_id = 3) FROM people.persons") == [(0,)]
    assert rows(mesh, "SELECT sum(persons) FROM shop.regions") == [(9,)]
    assert by_product(find("3", open_mesh(mesh), mesh, connection=connection)) == {
        **dict.fromkeys(("people.persons", "shop.visits"), ("absent", 0, 0)),
        "partner.clients": ("impossible", 0, 0),
    }


def test_the_key_itself_is_kept_nowhere(mesh: Settings, connection: duckdb.DuckDBPyConnection) -> None:
    erase("person-4711", open_mesh(mesh), mesh, connection=connection, now=datetime.now(UTC))
    file = mesh.home / "erased" / "persons.json"
    assert "4711" not in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600


def test_what_a_query_may_be_reading_goes_with_a_later_sweep(
    mesh: Settings, connection: duckdb.DuckDBPyConnection
) -> None:
    opened = open_mesh(mesh)
    erase("3", opened, mesh, connection=connection, now=datetime.now(UTC))
    product = opened.products["people.persons"]
    sweep(product, opened.standards, mesh, now=datetime.now(UTC))
    assert len(open_storage(product, mesh).versions()) == 3
    sweep(product, opened.standards, mesh, now=datetime.now(UTC) + timedelta(seconds=301))
    assert len(open_storage(product, mesh).versions()) == 1


def test_a_key_is_no_piece_of_sql(mesh: Settings, connection: duckdb.DuckDBPyConnection) -> None:
    found = by_product(find("3' OR '1'='1", open_mesh(mesh), mesh, connection=connection))
    assert found["people.persons"] == ("absent", 0, 0)


WAITS = """@data_product()
def persons():
    import pathlib, time
    pathlib.Path({begun!r}).touch()
    while pathlib.Path({hold!r}).exists():
        time.sleep(0.02)
    return "SELECT n AS person_id, 'north' AS region FROM range(1, 6) AS numbers(n)"
"""


def test_a_step_that_began_before_does_not_bring_the_person_back(tmp_path: Path) -> None:
    """It read who was erased before the person was; the erasure waits for it, and then finds the person."""
    begun, hold = tmp_path / "begun", tmp_path / "hold"
    people = {"contracts/persons.odcs.yaml": contract("people.persons")["contracts/persons.odcs.yaml"]}
    people |= python("persons", WAITS.format(begun=str(begun), hold=str(hold)))
    domains = two_domains(people=people)
    del domains["people"]["products/persons.sql"]
    settings = settings_of(tmp_path / "mesh", domains)
    refresh(settings, "people")
    hold.touch()
    begun.unlink()
    step = threading.Thread(target=refresh, args=(settings, "people"))
    step.start()
    while not begun.exists():
        time.sleep(0.02)
    threading.Timer(1, hold.unlink).start()
    with duckdb.connect() as connection:
        erasures = erase("3", open_mesh(settings), settings, connection=connection, now=datetime.now(UTC))
    step.join()
    assert by_product(erasures)["people.persons"] == ("erased", 1, 1)
    assert rows(settings, "SELECT count(*), count(*) FILTER (person_id = 3) FROM people.persons") == [(4, 0)]
