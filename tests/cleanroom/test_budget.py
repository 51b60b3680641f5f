"""A room's budget is spent before data leaves, once, by whoever comes first, and outlives every version of its agreement."""

import math
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesh_defs.cleanroom.book import Book
from mesh_defs.cleanroom.budget import ABANDONED, ASKED, RELEASED, left, require_share, rho_of, spent
from mesh_defs.cleanroom.noise import epsilon_of
from mesh_defs.cleanroom.rules import terms_of
from mesh_defs.cleanroom.run import Run
from mesh_defs.documents.room import digest_of, read_agreement
from mesh_defs.errors import AccessDeniedError, AnalysisRejectedError, BudgetExhaustedError, DeclarationError
from mesh_defs.ledger import Ledger, LedgerDamagedError
from mesh_defs.model.room import Agreement, Group, Release
from tests.cleanroom.private_room import COUNT, SUM, a_budget, a_measure, a_room, an_analysis
from tests.factories import NOW

PROCESSES, AMOUNT, GRANTED = 8, 1000, 16

RACE = """
import sys, time
from mesh_defs.cleanroom.book import Book
from mesh_defs.errors import AccessDeniedError, BudgetExhaustedError, UnreachableError
from mesh_defs.ledger import Ledger
from tests.cleanroom.private_room import a_room
from tests.cleanroom.test_budget import AMOUNT, GRANTED, a_release, a_run
from tests.factories import NOW

book, granted = Book(Ledger(sys.argv[1], wait_seconds=120), a_room(micro_rho=AMOUNT * GRANTED)), 0
print("ready", flush=True)
sys.stdin.readline()
while True:
    run = a_run(book, AMOUNT)
    try:
        book.begin(run, {}, at=NOW)
    except (AccessDeniedError, UnreachableError):
        time.sleep(0.01)
        continue
    except BudgetExhaustedError:
        break
    granted += 1
    book.release(a_release(run), numbers=True, at=NOW)
print(granted)
"""


def a_run(book: Book, micro_rho: Any = AMOUNT, **given: Any) -> Run:
    analysis = an_analysis(COUNT)
    terms = terms_of(analysis, book.agreement, "agency")
    known = {"analysis": analysis, "terms": terms, "earlier": book.page().earlier}
    return Run(**{"agreement": book.agreement, "analyst": "agency", "micro_rho": micro_rho, **known, **given})


def a_release(run: Run) -> Release:
    groups = (Group(values=("c0",), numbers=(-3,), accuracy=(12,)),)
    return Release(run=run.id, analysis=run.analysis, groups=groups, micro_rho=run.micro_rho)


def begun(book: Book, micro_rho: Any = AMOUNT, **given: Any) -> Run:
    run = a_run(book, micro_rho, **given)
    book.begin(run, {}, at=NOW)
    return run


def finished(book: Book, micro_rho: int = AMOUNT) -> Run:
    run = begun(book, micro_rho)
    book.release(a_release(run), numbers=True, at=NOW)
    return run


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(f"sqlite:///{tmp_path}/ledger.sqlite")


def both(room: Agreement, ledger: Ledger) -> tuple[int, int]:
    return spent(room, ledger), left(room, ledger)


def test_it_is_spent_before_anything_is_read(ledger: Ledger) -> None:
    room = a_room()
    begun(Book(ledger, room))
    assert both(room, ledger) == (1000, 999_000)


def test_the_last_of_it_can_be_spent_and_no_more(ledger: Ledger) -> None:
    book = Book(ledger, a_room(micro_rho=2500))
    finished(book)
    finished(book, 1500)
    with pytest.raises(BudgetExhaustedError, match="0 millionths of rho are left, of 2500"):
        begun(book, 1)
    assert len(ledger.entries(kind=ASKED)) == 2


def test_a_repeat_finds_the_release_as_it_was_unless_it_pays_more(ledger: Ledger) -> None:
    book = Book(ledger, a_room())
    run = finished(book)
    page = book.page()
    assert page.release(run.analysis, "agency", 1000) == page.release(run.analysis, "agency", 1) == a_release(run)
    assert page.release(run.analysis, "agency", 1001) is None


@pytest.mark.parametrize("amount", [0, -1, 500_001, 10**30, True, 1.0, 0.5, float("nan"), float("inf"), "1", None])
def test_what_is_no_amount_is_refused_and_not_recorded(amount: object, ledger: Ledger) -> None:
    with pytest.raises(AnalysisRejectedError):
        begun(Book(ledger, a_room()), amount)
    with pytest.raises(AnalysisRejectedError):
        require_share(amount, a_budget())
    assert ledger.entries() == ()


