"""Which columns may have a joinable token."""

from pathlib import Path
from typing import Any

import pytest

from mesh_defs.documents.odcs import read_contract
from mesh_defs.documents.snapshot import dump_product, parse_product
from mesh_defs.errors import DeclarationError
from mesh_defs.model.contract import Contract
from tests.factories import a_product, a_standards, contract_text, findings_of, write

KINDS = a_standards(identifiers={"email": "Lower case.", "person": "As it is."})
AT = "schema.0.properties.2"


def read(tmp_path: Path, value: Any = "email", **changes: Any) -> Contract:
    told = {f"{AT}.customProperties": [{"property": "token", "value": value}], **changes}
    return read_contract(write(tmp_path, "c.yaml", contract_text(told)), KINDS, root=tmp_path)


def refused(tmp_path: Path, value: Any = "email", **changes: Any) -> str:
    with pytest.raises(DeclarationError) as caught:
        read(tmp_path, value, **changes)
    [told] = [each for each in findings_of(caught.value) if "customProperties.token" in each]
    return told


@pytest.mark.parametrize(
    ("logical", "physical"),
    [("string", None), ("string", "UUID"), ("integer", None), ("integer", "UTINYINT"), ("integer", "HUGEINT")],
)
def test_a_column_whose_equal_values_have_one_text_may_have_a_token(
    tmp_path: Path, logical: str, physical: str | None
) -> None:
    typed = {f"{AT}.physicalType": physical} if physical else {}
    contract = read(tmp_path, **{f"{AT}.logicalType": logical, **typed})
    assert contract.tokens == {"placement": "email"}
    assert parse_product(dump_product(a_product(contract))).contract.tokens == {"placement": "email"}


@pytest.mark.parametrize(
    ("logical", "physical"),
    [
        ("number", "DOUBLE"),
        ("number", "DECIMAL(12,2)"),
        ("integer", "DECIMAL(12,0)"),
        ("date", None),
        ("boolean", None),
        ("string", "BLOB"),
        ("string", "JSON"),
        ("timestamp", "TIMESTAMP WITH TIME ZONE"),
        ("array", "VARCHAR[]"),
    ],
)
def test_other_types_may_not(tmp_path: Path, logical: str, physical: str | None) -> None:
    typed = {f"{AT}.physicalType": physical} if physical else {}
    told = refused(tmp_path, **{f"{AT}.logicalType": logical, **typed})
    assert told.endswith("leave it out: tokens are made of VARCHAR, UUID and whole numbers")


@pytest.mark.parametrize("value", ["emial", "Email", "", 7, True, ["email"], {"kind": "email"}])
def test_an_unknown_kind_is_refused(tmp_path: Path, value: Any) -> None:
    assert "unknown kind" in refused(tmp_path, value)


def test_the_kind_that_was_meant_is_told(tmp_path: Path) -> None:
    assert refused(tmp_path, "emial").endswith("or write another: did you mean 'email'?")


def test_an_external_product_has_none(tmp_path: Path) -> None:
    server = {"server": "local", "environment": "local", "type": "local", "path": "x", "format": "parquet"}
    external = {"servers.0": server, "customProperties.1": {"property": "external", "value": True}}
    assert "given for an external product" in refused(tmp_path, **external)


def test_a_name_that_postgres_would_cut_is_refused(tmp_path: Path) -> None:
    assert read(tmp_path, **{f"{AT}.name": "p" * 55}).tokens
    assert "a name of at most 55 characters" in refused(tmp_path, **{f"{AT}.name": "p" * 56})


def test_no_column_can_be_called_as_a_token_is(tmp_path: Path) -> None:
    with pytest.raises(DeclarationError, match="found '__token_placement' — write lower case letters"):
        read(tmp_path, **{f"{AT}.name": "__token_placement"})


def test_a_token_of_the_contract_itself_has_no_meaning(tmp_path: Path) -> None:
    told = {"customProperties.1": {"property": "token", "value": "email"}}
    with pytest.raises(DeclarationError, match="move it to a column's customProperties"):
        read_contract(write(tmp_path, "c.yaml", contract_text(told)), KINDS, root=tmp_path)
