"""What is removed, and what must never be."""

from contextlib import suppress
from datetime import timedelta

import pytest

from mesh_defs.errors import StorageError

HOUR = 3600.0


def test_keeps_what_a_query_may_still_read(storage, published, clock, rows) -> None:
    versions = []
    for generation in range(6):
        versions.append(published(f"SELECT {generation} AS g"))
        clock.advance(minutes=30)
    removed = storage.sweep(clock.now, HOUR)
    kept = [version.id for version in storage.versions()]
    # Now is 3:00; generation 3 was superseded at 2:00, which is just not more than an hour ago.
    assert kept == [version.id for version in versions[:2:-1]]
    assert [rows(version.parts) for version in storage.versions()] == [[(5,)], [(4,)], [(3,)]]
    assert {f"parts/{version.id}" for version in versions[:3]} <= set(removed)
    assert storage.sweep(clock.now, HOUR) == ()


def test_never_removes_the_current_version_however_old(storage, published, clock, rows) -> None:
    version = published("SELECT 1 AS a")
    assert storage.sweep(clock.advance(days=3650), 0) == ()
    assert rows(storage.current().parts) == [(1,)]
    assert storage.current() == version


def test_never_removes_a_part_that_a_newer_version_kept(storage, published, clock, rows) -> None:
    published("SELECT 1 AS a", partition="mon")
    for n in range(4):
        clock.advance(days=1)
        published(f"SELECT {n} AS a", partition="tue")
    storage.sweep(clock.advance(days=1), HOUR)
    assert len(storage.versions()) == 1
    assert rows(storage.current().parts) == [(1,), (3,)]


def test_removes_orphans_only_when_they_are_old(storage, connection, published, clock, stored) -> None:
    published("SELECT 1 AS a")
    before = stored()
    storage.stage(connection, "SELECT 2 AS a")
    clock.advance(minutes=30)
    young = storage.stage(connection, "SELECT 3 AS a")
    clock.advance(minutes=31)
    storage.sweep(clock.now, HOUR)
    assert stored() == before | {young.parts[0].path}
    assert storage.publish(young, stamp={}) == storage.current()


def test_removes_orphans_of_a_product_never_published(storage, connection, clock, stored) -> None:
    storage.stage(connection, "SELECT 1 AS a")
    assert len(storage.sweep(clock.advance(hours=2), HOUR)) == 1
    assert stored() == set()


def test_removes_refused_ones_when_they_are_old(storage, connection, clock, stored) -> None:
    candidate = storage.stage(connection, "SELECT 1 AS a")
    clock.advance(hours=5)
    storage.refuse(candidate, [{"check": "unique"}])
    assert storage.sweep(clock.advance(minutes=59), HOUR) == ()
    assert storage.sweep(clock.advance(minutes=2), HOUR) == (f"refused/{candidate.id}",)
    assert storage.refused() == ()
    assert stored() == set()


@pytest.mark.parametrize("torn", [b"", b"{}", None])
def test_removes_nothing_while_the_pointer_is_damaged(
    storage, connection, published, clock, stored, folder, torn
) -> None:
    for _ in range(3):
        published("SELECT 1 AS a")
    storage.stage(connection, "SELECT 2 AS a")
    pointer = folder / "manifest.json"
    pointer.unlink() if torn is None else pointer.write_bytes(torn)
    before = stored()
    assert storage.sweep(clock.advance(days=99), 0) == ()
    assert stored() == before


def test_removes_nothing_while_a_retained_record_is_damaged(storage, published, clock, stored, folder) -> None:
    """The parts that it names are unknown, and a reader may hold them: here Monday's, staged long ago."""
    published("SELECT 1 AS a", partition="tue")
    published("SELECT 2 AS a", partition="mon")
    clock.advance(hours=5)
    published("SELECT 3 AS a", partition="mon")
    sorted((folder / "history").iterdir())[1].write_bytes(b"")
    before = stored()
    assert storage.sweep(clock.advance(minutes=30), HOUR) == ()
    assert stored() == before
    storage.sweep(clock.advance(hours=1), HOUR)
    assert len(stored()) == 4  # the pointer, its record, two parts


def test_a_publication_that_died_before_its_flip_is_swept_and_stays_dead(
    storage, published, clock, rows, folder
) -> None:
    published("SELECT 1 AS a")
    pointer = (folder / "manifest.json").read_bytes()
    dead = published("SELECT 2 AS a")
    (folder / "manifest.json").write_bytes(pointer)  # as if killed between the record and the pointer
    assert f"parts/{dead.id}" in storage.sweep(clock.advance(hours=2), HOUR)
    (folder / "manifest.json").write_bytes(b"")
    assert rows(storage.current().parts) == [(1,)]


def test_leaves_alone_what_it_did_not_make(storage, published, clock, stored, folder) -> None:
    published("SELECT 1 AS a")
    for name in ("parts/README", "parts/backup/0.parquet", "history/notes.txt", "refused/mine/x", "notes.txt"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("mine")
    before = stored()
    assert storage.sweep(clock.advance(days=99), 0) == ()
    assert stored() == before


def test_does_not_follow_links_out_of_the_place(storage, connection, published, clock, folder, tmp_path) -> None:
    published("SELECT 1 AS a")
    orphan = storage.stage(connection, "SELECT 2 AS a")
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").write_text("x")
    (folder / "parts" / orphan.id / "link").symlink_to(tmp_path / "precious")
    storage.sweep(clock.advance(days=1), HOUR)
    assert (tmp_path / "precious" / "file").exists()
    assert not (folder / "parts" / orphan.id).exists()


def test_history_stays_short_over_many_versions(storage, published, clock, stored) -> None:
    for generation in range(20):
        published(f"SELECT {generation} AS a")
        storage.sweep(clock.advance(minutes=10), HOUR)
    assert len(storage.versions()) == 7
    assert len(stored()) <= 1 + 2 * 7


def test_a_candidate_that_is_refused_after_a_sweep_took_it_leaves_nothing(storage, connection, clock, stored) -> None:
    """As when the sweep's clock is a year ahead of the step's."""
    candidate = storage.stage(connection, "SELECT 1 AS a")
    storage.sweep(clock() + timedelta(days=365), retention_seconds=3600)
    with suppress(StorageError):
        storage.refuse(candidate, [{"check": "x"}])
    storage.sweep(clock.advance(days=2), retention_seconds=3600)
    assert (storage.refused(), stored()) == ((), set())
