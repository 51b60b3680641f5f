"""Hoarding: a product that republishes another domain's columns at the same grain must argue it."""

from dataclasses import replace
from typing import Literal

import pytest

from mesh_defs.model.contract import Contract
from mesh_defs.model.lineage import ColumnLineage, ColumnSource
from mesh_defs.policy.governance import hoarding, row_key
from tests.factories import a_column, a_contract

PERSONS = a_contract(
    "audiences.persons",
    columns=(
        a_column("person_id", primary_key=True),
        a_column("email", unique=True),
        a_column("region"),
        a_column("born", type="INTEGER"),
    ),
)
DAILY = a_contract(
    "events.daily",
    grain=("day", "region"),
    columns=(a_column("day", type="DATE"), a_column("region"), a_column("reach", type="BIGINT")),
)


def mine(*columns: str, grain: tuple[str, ...], product: str = "events.copy", **given: object) -> Contract:
    types = {"born": "INTEGER", "day": "DATE", "reach": "BIGINT"}
    made = tuple(a_column(name, type=types.get(name, "VARCHAR")) for name in columns)
    return a_contract(product, columns=made, grain=grain, **given)


def lineage(other: str = "audiences.persons", /, **sources: str | tuple[str, ...]) -> ColumnLineage:
    """Output = source column passed through; `~x` is made of x; a tuple has several sources; "" has none."""
    return ColumnLineage(
        columns={
            output: tuple(_source(other, each) for each in ((told,) if isinstance(told, str) else told) if each)
            for output, told in sources.items()
        }
    )


def _source(other: str, told: str) -> ColumnSource:
    how: Literal["identity", "transformation"] = "transformation" if told.startswith("~") else "identity"
    product, _, column = told.lstrip("~").rpartition(".")
    return ColumnSource(product=product or other, column=column, how=how)


def found(contract: Contract, traced: ColumnLineage | None, *inputs: Contract) -> list[str]:
    findings = hoarding(contract, {each.product: each for each in inputs or (PERSONS,)}, traced)
    return [finding.what for finding in findings]


def test_a_copy_of_rows_and_columns_is_refused_with_the_mend() -> None:
    copy = mine("person_id", "region", grain=("person_id",))
    (finding,) = hoarding(copy, {PERSONS.product: PERSONS}, lineage(person_id="person_id", region="region"))
    assert finding.where == "domains/events/contracts/copy.odcs.yaml: customProperties.republishes"
    assert finding.what == "republishes region of audiences.persons at the same grain (person_id)"
    assert finding.fix.startswith("read audiences.persons where it lies, or argue it: `{property: republishes")


