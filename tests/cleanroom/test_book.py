"""What a room's ledger lets happen: one run at a time, one choice of persons, a release once."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from mesh_defs.cleanroom.book import RUN_MAX, Book
from mesh_defs.cleanroom.rules import terms_of
from mesh_defs.cleanroom.run import Run
from mesh_defs.errors import AccessDeniedError, AnalysisRejectedError, UnreachableError
from mesh_defs.ledger import Ledger
from mesh_defs.model.room import Group, Release, Withheld
from mesh_defs.sql.analysis import compile_analysis
from tests.cleanroom.agreements import CUSTOMERS, NOW, an_agreement

OTHER = replace(CUSTOMERS, name="adv.others", product="retailer.others")
AGREEMENT = an_agreement(tables=(*an_agreement().tables, OTHER))
VERSIONS = {"audiences.persons": "v1"}


@pytest.fixture
def book(tmp_path: Path) -> Book:
    return Book(Ledger(f"sqlite:///{tmp_path / 'ledger.db'}"), AGREEMENT)


def a_run(book: Book, table: str = "adv.customers", segment: str = "auto", micro_rho: int = 0) -> Run:
    sql = f"SELECT count(*) FROM pub.persons p JOIN {table} c ON p.hem = c.person WHERE p.segment = '{segment}'"
    analysis = compile_analysis(sql, AGREEMENT).analysis
    return Run(
        agreement=book.agreement,
        analyst="adv",
        analysis=analysis,
        terms=terms_of(analysis, AGREEMENT, "adv"),
        earlier=book.page().earlier,
        micro_rho=micro_rho,
    )


def a_release(run: Run) -> Release:
    withheld = (Withheld(values=(), because="small"),)
    return Release(run=run.id, analysis=run.analysis, groups=(Group(values=(), numbers=(7,)),), withheld=withheld)


def test_a_release_is_found_again_by_its_analysis(book: Book) -> None:
    run = a_run(book)
    book.begin(run, VERSIONS, at=NOW)
    book.release(a_release(run), numbers=True, at=NOW)
    assert book.page().release(run.analysis, "adv") == a_release(run)
    assert book.page().versions == VERSIONS
    assert book.page().release(run.analysis, "pub") is None
    assert book.page().release(a_run(book, segment="travel").analysis, "adv") is None


def test_a_party_without_the_answer_keeps_which_groups_were_shown(book: Book) -> None:
    run = a_run(book)
    book.begin(run, VERSIONS, at=NOW)
    book.release(a_release(run), numbers=False, at=NOW)
    (kept,) = book.page().releases
    assert kept.groups == (Group(values=(), numbers=()),)
    assert kept.withheld == a_release(run).withheld


def test_one_run_at_a_time(book: Book) -> None:
    book.begin(a_run(book), VERSIONS, at=NOW)
    with pytest.raises(UnreachableError, match="under way"):
        book.begin(a_run(book, segment="travel"), VERSIONS, at=NOW)


def test_a_run_without_a_word_is_given_up_and_releases_no_more(book: Book) -> None:
    lost = a_run(book, micro_rho=10)
    book.begin(lost, VERSIONS, at=NOW)
    book.begin(a_run(book, segment="travel", micro_rho=5), VERSIONS, at=NOW + RUN_MAX + timedelta(seconds=1))
    assert book.page().micro_rho == 15
    with pytest.raises(AccessDeniedError, match="not under way"):
        book.release(a_release(lost), numbers=True, at=NOW)


@pytest.mark.parametrize(("returned", "left"), [(True, 0), (False, 10)])
def test_an_abandoned_run_costs_what_could_be_had_of_it(book: Book, returned: bool, left: int) -> None:
    run = a_run(book, micro_rho=10)
    book.begin(run, VERSIONS, at=NOW)
    book.abandon(run.id, "lost", returned=returned, at=NOW)
    page = book.page()
    assert (page.micro_rho, dict(page.unsettled), page.releases) == (left, {}, ())


def test_a_room_is_asked_about_one_choice_of_persons(book: Book) -> None:
    run = a_run(book)
    book.begin(run, VERSIONS, at=NOW)
    book.abandon(run.id, "suppressed or not, it was asked", returned=True, at=NOW)
    with pytest.raises(AnalysisRejectedError, match="other tables of yours"):
        book.begin(a_run(book, "adv.others"), VERSIONS, at=NOW)


def test_a_run_that_does_not_know_a_release_does_not_begin(book: Book) -> None:
    late = a_run(book, segment="travel")
    run = a_run(book)
    book.begin(run, VERSIONS, at=NOW)
    book.release(a_release(run), numbers=True, at=NOW)
    with pytest.raises(AccessDeniedError, match="in the meantime"):
        book.begin(late, VERSIONS, at=NOW)


def test_the_first_versions_are_kept(book: Book) -> None:
    for version in ("v1", "v2"):
        run = a_run(book)
        book.begin(run, {"audiences.persons": version, f"a.{version}": version}, at=NOW)
        book.abandon(run.id, "lost", returned=True, at=NOW)
    assert book.page().versions == {"audiences.persons": "v1", "a.v1": "v1", "a.v2": "v2"}


def test_rooms_do_not_see_each_other_but_versions_of_one_share_their_budget(book: Book) -> None:
    run = a_run(book, micro_rho=10)
    book.begin(run, VERSIONS, at=NOW)
    book.release(a_release(run), numbers=True, at=NOW)
    amended = Book(book.ledger, replace(AGREEMENT, version=2, amends="1" * 64)).page()
    assert (amended.micro_rho, amended.releases, dict(amended.populations), dict(amended.versions)) == (10, (), {}, {})
    other = Book(book.ledger, replace(AGREEMENT, id="autumn")).page()
    assert (other.micro_rho, other.releases) == (0, ())
