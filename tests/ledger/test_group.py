"""Group commit: one transaction for all that wait, one order, and one failure for those whose transaction failed."""

import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from mesh_defs.errors import StorageError
from mesh_defs.ledger import Ledger
from mesh_defs.ledger.group import Group
from tests.factories import NOW

THREADS, EACH = 12, 5


def in_threads(count: int, call: Callable[[int], None]) -> list[threading.Thread]:
    threads = [threading.Thread(target=call, args=(number,), daemon=True) for number in range(count)]
    for thread in threads:
        thread.start()
    return threads


def joined(threads: Sequence[threading.Thread]) -> None:
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(f"sqlite:///{tmp_path}/ledger.sqlite")


def commits_of(ledger: Ledger) -> list[int]:
    counted: list[int] = []
    sa.event.listen(ledger._table._engine, "commit", lambda _connection: counted.append(1))
    return counted


def test_threads_share_transactions_and_make_one_chain_in_their_own_order(ledger: Ledger, tmp_path: Path) -> None:
    """Somebody else holds the database until all threads wait: the first leads one group, the next all others."""
    commits, seqs = commits_of(ledger), [[0] * EACH for _ in range(THREADS)]

    def appending(thread: int) -> None:
        for number in range(EACH):
            entry = ledger.append("asked", {"thread": thread, "number": number}, at=NOW)
            seqs[thread][number] = entry.seq

    with closing(sqlite3.connect(tmp_path / "ledger.sqlite", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        threads = in_threads(THREADS, appending)
        until(lambda: len(ledger._group._pending) == THREADS - 1)
        other.execute("ROLLBACK")
    joined(threads)
    assert len(commits) <= THREADS * EACH - (THREADS - 2)
    assert ledger.broken_at() is None
    entries = ledger.entries(limit=None, oldest_first=True)
    assert [entry.seq for entry in entries] == list(range(1, THREADS * EACH + 1))
    for thread in range(THREADS):
        own = [entry for entry in entries if entry.body["thread"] == thread]
        assert [entry.body["number"] for entry in own] == list(range(EACH))
        assert [entry.seq for entry in own] == seqs[thread]


def test_an_append_returns_only_when_another_connection_sees_its_entry(ledger: Ledger, tmp_path: Path) -> None:
    lost: list[int] = []

    def appending(_thread: int) -> None:
        for _ in range(EACH):
            seq = ledger.append("asked", {}, at=NOW).seq
            with closing(sqlite3.connect(tmp_path / "ledger.sqlite")) as other:
                if other.execute("SELECT count(*) FROM ledger_entries WHERE seq = ?", (seq,)).fetchone() != (1,):
                    lost.append(seq)

    joined(in_threads(THREADS, appending))
    assert lost == []


def test_a_failing_commit_fails_every_append_of_its_group_and_a_later_one_works(tmp_path: Path) -> None:
    ledger = Ledger(f"sqlite:///{tmp_path}/ledger.sqlite", wait_seconds=0.3)
    failed: list[StorageError] = []

    def appending(_thread: int) -> None:
        with pytest.raises(StorageError, match="database is locked") as caught:
            ledger.append("asked", {}, at=NOW)
        failed.append(caught.value)

    with closing(sqlite3.connect(tmp_path / "ledger.sqlite", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        joined(in_threads(THREADS, appending))
        other.execute("ROLLBACK")
    assert len({id(error) for error in failed}) == THREADS
    assert ledger.entries() == ()
    assert ledger.append("asked", {}, at=NOW).seq == 1


def test_a_body_that_is_not_json_fails_alone(ledger: Ledger) -> None:
    done: list[object] = []

    def appending(thread: int) -> None:
        try:
            done.append(ledger.append("asked", {"x": b"" if thread == 3 else 1}, at=NOW))
        except TypeError as error:
            done.append(error)

    joined(in_threads(THREADS, appending))
    assert sum(isinstance(each, TypeError) for each in done) == 1
    assert len(ledger.entries()) == THREADS - 1


def test_whatever_ends_the_leader_the_others_are_told_and_nobody_waits_for_ever() -> None:
    group: Group[int, int] = Group()
    begun, go, told = threading.Event(), threading.Event(), []

    def write(items: Sequence[int]) -> Sequence[int]:
        if 0 in items:
            begun.set()
            go.wait(60)
        elif len(items) > 1:
            raise KeyboardInterrupt
        return items

    def submit(item: int) -> None:
        try:
            group.submit(item, write)
        except (StorageError, KeyboardInterrupt) as error:
            told.append(type(error))

    first = in_threads(1, submit)
    begun.wait(60)
    others = in_threads(4, lambda number: submit(number + 1))
    until(lambda: len(group._pending) == 4)
    go.set()
    joined([*first, *others])
    assert sorted(told, key=str) == [KeyboardInterrupt, StorageError, StorageError, StorageError]
    assert group.submit(9, write) == 9
