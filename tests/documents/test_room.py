"""agreement.yaml: what it says, what is wrong with it, and what of it is signed."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from mesh_defs.documents.room import canonical, digest_of, read_agreement
from mesh_defs.errors import DeclarationError
from tests.factories import findings_of

KEYS = ["AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "BAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="]
TABLES: list[dict[str, Any]] = [
    {"name": "pub.persons", "party": "pub", "product": "audiences.persons", "person": "hem", "rules": ["all"]},
    {"name": "adv.customers", "party": "adv", "product": "retailer.customers", "person": "hem", "rules": ["all"]},
]
BODY: dict[str, Any] = {
    "format": 1,
    "id": "spring",
    "title": "Spring",
    "parties": [{"name": "pub", "key": KEYS[0]}, {"name": "adv", "key": KEYS[1]}],
    "analysts": ["adv"],
    "recipients": ["adv"],
    "joins": {"name": "host", "key": KEYS[0]},
    "valid": {"from": yaml.safe_load("2026-01-01"), "until": yaml.safe_load("2026-12-31")},
    "tables": TABLES,
    "rules": [{"name": "all", "level": "threshold", "persons_min": 25}],
}


def read(folder: Path, **changes: Any) -> Any:
    file = folder / "agreement.yaml"
    file.write_text(yaml.safe_dump({**BODY, **changes}, sort_keys=False))
    return read_agreement(file, root=folder)


def table(**changes: Any) -> list[dict[str, Any]]:
    return [{**TABLES[0], **changes}, TABLES[1]]


def test_what_is_left_out_has_a_default(tmp_path: Path) -> None:
    agreement = read(tmp_path)
    (rule,) = agreement.rules
    assert (rule.dominance_max, rule.groups_max, rule.dimensions_max) == (0.5, 200, 3)
    assert agreement.valid_until.isoformat() == "2027-01-01T00:00:00+00:00"


def test_rho_is_counted_in_millionths(tmp_path: Path) -> None:
    privacy = {"rho": 0.3, "rho_per_release": 0.1, "groups_max": 5, "rows_max": 10}
    assert read(tmp_path, privacy=privacy).privacy.micro_rho_per_release == 100_000


def test_the_meaning_is_signed_not_the_layout(tmp_path: Path) -> None:
    first = read(tmp_path)
    file = tmp_path / "agreement.yaml"
    file.write_text("# a comment\n" + yaml.safe_dump(BODY, sort_keys=True, default_flow_style=True))
    assert digest_of(read_agreement(file, root=tmp_path)) == digest_of(first)
    assert digest_of(read(tmp_path, title="Spring!")) != digest_of(first)
    assert b" " not in canonical(first).replace(b"Spring", b"")


PRIVATE = [{"name": "all", "level": "privacy", "persons_min": 25}]
BUDGET = {"rho": 1.0, "rho_per_release": 0.5, "groups_max": 5, "rows_max": 10}
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "one party": ({"parties": BODY["parties"][:1]}, "parties"),
    "one key": ({"parties": [{"name": "pub", "key": KEYS[0]}, {"name": "adv", "key": KEYS[0]}]}, "parties[1].key"),
    "no key": ({"joins": {"name": "host", "key": "abc"}}, "joins.key"),
    "a stranger asks": ({"analysts": ["mallory"]}, "analysts[0]"),
    "a stranger receives": ({"recipients": ["mallory"]}, "recipients[0]"),
    "a stranger shares": ({"tables": table(party="mallory")}, "tables[0].party"),
    "it ends first": ({"valid": {"from": BODY["valid"]["until"], "until": BODY["valid"]["from"]}}, "valid.until"),
    "a rule that is not there": ({"tables": table(rules=["none"])}, "tables[0].rules[0]"),
    "a column in two ways": ({"tables": table(dimensions={"hem": ["a"]})}, "tables[0]"),
    "an empty domain": ({"tables": table(dimensions={"a": []})}, "tables[0].dimensions.a"),
    "a domain of two kinds": ({"tables": table(dimensions={"a": ["1", 1]})}, "tables[0].dimensions.a"),
    "a truth value": ({"tables": table(dimensions={"a": [True]})}, "tables[0].dimensions.a"),
    "a value twice": ({"tables": table(dimensions={"a": ["x", "x"]})}, "tables[0].dimensions.a"),
    "groups of one": ({"rules": [{**BODY["rules"][0], "persons_min": 1}]}, "rules[0].persons_min"),
    "no share": ({"rules": [{**BODY["rules"][0], "dominance_max": 0.0}]}, "rules[0].dominance_max"),
    "a function that is none": ({"rules": [{**BODY["rules"][0], "functions": ["max"]}]}, "rules[0].functions[0]"),
    "noise without a budget": ({"rules": PRIVATE}, "document"),
    "noise without bounds": (
        {"rules": PRIVATE, "privacy": BUDGET, "tables": table(measures={"cost": {"functions": ["sum"]}})},
        "tables[0].measures.cost",
    ),
    "a negative budget": ({"privacy": {**BUDGET, "rho": -1.0}}, "privacy.rho"),
    "a budget that is no number": ({"privacy": {**BUDGET, "rho": float("nan")}}, "privacy.rho"),
    "an endless budget": ({"privacy": {**BUDGET, "rho": float("inf")}}, "privacy.rho"),
    "a release beyond the budget": ({"privacy": {**BUDGET, "rho_per_release": 2.0}}, "privacy.rho_per_release"),
    "a second version of nothing": ({"version": 2}, "amends"),
    "a first version of something": ({"amends": "0" * 64}, "amends"),
    "a parameter of no dimension": (
        {"templates": [{"name": "t", "sql": "SELECT 1", "parameters": {"a": "pub.persons.a"}}]},
        "templates[0].parameters.a",
    ),
    "an unknown field": ({"thresholds": 1}, "thresholds"),
    "an unknown control": ({"waived": {"mesh": ["everything"]}}, "waived.mesh[0]"),
}


@pytest.mark.parametrize(("changes", "where"), WRONG.values(), ids=WRONG.keys())
def test_says_what_is_wrong_and_where(tmp_path: Path, changes: dict[str, Any], where: str) -> None:
    with pytest.raises(DeclarationError) as told:
        read(tmp_path, **changes)
    assert any(where in finding for finding in findings_of(told.value)), findings_of(told.value)
