"""A Postgres that is killed, a writer that is killed, a disk that is full: nothing partial is seen, nothing acknowledged
is lost, nothing is left for ever. Each server here is the test's own."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import psycopg
import pytest
from duckdb.sqltypes import BIGINT

from mesh_defs.errors import StorageError, StorageUnreachableError
from tests.storage.places import Place, postgres_place
from tests.storage.postgres_crashes import Server

PROCESSES = Path(__file__).parent / "processes"
HANGS_AFTER_SECONDS = 120


@pytest.fixture
def kind() -> str:
    return "postgres"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """Not below pytest's own folder, which every pytest that starts closes to other users, the server's among them."""
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder) / "data")
        yield server
        server.stop()


@pytest.fixture
def place(server: Server) -> Iterator[Place]:
    server.start()
    place = postgres_place(server.url)
    yield place
    server.start()
    with psycopg.connect(server.url) as owner:
        owner.execute(f'DROP SCHEMA IF EXISTS "{place.server.place}" CASCADE')


def generation(place: Place) -> tuple[int, int]:
    """What a reader sees: the one generation of all rows, and their number."""
    storage = place.storage()
    with duckdb.connect() as connection:
        relation = storage.relation(connection, storage.current().parts)
        [row] = connection.execute(f"SELECT g, count(*) FROM {relation} GROUP BY g").fetchall()
    return row


def everything_in_order(place: Place) -> None:
    """The next writer and sweeper find nothing that stays for ever."""
    with duckdb.connect() as connection:
        storage = place.storage()
        version = storage.publish(storage.stage(connection, "SELECT 9 AS g"), stamp={"contract_version": "1.9.0"})
        storage.sweep(datetime.now(UTC) + timedelta(days=1), retention_seconds=60)
    assert place.stored() == {version.parts[0].path, f"mesh_history/{version.id}"}
    assert generation(place) == (9, 1)
    with psycopg.connect(place.access.postgres) as reader:
        assert reader.execute("SELECT g FROM impressions.v1").fetchall() == [(9,)]


def test_a_server_that_crashes_in_mid_write_leaves_the_last_good_version(server, place, published, connection) -> None:
    before = published("SELECT 1 AS g FROM range(1000)", contract_version="1.0.0")

    def crash(n: int) -> int:
        server.crash()
        return n

    connection.create_function("crash", crash, [BIGINT], BIGINT)
    select = "SELECT CASE WHEN range = 250_000 THEN crash(range) ELSE 2 END AS g FROM range(400_000)"
    with pytest.raises(StorageUnreachableError, match="Postgres does not answer"):
        place.storage().stage(connection, select)
    for ask in (place.storage().current, lambda: place.storage().pin("a.b", before)):
        with pytest.raises(StorageUnreachableError):
            ask()
    server.start()
    assert place.storage().current() == before
    assert generation(place) == (1, 1000)
    everything_in_order(place)


def test_a_server_that_crashes_between_audit_and_flip_can_be_published_to_again(
    server, place, storage, published, connection
) -> None:
    before = published("SELECT 1 AS g FROM range(1000)", contract_version="1.0.0")
    candidate = storage.stage(connection, "SELECT 2 AS g FROM range(1000)")
    server.crash()
    for ask in (lambda: storage.publish(candidate, stamp={}), lambda: storage.refuse(candidate, [])):
        with pytest.raises(StorageUnreachableError):
            ask()
    server.start()
    assert storage.current() == before
    version = storage.publish(candidate, stamp={"contract_version": "1.0.0"})
    server.crash()
    server.start()
    assert storage.current() == version
    assert generation(place) == (2, 1000)
    everything_in_order(place)


def test_no_acknowledged_version_is_lost_in_a_crash(server, place) -> None:
    code = """
import sys, duckdb
from tests.storage.places import place_told
storage = place_told(sys.argv[1]).storage()
connection = duckdb.connect(config={"threads": 1})
for g in range(1, 10_000):
    storage.publish(storage.stage(connection, f"SELECT {g} AS g FROM range(1000)"), stamp={"contract_version": "1.0.0"})
    print(g, flush=True)
