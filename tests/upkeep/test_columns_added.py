"""A column that one partition brings: empty in the others, so it must be one that may be."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import TypeAdapter

from mesh_defs.errors import DeclarationError
from mesh_defs.model.contract import Column, Contract
from mesh_defs.model.version import Part, Version
from mesh_defs.upkeep.audit import require_version
from tests.factories import a_contract

ID = Column(name="id", logical_type="integer", type="BIGINT")
MORE = Column(name="more", logical_type="integer", type="BIGINT")


def published(contract: Contract, *partitions: str | None) -> Version:
    stamp: dict[str, Any] = {"contract": TypeAdapter(Contract).dump_python(contract, mode="json")}
    parts = tuple(Part(path=f"parts/{n}/0.parquet", rows=1, bytes=1, partition=p) for n, p in enumerate(partitions))
    return Version(id="v", parts=parts, columns={"id": "BIGINT"}, published_at=datetime.now(UTC), stamp=stamp)


@pytest.mark.parametrize("column", [replace(MORE, required=True), replace(MORE, primary_key=True)])
def test_a_required_column_cannot_come_with_one_partition(column: Column) -> None:
    before = a_contract(columns=(ID,), version="1.0.0")
    after = a_contract(columns=(ID, column), version="2.0.0")
    with pytest.raises(DeclarationError, match="'more' is new and required, and the other partitions lack it"):
        require_version(published(before, "mon", "tue"), after, "tue")
    require_version(published(before, "tue"), after, "tue")
    require_version(published(before, None), after, None)


def test_an_optional_column_can() -> None:
    before, after = a_contract(columns=(ID,), version="1.0.0"), a_contract(columns=(ID, MORE), version="1.1.0")
    require_version(published(before, "mon", "tue"), after, "tue")
