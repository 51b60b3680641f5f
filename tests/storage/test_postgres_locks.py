"""Views for psql's users, and locks: no reader holds up a publication or a sweep, and writers wait for each other."""

import threading
import time

import duckdb
import psycopg
import pytest

from mesh_defs.errors import StorageError
from mesh_defs.storage import postgres_database, postgres_views
from tests.storage.places import Place, postgres_place


@pytest.fixture
def place(postgres: str) -> Place:
    return postgres_place(postgres)


@pytest.fixture
def kind() -> str:
    return "postgres"


def read(owner, view: str = "v1") -> list[tuple]:
    return owner.execute(f"SELECT * FROM impressions.{view} ORDER BY 1").fetchall()


def test_psql_reads_what_is_published_through_a_view_of_its_major_version(published, owner) -> None:
    published("SELECT 1 AS a", contract_version="1.0.0")
    version = published("SELECT 2 AS a", contract_version="1.4.2")
    assert read(owner) == [(2,)]
    [(comment,)] = owner.execute("SELECT obj_description('impressions.v1'::regclass)").fetchall()
    assert version.id in comment


def test_a_new_major_version_leaves_the_old_view_as_it_was_until_its_version_goes(
    storage, published, owner, clock
) -> None:
    published("SELECT 1 AS a", contract_version="1.0.0")
    clock.advance(hours=1)
    published("SELECT 'x' AS b", contract_version="2.0.0")
    assert (read(owner, "v1"), read(owner, "v2")) == ([(1,)], [("x",)])
    storage.sweep(clock.advance(hours=2), 3600)
    assert owner.execute("SELECT to_regclass('impressions.v1')").fetchone() == (None,)
    assert read(owner, "v2") == [("x",)]


def test_partitions_are_one_view(published, owner) -> None:
    for day in ("mon", "tue", "mon"):
        published(f"SELECT '{day}' AS day", partition=day, contract_version="1.0.0")
    assert read(owner) == [("mon",), ("tue",)]


def test_a_column_added_in_the_middle_stands_at_the_views_end(published, owner) -> None:
    published("SELECT 1 AS a, 2 AS z", contract_version="1.0.0")
    published("SELECT 1 AS a, 'new' AS m, 2 AS z", contract_version="1.1.0")
    assert read(owner) == [(1, 2, "new")]


def test_a_view_that_must_be_made_anew_keeps_its_grants(published, owner, role) -> None:
    published("SELECT 1 AS a", contract_version="1.0.0")
    owner.execute(f'GRANT SELECT ON impressions.v1 TO {role}, public; CREATE ROLE "odd ""{role}"')
    owner.execute(f'GRANT SELECT ON impressions.v1 TO "odd ""{role}"')
    published("SELECT 'wider' AS a", contract_version="1.1.0")
    assert read(owner) == [("wider",)]
    for name in (role, f'odd "{role}', "public"):
        assert owner.execute("SELECT has_table_privilege(%s, 'impressions.v1', 'SELECT')", [name]).fetchone() == (True,)
    owner.execute(f'DROP OWNED BY "odd ""{role}"; DROP ROLE "odd ""{role}"')


def test_somebodys_view_on_ours_holds_up_only_a_change_of_its_columns(storage, published, owner) -> None:
    published("SELECT 1 AS a", contract_version="1.0.0")
    owner.execute("CREATE VIEW public.theirs AS SELECT a FROM impressions.v1")
    before = published("SELECT 2 AS a", contract_version="1.0.1")
    assert owner.execute("SELECT a FROM public.theirs").fetchall() == [(2,)]
    with pytest.raises(StorageError, match="other views stand on it — drop those views, or raise the contract's major"):
        published("SELECT 'x' AS a", contract_version="1.1.0")
    assert storage.current() == before
    assert published("SELECT 'x' AS a", contract_version="2.0.0") == storage.current()


def test_a_readers_open_transaction_holds_up_no_publication(storage, published, postgres, owner, clock) -> None:
    published("SELECT 1 AS a", contract_version="1.0.0")
    with psycopg.connect(postgres) as idle:
        assert idle.execute("SELECT a FROM impressions.v1").fetchall() == [(1,)]
        newer = published("SELECT 2 AS a", contract_version="1.0.0")
        assert storage.current() == newer
        clock.advance(days=1)
        assert not [name for name in storage.sweep(clock.now, 0) if name.startswith("parts/")]
        assert idle.execute("SELECT a FROM impressions.v1").fetchall() == [(1,)]
    assert [name for name in storage.sweep(clock.now, 0) if name.startswith("parts/")]
    assert read(owner) == [(2,)]


