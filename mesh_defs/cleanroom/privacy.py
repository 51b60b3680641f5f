"""The privacy level: every group of the public domain, whatever the rows hold, its numbers bounded and with noise.

The claim: whoever sees all releases of a room learns about the same whether or not any one person is in the protected
parties' tables: zero-concentrated differential privacy for adding or removing one person with all rows. What one person
adds is bounded in the engine, on whole numbers. Nothing here fails, and no number of groups depends, on what the rows hold.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import duckdb

from mesh_defs.cleanroom.budget import require_budget, require_share
from mesh_defs.cleanroom.join import CONTRIBUTIONS
from mesh_defs.cleanroom.noise import Noise, l2_of, noise_of
from mesh_defs.cleanroom.rules import groups_of
from mesh_defs.errors import AnalysisRejectedError
from mesh_defs.model.room import Aggregate, Agreement, Analysis, DimensionValue, Group, Measure

SALT_BYTES_MIN = 16
# Of the noise in a number that is shown: 95 %.
ALPHA = 0.05


class Statistic(NamedTuple):
    """What is added up in each group and gets noise. `term`: of `contributions`, within the bounds for each person."""

    term: str
    lower: int
    upper: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a private release will be, known before any row is read. `groups_max`: in how many groups one person counts."""

    analysis: Analysis
    agreement: Agreement
    groups: tuple[tuple[DimensionValue, ...], ...]
    groups_max: int
    statistics: tuple[tuple[Statistic, Noise], ...]

    @property
    def ranked(self) -> bool:
        """Whether a person can be in more groups than count."""
        return self.groups_max < len(self.groups)


def plan_of(analysis: Analysis, agreement: Agreement, micro_rho: int) -> Plan:
    """Return how `micro_rho` is spent on the analysis: all of it, in equal parts for each statistic.

    count is a statistic, reach, each measure's sum, and for averages its number of values; sum and avg share theirs. One
    person changes at most k = min(budget's groups_max, number of groups) groups, in each of them rows and values by at most
    rows_max, persons by 1, a sum by max(|lower|, |upper|); so all of them together by sqrt(k) times that in L2. Analyses
    compose by adding up rho (Bun and Steinke 2016, propositions 1.6 and 1.7).

    AnalysisRejectedError for what has no budget, no bounds or no group, or is too little to be divided.
    """
    budget = require_budget(agreement)
    require_share(micro_rho, budget)
    groups = tuple(groups_of(analysis, agreement))
    wanted = tuple(dict.fromkeys(one for each in analysis.aggregates for one in _statistics(each, analysis, agreement)))
    if not groups or not wanted:
        raise AnalysisRejectedError("nothing is asked for", fix="ask for an aggregate of public values")
    if micro_rho < len(wanted):
        what = f"{micro_rho} millionths of rho cannot be divided by {len(wanted)} statistics"
        raise AnalysisRejectedError(what, fix="ask for more rho, or for fewer aggregates")
    groups_max = min(budget.groups_max, len(groups))
    each, rest = divmod(micro_rho, len(wanted))
    noises = [_noise(one, groups_max, each + (place < rest)) for place, one in enumerate(wanted)]
    return Plan(
        analysis=analysis,
        agreement=agreement,
        groups=groups,
        groups_max=groups_max,
        statistics=tuple(zip(wanted, noises, strict=True)),
    )


def private_groups(plan: Plan, connection: duckdb.DuckDBPyConnection, salt: bytes) -> tuple[Group, ...]:
    """Return every group of the public domain in its order, from the relation `contributions` of `join.contribute`.

    `salt`: drawn anew for each run by whoever joins, never shown: by it is chosen which groups of a person count.
    Numbers are as noise left them, so that they are right on average and add up: a count may be negative. Who wants none
    puts 0 in its place, which reveals nothing. An average whose number of values may be none is None.
    """
    found = totals(plan, connection, salt)
    noisy = [noise.added(column) for (_, noise), column in zip(plan.statistics, found, strict=True)]
    return tuple(_group(values, row, plan) for values, row in zip(plan.groups, zip(*noisy, strict=True), strict=True))


def totals(plan: Plan, connection: duckdb.DuckDBPyConnection, salt: bytes) -> list[list[int]]:
    """Return each statistic's bounded totals of all groups, without noise: never to be shown.

    Invariant: one person more or less changes each list by no more than its noise's sensitivity in L2.
    """
    if len(salt) < SALT_BYTES_MIN:
        raise ValueError(f"a salt has {SALT_BYTES_MIN} bytes at least")
    width = len(plan.analysis.dimensions)
    rows = connection.execute(_sql(plan), {"salt": salt.hex()} if plan.ranked else {}).fetchall()
    by_codes = {row[:width]: row[width:] for row in rows}
    nothing = (0,) * len(plan.statistics)
    found = [by_codes.get(codes, nothing) for codes in _codes(plan)]
    return [[int(total or 0) for total in column] for column in zip(*found, strict=True)]


