"""Torn, lost and foreign files: told, mended from the history where that is safe, and never made worse."""

import json

import pytest

from mesh_defs.errors import StorageError
from mesh_defs.storage import manifest
from mesh_defs.storage.open import attach
from tests.storage.places import NOWHERE

DAMAGE = {
    "truncated": lambda content: content[: len(content) // 2],
    "empty": lambda _: b"",
    "zeros": lambda content: bytes(len(content)),
    "a JSON list": lambda _: b"[]",
    "a JSON number": lambda _: b"3",
    "an empty object": lambda _: b"{}",
    "deep": lambda _: b"[" * 200_000,
    "not UTF-8": lambda content: content.replace(b"sha256", b"\xff\xfe"),
    "edited by hand": lambda content: content.replace(b'"rows": 2', b'"rows": 3').replace(b'"rows": 1', b'"rows": 3'),
    "no format": lambda content: content.replace(b'"format": 1', b'"format": null'),
}


def damage(path, how="truncated") -> None:
    path.write_bytes(DAMAGE[how](path.read_bytes()))


def records(folder):
    return sorted((folder / "history").iterdir())


def test_a_torn_pointer_is_read_from_the_history(storage, published, rows, folder) -> None:
    published("SELECT 1 AS a")
    newest = published("SELECT unnest([2, 2]) AS a")
    intact = (folder / "manifest.json").read_bytes()
    for how in DAMAGE:
        (folder / "manifest.json").write_bytes(intact)
        damage(folder / "manifest.json", how)
        version = storage.current()
        assert (version.id, version.parts, version.columns) == (newest.id, newest.parts, newest.columns), how
        assert str(folder / "manifest.json") in version.recovered
        assert "re-materialize" in version.recovered
    assert rows(version.parts) == [(2,), (2,)]
    assert storage.pin("a.b", version).recovered == version.recovered
    assert [one.recovered is None for one in storage.versions()] == [False, True]


def test_publishing_mends_the_pointer(storage, published, rows, folder) -> None:
    published("SELECT 1 AS a", partition="mon")
    published("SELECT unnest([2, 2]) AS a", partition="tue")
    damage(folder / "manifest.json")
    mended = published("SELECT 3 AS a", partition="wed")
    assert storage.current() == mended
    assert mended.recovered is None
    assert rows(mended.parts) == [(1,), (2,), (2,), (3,)]
    assert len(storage.versions()) == 3


def test_without_an_intact_record_it_says_how_to_mend(storage, connection, published, folder) -> None:
    published("SELECT unnest([1, 1]) AS a")
    damage(folder / "manifest.json")
    damage(records(folder)[0], "edited by hand")
    for ask in (storage.current, storage.versions):
        with pytest.raises(StorageError, match=r"no record in .* is intact — re-materialize") as error:
            ask()
        assert str(folder) in str(error.value)
    with pytest.raises(StorageError, match="re-materialize every partition"):
        published("SELECT 2 AS a", partition="mon")
    assert published("SELECT 2 AS a") == storage.current()


def test_a_torn_record_is_passed_over(storage, published, folder) -> None:
    oldest = published("SELECT unnest([1, 1]) AS a")
    published("SELECT unnest([2, 2]) AS a")
    damage(records(folder)[-1])
    newest = published("SELECT unnest([3, 3]) AS a")
    assert [version.id for version in storage.versions()] == [newest.id, oldest.id]
    damage(records(folder)[-1])
    damage(folder / "manifest.json")
    assert storage.current().id == oldest.id


def test_a_lost_pointer_is_not_taken_for_a_new_product(storage, published, folder) -> None:
    published("SELECT 1 AS a")
    newest = published("SELECT 2 AS a")
    (folder / "manifest.json").unlink()
    assert storage.current().id == newest.id
    assert "is gone" in storage.current().recovered


def test_no_flipped_byte_goes_unnoticed(storage, published, folder) -> None:
    published("SELECT 1 AS a")
    newest = published("SELECT 2 AS a", inputs={"x.y": "v"})
    pointer = folder / "manifest.json"
    content = pointer.read_bytes()
    for position in range(len(content)):
        for bit in (0x01, 0x10, 0x80):
            pointer.write_bytes(content[:position] + bytes([content[position] ^ bit]) + content[position + 1 :])
            try:
                version = storage.current()
            except StorageError as error:
                assert "upgrade" in str(error)  # the format's own digit: it may be true
            else:
                assert version == newest or version.recovered


@pytest.mark.parametrize("resealed", [False, True])
def test_a_newer_format_asks_for_an_upgrade(storage, connection, published, folder, clock, resealed) -> None:
    published("SELECT 1 AS a")
    published("SELECT 2 AS a")
    pointer = folder / "manifest.json"
    document = json.loads(pointer.read_bytes()) | {"format": 2} | ({"checksum": "other"} if resealed else {})
    pointer.write_text(json.dumps(document))
    candidate, before = storage.stage(connection, "SELECT 3 AS a"), pointer.read_bytes()
    for ask in (
        storage.current,
        storage.versions,
        lambda: storage.publish(candidate, stamp={}),
        lambda: storage.refuse(candidate, []),
        lambda: storage.sweep(clock.advance(days=99), 0),
    ):
        with pytest.raises(StorageError, match="format 2, this release knows up to 1 — upgrade"):
            ask()
    assert pointer.read_bytes() == before


def test_a_missing_part_is_named(storage, connection, published, folder) -> None:
    published("SELECT 1 AS a", partition="mon")
    version = published("SELECT 2 AS a", partition="tue")
    pin = storage.pin("events.impressions", version)
    lost = version.parts[1].path
    (folder / lost).unlink()
    for open_ in (lambda: storage.pin("a.b", version), lambda: storage.relation(connection, version.parts)):
        with pytest.raises(StorageError, match=f"part {lost} is missing .*re-materialize partition 'tue'"):
            open_()
    with pytest.raises(StorageError, match="is gone — ask again"):
        attach(connection, pin, NOWHERE)


def test_a_part_cut_short_is_named(storage, connection, published, folder) -> None:
    version = published("SELECT range AS a FROM range(1000)")
    path = folder / version.parts[0].path
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-7])
    with pytest.raises(
        StorageError, match=r"is torn: \d+ bytes of \d+ — restore the file, or re-materialize the product"
    ):
        storage.pin("a.b", version)


