"""Two contracts compared: what changed, whether it breaks, and the version that demands."""

from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesh_defs.documents.compatibility import Change, compare, demanded_version, is_enough
from mesh_defs.model.contract import Asks, Column, Contract, Server, ServiceLevel
from mesh_defs.model.partition import Partitioning
from quality_checks import Expectation, primary_key
from tests.factories import a_column, a_contract, between, not_null, with_column

OLD = a_contract(
    version="1.2.3",
    grain=("person_id",),
    granularity="audience",
    columns=(
        a_column("person_id", required=True, primary_key=True, identifies="person", classification="confidential"),
        a_column("region", required=True, unique=True, description="Where.", sources=("a.b.c",)),
        a_column("age", logical_type="integer", type="INTEGER"),
    ),
    expectations=(
        not_null("person_id"),
        between("age", 0, 120),
        between("age", 18, None, severity="warning", meta={"name": "adult"}),
    ),
    service_level=ServiceLevel(freshness_hours_max=24, schedule="0 5 * * *", retention_seconds=86_400),
    purpose="measurement",
    republishes="because",
    tags={"a": "b"},
)


def with_checks(*expectations: Expectation) -> Contract:
    return replace(OLD, expectations=expectations)


def a_check(**kwargs: Any) -> Expectation:
    return Expectation(type="expect_column_values_to_be_between", kwargs={"column": "age", **kwargs})


A, B, C = OLD.columns
FIRST, AGES, ADULT = OLD.expectations

CASES: dict[str, tuple[Contract, str, str]] = {
    # Columns
    "removed": (replace(OLD, columns=(A, B)), "major", "column age removed"),
    "added": (replace(OLD, columns=(*OLD.columns, a_column("new"))), "minor", "column new added"),
    "reordered": (replace(OLD, columns=(B, A, C)), "minor", "columns stand in another order"),
    "type": (with_column(OLD, "age", type="BIGINT"), "major", "column age: type INTEGER became BIGINT"),
    "now required": (with_column(OLD, "age", required=True), "minor", "column age is now required"),
    "no longer required": (with_column(OLD, "region", required=False), "major", "column region is no longer required"),
    "now unique": (with_column(OLD, "age", unique=True), "minor", "column age is now unique"),
    "no longer unique": (with_column(OLD, "region", unique=False), "major", "column region is no longer unique"),
    "in the key": (with_column(OLD, "region", primary_key=True), "major", "column region joined the primary key"),
    "out of the key": (
        with_column(OLD, "person_id", primary_key=False),
        "major",
        "column person_id left the primary key",
    ),
    "another key": (
        with_column(OLD, "person_id", identifies="event"),
        "major",
        "column person_id identifies event, before person",
    ),
    "a key more": (
        with_column(OLD, "region", identifies="person"),
        "minor",
        "column region identifies person, before nothing",
    ),
    "stricter class": (
        with_column(OLD, "region", classification="restricted"),
        "major",
        "column region: classification internal became restricted",
    ),
    "looser class": (
        with_column(OLD, "person_id", classification="public"),
        "minor",
        "column person_id: classification confidential became public",
    ),
    "described": (with_column(OLD, "region", description="There."), "patch", "column region: described otherwise"),
    "sources": (with_column(OLD, "region", sources=()), "patch", "column region: described otherwise"),
    "logical type": (with_column(OLD, "region", logical_type="x"), "patch", "column region: described otherwise"),
    # Checks
    "check removed": (with_checks(AGES, ADULT), "major", "check not_null__person_id removed"),
    "warning removed": (with_checks(FIRST, AGES), "minor", "check adult removed"),
    "check added": (with_checks(*OLD.expectations, not_null("age")), "minor", "check not_null__age added"),
    "tightened": (with_checks(FIRST, between("age", 1, 119), ADULT), "minor", "check between__age is not looser"),
    "loosened": (
        with_checks(FIRST, between("age", 0, 121), ADULT),
        "major",
        "check between__age is looser or different",
    ),
    "opened": (with_checks(FIRST, between("age", 0), ADULT), "major", "check between__age is looser or different"),
    "both ways": (
        with_checks(FIRST, between("age", 5, 200), ADULT),
        "major",
        "check between__age is looser or different",
    ),
    "warning loosened": (
        with_checks(FIRST, AGES, replace(ADULT, kwargs={"column": "age", "min_value": 1})),
        "minor",
        "check adult is looser or different",
    ),
    "only a warning": (
        with_checks(replace(FIRST, severity="warning"), AGES, ADULT),
        "major",
        "check not_null__person_id: critical became warning",
    ),
    "more than a warning": (
        with_checks(FIRST, AGES, replace(ADULT, severity="critical")),
        "minor",
        "check adult: warning became critical",
    ),
    "renamed": (
        with_checks(FIRST, AGES, replace(ADULT, meta={"name": "grown_up"})),
        "patch",
        "check adult: named or described otherwise",
    ),
    # Promises of the whole
    "granularity": (replace(OLD, granularity="event"), "major", "granularity audience became event"),
    "grain": (replace(OLD, grain=("region",)), "major", "grain (person_id) became (region)"),
    "retired": (replace(OLD, status="retired"), "major", "status active became retired"),
    "deprecated": (replace(OLD, status="deprecated"), "minor", "status active became deprecated"),
    "staler": (
        replace(OLD, service_level=replace(OLD.service_level, freshness_hours_max=48)),
        "major",
        "freshness 24 h became 48 h",
    ),
    "unpromised": (
        replace(OLD, service_level=replace(OLD.service_level, freshness_hours_max=None)),
        "major",
        "freshness 24 h became unpromised",
    ),
    "fresher": (
        replace(OLD, service_level=replace(OLD.service_level, freshness_hours_max=12)),
        "minor",
        "freshness 24 h became 12 h",
    ),
    "product": (replace(OLD, product="audiences.people"), "major", "product audiences.persons became audiences.people"),
    "rows may be left out": (replace(OLD, quarantine_fraction_max=0.1), "minor", "rows left out none became up to 0.1"),
    # Words and places
    "schedule": (replace(OLD, service_level=replace(OLD.service_level, schedule=None)), "patch", "schedule changed"),
    "moved": (
        replace(OLD, servers=(Server(environment="local", kind="duckdb", place="x"),)),
        "patch",
        "servers changed",
    ),
    "owner": (replace(OLD, owner="others"), "patch", "owner changed"),
    "words": (replace(OLD, description="Others."), "patch", "description changed"),
    "purpose": (replace(OLD, purpose=None), "patch", "purpose changed"),
    "argument": (replace(OLD, republishes=None), "patch", "republishes changed"),
    "tags": (replace(OLD, tags={}), "patch", "tags changed"),
    "cut otherwise": (replace(OLD, partitioning=Partitioning(column="region")), "patch", "partitioning changed"),
    "written by others": (replace(OLD, external=True), "patch", "external changed"),
    "retention": (
        replace(OLD, service_level=replace(OLD.service_level, retention_seconds=60)),
        "patch",
        "retention changed",
    ),
    "id": (replace(OLD, id="urn:x"), "patch", "id changed"),
}
DEMANDED = {"major": "2.0.0", "minor": "1.3.0", "patch": "1.2.4"}