def _sql(plan: Plan) -> str:
    """Bound what each person adds to each group, and only then add up. Whole numbers, so in every order the same."""
    codes = [f"g{n}" for n in range(len(plan.analysis.dimensions))]
    bounded = [_bounded(one, f"t{place}") for place, (one, _) in enumerate(plan.statistics)]
    kept = f"SELECT {', '.join([*codes, *bounded])} FROM {CONTRIBUTIONS}"
    if plan.ranked:
        kept += _chosen(codes, plan.groups_max)
    sums = [f"sum(t{place})" for place in range(len(plan.statistics))]
    group = f" GROUP BY {', '.join(codes)}" if codes else ""
    return f"SELECT {', '.join([*codes, *sums])} FROM ({kept}){group}"


def _bounded(one: Statistic, name: str) -> str:
    """A person without a value adds nothing (`least` alone would make it the bound). Cut first, then cast: nothing overflows."""
    cut = f"CAST(greatest({one.lower}, least({one.upper}, {one.term})) AS BIGINT)"
    return f"CASE WHEN {one.term} IS NULL THEN 0 ELSE {cut} END AS {name}"


def _chosen(codes: Iterable[str], groups_max: int) -> str:
    """Which of a person's groups count depends on that person's own rows and the salt alone: nobody else moves with them."""
    keyed = f"sha256(concat_ws('.', $salt, {', '.join(['CAST(person AS VARCHAR)', *codes])}))"
    return f" QUALIFY row_number() OVER (PARTITION BY person ORDER BY {keyed}) <= {groups_max}"


def _codes(plan: Plan) -> Iterator[tuple[int, ...]]:
    domains = [plan.agreement.domain(field) for field in plan.analysis.dimensions]
    places = [{value: code for code, value in enumerate(domain)} for domain in domains]
    for values in plan.groups:
        yield tuple(place[value] for place, value in zip(places, values, strict=True))


def _noise(one: Statistic, groups_max: int, micro_rho: int) -> Noise:
    return noise_of(l2_of(max(abs(one.lower), abs(one.upper)), groups_max), micro_rho)


def _statistics(aggregate: Aggregate, analysis: Analysis, agreement: Agreement) -> tuple[Statistic, ...]:
    """What an aggregate is computed of; for an average the sum and the number of values."""
    rows_max = require_budget(agreement).rows_max
    if aggregate.field is None:
        return (Statistic("n", 0, rows_max) if aggregate.function == "count" else Statistic("1", 0, 1),)
    number = analysis.measures.index(aggregate.field)
    measure = agreement.measure(aggregate.field)
    lower, upper = measure.lower, measure.upper
    if lower is None or upper is None or lower > upper or lower == upper == 0:
        fix = "its party can propose `lower` and `upper`: of one person's sum in one group"
        raise AnalysisRejectedError(f"{aggregate.field} has no bounds to measure noise by", fix=fix)
    summed = Statistic(f"s{number}", lower, upper)
    return (summed,) if aggregate.function == "sum" else (summed, Statistic(f"c{number}", 0, rows_max))


def _group(values: tuple[DimensionValue, ...], noisy: Sequence[int | None], plan: Plan) -> Group:
    by_statistic = {one: (number, noise) for (one, noise), number in zip(plan.statistics, noisy, strict=True)}
    shown = []
    for aggregate in plan.analysis.aggregates:
        parts = [by_statistic[one] for one in _statistics(aggregate, plan.analysis, plan.agreement)]
        noisy_and_near = _average(*parts) if len(parts) == 2 else _total(*parts)
        measure = plan.agreement.measure(aggregate.field) if aggregate.field else Measure(functions=())
        shown.append([None if each is None else measure.shown(each) for each in noisy_and_near])
    return Group(values=values, numbers=tuple(number for number, _ in shown), accuracy=tuple(each for _, each in shown))


_Noisy = tuple[int | None, Noise]
_Shown = tuple[int | float | None, int | float | None]


def _total(noisy: _Noisy) -> _Shown:
    number, noise = noisy
    return (None, None) if number is None else (number, noise.accuracy(ALPHA))


def _average(summed: _Noisy, counted: _Noisy) -> _Shown:
    """Both parts are within half of alpha each, so together within alpha; the accuracy is that of the worst they allow."""
    (total, of_sum), (values, of_count) = summed, counted
    apart, fewer = of_sum.accuracy(ALPHA / 2), of_count.accuracy(ALPHA / 2)
    if total is None or values is None or values <= fewer:
        return None, None
    average = total / values
    return average, max(abs((total + a) / (values + b) - average) for a in (-apart, apart) for b in (-fewer, fewer))
