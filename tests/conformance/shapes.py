"""Shapes of access files and who they are for: each grant that an access file can hold, one of its own person or persons."""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.conformance.values import KINDS, ODD, Kind, rule

PURPOSES = ("measurement", "reach")  # the second lies within the first, and asks for consent
_MASKS: Mapping[str, Mapping[str, Any]] = {
    "nulls": dict.fromkeys(KINDS, "null"),
    "denied": {name: "deny" for name in KINDS if name not in ("t", "n")},
    "lengths": {"t": {"truncate": 2}, "u": {"truncate": 0}},
    "years": {"d": {"truncate": "year"}, "w": {"truncate": "year"}},
    "quarters": {"d": {"truncate": "quarter"}, "w": {"truncate": "quarter"}},
    "months": {"d": {"truncate": "month"}, "w": {"truncate": "month"}},
    "weeks": {"d": {"truncate": "week"}, "w": {"truncate": "week"}},
    "days": {"d": {"truncate": "day"}, "w": {"truncate": "day"}},
    "zoned": {"z": {"truncate": "day"}},
    "hours": {"d": {"truncate": "hour"}, "w": {"truncate": "hour"}},
    "constants": {
        "t": {"constant": "it's 🎈"},
        "n": {"constant": -5},
        "k": {"constant": 2**53 + 1},
        "f": {"constant": 1},
    },
    "tokens": {"u": "token"},
    "tokens of numbers": {"k": "token"},
    "unless": {"t": {"mask": "null", "unless": ["reach"]}, "n": {"constant": 9, "unless": ["reach"]}},
}
_ATTRIBUTES: Mapping[str, Sequence[str]] = {
    "one": ["EU"],
    "several": ["EU", "🎈", "Grüße"],
    "none": [],
}
_RULES = (
    *("o", "NOT o", "consent", "true", "false", "t = u", "f = f", "f <> f", "f > 1e30", "f IN (0, 1.5)", "h > 5"),
    *("t = ''", "t <> ''", "NOT (t IN ('EU', 'eu'))", "t > '🎈'", "t BETWEEN 'A' AND 'z'", "p < 0", "d < '1582-10-15'"),
    *("w >= '1969-12-31 23:59:59.999999'", "z IS NOT NULL", "o IS NOT TRUE", "n = -2147483647 OR n IS NULL"),
    *("t = '\\'", "t = 'a_b%c\\d'", "t <> 'it''s'", "k BETWEEN -1 AND 900719925474099300", "r > 0.1", "i IS NULL"),
)


@dataclass(frozen=True, kw_only=True)
class Shape:
    """One grant, as an access file says it, and the persons (name -> attributes) that it is for."""

    id: str
    grant: Mapping[str, Any]
    people: Mapping[str, Mapping[str, Sequence[str]]]
    kinds: Mapping[str, Kind] = field(default_factory=lambda: KINDS, repr=False)
    purposes: Sequence[str] = PURPOSES


def shapes(dice: random.Random, drawn: int) -> Iterator[Shape]:
    """Every shape of the lists above, and so many with a drawn rule, masks and columns."""
    yield _shape("whole", {})
    yield _shape("seven", {"rows": "n = 7"})
    for number, text in enumerate(_RULES):
        yield _shape(f"rule-{number}", {"rows": text})
    for name, masks in _MASKS.items():
        yield _shape(f"mask-{name.replace(' ', '-')}", {"masks": masks})
        yield _shape(f"hidden-{name.replace(' ', '-')}", {"masks": masks, "rows": "n >= 0 OR t = 'EU'"})
    yield _shape("columns", {"columns": ["row_id", "t", "f"], "rows": "n IS NOT NULL"})
    yield _attributed("attribute", "t = ${principal.regions}")
    yield _attributed("attributes", "t IN (${principal.regions}, 'İ')")
    yield _attributed("not-attribute", "t <> ${principal.regions} OR t IS NULL")
    for number in range(drawn):
        names = dice.sample(list(_MASKS), 2)
        masks = {**_MASKS[names[0]], **_MASKS[names[1]]} if dice.random() < 0.6 else {}
        kept = sorted({"row_id", *dice.sample(list(KINDS), 6)}) if dice.random() < 0.3 else []
        masks = {name: mask for name, mask in masks.items() if not kept or name in kept}
        grant = {"rows": rule(KINDS, dice), "masks": masks, **({"columns": kept} if kept else {})}
        yield _shape(f"drawn-{number}", grant)


def odd_shapes() -> Iterator[Shape]:
    """Over the types of the other product: shown, hidden, masked."""
    for name, grant in {
        "whole": {},
        "rule": {"rows": "o"},
        "rule-unsigned": {"rows": "y = 4294967295"},
        "rule-huge": {"rows": "v < 0 OR v IS NULL"},
        "rule-list": {"rows": "tags IS NOT NULL"},
        "nulls": {"masks": dict.fromkeys(ODD, "null"), "rows": "o"},
        "constants": {"masks": {"v": {"constant": 5}}},
    }.items():
        yield _shape(f"odd-{name}", grant, kinds=ODD, purposes=("measurement",))


def _shape(name: str, grant: Mapping[str, Any], **more: Any) -> Shape:
    return Shape(id=name, grant={**grant, "masks": dict(grant.get("masks", {}))}, people={name: {}}, **more)


def _attributed(name: str, rows: str) -> Shape:
    people = {f"{name}-{of}": {"regions": values} for of, values in _ATTRIBUTES.items()}
    return Shape(id=name, grant={"rows": rows}, people={**people, f"{name}-without": {}})
