"""Several processes at one place, and processes that die. Deadlines end a test that hangs; none decides its outcome."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from tests.storage.places import storage_in

PROCESSES = Path(__file__).parent / "processes"
HANGS_AFTER_SECONDS = 120
LAST, READERS, LAG, ROWS = 25, 3, 4, 5_000


def start(script: str, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, str(PROCESSES / script), *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(process: subprocess.Popen[str]) -> str:
    out, err = process.communicate(timeout=HANGS_AFTER_SECONDS)
    assert process.returncode == 0, err
    return out


def test_readers_see_whole_versions_only_and_never_fail(storage, connection, clock, place) -> None:
    """Retention outlives every query by construction: no reader is left more than LAG versions behind, six are kept."""
    readers = [start("reader.py", place.told(), LAST) for _ in range(READERS)]
    seen: list[list[int]] = [[] for _ in readers]

    def follow(reader: subprocess.Popen[str], answers: list[int]) -> None:
        for line in reader.stdout or []:
            answers.append(int(line))

    threads = [threading.Thread(target=follow, args=pair) for pair in zip(readers, seen, strict=True)]
    for thread in threads:
        thread.start()
    removed = 0
    for generation in range(1, LAST + 1):
        deadline = time.monotonic() + HANGS_AFTER_SECONDS
        while any(max(answers, default=0) < generation - LAG for answers in seen):
            assert all(reader.poll() is None for reader in readers), "a reader failed"
            assert time.monotonic() < deadline, "a reader hangs"
            time.sleep(0.001)
        candidate = storage.stage(connection, f"SELECT {generation} AS g, range AS i FROM range({ROWS})")
        storage.publish(candidate, stamp={"generation": generation})
        removed += len(storage.sweep(clock.advance(minutes=10), retention_seconds=3600))
    for thread, reader in zip(threads, readers, strict=True):
        thread.join()
        error = reader.stderr.read() if reader.stderr else ""
        assert reader.wait(HANGS_AFTER_SECONDS) == 0, error
    assert removed > LAST  # records and parts of all but the retained
    for answers in seen:
        assert answers[-1] == LAST
        assert len(set(answers)) >= LAST // (LAG + 1)


def test_two_processes_publishing_partitions_lose_nothing(place, connection) -> None:
    times = 4 if place.server.kind == "iceberg" else 12  # it asks a toy S3 thirty times for each publication
    writers = [start("partition_writer.py", place.told(), times, *own) for own in (("a", "b"), ("c", "d"))]
    for writer in writers:
        finish(writer)
    storage = place.storage()
    version = storage.current()
    relation = storage.relation(connection, version.parts)
    assert connection.execute(f"SELECT p, n FROM {relation} ORDER BY p").fetchall() == [(p, times) for p in "abcd"]
    assert len(storage.versions()) == 4 * times


def test_threads_of_one_process_lose_nothing(storage, connection) -> None:
    def write(partition: str) -> None:
        own = connection.cursor()
        for n in range(5):
            storage.publish(storage.stage(own, f"SELECT {n} AS n", partition=partition), stamp={})

    threads = [threading.Thread(target=write, args=(partition,)) for partition in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [(part.partition, part.rows) for part in storage.current().parts] == [(p, 1) for p in "abcd"]
    assert len(storage.versions()) == 20


def test_wherever_a_writer_of_files_dies_a_whole_version_stays(
    kind, storage, connection, published, folder, tmp_path
) -> None:
    published("SELECT 1 AS g FROM range(1000)")
    codes = finish(start("dying_writer.py", kind, tmp_path / "dead", folder)).split()
    assert set(codes[:-1]) == {str(-signal.SIGKILL)}
    assert codes[-1] == "0"
    assert len(codes) > 25
    generations = [survives(kind, tmp_path / "dead" / str(n), connection) for n in range(-1, len(codes) - 1)]
    assert generations == sorted(generations), "the flip is one step: dead before it, or alive after it"
    assert set(generations) == {1, 2}


def survives(kind, place: Path, connection: duckdb.DuckDBPyConnection) -> int:
    """Return the generation that readers see after the death; the next writer and sweeper must find all in order."""
    storage = storage_in(kind, place)
    assert storage.current().recovered is None
    [(generation, count)] = read(storage, connection)
    assert count == 1000
    whole, seen = (place / "manifest.json").read_bytes(), storage.current().id
    (place / "manifest.json").write_bytes(b"")  # what was seen once is never lost with the pointer
    assert generation == 1 or storage.current().id == seen
    (place / "manifest.json").write_bytes(whole)
    storage.publish(storage.stage(connection, "SELECT 4 AS g"), stamp={})
    storage.sweep(datetime.now(UTC) + timedelta(days=1), retention_seconds=60)
    assert read(storage, connection) == [(4, 1)]
    left = sorted(path.relative_to(place).parts[0] for path in place.rglob("*") if path.is_file())
    assert left == ["history", "lock", "manifest.json", "parts"]
    return generation


def read(storage, connection: duckdb.DuckDBPyConnection) -> list[tuple[int, int]]:
    parts = storage.current().parts
    relation = storage.relation(connection, parts)
    rows = connection.execute(f"SELECT g, count(*) FROM {relation} GROUP BY g").fetchall()
    storage.release(connection, parts)
    return rows


def test_a_first_publication_that_dies_before_its_flip_is_no_publication(
    storage, connection, published, folder
) -> None:
    version = published("SELECT 1 AS a")
    (folder / "manifest.json").unlink()  # as if killed between the record and the pointer
    assert storage.current() is None
    assert storage.versions() == ()
    again = published("SELECT 2 AS a")
    assert storage.versions() == (again,)
    assert version.id != again.id


def test_a_publication_that_died_before_its_flip_does_not_come_back(storage, connection, published, folder) -> None:
    published("SELECT 1 AS a")
    pointer = (folder / "manifest.json").read_bytes()
    dead = published("SELECT 2 AS a")
    (folder / "manifest.json").write_bytes(pointer)
    assert [version.id for version in storage.versions()] != [dead.id]
    published("SELECT 3 AS a")
    (folder / "manifest.json").write_bytes(b"")
    assert dead.id not in [version.id for version in storage.versions()]


def test_a_place_moved_elsewhere_still_reads(storage, published, folder, tmp_path, connection) -> None:
    """Nothing in a place names the place: it can be moved, restored or mounted elsewhere."""
    version = published("SELECT 1 AS a")
    shutil.move(folder, tmp_path / "moved")
    moved = storage_in(storage.kind, tmp_path / "moved")
    assert moved.current() == version
    assert connection.execute(f"FROM {moved.relation(connection, version.parts)}").fetchall() == [(1,)]
    assert os.fspath(tmp_path / "moved") in moved.pin("a.b", version).locations[0]


@pytest.mark.parametrize("retention_seconds", [0.0, 3600.0])
def test_a_candidate_swept_before_its_publication_is_not_published(
    storage, connection, clock, retention_seconds
) -> None:
    candidate = storage.stage(connection, "SELECT 1 AS a")
    storage.sweep(clock.advance(hours=2), retention_seconds)
    with pytest.raises(Exception, match="is missing"):
        storage.publish(candidate, stamp={})
    assert storage.current() is None
