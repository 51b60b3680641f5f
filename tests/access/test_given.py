"""What a grant on request gives is bounded, at each use, by what the access file lets people ask for today."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesh_defs.access.given import RequestBook, effective
from mesh_defs.access.requests import KINDS, Given, GrantRequest
from mesh_defs.access.terms import Narrowing
from mesh_defs.access.workflow import Desk, approve, ask, renew, revoke
from mesh_defs.errors import StorageError
from mesh_defs.ledger import Ledger
from mesh_defs.model.access import LEAST_STRICT_FIRST, Grant, Mask, Requestable
from mesh_defs.model.mesh import StandardRule
from tests.access.desks import CONTRACT, OFFER, Clock, P, a_desk, a_mesh, a_wish, decide, under
from tests.factories import NOW


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    desk = a_desk(tmp_path)
    approve(desk, ask(desk, a_wish(columns=("person_id", "email", "region"))).number, "grace")
    return desk


@pytest.mark.parametrize(
    ("now", "reason"),
    [
        (replace(OFFER, id="renamed"), "no longer has the requestable 'analysts'"),
        (replace(OFFER, product="audiences.others"), "no longer has the requestable"),
        (replace(OFFER, roles=("planner",)), "ada may no longer ask for it"),
        (replace(OFFER, roles=(), principals=("max",)), "ada may no longer ask for it"),
        (replace(OFFER, purposes=("planning",)), "it may no longer be asked for measurement"),
        (replace(OFFER, columns=("birth_year",)), "none of its columns may be asked for any more"),
        (replace(OFFER, columns=("name",)), "none of its columns"),
    ],
)
def test_it_ends_when_the_file_no_longer_lets_it_be_asked_for(desk: Desk, now: Requestable, reason: str) -> None:
    changed = under(desk, now)
    assert not decide(changed).allowed
    assert reason in str(effective(changed.request(1), changed.mesh))
    assert decide(desk).allowed  # and is what it was when the file is put back


def test_it_ends_when_its_holder_leaves_the_mesh_or_loses_the_role(desk: Desk) -> None:
    people = dict(desk.mesh.standards.people)
    people["ada"] = replace(people["ada"], roles=())
    gone = replace(desk.mesh, standards=replace(desk.mesh.standards, people={"grace": people["grace"]}))
    assert effective(desk.request(1), gone) == "ada may no longer ask for it"
    less = replace(desk.mesh, standards=replace(desk.mesh.standards, people=people))
    assert effective(desk.request(1), less) == "ada may no longer ask for it"


def test_it_narrows_with_the_file(desk: Desk) -> None:
    narrower = replace(
        OFFER, days_max=2, columns=("email", "region"), rows="birth_year > 1950", masks={"email": Mask(kind="null")}
    )
    [view] = decide(under(desk, narrower)).views.values()
    assert view.until == NOW + timedelta(days=2)
    assert {name: mask.kind for name, mask in view.masks.items() if mask.kind != "deny"} == {"email": "null"}
    assert [name for name in CONTRACT.column_names if name not in view.masks] == ["region"]
    assert [rule.bound for rule in view.rules] == ['("region" IN (\'west\')) AND ("birth_year" > 1950)']


def test_it_does_not_widen_with_the_file(desk: Desk) -> None:
    before = decide(desk).views
    wider = Requestable(id="analysts", product=P, roles=("analyst",), purposes=("measurement", "planning"), days_max=99)
    assert decide(under(desk, wider)).views == before
    assert not decide(under(desk, wider), purpose="planning").allowed


def test_a_file_that_allows_fewer_days_counts_from_the_grant(tmp_path: Path) -> None:
    clock = Clock()
    desk = a_desk(tmp_path, clock=clock)
    approve(desk, ask(desk, a_wish()).number, "grace")
    clock.turn(days=3)
    assert not decide(under(desk, replace(OFFER, days_max=3))).allowed
    assert decide(under(desk, replace(OFFER, days_max=4))).allowed


def test_the_standards_narrow_it_too(desk: Desk) -> None:
    consent = StandardRule(name="old", why="w", granularity="audience", rows={"measurement": "birth_year < 1980"})
    [view] = decide(under(desk, OFFER, row_rules=(consent,), masks={"internal": Mask(kind="null")})).views.values()
    assert [rule.source for rule in view.rules] == ["grant 'request-1'", "standard 'old'"]
    assert {view.masks[name].kind for name in ("person_id", "region")} == {"null"}


def test_an_attribute_is_read_at_each_question_and_without_it_no_row_is_shown(desk: Desk) -> None:
    people = dict(desk.mesh.standards.people)
    people["ada"] = replace(people["ada"], attributes={})
    mesh = replace(desk.mesh, standards=replace(desk.mesh.standards, people=people))
    grant = effective(desk.request(1), mesh)
    assert isinstance(grant, Grant)
    assert grant.rows == "region IN ${principal.regions}"


def test_a_column_that_the_contract_dropped_is_not_granted_and_a_rule_on_one_denies(desk: Desk) -> None:
    [section] = desk.mesh.snapshot.sections
    [product] = section.products
    for dropped, told in (("email", True), ("region", False)):
        contract = replace(CONTRACT, columns=tuple(c for c in CONTRACT.columns if c.name != dropped))
        snapshot = replace(
            desk.mesh.snapshot, sections=(replace(section, products=(replace(product, contract=contract),)),)
        )
        assert decide(replace(desk, mesh=replace(desk.mesh, snapshot=snapshot))).allowed is told


def test_a_rule_in_the_ledger_that_cannot_be_read_gives_nothing(desk: Desk) -> None:
    asked = desk.request(1)
    assert asked.given
    for rule in ("TRUE) OR (TRUE", "region = ", "/* "):
        forged = replace(asked, given=replace(asked.given, rows=(rule, "region = 'west'")))
        assert effective(forged, desk.mesh) == "its row rule cannot be read"


def test_asking_is_one_look_when_nothing_is_new(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    first = desk.book.grants(desk.mesh)
    monkeypatch.setattr(Ledger, "entries", lambda *_, **__: pytest.fail("read again"))
    desk.ledger.append("allowed", {}, at=NOW)  # of another kind
    assert desk.book.grants(desk.mesh) is first


def test_what_was_read_once_does_not_change_under_its_reader(desk: Desk) -> None:
    before = desk.book.page()
    revoke(desk, 1, "ada", "x")
    assert before.requests[1].state == "granted"
    assert desk.book.page().requests[1].state == "revoked"


def test_a_ledger_that_was_put_in_its_place_is_read_anew(tmp_path: Path) -> None:
    full, empty = tmp_path / "full", tmp_path / "empty"
    full.mkdir()
    empty.mkdir()
    desk = a_desk(full)
    approve(desk, ask(desk, a_wish()).number, "grace")
    book = RequestBook(desk.ledger)
    assert book.grants(desk.mesh)
    book._ledger = Ledger(f"sqlite:///{empty}/ledger.sqlite")
    assert book.grants(desk.mesh) == ()


def test_an_entry_that_is_not_understood_lets_nobody_in(desk: Desk) -> None:
    desk.ledger.append("access_revoked", {"request": "the first one"}, at=NOW)
    for _ in range(2):
        with pytest.raises(StorageError, match=r"entry 3 of the ledger is no access_revoked that is known"):
            decide(desk)


def test_appending_on_a_condition_appends_only_on_it(desk: Desk) -> None:
    seen = desk.book.page().newest
    told = {"at": NOW, "kinds": KINDS}
    assert desk.ledger.append_if("access_x", {}, newest=seen - 1, **told) is None
    desk.ledger.append("allowed", {}, at=NOW)  # another kind is no hindrance
    entry = desk.ledger.append_if("access_revoked", {"request": 1, "by": "ada", "reason": "x"}, newest=seen, **told)
    assert entry
    assert desk.ledger.append_if("access_x", {}, newest=seen, **told) is None
    assert desk.ledger.broken_at() is None
    assert desk.book.page().newest == entry.seq


# No file, given or present, makes a grant show more than either.

COLUMNS = st.lists(st.sampled_from(CONTRACT.column_names), unique=True).map(tuple)
MASKS = st.dictionaries(
    st.sampled_from(CONTRACT.column_names),
    st.builds(
        Mask, kind=st.sampled_from(LEAST_STRICT_FIRST), unless=st.sampled_from([(), ("measurement",), ("planning",)])
    ),
)
RULES = st.sampled_from(["region = 'west'", "birth_year > 1950 OR region IS NULL", "region IN ${principal.regions}"])
OFFERS = st.builds(
    Requestable,
    id=st.sampled_from(["analysts", "b"]),
    product=st.just(P),
    roles=st.sampled_from([("analyst",), ("planner",)]),
    purposes=st.sampled_from([("measurement",), ("planning", "measurement"), ("planning",)]),
    days_max=st.integers(1, 30),
    rows=st.none() | RULES,
    masks=MASKS,
    columns=COLUMNS,
)
GIVEN = st.builds(
    Given,
    since=st.just(NOW),
    until=st.integers(1, 30).map(lambda days: NOW + timedelta(days=days)),
    columns=COLUMNS.filter(bool),
    rows=st.lists(RULES, max_size=2).map(tuple),
    masks=MASKS,
)


@settings(max_examples=300, deadline=None)
@given(offer=OFFERS, terms=GIVEN)
def test_it_never_shows_more_than_was_given_nor_than_the_file_allows(offer: Requestable, terms: Given) -> None:
    asked = GrantRequest(
        number=7,
        principal="ada",
        product=P,
        purpose="measurement",
        columns=terms.columns,
        days=30,
        why="",
        requestable="analysts",
        asked_at=NOW,
        state="granted",
        granted_at=NOW,
        given=terms,
    )
    grant = effective(asked, a_mesh(offer))
    if not isinstance(grant, Grant):
        return
    assert (offer.id, "measurement" in offer.purposes, offer.roles) == ("analysts", True, ("analyst",))
    assert grant.columns
    assert set(grant.columns) <= set(terms.columns) & set(offer.columns or CONTRACT.column_names)
    assert grant.until
    assert grant.until <= min(terms.until, NOW + timedelta(days=offer.days_max))
    assert all(rule.partition(" ")[0] in (grant.rows or "") for rule in (*terms.rows, *filter(None, [offer.rows])))
    for name, put in [*terms.masks.items(), *offer.masks.items()]:
        if "measurement" not in put.unless:
            shown = grant.masks[name]
            assert LEAST_STRICT_FIRST.index(shown.kind) >= LEAST_STRICT_FIRST.index(put.kind)
            assert "measurement" not in shown.unless


def test_a_narrowed_grant_stays_narrowed_when_it_is_renewed(tmp_path: Path) -> None:
    desk = a_desk(tmp_path)
    number = ask(desk, a_wish()).number
    approve(desk, number, "grace", Narrowing(columns=("person_id",), rows="birth_year < 1990"))
    before = decide(desk).views
    renew(desk, number, "grace")
    assert decide(desk).views == before
    revoke(desk, number, "grace", "x")
    assert not decide(desk).allowed
