"""A room's budget is spent before data leaves, once, by whoever comes first, and outlives every version of its agreement."""

import math
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesh_defs.cleanroom.budget import (
    ABANDONED,
    ASKED,
    KINDS,
    RELEASED,
    Account,
    Asking,
    abandon,
    account_of,
    concluded,
    left,
    require_share,
    reserve,
    rho_of,
    spent,
)
from mesh_defs.cleanroom.noise import epsilon_of
from mesh_defs.documents.room import digest_of, read_agreement
from mesh_defs.errors import (
    AccessDeniedError,
    AnalysisRejectedError,
    BudgetExhaustedError,
    DeclarationError,
    NotFoundError,
    StorageError,
)
from mesh_defs.ledger import Ledger, LedgerDamagedError
from mesh_defs.model.room import Agreement
from tests.cleanroom.private_room import COUNT, a_budget, a_room, an_analysis
from tests.factories import NOW

PROCESSES, TRIES, AMOUNT, GRANTED = 8, 12, 1000, 50

RACE = """
import sys
from mesh_defs.cleanroom.budget import reserve
from mesh_defs.errors import BudgetExhaustedError
from mesh_defs.ledger import Ledger
from tests.cleanroom.private_room import a_room
from tests.cleanroom.test_budget import AMOUNT, GRANTED, TRIES, an_asking
from tests.factories import NOW

ledger, room, granted = Ledger(sys.argv[1], wait_seconds=120), a_room(micro_rho=AMOUNT * GRANTED), 0
print("ready", flush=True)
sys.stdin.readline()
for number in range(TRIES):
    try:
        reserve(an_asking(f"{sys.argv[2]}-{number}", AMOUNT), room, ledger, at=NOW)
    except BudgetExhaustedError:
        continue
    granted += 1
print(granted)
"""


def an_asking(run: str, micro_rho: Any = 1000) -> Asking:
    return Asking(run=run, analyst="agency", recipient="agency", analysis=an_analysis(COUNT), micro_rho=micro_rho)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(f"sqlite:///{tmp_path}/ledger.sqlite")


def release(run: str, room: Agreement, ledger: Ledger, micro_rho: int = 1000) -> None:
    ledger.append(RELEASED, {"room": room.id, "run": run, "micro_rho": micro_rho}, at=NOW)


def test_a_reservation_is_recorded_with_who_asked_what(ledger: Ledger) -> None:
    room = a_room()
    entry = reserve(an_asking("one"), room, ledger, at=NOW)
    assert entry.kind == ASKED
    assert entry.body == {
        "room": "lift",
        "agreement": digest_of(room),
        "run": "one",
        "analyst": "agency",
        "recipient": "agency",
        "analysis": an_analysis(COUNT).as_json(),
        "micro_rho": 1000,
    }
    assert (spent(room, ledger), left(room, ledger)) == (1000, 999_000)


def test_the_last_of_it_can_be_spent_and_no_more(ledger: Ledger) -> None:
    room = a_room(micro_rho=2500)
    reserve(an_asking("one"), room, ledger, at=NOW)
    reserve(an_asking("two", 1500), room, ledger, at=NOW)
    with pytest.raises(BudgetExhaustedError, match="0 millionths of rho are left, of 2500"):
        reserve(an_asking("three", 1), room, ledger, at=NOW)
    assert len(ledger.entries(kinds=KINDS)) == 2


@pytest.mark.parametrize("amount", [0, -1, 500_001, 10**30, True, 1.0, 0.5, float("nan"), float("inf"), "1", None])
def test_what_is_no_amount_is_refused_and_not_recorded(amount: object, ledger: Ledger) -> None:
    with pytest.raises(AnalysisRejectedError):
        reserve(an_asking("one", amount), a_room(), ledger, at=NOW)
    with pytest.raises(AnalysisRejectedError):
        require_share(amount, a_budget())
    assert ledger.entries() == ()


def test_no_budget_no_reservation(ledger: Ledger) -> None:
    room = replace(a_room(), privacy=None)
    for refused in (lambda: reserve(an_asking("one"), room, ledger, at=NOW), lambda: left(room, ledger)):
        with pytest.raises(AnalysisRejectedError, match="no privacy budget"):
            refused()


def test_a_run_is_asked_once(ledger: Ledger) -> None:
    room = a_room()
    reserve(an_asking("one"), room, ledger, at=NOW)
    with pytest.raises(AnalysisRejectedError, match="asked before"):
        reserve(an_asking("one"), room, ledger, at=NOW)
    abandon("one", room, ledger, why="nobody came", nothing_released=True, at=NOW)
    with pytest.raises(AnalysisRejectedError, match="asked before"):
        reserve(an_asking("one"), room, ledger, at=NOW)


