"""What a grant shows of a product once the standards have narrowed it."""

from dataclasses import replace
from datetime import UTC, date, datetime
from itertools import product as pairs

import pytest

from mesh_defs.model.access import LEAST_STRICT_FIRST, Mask, Principal, View
from mesh_defs.model.mesh import StandardRule
from mesh_defs.policy.authorize import Policy, authorize, end_of, ended
from tests.factories import NOW, a_column, a_contract, a_grant, a_policy, a_request, a_standards

P = "audiences.persons"
CONTRACT = a_contract(
    P,
    columns=(
        a_column("person_id", primary_key=True, identifies="person", classification="confidential", token="person"),
        a_column("email", classification="restricted", token="email"),
        a_column("name", classification="restricted"),
        a_column("region"),
        a_column("consent_measurement", type="BOOLEAN", logical_type="boolean"),
    ),
)
CONSENT = StandardRule(name="consent", why="law", granularity="audience", rows={"measurement": "consent_measurement"})
TOKEN, NULL, DENY = Mask(kind="token"), Mask(kind="null"), Mask(kind="deny")
ADA = Principal(name="ada", roles=("analyst",), attributes={"regions": ("EU", "US")})


def policy(*, rules: tuple[StandardRule, ...] = (), standard: dict[str, Mask] | None = None, **grant: object) -> Policy:
    standards = a_standards(row_rules=rules, masks=standard or {})
    return a_policy(a_grant(P, to="ada", id="g", **grant), contracts=[CONTRACT], standards=standards)


def view(given: Policy, purpose: str = "measurement") -> View:
    decision = authorize(a_request(P, principal=ADA, purpose=purpose), given)
    assert decision.allowed, decision.reasons
    return decision.views[P]


def test_a_grant_without_rules_shows_everything() -> None:
    assert view(policy()) == View(grant="g")
    assert view(policy()).withheld == ""


def test_rules_of_grant_and_standards_must_all_hold() -> None:
    shown = view(policy(rows="region IN ${principal.regions}", rules=(CONSENT,)))
    assert shown.withheld == "rows"
    assert [(rule.source, rule.bound) for rule in shown.rules] == [
        ("grant 'g'", "\"region\" IN ('EU', 'US')"),
        ("standard 'consent'", '"consent_measurement"'),
    ]


def test_a_standard_rule_holds_for_its_granularity_and_purposes_only() -> None:
    given = policy(
        rules=(CONSENT, replace(CONSENT, name="events", granularity="event")), purposes=("planning", "measurement")
    )
    assert [rule.source for rule in view(given).rules] == ["standard 'consent'"]
    assert view(given, "planning").rules == ()


def test_a_product_that_lacks_a_column_of_a_standard_rule_is_denied() -> None:
    gone = replace(CONTRACT, columns=CONTRACT.columns[:4])
    given = replace(policy(rules=(CONSENT,)), contracts={P: gone})
    decision = authorize(a_request(P, principal=ADA), given)
    assert not decision.allowed
    assert decision.reasons == (f"{P}: a rule does not fit the contract (there is no column 'consent_measurement')",)


@pytest.mark.parametrize(
    ("granted", "standard", "shown"),
    [
        (None, None, None),
        (TOKEN, None, TOKEN),
        (None, TOKEN, TOKEN),
        (TOKEN, NULL, NULL),
        (NULL, TOKEN, NULL),
        (DENY, NULL, DENY),
        (Mask(kind="token", unless=("measurement",)), None, None),
        (TOKEN, Mask(kind="null", unless=("measurement",)), TOKEN),
        (Mask(kind="null", unless=("measurement",)), NULL, NULL),  # a grant lifts no standard's mask
        (Mask(kind="truncate", value=3), Mask(kind="truncate", value=2), NULL),
        (Mask(kind="truncate", value=3), Mask(kind="truncate", value=3), Mask(kind="truncate", value=3)),
        (Mask(kind="constant", value="x"), Mask(kind="constant", value="y"), NULL),
    ],
)
def test_the_stricter_mask_holds(granted: Mask | None, standard: Mask | None, shown: Mask | None) -> None:
    given = policy(
        standard={"restricted": standard} if standard else {}, **({"masks": {"email": granted}} if granted else {})
    )
    assert view(given).masks.get("email") == shown


