"""The folder that a Trino is configured by: what it says, what it keeps to itself, and that it settles."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from mesh_defs.model.contract import Server, SourceKind
from mesh_defs.model.mesh import Mesh
from mesh_defs.settings import Settings, load_settings
from mesh_defs.trino.config import Config, Sizing, config_of
from mesh_defs.trino.folder import write
from tests.cli.test_commands import mesh as command
from tests.factories import (
    a_column,
    a_contract,
    a_product,
    a_section,
    a_snapshot,
    a_standards,
)
from tests.factories import write as write_file
from tests.meshes import settings_of, two_domains

URL = "postgresql://reader:open%20sesame@db.example:5433/people?sslmode=require"


def a_mesh(kind: SourceKind = "postgres", place: str = "persons", **given: object) -> Mesh:
    server = Server(environment="local", kind=kind, place=place, table=given.pop("table", None))  # type: ignore[arg-type]
    contract = a_contract(servers=(server,), **given)
    return Mesh(a_snapshot(a_section(None, a_product(contract))), a_standards())


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_file(tmp_path, "mesh.yaml", "format: 1\n")
    return tmp_path


def settings_at(root: Path, **variables: str) -> Settings:
    return load_settings({"MESH_ROOT": str(root), "MESH_AUDIENCES_POSTGRES": URL, **variables})


def made(mesh: Mesh, settings: Settings) -> Config:
    return config_of(mesh, settings, Sizing())


def properties(text: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in text.splitlines() if not line.startswith("#"))


def test_a_product_in_postgres_is_reached_by_its_domains_catalog(root: Path) -> None:
    config = made(a_mesh(), settings_at(root))
    assert properties(config.files["etc/catalog/audiences_postgres.properties"]) == {
        "connector.name": "postgresql",
        "connection-url": (
            "jdbc:postgresql://db.example:5433/people?sslmode=require&options=-c%20statement_timeout%3D301000"
        ),
        "connection-user": "reader",
        "connection-password": "${ENV:MESH_TRINO_AUDIENCES_POSTGRES_PASSWORD}",
        "postgresql.array-mapping": "AS_ARRAY",
        "aggregation-pushdown.enabled": "false",
        "complex-expression-pushdown.enabled": "false",
        "join-pushdown.enabled": "false",
        "topn-pushdown.enabled": "false",
    }
    assert config.secrets == {"MESH_TRINO_AUDIENCES_POSTGRES_PASSWORD": "open sesame"}
    (reached,) = config.reached
    assert (reached.schema, reached.table) == ("persons", "v1")


def test_what_readers_are_given_goes_before_what_writers_have(root: Path) -> None:
    read = {"MESH_AUDIENCES_POSTGRES_READ": "postgresql://only_reads@db.example/people"}
    told = properties(made(a_mesh(), settings_at(root, **read)).files["etc/catalog/audiences_postgres.properties"])
    assert told["connection-user"] == "only_reads"
    assert "connection-password" not in told


def test_no_file_holds_a_secret(root: Path) -> None:
    s3 = {"MESH_AUDIENCES_S3": "https://its-key:its-secret@s3.example?region=eu-north-1"}
    for mesh in (a_mesh(), a_mesh("iceberg", "s3://lake/persons"), a_mesh("delta", "s3://lake/d", external=True)):  # type: ignore[arg-type]
        config = made(mesh, settings_at(root, **s3))
        whole = "".join(config.files.values()) + repr(config)
        assert config.reached
        assert not [secret for secret in ("sesame", "its-key", "its-secret") if secret in whole]


def test_a_lake_is_read_through_its_catalog_in_postgres_and_never_written(root: Path) -> None:
    s3 = {"MESH_AUDIENCES_S3": "https://key:secret@s3.example?region=eu-north-1"}
    config = made(a_mesh("iceberg", "s3://lake/audiences/persons"), settings_at(root, **s3))  # type: ignore[arg-type]
    told = properties(config.files["etc/catalog/audiences_iceberg_s3.properties"])
    assert told["iceberg.jdbc-catalog.connection-url"].endswith("/people?sslmode=require&currentSchema=mesh_iceberg")
    assert told["iceberg.security"] == "read_only"
    assert told["s3.endpoint"] == "https://s3.example"
    assert told["s3.aws-secret-key"] == "${ENV:MESH_TRINO_AUDIENCES_S3_SECRET}"
    assert (config.reached[0].schema, config.reached[0].table) == ("audiences", "persons")


def test_a_delta_table_is_named_with_the_place_that_it_must_lead_to(root: Path) -> None:
    config = made(a_mesh("delta", "feeds/it's", external=True), settings_at(root))
    (reached,) = config.reached
    assert (reached.catalog.name, reached.schema, reached.table) == ("audiences_delta", "audiences", "persons")
    assert reached.location == f"file://{root}/.mesh/storage/audiences/feeds/it's"


@pytest.mark.parametrize(("kind", "place"), [("parquet", "persons"), ("s3", "s3://lake/audiences/persons")])
def test_parquet_files_are_reached_by_the_table_that_lists_them(root: Path, kind: SourceKind, place: str) -> None:
    config = made(a_mesh(kind, place), settings_at(root))
    (reached,) = config.reached
    catalog = "audiences_iceberg_s3" if kind == "s3" else "audiences_iceberg"
    assert (reached.catalog.name, reached.schema, reached.table) == (catalog, "audiences_parquet", "persons")


def test_files_of_another_system_and_of_a_domain_without_a_postgres_are_refused(root: Path) -> None:
    theirs = made(a_mesh("parquet", "persons", external=True), settings_at(root))
    assert "no table that keeps its versions" in theirs.refused["audiences.persons"]
    without = made(a_mesh("parquet"), load_settings({"MESH_ROOT": str(root)}))
    assert "set MESH_AUDIENCES_POSTGRES, then `mesh trino register" in without.refused["audiences.persons"]


@pytest.mark.parametrize(
    ("kind", "url", "why"),
    [
        ("duckdb", URL, r"a DuckDB file is read by one machine at a time: .* then `mesh renovate` it"),
        ("postgres", "postgresql:///people?host=/run/postgres", r"leads to a Unix socket, and Java knows none"),
        ("postgres", "postgresql://a,b/people", r"says host, which this cannot tell Trino's driver"),
        ("postgres", f"{URL}&gssencmode=disable", r"says gssencmode, which"),
        ("postgres", "no url", r"MESH_AUDIENCES_POSTGRES is not a Postgres URL"),
    ],
)
def test_what_trino_cannot_reach_is_refused_with_the_reason_and_the_mend(
    root: Path, kind: SourceKind, url: str, why: str
) -> None:
    config = made(a_mesh(kind), settings_at(root, MESH_AUDIENCES_POSTGRES=url))
    assert config.reached == ()
    assert not [path for path in config.files if "catalog" in path]
    assert re.search(why, config.refused["audiences.persons"])


def test_a_type_that_trino_would_hide_is_refused_by_name(root: Path) -> None:
    config = made(a_mesh(columns=(a_column("span", type="INTERVAL"),)), settings_at(root))
    assert "'span' holds INTERVAL" in config.refused["audiences.persons"]


def test_limits_come_from_the_standards(root: Path) -> None:
    mesh = replace(a_mesh(), standards=a_standards(query_seconds_max=60.0, query_memory_bytes_max=500_000_000))
    told = properties(made(mesh, settings_at(root)).files["etc/config.properties"])
    assert (told["query.max-execution-time"], told["query.max-memory"]) == ("60s", "500000000B")
    assert told["query.max-memory-per-node"] == "500000000B"
    small = properties(config_of(mesh, settings_at(root), Sizing(heap_megabytes=768)).files["etc/worker.properties"])
    assert small["query.max-memory-per-node"] == f"{int(768 * 2**20 * 0.6)}B"


def test_letters_beyond_latin_1_survive_javas_format(root: Path) -> None:
    url = "postgresql://zo%C3%AB%5C%F0%9F%8E%88:x@db.example/people"
    text = made(a_mesh(), settings_at(root, MESH_AUDIENCES_POSTGRES=url)).files[
        "etc/catalog/audiences_postgres.properties"
    ]
    assert r"connection-user=zo\u00eb\\\ud83c\udf88" in text


def test_the_second_time_nothing_changes(root: Path, tmp_path: Path) -> None:
    folder, settings = tmp_path / "out", settings_at(root)
    assert "etc/catalog/audiences_postgres.properties" in write(folder, made(a_mesh(), settings).files)
    before = {file: (file.read_bytes(), file.stat().st_mtime_ns) for file in folder.rglob("*.*")}
    assert write(folder, made(a_mesh(), settings).files) == {}
    assert {file: (file.read_bytes(), file.stat().st_mtime_ns) for file in folder.rglob("*.*")} == before


def test_a_catalog_that_nobody_needs_any_more_goes_and_others_stay(root: Path, tmp_path: Path) -> None:
    folder, settings = tmp_path / "out", settings_at(root)
    write(folder, made(a_mesh(), settings).files)
    own = write_file(folder / "etc/catalog", "own.properties", "connector.name=tpch\n")
    assert write(folder, made(a_mesh("duckdb"), settings).files) == {
        "etc/catalog/audiences_postgres.properties": "removed"
    }
    assert own.exists()


def test_the_command_tells_what_is_reached_and_what_not(tmp_path: Path) -> None:
    settings = settings_of(tmp_path / "mesh", two_domains())
    first = command(settings, "trino", "config", "--out", str(tmp_path / "out"), "--json")
    told = json.loads(first.stdout)
    assert told["changed"]["etc/config.properties"] == "written"
    assert (told["reached"], told["environment"]) == ({}, [])
    assert told["refused"].keys() == {"people.persons", "shop.regions"}
    again = command(settings, "trino", "config", "--out", str(tmp_path / "out"))
    assert again.returncode == 0
    assert "nothing changed" in again.stdout
    assert "not reached: people.persons: a DuckDB file" in again.stderr