HOARDED: dict[str, tuple[Contract, ColumnLineage | None]] = {
    "renamed": (mine("id", "area", grain=("id",)), lineage(id="person_id", area="region")),
    "the key twice, one of them the grain": (
        mine("id", "who", "region", grain=("id",)),
        lineage(who="person_id", id="person_id", region="region"),
    ),
    "the key twice, the other the grain": (
        mine("id", "who", "region", grain=("who",)),
        lineage(who="person_id", id="person_id", region="region"),
    ),
    "the key twice, both the grain": (
        mine("id", "who", "region", grain=("id", "who")),
        lineage(who="person_id", id="person_id", region="region"),
    ),
    "a column twice": (
        mine("id", "a", "b", grain=("id",)),
        lineage(id="person_id", a="region", b="region"),
    ),
    "a dependent column in the grain": (
        mine("id", "region", grain=("id", "region")),
        lineage(id="person_id", region="region"),
    ),
    "a computed column in the grain": (
        mine("id", "decade", "region", grain=("id", "decade")),
        lineage(id="person_id", decade="~born", region="region"),
    ),
    "another key than the stated one": (
        mine("email", "region", grain=("email",)),
        lineage(email="email", region="region"),
    ),
    "one key by the other": (mine("email", "id", grain=("email",)), lineage(email="email", id="person_id")),
    "with something of its own beside it": (
        mine("id", "region", "score", grain=("id",)),
        lineage(id="person_id", region="region", score=("~born", "~events.clicks.n")),
    ),
    "python, by name and type": (mine("person_id", "region", grain=("person_id",)), None),
    "python, with a dependent column in the grain": (mine("person_id", "region", grain=("person_id", "region")), None),
    "lineage that is not known": (
        mine("person_id", "region", grain=("person_id",)),
        ColumnLineage(columns={}, unknown="a function made it"),
    ),
    "the primary key instead of a grain": (
        replace(mine("id", "region", grain=()), columns=(a_column("id", primary_key=True), a_column("region"))),
        lineage(id="person_id", region="region"),
    ),
}
FREE: dict[str, tuple[Contract, ColumnLineage | None]] = {
    "the key alone": (mine("id", grain=("id",)), lineage(id="person_id")),
    "the key alone, twice": (mine("id", "who", grain=("id",)), lineage(id="person_id", who="person_id")),
    "what is made of columns": (
        mine("id", "decade", grain=("id",)),
        lineage(id="person_id", decade="~born"),
    ),
    "a coarser grain": (mine("region", "persons", grain=("region",)), lineage(region="region", persons="~person_id")),
    "a finer grain": (
        mine("id", "purpose", "region", grain=("id", "purpose")),
        lineage(id="person_id", purpose="audiences.consents.purpose", region="region"),
    ),
    "a grain of another product": (
        mine("click", "id", "region", grain=("click",)),
        lineage(click="events.clicks.click_id", id="person_id", region="region"),
    ),
    "python, of another type": (
        replace(mine("person_id", "region", grain=("person_id",)), columns=(a_column("person_id", type="BIGINT"),)),
        None,
    ),
    "python, under other names": (mine("id", "area", grain=("id",)), None),
    "nothing tells its rows apart": (
        replace(mine("id", "region", grain=()), columns=(a_column("id"), a_column("region"))),
        lineage(region="region"),
    ),
    "argued": (
        mine("id", "region", grain=("id",), republishes="The partner reads a file."),
        lineage(id="person_id", region="region"),
    ),
    "no lineage of that product": (
        mine("id", "region", grain=("id",)),
        lineage("x.y", id="person_id", region="region"),
    ),
}


@pytest.mark.parametrize(("contract", "traced"), HOARDED.values(), ids=HOARDED.keys())
def test_hoarding_is_seen_through(contract: Contract, traced: ColumnLineage | None) -> None:
    assert len(found(contract, traced)) == 1


@pytest.mark.parametrize(("contract", "traced"), FREE.values(), ids=FREE.keys())
def test_what_is_no_copy_passes(contract: Contract, traced: ColumnLineage | None) -> None:
    assert found(contract, traced) == []


def test_a_domain_never_hoards_its_own() -> None:
    own = mine("person_id", "region", grain=("person_id",), product="audiences.copy")
    assert found(own, lineage(person_id="person_id", region="region")) == []


def test_a_compound_key_is_copied_only_as_a_whole() -> None:
    whole = mine("day", "region", "reach", grain=("region", "day"), product="creatives.copy")
    traced = lineage("events.daily", day="day", region="region", reach="reach")
    assert found(whole, traced, DAILY) == ["republishes reach of events.daily at the same grain (day, region)"]
    part = mine("day", "reach", grain=("day",), product="creatives.copy")
    assert found(part, lineage("events.daily", day="day", reach="reach"), DAILY) == []


def test_an_input_that_has_no_key_cannot_be_copied_row_by_row() -> None:
    bare = replace(PERSONS, columns=(a_column("person_id"), a_column("region")))
    copy = mine("person_id", "region", grain=("person_id",))
    assert found(copy, lineage(person_id="person_id", region="region"), bare) == []


def test_each_input_is_judged_by_itself() -> None:
    both = mine("id", "region", "day", "reach", grain=("id",), product="creatives.copy")
    traced = lineage(id="person_id", region="region", day="events.daily.day", reach="events.daily.reach")
    assert found(both, traced, PERSONS, DAILY) == [
        "republishes region of audiences.persons at the same grain (person_id)"
    ]


def test_the_row_key_is_the_grain_else_the_primary_key() -> None:
    assert row_key(DAILY) == ("day", "region")
    assert row_key(PERSONS) == ("person_id",)
    assert row_key(a_contract(columns=(a_column("x"),))) == ()
