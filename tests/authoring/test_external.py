"""External products in a mesh: observed and checked, catalogued, governed, queried in place, never made."""

import json
import os
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml

from mesh_defs.catalog.describe import product_page, product_rows
from mesh_defs.catalog.loader import load_definitions
from mesh_defs.documents.workspace import read_workspace
from mesh_defs.errors import DeclarationError, NotFoundError, StorageError
from mesh_defs.query.mesh import open_mesh, open_storage
from mesh_defs.settings import Settings, load_settings
from tests.meshes import REGION, contract, derived, grants, refresh, rows, settings_of, sql
from tests.storage.sources import duckdb_file, parquet, postgres_says

TO_ADA = "{id: analysts, roles: [analyst], purposes: [measurement]}"
TO_SHOP = "{id: shop, principals: ['service:shop'], purposes: [measurement]}"
IN_FOLDER = {"server": "local", "type": "local", "path": "exports/people", "format": "parquet"}
IN_POSTGRES = {"server": "local", "type": "postgres", "schema": "crm"}


def external(product: str, server: dict[str, str], *, table: str | None = None, **more: Any) -> dict[str, str]:
    """The contract of an external product, by its path."""
    [(path, text)] = contract(product, custom=("{property: external, value: true}",), **more).items()
    document = yaml.safe_load(text)
    document["servers"] = [server]
    if table:
        document["schema"][0]["physicalName"] = table
    return {path: yaml.safe_dump(document)}


def mesh(root: Path, people: dict[str, str], **shop: str) -> Settings:
    """`crm.people`, external, and `shop.regions`, which is made from it across domains."""
    region = derived(
        "shop.regions",
        grain="region",
        columns=(REGION, "{name: persons, logicalType: integer, required: true}"),
        granularity="aggregate",
    )
    select = "SELECT region, count(*) AS persons FROM crm.people GROUP BY region"
    crm = {**people, **grants("crm.people", TO_ADA, TO_SHOP)}
    return settings_of(
        root / "mesh", {"crm": crm, "shop": {**region, **sql("regions", select), **grants("shop.regions", TO_ADA)}}
    )


def put(settings: Settings, select: str, name: str = "a") -> Path:
    """Write a file as the other system."""
    root = settings.storage_root("crm", open_mesh(settings).domains["crm"].storage)
    return parquet(root / "exports" / "people" / f"{name}.parquet", select)


GOOD = "SELECT n::INTEGER AS person_id, ['n', 's'][1 + n % 2] AS region, 'x' AS secret_note FROM range(10) t(n)"


@pytest.fixture
def folder_mesh(tmp_path: Path) -> Settings:
    settings = mesh(tmp_path, external("crm.people", IN_FOLDER))
    put(settings, GOOD)
    return settings


def test_is_observed_and_what_is_made_from_it_published(folder_mesh: Settings) -> None:
    outcomes = refresh(folder_mesh)
    assert {name: each.state for name, each in outcomes.items()} == {
        "crm.people": "observed",
        "shop.regions": "published",
    }
    assert rows(folder_mesh, "SELECT sum(persons) FROM shop.regions") == [(10,)]


def test_is_queried_in_place_under_its_grants_and_columns(folder_mesh: Settings) -> None:
    assert rows(folder_mesh, "SELECT count(*), max(person_id) FROM crm.people") == [(10, 9)]
    assert [len(row) for row in rows(folder_mesh, "SELECT * FROM crm.people LIMIT 1")] == [2]
    with pytest.raises(NotFoundError, match="not found or not permitted"):
        rows(folder_mesh, "SELECT count(*) FROM crm.people", who="guest")


def test_the_catalog_shows_the_last_observation(folder_mesh: Settings) -> None:
    before = product_page(open_mesh(folder_mesh), folder_mesh, "crm.people")
    assert before["external"] and before["observed_at"] is None and before["rows"] is None
    refresh(folder_mesh, "crm.people")
    page = product_page(open_mesh(folder_mesh), folder_mesh, "crm.people")
    assert (page["rows"], page["freshness"], page["made_with"]) == (10, "fresh", "external")
    assert page["observed_at"] is not None
    outcomes = {check["name"]: check["passed"] for check in page["check_list"]}
    assert outcomes["schema_as_promised"] and outcomes["fresh_as_promised"] and all(outcomes.values())
    [row] = product_rows(open_mesh(folder_mesh), folder_mesh, domain="crm")
    assert row["checks"]["failed"] == 0 and row["checks"]["passed"] == row["checks"]["promised"]


def test_rows_that_break_a_promise_stop_what_is_downstream(folder_mesh: Settings) -> None:
    refresh(folder_mesh)
    put(folder_mesh, "SELECT 3::INTEGER AS person_id, 'n' AS region", name="b")
    outcomes = refresh(folder_mesh)
    assert outcomes["crm.people"].state == "failed"
    assert "nothing downstream is made of it" in outcomes["crm.people"].told
    assert outcomes["shop.regions"].state == "stopped"
    page = product_page(open_mesh(folder_mesh), folder_mesh, "crm.people")
    assert page["checks"]["failed"] == 1 and page["rows"] == 11
    assert rows(folder_mesh, "SELECT sum(persons) FROM shop.regions") == [(10,)]


