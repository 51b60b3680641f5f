"""event, audience, creative, aggregate: each carries its key, and a derived product takes the finest class it identifies."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mesh_defs.documents.granularity import derived_problems, finest
from mesh_defs.documents.odcs import read_contract
from mesh_defs.errors import DeclarationError
from mesh_defs.model.contract import Contract
from tests.factories import a_column, a_contract, a_standards, contract_text, findings_of, write


def identifying(*keys: str | None, grain: tuple[str, ...] = (), **given: Any) -> Contract:
    columns = tuple(a_column(f"c{number}", identifies=key) for number, key in enumerate(keys))
    return a_contract(columns=columns, grain=grain, **given)


def source(tmp_path: Path, granularity: str, column: dict[str, Any]) -> list[str]:
    """What is found wrong with a product of that class whose last column is `column`."""
    text = contract_text(
        {
            "schema.0.properties.1": {"name": "other", "logicalType": "string"},
            "schema.0.properties.2": {"name": "c", "logicalType": "string", **column},
            "customProperties.0.value": granularity,
        }
    )
    try:
        read_contract(write(tmp_path, "c.yaml", text), a_standards(), root=tmp_path)
    except DeclarationError as error:
        return findings_of(error)
    return []


def marked(identifies: str, **more: Any) -> dict[str, Any]:
    return {"required": True, "customProperties": [{"property": "identifies", "value": identifies}], **more}


@pytest.mark.parametrize(
    ("granularity", "key", "words"),
    [
        ("event", "event_time", "event product without an event time"),
        ("audience", "person", "audience product without a person key"),
        ("creative", "creative_file", "creative product without a creative file id"),
    ],
)
def test_each_class_carries_its_key(tmp_path: Path, granularity: str, key: str, words: str) -> None:
    type = "timestamp" if key == "event_time" else "string"
    assert source(tmp_path, granularity, marked(key, logicalType=type)) == []
    for column in ({}, marked(key, logicalType=type, required=False), marked("event")):
        findings = source(tmp_path, granularity, column)
        assert len(findings) == 1
        assert f"customProperties.granularity: {words} — mark the column that holds it" in findings[0]


def test_an_aggregate_carries_no_key(tmp_path: Path) -> None:
    assert source(tmp_path, "aggregate", {}) == []


def test_a_primary_key_counts_as_required(tmp_path: Path) -> None:
    assert source(tmp_path, "audience", marked("person", required=False, primaryKey=True)) == []


@pytest.mark.parametrize("type", ["DATE", "TIMESTAMP", "TIMESTAMP_NS", "TIMESTAMPTZ"])
def test_an_event_time_is_a_time(tmp_path: Path, type: str) -> None:
    logical = "date" if type == "DATE" else "timestamp"
    assert source(tmp_path, "event", marked("event_time", logicalType=logical, physicalType=type)) == []


@pytest.mark.parametrize(
    ("logical", "physical"), [("integer", None), ("string", None), ("time", None), ("array", "TIMESTAMP[]")]
)
def test_an_event_time_that_is_none_is_refused_at_its_column(
    tmp_path: Path, logical: str, physical: str | None
) -> None:
    column = marked("event_time", logicalType=logical, **({"physicalType": physical} if physical else {}))
    findings = source(tmp_path, "event", column)
    assert len(findings) == 1
    assert "schema[0].properties[2]: event time 'c' is" in findings[0]


@pytest.mark.parametrize(
    ("keys", "grain", "right"),
    [
        (("event", "person"), ("c0",), "event"),
        (("event_time", "person"), ("c0", "c1"), "event"),
        (("event_time", "person"), ("c1",), "audience"),
        (("person", "creative_file"), ("c0", "c1"), "audience"),
        (("person", "creative_file"), ("c1",), "creative"),
        (("person", None), ("c1",), "aggregate"),
        ((None, None), ("c0",), "aggregate"),
        (("person",), ("gone",), "aggregate"),
    ],
)
def test_the_grain_decides_the_finest_class(keys: tuple[str | None, ...], grain: tuple[str, ...], right: str) -> None:
    assert finest(identifying(*keys, grain=grain)) == right


@pytest.fixture
def derived(tmp_path: Path) -> Contract:
    """An aggregate by the contract on disk."""
    text = contract_text({"customProperties.0.value": "aggregate"})
    return read_contract(write(tmp_path, "c.yaml", text), a_standards(), root=tmp_path)


def test_a_product_at_the_source_needs_no_grain(tmp_path: Path, derived: Contract) -> None:
    assert derived_problems(derived, (), root=tmp_path) == []


def test_a_derived_product_states_its_grain(tmp_path: Path, derived: Contract) -> None:
    (finding,) = derived_problems(derived, ("events.impressions", "audiences.persons"), root=tmp_path)
    line = contract_text().splitlines().index("customProperties:") + 1
    assert finding.where == f"c.yaml:{line}: customProperties.grain"
    assert finding.what == "missing in a product made from events.impressions, audiences.persons"
    assert "property: grain" in finding.fix


def test_a_derived_product_takes_the_finest_class(tmp_path: Path, derived: Contract) -> None:
    contract = replace(derived, grain=("clicked_at", "placement"))
    (finding,) = derived_problems(contract, ("events.impressions",), root=tmp_path)
    assert finding.where.endswith(": customProperties.granularity")
    assert finding.what == "found aggregate, but its grain (clicked_at, placement) identifies events"
    assert finding.fix == "write event, or state another grain"
    right = replace(contract, granularity="event")
    assert derived_problems(right, ("events.impressions",), root=tmp_path) == []


def test_a_derived_product_claims_no_finer_class(tmp_path: Path, derived: Contract) -> None:
    contract = replace(derived, grain=("placement",), granularity="event")
    (finding,) = derived_problems(contract, ("events.impressions",), root=tmp_path)
    assert "identifies none of the three" in finding.what
