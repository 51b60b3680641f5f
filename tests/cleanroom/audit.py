"""An audit of the privacy level's epsilon by what comes out: it can refute the claim, never prove it.

    python -m tests.cleanroom.audit [--samples 30_000]

Data with a very heavy person, and the same without. Each is released many times; how often something shows in the one and
in the other bounds epsilon from below (Jagielski, Ullman and Oprea 2020), with exact binomial intervals (Clopper and Pearson
1934). What is looked at is one number: the sum of the groups that the person is in, which shows all that they show.
"""

import argparse
import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from unittest.mock import patch

from scipy.stats import beta

from mesh_defs.cleanroom import privacy
from mesh_defs.cleanroom.noise import epsilon_of, l2_of, noise_of
from mesh_defs.cleanroom.privacy import Plan, plan_of, totals
from mesh_defs.model.room import Aggregate
from tests.cleanroom.private_room import CAMPAIGN, COUNT, SALT, SUM, Row, a_measure, a_room, an_analysis, contributed

GROUPS, ROWS_MAX, MICRO_RHO, DELTA = 36, 5, 100_000, 1e-5
# Of each bound: an honest release is accused in so small a share of audits at most.
ERROR = 1e-5


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One release that is audited. `broken`: what is wrong with it on purpose; "" for the real one."""

    aggregate: Aggregate
    groups_max: int
    broken: str = ""

    def __str__(self) -> str:
        return f"{self.aggregate.function}, {self.groups_max} groups a person, {self.broken or 'as it is'}"


CASES = tuple(
    Case(aggregate=aggregate, groups_max=groups_max, broken=broken)
    for aggregate in (COUNT, SUM)
    for groups_max, broken in ((1, ""), (35, ""), (1, "no bounds"), (1, "no groups_max"), (35, "no sqrt(groups)"))
)


def audited(case: Case, samples: int) -> tuple[float, float]:
    """Return the epsilon claimed at DELTA and the one that was found at least, over `samples` releases of each."""
    others: list[Row] = [(f"p{n}", (n % GROUPS,), 1, ((1, 1),)) for n in range(200)]
    heavy: list[Row] = [("heavy", (group,), 50_000, ((50_000, 50_000),)) for group in range(GROUPS)]
    with _broken(case.broken):
        room = a_room(campaigns=GROUPS, cost=a_measure(upper=ROWS_MAX), groups_max=case.groups_max, rows_max=ROWS_MAX)
        plan = plan_of(an_analysis(case.aggregate, by=(CAMPAIGN,)), room, MICRO_RHO)
        with_, without = (_totals(rows, plan) for rows in ([*others, *heavy], others))
        moved = [place for place in range(GROUPS) if with_[place] != without[place]]
        seen = [_seen([exact[place] for place in moved], plan, samples) for exact in (with_, without)]
    return epsilon_of(MICRO_RHO, DELTA), _epsilon_min(*seen)


def _totals(rows: list[Row], plan: Plan) -> list[int]:
    with contributed(rows) as connection:
        (exact,) = totals(plan, connection, SALT)
    return exact


def _seen(exact: list[int], plan: Plan, samples: int) -> list[int]:
    ((_, noise),) = plan.statistics
    noisy = noise.added(exact * samples)
    return [sum(each or 0 for each in noisy[at : at + len(exact)]) for at in range(0, len(noisy), len(exact))]


def _epsilon_min(with_: list[int], without: list[int]) -> float:
    """The threshold is chosen on the first half of the samples and judged on the second, so that choosing costs nothing."""
    half = len(with_) // 2
    spread = sorted(with_[:half] + without[:half])
    limits = spread[:: max(1, len(spread) // 60)]
    best = max(limits, key=lambda limit: _bound(with_[:half], without[:half], limit))
    return _bound(with_[half:], without[half:], best)


def _bound(with_: list[int], without: list[int], limit: int) -> float:
    size = len(with_)
    often, seldom = (sum(each > limit for each in seen) for seen in (with_, without))
    least = beta.ppf(ERROR, often, size - often + 1) if often else 0.0
    most = beta.ppf(1 - ERROR, seldom + 1, size - seldom) if seldom < size else 1.0
    return math.log((least - DELTA) / most) if least > DELTA else 0.0


@contextmanager
def _broken(what: str) -> Iterator[None]:
    """The mistakes that people make: rows not bounded, groups not bounded, noise for one group only."""
    mistakes = {
        "no bounds": ("_bounded", lambda one, name: f"CAST({one.term} AS BIGINT) AS {name}"),
        "no groups_max": ("_chosen", lambda codes, groups_max: " WHERE $salt <> ''"),
        "no sqrt(groups)": ("_noise", lambda one, groups_max, micro_rho: noise_of(l2_of(one.upper, 1), micro_rho)),
    }
    if what:
        with patch.object(privacy, *mistakes[what]):
            yield
    else:
        yield


def main() -> int:
    """Print a line for each case; 1 when the real one is refuted or a broken one is not."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=30_000)
    samples, wrong = parser.parse_args().samples, 0
    for case in CASES:
        claimed, found = audited(case, samples)
        refuted = found > claimed
        wrong += refuted != bool(case.broken)
        print(f"{case!s:<44} claimed {claimed:5.2f}, at least {found:5.2f}: {'refuted' if refuted else 'not refuted'}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
