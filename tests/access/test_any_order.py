"""Whatever people do, in whatever order: who holds what follows from what is on record, and nobody answered themselves."""

from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from mesh_defs.access.requests import KINDS
from mesh_defs.access.terms import Narrowing
from mesh_defs.access.workflow import BY_FILE, Desk, approve, ask, refuse, renew, revoke
from mesh_defs.errors import AccessDeniedError, NotFoundError
from mesh_defs.model.access import Requestable
from tests.access.desks import OFFER, Clock, P, a_desk, a_wish, decide, under

PEOPLE = ("ada", "grace", "max", "ines")
FILES: tuple[tuple[Requestable, ...], ...] = (
    (OFFER,),
    (replace(OFFER, instant=True),),
    (replace(OFFER, days_max=3, columns=("email",)),),
    (replace(OFFER, id="other"),),
    (OFFER, replace(OFFER, id="quick", roles=("planner",), instant=True, days_max=2)),
    (),
)
WHO = st.sampled_from(PEOPLE)
NUMBER = st.integers(1, 9)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("ask"), WHO, st.sampled_from([1, 3, 7])),
        st.tuples(st.just("approve"), NUMBER, st.sampled_from(["grace", *PEOPLE])),
        st.tuples(st.just("refuse"), NUMBER, WHO),
        st.tuples(st.just("renew"), NUMBER, WHO),
        st.tuples(st.just("revoke"), NUMBER, WHO),
        st.tuples(st.just("file"), st.sampled_from(FILES), st.none()),
        st.tuples(st.just("wait"), st.sampled_from([1, 47, 3 * 24]), st.none()),
    ),
    max_size=14,
)


@settings(max_examples=120, deadline=None)
@given(steps=STEPS)
def test_access_follows_the_record(steps: list[tuple[str, object, object]]) -> None:
    with TemporaryDirectory() as folder:
        clock = Clock()
        desk = a_desk(Path(folder), clock=clock)
        for step in steps:
            with suppress(AccessDeniedError, NotFoundError):
                desk = _taken(desk, clock, *step)
            for who in ("ada", "max", "grace"):
                allowed = decide(desk, who).allowed
                assert allowed <= _holds(desk, who, clock.now), step
                if who != "max" and desk.mesh.requestable == FILES[0]:  # under which all of theirs were asked for
                    assert allowed == _holds(desk, who, clock.now), step
        _require_a_clean_record(desk)


def _taken(desk: Desk, clock: Clock, name: str, one: object, other: object) -> Desk:
    if name == "ask":
        ask(desk, a_wish(principal=str(one), days=other, columns=("email",)))
    elif name == "approve":
        approve(desk, int(str(one)), str(other), Narrowing(days=1))
    elif name == "refuse":
        refuse(desk, int(str(one)), str(other), "no")
    elif name == "renew":
        renew(desk, int(str(one)), str(other))
    elif name == "revoke":
        revoke(desk, int(str(one)), str(other), "enough")
    elif name == "wait":
        clock.turn(hours=float(str(one)))
    else:
        return under(desk, *one)  # type: ignore[misc]
    return desk


def _holds(desk: Desk, who: str, now: datetime) -> bool:
    """Read from the entries in the plainest way: the last grant, if nothing ended it."""
    until: datetime | None = None
    number = 0
    for entry in desk.ledger.entries(kinds=KINDS, oldest_first=True, limit=None):
        if entry.body["principal"] != who:
            continue
        if entry.kind == "access_granted":
            number, until = entry.body["request"], datetime.fromisoformat(entry.body["until"])
        elif entry.kind == "access_renewed" and entry.body["request"] == number:
            until = datetime.fromisoformat(entry.body["until"])
        elif entry.kind == "access_revoked" and entry.body["request"] == number:
            until = None
    return until is not None and now < until


def _require_a_clean_record(desk: Desk) -> None:
    """Each request is answered once at most, by the steward or the file, never by whoever asked."""
    answered: set[int] = set()
    for entry in desk.ledger.entries(kinds=KINDS, oldest_first=True, limit=None):
        body = entry.body
        assert body["product"] == P
        if entry.kind in ("access_granted", "access_refused"):
            assert body["request"] not in answered
            answered.add(body["request"])
        if entry.kind in ("access_granted", "access_refused", "access_renewed"):
            assert body["by"] in ("grace", BY_FILE)
            assert body["by"] != body["principal"]
    assert desk.ledger.broken_at() is None
