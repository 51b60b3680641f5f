"""What one person adds is bounded, on whole numbers, before there is noise; and what comes out is of public groups."""

import secrets
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesh_defs.cleanroom import noise, privacy, run
from mesh_defs.cleanroom.extract import Extract
from mesh_defs.cleanroom.join import CONTRIBUTIONS, contribute, sides_of
from mesh_defs.cleanroom.noise import MICRO, SHOWN_MAX, TOTAL_MAX, l2_of, noise_of
from mesh_defs.cleanroom.privacy import Plan, plan_of, private_groups, totals
from mesh_defs.cleanroom.rules import terms_of
from mesh_defs.cleanroom.run import Run, answer
from mesh_defs.errors import AnalysisRejectedError, MeshError
from mesh_defs.model.room import Aggregate, Field, Group
from tests.cleanroom.private_room import (
    AVG,
    CAMPAIGN,
    COUNT,
    DEVICE,
    REACH,
    SALT,
    SCORE,
    SUM,
    Row,
    a_measure,
    a_room,
    an_analysis,
    contributed,
)

ALL = (COUNT, REACH, AVG, SUM)
HUGE = 2**127 - 1

amounts = st.one_of(
    st.none(), st.integers(-300, 300), st.sampled_from([HUGE, -HUGE, 2**63, -(2**63), 10**15, -(10**15)])
)
bounds = st.tuples(st.integers(-200, 200), st.integers(-200, 200)).map(sorted).filter(lambda both: both != [0, 0])


@st.composite
def persons(draw: st.DrawFn) -> list[Row]:
    """At most one row for each person and group, as a join makes them, with numbers that no agreement foresaw."""
    found: list[Row] = []
    for person in range(draw(st.integers(0, 4))):
        codes = draw(st.sets(st.tuples(st.integers(0, 3), st.integers(0, 1)), max_size=8))
        for code in sorted(codes):
            rows = draw(st.one_of(st.integers(0, 12), st.sampled_from([HUGE, 2**63])))
            values = draw(st.one_of(st.integers(0, 12), st.just(HUGE)))
            found.append((f"p{person}", code, rows, ((draw(amounts), values),)))
    return found


def farthest(rows: list[Row], plan: Plan) -> list[tuple[int, float]]:
    """For each statistic the square of how far one person moves it at most, and the sensitivity claimed."""
    with contributed(rows, dimensions=2) as connection:
        whole = totals(plan, connection, SALT)
        moved = [0] * len(whole)
        for person in {row[0] for row in rows}:
            connection.execute(f"CREATE OR REPLACE TABLE kept AS SELECT * FROM {CONTRIBUTIONS}")
            connection.execute(f"DELETE FROM {CONTRIBUTIONS} WHERE person = ?", [person.encode()])
            without = totals(plan, connection, SALT)
            connection.execute(f"CREATE OR REPLACE TABLE {CONTRIBUTIONS} AS SELECT * FROM kept")
            for place, (all_, rest) in enumerate(zip(whole, without, strict=True)):
                moved[place] = max(moved[place], sum((a - b) ** 2 for a, b in zip(all_, rest, strict=True)))
    return [(far, of.sensitivity) for far, (_, of) in zip(moved, plan.statistics, strict=True)]


def require_bounded(rows: list[Row], plan: Plan) -> None:
    for far, claimed in farthest(rows, plan):
        assert far <= Fraction(claimed) ** 2


@settings(max_examples=60, deadline=None)
@given(persons(), bounds, st.integers(1, 9), st.integers(1, 7))
def test_no_person_moves_the_totals_by_more_than_noise_is_made_for(
    rows: list[Row], limits: list[int], groups_max: int, rows_max: int
) -> None:
    room = a_room(cost=a_measure(lower=limits[0], upper=limits[1]), groups_max=groups_max, rows_max=rows_max)
    require_bounded(rows, plan_of(an_analysis(*ALL, by=(CAMPAIGN, DEVICE)), room, 100_000))


def heavy(groups: int = 8) -> list[Row]:
    """Somebody who is everywhere with more than anybody may add, beside a light one."""
    codes = [(campaign, device) for campaign in range(4) for device in range(2)][:groups]
    return [("heavy", code, 1000, ((10**6, 1000),)) for code in codes] + [("light", (0, 0), 1, ((1, 1),))]


