"""A product moves to another storage behind the same contract."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from mesh_defs.errors import StorageError
from mesh_defs.model.mesh import DataProduct
from mesh_defs.query.mesh import open_mesh, open_storage, served_from
from mesh_defs.settings import Settings
from mesh_defs.storage.places import publishing
from mesh_defs.upkeep.renovate import Renovation, renovate
from mesh_defs.upkeep.sweep import sweep
from tests.meshes import PEOPLE, PERSON, REGION, ask, contract, refresh, rows, settings_of, sql, two_domains

PERSONS = "domains/people/contracts/persons.odcs.yaml"
COUNT = "SELECT count(*), sum(person_id) FROM people.persons"


@pytest.fixture
def mesh(tmp_path: Path) -> Settings:
    """`people.persons` in DuckDB, published twice, and `shop.regions` made from it."""
    settings = settings_of(tmp_path / "mesh", two_domains())
    for last in (11, 21):
        edit(settings, "domains/people/products/persons.sql", "range(1, 11)", f"range(1, {last})")
        refresh(settings)
    return settings


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        yield connection


def edit(settings: Settings, file: str, old: str, new: str) -> None:
    path = settings.root / file
    path.write_text(path.read_text().replace(old, new))


def persons(settings: Settings) -> DataProduct:
    return open_mesh(settings).products["people.persons"]


def move_to_parquet(settings: Settings) -> None:
    """The one line of the contract."""
    edit(
        settings,
        PERSONS,
        "type: duckdb, database: persons, schema: main",
        "type: local, path: persons_lake, format: parquet",
    )


def move(settings: Settings, connection: duckdb.DuckDBPyConnection, *, back: bool = False) -> Renovation:
    return renovate(persons(settings), settings, connection=connection, now=lambda: datetime.now(UTC), back=back)


def test_until_it_is_renovated_a_product_stays_where_it_is(mesh: Settings) -> None:
    move_to_parquet(mesh)
    assert rows(mesh, COUNT) == [(20, 210)]
    refresh(mesh, "people")
    assert served_from(persons(mesh).contract, mesh).server.kind == "duckdb"
    assert rows(mesh, COUNT) == [(20, 210)]


def test_moving_carries_history_and_times_and_changes_no_answer(
    mesh: Settings, connection: duckdb.DuckDBPyConnection
) -> None:
    before = open_storage(persons(mesh), mesh).versions()
    move_to_parquet(mesh)
    moved = move(mesh, connection)
    assert (moved.moved, moved.versions, moved.new.kind) == (True, 2, "parquet")
    after = open_storage(persons(mesh), mesh).versions()
    assert [version.published_at for version in after] == [version.published_at for version in before]
    assert [version.rows for version in after] == [20, 10]
    assert after[0].data_version == before[0].data_version
    assert rows(mesh, COUNT) == [(20, 210)]
    refresh(mesh)
    assert rows(mesh, "SELECT sum(persons) FROM shop.regions") == [(20,)]
    assert move(mesh, connection).moved is False


def test_a_running_query_reads_on_at_the_old_place(mesh: Settings, connection: duckdb.DuckDBPyConnection) -> None:
    move_to_parquet(mesh)
    answer = ask(mesh, "SELECT person_id FROM people.persons ORDER BY 1")
    move(mesh, connection)
    sweep(persons(mesh), open_mesh(mesh).standards, mesh, now=datetime.now(UTC))
    assert answer.table().num_rows == 20


def test_there_is_a_way_back_until_the_old_place_is_retired(
    mesh: Settings, connection: duckdb.DuckDBPyConnection
) -> None:
    move_to_parquet(mesh)
    move(mesh, connection)
    edit(mesh, "domains/people/products/persons.sql", "range(1, 21)", "range(1, 31)")
    refresh(mesh, "people")
    returned = move(mesh, connection, back=True)
    assert (returned.versions, returned.new.kind) == (1, "duckdb")
    assert rows(mesh, COUNT) == [(30, 465)]
    assert move(mesh, connection).versions == 0
    old = mesh.storage_root("people", "storage/people") / "persons"
    assert old.is_dir()
    sweep(persons(mesh), open_mesh(mesh).standards, mesh, now=datetime.now(UTC) + timedelta(days=2))
    assert not old.exists()
    assert rows(mesh, COUNT) == [(30, 465)]
    with pytest.raises(StorageError, match="no place to go back to"):
        move(mesh, connection, back=True)


def test_places_of_moves_in_quick_succession_are_all_retired(
    mesh: Settings, connection: duckdb.DuckDBPyConnection
) -> None:
    """A place that is forgotten keeps for ever what it holds, erased persons too."""
    move_to_parquet(mesh)
    move(mesh, connection)
    edit(mesh, PERSONS, "persons_lake", "persons_pond")
    assert move(mesh, connection).versions == 2
    edit(mesh, PERSONS, "persons_pond", "persons_lake")
    assert move(mesh, connection).versions == 0
    root = mesh.storage_root("people", "storage/people")
    assert {path.name for path in root.iterdir()} == {"persons", "persons_lake", "persons_pond"}
    sweep(persons(mesh), open_mesh(mesh).standards, mesh, now=datetime.now(UTC) + timedelta(days=2))
    assert {path.name for path in root.iterdir()} == {"persons_lake"}
    assert rows(mesh, COUNT) == [(20, 210)]


def test_what_is_published_during_the_copy_is_carried_too(
    mesh: Settings, connection: duckdb.DuckDBPyConnection
) -> None:
    move_to_parquet(mesh)
    product, waiting = persons(mesh), threading.Event()

    def publish_once(version: object) -> None:
        if not waiting.is_set():
            waiting.set()
            edit(mesh, "domains/people/products/persons.sql", "range(1, 21)", "range(1, 41)")
            refresh(mesh, "people.persons")

    moved = renovate(product, mesh, connection=connection, now=lambda: datetime.now(UTC), report=publish_once)
    assert moved.versions == 3
    assert rows(mesh, COUNT) == [(40, 820)]


def test_a_step_that_is_writing_is_waited_for(mesh: Settings, connection: duckdb.DuckDBPyConnection) -> None:
    move_to_parquet(mesh)
    order: list[str] = []
    with publishing(mesh.places_folder, "people.persons"):
        mover = threading.Thread(target=lambda: order.append("moved" if move(mesh, connection).moved else "not"))
        mover.start()
        mover.join(timeout=1)
        order.append("published")
    mover.join(timeout=60)
    assert order == ["published", "moved"]


def test_a_storage_that_cannot_hold_it_leaves_everything_as_it_was(
    tmp_path: Path, connection: duckdb.DuckDBPyConnection
) -> None:
    """Parquet has no INTERVAL with microseconds."""
    age = "{name: age, logicalType: string, physicalType: INTERVAL}"
    people = {
        **contract("people.persons", storage="duckdb", columns=(PERSON, REGION, age)),
        **sql("persons", f"SELECT *, INTERVAL 3 DAY AS age FROM ({PEOPLE})"),
    }
    settings = settings_of(tmp_path / "mesh", two_domains(people=people))
    assert refresh(settings, "people")["people.persons"].state == "published"
    move_to_parquet(settings)
    with pytest.raises(StorageError, match="INTERVAL"):
        move(settings, connection)
    assert served_from(persons(settings).contract, settings).server.kind == "duckdb"
    assert rows(settings, "SELECT count(*) FROM people.persons") == [(10,)]


def test_a_move_that_was_given_up_leaves_nothing_behind(mesh: Settings, connection: duckdb.DuckDBPyConnection) -> None:
    """Killed on its way to one place, and then sent to another."""
    move_to_parquet(mesh)

    def die(version: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        seen: list[object] = []

        def die_later(version: object) -> None:
            seen.append(version)
            if len(seen) > 1:
                die(version)

        renovate(persons(mesh), mesh, connection=connection, now=lambda: datetime.now(UTC), report=die_later)
    lake = mesh.storage_root("people", "storage/people") / "persons_lake"
    assert lake.is_dir()
    edit(mesh, PERSONS, "path: persons_lake", "path: persons_elsewhere")
    assert move(mesh, connection).versions == 2
    sweep(persons(mesh), open_mesh(mesh).standards, mesh, now=datetime.now(UTC) + timedelta(days=2))
    assert not lake.exists()
    assert rows(mesh, COUNT) == [(20, 210)]