@pytest.mark.parametrize(("new", "level", "what"), CASES.values(), ids=CASES.keys())
def test_a_change_has_a_level_words_and_a_version(new: Contract, level: Any, what: str) -> None:
    changes = compare(OLD, new)
    assert changes == (Change(level=level, what=what),)
    assert changes[0].breaking == (level == "major")
    assert demanded_version(OLD.version, changes) == DEMANDED[level]


def test_the_breaking_ones_come_first_and_always_in_the_same_order() -> None:
    new = replace(OLD, owner="x", columns=(B, *(a_column(f"new_{n}") for n in range(5))), grain=("region",))
    assert [change.what for change in compare(OLD, new)] == [
        "column person_id removed",
        "column age removed",
        "grain (person_id) became (region)",
        *(f"column new_{n} added" for n in range(5)),
        "owner changed",
    ]


def test_the_same_grain_in_another_order_breaks_nothing() -> None:
    old, new = replace(OLD, grain=("region", "age")), replace(OLD, grain=("age", "region"))
    assert [change.level for change in compare(old, new)] == ["patch"]


def test_a_key_in_another_order_breaks_nothing() -> None:
    old, new = (replace(OLD, expectations=primary_key(key)) for key in (["region", "age"], ["age", "region"]))
    assert not [change for change in compare(old, new) if change.breaking]


def test_two_unnamed_checks_of_one_column_are_told_apart() -> None:
    old = with_checks(between("age", 0, 120), between("age", 18))
    assert compare(old, with_checks(between("age", 18), between("age", 0, 120))) == ()
    assert [change.what for change in compare(old, with_checks(between("age", 0, 120)))] == [
        "check between__age removed"
    ]
    assert [change.level for change in compare(old, with_checks(between("age", 0, 120), between("age", 17)))] == [
        "major"
    ]
    assert [change.level for change in compare(with_checks(between("age", 0, 120)), old)] == ["minor"]


