"""Partitions' states in the stamp: a verdict on the whole after one new partition, read from the pointer alone."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from mesh_defs.model.contract import Column, Contract
from mesh_defs.model.version import Version
from mesh_defs.storage.base import Storage
from mesh_defs.upkeep import states
from mesh_defs.upkeep.states import kept_states, verdicts_on_whole
from quality_checks import Expectation, QualityError, evaluate
from tests.factories import a_contract

Publish = Callable[..., Version]


def expect(type: str, **kwargs: object) -> Expectation:
    return Expectation(type=f"expect_{type}", kwargs=kwargs)


CONTRACT = a_contract(
    columns=(
        Column(name="id", logical_type="integer", type="BIGINT"),
        Column(name="pay", logical_type="integer", type="BIGINT", classification="restricted"),
    ),
    expectations=(
        expect("table_row_count_to_be_between", max_value=25),
        expect("column_values_to_not_be_null", column="pay"),
        expect("column_max_to_be_between", column="id", max_value=29),
        expect("column_values_to_be_unique", column="id"),
        expect("column_max_to_be_between", column="pay", max_value=5),
    ),
)


@pytest.fixture
def publish(storage: Storage, connection) -> Publish:
    """Publish ids from `first` up to `last` as one partition, as a step does."""

    def publish(partition: str | None, first: int, last: int, contract: Contract = CONTRACT) -> Version:
        select = f"SELECT i AS id, i % 3 AS pay FROM range({first}, {last}) AS t(i)"
        candidate = storage.stage(connection, select, partition=partition)
        return storage.publish(
            candidate, stamp=kept_states(connection, storage, candidate, contract, storage.current())
        )

    return publish


def test_the_whole_is_judged_without_its_rows(storage: Storage, connection, publish):
    publish("a", 0, 10)
    version = publish("b", 10, 20)
    results = verdicts_on_whole(version, CONTRACT)
    assert results is not None
    assert [result.success for result in results] == [True, True, True, False, False]
    assert [result.error is None for result in results] == [True, True, True, False, False]
    version = publish("c", 20, 30)
    found = verdicts_on_whole(version, CONTRACT)
    assert found is not None
    assert [result.success for result in found][:3] == [False, True, True]
    relation = storage.relation(connection, version.parts)
    assert found[:3] == evaluate(connection, relation, CONTRACT.expectations[:3])
    storage.release(connection, version.parts)


def test_a_partition_that_is_made_again_replaces_its_state(publish):
    publish("a", 0, 10)
    publish("b", 10, 40)
    version = publish("b", 10, 12)
    results = verdicts_on_whole(version, CONTRACT)
    assert results is not None
    assert [result.success for result in results][:3] == [True, True, True]
    assert len(version.stamp["states"]) == 2


def test_a_state_that_was_not_kept_leaves_the_whole_undecided(storage: Storage, connection, publish):
    candidate = storage.stage(connection, "SELECT 1::BIGINT AS id, 2::BIGINT AS pay", partition="a")
    storage.publish(candidate, stamp={})
    version = publish("b", 10, 20)
    assert verdicts_on_whole(version, CONTRACT) is None


def test_states_of_other_rows_than_a_part_has_are_not_believed(publish):
    version = publish("a", 0, 10)
    (part,) = version.parts
    assert verdicts_on_whole(replace(version, parts=(replace(part, rows=11),)), CONTRACT) is None
    assert verdicts_on_whole(replace(version, stamp={"states": {"other": {}}}), CONTRACT) is None


def test_what_is_withheld_from_people_is_not_kept(publish):
    version = publish("a", 0, 10)
    (document,) = version.stamp["states"].values()
    assert document["columns"]["pay"] == {"type": "BIGINT", "present": 10}
    assert document["columns"]["id"]["high"] == 9


def test_a_product_that_is_one_whole_keeps_none(publish):
    assert "states" not in publish(None, 0, 10).stamp


def test_old_states_give_way_when_there_are_too_many(publish, monkeypatch):
    monkeypatch.setattr(states, "STATES_BYTES_MAX", 500)
    for at, name in enumerate("abcd"):
        version = publish(name, at * 10, at * 10 + 10)
    assert 0 < len(version.stamp["states"]) < 4
    assert any(version.id == id for id in version.stamp["states"])


def test_a_part_whose_state_cannot_be_computed_is_published_all_the_same(storage: Storage, connection, monkeypatch):
    def unable(*_: object, **__: object) -> None:
        raise QualityError("cannot be read")

    monkeypatch.setattr(states, "state_of", unable)
    candidate = storage.stage(connection, "SELECT 1::BIGINT AS id", partition="a")
    assert kept_states(connection, storage, candidate, CONTRACT, None) == {}
