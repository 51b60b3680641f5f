"""What only S3 has: places in buckets, secrets, writers without a lock, and processes that die between two requests."""

import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from mesh_defs.errors import StorageError
from mesh_defs.model.place import S3Access
from mesh_defs.model.version import Version
from mesh_defs.storage import s3_client
from mesh_defs.storage.open import allowed_paths, attach
from tests.storage.places import Place, s3_place
from tests.storage.s3_faults import Proxy, proxied

PROCESSES = Path(__file__).parent / "processes"
HANGS_AFTER_SECONDS = 240
READERS, LAST, ROWS = 8, 8, 5_000


@pytest.fixture
def kind() -> str:
    return "s3"


@pytest.fixture
def proxy(s3_server: S3Access) -> Iterator[Proxy]:
    with proxied(s3_server) as proxy:
        yield proxy


@pytest.fixture
def place(proxy: Proxy, bucket: str) -> Place:
    return s3_place(proxy.access, bucket)


def read(place: Place, version: Version, select: str = "*") -> list[tuple[object, ...]]:
    with duckdb.connect() as connection:
        return connection.execute(
            f"SELECT {select} FROM {place.storage().relation(connection, version.parts)}"
        ).fetchall()


def at_once(*calls: Callable[[], object]) -> list[Exception]:
    """Make the calls at the same moment; return what they raised."""
    barrier, raised = threading.Barrier(len(calls)), list[Exception]()

    def run(call: Callable[[], object]) -> None:
        barrier.wait()
        try:
            call()
        except StorageError as error:
            raised.append(error)

    threads = [threading.Thread(target=run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return raised


@pytest.mark.parametrize(
    "prefix",
    ["", "a*", "a?", "a[b]", "a b", "../x", "a/../b", "a/./b", "a//b", "a/", "{x}", "%2e%2e/b", "größe", "a#b"],
)
def test_a_place_that_is_a_pattern_or_leads_elsewhere_is_refused(s3_server, prefix) -> None:
    with pytest.raises(StorageError, match="no place in a bucket — write s3://bucket/prefix"):
        s3_place(s3_server, "bucket", prefix).storage()


def test_a_missing_bucket_is_told(s3_server, connection) -> None:
    storage = s3_place(s3_server, "no-such-bucket").storage()
    for ask in (storage.current, lambda: storage.stage(connection, "SELECT 1 AS a")):
        with pytest.raises(StorageError, match=r"404 \(NoSuchBucket\) — create the bucket") as error:
            ask()
        assert "s3://no-such-bucket/events" in str(error.value)


def test_without_any_key_it_says_what_to_set(s3_server, bucket, connection, monkeypatch) -> None:
    place = s3_place(replace(s3_server, key=None, secret=None), bucket)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/nowhere")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    forget_sessions()
    with pytest.raises(StorageError, match="set MESH_EVENTS_S3 to https://key:secret@host, or give this process AWS"):
        place.storage().current()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "chain")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of-the-machine")
    forget_sessions()
    version = place.storage().publish(place.storage().stage(connection, "SELECT 1 AS a"), stamp={})
    assert read(place, version) == [(1,)]
    forget_sessions()


def forget_sessions() -> None:
    s3_client._session.cache_clear()
    s3_client._client.cache_clear()


def test_no_text_of_sql_and_no_name_holds_a_secret(place, connection, published) -> None:
    version = published("SELECT 1 AS a")
    relation = place.storage().relation(connection, version.parts)
    seen = connection.execute("SELECT * FROM duckdb_secrets()").fetchall()
    for text in (relation, str(seen), repr(place.storage()), repr(place.storage().pin("a.b", version)), repr(place)):
        assert "of-the-mesh" not in text
    assert "secret=redacted" in str(seen)


def test_a_secret_is_for_the_pinned_parts_alone(place, connection, published) -> None:
    """Unlocked even, an engine that reads one version reads no other and nothing beside it."""
    old, new = published("SELECT 1 AS a"), published("SELECT 2 AS a")
    storage = place.storage()
    with duckdb.connect() as engine:
        scan = attach(engine, storage.pin("a.b", new), place.access)
        [(scope,)] = engine.execute("SELECT scope FROM duckdb_secrets()").fetchall()
        assert scope == list(storage.pin("a.b", new).locations)
        assert engine.execute(f"FROM {scan}").fetchall() == [(2,)]
        engine.execute("SET http_retries = 0")
        other = storage.pin("a.b", old).locations[0]
        [(named,)] = engine.execute("SELECT name FROM which_secret($url, 's3')", {"url": other}).fetchall() or [(None,)]
        assert named is None


def test_a_locked_engine_reads_the_pin_and_nothing_else(place, connection, published) -> None:
    old, new = published("SELECT 1 AS a"), published("SELECT 2 AS a")
    storage = place.storage()
    pin = storage.pin("a.b", new)
    with duckdb.connect() as engine:
        engine.execute(f"CREATE VIEW v AS SELECT * FROM {attach(engine, pin, place.access)}")
        engine.execute("SET allowed_paths = $paths", {"paths": list(allowed_paths(pin))})
        engine.execute("SET enable_external_access = false")
        engine.execute("SET lock_configuration = true")
        assert engine.execute("FROM v").fetchall() == [(2,)]
        for refused in (
            f"FROM '{storage.pin('a.b', old).locations[0]}'",
            f"FROM read_text('{place.server.place}/manifest.json')",
            f"COPY (SELECT 1) TO '{place.server.place}/mine.parquet'",
            "SELECT secret_string FROM duckdb_secrets(redact = false)",
        ):
            with pytest.raises(duckdb.Error):
                engine.execute(refused)


def test_files_of_the_same_length_staged_one_after_the_other_are_not_mixed_up(storage, connection) -> None:
    """DuckDB remembers the columns of a file by its name, and an unnamed one has that of its descriptor."""
    for first, second in ("ab", "ba", "cd", "dc") * 3:
        candidate = storage.stage(connection, f"SELECT 1 AS {first}, 2 AS {second}")
        assert list(candidate.columns) == [first, second]


def test_a_stage_leaves_nothing_where_duckdb_spills(storage, connection, tmp_path) -> None:
    connection.execute("SET temp_directory = $folder", {"folder": str(tmp_path / "spill")})
    storage.stage(connection, "SELECT 1 AS a")
    with pytest.raises(StorageError):
        storage.stage(connection, "SELECT error('no') AS a FROM range(9)")
    assert list((tmp_path / "spill").iterdir()) == []


def test_sweepers_with_wrong_clocks_never_take_what_is_being_published(place, connection, published) -> None:
    """A sweeper whose clock is a year ahead takes every candidate for an old one; it or the publisher wins, never both."""
    storage = place.storage()
    published("SELECT 0 AS n")
    for n in range(1, 13):
        candidate, before = storage.stage(connection, f"SELECT {n} AS n"), storage.current()
        raised = at_once(
            lambda candidate=candidate: storage.publish(candidate, stamp={}),
            lambda: storage.sweep(datetime.now(UTC) + timedelta(days=365), 3600),
        )
        assert len(raised) <= 1, raised
        assert all("is missing" in str(error) for error in raised)
        now = storage.current()
        assert now.id == (before.id if raised else candidate.id)
        assert len(read(place, now)) == 1


def test_a_candidate_is_published_or_refused_but_never_both(place, connection, published) -> None:
    storage = place.storage()
    published("SELECT 0 AS n")
    for n in range(1, 9):
        candidate = storage.stage(connection, f"SELECT {n} AS n")
        raised = at_once(
            lambda candidate=candidate: storage.publish(candidate, stamp={}),
            lambda candidate=candidate: storage.refuse(candidate, [{"check": "x"}]),
        )
        assert len(raised) == 1
        is_refused = candidate.id in [one.id for one in storage.refused()]
        assert is_refused != (storage.current().id == candidate.id)
        assert len(read(place, storage.current())) == 1


def test_many_writers_of_partitions_and_a_sweeper_lose_nothing(place, connection) -> None:
    storage, writers = place.storage(), "abcdef"

    def write(partition: str) -> None:
        with duckdb.connect(config={"threads": 1}) as own:
            for n in range(1, 6):
                candidate = storage.stage(own, f"SELECT '{partition}' AS p, {n} AS n", partition=partition)
                storage.publish(candidate, stamp={})
                storage.sweep(datetime.now(UTC) + timedelta(hours=2), 3600)

    assert at_once(*(lambda p=p: write(p) for p in writers)) == []
    assert sorted(read(place, storage.current())) == [(p, 5) for p in writers]


def test_a_pointer_restored_from_a_backup_goes_on_from_the_history(place, connection, published) -> None:
    published("SELECT 1 AS n", partition="mon")
    old = place.objects.get("manifest.json").content
    published("SELECT 2 AS n", partition="tue")
    published("SELECT 3 AS n", partition="wed")
    place.objects.put("manifest.json", old)
    storage = place.storage()
    storage.sweep(datetime.now(UTC) + timedelta(days=9), 0)
    version = published("SELECT 4 AS n", partition="thu")
    assert sorted(read(place, version)) == [(1,), (2,), (3,), (4,)]
    assert len(storage.versions()) == 4


def test_foreign_objects_are_left_alone_and_are_no_records(place, clock, published) -> None:
    for n in range(3):
        published(f"SELECT {n} AS n")
    for name in ("history/notes.json", "history/1.json", "history/0000000099.txt", "parts/README", "notes"):
        place.objects.put(name, b"mine")
    before = place.stored()
    assert place.storage().sweep(clock.now, 3600) == ()
    assert place.stored() == before
    assert len(place.storage().versions()) == 3


def test_an_object_that_was_cut_short_is_torn(place, published) -> None:
    version = published("SELECT 1 AS n")
    place.objects.put(version.parts[0].path, b"PAR1")
    with pytest.raises(StorageError, match="is torn: 4 bytes of"):
        place.storage().pin("a.b", version)


def test_a_neighbour_whose_prefix_begins_alike_is_left_alone(proxy, bucket, connection) -> None:
    mine, other = s3_place(proxy.access, bucket, "a/p"), s3_place(proxy.access, bucket, "a/p2")
    other.storage().stage(connection, "SELECT 1 AS a")
    before = other.stored()
    mine.storage().publish(mine.storage().stage(connection, "SELECT 1 AS a"), stamp={})
    mine.storage().sweep(datetime.now(UTC) + timedelta(days=9), 0)
    assert other.stored() == before
    assert other.storage().current() is None


def start(script: str, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, str(PROCESSES / script), *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_wherever_a_writer_on_s3_dies_a_whole_version_stays(s3_server, bucket, connection) -> None:
    place = s3_place(s3_server, bucket)
    writer = start("s3_dying_writer.py", place.told())
    out, err = writer.communicate(timeout=HANGS_AFTER_SECONDS)
    codes = out.split()
    assert set(codes[:-1]) == {str(-signal.SIGKILL)}
    assert codes[-1] == "0", err
    assert len(codes) > 20
    generations = [survives(place, number, connection) for number in range(len(codes))]
    assert generations == sorted(generations), "the flip is one step: dead before it, or alive after it"
    assert set(generations) == {1, 2}


def survives(place: Place, number: int, connection: duckdb.DuckDBPyConnection) -> int:
    """Return the generation that readers see after the death; the next writer and sweeper must find all in order."""
    own = replace(place, server=replace(place.server, place=f"{place.server.place}/{number}"))
    storage = own.storage()
    seen = storage.current()
    assert seen.recovered is None
    [(generation, count)] = read(own, seen, "min(g), count(*)")
    assert count == 1000
    own.objects.remove(["manifest.json"])  # what was seen once is never lost with the pointer
    assert (generation == 1 and storage.current() is None) or generation <= read(own, storage.current(), "min(g)")[0][0]
    version = storage.publish(storage.stage(connection, "SELECT 4 AS g"), stamp={})
    storage.sweep(datetime.now(UTC) + timedelta(days=1), retention_seconds=0)
    assert read(own, version) == [(4,)]
    left = {name.split("/")[0] for name in own.objects.names("")}
    assert left == {"history", "manifest.json", "parts"}
    assert len(storage.versions()) == 1
    assert len(own.stored()) == 3
    return generation


def test_eight_readers_and_a_writer_see_whole_versions_only(place, connection) -> None:
    readers = [start("reader.py", place.told(), LAST) for _ in range(READERS)]
    storage = place.storage()
    for generation in range(1, LAST + 1):
        candidate = storage.stage(connection, f"SELECT {generation} AS g, range AS i FROM range({ROWS})")
        storage.publish(candidate, stamp={"generation": generation})
        storage.sweep(datetime.now(UTC), retention_seconds=3600)
        threading.Event().wait(0.3)
    for reader in readers:
        out, err = reader.communicate(timeout=HANGS_AFTER_SECONDS)
        assert reader.returncode == 0, err
        assert out.split()[-1] == str(LAST)
