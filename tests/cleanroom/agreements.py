"""A small agreement for tests: a publisher with persons and impressions, an advertiser with customers."""

from datetime import UTC, datetime
from typing import Any

from mesh_defs.model.room import (
    Agreement,
    AnalysisRule,
    AnalysisTemplate,
    Field,
    Measure,
    Party,
    PrivacyBudget,
    SharedTable,
)

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
DIGEST = "0" * 64
PERSONS = SharedTable(
    name="pub.persons",
    party="pub",
    product="audiences.persons",
    person="hem",
    dimensions={"segment": ("auto", "travel"), "age": (1, 2, 3)},
    rules=("all",),
)
IMPRESSIONS = SharedTable(
    name="pub.impressions",
    party="pub",
    product="events.impressions",
    person="hem",
    dimensions={"campaign": ("c1", "c2"), "device": ("ios", "android")},
    measures={"cost": Measure(functions=("sum", "avg"), decimals=2, lower=0, upper=1_000)},
    rules=("all",),
)
CUSTOMERS = SharedTable(
    name="adv.customers",
    party="adv",
    product="retailer.customers",
    person="person",
    dimensions={"tier": ("gold", "silver")},
    measures={"spent": Measure(functions=("sum",))},
    rules=("all",),
    digest=DIGEST,
)
RULE = AnalysisRule(
    name="all",
    level="threshold",
    persons_min=5,
    dominance_max=0.5,
    groups_max=12,
    dimensions_max=2,
    functions=("count", "reach", "sum", "avg"),
)


def an_agreement(**changes: Any) -> Agreement:
    """An agreement that holds at NOW; keys are none, signatures are not looked at."""
    given: dict[str, Any] = {
        "id": "spring",
        "version": 1,
        "title": "Spring",
        "parties": (Party(name="pub", key="p"), Party(name="adv", key="a")),
        "analysts": ("adv",),
        "recipients": ("adv",),
        "joins": Party(name="host", key="h"),
        "valid_from": datetime(2026, 1, 1, tzinfo=UTC),
        "valid_until": datetime(2027, 1, 1, tzinfo=UTC),
        "tables": (PERSONS, IMPRESSIONS, CUSTOMERS),
        "rules": (RULE,),
        "templates": (
            AnalysisTemplate(
                name="reach",
                sql="SELECT count(DISTINCT p.hem) AS reach FROM pub.persons p JOIN adv.customers c ON p.hem = c.person"
                " WHERE p.segment = $segment",
                parameters={"segment": Field("pub.persons", "segment")},
            ),
        ),
        "privacy": PrivacyBudget(
            micro_rho=1_000_000, micro_rho_per_release=500_000, groups_max=2, rows_max=10, delta=1e-6
        ),
    }
    return Agreement(**{**given, **changes})
