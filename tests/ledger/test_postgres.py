"""The ledger in a real Postgres: the same entries and hashes, one order for all writers, and a role that may only append."""

import subprocess
import sys
import threading
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from mesh_defs.errors import StorageError, StorageUnreachableError
from mesh_defs.ledger import Ledger, LedgerDamagedError, open_ledger
from mesh_defs.ledger.audit import verify
from mesh_defs.ledger.export import export
from mesh_defs.ledger.table import _LOCK
from mesh_defs.settings import Settings
from tests.factories import NOW, write
from tests.ledger.records import filled, settings_in
from tests.ledger.test_ledger import APPEND


@pytest.fixture
def url(postgres: str) -> str:
    return url_of(postgres)


@pytest.fixture
def settings(url: str, tmp_path: Path) -> Settings:
    return settings_in(tmp_path / "mesh", MESH_LEDGER=url)


def url_of(conninfo: str, **changed: str) -> str:
    told = {**conninfo_to_dict(conninfo), **changed}
    secret = f":{quote(str(told['password']), safe='')}" if told.get("password") else ""
    host = quote(str(told["host"]), safe="")
    port = f"&port={told['port']}" if told.get("port") else ""
    return f"postgresql://{told['user']}{secret}@/{told['dbname']}?host={host}{port}"


def run(conninfo: str, *statements: str) -> None:
    with psycopg.connect(conninfo, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)  # type: ignore[call-overload]


def test_entries_are_the_same_as_in_sqlite(url: str, tmp_path: Path) -> None:
    texts = ["Ünïcödé 🙂", "a\0b", "\ud800", "'); DROP TABLE ledger_entries; --", "x" * 100_000, "%(x)s :x"]
    both = Ledger(url), Ledger(f"sqlite:///{tmp_path}/ledger.sqlite")
    for text in texts:
        one, other = (ledger.append("asked", {"text": text, "n": [1, None, 0.5]}, at=NOW) for ledger in both)
        assert one == other
    one, other = both
    assert one.entries() == other.entries()
    assert one.entries(kinds=("asked",), after=2, limit=2, oldest_first=True)[0].seq == 3
    assert one.newest(("asked", "unheard")) == 6
    assert one.search(kind="asked", since=NOW) == other.search(kind="asked")
    assert one.broken_at() is None
    assert not (tmp_path / "ledger").exists()


def test_a_name_is_looked_for_as_it_is(url: str) -> None:
    ledger = Ledger(url)
    for name in ("a%", "a_a", "a/b", "a\\b", 'a"b', "aXa"):
        ledger.append("asked", {"principal": name, "product": name}, at=NOW)
    for seq, name in enumerate(("a%", "a_a", "a/b", "a\\b", 'a"b'), start=1):
        assert [entry.seq for entry in ledger.search(principal=name, product=name)] == [seq]


def test_attacks_are_found_there_too(settings: Settings, postgres: str) -> None:
    filled(open_ledger(settings), 5)
    assert verify(settings).findings == ()
    run(postgres, "UPDATE ledger_entries SET body = '{}' WHERE seq = 2")
    assert "entry 2: it was changed" in str(verify(settings).findings[0])
    run(postgres, "DELETE FROM ledger_entries WHERE seq > 3")
    with pytest.raises(LedgerDamagedError, match="entries 4 to 5 are missing") as caught:
        open_ledger(settings)
    assert "postgres" in caught.value.where
    run(postgres, "DROP TABLE ledger_entries")
    with pytest.raises(LedgerDamagedError, match="entries 1 to 5 are missing"):
        open_ledger(settings)
    assert "every entry is missing" in str(verify(settings).findings[0])


def test_processes_append_in_one_order_even_to_a_ledger_that_none_has_made(url: str, tmp_path: Path) -> None:
    script = write(tmp_path, "append.py", APPEND)
    processes = [subprocess.Popen([sys.executable, str(script), url, name]) for name in "abc"]
    assert [process.wait() for process in processes] == [0, 0, 0]
    ledger = Ledger(url)
    assert [entry.seq for entry in ledger.entries(limit=None)] == list(range(90, 0, -1))
    assert ledger.broken_at() is None