def test_no_pair_of_masks_shows_more_than_either() -> None:
    for one, other in pairs(LEAST_STRICT_FIRST, repeat=2):
        given = policy(standard={"restricted": Mask(kind=one, value=1)})
        grant = replace(given.grants[0], masks={"email": Mask(kind=other, value=1)})
        kind = view(replace(given, grants=(grant,))).masks["email"].kind
        assert LEAST_STRICT_FIRST.index(kind) >= max(LEAST_STRICT_FIRST.index(one), LEAST_STRICT_FIRST.index(other))


def test_a_token_that_was_never_made_shows_nothing() -> None:
    assert view(policy(standard={"restricted": TOKEN})).masks == {"email": TOKEN, "name": NULL}


def test_columns_that_are_not_granted_are_left_out() -> None:
    shown = view(policy(columns=("region", "email"), standard={"restricted": NULL}))
    assert shown.masks == {"person_id": DENY, "email": NULL, "name": DENY, "consent_measurement": DENY}


def test_a_view_without_any_column_is_no_view() -> None:
    decision = authorize(
        a_request(P, principal=ADA), policy(standard=dict.fromkeys(("internal", "restricted", "confidential"), DENY))
    )
    assert decision.reasons == (f"{P}: a rule does not fit the contract (no column is left to be shown)",)


def test_the_own_domain_sees_its_products_whole() -> None:
    service = Principal(name="service:audiences", roles=("service",))
    given = policy(rules=(CONSENT,), standard={"restricted": NULL})
    assert authorize(a_request(P, principal=service), given).views == {P: View(grant="own-domain")}


def test_no_purpose_lifts_a_mask_or_a_rule() -> None:
    assert not authorize(a_request(P, principal=ADA, purpose=None), policy()).allowed


def test_a_grant_ends_with_its_day_or_its_second() -> None:
    day = a_grant(expires=date(2026, 11, 1))
    assert not ended(day, datetime(2026, 11, 1, 23, 59, 59, tzinfo=UTC))
    assert ended(day, datetime(2026, 11, 2, tzinfo=UTC))
    assert end_of(day) == datetime(2026, 11, 2, tzinfo=UTC)
    second = a_grant(until=NOW)
    assert ended(second, NOW)
    assert end_of(second) == NOW
    assert end_of(a_grant()) is None


def within_measurement(rules: tuple[StandardRule, ...] = (), **grant: object) -> Policy:
    standards = a_standards(row_rules=rules, within={"attribution": "measurement"})
    return a_policy(a_grant(P, to="ada", id="g", **grant), contracts=[CONTRACT], standards=standards)


def test_standard_rules_of_a_purpose_hold_for_those_within_it_besides_their_own() -> None:
    own = replace(CONSENT, rows={**CONSENT.rows, "attribution": "region = 'EU'"})
    shown = [rule.text for rule in view(within_measurement((own,)), "attribution").rules]
    assert shown == ["region = 'EU'", "consent_measurement"]
    assert [rule.text for rule in view(within_measurement((own,))).rules] == ["consent_measurement"]


@pytest.mark.parametrize(
    ("unless", "purpose", "masked"),
    [
        ("measurement", "attribution", False),
        ("measurement", "measurement", False),
        ("attribution", "attribution", False),
        ("attribution", "measurement", True),
    ],
)
def test_who_sees_a_value_for_a_purpose_sees_it_for_those_within_it(unless: str, purpose: str, masked: bool) -> None:
    given = within_measurement(masks={"region": replace(NULL, unless=(unless,))})
    assert ("region" in view(given, purpose).masks) == masked
