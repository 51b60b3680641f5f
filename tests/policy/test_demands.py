"""What mesh.yaml demands of every product, and how what is owed is told."""

from dataclasses import replace
from typing import Any

import pytest

from mesh_defs.documents.standards import GOVERNANCE_RULES
from mesh_defs.model.access import AccessRules, Grant, Mask, PolicyTest, Principal, Requestable
from mesh_defs.model.contract import Contract
from mesh_defs.model.mesh import GovernanceRule, StandardRule
from mesh_defs.policy.demands import _RULES, unmet
from tests.factories import a_column, a_contract, a_grant, a_standards, not_null

P = "audiences.persons"
SOUND = a_contract(
    P,
    columns=(
        a_column("person_id", identifies="person", classification="confidential", description="Who."),
        a_column("consent", type="BOOLEAN", logical_type="boolean", description="May be counted."),
    ),
    expectations=(not_null("person_id"),),
)
CONSENT = StandardRule(name="consent", why="law", granularity="audience", rows={"measurement": "consent"})
TEST = PolicyTest(product=P, name="t", principal=Principal(name="ada"), purpose="measurement", given=(), expected=None)


def owed(contract: Contract, *grants: Grant, rule: str | None = None, tests: Any = (), **standards: Any) -> list[str]:
    governance = (GovernanceRule(rule=rule, why="we said so", mend="do it"),) if rule else ()
    rules = AccessRules(product=P, grants=grants, tests=tests)
    return [str(each) for each in unmet(contract, rules, a_standards(governance=governance, **standards))]


def without(contract: Contract, column: str) -> Contract:
    return replace(contract, columns=tuple(each for each in contract.columns if each.name != column))


def test_every_rule_that_may_be_named_is_known() -> None:
    assert set(_RULES) == set(GOVERNANCE_RULES)


@pytest.mark.parametrize("rule", [*GOVERNANCE_RULES, None])
def test_a_sound_product_owes_nothing(rule: str | None) -> None:
    sound = replace(SOUND, service_level=replace(SOUND.service_level, freshness_hours_max=24))
    assert owed(sound, a_grant(P), rule=rule) == []


@pytest.mark.parametrize(
    ("rule", "contract", "told"),
    [
        ("described_columns", replace(SOUND, columns=(a_column("a"), a_column("b"))), "no description of a, b"),
        (
            "classified_keys",
            replace(SOUND, columns=(a_column("p", identifies="person"),)),
            "p identifies persons, and is neither confidential nor restricted",
        ),
        ("freshness", SOUND, "no freshness is promised"),
        ("checks", replace(SOUND, expectations=()), "no promise about its rows is kept by a check"),
        ("checks", replace(SOUND, expectations=(not_null("p", severity="warning"),)), "no promise about its rows"),
    ],
)
def test_tells_what_is_owed_with_the_meshs_own_reason_and_mend(rule: str, contract: Contract, told: str) -> None:
    [finding] = owed(contract, rule=rule)
    assert finding.startswith(f"domains/audiences/contracts/persons.odcs.yaml: {told}")
    assert finding.endswith(f"({rule}: we said so) — do it")
    assert owed(contract) == []


@pytest.mark.parametrize(
    ("grant", "standards"),
    [
        ({"rows": "consent"}, {}),
        ({"columns": ("consent",)}, {}),
        ({"masks": {"person_id": Mask(kind="null")}}, {}),
        ({}, {"masks": {"confidential": Mask(kind="null")}}),
        ({}, {"row_rules": (CONSENT,)}),
    ],
)
def test_what_withholds_must_be_tested(grant: dict[str, Any], standards: dict[str, Any]) -> None:
    given = a_grant(P, **grant)
    [finding] = owed(SOUND, given, rule="access_tests", **standards)
    assert "the access file tests nothing, and g withhold rows or columns" in finding
    assert owed(SOUND, given, rule="access_tests", tests=(TEST,), **standards) == []


def test_what_withholds_nothing_needs_no_test() -> None:
    lifted = Mask(kind="null", unless=("measurement",))
    elsewhere = replace(CONSENT, granularity="event")
    given = a_grant(P, masks={"person_id": lifted})
    assert owed(SOUND, given, rule="access_tests", masks={"confidential": lifted}, row_rules=(elsewhere,)) == []


def test_a_product_that_lacks_a_column_of_a_standard_rule_is_told_before_anybody_is_shown_nothing() -> None:
    lacking = without(SOUND, "consent")
    [finding] = owed(lacking, a_grant(P), row_rules=(CONSENT,))
    assert "it is granted for measurement, for which the standard 'consent' shows nothing of it" in finding
    assert "there is no column 'consent' in 'consent'" in finding
    assert owed(SOUND, a_grant(P), row_rules=(CONSENT,)) == []
    assert owed(lacking, a_grant(P, purposes=("planning",)), row_rules=(CONSENT,)) == []
    assert owed(lacking, row_rules=(CONSENT,)) == []  # granted to nobody
    assert owed(lacking, a_grant(P), row_rules=(replace(CONSENT, granularity="event"),)) == []


def test_so_is_one_that_may_be_asked_for() -> None:
    offer = Requestable(id="o", product=P, roles=("analyst",), purposes=("measurement",), days_max=1)
    rules = AccessRules(product=P, requestable=(offer,))
    assert len(unmet(without(SOUND, "consent"), rules, a_standards(row_rules=(CONSENT,)))) == 1


@pytest.mark.parametrize("text", ["consent = 'yes'", "consent AND", "lower(person_id) = 'a'"])
def test_a_standard_rule_that_is_no_rule_over_the_columns_is_told(text: str) -> None:
    assert len(owed(SOUND, a_grant(P), row_rules=(replace(CONSENT, rows={"measurement": text}),))) == 1


def test_a_standard_mask_that_does_not_fit_a_column_is_told() -> None:
    [finding] = owed(SOUND, masks={"internal": Mask(kind="truncate", value=3)})
    assert "the standard mask of internal columns does not fit consent: a BOOLEAN cannot be cut so" in finding
    assert owed(SOUND, masks={"internal": Mask(kind="token"), "confidential": Mask(kind="null")}) == []


def test_a_grant_for_a_narrower_purpose_owes_what_the_wider_ones_rule_reads() -> None:
    lacking, narrow = without(SOUND, "consent"), a_grant(P, purposes=("attribution",))
    assert owed(lacking, narrow, row_rules=(CONSENT,)) == []
    [finding] = owed(lacking, narrow, row_rules=(CONSENT,), within={"attribution": "measurement"})
    assert "granted for measurement, for which the standard 'consent' shows nothing of it" in finding


@pytest.mark.parametrize("granted", ["measurement", "attribution"])
def test_what_withholds_for_a_purpose_within_or_around_must_be_tested(granted: str) -> None:
    grant, within = a_grant(P, purposes=(granted,)), {"attribution": "measurement"}
    for ruled in ("measurement", "attribution"):
        rule = replace(CONSENT, rows={ruled: "consent"})
        assert owed(SOUND, grant, rule="access_tests", row_rules=(rule,), within=within)
        masks = {"confidential": Mask(kind="null", unless=("planning",))}
        assert owed(SOUND, grant, rule="access_tests", masks=masks, within=within)
    masks = {"confidential": Mask(kind="null", unless=("measurement",))}
    assert owed(SOUND, grant, rule="access_tests", masks=masks, within=within) == []
