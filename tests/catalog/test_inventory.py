"""What `mesh inventory` lists: real tables, folders and files, with the contract that names each, or none."""

import json
from pathlib import Path
from urllib.parse import quote

import deltalake
import psycopg
import pyarrow as pa
import pytest
from click.testing import CliRunner

from mesh_defs.catalog.inventory import Lying, inventory, locate
from mesh_defs.cli.main import mesh as command
from mesh_defs.errors import NotFoundError, StorageError
from mesh_defs.model.place import S3Access
from mesh_defs.query.mesh import open_mesh
from mesh_defs.settings import Settings, load_settings
from tests.authoring.test_external import IN_FOLDER, IN_POSTGRES, external
from tests.meshes import contract, refresh, settings_of, sql
from tests.storage.sources import duckdb_file, parquet, postgres_says, s3

TWO = "SELECT 1::BIGINT AS id, 'ann' AS name UNION ALL SELECT 2, 'bob'"


def found_in(settings: Settings, location: str, domain: str | None = None) -> dict[str, Lying]:
    mesh = open_mesh(settings)
    return {
        each.listed.name: each for each in inventory(locate(location, mesh, settings, domain=domain), mesh, settings)
    }


def test_a_domains_folder_with_what_is_named_and_what_is_not(tmp_path: Path) -> None:
    own = {**contract("crm.persons"), **sql("persons", "SELECT 1 AS person_id, 'n' AS region")}
    settings = settings_of(tmp_path / "mesh", {"crm": {**external("crm.people", IN_FOLDER), **own}})
    root = settings.storage_root("crm", open_mesh(settings).domains["crm"].storage)
    parquet(root / "exports" / "people" / "a.parquet", TWO)
    parquet(root / "exports" / "orders" / "day=2026-11-01" / "a.parquet", TWO)
    parquet(root / "exports" / "orders" / "day=2026-11-02" / "a.parquet", TWO)
    parquet(root / "single.parquet", TWO)
    deltalake.write_deltalake(str(root / "lake" / "t"), pa.table({"id": [1, 2, 3]}))
    duckdb_file(root / "crm.duckdb", "CREATE TABLE a AS SELECT 1 AS x", 'CREATE TABLE "b c" AS SELECT 1 AS x, 2 AS y')
    (root / "README.md").write_text("x")
    (root / "broken.parquet").write_bytes(b"PAR1")
    refresh(settings, "crm.persons")
    found = found_in(settings, "crm")
    assert {name: (each.listed.server.kind, each.listed.rows, each.listed.columns) for name, each in found.items()} == {
        "exports/people": ("parquet", 2, 2),
        "exports/orders": ("parquet", 4, 3),
        "single.parquet": ("parquet", 2, 2),
        "lake/t": ("delta", 3, 1),
        "crm.duckdb/main.a": ("duckdb", 1, 1),
        "crm.duckdb/main.b c": ("duckdb", 1, 2),
        "broken.parquet": ("parquet", None, None),
        "persons": ("parquet", None, None),
    }
    assert {name: each.products for name, each in found.items() if each.products} == {
        "exports/people": ("crm.people",),
        "persons": ("crm.persons",),
    }
    assert found["broken.parquet"].listed.trouble and found["persons"].listed.ours


def test_a_postgres_with_tables_that_no_contract_names(tmp_path: Path, postgres: str) -> None:
    postgres_says(
        postgres,
        "CREATE SCHEMA crm",
        "CREATE TABLE crm.people AS SELECT n AS id, 'x' AS name FROM generate_series(1, 1000) n",
        'CREATE TABLE crm."Odd ""Table"": 1" (id int)',
        "CREATE VIEW crm.seen AS SELECT 1 AS one",
        "CREATE TABLE crm.log (id int) PARTITION BY RANGE (id)",
        "CREATE TABLE crm.log_1 PARTITION OF crm.log FOR VALUES FROM (0) TO (9)",
        "ANALYZE crm.people",
    )
    settings_of(tmp_path / "mesh", {"crm": external("crm.people", IN_POSTGRES, table="people")})
    settings = load_settings({"MESH_ROOT": str(tmp_path / "mesh"), "MESH_CRM_POSTGRES": postgres})
    told = psycopg.conninfo.conninfo_to_dict(postgres)
    url = f"postgresql://{told['user']}@/{told['dbname']}?host={quote(str(told['host']), safe='')}"
    for location in ("crm", url):
        found = found_in(settings, location)
        assert set(found) == {"crm.people", 'crm.Odd "Table": 1', "crm.seen", "crm.log"}
        assert {name for name, each in found.items() if each.products} == {"crm.people"}
        people = found["crm.people"].listed
        assert (people.rows, people.rows_are_exact, people.columns) == (1000, False, 2)
        assert people.bytes is not None and people.bytes > 8192


def test_a_bucket_as_its_domain_reaches_it(tmp_path: Path, s3_server: S3Access, bucket: str) -> None:
    server = {"server": "local", "type": "s3", "location": f"s3://{bucket}/exports/people", "format": "parquet"}
    settings_of(tmp_path / "mesh", {"crm": external("crm.people", server)})
    endpoint = str(s3_server.endpoint).replace("http://", f"http://{s3_server.key}:{s3_server.secret}@")
    settings = load_settings({"MESH_ROOT": str(tmp_path / "mesh"), "MESH_CRM_S3": endpoint})
    client = s3(s3_server)
    client.upload_file(str(parquet(tmp_path / "a.parquet", TWO)), bucket, "exports/people/a.parquet")
    client.upload_file(str(tmp_path / "a.parquet"), bucket, "exports/orders/a.parquet")
    found = found_in(settings, f"s3://{bucket}/exports")
    assert {name: (each.listed.rows, each.products) for name, each in found.items()} == {
        "people": (2, ("crm.people",)),
        "orders": (2, ()),
    }
    assert {name: each.products for name, each in found_in(settings, "crm").items()} == {
        "people": ("crm.people",),
        "orders": (),
    }


def test_an_unknown_location_and_a_dead_postgres_say_so_without_a_password(tmp_path: Path) -> None:
    settings = settings_of(tmp_path / "mesh", {"crm": external("crm.people", IN_FOLDER)})
    with pytest.raises(NotFoundError, match="nothing is at 'nowhere'"):
        found_in(settings, "nowhere")
    with pytest.raises(StorageError) as caught:
        found_in(settings, "postgresql://u:hush-hush@127.0.0.1:1/db")
    assert "hush" not in str(caught.value)


def test_an_empty_folder_lists_nothing(tmp_path: Path) -> None:
    settings = settings_of(tmp_path / "mesh", {"crm": external("crm.people", IN_FOLDER)})
    (tmp_path / "empty").mkdir()
    assert found_in(settings, str(tmp_path / "empty")) == {}
    assert found_in(settings, "crm") == {}


def test_the_command_prints_a_table_and_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_of(tmp_path / "mesh", {"crm": external("crm.people", IN_FOLDER)})
    monkeypatch.setenv("MESH_ROOT", str(settings.root))
    parquet(tmp_path / "files" / "or\nders" / "a.parquet", TWO)
    run = CliRunner().invoke(command, ["inventory", str(tmp_path / "files")])
    assert run.exit_code == 0 and "no contract" in run.output and "1 objects, 1 without a contract" in run.output
    told = json.loads(CliRunner().invoke(command, ["inventory", str(tmp_path / "files"), "--json"]).stdout)
    assert told[0]["name"] == "or\nders" and told[0]["products"] == []