def test_a_lost_column_is_found_named_and_mended(folder_mesh: Settings) -> None:
    refresh(folder_mesh)
    file = put(folder_mesh, "SELECT 1::INTEGER AS person_id, 'n' AS regio")
    outcome = refresh(folder_mesh, "crm.people")["crm.people"]
    assert outcome.state == "failed" and "'region' is missing" in outcome.told
    page = product_page(open_mesh(folder_mesh), folder_mesh, "crm.people")
    assert [c["passed"] for c in page["check_list"] if c["name"] == "schema_as_promised"] == [False]
    with pytest.raises(StorageError, match="the promised column 'region' is missing"):
        rows(folder_mesh, "SELECT count(*) FROM crm.people")
    file.unlink()
    put(folder_mesh, GOOD)
    assert refresh(folder_mesh, "crm.people")["crm.people"].state == "observed"


def test_a_source_that_is_gone_keeps_what_was_last_known(folder_mesh: Settings) -> None:
    refresh(folder_mesh)
    put(folder_mesh, GOOD).unlink()
    outcome = refresh(folder_mesh, "crm.people")["crm.people"]
    assert outcome.state == "failed" and "no Parquet file lies there" in outcome.told
    page = product_page(open_mesh(folder_mesh), folder_mesh, "crm.people")
    assert page["rows"] == 10 and "no Parquet file lies there" in page["trouble"]


def test_a_damaged_observation_is_told_and_replaced_at_the_next_look(folder_mesh: Settings) -> None:
    refresh(folder_mesh, "crm.people")
    file = folder_mesh.home / "observed" / "crm.people.json"
    file.write_text("{")
    assert "damaged" in product_page(open_mesh(folder_mesh), folder_mesh, "crm.people")["trouble"]
    refresh(folder_mesh, "crm.people")
    assert json.loads(file.read_text())["rows"] == 10
    assert [each.name for each in file.parent.iterdir()] == ["crm.people.json"]


def test_old_rows_are_late_but_are_served(folder_mesh: Settings) -> None:
    os.utime(put(folder_mesh, GOOD), (1_600_000_000, 1_600_000_000))
    assert refresh(folder_mesh, "crm.people")["crm.people"].state == "observed"
    page = product_page(open_mesh(folder_mesh), folder_mesh, "crm.people")
    assert page["freshness"] == "late"
    assert [c["passed"] for c in page["check_list"] if c["name"] == "fresh_as_promised"] == [False]


def test_nothing_writes_to_an_external_product(folder_mesh: Settings) -> None:
    product = open_mesh(folder_mesh).products["crm.people"]
    with pytest.raises(StorageError, match="is external: it has no storage here"):
        open_storage(product, folder_mesh, write=True)