"""
    acknowledged = 0
    for _ in range(3):
        writer = subprocess.Popen(
            [sys.executable, "-c", code, place.told()], stdout=subprocess.PIPE, text=True, stderr=subprocess.PIPE
        )
        lines = iter(writer.stdout)
        for _ in range(5):
            acknowledged = int(next(lines))
        server.crash()
        rest, error = writer.communicate(timeout=HANGS_AFTER_SECONDS)
        acknowledged = int((rest.split() or [acknowledged])[-1])
        assert "StorageUnreachableError" in error
        server.start()
        seen, rows = generation(place)
        assert rows == 1000
        assert seen in (acknowledged, acknowledged + 1), "at most the one whose answer was lost on the way is newer"
    everything_in_order(place)


def test_a_scan_whose_server_crashes_fails_and_the_next_one_reads(server, place, storage, published) -> None:
    version = published("SELECT 1 AS g FROM range(1_000_000)")
    with duckdb.connect() as connection:
        relation = storage.relation(connection, version.parts)
        reader = connection.execute(f"FROM {relation}")
        assert reader.fetchmany(3)
        server.crash()
        with pytest.raises(duckdb.Error):
            list(iter(lambda: reader.fetchmany(100_000), []))
        server.start()
        deadline = time.monotonic() + HANGS_AFTER_SECONDS
        while time.monotonic() < deadline:  # the pool throws its dead connections away one by one
            try:
                assert connection.execute(f"SELECT count(*) FROM {relation}").fetchall() == [(1_000_000,)]
                break
            except duckdb.Error:
                continue
        else:
            pytest.fail("never read again")


def test_a_session_that_is_ended_in_mid_stage_leaves_nothing(place, published, connection, server) -> None:
    before = published("SELECT 1 AS g FROM range(1000)", contract_version="1.0.0")
    names = place.stored()

    def end(n: int) -> int:
        with psycopg.connect(server.url) as other:
            other.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE application_name = 'mesh' AND pid <> pg_backend_pid()"
            )
        return n

    connection.create_function("end_session", end, [BIGINT], BIGINT)
    select = "SELECT CASE WHEN range = 250_000 THEN end_session(range) ELSE 2 END AS g FROM range(400_000)"
    with pytest.raises(StorageUnreachableError):
        place.storage().stage(connection, select)
    assert (place.storage().current(), place.stored()) == (before, names)
    # A COPY that is cut off ends the step's DuckDB instance; the retry has another.
    with pytest.raises(StorageUnreachableError):
        place.storage().stage(connection, "SELECT 2 AS g")
    everything_in_order(place)


def test_a_full_disk_is_told_and_leaves_nothing(server, place, published, connection) -> None:
    """A limit on the size of the server's files stands in for a full disk: COPY fails in the middle."""
    before, names = published("SELECT 1 AS g FROM range(1000)", contract_version="1.0.0"), place.stored()
    server.restart(file_bytes_max=24 << 20)  # a segment of the log has 16 MiB
    try:
        with pytest.raises(StorageError) as caught:
            place.storage().stage(connection, "SELECT 2 AS g, random() AS a, random() AS b FROM range(1_500_000)")
    finally:
        server.restart()
    assert "File too large — raise the limit" in str(caught.value)
    assert (place.storage().current(), place.stored()) == (before, names)
    assert published("SELECT 2 AS g", contract_version="1.0.0") == place.storage().current()
    everything_in_order(place)


def test_an_interrupted_step_leaves_nothing(place, published, connection) -> None:
    published("SELECT 1 AS g FROM range(1000)", contract_version="1.0.0")
    names = place.stored()

    def interrupt(n: int) -> int:
        if n == 250_000:
            os.kill(os.getpid(), signal.SIGINT)
        return n

    connection.create_function("interrupt", interrupt, [BIGINT], BIGINT)
    with pytest.raises((KeyboardInterrupt, RuntimeError, StorageError)):
        place.storage().stage(connection, "SELECT interrupt(range) AS g FROM range(5_000_000)")
    assert place.stored() == names
    assert generation(place) == (1, 1000)


def test_wherever_a_writer_dies_a_whole_version_stays(server) -> None:
    attempts = 70
    places = [postgres_place(server.url, f"dying_{n}") for n in range(attempts)]
    with duckdb.connect() as connection:
        for place in places:
            storage = place.storage()
            candidate = storage.stage(connection, "SELECT 1 AS g FROM range(1000)")
            storage.publish(candidate, stamp={"contract_version": "1.0.0"})
    command = [sys.executable, str(PROCESSES / "dying_postgres_writer.py"), *(place.told() for place in places)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=HANGS_AFTER_SECONDS, check=False)
    codes = done.stdout.split()
    assert (set(codes[:-1]), codes[-1]) == ({str(-signal.SIGKILL)}, "0"), done.stderr
    assert len(codes) > 25
    generations = [survives(place) for place in places[: len(codes)]]
    assert generations == sorted(generations), "the flip is one step: dead before it, or alive after it"
    assert set(generations) == {1, 2}
    with psycopg.connect(server.url, autocommit=True) as owner:
        for place in places:
            owner.execute(f"DROP SCHEMA {place.server.place} CASCADE")


def survives(place: Place) -> int:
    """Return the generation that readers see after the death; the next writer and sweeper must find all in order."""
    seen, count = generation(place)
    assert count == 1000
    with psycopg.connect(place.access.postgres) as reader:
        rows = reader.execute(f"SELECT g, count(*) FROM {place.server.place}.v1 GROUP BY g").fetchall()
    assert rows == [(seen, 1000)], "the view and the pointer flip together"
    storage = place.storage()
    with duckdb.connect() as connection:
        version = storage.publish(storage.stage(connection, "SELECT 4 AS g"), stamp={"contract_version": "1.0.0"})
    storage.sweep(datetime.now(UTC) + timedelta(days=1), retention_seconds=60)
    assert place.stored() == {version.parts[0].path, f"mesh_history/{version.id}"}
    assert generation(place) == (4, 1)
    return seen