def test_nothing_is_paid_for_what_cannot_be_answered(ledger: Ledger) -> None:
    with pytest.raises(AnalysisRejectedError, match="no bounds"):
        begun(Book(ledger, a_room(cost=a_measure(upper=None))), analysis=an_analysis(SUM))
    with pytest.raises(AnalysisRejectedError, match="no privacy budget"):
        begun(Book(ledger, replace(a_room(), privacy=None)))
    assert ledger.entries() == ()


def test_a_run_is_begun_once(ledger: Ledger) -> None:
    book = Book(ledger, a_room())
    run = begun(book)
    book.abandon(run.id, "nobody came", returned=True, at=NOW)
    with pytest.raises(AnalysisRejectedError, match="begun before"):
        book.begin(run, {}, at=NOW)


def test_other_rooms_and_kinds_cost_nothing_here(ledger: Ledger) -> None:
    finished(Book(ledger, replace(a_room(), id="other")))
    ledger.append("answered", {"room": "lift", "micro_rho": 5}, at=NOW)
    assert spent(a_room(), ledger) == 0


def test_an_amendment_takes_over_what_was_spent(ledger: Ledger) -> None:
    first = a_room(micro_rho=2000)
    finished(Book(ledger, first), 2000)
    amended = replace(first, version=2, amends=digest_of(first), title="Lift, again")
    with pytest.raises(BudgetExhaustedError):
        begun(Book(ledger, amended), 1)
    larger = replace(amended, privacy=a_budget(micro_rho=2500))
    assert both(larger, ledger) == (2000, 500)
    finished(Book(ledger, larger), 500)
    smaller = replace(amended, privacy=a_budget(micro_rho=100))
    assert both(smaller, ledger) == (2500, 0)
    with pytest.raises(BudgetExhaustedError, match="0 millionths"):
        begun(Book(ledger, smaller), 1)


@pytest.mark.parametrize(("returned", "cost"), [(True, 0), (False, 1000)])
def test_what_was_abandoned_stays_spent_unless_it_is_returned(returned: bool, cost: int, ledger: Ledger) -> None:
    book = Book(ledger, a_room())
    run = begun(book)
    for _ in range(2):  # once, however often it is said
        book.abandon(run.id, "the join is gone", returned=returned, at=NOW)
    assert spent(book.agreement, ledger) == cost
    with pytest.raises(AccessDeniedError, match="not under way"):
        book.release(a_release(run), numbers=True, at=NOW)


def test_what_was_released_is_never_given_back(ledger: Ledger) -> None:
    book = Book(ledger, a_room())
    run = finished(book)
    book.abandon(run.id, "changed my mind", returned=True, at=NOW)
    assert both(book.agreement, ledger) == (1000, 999_000)


def test_a_release_costs_whatever_was_said_before(ledger: Ledger) -> None:
    room = a_room()
    said = {"room": "lift", "agreement": digest_of(room), "run": "one", "micro_rho": 1000, "returned": True}
    for kind in (ABANDONED, RELEASED):
        ledger.append(kind, said, at=NOW)
    assert spent(room, ledger) == 1000


@pytest.mark.parametrize("kind", [ASKED, RELEASED])
@pytest.mark.parametrize("amount", [-1000, 1.5, "1", None, True])
def test_an_amount_that_is_none_stops_the_room(kind: str, amount: object, ledger: Ledger) -> None:
    ledger.append(kind, {"room": "lift", "agreement": "", "run": "one", "micro_rho": amount}, at=NOW)
    with pytest.raises(LedgerDamagedError):
        Book(ledger, a_room()).page()


def test_eight_processes_spend_exactly_the_budget(tmp_path: Path, ledger: Ledger) -> None:
    command = [sys.executable, "-c", RACE, f"sqlite:///{tmp_path}/ledger.sqlite"]
    processes = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(PROCESSES)
    ]
    assert all(each.stdout and each.stdout.readline() == "ready\n" for each in processes)
    for each in processes:
        assert each.stdin
        each.stdin.write("go\n")
        each.stdin.flush()
    granted = [int(each.communicate()[0]) for each in processes]
    assert [each.returncode for each in processes] == [0] * PROCESSES
    assert sum(granted) == GRANTED
    assert both(a_room(micro_rho=AMOUNT * GRANTED), ledger) == (AMOUNT * GRANTED, 0)
    assert ledger.broken_at() is None


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
