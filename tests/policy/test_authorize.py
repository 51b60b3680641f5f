"""Who may read what, for which purpose, until when, and why."""

from collections.abc import Iterable
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesh_defs.model.access import AccessRequest, Decision, Grant, Principal, service_of
from mesh_defs.policy.authorize import authorize
from tests.factories import NOW, TODAY, a_grant, a_policy, a_principal, a_request, a_standards

P = "audiences.persons"
EVENTS = Principal(name=service_of("events"), roles=("service",))


def decide(request: AccessRequest, grants: Iterable[Grant]) -> Decision:
    return authorize(request, a_policy(*grants, of=request.products))


def reason(decision: Decision) -> str:
    (only,) = decision.reasons
    return only


def test_denies_by_default() -> None:
    decision = decide(a_request(P), ())
    assert not decision.allowed
    assert decision.grants == {}
    assert decision.reasons == ("audiences.persons: no grant",)
    assert decision.fix == "ask the owner of audiences.persons for a grant"


@pytest.mark.parametrize("to", ["ada", "analyst"])
def test_a_grant_to_the_person_or_the_role_allows(to: str) -> None:
    decision = decide(a_request(P), [a_grant(P, to=to, id="x")])
    assert decision.allowed
    assert decision.grants == {P: "x"}
    assert decision.reasons == ("audiences.persons: grant 'x'",)
    assert decision.fix == ""


@pytest.mark.parametrize(
    "grant",
    [
        a_grant("audiences.regions", to="ada"),
        a_grant("audiences.person", to="ada"),
        a_grant("audiences", to="ada"),
        a_grant(P, to="grace"),
        a_grant(P, to="steward"),
        a_grant(P, principals=("analyst",)),  # a person called like the role
        a_grant(P, roles=("ada",)),  # a role called like the person
        a_grant(P),  # to nobody
    ],
    ids=str,
)
def test_a_grant_to_others_or_of_others_says_nothing(grant: Grant) -> None:
    assert reason(decide(a_request(P), [grant])) == "audiences.persons: no grant"


@pytest.mark.parametrize(
    ("purpose", "told"),
    [("planning", "asked for planning"), (None, "asked for no purpose"), ("", "asked for no purpose")],
)
def test_denies_when_the_purpose_is_another_or_missing(purpose: str | None, told: str) -> None:
    grants = [a_grant(P, to="ada", purposes=("stewardship",)), a_grant(P, to="analyst", purposes=("measurement",))]
    decision = decide(a_request(P, purpose=purpose), grants)
    assert reason(decision) == f"{P}: granted only for measurement, stewardship, {told}"
    assert decision.fix == f"state a purpose granted for {P}: measurement, stewardship"


@pytest.mark.parametrize(("days", "allowed"), [(0, True), (1, True), (-1, False)])
def test_a_grant_holds_through_its_last_day(days: int, allowed: bool) -> None:
    grant = a_grant(P, to="ada", expires=TODAY + timedelta(days=days))
    decision = decide(a_request(P), [grant])
    assert decision.allowed == allowed
    if not allowed:
        assert reason(decision) == f"{P}: the grant 'g' has expired (2026-10-31)"
        assert decision.fix == f"ask the owner of {P} for a grant"


def test_an_expired_grant_does_not_hide_one_that_holds() -> None:
    old = a_grant(P, to="ada", id="a", expires=TODAY - timedelta(days=1))
    assert decide(a_request(P), [old, a_grant(P, to="ada", id="b")]).grants == {P: "b"}


def test_of_several_grants_the_persons_own_goes_first_then_the_first_by_id() -> None:
    grants = [a_grant(P, to=to, id=id) for to, id in (("analyst", "a"), ("ada", "c"), ("ada", "b"))]
    assert decide(a_request(P), grants).grants == {P: "b"}
    assert decide(a_request(P), grants[::-1]).grants == {P: "b"}
    assert decide(a_request(P), iter(grants)).grants == {P: "b"}


