"""Reading what was refused, so that its owner can look at it and release it."""

from dataclasses import replace

import pytest

from mesh_defs.errors import StorageError
from mesh_defs.storage.base import Refused

ABOUT = {"kind": "rows", "left_out_of": "some version", "read": {"a.b": {"version": "v1"}}}


def refuse(storage, connection, select: str, *, partition: str | None = None, about=ABOUT) -> Refused:
    candidate = storage.stage(connection, select, partition=partition)
    storage.refuse(candidate, [{"check": "unique"}], about)
    return next(each for each in storage.refused() if each.id == candidate.id)


def rows_of(storage, connection, refused: Refused) -> list[tuple]:
    relation = storage.refused_relation(connection, refused)
    try:
        return connection.execute(f"SELECT * FROM {relation}").fetchall()
    finally:
        storage.release(connection, refused.parts)


def test_what_was_refused_can_be_read_where_it_lies(storage, connection, published) -> None:
    published("SELECT 1 AS a, 'x' AS b")
    refused = refuse(storage, connection, "SELECT 2 AS a, 'y' AS b UNION ALL SELECT 3, NULL ORDER BY a")
    assert (refused.kind, refused.rows, refused.partition, refused.about) == ("rows", 2, None, ABOUT)
    assert rows_of(storage, connection, refused) == [(2, "y"), (3, None)]
    assert connection.execute("SELECT count(*) FROM duckdb_databases() WHERE path LIKE '%refused%'").fetchall() == [
        (0,)
    ]


def test_a_refused_partition_says_which_one_it_is(storage, connection) -> None:
    refused = refuse(storage, connection, "SELECT 1 AS a", partition="2026-11-01", about={})
    assert (refused.kind, refused.partition) == ("batch", "2026-11-01")


def test_two_refused_ones_are_read_each_by_itself(storage, connection) -> None:
    first, second = (refuse(storage, connection, f"SELECT {n} AS a") for n in (1, 2))
    assert rows_of(storage, connection, first) == [(1,)]
    assert rows_of(storage, connection, second) == [(2,)]


def test_what_leaves_the_quarantine_is_gone_and_nothing_else_is(storage, connection, published, rows, stored) -> None:
    version = published("SELECT 1 AS a")
    kept, gone = (refuse(storage, connection, f"SELECT {n} AS a") for n in (2, 3))
    assert storage.drop_refused(gone.id)
    assert [each.id for each in storage.refused()] == [kept.id]
    assert not storage.drop_refused(gone.id)
    with pytest.raises(StorageError, match=r"missing|no longer in quarantine"):
        storage.refused_relation(connection, gone)
    assert rows(version.parts) == [(1,)]
    assert rows_of(storage, connection, kept) == [(2,)]
    assert not [name for name in stored() if gone.id in name]


@pytest.mark.parametrize("id", ["", "..", "../parts", "mine", "20260101T000000000000Z-00000000"])
def test_only_what_lies_in_quarantine_can_be_removed_from_it(storage, connection, published, stored, id) -> None:
    published("SELECT 1 AS a")
    before = stored()
    assert not storage.drop_refused(id)
    assert stored() == before


def test_a_published_candidate_is_no_refused_one(storage, connection, published, rows) -> None:
    version = published("SELECT 1 AS a")
    assert not storage.drop_refused(version.id)
    assert rows(version.parts) == [(1,)]


def test_refused_rows_that_lost_their_bytes_are_told(storage, connection, place) -> None:
    refused = refuse(storage, connection, "SELECT 1 AS a")
    place.lose(refused.parts[0])
    with pytest.raises(StorageError, match="missing"):
        storage.refused_relation(connection, refused)


def test_a_note_without_parts_is_listed_and_cannot_be_read(storage, connection) -> None:
    """As an earlier release wrote it."""
    refused = replace(refuse(storage, connection, "SELECT 1 AS a"), parts=())
    with pytest.raises(StorageError, match="does not tell what its parts are — re-materialize"):
        storage.refused_relation(connection, refused)


@pytest.mark.parametrize(
    "change",
    [
        ('"parts/', '"parts/../../'),
        ('"parts/2', '"parts/1'),
        ('"parts":', '"part":'),
        ('"rows": 1', '"rows": "1"'),
        ('"parts": [', '"parts": [1, '),
        ('"about": {}', '"about": 3'),
    ],
)
def test_a_note_that_was_changed_leads_nowhere_else(storage, connection, folder, change) -> None:
    refused = refuse(storage, connection, "SELECT 1 AS a", about={})
    file = folder / "refused" / refused.id / "refused.json"
    assert change[0] in file.read_text()
    file.write_text(file.read_text().replace(*change))
    [told] = storage.refused()
    assert told.parts == () or all(part.path.startswith(f"refused/{refused.id}/") for part in told.parts)