def test_other_rooms_and_kinds_cost_nothing_here(ledger: Ledger) -> None:
    reserve(an_asking("one", 400_000), replace(a_room(), id="other"), ledger, at=NOW)
    ledger.append("answered", {"room": "lift", "micro_rho": 5}, at=NOW)
    assert spent(a_room(), ledger) == 0


def test_an_amendment_takes_over_what_was_spent(ledger: Ledger) -> None:
    first = a_room(micro_rho=2000)
    reserve(an_asking("one", 2000), first, ledger, at=NOW)
    amended = replace(first, version=2, amends=digest_of(first), title="Lift, again")
    assert left(amended, ledger) == 0
    with pytest.raises(BudgetExhaustedError):
        reserve(an_asking("two", 1), amended, ledger, at=NOW)
    larger = replace(amended, privacy=a_budget(micro_rho=2500))
    assert left(larger, ledger) == 500
    reserve(an_asking("three", 500), larger, ledger, at=NOW)
    smaller = replace(amended, privacy=a_budget(micro_rho=100))
    assert left(smaller, ledger) == 0


def test_what_was_abandoned_stays_spent_unless_nothing_was_released(ledger: Ledger) -> None:
    room = a_room()
    reserve(an_asking("one"), room, ledger, at=NOW)
    lost = abandon("one", room, ledger, why="the join is gone", nothing_released=False, at=NOW)
    assert lost.body == {"room": "lift", "run": "one", "why": "the join is gone", "refunded": 0}
    assert spent(room, ledger) == 1000
    assert abandon("one", room, ledger, why="nothing left", nothing_released=True, at=NOW).body["refunded"] == 1000
    assert abandon("one", room, ledger, why="nothing left", nothing_released=True, at=NOW).body["refunded"] == 0
    assert spent(room, ledger) == 0


def test_what_was_released_is_never_refunded(ledger: Ledger) -> None:
    room = a_room()
    reserve(an_asking("one"), room, ledger, at=NOW)
    release("one", room, ledger)
    with pytest.raises(AccessDeniedError, match="stays spent"):
        abandon("one", room, ledger, why="changed my mind", nothing_released=True, at=NOW)
    assert spent(room, ledger) == 1000


def test_a_release_after_a_refund_costs_all_the_same(ledger: Ledger) -> None:
    room = a_room()
    reserve(an_asking("one"), room, ledger, at=NOW)
    abandon("one", room, ledger, why="it said so", nothing_released=True, at=NOW)
    release("one", room, ledger)
    assert spent(room, ledger) == 1000
    release("unheard of", room, ledger, 7)
    assert spent(room, ledger) == 1007


def test_a_run_that_was_never_asked_has_nothing_to_give_back(ledger: Ledger) -> None:
    with pytest.raises(NotFoundError):
        abandon("none", a_room(), ledger, why="", nothing_released=True, at=NOW)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("amount", [-1000, 1.5, "1", None, True])
def test_an_amount_that_is_none_stops_the_room(kind: str, amount: object, ledger: Ledger) -> None:
    name = "refunded" if kind == ABANDONED else "micro_rho"
    ledger.append(kind, {"room": "lift", "run": "one", name: amount}, at=NOW)
    with pytest.raises(LedgerDamagedError):
        reserve(an_asking("two"), a_room(), ledger, at=NOW)


def test_who_loses_the_race_concludes_anew(ledger: Ledger) -> None:
    room, seen = a_room(micro_rho=2000), list[int]()

    def step(account: Account) -> tuple[str, dict[str, Any]]:
        seen.append(account.spent)
        if len(seen) == 1:
            reserve(an_asking("faster", 1500), room, ledger, at=NOW)
        return ABANDONED, {"room": room.id, "run": "slower", "why": "", "refunded": 0}

    concluded(room.id, step, ledger, at=NOW)
    assert seen == [0, 1500]


def test_who_always_loses_is_told_and_spends_nothing(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Ledger, "append_if", lambda *_args, **_given: None)
    monkeypatch.setattr("mesh_defs.cleanroom.budget.WAIT_SECONDS_MAX", 0)
    with pytest.raises(StorageError, match="others ask all the time"):
        reserve(an_asking("one"), a_room(), ledger, at=NOW)


def test_eight_processes_spend_exactly_the_budget(tmp_path: Path, ledger: Ledger) -> None:
    url = f"sqlite:///{tmp_path}/ledger.sqlite"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    command = [sys.executable, "-c", RACE, url]
    processes = [subprocess.Popen([*command, str(n)], **pipes) for n in range(PROCESSES)]  # type: ignore[call-overload]
    assert all(each.stdout.readline() == "ready\n" for each in processes)
    for each in processes:
        each.stdin.write("go\n")
        each.stdin.flush()
    granted = [int(each.communicate()[0]) for each in processes]
    assert [each.returncode for each in processes] == [0] * PROCESSES
    assert sum(granted) == GRANTED < PROCESSES * TRIES
    room = a_room(micro_rho=AMOUNT * GRANTED)
    assert (spent(room, ledger), left(room, ledger)) == (AMOUNT * GRANTED, 0)
    assert ledger.broken_at() is None


