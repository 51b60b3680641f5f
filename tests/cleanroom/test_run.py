"""What is released of partials that are known: thresholds, dominance, complements, differences, and exact numbers."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from mesh_defs.cleanroom.differencing import Earlier
from mesh_defs.cleanroom.rules import terms_of
from mesh_defs.cleanroom.run import Run, answer
from mesh_defs.model.room import Agreement, Release
from mesh_defs.sql.analysis import compile_analysis
from tests.cleanroom.agreements import an_agreement

_UNITS = pa.decimal128(38, 0)
IMPRESSIONS = "FROM pub.impressions i JOIN adv.customers c ON i.hem = c.person"
PERSONS = "FROM pub.persons p JOIN adv.customers c ON p.hem = c.person"
# person, campaign, device, cost in cents (None: unknown)
Shown = tuple[int, str | None, str, int | None]
# person, segment, age
Known = tuple[int, str, int]
# person, tier
Bought = tuple[int, str]


def impressions_of(persons: Iterable[int], campaign: str = "c1", device: str = "ios", cost: int = 100) -> list[Shown]:
    return [(person, campaign, device, cost) for person in persons]


class World:
    """Both parties' rows; makes the partials that their doors would."""

    def __init__(
        self,
        bought: Sequence[Bought],
        shown: Sequence[Shown] = (),
        known: Sequence[Known] = (),
        agreement: Agreement | None = None,
        sums: pa.DataType = _UNITS,
    ) -> None:
        self._sums = sums
        self.agreement = agreement or an_agreement()
        self._rows: Mapping[str, list[tuple[int, dict[str, Any]]]] = {
            "adv.customers": [(person, {"tier": tier}) for person, tier in bought],
            "pub.impressions": [(p, {"campaign": c, "device": d, "cost": cost}) for p, c, d, cost in shown],
            "pub.persons": [(person, {"segment": segment, "age": age}) for person, segment, age in known],
        }
        self.earlier: list[Earlier] = []

    def ask(self, sql: str) -> Release:
        analysis = compile_analysis(sql, self.agreement).analysis
        terms = terms_of(analysis, self.agreement, "adv")
        run = Run(agreement=self.agreement, analyst="adv", analysis=analysis, terms=terms, earlier=tuple(self.earlier))
        release = answer(run, [self._partials(extract) for extract in run.extracts])
        self.earlier.append(Earlier(analysis=analysis, groups=tuple(group.values for group in release.groups)))
        return release

    def _partials(self, extract: Any) -> dict[str, pa.Table]:
        return {party: self._partial(extract, party) for party in ("pub", "adv")}

    def _partial(self, extract: Any, party: str) -> pa.Table:
        (table,) = extract.of(party, self.agreement)
        fields = [field for field in extract.dimensions if field.table == table.name]
        measured = bool(extract.measures) and party == "pub"
        rows: Counter[tuple[Any, ...]] = Counter()
        sums: dict[tuple[Any, ...], list[int]] = {}
        for person, row in self._rows[table.name]:
            codes = [self._code(table.dimensions[field.column], row[field.column]) for field in fields]
            key = (person.to_bytes(12, "big"), *codes)
            rows[key] += 1
            if measured and row["cost"] is not None:
                total = sums.setdefault(key, [0, 0])
                total[0] += row["cost"]
                total[1] += 1
        columns: dict[str, Any] = {"token": pa.array([key[0] for key in rows], pa.binary(12)).dictionary_encode()}
        columns |= {f"d{n}": pa.array([key[n + 1] for key in rows], pa.int16()) for n in range(len(fields))}
        columns["n"] = pa.array([1 if party == "adv" else count for count in rows.values()], pa.int64())
        if measured:
            columns["s0"] = pa.array([sums[key][0] if key in sums else None for key in rows]).cast(self._sums)
            columns["c0"] = pa.array([sums[key][1] if key in sums else 0 for key in rows], pa.int64())
        return pa.table(columns)

    @staticmethod
    def _code(domain: Sequence[Any], value: Any) -> int:
        return domain.index(value) if value in domain else -1


def shown(release: Release) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    return {group.values: group.numbers for group in release.groups}


def because(release: Release) -> dict[tuple[Any, ...], str]:
    return {each.values: each.because for each in release.withheld}