@pytest.mark.parametrize(
    ("was", "now", "looser"),
    [
        ({"min_value": 0}, {"min_value": 0, "strict_min": True}, False),
        ({"min_value": 0, "strict_min": True}, {"min_value": 0}, True),
        ({"max_value": 9, "strict_max": True}, {"max_value": 9, "strict_max": False}, True),
        ({"min_value": 0}, {"min_value": 0, "max_value": 9}, False),
        ({"min_value": 0, "mostly": 0.9}, {"min_value": 0}, False),
        ({"min_value": 0}, {"min_value": 0, "mostly": 0.99}, True),
        ({"min_value": 0, "mostly": 0.9}, {"min_value": 0, "mostly": 0.8}, True),
        ({"min_value": "1997-01-01"}, {"min_value": "1997-06-01"}, False),
        ({"min_value": "1997-06-01"}, {"min_value": "1997-01-01"}, True),
        # As letters the second stands behind the first; as a moment it is earlier.
        ({"min_value": "2026-01-01T00:30:00+00:00"}, {"min_value": "2026-01-01T01:00:00+02:00"}, True),
        ({"min_value": "2026-01-01T00:30:00+00:00"}, {"min_value": "2026-01-01"}, True),
        ({"min_value": "a"}, {"min_value": "b"}, False),
        ({"min_value": 1}, {"min_value": "2"}, True),
        ({"min_value": 1}, {"min_value": 1, "unheard_of": True}, True),
    ],
)
def test_what_cannot_be_shown_to_be_stricter_counts_as_looser(was: dict, now: dict, looser: bool) -> None:
    changes = compare(with_checks(a_check(**was)), with_checks(a_check(**now)))
    assert [change.breaking for change in changes] == [looser]


@pytest.mark.parametrize(
    ("was", "now", "looser"),
    [(["a", "b"], ["a"], False), (["a"], ["a", "b"], True), (["a", "b"], ["b", "a"], False), ([1, 2], [1], False)],
)
def test_a_smaller_set_is_stricter(was: list, now: list, looser: bool) -> None:
    kind = "expect_column_values_to_be_in_set"
    old, new = (with_checks(Expectation(type=kind, kwargs={"column": "age", "value_set": each})) for each in (was, now))
    assert [change.breaking for change in compare(old, new)] == [looser]


@pytest.mark.parametrize(
    ("was", "now", "level", "told"),
    [
        (None, "email", "minor", "column region has a token of email, before no token"),
        ("email", None, "major", "column region has no token, before a token of email"),
        ("email", "person", "major", "column region has a token of person, before a token of email"),
    ],
)
def test_a_token_that_consumers_join_by_may_be_added_but_not_taken_away(
    was: str | None, now: str | None, level: str, told: str
) -> None:
    [change] = compare(with_column(OLD, "region", token=was), with_column(OLD, "region", token=now))
    assert (change.level, change.what) == (level, told)


# Properties

OTHER: dict[str, Any] = {
    "str": st.sampled_from(["x", "y"]),
    "bool": st.booleans(),
}
CHANGED_CONTRACT: dict[str, Any] = {
    "product": "audiences.people",
    "id": "urn:other",
    "status": "draft",
    "description": "Other.",
    "owner": "others",
    "granularity": "event",
    "grain": (),
    "columns": OLD.columns[:2],
    "servers": (),
    "expectations": (),
    "service_level": ServiceLevel(),
    "purpose": None,
    "republishes": None,
    "partitioning": Partitioning(column="region"),
    "external": True,
    "quarantine_fraction_max": 0.5,
    "asks": Asks(room="spring", products=("events.clicks",)),
    "tags": {"c": "d"},
}
CHANGED_COLUMN: dict[str, Any] = {
    "name": "other",
    "logical_type": "other",
    "type": "BLOB",
    "description": "other",
    "required": False,
    "unique": False,
    "primary_key": True,
    "classification": "restricted",
    "identifies": "creative_file",
    "sources": ("x.y.z",),
    "physical_name": "Other",
    "samples": True,
    "token": "email",
}
CHANGED_EXPECTATION: dict[str, Any] = {
    "type": "expect_column_values_to_be_unique",
    "kwargs": {"column": "age", "min_value": 3},
    "severity": "critical",
    "meta": {"name": "adult", "description": "More."},
}
# The version is the answer, not a change; the file is where it was read.
NOT_COMPARED = {"version", "file"}


@pytest.mark.parametrize("field", [each.name for each in fields(Contract) if each.name not in NOT_COMPARED])
def test_no_field_of_a_contract_changes_unseen(field: str) -> None:
    assert field in CHANGED_CONTRACT, f"say here how Contract.{field} may change, and let compare see it"
    assert compare(OLD, replace(OLD, **{field: CHANGED_CONTRACT[field]}))


