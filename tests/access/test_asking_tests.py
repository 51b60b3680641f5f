"""Tests of access files that ask for access: the same answers as the workflow's, on an empty record."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mesh_defs.access.policy_tests import run_tests
from mesh_defs.access.workflow import ask
from mesh_defs.errors import MeshError
from mesh_defs.model.access import PolicyTest, Principal, Requestable, Wish
from tests.access.desks import CONTRACT, OFFER, PEOPLE, P, a_desk, a_wish
from tests.factories import NOW, a_policy, a_standards

INSTANT = replace(OFFER, instant=True)
ROWS = (
    {"person_id": "aa", "email": "a@x", "name": "Ann", "region": "west"},
    {"person_id": "bb", "email": "b@x", "name": "Bo", "region": "east"},
)


def wrong(
    expected: Any, *offers: Requestable, who: Principal = PEOPLE["ada"], purpose: str = "measurement", **wish: Any
) -> str:
    test = PolicyTest(
        product=P,
        name="t",
        principal=who,
        purpose=purpose,
        given=ROWS,
        expected=expected,
        asks=Wish(**{"days": 7, **wish}),
    )
    standards = a_standards(people=PEOPLE, within={"attribution": "measurement"})
    policy = a_policy(contracts=[CONTRACT], requestable=offers, standards=standards, stewards={"audiences": "grace"})
    [outcome] = run_tests([test], policy, now=NOW)
    return outcome.wrong


def test_the_file_answers_or_the_steward_does() -> None:
    assert wrong("granted", INSTANT) == ""
    assert wrong("waiting", OFFER) == ""
    assert wrong("granted", OFFER) == "waiting, expected to be granted"
    assert wrong(None, INSTANT) == "granted, expected to be denied"
    assert wrong("granted", INSTANT, purpose="attribution") == ""
    assert wrong("granted", INSTANT, who=Principal(name="tester", roles=("analyst",))) == ""


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"days": 15}, "denied: it may be asked for 1 to 14 days, not 15"),
        ({"columns": ("name",)}, "denied: no column name of audiences.persons may be asked for"),
        ({"purpose": "planning"}, "denied: audiences.persons may be asked for attribution, measurement, not for"),
        ({"who": PEOPLE["max"]}, "denied: audiences.persons: not found, or nothing of it may be asked for by max"),
        ({"who": PEOPLE["grace"]}, "denied: grace is the steward of audiences: nobody else answers"),
        ({"who": Principal(name="service:events")}, "denied: service:events is a pipeline's identity"),
    ],
)
def test_what_may_not_be_asked_for_is_denied(given: dict[str, Any], told: str) -> None:
    assert wrong(None, OFFER, **given) == ""
    assert wrong("waiting", OFFER, **given).startswith(told)


def test_rows_are_those_that_would_be_seen_once_it_is_given() -> None:
    shown = {"person_id": "aa", "email": {"token": "a@x"}, "region": "west"}
    assert wrong((shown,), OFFER) == ""
    assert wrong(({"region": "west"},), OFFER, columns=("region",)) == ""
    assert "shown, but not expected" in wrong((), OFFER)


@pytest.mark.parametrize("offer", [OFFER, INSTANT])
@pytest.mark.parametrize("who", ["ada", "max", "grace"])
@pytest.mark.parametrize("days", [7, 15])
def test_a_test_says_what_the_workflow_does(tmp_path: Path, offer: Requestable, who: str, days: int) -> None:
    try:
        expected: str | None = ask(a_desk(tmp_path, offer), a_wish(principal=who, days=days)).state
    except MeshError:
        expected = None
    assert wrong(expected, offer, who=PEOPLE[who], days=days) == ""
