"""Ask, answer, narrow, refuse, renew, take back; who may; and every way in which two of these can meet."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from mesh_defs.access.requests import KINDS
from mesh_defs.access.terms import Narrowing, preview
from mesh_defs.access.workflow import BY_FILE, Desk, approve, ask, refuse, renew, revoke
from mesh_defs.errors import AccessDeniedError, MeshError, NotFoundError, QueryRejectedError
from mesh_defs.model.access import Mask
from mesh_defs.policy.authorize import applying
from tests.access.desks import OFFER, PEOPLE, Clock, P, a_desk, a_wish, decide, under
from tests.factories import NOW, a_grant, a_policy, a_request
from tests.ledger.test_postgres import url_of

INSTANT = replace(OFFER, instant=True)
WEEK = timedelta(days=7)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def desk(tmp_path: Path, clock: Clock) -> Desk:
    return a_desk(tmp_path, clock=clock)


def kinds(desk: Desk) -> list[str]:
    return [entry.kind for entry in desk.ledger.entries(kinds=KINDS, oldest_first=True)]


def refused(call: Callable[[], object]) -> str:
    with pytest.raises(AccessDeniedError) as caught:
        call()
    return str(caught.value)


def test_a_request_gives_nothing_until_the_steward_approves_it(desk: Desk) -> None:
    asked = ask(desk, a_wish(why="a report"))
    assert (asked.state, asked.why, asked.id) == ("waiting", "a report", f"request-{asked.number}")
    assert not decide(desk).allowed
    granted = approve(desk, asked.number, "grace")
    assert (granted.state, granted.by, granted.granted_at) == ("granted", "grace", NOW)
    [view] = decide(desk).views.values()
    assert (view.grant, view.until) == (asked.id, NOW + WEEK)
    assert [rule.bound for rule in view.rules] == ["\"region\" IN ('west')"]
    assert {name: mask.kind for name, mask in view.masks.items()} == {
        "email": "token",
        "name": "deny",
        "region": "deny",
        "birth_year": "deny",
    }


def test_it_holds_to_the_second_and_for_nobody_and_nothing_else(desk: Desk, clock: Clock) -> None:
    approve(desk, ask(desk, a_wish()).number, "grace")
    assert not decide(desk, "max").allowed
    assert not decide(desk, "grace").allowed
    assert not decide(desk, purpose="planning").allowed
    clock.turn(days=7, microseconds=-1)
    assert decide(desk).allowed
    clock.turn(microseconds=1)
    assert "has expired" in decide(desk).reasons[0]


def test_the_file_answers_at_once_where_it_says_so(tmp_path: Path) -> None:
    desk = a_desk(tmp_path, INSTANT)
    asked = ask(desk, a_wish())
    assert (asked.state, asked.by) == ("granted", BY_FILE)
    assert kinds(desk) == ["access_requested", "access_granted"]
    assert decide(desk).allowed


def test_a_request_that_was_recorded_and_not_answered_is_answered_by_asking_again(tmp_path: Path) -> None:
    waiting = ask(a_desk(tmp_path), a_wish())  # as if the process had ended there
    again = ask(a_desk(tmp_path, INSTANT), a_wish())
    assert (again.number, again.state) == (waiting.number, "granted")


@pytest.mark.parametrize("no", [revoke, refuse])
def test_after_the_steward_said_no_the_file_answers_no_more(
    tmp_path: Path, no: Callable[[Desk, int, str, str], object]
) -> None:
    desk = a_desk(tmp_path, INSTANT)
    slow = under(desk, OFFER)
    number = ask(desk if no is revoke else slow, a_wish()).number
    no(desk, number, "grace", "misused")
    again = ask(desk, a_wish())
    assert again.state == "waiting"
    assert f"{again.id} already asks" in refused(lambda: ask(desk, a_wish()))
    assert not decide(desk).allowed
    approve(desk, again.number, "grace")
    revoke(desk, again.number, "ada", "my own wish")
    assert ask(desk, a_wish()).state == "granted"  # the steward has said yes since


def test_without_columns_all_that_may_be_asked_for_are_named_for_good(desk: Desk) -> None:
    assert ask(desk, a_wish(columns=())).columns == ("person_id", "email", "region", "birth_year")


def test_an_answer_may_narrow(desk: Desk, clock: Clock) -> None:
    asked = ask(desk, a_wish(columns=("person_id", "region")))
    narrowing = Narrowing(days=2, columns=("region",), rows="birth_year < 1990")
    granted = approve(desk, asked.number, "grace", narrowing)
    assert granted.given
    assert granted.given.until == NOW + timedelta(days=2)
    [view] = decide(desk).views.values()
    assert [rule.bound for rule in view.rules] == ['("region" IN (\'west\')) AND ("birth_year" < 1990)']
    assert [name for name in ("person_id", "region") if name not in view.masks] == ["region"]


@pytest.mark.parametrize(
    "wider",
    [Narrowing(days=8), Narrowing(columns=("region",)), Narrowing(columns=("name",)), Narrowing(columns=("x",))],
)
def test_an_answer_may_not_widen(desk: Desk, wider: Narrowing) -> None:
    asked = ask(desk, a_wish())
    assert "gives no more than was asked for" in refused(lambda: approve(desk, asked.number, "grace", wider))
    assert desk.request(asked.number).state == "waiting"


@pytest.mark.parametrize(
    "rule", ["region = 'a') OR (TRUE", "TRUE; SELECT 1", "1 = 1 --", "lower(region) = 'a'", "x = 1", ""]
)
def test_a_narrowing_rule_is_one_condition_of_the_row_language(desk: Desk, rule: str) -> None:
    asked = ask(desk, a_wish())
    with pytest.raises(QueryRejectedError):
        approve(desk, asked.number, "grace", Narrowing(rows=rule))
    assert desk.request(asked.number).state == "waiting"


def test_only_the_steward_of_the_domain_answers_and_never_themselves(desk: Desk) -> None:
    number = ask(desk, a_wish()).number
    steps: list[Callable[[str], object]] = [
        lambda by: approve(desk, number, by),
        lambda by: refuse(desk, number, by, "no"),
    ]
    for who in ("ada", "max", "ines", "service:audiences", "", "nobody"):
        for step in steps:
            assert "may not answer" in refused(lambda step=step, who=who: step(who))  # type: ignore[misc]
    assert kinds(desk) == ["access_requested"]


def test_the_steward_is_answered_by_the_file_alone(tmp_path: Path, desk: Desk) -> None:
    told = refused(lambda: ask(desk, a_wish(principal="grace")))
    assert "nobody answers themselves" in told
    assert "grant it in the access file" in told
    assert ask(a_desk(tmp_path, INSTANT), a_wish(principal="grace")).state == "granted"


def test_who_became_steward_after_asking_does_not_answer_their_own_request(tmp_path: Path, desk: Desk) -> None:
    number = ask(desk, a_wish()).number
    domains = desk.mesh.domains
    mesh = replace(desk.mesh)  # the same declarations, with another steward
    mesh.__dict__["domains"] = {"audiences": replace(domains["audiences"], steward="ada")}
    assert "nobody answers themselves" in refused(lambda: approve(replace(desk, mesh=mesh), number, "ada"))


@pytest.mark.parametrize(
    ("wish", "told"),
    [
        ({"product": "audiences.nothing"}, "audiences.nothing: not found, or nothing of it may be asked for by ada"),
        ({"principal": "max"}, "audiences.persons: not found, or nothing of it may be asked for by max"),
        ({"under": "others"}, "not found, or nothing"),
        ({"principal": "nobody"}, "nobody here is called 'nobody'"),
        ({"principal": "service:events"}, "what it may read stands in the access files"),
        ({"purpose": "planning"}, "may be asked for measurement, not for 'planning'"),
        ({"columns": ("emial",)}, "no column emial of audiences.persons may be asked for — did you mean 'email'?"),
        ({"columns": ("email", "name")}, "no column name"),  # the file denies it
        ({"days": 15}, "it may be asked for 1 to 14 days, not 15"),
        ({"days": 0}, "not 0"),
        ({"days": -1}, "not -1"),
    ],
)
def test_says_what_may_be_asked_for(desk: Desk, wish: dict[str, object], told: str) -> None:
    with pytest.raises((NotFoundError, AccessDeniedError)) as caught:
        ask(desk, a_wish(**wish))
    assert told in str(caught.value)
    assert kinds(desk) == []


def test_of_several_offers_the_one_that_answers_at_once_goes_first_if_it_reaches(tmp_path: Path) -> None:
    short = replace(OFFER, id="short", instant=True, days_max=2, columns=("region",))
    desk = a_desk(tmp_path, OFFER, short)
    assert ask(desk, a_wish(columns=("region",), days=2)).requestable == "short"
    assert ask(desk, a_wish(columns=("region",), days=3)).requestable == "analysts"
    revoke(desk, 3, "ada", "wrong one")
    assert ask(desk, a_wish(columns=("region",), days=2, under="analysts")).requestable == "analysts"
    apart = replace(OFFER, id="apart", columns=("birth_year",))
    told = refused(lambda: ask(under(desk, apart, short), a_wish(columns=("region", "birth_year"))))
    assert "no offer holds all these columns together — ask for each by itself: 'apart': birth_year" in told


def test_a_second_request_for_the_same_waits_for_the_first(desk: Desk) -> None:
    first = ask(desk, a_wish())
    assert f"{first.id} already asks for" in refused(lambda: ask(desk, a_wish(columns=("region",))))
    assert revoke(desk, first.number, "ada", "changed my mind").state == "revoked"
    assert ask(desk, a_wish(columns=("region",))).state == "waiting"


def test_a_later_grant_for_the_same_replaces_the_earlier_for_good(desk: Desk) -> None:
    first = approve(desk, ask(desk, a_wish()).number, "grace")
    second = approve(desk, ask(desk, a_wish(columns=("region",))).number, "grace")
    assert decide(desk).grants == {P: second.id}
    assert desk.request(first.number).reason == f"replaced by {second.id}"
    revoke(desk, second.number, "grace", "enough")
    assert not decide(desk).allowed


def test_a_refusal_has_a_reason(desk: Desk) -> None:
    asked = ask(desk, a_wish())
    assert "no reason is given" in refused(lambda: refuse(desk, asked.number, "grace", "  "))
    done = refuse(desk, asked.number, "grace", "regions are enough")
    assert (done.state, done.by, done.reason) == ("refused", "grace", "regions are enough")
    assert "was refused by grace at 2026-11-01 12:00:00 UTC already (regions are enough)" in refused(
        lambda: approve(desk, asked.number, "grace")
    )


def test_what_is_over_stays_over(desk: Desk) -> None:
    number = approve(desk, ask(desk, a_wish()).number, "grace").number
    assert "was granted by grace" in refused(lambda: approve(desk, number, "grace"))
    assert "was granted by grace" in refused(lambda: refuse(desk, number, "grace", "no"))
    revoke(desk, number, "grace", "left the team")
    for step in (
        lambda: approve(desk, number, "grace"),
        lambda: renew(desk, number, "grace"),
        lambda: renew(desk, number, "ada"),
        lambda: revoke(desk, number, "grace", "again"),
    ):
        assert "was revoked by grace" in refused(step)
    assert kinds(desk) == ["access_requested", "access_granted", "access_revoked"]


def test_a_revoked_grant_stops_the_next_question_of_every_process(tmp_path: Path, desk: Desk) -> None:
    other = a_desk(tmp_path)
    number = approve(desk, ask(desk, a_wish()).number, "grace").number
    assert decide(other).allowed
    revoke(desk, number, "grace", "no longer")
    assert not decide(other).allowed


def test_anybody_gives_up_their_own_and_nobody_else_anothers(desk: Desk) -> None:
    number = approve(desk, ask(desk, a_wish()).number, "grace").number
    for who in ("max", "ines", "service:audiences"):
        assert "may not answer" in refused(lambda who=who: revoke(desk, number, who, "x"))  # type: ignore[misc]
    assert revoke(desk, number, "ada", "done").by == "ada"


def test_nothing_is_left_to_revoke_or_renew_from_the_very_second_on(desk: Desk, clock: Clock) -> None:
    number = approve(desk, ask(desk, a_wish()).number, "grace").number
    clock.turn(days=7)
    assert "ended by itself at 2026-11-08 12:00:00 UTC" in refused(lambda: revoke(desk, number, "grace", "x"))
    assert "ended by itself at 2026-11-08 12:00:00 UTC" in refused(lambda: renew(desk, number, "grace"))


def test_renewing_twice_at_once_is_renewing_once(desk: Desk, clock: Clock) -> None:
    number = approve(desk, ask(desk, a_wish()).number, "grace", Narrowing(days=3)).number
    clock.turn(days=3, seconds=-1)
    for _ in range(3):
        given = renew(desk, number, "grace").given
        assert given
        assert given.until == clock.now + timedelta(days=3)
    clock.turn(days=2)
    assert decide(desk).allowed


def test_renewing_for_oneself_asks_again_unless_the_file_answers_at_once(desk: Desk, clock: Clock) -> None:
    first = approve(desk, ask(desk, a_wish()).number, "grace")
    clock.turn(days=5)
    again = renew(desk, first.number, "ada")
    assert (again.state, again.why, again.columns, again.days) == ("waiting", f"renews {first.id}", first.columns, 7)
    assert decide(desk).grants == {P: first.id}
    approve(desk, again.number, "grace")
    assert decide(desk).grants == {P: again.id}
    instantly = renew(under(desk, INSTANT), again.number, "ada")
    assert (instantly.number, instantly.state) == (again.number, "granted")
    assert kinds(desk)[-1] == "access_renewed"


def test_nobody_renews_for_somebody_whose_steward_they_are_not(desk: Desk) -> None:
    number = approve(desk, ask(desk, a_wish()).number, "grace").number
    assert "may not answer" in refused(lambda: renew(desk, number, "ines"))
    assert "waits for its answer" in refused(lambda: renew(desk, ask(desk, a_wish(principal="ada")).number, "grace"))


def test_the_file_as_it_is_when_the_answer_comes_counts(desk: Desk) -> None:
    number = ask(desk, a_wish()).number
    gone = under(desk, replace(OFFER, id="other"))
    assert "no longer has the requestable 'analysts'" in refused(lambda: approve(gone, number, "grace"))
    assert "today the access file allows 6 days" in refused(
        lambda: approve(under(desk, replace(OFFER, days_max=6)), number, "grace")
    )
    shorter = under(desk, replace(OFFER, days_max=3, columns=("email",)))
    told = refused(lambda: approve(shorter, number, "grace"))
    assert "today the access file allows 3 days, and not person_id" in told
    assert approve(shorter, number, "grace", Narrowing(days=3, columns=("email",))).state == "granted"


def test_a_request_that_would_show_nothing_is_not_recorded(desk: Desk) -> None:
    hidden = under(desk, OFFER, masks={"restricted": Mask(kind="deny")})
    told = refused(lambda: ask(hidden, a_wish(columns=("email",))))
    assert "would show ada nothing for measurement: no column is left to be shown" in told
    assert kinds(desk) == []


def test_the_preview_is_what_the_grant_then_shows(desk: Desk) -> None:
    _, view = preview(desk.mesh, a_wish(), at=NOW)
    assert [rule.source for rule in view.rules] == ["requestable 'analysts'"]
    approve(desk, ask(desk, a_wish()).number, "grace")
    [given] = decide(desk).views.values()
    assert (view.masks, view.until) == (given.masks, given.until)
    assert [rule.bound for rule in view.rules] == [rule.bound for rule in given.rules]


def test_a_grant_on_request_goes_before_one_that_the_file_gives_by_name(desk: Desk) -> None:
    approve(desk, ask(desk, a_wish()).number, "grace")
    own = a_grant(P, principals=("ada",), id="a-file")
    policy = a_policy(own, *desk.book.grants(desk.mesh))
    found = applying(P, a_request(P, principal=PEOPLE["ada"]), policy)
    assert found
    assert found[0].id.startswith("request-")


NARROWER = {"within": {"attribution": "measurement"}}


def test_an_offer_for_a_purpose_may_be_asked_for_those_within_it_and_gives_no_more(desk: Desk) -> None:
    narrow = under(desk, OFFER, **NARROWER)
    assert "may be asked for measurement, not for 'attribution'" in refused(
        lambda: ask(desk, a_wish(purpose="attribution"))
    )
    approve(narrow, ask(narrow, a_wish(purpose="attribution")).number, "grace")
    assert decide(narrow, purpose="attribution").allowed
    assert not decide(narrow).allowed
    # What was given ends when the purpose lies within the offer's no more.
    assert not decide(desk, purpose="attribution").allowed


def test_what_is_given_for_a_purpose_holds_for_those_within_it(desk: Desk) -> None:
    narrow = under(desk, OFFER, **NARROWER)
    approve(narrow, ask(narrow, a_wish()).number, "grace")
    assert decide(narrow, purpose="attribution").allowed


@pytest.mark.parametrize(("refused", "asked"), [("measurement", "attribution"), ("attribution", "measurement")])
def test_the_file_does_not_answer_for_a_wider_or_narrower_purpose_once_the_steward_said_no(
    desk: Desk, refused: str, asked: str
) -> None:
    by_steward, at_once = under(desk, OFFER, **NARROWER), under(desk, INSTANT, **NARROWER)
    refuse(by_steward, ask(by_steward, a_wish(purpose=refused)).number, "grace", "not now")
    assert ask(at_once, a_wish(purpose=asked)).state == "waiting"


# Races: each of many processes concludes from what it saw; only one conclusion is recorded.


def outcomes(calls: list[Callable[[], object]]) -> list[str]:
    def tried(call: Callable[[], object]) -> str:
        try:
            call()
        except MeshError as error:
            return error.what
        return "done"

    with ThreadPoolExecutor(len(calls)) as pool:
        return sorted(pool.map(tried, calls))


@pytest.mark.parametrize("storage", ["sqlite", "postgres"])
def test_of_two_approvals_at_once_one_is_recorded_and_the_other_told(
    tmp_path: Path, storage: str, request: pytest.FixtureRequest
) -> None:
    place = url_of(request.getfixturevalue("postgres")) if storage == "postgres" else tmp_path
    number = ask(a_desk(place), a_wish()).number
    desks = [a_desk(place) for _ in range(6)]
    told = outcomes([lambda d=d: approve(d, number, "grace") for d in desks])  # type: ignore[misc]
    assert told.count("done") == 1
    assert sum(f"request-{number} was granted by grace" in each for each in told) == 5
    assert kinds(desks[0]) == ["access_requested", "access_granted"]


def test_of_approval_refusal_and_withdrawal_at_once_one_wins_and_access_follows_it(tmp_path: Path) -> None:
    for _ in range(5):
        number = ask(a_desk(tmp_path), a_wish()).number
        one, two, three = (a_desk(tmp_path) for _ in range(3))
        outcomes(
            [
                lambda: approve(one, number, "grace"),  # noqa: B023
                lambda: refuse(two, number, "grace", "no"),  # noqa: B023
                lambda: revoke(three, number, "ada", "mine"),  # noqa: B023
            ]
        )
        desk = a_desk(tmp_path)
        state = desk.request(number).state
        assert decide(desk).allowed == (state == "granted")
        answers = [e.kind for e in desk.ledger.entries(kinds=KINDS) if e.body.get("request") == number]
        # A withdrawal after the approval ends the grant; nothing ever follows a refusal or a withdrawal.
        assert answers in (
            ["access_granted"],
            ["access_refused"],
            ["access_revoked"],
            ["access_revoked", "access_granted"],
        )
        if state == "granted":
            revoke(desk, number, "ada", "for the next round")


def test_asking_for_the_same_at_once_asks_once(tmp_path: Path) -> None:
    desks = [a_desk(tmp_path, INSTANT) for _ in range(5)]
    assert outcomes([lambda d=d: ask(d, a_wish()) for d in desks]) == ["done"] * 5  # type: ignore[misc]
    assert len([n for n, each in desks[0].book.page().requests.items() if each.state == "granted"]) == 1
    slow = [a_desk(tmp_path) for _ in range(5)]
    told = outcomes([lambda d=d: ask(d, a_wish(columns=("region",))) for d in slow])  # type: ignore[misc]
    assert told.count("done") == 1


def test_what_is_kept_for_good_has_a_limit(desk: Desk) -> None:
    for call in (
        lambda: ask(desk, a_wish(why="x" * 2_001)),
        lambda: refuse(desk, ask(desk, a_wish()).number, "grace", "x" * 2_001),
    ):
        assert "longer than 2,000 characters" in refused(call)
