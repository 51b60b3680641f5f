"""The fold of the ledger's entries: which state they give, and what it refuses to guess at."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesh_defs.access.requests import KINDS, Fold, Requests
from mesh_defs.errors import StorageError
from mesh_defs.ledger import LedgerEntry

UNTIL = "2026-12-01T00:00:00+00:00"
ASKED = {
    "principal": "ada",
    "product": "audiences.persons",
    "purpose": "measurement",
    "why": "",
    "requestable": "analysts",
    "columns": ["email"],
    "days": 7,
}
BODIES: Mapping[str, Mapping[str, Any]] = {
    "access_requested": ASKED,
    "access_granted": {
        "request": 1,
        "by": "grace",
        "until": UNTIL,
        "columns": ["email"],
        "rows": ["region = 'west'"],
        "masks": {"email": {"kind": "token", "value": None, "unless": []}},
    },
    "access_refused": {"request": 1, "by": "grace", "reason": "no"},
    "access_renewed": {"request": 1, "by": "grace", "until": "2027-01-01T00:00:00+00:00"},
    "access_revoked": {"request": 1, "by": "grace", "reason": "enough"},
}


def entry(seq: int, kind: str, body: Mapping[str, Any] | None = None, **changed: Any) -> LedgerEntry:
    told = json.loads(json.dumps({**(body or BODIES[kind]), **changed}))
    at = f"2026-11-01T12:00:{seq % 60:02}+00:00"
    return LedgerEntry(seq=seq, at=at, kind=kind, body=told, previous="", hash="")


def folding(*kinds: str) -> Fold:
    found = Fold()
    for seq, kind in enumerate(kinds, 1):
        found.add(entry(seq, kind))
    return found


def fold(*kinds: str) -> Requests:
    return folding(*kinds).requests


@pytest.mark.parametrize(
    ("kinds", "state"),
    [
        ("requested", "waiting"),
        ("requested granted", "granted"),
        ("requested refused", "refused"),
        ("requested revoked", "revoked"),
        ("requested granted renewed", "granted"),
        ("requested granted revoked", "revoked"),
        # What cannot have been concluded changes nothing: nothing over comes back to life.
        ("requested refused granted", "refused"),
        ("requested revoked granted", "revoked"),
        ("requested revoked renewed", "revoked"),
        ("requested granted revoked granted", "revoked"),
        ("requested granted revoked renewed", "revoked"),
        ("requested granted refused", "granted"),
        ("requested renewed", "waiting"),
    ],
)
def test_folds_to_a_state(kinds: str, state: str) -> None:
    assert fold(*(f"access_{kind}" for kind in kinds.split()))[1].state == state


def test_a_second_grant_of_the_same_request_changes_no_terms() -> None:
    again = folding("access_requested", "access_granted")
    again.add(entry(3, "access_granted", until="2099-01-01T00:00:00+00:00", rows=[]))
    assert again.requests == fold("access_requested", "access_granted")


@settings(max_examples=200, deadline=None)
@given(kinds=st.lists(st.sampled_from(KINDS), max_size=8))
def test_what_ended_never_holds_again(kinds: list[str]) -> None:
    state = Fold()
    over = False
    for seq, kind in enumerate(("access_requested", *kinds), 1):
        state.add(entry(seq, kind))
        requests = state.requests
        over = over or requests[1].state in ("refused", "revoked")
        assert not (over and requests[1].state in ("waiting", "granted"))
        assert (requests[1].given is not None) >= (requests[1].state == "granted")


BROKEN = [
    ("access_requested", {"columns": None}),
    ("access_requested", {"days": "soon"}),
    ("access_granted", {"request": 9}),
    ("access_granted", {"request": "1"}),
    ("access_granted", {"until": "2026-12-01T00:00:00"}),  # whose noon?
    ("access_granted", {"until": "never"}),
    ("access_granted", {"until": None}),
    ("access_granted", {"rows": None}),
    ("access_granted", {"masks": {"email": {"kind": "show", "value": None, "unless": []}}}),
    ("access_granted", {"masks": {"email": "token"}}),
    ("access_granted", {"masks": None}),
    ("access_renewed", {"until": 7}),
    ("access_revoked", {"request": None}),
    ("access_revoked", {"request": [1]}),
]


@pytest.mark.parametrize(("kind", "changed"), BROKEN, ids=str)
def test_an_entry_that_is_not_understood_stops_everything(kind: str, changed: Mapping[str, Any]) -> None:
    state = folding("access_requested")
    with pytest.raises(StorageError, match=rf"entry 2 of the ledger is no {kind} that is known"):
        state.add(entry(2, kind, **changed))


@pytest.mark.parametrize("kind", KINDS)
def test_so_does_one_that_lacks_something(kind: str) -> None:
    for field in BODIES[kind]:
        if (kind, field) == ("access_renewed", "by"):
            continue  # who renewed is told by nobody but the ledger
        body = {name: value for name, value in BODIES[kind].items() if name != field}
        with pytest.raises(StorageError):
            folding("access_requested", "access_granted").add(entry(3, kind, body))
