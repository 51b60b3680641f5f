"""A mesh with something in quarantine, made once and copied for each test; and the few calls that all such tests make."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from mesh_defs.ledger import Ledger
from mesh_defs.query.mesh import open_mesh, open_storage
from mesh_defs.settings import Settings, load_settings
from mesh_defs.storage.base import Refused, Storage
from mesh_defs.upkeep.quarantined import Custody
from mesh_defs.upkeep.release import Release, release
from tests.meshes import PEOPLE, PERSON, contract, refresh, rows, settings_of, sql

NAME, OWNER = "people.persons", "service:people"
KNOWN = (
    "{name: known, type: custom, engine: greatExpectations,"
    " implementation: {type: expect_column_values_to_be_in_set, kwargs: {column: region, value_set: [north, south]}}}"
)
SAMPLES = "{property: samples, value: true}"
SHOWN_PERSON = PERSON.replace("value: person}", f"value: person}}, {SAMPLES}")
REGION = (
    "{name: region, logicalType: string, required: true, classification: confidential,"
    f" customProperties: [{SAMPLES}]}}"
)
ONE_BAD = f"{PEOPLE} UNION ALL SELECT 11, 'west'"
COUNT = "SELECT count(*), count(*) FILTER (region = 'west') FROM people.persons"


def persons(select: str, *, cap: float | None, **more: object) -> dict[str, str]:
    """Ten persons who live in the north or the south; nobody may live in the west."""
    custom = (f"{{property: quarantineFractionMax, value: {cap}}}",) if cap else ()
    given = {"columns": (SHOWN_PERSON, REGION), "quality": (KNOWN,), "custom": custom, **more}
    return {**contract(NAME, **given), **sql("persons", select)}  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def batch_template(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Ten good persons are published; then a batch of eleven, one of whom lives in the west, is refused whole."""
    settings = settings_of(Path(tmp_path_factory.mktemp("batch")) / "mesh", {"people": persons(PEOPLE, cap=None)})
    assert refresh(settings)[NAME].state == "published"
    (settings.root / "domains/people/products/persons.sql").write_text(ONE_BAD)
    assert refresh(settings)[NAME].state == "failed"
    open_mesh(settings)
    return settings


@pytest.fixture(scope="module")
def rows_template(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Ten good persons are published; one who lives in the west was left out."""
    settings = settings_of(Path(tmp_path_factory.mktemp("rows")) / "mesh", {"people": persons(ONE_BAD, cap=0.1)})
    assert refresh(settings)[NAME].state == "published"
    open_mesh(settings)
    return settings


def copied(template: Settings, tmp_path: Path) -> Settings:
    """The same declarations, so that nothing is compiled again, and a state of its own."""
    shutil.copytree(template.home, tmp_path / "home")
    return load_settings({"MESH_ROOT": str(template.root), "MESH_HOME": str(tmp_path / "home")})


@pytest.fixture
def batch(batch_template: Settings, tmp_path: Path) -> Settings:
    return copied(batch_template, tmp_path)


@pytest.fixture
def left_out(rows_template: Settings, tmp_path: Path) -> Settings:
    return copied(rows_template, tmp_path)


@pytest.fixture(params=["batch", "left_out"])
def either(request: pytest.FixtureRequest) -> Settings:
    settings: Settings = request.getfixturevalue(request.param)
    return settings


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        yield connection


def custody(settings: Settings, connection: duckdb.DuckDBPyConnection, name: str = NAME) -> Custody:
    mesh = open_mesh(settings)
    return Custody(
        product=mesh.products[name],
        mesh=mesh,
        settings=settings,
        ledger=Ledger(settings.ledger_url),
        connection=connection,
        clock=lambda: datetime.now(UTC),
    )


def mended(settings: Settings, connection: duckdb.DuckDBPyConnection) -> Custody:
    """Custody under a contract that was wrong, not the data: it knows the west now."""
    held = custody(settings, connection)
    west = [
        replace(each, kwargs={**each.kwargs, "value_set": ["north", "south", "west"]}) if each.name == "known" else each
        for each in held.product.contract.expectations
    ]
    contract = replace(held.product.contract, expectations=tuple(west), version="2.0.0")
    return replace(held, product=replace(held.product, contract=contract))


def let_go(held: Custody, **how: object) -> Release:
    """Release the newest."""
    return release(held, held.storage.refused()[0].id, **how)  # type: ignore[arg-type]


def storage_of(settings: Settings, name: str = NAME) -> Storage:
    return open_storage(open_mesh(settings).products[name], settings)


def refused(settings: Settings, name: str = NAME) -> tuple[Refused, ...]:
    return storage_of(settings, name).refused()


def seen(settings: Settings) -> tuple[object, ...]:
    """How many persons a reader sees, and how many of them live in the west."""
    return rows(settings, COUNT, who=OWNER)[0]


def noted(settings: Settings) -> list[str]:
    return [entry.kind for entry in Ledger(settings.ledger_url).entries() if entry.kind.startswith("quarantine")]
