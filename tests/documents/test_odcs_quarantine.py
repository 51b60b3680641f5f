"""quarantineFractionMax: a share of rows that may be left out, and what is none."""

from pathlib import Path
from typing import Any

import pytest

from mesh_defs.documents.odcs import read_contract
from mesh_defs.errors import DeclarationError
from tests.factories import a_standards, contract_text, findings_of, write


def read(tmp_path: Path, value: Any, **changes: Any) -> Any:
    given = {"customProperties.1": {"property": "quarantineFractionMax", "value": value}, **changes}
    file = write(tmp_path, "c.yaml", contract_text(given))
    return read_contract(file, a_standards(), root=tmp_path)


@pytest.mark.parametrize("value", [0.01, 0.5, 0.999])
def test_reads_a_share(tmp_path: Path, value: float) -> None:
    assert read(tmp_path, value).quarantine_fraction_max == value


def test_says_nothing_of_single_rows_by_default(tmp_path: Path) -> None:
    file = write(tmp_path, "c.yaml", contract_text())
    assert read_contract(file, a_standards(), root=tmp_path).quarantine_fraction_max is None


@pytest.mark.parametrize("value", [0, 1, -0.1, 1.5, 5, True, False, "0.1", "5%", [0.1], float("nan"), float("inf")])
def test_refuses_what_is_no_share(tmp_path: Path, value: Any) -> None:
    with pytest.raises(DeclarationError) as caught:
        read(tmp_path, value)
    [finding] = findings_of(caught.value)
    assert "customProperties.quarantineFractionMax: found" in finding
    assert "write a share between 0 and 1, such as 0.01" in finding


def test_refuses_it_where_another_system_writes(tmp_path: Path) -> None:
    external = {"customProperties.2": {"property": "external", "value": True}}
    with pytest.raises(DeclarationError) as caught:
        read(tmp_path, 0.1, **external)
    assert any("given for an external product" in finding for finding in findings_of(caught.value))


def test_refuses_a_column_called_like_the_reasons(tmp_path: Path) -> None:
    with pytest.raises(DeclarationError) as caught:
        read(tmp_path, 0.1, **{"schema.0.properties.3": {"name": "quarantine_reasons", "logicalType": "string"}})
    [finding] = findings_of(caught.value)
    assert "has a column 'quarantine_reasons' of its own — rename that column" in finding


def test_a_slip_of_the_pen_is_told(tmp_path: Path) -> None:
    text = contract_text({"customProperties.1": {"property": "quarantineFraction", "value": 0.1}})
    with pytest.raises(DeclarationError) as caught:
        read_contract(write(tmp_path, "c.yaml", text), a_standards(), root=tmp_path)
    assert "did you mean 'quarantineFractionMax'?" in str(caught.value)
