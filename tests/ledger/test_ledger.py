"""The record: in one order, durable, and changed by nobody unseen."""

import json
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from mesh_defs.errors import StorageError
from mesh_defs.ledger import Ledger, table
from mesh_defs.settings import load_settings
from tests.factories import NOW, write
from tests.ledger.records import filled, tamper

APPEND = """
import sys
from datetime import UTC, datetime
from mesh_defs.ledger import Ledger

ledger = Ledger(sys.argv[1])
for number in range(30):
    ledger.append("asked", {"by": sys.argv[2], "number": number}, at=datetime.now(UTC))
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "state" / "ledger.sqlite"


@pytest.fixture
def ledger(file: Path) -> Ledger:
    return Ledger(f"sqlite:///{file}", wait_seconds=0.2)


def test_what_is_appended_is_read_back_newest_first(ledger: Ledger) -> None:
    first = ledger.append("asked", {"sql": "x", "n": [1, None, {"a": 0.5}]}, at=NOW)
    second = ledger.append("allowed", {"grants": {"a.b": "g"}}, at=NOW)
    assert ledger.entries() == (second, first)
    assert (first.seq, second.seq) == (1, 2)
    assert second.previous == first.hash
    assert first.at == "2026-11-01T12:00:00+00:00"


def test_entries_are_found_by_kind_and_limited(ledger: Ledger) -> None:
    filled(ledger)
    assert [entry.seq for entry in ledger.entries(kind="asked")] == [4, 2]
    assert [entry.seq for entry in ledger.entries(limit=2)] == [5, 4]
    assert ledger.entries(kind="unheard") == ()


def test_an_empty_ledger_is_whole(ledger: Ledger) -> None:
    assert ledger.entries() == ()
    assert ledger.broken_at() is None


def test_the_ledger_goes_on_where_another_opening_of_it_ended(file: Path, ledger: Ledger) -> None:
    filled(ledger)
    again = Ledger(f"sqlite:///{file}")
    assert again.append("asked", {}, at=NOW).seq == 6
    assert again.broken_at() is None


@pytest.mark.parametrize(
    "value",
    ["Ünïcödé 🙂", "a\0b", "line\nbreak", "\ud800", "\udcff", "'); DROP TABLE ledger_entries; --", "x" * 100_000],
)
def test_any_text_is_recorded_as_it_is(ledger: Ledger, value: str) -> None:
    ledger.append("asked", {value[:50]: value}, at=NOW)
    assert ledger.entries()[0].body == {value[:50]: value}
    assert ledger.broken_at() is None


def test_what_is_returned_is_what_was_recorded(ledger: Ledger) -> None:
    body: dict[str, Any] = {"pair": (1, 2)}
    entry = ledger.append("asked", body, at=NOW)
    body["pair"] = ()
    assert entry.body == {"pair": [1, 2]}
    assert ledger.entries()[0] == entry


@pytest.mark.parametrize(
    "value",
    [NOW, {1, 2}, b"x", object(), float("nan"), float("inf"), {(1, 2): 3}],
    ids=lambda value: type(value).__name__,
)
def test_a_body_that_is_not_json_is_refused_and_nothing_recorded(ledger: Ledger, value: Any) -> None:
    with pytest.raises(TypeError, match="the body of a 'asked' entry is not JSON"):
        ledger.append("asked", {"value": value}, at=NOW)
    assert ledger.entries() == ()


# Tampering


@pytest.mark.parametrize(
    ("statements", "seq"),
    [
        (["UPDATE ledger_entries SET body = '{\"number\": 9}' WHERE seq = 3"], 3),
        (["UPDATE ledger_entries SET body = 7 WHERE seq = 3"], 3),
        (["UPDATE ledger_entries SET body = x'ff00' WHERE seq = 3"], 3),
        (["UPDATE ledger_entries SET kind = 'denied' WHERE seq = 2"], 2),
        (["UPDATE ledger_entries SET at = '1999-01-01' WHERE seq = 1"], 1),
        (["UPDATE ledger_entries SET format = 2 WHERE seq = 4"], 4),
        (["UPDATE ledger_entries SET previous = hash WHERE seq = 4"], 4),
        (["UPDATE ledger_entries SET hash = 'x' WHERE seq = 5"], 5),
        (["DELETE FROM ledger_entries WHERE seq = 1"], 2),
        (["DELETE FROM ledger_entries WHERE seq = 3"], 4),
        (["DELETE FROM ledger_entries WHERE seq = 3", "UPDATE ledger_entries SET seq = seq - 1 WHERE seq > 3"], 3),
        (
            [
                "UPDATE ledger_entries SET seq = -2 WHERE seq = 2",
                "UPDATE ledger_entries SET seq = 2 WHERE seq = 3",
                "UPDATE ledger_entries SET seq = 3 WHERE seq = -2",
            ],
            2,
        ),
        (["INSERT INTO ledger_entries SELECT 0, format, at, kind, body, previous, 'y' FROM ledger_entries LIMIT 1"], 0),
        (
            [
                "INSERT INTO ledger_entries SELECT 6, format, at, kind, body, hash, 'y' FROM ledger_entries WHERE seq = 5"
            ],
            6,
        ),
    ],
)
def test_every_change_shows_where_it_was_made(ledger: Ledger, file: Path, statements: list[str], seq: int) -> None:
    filled(ledger)
    assert ledger.broken_at() is None
    tamper(file, *statements)
    assert ledger.broken_at() == seq


def test_an_entry_with_a_right_hash_of_its_own_still_breaks_the_next(
    ledger: Ledger, file: Path, tmp_path: Path
) -> None:
    """The forger computes the changed entry anew, but not all that follow."""
    filled(ledger)
    forged = Ledger(f"sqlite:///{tmp_path}/forged.sqlite")
    filled(forged, 2)
    entry = forged.append("allowed", {"number": "forged"}, at=NOW)
    body = json.dumps(entry.body)
    tamper(file, f"UPDATE ledger_entries SET body = '{body}', hash = '{entry.hash}' WHERE seq = 3")
    assert ledger.broken_at() == 4


def test_without_a_seal_a_cut_tail_is_not_seen(ledger: Ledger, file: Path) -> None:
    """The chain alone cannot show it: see tests/ledger/test_audit.py for the head."""
    filled(ledger)
    tamper(file, "DELETE FROM ledger_entries WHERE seq > 3")
    assert ledger.broken_at() is None


# Threads and processes


def test_threads_append_in_one_order(file: Path) -> None:
    ledger = Ledger(f"sqlite:///{file}")
    threads = [threading.Thread(target=filled, args=(ledger, 15)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [entry.seq for entry in ledger.entries(limit=1000)] == list(range(90, 0, -1))
    assert ledger.broken_at() is None


def test_processes_append_in_one_order_even_to_a_ledger_that_none_has_made(file: Path, tmp_path: Path) -> None:
    script = write(tmp_path, "append.py", APPEND)
    url = f"sqlite:///{file}"
    processes = [subprocess.Popen([sys.executable, str(script), url, name]) for name in "abc"]
    assert [process.wait() for process in processes] == [0, 0, 0]
    ledger = Ledger(url)
    entries = ledger.entries(limit=1000)
    assert [entry.seq for entry in entries] == list(range(90, 0, -1))
    assert ledger.broken_at() is None
    for name in "abc":
        assert [entry.body["number"] for entry in reversed(entries) if entry.body["by"] == name] == list(range(30))


def test_readers_go_on_beside_a_writer(ledger: Ledger, file: Path) -> None:
    filled(ledger)
    with closing(sqlite3.connect(file, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        assert len(ledger.entries()) == 5
        assert Ledger(f"sqlite:///{file}").broken_at() is None
        writer.execute("ROLLBACK")


# What keeps it from recording


def test_a_locked_ledger_refuses_in_time_and_records_nothing(ledger: Ledger, file: Path) -> None:
    filled(ledger)
    with closing(sqlite3.connect(file, isolation_level=None)) as writer:
        writer.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StorageError, match=r"could not be written: database is locked — .*Nothing runs unrecorded"):
            ledger.append("asked", {}, at=NOW)
        writer.execute("ROLLBACK")
    assert ledger.append("asked", {}, at=NOW).seq == 6


def test_a_read_only_ledger_is_read_and_not_written(
    ledger: Ledger, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Refused by SQLite itself, since a test may run as root, whom no file mode stops."""
    filled(ledger)

    def read_only(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None
        connection.execute("PRAGMA query_only = ON")

    monkeypatch.setattr(table, "_sqlite_setup", lambda _wait: read_only)
    readable = Ledger(f"sqlite:///{file}")
    assert len(readable.entries()) == 5
    with pytest.raises(StorageError, match="could not be written: attempt to write a readonly database"):
        readable.append("asked", {}, at=NOW)
    with pytest.raises(StorageError, match="could not be opened: attempt to write a readonly database"):
        Ledger(f"sqlite:///{file.parent}/new.sqlite")


@pytest.mark.parametrize("damage", ["removed", "no database", "a folder"])
def test_a_ledger_that_is_lost_while_in_use_refuses(ledger: Ledger, file: Path, damage: str) -> None:
    filled(ledger)
    for each in file.parent.iterdir():
        each.unlink()
    if damage == "no database":
        file.write_bytes(b"no database at all" * 100)
    elif damage == "a folder":
        file.mkdir()
    with pytest.raises(StorageError, match="could not be written") as caught:
        ledger.append("asked", {}, at=NOW)
    assert caught.value.where == str(file)
    with pytest.raises(StorageError, match="could not be read"):
        ledger.entries()
    with pytest.raises(StorageError, match="could not be read"):
        ledger.broken_at()


def test_a_place_where_no_ledger_can_be_is_told(tmp_path: Path) -> None:
    write(tmp_path, "taken", "")
    with pytest.raises(StorageError, match="could not be opened") as caught:
        Ledger(f"sqlite:///{tmp_path}/taken/ledger.sqlite")
    assert caught.value.fix


def test_an_entry_whose_body_is_no_json_is_told(ledger: Ledger, file: Path) -> None:
    filled(ledger)
    tamper(file, "UPDATE ledger_entries SET body = '{' WHERE seq = 3")
    with pytest.raises(StorageError, match="could not be read: JSONDecodeError"):
        ledger.entries()
    assert ledger.broken_at() == 3


@pytest.mark.parametrize("name", ["a b", "ünï", "50%", "%41", "a#b", "what?", "x&y=z", "[x]", "a:b@c"])
def test_the_ledger_lies_in_the_state_folder_whatever_that_is_called(tmp_path: Path, name: str) -> None:
    write(tmp_path, "mesh.yaml", "format: 1\n")
    settings = load_settings({"MESH_HOME": str(tmp_path / name)}, start=tmp_path)
    filled(Ledger(settings.ledger_url), 1)
    assert (tmp_path / name / "ledger.sqlite").is_file()