def test_a_postgres_table_is_observed_by_its_rows(
    tmp_path: Path, postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    postgres_says(
        postgres,
        "CREATE SCHEMA crm",
        'CREATE TABLE crm."All People" (person_id int, region text, secret_note text)',
        "INSERT INTO crm.\"All People\" SELECT n, CASE n % 2 WHEN 1 THEN 'n' ELSE 's' END, 'x' FROM generate_series(1, 10) n",
    )
    mesh(tmp_path, external("crm.people", IN_POSTGRES, table="All People"))
    monkeypatch.setenv("MESH_CRM_POSTGRES", postgres)
    settings = load_settings({"MESH_ROOT": str(tmp_path / "mesh"), "MESH_CRM_POSTGRES": postgres})
    monkeypatch.setenv("MESH_ROOT", str(tmp_path / "mesh"))
    assert {each.state for each in refresh(settings).values()} == {"observed", "published"}
    assert rows(settings, "SELECT count(*) FROM crm.people WHERE region = 'n'") == [(5,)]
    first = json.loads((settings.home / "observed" / "crm.people.json").read_text())
    refresh(settings, "crm.people")
    again = json.loads((settings.home / "observed" / "crm.people.json").read_text())
    assert (first["data_version"], first["changed_at"]) == (again["data_version"], again["changed_at"])
    postgres_says(postgres, 'ALTER TABLE crm."All People" DROP COLUMN region')
    outcome = refresh(settings, "crm.people")["crm.people"]
    assert outcome.state == "failed" and "'region' is missing" in outcome.told
    assert "password" not in outcome.told and postgres not in outcome.told


def test_an_external_duckdb_file_feeds_its_own_domain(tmp_path: Path) -> None:
    people = external(
        "crm.people",
        {"server": "local", "type": "duckdb", "database": "in/crm.duckdb", "schema": "main"},
        table="people",
    )
    grain = derived("crm.regions", grain="region", columns=(REGION,), granularity="aggregate")
    own = {**grain, **sql("regions", "SELECT DISTINCT region FROM crm.people")}
    settings = mesh(tmp_path, {**people, **own})
    root = settings.storage_root("crm", open_mesh(settings).domains["crm"].storage)
    duckdb_file(root / "in" / "crm.duckdb", f"CREATE TABLE people AS {GOOD}")
    outcomes = refresh(settings)
    assert {name: each.state for name, each in outcomes.items()} == {
        "crm.people": "observed",
        "crm.regions": "published",
        "shop.regions": "published",
    }


def test_in_one_run_what_is_downstream_of_a_failed_look_does_not_run(tmp_path: Path) -> None:
    grain = derived("crm.regions", grain="region", columns=(REGION,), granularity="aggregate")
    own = {**grain, **sql("regions", "SELECT DISTINCT region FROM crm.people")}
    settings = mesh(tmp_path, {**external("crm.people", IN_FOLDER), **own})
    put(settings, "SELECT NULL::INTEGER AS person_id, 'n' AS region")
    outcomes = refresh(settings)
    assert {name: each.state for name, each in outcomes.items()} == {
        "crm.people": "failed",
        "crm.regions": "stopped",
        "shop.regions": "stopped",
    }


def test_a_product_file_for_an_external_product_is_a_finding(tmp_path: Path) -> None:
    with pytest.raises(DeclarationError, match=r"makes crm.people, which is external"):
        both = {**external("crm.people", IN_FOLDER), **sql("people", "SELECT 1 AS person_id, 'n' AS region")}
        settings = mesh(tmp_path, both)
        definitions_of(settings, "crm")


def definitions_of(settings: Settings, name: str) -> dg.Definitions:
    [location] = [each for each in read_workspace(settings.root) if each.name == name]
    return load_definitions(location)


def test_two_tables_of_one_schema_are_two_products_but_one_table_is_one(tmp_path: Path) -> None:
    people = external("crm.people", IN_POSTGRES, table="people")
    orders = external("crm.orders", IN_POSTGRES, table="orders")
    same = external("crm.again", IN_POSTGRES, table="people")
    definitions_of(mesh(tmp_path / "a", {**people, **orders}), "crm")
    with pytest.raises(DeclarationError, match="lies where"):
        definitions_of(mesh(tmp_path / "b", {**people, **same}), "crm")


def test_is_looked_at_every_hour_unless_its_contract_says_otherwise(tmp_path: Path) -> None:
    definitions = definitions_of(mesh(tmp_path, external("crm.people", IN_FOLDER)), "crm")
    [schedule] = [each for each in definitions.schedules or () if each.name.startswith("crm_schedule")]
    assert isinstance(schedule, dg.ScheduleDefinition)
    assert (schedule.cron_schedule, schedule.default_status.value) == ("0 * * * *", "RUNNING")
    job = definitions.resolve_job_def(schedule.job_name)
    instance = dg.DagsterInstance.ephemeral()
    assert not job.execute_in_process(instance=instance, raise_on_error=False).success


def test_only_news_of_sound_rows_makes_what_is_downstream(tmp_path: Path) -> None:
    grain = derived("crm.regions", grain="region", columns=(REGION,), granularity="aggregate")
    own = {**grain, **sql("regions", "SELECT DISTINCT region FROM crm.people")}
    settings = mesh(tmp_path, {**external("crm.people", IN_FOLDER), **own})
    put(settings, GOOD)
    definitions = definitions_of(settings, "crm")
    instance = dg.DagsterInstance.ephemeral()
    job = definitions.resolve_implicit_global_asset_job_def()
    key = dg.AssetKey(["crm", "people"])
    cursor: Any = None

    def look() -> bool:
        run = job.execute_in_process(instance=instance, asset_selection=[key], raise_on_error=False)
        return bool(run.success)

    def requested() -> int:
        nonlocal cursor
        told = dg.evaluate_automation_conditions(definitions, instance, cursor=cursor)
        cursor = told.cursor
        return int(told.get_num_requested(dg.AssetKey(["crm", "regions"])))

    requested()
    assert look() and requested() == 1
    job.execute_in_process(instance=instance, asset_selection=[dg.AssetKey(["crm", "regions"])])
    requested()
    assert look() and requested() == 0, "the same rows are no news"
    put(settings, "SELECT NULL::INTEGER AS person_id, 'n' AS region", name="bad")
    assert not look() and requested() == 0
    put(settings, "SELECT 99::INTEGER AS person_id, 'w' AS region", name="bad")
    assert look() and requested() == 1


def test_the_gate_crosses_a_process(folder_mesh: Settings) -> None:
    condition = definitions_of(folder_mesh, "shop").resolve_asset_graph().get(dg.AssetKey(["shop", "regions"]))
    text = dg.serialize_value(condition.automation_condition)
    assert "external" in text
