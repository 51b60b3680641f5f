"""Bad rows out of a batch, in every storage: what is published, what is quarantined, and when the batch stays whole."""

from dataclasses import replace
from typing import Any

import pytest

from mesh_defs.authoring.quarantine import Apart, split
from mesh_defs.errors import StorageError
from mesh_defs.model.contract import Contract
from mesh_defs.upkeep.audit import audit
from quality_checks import Expectation
from tests.factories import a_column, a_contract, between, not_null
from tests.storage.places import storage_in

COLUMNS = {"id": "INTEGER", "name": "VARCHAR", "price": "DOUBLE"}
GOOD = "SELECT i::INTEGER AS id, 'n' || i AS name, i::DOUBLE AS price FROM range(1, 9) t(i)"
# Two bad rows: one breaks two rules, one breaks one. NaN is missing, not out of bounds.
BAD = (
    f"{GOOD} UNION ALL SELECT 9, NULL, -1 UNION ALL SELECT 10, 'it''s; -- bad', -2"
    " UNION ALL SELECT 11, 'nan', 'nan'::DOUBLE UNION ALL SELECT 12, 'null', NULL"
)


def unique(column: str) -> Expectation:
    return Expectation(type="expect_column_values_to_be_unique", kwargs={"column": column})


def rows_min(count: int) -> Expectation:
    return Expectation(type="expect_table_row_count_to_be_between", kwargs={"min_value": count})


def price_min(least: float) -> Expectation:
    return Expectation(type="expect_column_min_to_be_between", kwargs={"column": "price", "min_value": least})


def promising(*expectations: Expectation, cap: float | None = 0.5) -> Contract:
    columns = tuple(a_column(name, type=type_) for name, type_ in COLUMNS.items())
    return replace(a_contract(columns=columns, expectations=expectations), quarantine_fraction_max=cap)


RULES = (not_null("name"), between("price", 0))


def apart(storage, connection, select: str, contract: Contract, *, key: str | None = None) -> tuple[Any, Apart | None]:
    candidate = storage.stage(connection, select, partition=key)
    results = audit(connection, storage, candidate.parts, contract)
    return candidate, split(connection, storage, candidate, results, contract, None)


def test_good_rows_are_published_and_bad_ones_are_quarantined_with_their_reasons(storage, connection, rows) -> None:
    contract = promising(*RULES, unique("id"), rows_min(10))
    candidate, found = apart(storage, connection, BAD, contract)
    assert found
    assert found.good.rows + found.bad.rows == candidate.rows == 12
    assert rows(found.good.parts, "id, name") == [*((i, f"n{i}") for i in range(1, 9)), (11, "nan"), (12, "null")]
    left_out = found.quarantine(storage, {"code_version": "1", "read": {}})
    version = storage.publish(found.good, stamp={})
    assert rows(version.parts, "count(*)") == [(10,)]
    [refused] = storage.refused()
    assert (refused.id, refused.kind, refused.rows, left_out.rows) == (left_out.id, "rows", 2, 2)
    assert refused.about["left_out_of"] == version.id
    assert [reason["check"] for reason in refused.reasons] == ["not_null__name", "between__price"]
    relation = storage.refused_relation(connection, refused)
    assert connection.execute(f"SELECT id, name, quarantine_reasons FROM {relation} ORDER BY id").fetchall() == [
        (9, None, "not_null__name, between__price"),
        (10, "it's; -- bad", "between__price"),
    ]
    storage.release(connection, refused.parts)
    assert all(result.success for result in found.results)


def test_a_partition_is_split_by_itself(storage, connection, published, rows) -> None:
    published(GOOD, partition="mon")
    _, found = apart(storage, connection, BAD, promising(*RULES), key="tue")
    assert found
    found.quarantine(storage, {})
    version = storage.publish(found.good, stamp={})
    assert {part.partition: part.rows for part in version.parts} == {"mon": 8, "tue": 10}
    assert storage.refused()[0].partition == "tue"