def test_a_reader_that_waits_for_a_publication_in_its_turn_does_not_end_it(
    storage, published, postgres, owner, monkeypatch
) -> None:
    """A deadlock: Postgres ends one of the two, and the publication can do without its view for a while."""
    published("SELECT 1 AS a", contract_version="1.0.0")
    with psycopg.connect(postgres, options="-c deadlock_timeout=20s") as reader:
        reader.execute("SELECT a FROM impressions.v1")
        wait = threading.Thread(target=reader.execute, args=["SELECT FROM impressions.mesh_pointer FOR UPDATE"])

        def show(*given):
            wait.start()
            waits = "SELECT count(*) FROM pg_stat_activity WHERE pid = %s AND wait_event_type = 'Lock'"
            until = time.monotonic() + 30
            while owner.execute(waits, [reader.info.backend_pid]).fetchone() != (1,):
                assert time.monotonic() < until, "the reader does not come to wait"
                time.sleep(0.01)
            return postgres_views.show(*given)

        with monkeypatch.context() as while_it_publishes:
            while_it_publishes.setattr("mesh_defs.storage.postgres.show", show)
            newer = published("SELECT 2 AS a", contract_version="1.0.0")
        wait.join()
        assert storage.current() == newer
    assert read(owner) == [(1,)]
    published("SELECT 3 AS a", contract_version="1.0.0")
    assert read(owner) == [(3,)]


def test_a_sweep_leaves_what_a_query_is_reading(storage, published, place, clock, connection) -> None:
    old = published("SELECT range AS a FROM range(300_000)")
    held = connection.cursor()
    reader = held.execute(f"FROM {storage.relation(held, old.parts)}")
    seen = len(reader.fetchmany(10))
    published("SELECT 1 AS a")
    assert storage.sweep(clock.advance(days=1), 0) == (f"history/{old.id}",)
    assert seen + len(reader.fetchall()) == 300_000
    storage.release(held, old.parts)
    assert storage.sweep(clock.now, 0) == (f"parts/{old.id}",)


def test_a_sweep_leaves_tables_that_it_did_not_make_and_views_of_others(storage, published, owner, clock) -> None:
    old = published("SELECT 1 AS a")
    owner.execute("CREATE TABLE impressions.data_of_mine (a int); CREATE TABLE impressions.notes (a int)")
    owner.execute(f"CREATE VIEW public.theirs AS SELECT * FROM impressions.{old.parts[0].path}")
    published("SELECT 2 AS a")
    storage.sweep(clock.advance(days=1), 0)
    assert owner.execute("SELECT a FROM public.theirs").fetchall() == [(1,)]
    assert owner.execute("SELECT count(*) FROM impressions.data_of_mine, impressions.notes").fetchone() == (0,)


def test_a_writer_that_waits_too_long_for_another_says_so(
    storage, published, place, postgres, connection, monkeypatch
) -> None:
    published("SELECT 1 AS a")
    candidate = storage.stage(connection, "SELECT 2 AS a")
    monkeypatch.setattr(postgres_database, "LOCK_SECONDS_MAX", 0.05)
    with psycopg.connect(postgres) as other:
        other.execute("SELECT FROM impressions.mesh_pointer FOR UPDATE")
        with pytest.raises(StorageError, match="another session has held a lock for too long — find it in pg_stat"):
            place.storage().publish(candidate, stamp={})
    assert storage.publish(candidate, stamp={}) == storage.current()


def test_first_publications_at_once_lose_nothing(place) -> None:
    def write(partition: str) -> None:
        with duckdb.connect(config={"threads": 1}) as own:
            storage = place.storage()
            storage.publish(
                storage.stage(own, "SELECT 1 AS n", partition=partition), stamp={"contract_version": "1.0.0"}
            )

    threads = [threading.Thread(target=write, args=(name,)) for name in "abcdef"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [part.partition for part in place.storage().current().parts] == list("abcdef")
