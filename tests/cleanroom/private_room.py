"""A room of two parties at the privacy level, and contributions to it that a test writes down itself."""

import base64
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import duckdb

from mesh_defs.cleanroom.join import CONTRIBUTIONS
from mesh_defs.model.room import (
    Aggregate,
    Agreement,
    Analysis,
    AnalysisRule,
    Field,
    Measure,
    Party,
    PrivacyBudget,
    SharedTable,
)

CAMPAIGN, DEVICE = Field("retailer.orders", "campaign"), Field("retailer.orders", "device")
COST, SCORE = Field("retailer.orders", "cost"), Field("retailer.orders", "score")
COUNT, REACH, SUM, AVG = Aggregate("count"), Aggregate("reach"), Aggregate("sum", COST), Aggregate("avg", COST)
SALT = b"a salt of some bytes"
# person, codes, rows, and for each measure sum and number of values
Row = tuple[str, tuple[int, ...], int, tuple[tuple[int | None, int], ...]]


def a_budget(**given: Any) -> PrivacyBudget:
    defaults: dict[str, Any] = {
        "micro_rho": 1_000_000,
        "micro_rho_per_release": 500_000,
        "groups_max": 3,
        "rows_max": 5,
        "delta": 1e-6,
    }
    return PrivacyBudget(**{**defaults, **given})


def a_measure(**given: Any) -> Measure:
    return Measure(**{"functions": ("sum", "avg"), "lower": 0, "upper": 100, **given})


def a_room(
    *, campaigns: int = 4, devices: int = 2, cost: Measure | None = None, score: Measure | None = None, **budget: Any
) -> Agreement:
    parties = tuple(
        Party(name=name, key=base64.b64encode(name.encode().ljust(32)).decode()) for name in ("agency", "retailer")
    )
    orders = SharedTable(
        name="retailer.orders",
        party="retailer",
        product="retailer.orders",
        person="person_id",
        dimensions={
            "campaign": tuple(f"c{n}" for n in range(campaigns)),
            "device": tuple(f"d{n}" for n in range(devices)),
        },
        measures={"cost": cost or a_measure(), "score": score or a_measure()},
        rules=("private",),
    )
    audience = SharedTable(
        name="agency.audience",
        party="agency",
        product="agency.audience",
        person="person_id",
        dimensions={"segment": ("auto", "food")},
        digest="0" * 64,
        rules=("private",),
    )
    rule = AnalysisRule(
        name="private",
        level="privacy",
        persons_min=2,
        dominance_max=1.0,
        groups_max=1000,
        dimensions_max=3,
        functions=("count", "reach", "sum", "avg"),
    )
    return Agreement(
        id="lift",
        version=1,
        title="Lift",
        parties=parties,
        analysts=("agency",),
        recipients=("agency",),
        joins=replace(parties[1], name="joiner"),
        valid_from=datetime(2026, 1, 1, tzinfo=UTC),
        valid_until=datetime(2027, 1, 1, tzinfo=UTC),
        tables=(orders, audience),
        rules=(rule,),
        privacy=a_budget(**budget),
    )


def an_analysis(*aggregates: Aggregate, by: tuple[Field, ...] = (CAMPAIGN,)) -> Analysis:
    return Analysis(
        tables=("agency.audience", "retailer.orders"),
        dimensions=by,
        filters=(),
        aggregates=aggregates,
    )


def contributed(rows: Iterable[Row], *, dimensions: int = 1, measures: int = 1) -> duckdb.DuckDBPyConnection:
    """An engine with the relation `contributions` of these rows."""
    columns = ["person BLOB", *(f"g{n} SMALLINT" for n in range(dimensions)), "n HUGEINT"]
    columns += [f"{kind}{n} HUGEINT" for n in range(measures) for kind in "sc"]
    connection = duckdb.connect()
    connection.execute(f"CREATE TABLE {CONTRIBUTIONS} ({', '.join(columns)})")
    flat = [
        [person.encode(), *codes, n, *(each for pair in measured for each in pair)]
        for person, codes, n, measured in rows
    ]
    if flat:
        marks = ", ".join("?" for _ in columns)
        connection.executemany(f"INSERT INTO {CONTRIBUTIONS} VALUES ({marks})", flat)
    return connection