def a_plan(**given: int) -> Plan:
    return plan_of(an_analysis(*ALL, by=(CAMPAIGN, DEVICE)), a_room(**given), 100_000)


@pytest.mark.parametrize("groups_max", [1, 3, 8, 100])
def test_the_heaviest_person_moves_them_by_exactly_that(groups_max: int) -> None:
    """The bound is tight: less noise would be too little."""
    groups = min(groups_max, 8)
    plan = a_plan(groups_max=groups_max)
    squares = [far for far, _ in farthest(heavy(), plan)]
    assert squares == [groups * 25, groups, groups * 100**2, groups * 25]
    for far, claimed in farthest(heavy(), plan):
        assert far <= Fraction(claimed) ** 2 <= far * Fraction(1 + 1e-12)


@pytest.mark.parametrize(
    ("name", "broken"),
    [
        ("_bounded", lambda one, name: f"{one.term} AS {name}"),
        ("_chosen", lambda codes, groups_max: " WHERE $salt <> ''"),
        ("_noise", lambda one, groups_max, micro_rho: noise_of(l2_of(max(abs(one.lower), one.upper), 1), micro_rho)),
    ],
)
def test_the_property_catches_removed_bounding(
    name: str, broken: Callable[..., object], monkeypatch: pytest.MonkeyPatch
) -> None:
    require_bounded(heavy(), a_plan())
    monkeypatch.setattr(privacy, name, broken)
    with pytest.raises(AssertionError):
        require_bounded(heavy(), a_plan())


def test_who_counts_where_depends_on_the_salt_and_on_nobody_else() -> None:
    plan = plan_of(an_analysis(REACH, by=(CAMPAIGN, DEVICE)), a_room(groups_max=3), 100_000)
    alone = [row for row in heavy() if row[0] == "heavy"]
    chosen = set()
    for salt in (bytes([n]) * 32 for n in range(12)):
        with contributed(alone, dimensions=2) as connection:
            (kept,) = totals(plan, connection, salt)
            assert sum(kept) == 3
            assert (kept,) == tuple(totals(plan, connection, salt))
            chosen.add(tuple(kept))
    assert len(chosen) > 1


def test_all_groups_count_when_the_budget_allows_as_many() -> None:
    plan = plan_of(an_analysis(REACH, by=(CAMPAIGN, DEVICE)), a_room(groups_max=8), 100_000)
    assert not plan.ranked
    with contributed(heavy(), dimensions=2) as connection:
        assert totals(plan, connection, SALT) == [[2, 1, 1, 1, 1, 1, 1, 1]]


def test_a_missing_value_adds_nothing_whatever_the_bounds() -> None:
    plan = plan_of(an_analysis(AVG), a_room(cost=a_measure(lower=10, upper=20)), 100_000)
    with contributed([("a", (0,), 3, ((None, 0),)), ("b", (1,), 1, ((1, 1),))]) as connection:
        assert totals(plan, connection, SALT) == [[0, 10, 0, 0], [0, 1, 0, 0]]


def test_negative_sums_stay_within_their_bounds() -> None:
    plan = plan_of(an_analysis(SUM), a_room(cost=a_measure(lower=-50, upper=-5)), 100_000)
    with contributed([("a", (0,), 1, ((-HUGE, 1),)), ("b", (1,), 1, ((HUGE, 1),))]) as connection:
        assert totals(plan, connection, SALT) == [[-50, -5, 0, 0]]
    assert plan.statistics[0][1].sensitivity == l2_of(50, 3)


def test_equal_bounds_count_the_persons_with_a_value() -> None:
    plan = plan_of(an_analysis(SUM), a_room(cost=a_measure(lower=7, upper=7)), 100_000)
    with contributed(
        [("a", (0,), 1, ((1, 1),)), ("b", (0,), 1, ((9, 1),)), ("c", (0,), 1, ((None, 0),))]
    ) as connection:
        assert totals(plan, connection, SALT) == [[14, 0, 0, 0]]


