"""Whether a version's figures are as they use to be: its rows, its null shares, means and numbers of distinct values. Pure.

Each figure is compared with the median of its own history, in median absolute deviations (MAD; Leys et al., "Detecting
outliers", 2013): unlike mean and standard deviation, neither moves when a few of the past figures were wrong. Mondays are
compared with Mondays (in UTC) as soon as there are enough of them. A drift is no verdict on the data: it stops nothing.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from operator import attrgetter
from statistics import median
from typing import Literal

from quality_checks.history import Evaluation, number

Metric = Literal["rows", "null share", "mean", "distinct"]
Verdict = Literal["steady", "drifted", "not enough history"]
Side = Literal["both", "below", "above"]

# So many of the same weekday, or else so many of any day: fewer say nothing.
WEEKDAY_HISTORY_MIN = 5
HISTORY_MIN = 10
HISTORY_DAYS_MAX = 90
# A change below that is none, however steady the past was: a share of the median, and for shares also an absolute one.
RELATIVE_TOLERANCE = 0.01
SHARE_TOLERANCE = 0.001
WEEKDAYS = ("Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays", "Sundays")
_Figure = Callable[[Evaluation], float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """A figure beside its history. `column` is None for the table; `median` is None where there is no history at all.

    `deviations`: how many MADs it lies from the median; None when the past figures did not deviate at all.
    `compared_with` says which evaluations it is compared with, by their day, and `compared` how many they are.
    """

    metric: Metric
    column: str | None
    verdict: Verdict
    figure: float
    median: float | None
    deviations: float | None
    compared_with: str
    compared: int


def drifts(
    now: Evaluation, history: Iterable[Evaluation], *, sides: Mapping[Metric, Side] | None = None
) -> tuple[Drift, ...]:
    """Compare each figure of `now` with those before it, in any order; `sides` names metrics of which only one side matters.

    A daily partition is compared with the other days' newest, any other partition with its own past, and a whole table
    with its own past versions. What was refused, and what is older than 90 days, is no history.
    """
    past = _comparable(now, history)
    return tuple(
        _drift(metric, column, figure, figure_of, now, past, (sides or {}).get(metric, "both"))
        for metric, column, figure_of in _figures(now)
        if (figure := number(figure_of(now))) is not None
    )


def deviations_max(compared: int) -> float:
    """How many MADs still are steady: the fewer figures there are, the less is known of how they deviate.

    Measured on 200,000 normal histories each: 1 % of steady figures lie beyond it with 5 to compare, 0.3 % with 10,
    0.1 % with 40. At a constant bound of 5 it would be 13 % with 5.
    """
    return 5 + 35 / (compared - 3)


def _figures(now: Evaluation) -> Iterator[tuple[Metric, str | None, _Figure]]:
    yield "rows", None, attrgetter("rows")
    for column in now.columns:
        yield "null share", column, partial(_of, column, "null_share")
        yield "mean", column, partial(_of, column, "mean")
        yield "distinct", column, partial(_of, column, "distinct")


def _of(column: str, figure: str, evaluation: Evaluation) -> float | None:
    found = evaluation.columns.get(column)
    value: float | None = getattr(found, figure) if found else None
    return value


def _comparable(now: Evaluation, history: Iterable[Evaluation]) -> list[Evaluation]:
    """One for each version, or each day's partition: a version that is audited twice is no second witness."""
    newest: dict[tuple[str, str | None], Evaluation] = {}
    for each in sorted(history, key=lambda each: (each.at, each.version, each.rows or 0)):
        if _is_past(each, now) and abs(each.day - now.day) <= timedelta(days=HISTORY_DAYS_MAX):
            key = ("", each.partition) if now.partition_day else (each.version, each.partition)
            newest[key] = each
    return list(newest.values())


def _is_past(each: Evaluation, now: Evaluation) -> bool:
    if not each.published or each.at >= now.at:
        return False
    if now.partition_day:
        return each.partition_day is not None and each.partition != now.partition
    return each.partition == now.partition and each.version != now.version


def _drift(
    metric: Metric,
    column: str | None,
    figure: float,
    figure_of: _Figure,
    now: Evaluation,
    past: list[Evaluation],
    side: Side,
) -> Drift:
    known = [(each.day.weekday(), value) for each in past if (value := number(figure_of(each))) is not None]
    weekday = now.day.weekday()
    same = [value for day, value in known if day == weekday]
    enough = len(same) >= WEEKDAY_HISTORY_MIN
    values = same if enough else [value for _, value in known]
    usual = number(median(values)) if values else None
    mad = median(abs(value - usual) for value in values) if usual is not None else 0.0
    verdict: Verdict = "not enough history"
    if usual is not None and (enough or len(values) >= HISTORY_MIN):
        verdict = "drifted" if _is_far(metric, figure - usual, usual, mad, len(values), side) else "steady"
    return Drift(
        metric=metric,
        column=column,
        verdict=verdict,
        figure=figure,
        median=usual,
        deviations=number(abs(figure - usual) / mad) if usual is not None and mad else None,
        compared_with=WEEKDAYS[weekday] if enough else "any day",
        compared=len(values),
    )


def _is_far(metric: Metric, distance: float, usual: float, mad: float, compared: int, side: Side) -> bool:
    if (side == "below" and distance > 0) or (side == "above" and distance < 0):
        return False
    tolerance = max(RELATIVE_TOLERANCE * abs(usual), SHARE_TOLERANCE if metric == "null share" else 0.0)
    return abs(distance) > max(deviations_max(compared) * mad, tolerance)
