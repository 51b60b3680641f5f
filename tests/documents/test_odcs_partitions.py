from datetime import date
from pathlib import Path

import pytest
import yaml

from mesh_defs.documents.odcs import read_contract
from mesh_defs.documents.standards import read_standards
from mesh_defs.errors import DeclarationError
from mesh_defs.model.contract import Contract
from mesh_defs.model.partition import Partitioning
from tests.meshes import contract, settings_of

DAY = "{name: day, logicalType: date, required: true, partitioned: true}"
NOON = "{name: day, logicalType: timestamp, required: true, partitioned: true}"
REGION = "{name: day, logicalType: string, required: true, partitioned: true}"


def read(tmp_path: Path, column: str, value: object | None, *more: str) -> Contract:
    custom = (
        () if value is None else (yaml.safe_dump({"property": "partitions", "value": value}, default_flow_style=True),)
    )
    files = contract(
        "shop.visits",
        columns=(column, *more),
        granularity="aggregate",
        custom=("{property: grain, value: [day]}", *custom),
    )
    root = settings_of(tmp_path / "mesh", {"shop": files}).root
    return read_contract(root / "domains/shop/contracts/visits.odcs.yaml", read_standards(root), root=root)


@pytest.mark.parametrize("column", [DAY, NOON])
def test_a_product_is_cut_by_the_days_of_a_column(tmp_path: Path, column: str) -> None:
    value = {"start": "2026-11-01", "end": date(2026, 12, 1), "lookback_days": {"events.clicks": 6}}
    assert read(tmp_path, column, value).partitioning == Partitioning(
        column="day", start=date(2026, 11, 1), end=date(2026, 12, 1), lookback_days={"events.clicks": 6}
    )


def test_a_product_is_cut_by_the_values_of_a_column(tmp_path: Path) -> None:
    found = read(tmp_path, REGION, {"values": ["north", "south"]}).partitioning
    assert found == Partitioning(column="day", values=("north", "south"))
    assert not found.is_daily


WRONG: dict[str, tuple[str, object, str]] = {
    "no column": ("{name: day, logicalType: date, required: true}", {"start": "2026-11-01"}, "partitioned: true"),
    "no partitions": (DAY, None, "2026-11-01"),
    "not a mapping": (DAY, "daily", "for days"),
    "neither": (DAY, {}, "one of `start` and `values`"),
    "both": (DAY, {"start": "2026-11-01", "values": ["a"]}, "one of `start` and `values`"),
    "a slip": (DAY, {"start": "2026-11-01", "ende": "2026-11-02"}, "did you mean 'end'?"),
    "days of a text": (REGION, {"start": "2026-11-01"}, "cut by the days of a date or timestamp"),
    "values of a day": (DAY, {"values": ["2026-11-01"]}, "cut by the values of a string"),
    "no values": (REGION, {"values": []}, "list 1 to 1000 different texts"),
    "a value twice": (REGION, {"values": ["a", "a"]}, "different texts"),
    "a number": (REGION, {"values": [1]}, "different texts"),
    "a range as a value": (REGION, {"values": ["a..b"]}, "without `..`"),
    "two lines": (REGION, {"values": ["a\nb"]}, "of one line"),
    "an empty value": (REGION, {"values": [" "]}, "different texts"),
    "a start before Dagster's time": (DAY, {"start": "0001-01-01"}, "begin at 1900-01-01"),
    "an end of values": (REGION, {"values": ["a"], "end": "2026-11-01"}, "no meaning beside"),
    "no day": (DAY, {"start": "November"}, "write a day"),
    "an end before the start": (DAY, {"start": "2026-11-02", "end": "2026-11-02"}, "later than 2026-11-02"),
    "no lookback": (DAY, {"start": "2026-11-02", "lookback_days": {"a.b": 0}}, "1 to 366"),
    "a lookback of nothing": (
        DAY,
        {"start": "2026-11-02", "lookback_days": {"impressions": 1}},
        "name inputs and days",
    ),
    "may be missing": ("{name: day, logicalType: date, partitioned: true}", {"start": "2026-11-01"}, "required: true"),
}


@pytest.mark.parametrize(("column", "value", "told"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_cut_is_refused_with_its_mend(tmp_path: Path, column: str, value: object, told: str) -> None:
    with pytest.raises(DeclarationError) as refused:
        read(tmp_path, column, value)
    assert told in str(refused.value)


def test_a_product_is_cut_by_one_column(tmp_path: Path) -> None:
    with pytest.raises(DeclarationError, match="cut a product by one column"):
        read(tmp_path, DAY, {"start": "2026-11-01"}, "{name: b, logicalType: date, required: true, partitioned: true}")