_Event = tuple[str, int, int]
events = st.lists(
    st.tuples(st.sampled_from(["ask", "lost", "nothing", "release"]), st.integers(0, 4), st.integers(1, 900)),
    max_size=20,
)


@settings(max_examples=40, deadline=None)
@given(events)
def test_never_more_is_spent_than_there_is(tmp_path_factory: pytest.TempPathFactory, happened: list[_Event]) -> None:
    """Whatever is asked, lost and given back; a release is recorded of a run that is neither released nor abandoned."""
    ledger = Ledger(f"sqlite:///{tmp_path_factory.mktemp('room')}/ledger.sqlite")
    room, kept = a_room(micro_rho=2000), dict[str, int]()

    def releasing(run: str, amount: int) -> Callable[[Account], tuple[str, dict[str, Any]]]:
        def step(account: Account) -> tuple[str, dict[str, Any]]:
            if not account.asked(run) or account.released(run) or account.abandoned(run):
                raise AccessDeniedError("not open")
            return RELEASED, {"room": room.id, "run": run, "micro_rho": amount}

        return step

    for what, number, amount in happened:
        run, before = f"r{number}", spent(room, ledger)
        try:
            if what == "ask":
                reserve(an_asking(run, amount), room, ledger, at=NOW)
                kept[run] = amount
            elif what == "release":
                concluded(room.id, releasing(run, kept.get(run, 0)), ledger, at=NOW)
            else:
                abandon(run, room, ledger, why="", nothing_released=what == "nothing", at=NOW)
        except (AccessDeniedError, AnalysisRejectedError, BudgetExhaustedError, NotFoundError):
            assert spent(room, ledger) == before
        assert 0 <= spent(room, ledger) <= 2000
        assert spent(room, ledger) + left(room, ledger) == 2000
    released = sum(kept[run] for run in kept if account_of(room.id, ledger).released(run))
    assert released <= spent(room, ledger)


def test_epsilon_is_openDPs_and_below_the_textbooks_bound() -> None:
    assert epsilon_of(0, 1e-6) == 0
    for micro_rho in (1, 1000, 150_000, 500_000, 2_000_000):
        rho = micro_rho / 1_000_000
        assert rho < epsilon_of(micro_rho, 1e-6) < rho + 2 * math.sqrt(rho * math.log(1e6))
    assert epsilon_of(150_000, 1e-6) == pytest.approx(2.673, abs=0.01)


@settings(max_examples=40, deadline=None)
@given(st.floats(0.005, 20))
def test_rho_of_an_epsilon_is_the_most_that_keeps_it(epsilon: float) -> None:
    budget = a_budget()
    found = rho_of(epsilon, budget)
    assert 1 <= found <= budget.micro_rho_per_release
    assert epsilon_of(found, budget.delta) <= epsilon
    assert found == budget.micro_rho_per_release or epsilon_of(found + 1, budget.delta) > epsilon


def test_rho_of_an_epsilon_is_never_more_than_one_releases_share() -> None:
    assert rho_of(10**400, a_budget(micro_rho_per_release=7)) == 7
    assert rho_of(1e300, a_budget(micro_rho_per_release=7)) == 7


@pytest.mark.parametrize(
    "epsilon", [0, -1, -0.0, 1e-9, math.nan, math.inf, -math.inf, True, "1", None, Fraction(1), 1j]
)
def test_what_is_no_epsilon_is_refused(epsilon: object) -> None:
    with pytest.raises(AnalysisRejectedError):
        rho_of(epsilon, a_budget())


@pytest.mark.parametrize("rho", ["-1", "0", ".nan", ".inf", "'1'", "1e-9", "1e30", "true"])
def test_an_agreement_with_no_real_budget_is_refused(rho: str, tmp_path: Path) -> None:
    file = tmp_path / "agreement.yaml"
    file.write_text(f"privacy: {{rho: {rho}, rho_per_release: 0.1, groups_max: 1, rows_max: 1}}\n")
    with pytest.raises(DeclarationError) as refused:
        read_agreement(file, root=tmp_path)
    assert any("privacy.rho" in each.where.replace("/", ".") for each in refused.value.findings)


def test_times_need_a_zone(ledger: Ledger) -> None:
    with pytest.raises(TypeError):
        reserve(an_asking("one"), a_room(), ledger, at=datetime(2026, 1, 1))
    assert reserve(an_asking("one"), a_room(), ledger, at=datetime(2026, 1, 1, tzinfo=UTC)).seq == 1