def test_threads_append_in_one_order(url: str) -> None:
    ledger = Ledger(url)
    threads = [threading.Thread(target=filled, args=(ledger, 10)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [entry.seq for entry in ledger.entries(limit=None)] == list(range(80, 0, -1))
    assert ledger.broken_at() is None


@pytest.fixture
def appender(postgres: str) -> str:
    """Conninfo of a role that may INSERT and SELECT, once the table was made by its owner."""
    Ledger(url_of(postgres))
    name = f"appender_{conninfo_to_dict(postgres)['dbname']}"
    run(
        postgres,
        f"CREATE ROLE {name} LOGIN PASSWORD 'p:w/d@x'",
        "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
        f"GRANT SELECT, INSERT ON ledger_entries TO {name}",
    )
    return psycopg.conninfo.make_conninfo(postgres, user=name, password="p:w/d@x")


def test_insert_and_select_suffice_and_nothing_else_is_allowed(appender: str, tmp_path: Path) -> None:
    settings = settings_in(tmp_path, MESH_LEDGER=url_of(appender))
    filled(open_ledger(settings), 5)
    filled(open_ledger(settings), 5)
    assert (verify(settings).entries, verify(settings).unsigned, verify(settings).findings) == (10, 0, ())
    assert export(settings, tmp_path / "all.jsonl", "jsonl") == (10, ())
    for statement in (
        "UPDATE ledger_entries SET body = '{}'",
        "DELETE FROM ledger_entries",
        "TRUNCATE ledger_entries",
        "DROP TABLE ledger_entries",
        "ALTER TABLE ledger_entries DISABLE TRIGGER ALL",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            run(appender, statement)


def test_such_a_role_opens_a_ledger_without_an_index(appender: str, postgres: str) -> None:
    run(postgres, "DROP INDEX ledger_entries_kind_seq")
    ledger = filled(Ledger(url_of(appender)), 2)
    assert ledger.newest(("asked",)) == 2


def test_what_such_a_role_inserts_past_us_is_found(appender: str, tmp_path: Path) -> None:
    settings = settings_in(tmp_path, MESH_LEDGER=url_of(appender))
    filled(open_ledger(settings), 2)
    run(appender, f"INSERT INTO ledger_entries VALUES (3, 1, 'x', 'allowed', '{{}}', '{'0' * 64}', 'forged')")
    with pytest.raises(LedgerDamagedError, match="entry 3 was changed"):
        open_ledger(settings)
    assert verify(settings).findings[0].where == "entry 3"


@pytest.mark.parametrize(
    "default",
    ["synchronous_commit = off", "default_transaction_isolation = 'repeatable read'", "lock_timeout = 1"],
)
def test_whatever_the_servers_defaults_it_is_durable_and_in_one_order(postgres: str, url: str, default: str) -> None:
    run(postgres, f'ALTER DATABASE "{conninfo_to_dict(postgres)["dbname"]}" SET {default}')
    ledger = Ledger(url)
    with ledger._table.reading() as connection:
        assert connection.exec_driver_sql("SHOW synchronous_commit").scalar() == "on"
        assert connection.exec_driver_sql("SHOW transaction_isolation").scalar() == "read committed"
    threads = [threading.Thread(target=filled, args=(each, 10)) for each in (ledger, Ledger(url), Ledger(url))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ledger.entries(limit=None)) == 30


def test_a_lock_that_another_session_holds_is_waited_for_in_time(url: str, postgres: str) -> None:
    ledger = Ledger(url, wait_seconds=0.2)
    with psycopg.connect(postgres) as other:
        other.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))
        with pytest.raises(StorageError, match="could not be written: another session has held a lock for too long"):
            ledger.append("asked", {}, at=NOW)
    assert ledger.append("asked", {}, at=NOW).seq == 1


def test_a_session_that_was_ended_is_replaced(url: str, postgres: str) -> None:
    ledger = filled(Ledger(url), 2)
    run(
        postgres,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database()",
    )
    assert ledger.append("asked", {}, at=NOW).seq == 3


def test_a_role_without_rights_is_told_without_a_secret(appender: str, postgres: str) -> None:
    run(postgres, "REVOKE INSERT ON ledger_entries FROM " + str(conninfo_to_dict(appender)["user"]))
    ledger = Ledger(url_of(appender))
    with pytest.raises(StorageError, match="could not be written: its role may not do that") as caught:
        ledger.append("asked", {"secret": "of ada"}, at=NOW)
    assert "p:w/d@x" not in str(caught.value)
    assert "p%3Aw" not in str(caught.value)
    assert "of ada" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("postgresql://ada:secret@127.0.0.1:1/ledger", "Postgres does not answer"),
        ("postgresql://ada:secret@/ledger?host=/nowhere&password=secret", "Postgres does not answer"),
    ],
)
def test_a_server_that_does_not_answer_can_be_tried_again(url: str, says: str) -> None:
    with pytest.raises(StorageUnreachableError, match=f"the ledger could not be opened: {says}") as caught:
        Ledger(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("mysql://ada:secret@host/db", "the ledger cannot lie in mysql"),
        ("postgresql+psycopg2://ada:secret@host/db", "the ledger cannot lie in postgresql"),
        ("duckdb:////x", "the ledger cannot lie in duckdb"),
        ("sqlite://", "a ledger in memory records nothing"),
        ("sqlite:///:memory:", "a ledger in memory records nothing"),
        ("no url, but a secret", "could not be opened: ArgumentError"),
        ("", "could not be opened: ArgumentError"),
    ],
)
def test_what_no_ledger_can_be_is_told(url: str, says: str) -> None:
    with pytest.raises(StorageError, match=says) as caught:
        Ledger(url)
    assert "secret" not in str(caught.value)
    assert caught.value.where == "MESH_LEDGER"


def test_psycopg_is_imported_only_when_the_url_asks_for_it(tmp_path: Path) -> None:
    code = (
        "import sys; from mesh_defs.ledger import Ledger; import mesh_defs.ledger.audit, mesh_defs.ledger.export;"
        f" Ledger('sqlite:///{tmp_path}/ledger.sqlite');"
        " print(sorted({'psycopg', 'psycopg2', 'duckdb', 'pyarrow', 'dagster'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