def test_each_measure_has_its_own_column() -> None:
    score = Aggregate("sum", SCORE)
    plan = plan_of(an_analysis(SUM, score), a_room(score=a_measure(lower=-1, upper=1)), 100_000)
    with contributed([("a", (0,), 1, ((40, 1), (-9, 1)))], measures=2) as connection:
        assert totals(plan, connection, SALT) == [[40, 0, 0, 0], [-1, 0, 0, 0]]


@pytest.mark.parametrize("by", [(), (CAMPAIGN,), (CAMPAIGN, DEVICE)])
def test_every_public_group_comes_out_of_no_rows_at_all(by: tuple[Field, ...]) -> None:
    room = a_room()
    plan = plan_of(an_analysis(*ALL, by=by), room, 100_000)
    with contributed([], dimensions=len(by)) as connection:
        groups = private_groups(plan, connection, SALT)
    assert [each.values for each in groups] == list(privacy.groups_of(plan.analysis, room))
    for each in groups:
        assert all(number is None or isinstance(number, int | float) for number in each.numbers)
        assert len(each.accuracy) == len(each.numbers) == 4


def test_groups_are_those_of_the_filter_in_the_domains_order() -> None:
    filtered = replace(an_analysis(COUNT), filters=((CAMPAIGN, ("c1", "c3")),))
    plan = plan_of(filtered, a_room(), 100_000)
    with contributed([("a", (3,), 2, ((1, 1),)), ("b", (0,), 2, ((1, 1),))]) as connection:
        assert totals(plan, connection, SALT) == [[0, 2]]
        assert [each.values for each in private_groups(plan, connection, SALT)] == [("c1",), ("c3",)]


@pytest.mark.parametrize("micro_rho", [4, 5, 6, 7, 100_003, 500_000])
def test_all_of_the_rho_is_spent_and_no_more(micro_rho: int) -> None:
    plan = plan_of(an_analysis(*ALL), a_room(), micro_rho)
    assert sum(each.micro_rho for _, each in plan.statistics) == micro_rho
    for _, each in plan.statistics:
        assert Fraction(noise._gaussian(each.scale).map(each.sensitivity)) <= Fraction(each.micro_rho, MICRO)


def test_sum_and_average_share_a_sum() -> None:
    assert [one.term for one, _ in plan_of(an_analysis(SUM, AVG), a_room(), 100_000).statistics] == ["s0", "c0"]


@pytest.mark.parametrize("micro_rho", [0, -1, 3, 500_001, 10**30, True, 0.1, float("nan"), "1", None])
def test_rho_that_cannot_be_is_refused(micro_rho: object) -> None:
    with pytest.raises(AnalysisRejectedError):
        plan_of(an_analysis(*ALL), a_room(), micro_rho)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "limits", [{"lower": None}, {"upper": None}, {"lower": 5, "upper": 4}, {"lower": 0, "upper": 0}]
)
def test_a_measure_without_bounds_is_refused_before_anything_is_read(limits: dict[str, int | None]) -> None:
    with pytest.raises(AnalysisRejectedError, match=r"orders\.cost has no bounds"):
        plan_of(an_analysis(SUM), a_room(cost=a_measure(**limits)), 100_000)


def test_no_budget_no_group_and_hopeless_bounds_are_refused() -> None:
    with pytest.raises(AnalysisRejectedError, match="no privacy budget"):
        plan_of(an_analysis(COUNT), replace(a_room(), privacy=None), 1)
    with pytest.raises(AnalysisRejectedError, match="nothing is asked"):
        plan_of(replace(an_analysis(COUNT), filters=((CAMPAIGN, ()),)), a_room(), 1000)
    with pytest.raises(AnalysisRejectedError, match="nothing but noise"):
        plan_of(an_analysis(SUM), a_room(cost=a_measure(upper=10**15)), 1)


def test_a_short_salt_is_our_own_fault() -> None:
    with contributed([]) as connection, pytest.raises(ValueError, match="salt"):
        totals(plan_of(an_analysis(COUNT), a_room(), 1000), connection, b"short")


def test_what_was_cut_is_never_shown() -> None:
    few = noise_of(1.0, 500_000)
    assert few.added([TOTAL_MAX, -TOTAL_MAX, 2**80, -HUGE, SHOWN_MAX + 10**6]) == [None] * 5
    assert all(abs(each - 10**17) < 100 for each in few.added([10**17] * 3) if each is not None)


