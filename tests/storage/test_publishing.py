"""What readers see, before and after the one step that changes it."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from mesh_defs.errors import StorageError
from tests.storage.places import storage_in


def test_nothing_is_published_at_first(storage, stored) -> None:
    assert storage.current() is None
    assert storage.versions() == ()
    assert storage.refused() == ()
    assert storage.sweep(datetime.now(UTC), 0) == ()
    assert stored() == set()


def test_staging_changes_nothing_for_readers(storage, connection, published) -> None:
    before = published("SELECT 1 AS a")
    storage.stage(connection, "SELECT 2 AS a")
    assert storage.current() == before


def test_publishing_returns_what_readers_then_see(storage, connection, clock, rows) -> None:
    candidate = storage.stage(connection, "SELECT 1 AS z, 'x' AS a")
    stamp = {"contract": "1.2.0", "inputs": {"a.b": "v1"}, "tuple": (1, 2.5, None), "text": "naïve 🐘 \ud800"}
    version = storage.publish(candidate, stamp=stamp)
    assert version == storage.current() == storage.versions()[0]
    assert (version.id, version.published_at, version.recovered) == (candidate.id, clock.now, None)
    assert list(version.columns) == ["z", "a"]
    assert version.stamp == {**stamp, "tuple": [1, 2.5, None]}
    assert rows(version.parts) == [(1, "x")]


def test_versions_are_newest_first_even_when_the_clock_steps_back(storage, published, clock) -> None:
    expected = []
    for step in (1, -5, 2):
        clock.advance(hours=step)
        expected.append(published(f"SELECT {step} AS a").id)
    assert [version.id for version in storage.versions()] == expected[::-1]
    assert storage.current().id == expected[-1]


def test_an_old_version_can_still_be_read(storage, connection, published, rows) -> None:
    old = published("SELECT 1 AS a")
    for generation in (2, 3, 4):
        published(f"SELECT {generation} AS a")
    assert rows(storage.versions()[-1].parts) == [(1,)]
    assert storage.pin("events.impressions", old).version == old.id


def test_a_version_held_open_outlives_three_newer_ones(storage, connection, published, clock) -> None:
    published("SELECT 1 AS g FROM range(500_000)")
    held = connection.cursor()
    result = held.execute(f"SELECT g FROM {storage.relation(held, storage.current().parts)}")
    seen = set(result.fetchmany(10))
    for generation in (2, 3, 4):
        clock.advance(minutes=10)
        published(f"SELECT {generation} AS g FROM range(1000)")
        storage.sweep(clock.now, retention_seconds=3600)
    rest = result.fetchall()
    assert seen | set(rest) == {(1,)}
    assert len(rest) == 499_990


def test_publishing_the_current_version_again_changes_nothing(storage, connection, stored) -> None:
    candidate = storage.stage(connection, "SELECT 1 AS a")
    first = storage.publish(candidate, stamp={"try": 1})
    before = stored()
    assert storage.publish(candidate, stamp={"try": 2}) == first
    assert stored() == before


def test_an_old_candidate_cannot_come_back(storage, connection, published) -> None:
    candidate = storage.stage(connection, "SELECT 1 AS a")
    storage.publish(candidate, stamp={})
    newer = published("SELECT 2 AS a")
    with pytest.raises(StorageError, match="was published before — stage it anew"):
        storage.publish(candidate, stamp={})
    assert storage.current() == newer


def test_a_stamp_that_is_not_json_changes_nothing(storage, connection, published, stored) -> None:
    before, candidate = published("SELECT 1 AS a"), storage.stage(connection, "SELECT 2 AS a")
    names = stored()
    for stamp in ({"x": datetime.now(UTC)}, {"x": float("nan")}):
        with pytest.raises((TypeError, ValueError)):
            storage.publish(candidate, stamp=stamp)
    assert (storage.current(), stored()) == (before, names)


def test_a_candidate_that_lost_its_parts_is_not_published(storage, connection, published, place) -> None:
    before, candidate = published("SELECT 1 AS a"), storage.stage(connection, "SELECT 2 AS a")
    place.lose(candidate.parts[0])
    with pytest.raises(StorageError, match="is missing"):
        storage.publish(candidate, stamp={})
    assert storage.current() == before


def test_a_partition_replaces_itself_alone(storage, published, rows) -> None:
    for day, n in (("2026-11-02", 2), ("2026-11-01", 1), ("2026-11-02", 22)):
        version = published(f"SELECT {n} AS n", partition=day)
    assert [(part.partition, part.rows) for part in version.parts] == [("2026-11-01", 1), ("2026-11-02", 1)]
    assert rows(version.parts) == [(1,), (22,)]


def test_a_whole_version_replaces_all_partitions(storage, published, rows) -> None:
    published("SELECT 1 AS n", partition="mon")
    published("SELECT 2 AS n", partition="tue")
    assert rows(published("SELECT 3 AS n").parts) == [(3,)]


def test_a_partition_is_not_added_to_a_whole(storage, published) -> None:
    before = published("SELECT 1 AS n")
    with pytest.raises(StorageError, match="would count its rows twice"):
        published("SELECT 1 AS n", partition="mon")
    assert storage.current() == before


@pytest.mark.parametrize("select", ["SELECT 1::BIGINT AS n, 2 AS m", "SELECT 2 AS m, 1 AS n", "SELECT 1 AS n"])
def test_partitions_share_their_columns(storage, published, select) -> None:
    before = published("SELECT 1 AS n, 2 AS m", partition="mon")
    with pytest.raises(StorageError, match="has other columns than the rest"):
        published(select, partition="tue")
    assert storage.current() == before
    assert list(published(select, partition="mon").columns.items()) != list(before.columns.items())


def test_an_empty_partition_reads_beside_others(storage, published, rows) -> None:
    published("SELECT 1 AS n WHERE false", partition="")
    assert rows(published("SELECT 2 AS n", partition="tue").parts) == [(2,)]


def test_a_refused_candidate_is_never_readable(storage, connection, published, stored, clock) -> None:
    before, bad = published("SELECT 1 AS a"), storage.stage(connection, "SELECT 2 AS a", partition=None)
    storage.refuse(bad, [{"check": "unique", "rows": 3, "seen": clock.now}])
    assert storage.current() == before
    assert storage.versions() == (before,)
    [refused] = storage.refused()
    assert (refused.id, refused.refused_at) == (bad.id, clock.now)
    assert refused.reasons == ({"check": "unique", "rows": 3, "seen": str(clock.now)},)
    assert bad.parts[0].path.rpartition("/")[0].removeprefix("parts/") in refused.path
    with pytest.raises(StorageError, match="is missing"):
        storage.publish(bad, stamp={})
    with pytest.raises(StorageError, match="is missing"):
        storage.relation(connection, bad.parts)
    assert not any(name.startswith(f"parts/{bad.id}") for name in stored())


def test_refused_are_listed_newest_first_even_with_a_torn_note(storage, connection, clock, folder) -> None:
    ids = []
    for _ in range(3):
        clock.advance(minutes=1)
        candidate = storage.stage(connection, "SELECT 1 AS a")
        storage.refuse(candidate, [{"check": "x"}])
        ids.append(candidate.id)
    (folder / "refused" / ids[1] / "refused.json").write_text("{")
    assert [(one.id, len(one.reasons)) for one in storage.refused()] == [(ids[2], 1), (ids[1], 0), (ids[0], 1)]


def test_what_is_published_cannot_be_refused_or_discarded(storage, connection, published, rows) -> None:
    monday = storage.stage(connection, "SELECT 1 AS a", partition="mon")
    storage.publish(monday, stamp={})
    version = published("SELECT 2 AS a", partition="tue")
    with pytest.raises(StorageError, match="is published already"):
        storage.refuse(monday, [])
    storage.discard(monday)
    assert rows(version.parts) == [(1,), (2,)]


def test_discarding_removes_the_candidate_and_may_be_repeated(storage, connection, published, stored) -> None:
    published("SELECT 1 AS a")
    before = stored()
    candidate = storage.stage(connection, "SELECT 2 AS a")
    storage.discard(candidate)
    storage.discard(candidate)
    assert stored() == before


@pytest.mark.parametrize("id", ["", ".", "..", "../history"])
def test_no_folder_but_a_candidates_own_is_removed(storage, connection, published, stored, id) -> None:
    published("SELECT 1 AS a")
    foreign, before = replace(storage.stage(connection, "SELECT 2 AS a"), id=id), stored()
    for remove in (lambda: storage.discard(foreign), lambda: storage.refuse(foreign, [])):
        with pytest.raises(ValueError, match="is not a candidate's id"):
            remove()
    assert stored() == before


def test_a_place_holds_one_kind_of_storage(storage, connection, published, folder) -> None:
    published("SELECT 1 AS a")
    other = storage_in("parquet" if storage.kind == "duckdb" else "duckdb", folder)
    with pytest.raises(StorageError, match="give the product another place"):
        other.current()
    with pytest.raises(StorageError, match="two kinds cannot share one"):
        other.publish(other.stage(connection, "SELECT 2 AS a"), stamp={})


def test_the_pointer_is_json_that_a_person_can_read(published, folder) -> None:
    published("SELECT 1 AS a", contract="1.0.0")
    document = json.loads((folder / "manifest.json").read_text())
    assert document["format"] == 1
    assert document["published_at"] == "2026-11-01T12:00:00+00:00"
    assert document["stamp"] == {"contract": "1.0.0"}