WHOLE = {
    "the contract does not allow it": promising(*RULES, cap=None),
    "too many rows would go": promising(*RULES, cap=0.15),
    "a rule of the table failed, too": promising(*RULES, rows_min(99)),
    "a rule of the table failed that would hold without them": promising(*RULES, price_min(0)),
    "uniqueness failed, too": promising(*RULES, unique("name"), unique("price")),
    "too few rows would stay": promising(*RULES, rows_min(12)),
}
DOUBLED = f"{BAD} UNION ALL SELECT 13, 'n1', 1"


@pytest.mark.parametrize("contract", WHOLE.values(), ids=WHOLE.keys())
def test_a_batch_is_refused_whole_when(storage, connection, stored, contract) -> None:
    candidate, found = apart(storage, connection, DOUBLED, contract)
    assert found is None
    left = {name for name in stored() if "parts/" in name or name.startswith("data_")}
    assert len(left) == 1
    storage.refuse(candidate, [])
    assert storage.current() is None


@pytest.mark.parametrize(("cap", "goes"), [(0.29, True), (0.28, False), (0.2900001, True), (0.99, True)])
def test_the_cap_is_exact(tmp_path, connection, cap, goes) -> None:
    """29 of 100 are no more than 0.29, though 0.29 * 100 is less than 29 to a computer."""
    prices = "CASE WHEN i < 29 THEN -1 ELSE 1 END::DOUBLE"
    select = f"SELECT i::INTEGER AS id, 'x' AS name, {prices} AS price FROM range(100) t(i)"
    storage = storage_in("parquet", tmp_path / "p")
    _, found = apart(storage, connection, select, promising(between("price", 0), cap=cap))
    assert (found is not None) == goes


def test_the_cap_is_on_the_rows_of_all_rules_together(storage, connection) -> None:
    """Each rule sends one row of ten away, which is allowed; together they send two."""
    select = f"{GOOD} UNION ALL SELECT 9, NULL, 1 UNION ALL SELECT 10, 'x', -1"
    assert apart(storage, connection, select, promising(*RULES, cap=0.1))[1] is None
    assert apart(storage, connection, select, promising(*RULES, cap=0.2))[1] is not None


def test_a_tolerant_rule_that_holds_sends_no_row_away(storage, connection, rows) -> None:
    tolerant = Expectation(
        type="expect_column_values_to_be_between", kwargs={"column": "price", "min_value": 0, "mostly": 0.5}
    )
    _, found = apart(storage, connection, BAD, promising(not_null("name"), tolerant))
    assert found
    assert (found.good.rows, found.bad.rows) == (11, 1)


def test_a_warning_sends_no_row_away(storage, connection) -> None:
    _, found = apart(storage, connection, BAD, promising(not_null("name"), between("price", 0, severity="warning")))
    assert found
    assert found.bad.rows == 1


def test_a_crash_while_splitting_leaves_only_the_batch(storage, connection, stored, monkeypatch) -> None:
    candidate = storage.stage(connection, BAD)
    contract = promising(*RULES)
    results = audit(connection, storage, candidate.parts, contract)
    before = stored()
    monkeypatch.setattr("mesh_defs.authoring.quarantine.audit", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        split(connection, storage, candidate, results, contract, None)
    assert stored() == before
    assert connection.execute("SELECT count(*) FROM duckdb_tables()").fetchall() == [(0,)]


def test_a_lost_row_is_never_published(storage, connection, stored, monkeypatch) -> None:
    candidate = storage.stage(connection, BAD)
    contract = promising(*RULES)
    results = audit(connection, storage, candidate.parts, contract)
    before = stored()
    monkeypatch.setattr(
        "mesh_defs.authoring.quarantine.good_rows", lambda table, *_: f"SELECT id, name, price FROM {table} LIMIT 3"
    )
    with pytest.raises(StorageError, match="of 12 rows 3 were found good and 2 bad — nothing was published"):
        split(connection, storage, candidate, results, contract, None)
    assert stored() == before