@pytest.mark.parametrize("field", [each.name for each in fields(Column)])
def test_no_field_of_a_column_changes_unseen(field: str) -> None:
    assert field in CHANGED_COLUMN, f"say here how Column.{field} may change, and let compare see it"
    assert compare(OLD, with_column(OLD, "region", **{field: CHANGED_COLUMN[field]}))


@pytest.mark.parametrize("field", [each.name for each in fields(Expectation)])
def test_no_field_of_an_expectation_changes_unseen(field: str) -> None:
    assert field in CHANGED_EXPECTATION, f"say here how Expectation.{field} may change, and let compare see it"
    changed = replace(ADULT, **{field: CHANGED_EXPECTATION[field]})
    assert compare(OLD, with_checks(FIRST, AGES, changed))


@pytest.mark.parametrize("field", [each.name for each in fields(ServiceLevel)])
def test_no_service_level_changes_unseen(field: str) -> None:
    assert compare(OLD, replace(OLD, service_level=replace(OLD.service_level, **{field: None})))


@pytest.mark.parametrize("field", sorted(NOT_COMPARED))
def test_version_and_file_are_no_changes(field: str) -> None:
    assert compare(OLD, replace(OLD, **{field: "9.9.9"})) == ()


COLUMNS = st.lists(
    st.builds(
        a_column,
        st.sampled_from("abcd"),
        type=st.sampled_from(["VARCHAR", "BIGINT"]),
        required=st.booleans(),
        primary_key=st.booleans(),
        classification=st.sampled_from(["public", "internal", "restricted"]),
        identifies=st.sampled_from([None, "person"]),
    ),
    max_size=4,
    unique_by=lambda column: column.name,
).map(tuple)
CHECKS = st.lists(
    st.builds(
        between,
        st.sampled_from("ab"),
        st.none() | st.integers(0, 2),
        st.none() | st.integers(3, 5),
        severity=st.sampled_from(["critical", "warning"]),
        meta=st.sampled_from([{}, {"name": "n"}, {"name": "n", "description": "d"}]),
    ),
    max_size=4,
).map(tuple)
CONTRACTS = st.builds(
    a_contract,
    columns=COLUMNS,
    expectations=CHECKS,
    grain=st.sampled_from([(), ("a",), ("a", "b"), ("b", "a")]),
    status=st.sampled_from(["draft", "active", "retired"]),
    owner=st.sampled_from(["x", "y"]),
    version=st.sampled_from(["0.1.0", "1.0.0", "1.2.3"]),
)


@settings(max_examples=60, deadline=None)
@given(contract=CONTRACTS)
def test_a_contract_compared_with_itself_shows_nothing(contract: Contract) -> None:
    assert compare(contract, contract) == ()
    assert demanded_version(contract.version, ()) == contract.version


@settings(max_examples=60, deadline=None)
@given(contract=CONTRACTS, data=st.data())
def test_removing_a_column_always_breaks(contract: Contract, data: st.DataObject) -> None:
    if contract.columns:
        gone = data.draw(st.sampled_from(contract.columns))
        changes = compare(contract, replace(contract, columns=tuple(each for each in contract.columns if each != gone)))
        assert Change(level="major", what=f"column {gone.name} removed") in changes
        assert changes[0].breaking


@settings(max_examples=60, deadline=None)
@given(old=CONTRACTS, new=CONTRACTS)
def test_what_changed_shows_whenever_contracts_differ(old: Contract, new: Contract) -> None:
    alike = replace(old, version=new.version, expectations=()) == replace(new, expectations=())
    alike = alike and sorted(map(repr, old.expectations)) == sorted(map(repr, new.expectations))
    assert (compare(old, new) == ()) == alike


@settings(max_examples=60, deadline=None)
@given(old=CONTRACTS, new=CONTRACTS, data=st.data())
def test_more_changes_never_demand_less(old: Contract, new: Contract, data: st.DataObject) -> None:
    changes = compare(old, new)
    fewer = tuple(change for change in changes if data.draw(st.booleans()))
    assert is_enough(demanded_version(old.version, changes), demanded_version(old.version, fewer))


@pytest.mark.parametrize(
    ("version", "demanded", "enough"),
    [("1.0.0", "1.0.0", True), ("1.0.1", "1.0.0", True), ("1.9.0", "1.10.0", False), ("2.0.0", "1.10.9", True)],
)
def test_versions_compare_as_numbers(version: str, demanded: str, enough: bool) -> None:
    assert is_enough(version, demanded) is enough