def test_a_part_of_another_format_does_not_open(storage, connection, published, folder) -> None:
    version = published("SELECT 1 AS a")
    path = folder / version.parts[0].path
    path.chmod(0o644)
    path.write_bytes(b"x" * path.stat().st_size)
    pin = storage.pin("a.b", version)
    if storage.kind == "parquet":  # nothing is opened before the query runs
        assert attach(connection, pin, NOWHERE).startswith("read_parquet")
        return
    with pytest.raises(StorageError, match="cannot be opened: IOException"):
        attach(connection, pin, NOWHERE)
    assert connection.execute("SELECT count(*) FROM duckdb_databases() WHERE path LIKE '%parts%'").fetchall() == [(0,)]


OUTSIDE = [
    "../other/parts/x/0.parquet",
    "/etc/passwd",
    "parts/../0.parquet",
    "parts/x/../../y",
    "parts/x",
    "parts/x/..",
]


@pytest.mark.parametrize("path", OUTSIDE)
def test_a_pointer_cannot_name_bytes_outside_its_place(storage, published, folder, path) -> None:
    """A team that writes its own pointer must not publish another team's parts as its own product."""
    published("SELECT 1 AS a")
    honest, pointer = published("SELECT 2 AS a"), folder / "manifest.json"
    body = json.loads(pointer.read_bytes())
    del body["format"], body["checksum"]
    body["parts"][0]["path"] = path
    forged = {"format": 1, "checksum": manifest._checksum(1, body), **body}
    pointer.write_text(json.dumps(forged))
    assert storage.current().parts == honest.parts
    assert "is not a manifest" in storage.current().recovered
