"""What Trino's EXPLAIN must say, and what it must not. The plans are as Trino 476 writes them, shortened."""

import json
from typing import Any

import pytest

from mesh_defs.errors import QueryRejectedError
from mesh_defs.model.query import TrinoTable
from mesh_defs.sql.translation.verify import reads_by_name, verify_fences, verify_reads

TABLE = TrinoTable(catalog="lake", schema="events", name="clicks")
RULE = "(region = varchar 'EU')"


def reads(*names: str, **more: Any) -> str:
    tables = [
        {"table": {"catalog": c, "schemaTable": {"schema": s, "table": t}}}
        for c, s, t in (name.split(".") for name in names)
    ]
    return json.dumps({"inputTableColumnInfos": tables, **more})


def plan(*conditions: str, name: str = "ScanFilterProject", table: str | None = "lake:events.clicks$data@42") -> str:
    scans = [
        {
            "name": name,
            "descriptor": {**({"table": table} if table else {}), "filterPredicate": condition},
            "children": [],
        }
        for condition in conditions
    ]
    return json.dumps({"name": "Output", "descriptor": {}, "children": scans})


def test_it_may_read_the_pinned_tables_or_fewer() -> None:
    verify_reads(reads("lake.events.clicks"), [TABLE])
    verify_reads(reads(), [TABLE])


@pytest.mark.parametrize("name", ["lake.events.persons", "other.events.clicks", "lake.hidden.clicks"])
def test_another_table_is_refused(name: str) -> None:
    with pytest.raises(QueryRejectedError, match="table that was not approved") as refused:
        verify_reads(reads("lake.events.clicks", name), [TABLE])
    assert name not in str(refused.value)


PINNED = TrinoTable(catalog="lake", schema="events", name="clicks", snapshot=42)


def test_a_plan_that_names_its_tables_needs_no_second_look() -> None:
    assert reads_by_name(plan("", RULE), [PINNED])
    assert reads_by_name(plan("", table="lake:events.clicks$data@42 constraint on [region]"), [PINNED])


@pytest.mark.parametrize(
    "table",
    [
        "lake:events.clicks$data@43",
        "lake:events.persons$data@42",
        "other:events.clicks$data@42",
        "lake:x.clicks$data@42",
    ],
)
def test_another_table_or_snapshot_in_a_plan_is_refused(table: str) -> None:
    with pytest.raises(QueryRejectedError, match="table that was not approved"):
        reads_by_name(plan("", table=table), [PINNED])


@pytest.mark.parametrize(
    "table",
    [
        "base:public.part_1 lake.public.part_1",
        "base:Query[SELECT 1]",
        "lake:events.clicks$snapshots",
        "lake:a.b$data@4x",
    ],
)
def test_what_is_written_otherwise_is_asked_about_again(table: str) -> None:
    assert not reads_by_name(plan("", table=table), [PINNED])


@pytest.mark.parametrize(
    "name", ["TableWriter", "TableCommit", "MergeWriter", "TableExecute", "TableFunctionProcessor"]
)
def test_a_plan_that_does_more_than_read_is_refused(name: str) -> None:
    with pytest.raises(QueryRejectedError, match="more than read"):
        reads_by_name(plan("", name=name), [PINNED])


def test_writing_is_refused() -> None:
    with pytest.raises(QueryRejectedError, match="it would write"):
        verify_reads(reads("lake.events.clicks", outputTable={}), [TABLE])


def test_a_guard_stands_alone_however_often_and_by_whichever_names() -> None:
    verify_fences(plan(RULE, "(region_4 = varchar 'EU')"), [plan(RULE)])
    verify_fences(plan("(a = 1)", table="lake:events.others$data@7"), [plan(RULE)])


@pytest.mark.parametrize(
    "condition",
    ["", "(region = varchar 'US')", f"({RULE} AND (CAST(note AS integer) > integer '15'))", f"({RULE} AND (1 = 0))"],
)
def test_a_scan_without_its_rule_or_with_a_condition_of_the_askers_is_refused(condition: str) -> None:
    with pytest.raises(QueryRejectedError, match="beside a rule that hides rows") as refused:
        verify_fences(plan(RULE, condition), [plan(RULE)])
    assert "EU" not in str(refused.value)


def test_a_scan_of_no_known_kind_is_refused() -> None:
    with pytest.raises(QueryRejectedError, match="scan of no table"):
        verify_fences(plan(RULE, name="IndexScan", table=None), [plan(RULE)])