def gold(persons: Iterable[int]) -> list[Bought]:
    return [(person, "gold") for person in persons]


def test_numbers_are_those_of_the_rows() -> None:
    rows = [
        *impressions_of(range(10)),
        *impressions_of(range(10), cost=255),
        *impressions_of(range(5, 15), "c2", cost=7),
    ]
    release = World(gold(range(20)), rows).ask(
        f"SELECT i.campaign, count(*), count(DISTINCT i.hem), sum(i.cost), avg(i.cost) {IMPRESSIONS} GROUP BY 1"
    )
    # in the order of the analysis: avg, count, reach, sum
    assert shown(release) == {
        ("c1",): (1.775, 20, 10, Decimal("35.50")),
        ("c2",): (0.07, 10, 10, Decimal("0.70")),
    }


def test_large_sums_are_exact() -> None:
    rows = impressions_of(range(10), cost=10**17 + 1)
    release = World(gold(range(10)), rows).ask(f"SELECT sum(i.cost) {IMPRESSIONS}")
    assert shown(release) == {(): (Decimal("10000000000000000.10"),)}


def test_unknown_values_are_not_added_up() -> None:
    rows: list[Shown] = [*impressions_of(range(10)), *((person, "c1", "ios", None) for person in range(10))]
    release = World(gold(range(10)), rows).ask(f"SELECT count(*), sum(i.cost), avg(i.cost) {IMPRESSIONS}")
    assert shown(release) == {(): (1.0, 20, Decimal("10.00"))}


def test_a_value_that_few_have_is_withheld_whatever_it_is() -> None:
    rows: list[Shown] = [(person, "c1", "ios", None) for person in range(30)]
    for cost in (0, 7):
        release = World(gold(range(40)), [*rows, (3, "c1", "ios", cost)]).ask(f"SELECT avg(i.cost) {IMPRESSIONS}")
        assert because(release) == {(): "small"}


def test_the_askers_rows_count_once_in_a_group() -> None:
    bought = [*gold(range(10)), *gold(range(10)), *((person, "silver") for person in range(10))]
    release = World(bought, impressions_of(range(10))).ask(f"SELECT count(*), sum(i.cost) {IMPRESSIONS}")
    assert shown(release) == {(): (10, Decimal("10.00"))}


def test_values_that_are_not_public_are_in_no_group() -> None:
    rows = [*impressions_of(range(10)), *((person, None, "ios", 1) for person in range(10))]
    release = World(gold(range(10)), rows).ask(f"SELECT i.campaign, count(*) {IMPRESSIONS} GROUP BY 1")
    assert shown(release) == {("c1",): (10,)}
    assert not release.withheld


def test_small_groups_are_withheld_and_one_more_beside_them() -> None:
    known = (
        [(p, "auto", 1) for p in range(4)]
        + [(p, "auto", 2) for p in range(10, 18)]
        + [(p, "auto", 3) for p in range(20, 40)]
    )
    release = World(gold(range(40)), known=known).ask(f"SELECT p.age, count(DISTINCT p.hem) {PERSONS} GROUP BY 1")
    assert shown(release) == {(3,): (20,)}
    assert because(release) == {(1,): "small", (2,): "complementary"}


def test_enough_persons_hidden_together_hide_no_more() -> None:
    known = (
        [(p, "auto", 1) for p in range(4)]
        + [(p, "auto", 2) for p in range(10, 14)]
        + [(p, "auto", 3) for p in range(20, 40)]
    )
    release = World(gold(range(40)), known=known).ask(f"SELECT p.age, count(DISTINCT p.hem) {PERSONS} GROUP BY 1")
    assert because(release) == {(1,): "small", (2,): "small"}


def test_rows_are_not_persons() -> None:
    rows = impressions_of([1] * 100)
    assert because(World(gold(range(10)), rows).ask(f"SELECT count(*) {IMPRESSIONS}")) == {(): "small"}