def test_one_product_without_a_grant_denies_the_whole_and_every_product_has_its_reason() -> None:
    grants = [a_grant("a.x", to="ada"), a_grant("c.z", to="ada", purposes=("planning",))]
    decision = decide(a_request("b.y", "a.x", "c.z"), grants)
    assert not decision.allowed
    assert decision.grants == {"a.x": "g"}
    assert decision.reasons == (
        "b.y: no grant",
        "a.x: grant 'g'",
        "c.z: granted only for planning, asked for measurement",
    )
    assert decision.fix == "ask the owner of b.y for a grant; state a purpose granted for c.z: planning"


def test_a_product_that_is_named_twice_has_two_reasons() -> None:
    assert len(decide(a_request(P, P), ()).reasons) == 2


def test_what_reads_nothing_needs_no_grant() -> None:
    decision = decide(a_request(purpose=None), ())
    assert (decision.allowed, decision.reasons, decision.fix) == (True, (), "")


def test_a_domains_pipelines_read_their_own_products_for_no_purpose() -> None:
    decision = decide(a_request("events.clicks", principal=EVENTS, purpose=None), ())
    assert decision.grants == {"events.clicks": "own-domain"}


@pytest.mark.parametrize("product", ["events", "event.clicks", "eventsx.clicks", "audiences.events", ".events", ""])
def test_a_pipeline_owns_nothing_beyond_its_domain(product: str) -> None:
    assert not decide(a_request(product, principal=EVENTS), ()).allowed


@pytest.mark.parametrize(
    "name", ["events", "service", "service:", "Service:events", " service:events", "x:events", ":events"]
)
def test_nobody_becomes_a_pipeline_by_a_name_that_looks_like_one(name: str) -> None:
    principal = Principal(name=name, roles=("service", "events"))
    assert principal.domain is None
    assert not decide(a_request("events.clicks", principal=principal), ()).allowed


def test_a_pipeline_reads_other_domains_only_by_a_grant_for_its_purpose() -> None:
    grant = a_grant(P, to="service:events")
    assert decide(a_request(P, principal=EVENTS), [grant]).allowed
    assert not decide(a_request(P, principal=EVENTS, purpose="planning"), [grant]).allowed
    assert not decide(a_request(P, principal=Principal(name=service_of("retailer"))), [grant]).allowed


def test_a_decision_is_no_bool() -> None:
    with pytest.raises(TypeError, match=r"decision\.allowed"):
        bool(decide(a_request(P), ()))


# Properties

NAMES = st.sampled_from(["ada", "grace", "service:events"])
ROLES = st.sampled_from(["analyst", "steward"])
PRODUCTS = st.sampled_from([P, "events.clicks", "creatives.works"])
PURPOSES = st.sampled_from(["measurement", "planning"])
GRANTS = st.lists(
    st.builds(
        Grant,
        id=st.sampled_from("abc"),
        product=PRODUCTS,
        principals=st.lists(NAMES, max_size=2).map(tuple),
        roles=st.lists(ROLES, max_size=2).map(tuple),
        purposes=st.lists(PURPOSES, min_size=1, max_size=2).map(tuple),
        expires=st.none() | st.sampled_from([TODAY, TODAY - timedelta(days=1)]),
    ),
    max_size=6,
    unique_by=lambda grant: (grant.product, grant.id),  # an access file in which an id stands twice is refused
)
REQUESTS = st.builds(
    AccessRequest,
    principal=st.builds(a_principal, NAMES, ROLES),
    purpose=st.none() | PURPOSES,
    products=st.lists(PRODUCTS, max_size=3).map(tuple),
    now=st.just(NOW),
)


@settings(max_examples=150, deadline=None)
@given(request=REQUESTS, grants=GRANTS, data=st.data())
def test_removing_a_grant_never_allows_more(request: AccessRequest, grants: list[Grant], data: st.DataObject) -> None:
    fewer = [grant for grant in grants if data.draw(st.booleans())]
    before, after = decide(request, grants), decide(request, fewer)
    assert set(after.grants) <= set(before.grants)
    assert before.allowed or not after.allowed


