"""What drifts, what is steady, and what cannot be told yet."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quality_checks.drift import HISTORY_MIN, WEEKDAY_HISTORY_MIN, Drift, deviations_max, drifts
from quality_checks.history import ColumnFigures, Evaluation

MONDAY = datetime(2026, 11, 30, 9, tzinfo=UTC)
numbers = st.floats(-1e9, 1e9)
counts = st.integers(0, 10**9)


def an_evaluation(days_ago: float = 0, **told: Any) -> Evaluation:
    at = MONDAY - timedelta(days=days_ago)
    return Evaluation(**{"at": at, "version": at.isoformat(), "published": True, "rows": 100, **told})


def past(rows: Sequence[int | None], *, every_days: float = 1) -> list[Evaluation]:
    """The newest last, `every_days` apart, before now."""
    return [an_evaluation((len(rows) - n) * every_days, rows=count) for n, count in enumerate(rows)]


def of_rows(now: Evaluation, history: Sequence[Evaluation], **sides: Any) -> Drift:
    [found] = [each for each in drifts(now, history, **sides) if each.metric == "rows"]
    return found


@given(counts, st.integers(HISTORY_MIN, 60))
def test_a_constant_history_never_drifts_on_the_same_figure(rows: int, length: int) -> None:
    assert of_rows(an_evaluation(rows=rows), past([rows] * length)).verdict == "steady"


@given(st.lists(counts, min_size=HISTORY_MIN, max_size=60), st.sampled_from((-1, 1)))
def test_a_figure_far_out_always_drifts(rows: list[int], way: int) -> None:
    span = max(rows) - min(rows)
    figure = (max(rows) if way > 0 else min(rows)) + way * (30 * span + max(rows) + 1)
    assert of_rows(an_evaluation(rows=figure), past(rows)).verdict == "drifted"


@given(st.lists(counts, min_size=1, max_size=60), counts, st.randoms())
def test_the_order_of_history_does_not_matter(rows: list[int], figure: int, random: Any) -> None:
    history = past(rows)
    shuffled = random.sample(history, len(history))
    assert drifts(an_evaluation(rows=figure), history) == drifts(an_evaluation(rows=figure), shuffled)


@given(st.lists(numbers, min_size=HISTORY_MIN, max_size=40), numbers, st.integers(-20, 20))
def test_the_unit_of_a_figure_does_not_matter(means: list[float], figure: float, power: int) -> None:
    def verdict(factor: float) -> str:
        def told(mean: float) -> dict[str, ColumnFigures]:
            return {"x": ColumnFigures(mean=mean * factor)}

        history = [an_evaluation(n + 1, columns=told(mean)) for n, mean in enumerate(means)]
        return drifts(an_evaluation(columns=told(figure)), history)[1].verdict

    assert verdict(1.0) == verdict(2.0**power)


@given(st.lists(st.none() | counts, max_size=HISTORY_MIN - 1), counts)
def test_too_short_a_history_is_said_and_never_passes(rows: list[int | None], figure: int) -> None:
    found = of_rows(an_evaluation(rows=figure), past(rows, every_days=8))
    assert found.verdict == "not enough history"
    assert found.compared == sum(each is not None for each in rows)


@given(
    st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=HISTORY_MIN, max_size=20),
    st.floats(allow_nan=True, allow_infinity=True),
)
def test_no_figure_crashes_and_what_is_no_number_is_not_compared(means: list[float], figure: float) -> None:
    history = [an_evaluation(n + 1, columns={"x": ColumnFigures(mean=mean)}) for n, mean in enumerate(means)]
    for found in drifts(an_evaluation(columns={"x": ColumnFigures(mean=figure)}), history):
        assert found.figure == found.figure


def test_as_many_as_are_needed_are_enough() -> None:
    assert of_rows(an_evaluation(), past([100] * (HISTORY_MIN - 1))).verdict == "not enough history"
    assert of_rows(an_evaluation(), past([100] * HISTORY_MIN)).verdict == "steady"
    assert (
        of_rows(an_evaluation(), past([100] * (WEEKDAY_HISTORY_MIN - 1), every_days=7)).verdict == "not enough history"
    )
    assert of_rows(an_evaluation(), past([100] * WEEKDAY_HISTORY_MIN, every_days=7)).verdict == "steady"


def test_mondays_are_compared_with_mondays_once_there_are_enough() -> None:
    weekly = [50, 100, 100, 100, 100, 100, 10]  # from Monday to Sunday
    history = past(weekly * WEEKDAY_HISTORY_MIN)
    found = of_rows(an_evaluation(rows=50), history)
    assert (found.verdict, found.compared_with, found.compared) == ("steady", "Mondays", WEEKDAY_HISTORY_MIN)
    assert of_rows(an_evaluation(rows=100), history).verdict == "drifted"
    shorter = of_rows(an_evaluation(rows=50), history[7:])
    assert (shorter.verdict, shorter.compared_with, shorter.compared) == ("drifted", "any day", 28)


def test_a_weekday_is_that_of_utc_whatever_the_zone_and_its_clock_change() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    # 00:30 on Mondays in Berlin is Sunday in UTC, before and after the clocks go back on 25 October.
    mondays = [datetime(2026, 10, 5, 0, 30, tzinfo=berlin) + timedelta(weeks=n) for n in range(8)]
    assert {each.utcoffset() for each in mondays} == {timedelta(hours=2), timedelta(hours=1)}
    *history, now = [an_evaluation(at=each, version=str(each)) for each in mondays]
    assert of_rows(now, history).compared_with == "Sundays"
    assert of_rows(now, history).compared == 7


@pytest.mark.parametrize(("rows", "verdict"), [(1000, "steady"), (1010, "steady"), (1011, "drifted"), (989, "drifted")])
def test_where_the_past_never_changed_a_tolerance_decides(rows: int, verdict: str) -> None:
    found = of_rows(an_evaluation(rows=rows), past([1000] * HISTORY_MIN))
    assert (found.verdict, found.deviations, found.median) == (verdict, None, 1000)


@pytest.mark.parametrize(
    ("share", "verdict"), [(0.0, "steady"), (0.0005, "steady"), (0.002, "drifted"), (1.0, "drifted")]
)
def test_a_first_null_in_a_thousand_is_no_drift(share: float, verdict: str) -> None:
    history = [an_evaluation(n + 1, columns={"x": ColumnFigures(null_share=0.0)}) for n in range(HISTORY_MIN)]
    now = an_evaluation(columns={"x": ColumnFigures(null_share=share)})
    assert [each.verdict for each in drifts(now, history) if each.column == "x"] == [verdict]


def test_tells_how_far_away_a_figure_is() -> None:
    found = of_rows(an_evaluation(rows=200), past([90, 110] * 6))
    assert (found.verdict, found.median, found.deviations, found.figure) == ("drifted", 100, 10, 200)
    below = of_rows(an_evaluation(rows=60), past([90, 110] * 6))
    assert (below.verdict, below.deviations) == ("steady", 4)


@pytest.mark.parametrize(
    ("side", "rows", "verdict"),
    [
        ("below", 10, "drifted"),
        ("below", 1000, "steady"),
        ("above", 1000, "drifted"),
        ("above", 10, "steady"),
        ("both", 10, "drifted"),
    ],
)
def test_one_side_alone_can_matter(side: str, rows: int, verdict: str) -> None:
    assert of_rows(an_evaluation(rows=rows), past([99, 100, 101] * 5), sides={"rows": side}).verdict == verdict


def test_what_was_refused_is_no_history() -> None:
    refused = [replace(each, published=False) for each in past([7] * 30)]
    assert of_rows(an_evaluation(rows=100), [*refused, *past([100] * 12)]).median == 100
    assert of_rows(an_evaluation(rows=100), refused).verdict == "not enough history"


def test_a_version_that_is_audited_often_is_one_witness() -> None:
    again = [an_evaluation(n / 100 + 1, version="same") for n in range(50)]
    assert of_rows(an_evaluation(), again).compared == 1


def test_a_version_is_not_its_own_past() -> None:
    assert of_rows(an_evaluation(version="same"), [an_evaluation(1, version="same")]).compared == 0


def test_the_future_and_the_far_past_are_no_history() -> None:
    now = an_evaluation(30)
    assert of_rows(now, [an_evaluation(30, version="at the same moment")]).compared == 0
    assert of_rows(now, [an_evaluation(n) for n in range(31)]).compared == 0
    assert of_rows(now, [an_evaluation(30 + n) for n in range(1, 200)]).compared == 12  # of the same weekday
    assert of_rows(now, [an_evaluation(121)]).compared == 0


def test_daily_partitions_are_compared_by_their_days_however_late_they_are_made() -> None:
    backfilled = [
        an_evaluation(1 - n / 1000, partition=f"2026-{month:02}-{day:02}", rows=day * 10)
        for n, (month, day) in enumerate((month, day) for month in (9, 10) for day in range(1, 31))
    ]
    now = an_evaluation(partition="2026-10-31", rows=100)
    found = of_rows(now, backfilled)
    assert (found.compared_with, found.compared) == ("Saturdays", 8)
    remade = [an_evaluation(0.5 - n / 1000, partition="2026-10-24", version=f"again{n}", rows=1) for n in range(50)]
    assert of_rows(now, [*backfilled, *remade]).compared == 8
    itself = an_evaluation(0.1, partition="2026-10-31", version="before", rows=1)
    assert of_rows(now, [*backfilled, itself]).compared == 8


def test_other_partitions_are_compared_with_their_own_past() -> None:
    north = [an_evaluation(n + 1, partition="north", version=f"n{n}", rows=10) for n in range(HISTORY_MIN)]
    south = [an_evaluation(n + 1, partition="south", version=f"s{n}", rows=99) for n in range(HISTORY_MIN)]
    found = of_rows(an_evaluation(partition="north", rows=10), [*north, *south, *past([5] * 20)])
    assert (found.verdict, found.median, found.compared) == ("steady", 10, HISTORY_MIN)


def test_each_column_has_its_figures_and_only_those() -> None:
    now = an_evaluation(
        rows=None, columns={"x": ColumnFigures(null_share=0.0, mean=1.0), "y": ColumnFigures(distinct=3.0)}
    )
    found = [(each.metric, each.column, each.verdict) for each in drifts(now, [])]
    assert found == [
        ("null share", "x", "not enough history"),
        ("mean", "x", "not enough history"),
        ("distinct", "y", "not enough history"),
    ]


def test_steady_figures_seldom_seem_to_drift() -> None:
    """The share of false alarms that `deviations_max` promises, on normal histories of a fixed seed."""
    import numpy as np

    for compared, share_max in ((5, 0.012), (10, 0.004), (40, 0.0015)):
        drawn = np.random.default_rng(7).standard_normal((100_000, compared + 1))
        history, figure = drawn[:, :compared], drawn[:, compared]
        middle = np.median(history, axis=1)
        mad = np.median(np.abs(history - middle[:, None]), axis=1)
        assert (np.abs(figure - middle) > deviations_max(compared) * mad).mean() < share_max