def test_decimals_come_out_exact_and_averages_as_floats() -> None:
    exact = a_room(cost=a_measure(lower=0, upper=10**12, decimals=2), micro_rho_per_release=1_000_000, groups_max=4)
    plan = plan_of(an_analysis(SUM, AVG), exact, 1_000_000)
    with contributed([(f"p{n}", (0,), 5, ((10**12, 5),)) for n in range(400)]) as connection:
        full, empty, *_ = private_groups(plan, connection, secrets.token_bytes(32))
    (total, average), (apart, off) = full.numbers, full.accuracy
    assert isinstance(total, Decimal) and isinstance(apart, Decimal)
    assert abs(total - 4 * 10**12) < 3 * apart and total.as_tuple().exponent == apart.as_tuple().exponent == -2
    assert isinstance(average, float) and isinstance(off, float) and abs(average - 2 * 10**9) < 3 * off
    assert empty.numbers[1] is None and empty.accuracy[1] is None


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**50), st.integers(1, 10_000))
def test_a_sensitivity_is_rounded_up_and_hardly(each: int, groups: int) -> None:
    found = l2_of(each, groups)
    assert groups * each * each <= Fraction(found) ** 2
    assert found <= (groups**0.5) * each * (1 + 1e-12)


def test_numbers_are_right_on_average_and_within_their_accuracy() -> None:
    """Chances that this fails by itself: below one in ten million."""
    of = noise_of(l2_of(5, 4), 20_000)
    accuracy, drawn = of.accuracy(0.05), [each for each in of.added([1000] * 4000) if each is not None]
    assert abs(sum(drawn) / 4000 - 1000) < 5.5 * of.scale / 4000**0.5
    assert 0.93 < sum(abs(each - 1000) <= accuracy for each in drawn) / 4000 < 0.97


def test_a_lying_party_that_repeats_persons_makes_them_no_heavier() -> None:
    """The totals rely on a join that leaves one row for each person and group, whatever the parties send."""
    room = a_room(groups_max=4)
    analysis = an_analysis(COUNT)
    extract = Extract(tables=analysis.tables, dimensions=(CAMPAIGN,), within={}, measures=())
    partials = {
        "agency": pa.table({"token": ["x"] * 50, "n": [1] * 50}),
        "retailer": pa.table({"token": ["x"] * 900, "d0": pa.array([0, 1, -1] * 300, pa.int16()), "n": [10] * 900}),
    }
    with duckdb.connect() as connection:
        contribute(sides_of(extract, partials, room, "agency", connection, number=0), analysis, connection)
        assert totals(plan_of(analysis, room, 1000), connection, SALT) == [[5, 5, 0, 0]]


def test_which_groups_count_is_drawn_by_a_persons_own_token(monkeypatch: pytest.MonkeyPatch) -> None:
    """A number that stood for it would depend on who else is there, and so would what others add."""
    room, seen = a_room(groups_max=1), []
    analysis = an_analysis(COUNT)
    tokens = pa.DictionaryArray.from_arrays(
        pa.array([0, 0, 1], pa.int32()), pa.array([b"x" * 12, b"y" * 12], pa.binary(12))
    )
    counted = {"d0": pa.array([0, 1, 1], pa.int16()), "n": [1, 2, 3]}
    partials = {
        "agency": pa.table({"token": tokens, "n": [1, 1, 1]}),
        "retailer": pa.table({"token": tokens, **counted}),
    }

    def kept(_: Plan, connection: duckdb.DuckDBPyConnection, salt: bytes) -> tuple[Group, ...]:
        seen.extend(connection.execute("SELECT DISTINCT person FROM contributions ORDER BY person").fetchall())
        return ()

    monkeypatch.setattr(run, "private_groups", kept)
    terms = terms_of(analysis, room, "agency")
    answer(Run(agreement=room, analyst="agency", analysis=analysis, terms=terms, micro_rho=1000), [partials])
    assert seen == [(b"x" * 12,), (b"y" * 12,)]


def test_refusals_are_mesh_errors_with_a_fixed_code() -> None:
    with pytest.raises(MeshError) as refused:
        plan_of(an_analysis(COUNT), a_room(), 0)
    assert refused.value.code == "analysis-rejected"
