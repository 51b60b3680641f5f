"""Contracts of external products: the places that they may name, and those that they may not."""

from pathlib import Path
from typing import Any

import pytest

from mesh_defs.documents.observed import load_observation
from mesh_defs.documents.odcs import read_contract
from mesh_defs.documents.snapshot import dump_product, parse_product
from mesh_defs.errors import DeclarationError, StorageError
from mesh_defs.model.contract import Contract, Server
from tests.factories import a_product, a_standards, contract_text, findings_of, write

LOCAL = {"server": "local", "environment": "local"}


def read(tmp_path: Path, server: dict[str, Any], value: Any = True, **changes: Any) -> Contract:
    told = {"servers.0": {**LOCAL, **server}, "customProperties.1": {"property": "external", "value": value}, **changes}
    return read_contract(write(tmp_path, "c.yaml", contract_text(told)), a_standards(), root=tmp_path)


@pytest.mark.parametrize(
    ("server", "kind", "place", "table"),
    (
        ({"type": "local", "path": "exports/people.v2/", "format": "parquet"}, "parquet", "exports/people.v2", None),
        ({"type": "local", "path": "lake/people", "format": "delta"}, "delta", "lake/people", None),
        ({"type": "s3", "location": "s3://bucket/a/b", "format": "parquet"}, "s3", "s3://bucket/a/b", None),
        ({"type": "s3", "location": "s3://bucket/a/b/", "format": "delta"}, "delta", "s3://bucket/a/b", None),
        ({"type": "duckdb", "database": "x/crm.duckdb", "schema": "s"}, "duckdb", "x/crm.duckdb", "s.The People"),
        ({"type": "postgres", "schema": "Odd Schema"}, "postgres", "Odd Schema", "The People"),
    ),
)
def test_reads_where_another_system_keeps_it(
    tmp_path: Path, server: dict[str, Any], kind: Any, place: str, table: str | None
) -> None:
    contract = read(tmp_path, server, **{"schema.0.physicalName": "The People"})
    assert contract.external
    assert contract.servers == (Server(environment="local", kind=kind, place=place, table=table),)


@pytest.mark.parametrize(
    "server",
    (
        {"type": "local", "path": "../others", "format": "parquet"},
        {"type": "local", "path": "a/../../others", "format": "parquet"},
        {"type": "local", "path": "/etc", "format": "parquet"},
        {"type": "local", "path": "a/.hidden", "format": "parquet"},
        {"type": "local", "path": "a*", "format": "parquet"},
        {"type": "local", "path": "a", "format": "csv"},
        {"type": "local", "path": "a"},
        {"type": "duckdb", "database": "../crm.duckdb"},
        {"type": "s3", "location": "http://bucket/a", "format": "parquet"},
        {"type": "postgres"},
        {"type": "postgres", "schema": 'crm"; DROP TABLE x; --'},
        {"type": "postgres", "schema": "crm", "host": "db.example"},
        {"type": "mysql", "schema": "crm"},
    ),
)
def test_refuses_a_place_that_is_none(tmp_path: Path, server: dict[str, Any]) -> None:
    with pytest.raises(DeclarationError) as caught:
        read(tmp_path, server)
    assert all("servers" in finding for finding in findings_of(caught.value))


def test_external_is_yes_or_no(tmp_path: Path) -> None:
    with pytest.raises(DeclarationError, match="another system writes the product"):
        read(tmp_path, {"type": "local", "path": "a", "format": "parquet"}, value="yes")


def test_names_of_another_system_are_for_external_products_alone(tmp_path: Path) -> None:
    server = {"type": "local", "path": "a", "format": "parquet"}
    renamed = {"schema.0.properties.0.physicalName": "Odd Name"}
    assert read(tmp_path, server, **renamed).columns[0].physical_name == "Odd Name"
    with pytest.raises(DeclarationError, match="a column is stored under its name"):
        read(tmp_path, server, value=False, **renamed)


def test_crosses_the_snapshot(tmp_path: Path) -> None:
    contract = read(tmp_path, {"type": "postgres", "schema": "crm"}, **{"schema.0.properties.0.physicalName": "X y"})
    product = a_product(contract=contract, made_with="external")
    assert parse_product(dump_product(product)) == product


@pytest.mark.parametrize("text", ("", "[]", '{"format": 1}', "\x00"))
def test_a_damaged_observation_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "crm.people.json").write_text(text)
    with pytest.raises(StorageError, match="damaged"):
        load_observation(tmp_path / "crm.people.json")


def test_no_observation_is_none(tmp_path: Path) -> None:
    assert load_observation(tmp_path / "crm.people.json") is None