def test_one_person_with_most_of_it_is_withheld_also_below_zero() -> None:
    for sign in (1, -1):
        rows = [*impressions_of(range(10), cost=sign), (99, "c1", "ios", sign * 1_000)]
        world = World(gold(range(100)), rows)
        assert because(world.ask(f"SELECT sum(i.cost) {IMPRESSIONS}")) == {(): "dominated"}
        assert shown(world.ask(f"SELECT count(DISTINCT i.hem) {IMPRESSIONS}")) == {(): (11,)}


def test_exactly_half_is_not_most() -> None:
    rows = [*impressions_of(range(10), cost=1), (99, "c1", "ios", 10)]
    assert shown(World(gold(range(100)), rows).ask(f"SELECT sum(i.cost) {IMPRESSIONS}")) == {(): (Decimal("0.20"),)}


def test_two_questions_that_differ_in_few_persons() -> None:
    known = [(p, "auto", 1) for p in range(30)] + [(p, "auto", 2) for p in range(30, 33)]
    world = World(gold(range(40)), known=known)
    assert shown(world.ask(f"SELECT count(DISTINCT p.hem) {PERSONS} WHERE p.age = 1"))
    assert because(world.ask(f"SELECT count(DISTINCT p.hem) {PERSONS}")) == {(): "difference"}


def test_two_questions_that_differ_in_the_rows_of_one_person() -> None:
    rows = [*impressions_of(range(30)), *impressions_of([3, 3, 3, 3], device="android")]
    world = World(gold(range(40)), rows)
    assert shown(world.ask(f"SELECT count(*) {IMPRESSIONS} WHERE i.device = 'ios'"))
    assert because(world.ask(f"SELECT count(*) {IMPRESSIONS}")) == {(): "difference"}


def test_persons_alone_do_not_tell_of_rows() -> None:
    rows = [*impressions_of(range(30)), *impressions_of([3, 3, 3, 3], device="android")]
    world = World(gold(range(40)), rows)
    assert shown(world.ask(f"SELECT count(DISTINCT i.hem) {IMPRESSIONS} WHERE i.device = 'ios'"))
    assert shown(world.ask(f"SELECT count(DISTINCT i.hem) {IMPRESSIONS}")) == {(): (30,)}


def test_the_askers_own_choice_of_persons_is_compared_too() -> None:
    """Everybody is in both tiers, but for one who is in the second alone."""
    bought = [*gold(range(30)), *((person, "silver") for person in range(31))]
    world = World(bought, known=[(p, "auto", 1) for p in range(40)])
    assert shown(world.ask(f"SELECT count(DISTINCT p.hem) {PERSONS} WHERE c.tier = 'gold'"))
    assert because(world.ask(f"SELECT count(DISTINCT p.hem) {PERSONS}")) == {(): "difference"}


def test_three_answers_that_come_down_to_few_persons() -> None:
    known = (
        [(p, "auto", 1) for p in range(30)]
        + [(p, "auto", 2) for p in range(30, 60)]
        + [(p, "auto", 3) for p in (70, 71)]
    )
    world = World(gold(range(100)), known=known)
    for age in (1, 2):
        assert shown(world.ask(f"SELECT count(DISTINCT p.hem) {PERSONS} WHERE p.age = {age}"))
    assert because(world.ask(f"SELECT count(DISTINCT p.hem) {PERSONS}")) == {(): "difference"}


def test_nothing_in_common_is_no_group() -> None:
    release = World(gold(range(10)), impressions_of(range(50, 60))).ask(f"SELECT count(*) {IMPRESSIONS}")
    assert not release.groups
    assert not release.withheld


@pytest.mark.parametrize("sums", [pa.int64(), _UNITS])
@pytest.mark.parametrize("each", [1, 10**6, 2**53, 9 * 10**15, 9 * 10**18])
def test_sums_are_exact_however_large(each: int, sums: pa.DataType) -> None:
    """In 8 bytes where they all fit, in 16 where not: what a party sends fits, and a person's two rows may not any more."""
    persons = range(1000)
    shown = [row for device in ("ios", "android") for row in impressions_of(persons, device=device, cost=each)]
    asked = f"SELECT i.campaign, sum(i.cost) {IMPRESSIONS} WHERE i.device IN ('ios', 'android') GROUP BY i.campaign"
    (group,) = World(gold(persons), shown, sums=sums).ask(asked).groups
    assert group.numbers == (Decimal(2 * 1000 * each) / 100,)
