"""Reading: by kind, after a number, by whom and about what; and the index that makes it cheap."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from mesh_defs.ledger import Ledger
from mesh_defs.ledger.search import products_of
from tests.factories import NOW
from tests.ledger.records import tamper

GRANTS = ("access_requested", "access_granted", "access_refused", "access_renewed", "access_revoked")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite"


@pytest.fixture
def ledger(file: Path) -> Ledger:
    """Two rounds of a question, its answer, and a grant."""
    ledger = Ledger(f"sqlite:///{file}")
    for day in range(2):
        at = NOW + timedelta(days=day)
        asked = {"principal": "ada", "grants": {"events.clicks": "g"}, "versions": {"events.clicks": "v"}}
        ledger.append("allowed", asked, at=at)
        ledger.append("answered", {"decision": 1}, at=at)
        ledger.append("access_granted", {"principal": "grace", "product": "events.clicks"}, at=at)
    return ledger


def seqs(entries: tuple[object, ...]) -> list[int]:
    return [entry.seq for entry in entries]  # type: ignore[attr-defined]


def test_several_kinds_are_read_either_way_and_from_a_number_on(ledger: Ledger) -> None:
    assert seqs(ledger.entries(kinds=("allowed", "access_granted"))) == [6, 4, 3, 1]
    assert seqs(ledger.entries(kinds=["allowed", "access_granted"], oldest_first=True, limit=2)) == [1, 3]
    assert seqs(ledger.entries(kinds={"allowed", "access_granted"}, after=3, limit=None)) == [6, 4]
    assert seqs(ledger.entries(kind="answered", kinds=("allowed",))) == [5, 4, 2, 1]
    assert ledger.entries(kinds=()) == ()
    assert seqs(ledger.entries(after=5)) == [6]


def test_the_newest_of_some_kinds_tells_whether_a_fold_still_holds(ledger: Ledger) -> None:
    assert ledger.newest(GRANTS) == 6
    ledger.append("answered", {"decision": 1}, at=NOW)
    assert ledger.newest(GRANTS) == 6
    ledger.append("access_revoked", {}, at=NOW)
    assert ledger.newest(GRANTS) == 8
    assert ledger.newest(("unheard",)) == ledger.newest(()) == 0


def test_reading_by_kind_takes_the_index(ledger: Ledger, file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        query = "EXPLAIN QUERY PLAN SELECT seq FROM ledger_entries WHERE kind = 'x' ORDER BY seq DESC LIMIT 1"
        plan = str(connection.execute(query).fetchall())
    assert "ledger_entries_kind_seq" in plan
    assert "TEMP B-TREE" not in plan


def test_a_ledger_from_before_the_index_gets_it(ledger: Ledger, file: Path) -> None:
    tamper(file, "DROP INDEX ledger_entries_kind_seq")
    again = Ledger(f"sqlite:///{file}")
    with closing(sqlite3.connect(file)) as connection:
        names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'index'")}
    assert "ledger_entries_kind_seq" in names
    assert again.broken_at() is None


def test_a_writer_that_keeps_the_index_from_being_made_keeps_nobody_from_opening(ledger: Ledger, file: Path) -> None:
    tamper(file, "DROP INDEX ledger_entries_kind_seq")
    with closing(sqlite3.connect(file, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        assert Ledger(f"sqlite:///{file}", wait_seconds=0.05).newest(GRANTS) == 6
        writer.execute("ROLLBACK")


def test_searches_by_whom_what_and_when(ledger: Ledger) -> None:
    assert seqs(ledger.search(principal="ada")) == [4, 1]
    assert seqs(ledger.search(product="events.clicks")) == [6, 4, 3, 1]
    assert seqs(ledger.search(product="events.clicks", principal="grace", limit=1)) == [6]
    assert seqs(ledger.search(kind="answered")) == [5, 2]
    assert seqs(ledger.search(since=NOW + timedelta(hours=1))) == [6, 5, 4]
    assert seqs(ledger.search(until=NOW + timedelta(days=1))) == [3, 2, 1]
    assert ledger.search(principal="events.clicks") == ()


@pytest.mark.parametrize("name", ["a%", "a_a", "%", "_", "a/b", "Ünï 🙂", 'a"b', "a\\b", "\udcff", "'; --", "ADA", ""])
def test_a_name_is_looked_for_as_it_is(ledger: Ledger, name: str) -> None:
    """What LIKE, JSON or SQL would read otherwise: only the entry that says exactly this is found."""
    ledger.append("asked", {"principal": "aXa"}, at=NOW)
    seq = ledger.append("asked", {"principal": name, "versions": {f"x.{name}": "v"}}, at=NOW).seq
    assert seqs(ledger.search(principal=name)) == [seq]
    assert seqs(ledger.search(product=f"x.{name}")) == [seq]


def test_a_name_elsewhere_in_a_body_is_not_taken_for_the_principal(ledger: Ledger) -> None:
    ledger.append("asked", {"purpose": "hopper", "reasons": ["hopper"], "by": {"principal": "hopper"}}, at=NOW)
    assert ledger.search(principal="hopper") == ledger.search(product="hopper") == ()


def test_times_of_another_zone_are_the_same_times(ledger: Ledger) -> None:
    east = timezone(timedelta(hours=9))
    entry = ledger.append("asked", {"principal": "kana"}, at=datetime(2027, 1, 1, 3, tzinfo=east))
    assert entry.at == "2026-12-31T18:00:00+00:00"
    assert seqs(ledger.search(since=datetime(2027, 1, 1, 3, tzinfo=east))) == [entry.seq]
    assert ledger.search(since=datetime(2026, 12, 31, 18, 0, 0, 1, tzinfo=UTC)) == ()
    with pytest.raises(TypeError, match="no zone"):
        ledger.append("asked", {}, at=datetime(2027, 1, 1))


def test_products_are_named_once_wherever_a_body_says_them() -> None:
    body = {"product": "a.b", "grants": {"c.d": "g"}, "versions": {"c.d": "v", "e.f": "v"}, "products": ["g.h"]}
    assert products_of(body) == ("a.b", "g.h", "c.d", "e.f")
    assert products_of({"grants": None, "products": "x", "product": 3}) == ()


def test_the_first_entries_by_a_grant_are_found(ledger: Ledger) -> None:
    assert seqs(ledger.search(grant="g", oldest_first=True, limit=1)) == [1]
    assert seqs(ledger.search(grant="g", principal="ada")) == [4, 1]
    assert ledger.search(grant="ada") == ()


def test_what_was_concluded_is_recorded_before_any_other_of_its_kinds_or_not_at_all(ledger: Ledger) -> None:
    newest = ledger.newest(GRANTS)
    assert ledger.append_if("access_revoked", {}, at=NOW, kinds=GRANTS, newest=newest - 1) is None
    assert ledger.append("answered", {}, at=NOW).seq == 7
    entry = ledger.append_if("access_revoked", {}, at=NOW, kinds=GRANTS, newest=newest)
    assert entry is not None
    assert entry.seq == 8
    assert ledger.append_if("access_revoked", {}, at=NOW, kinds=GRANTS, newest=newest) is None
    assert ledger.broken_at() is None