@settings(max_examples=100, deadline=None)
@given(request=REQUESTS, grants=GRANTS, data=st.data())
def test_the_order_of_the_grants_decides_nothing(
    request: AccessRequest, grants: list[Grant], data: st.DataObject
) -> None:
    assert decide(request, grants) == decide(request, data.draw(st.permutations(grants)))


@settings(max_examples=100, deadline=None)
@given(request=REQUESTS, grants=GRANTS)
def test_every_answer_names_its_reasons_and_every_denial_its_mend(request: AccessRequest, grants: list[Grant]) -> None:
    decision = decide(request, grants)
    assert [each.partition(":")[0] for each in decision.reasons] == list(request.products)
    assert decision.allowed == (set(decision.grants) == set(request.products))
    assert bool(decision.fix) != decision.allowed
    given = {grant.id for grant in grants if request.purpose in grant.purposes} | {"own-domain"}
    assert set(decision.grants.values()) <= given


WITHIN = {"attribution": "measurement", "last_click": "attribution"}


def decide_within(purpose: str, *grants: Grant, within: dict[str, str] = WITHIN) -> Decision:
    return authorize(a_request(P, purpose=purpose), a_policy(*grants, of=(P,), standards=a_standards(within=within)))


def test_a_grant_for_a_purpose_covers_all_within_it_and_says_so() -> None:
    wide = a_grant(P, to="ada", id="wide")
    assert reason(decide_within("measurement", wide)) == f"{P}: grant 'wide'"
    assert reason(decide_within("attribution", wide)) == f"{P}: grant 'wide' for measurement (attribution is within it)"
    assert reason(decide_within("last_click", wide)) == f"{P}: grant 'wide' for measurement (last_click is within it)"


def test_a_grant_for_a_narrower_purpose_does_not_cover_the_wider_nor_its_siblings() -> None:
    narrow = a_grant(P, to="ada", purposes=("attribution",))
    assert decide_within("last_click", narrow).allowed
    assert reason(decide_within("measurement", narrow)) == f"{P}: granted only for attribution, asked for measurement"
    sibling = {**WITHIN, "lift": "measurement"}
    told = f"{P}: granted only for attribution, asked for lift, within measurement"
    assert reason(decide_within("lift", narrow, within=sibling)) == told


def test_of_several_grants_the_one_for_the_nearest_purpose_goes_before_the_first_by_id() -> None:
    grants = (
        a_grant(P, to="ada", id="a"),
        a_grant(P, to="ada", id="c", purposes=("attribution",)),
        a_grant(P, to="ada", id="b", purposes=("attribution", "measurement")),
        a_grant(P, to="analyst", id="0", purposes=("last_click",)),
    )
    assert decide_within("last_click", *grants).grants == {P: "b"}
    assert decide_within("measurement", *grants).grants == {P: "a"}


PURPOSES = ("a", "b", "c", "d", "e")


@given(
    parents=st.lists(st.none() | st.integers(0, 3), min_size=5, max_size=5),
    granted=st.sets(st.sampled_from(PURPOSES), min_size=1),
    asked=st.sampled_from(PURPOSES),
)
def test_a_purpose_is_covered_exactly_when_a_granted_one_is_above_it(
    parents: list[int | None], granted: set[str], asked: str
) -> None:
    within = {PURPOSES[n]: PURPOSES[up] for n, up in enumerate(parents) if up is not None and up < n}
    above, at = {asked}, asked
    while at in within:
        at = within[at]
        above.add(at)
    grant = a_grant(P, to="ada", purposes=tuple(granted))
    assert decide_within(asked, grant, within=within).allowed == bool(above & granted)
    assert (asked in a_standards(within=within).covered(granted)) == bool(above & granted)
