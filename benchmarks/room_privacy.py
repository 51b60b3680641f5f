"""A private aggregate against the plain one: how far off it is, clipping included, and what it costs.

Measured by `python -m benchmarks.room`, beside what a room between organisations takes. Both are computed in one engine, from
the same rows in memory: the plain query joins, counts rows and distinct persons, and adds up; the private one joins, adds up
for each person and group, bounds, adds up, and draws noise. CPU seconds, medians; ratios are taken within a repeat. Errors are
means over groups of |private - plain| / plain. Tokens and the network are not in it.
"""

import base64
import secrets
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import duckdb

from benchmarks.report import Target
from mesh_defs.cleanroom.join import CONTRIBUTIONS, joining
from mesh_defs.cleanroom.privacy import Plan, plan_of, private_groups, totals
from mesh_defs.model.room import (
    Aggregate,
    Agreement,
    Analysis,
    Field,
    Measure,
    Party,
    PrivacyBudget,
    SharedTable,
)

GROUPS, MICRO_RHO, ROWS_MAX, COST_MAX = 20, 150_000, 50, 5_000_000
# For comparison: bounds that most persons keep and the heaviest do not; and fewer groups a person than there are.
NARROW, GROUPS_FEW = 5, 3
CAMPAIGN, COST = Field("publisher.impressions", "campaign"), Field("publisher.impressions", "cost")
AGGREGATES = (Aggregate("count"), Aggregate("reach"), Aggregate("sum", COST))
TARGETS: dict[str, Target] = {
    "privacy_error_percent": {"at_most": 1.0},
    "privacy_ratio_to_plain": {"at_most": 1.5},
}
# Few persons have very many rows, most have few, each in up to four campaigns. Costs are in millionths.
ROWS = """CREATE TABLE impressions AS
SELECT person, CAST((hash(person, 3) + hash(i, 5) % (1 + hash(person, 7) % 4)) % $groups AS SMALLINT) AS campaign,
    CAST(1_000 + hash(i, 11) % 200_000 AS BIGINT) AS cost
FROM (
    SELECT i, CAST(floor($persons * pow((hash(i, 13) % 1_000_003) / 1_000_003, 1.5)) AS BIGINT) AS person
    FROM range($rows) AS numbers(i)
)"""
PLAIN = """SELECT campaign, count(*), count(DISTINCT person), sum(cost)
FROM impressions JOIN customers USING (person) GROUP BY campaign ORDER BY campaign"""
SHAPED = f"""CREATE OR REPLACE TEMP VIEW {CONTRIBUTIONS} AS
SELECT person, campaign AS g0, CAST(count(*) AS HUGEINT) AS n, sum(cost) AS s0, CAST(count(cost) AS HUGEINT) AS c0
FROM impressions JOIN customers USING (person) GROUP BY person, campaign"""


def measured(*, persons: int, rows: int, repeats: int) -> dict[str, float]:
    """Return the figures: errors in percent, CPU seconds, and their ratio."""
    plan = plan_of(_analysis(), _agreement(), MICRO_RHO)
    narrow = plan_of(_analysis(), _agreement(narrower=NARROW), MICRO_RHO)
    few = plan_of(_analysis(), _agreement(groups_max=GROUPS_FEW), MICRO_RHO)
    with joining() as connection:
        connection.execute(
            "CREATE TABLE customers AS SELECT CAST(i AS BIGINT) AS person FROM range($n) AS _(i)", {"n": persons}
        )
        connection.execute(ROWS, {"groups": GROUPS, "persons": persons, "rows": rows})
        works = (lambda: _plain(connection), lambda: _private(plan, connection), lambda: _private(few, connection))
        costs = [[_cpu(work) for work in works] for _ in range(repeats + 1)][1:]
        exact = _plain(connection)
        clipped, tight, ranked = (_clipped(each, connection) for each in (plan, narrow, few))
        noisy = [_private(plan, connection) for _ in range(repeats)]
    return {
        "privacy_error_percent": statistics.median(_error(each, exact) for each in noisy),
        "privacy_clipped_percent": _error(clipped, exact),
        "privacy_clipped_percent_narrow_bounds": _error(tight, exact),
        "privacy_clipped_percent_few_groups": _error(ranked, exact),
        "privacy_ratio_to_plain": statistics.median(private / simple for simple, private, _ in costs),
        "privacy_ratio_to_plain_few_groups": statistics.median(chosen / simple for simple, _, chosen in costs),
        "privacy_cpu_seconds": statistics.median(private for _, private, _ in costs),
        "privacy_plain_cpu_seconds": statistics.median(simple for simple, _, _ in costs),
    }


def _clipped(plan: Plan, connection: duckdb.DuckDBPyConnection) -> list[Any]:
    return list(zip(*totals(plan, connection, _salt()), strict=True))


def _plain(connection: duckdb.DuckDBPyConnection) -> list[Any]:
    return [row[1:] for row in connection.execute(PLAIN).fetchall()]


def _private(plan: Plan, connection: duckdb.DuckDBPyConnection) -> list[Any]:
    connection.execute(SHAPED)
    return [each.numbers for each in private_groups(plan, connection, _salt())]


def _salt() -> bytes:
    return secrets.token_bytes(32)


def _error(found: list[Any], plain: list[Any]) -> float:
    """The worst of the aggregates' mean relative errors, in percent."""
    off = [[abs(got - true) / true for got, true in zip(*rows, strict=True)] for rows in zip(found, plain, strict=True)]
    return 100 * max(statistics.mean(float(each) for each in column) for column in zip(*off, strict=True))


def _cpu(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


def _analysis() -> Analysis:
    tables = ("advertiser.customers", "publisher.impressions")
    return Analysis(tables=tables, dimensions=(CAMPAIGN,), filters=(), aggregates=AGGREGATES)


def _agreement(*, groups_max: int = GROUPS, narrower: int = 1) -> Agreement:
    key = base64.b64encode(bytes(32)).decode()
    impressions = SharedTable(
        name="publisher.impressions",
        party="publisher",
        product="publisher.impressions",
        person="person",
        dimensions={"campaign": tuple(range(GROUPS))},
        measures={"cost": Measure(functions=("sum", "avg"), lower=0, upper=COST_MAX // narrower)},
    )
    customers = SharedTable(
        name="advertiser.customers", party="advertiser", product="advertiser.customers", person="person"
    )
    return Agreement(
        id="benchmark",
        version=1,
        title="Benchmark",
        parties=(Party(name="publisher", key=key), Party(name="advertiser", key=key)),
        analysts=("advertiser",),
        recipients=("advertiser",),
        joins=Party(name="publisher", key=key),
        valid_from=datetime(2026, 1, 1, tzinfo=UTC),
        valid_until=datetime(2027, 1, 1, tzinfo=UTC),
        tables=(impressions, customers),
        rules=(),
        privacy=PrivacyBudget(
            micro_rho=MICRO_RHO,
            micro_rho_per_release=MICRO_RHO,
            groups_max=groups_max,
            rows_max=ROWS_MAX // narrower,
            delta=1e-6,
        ),
    )
