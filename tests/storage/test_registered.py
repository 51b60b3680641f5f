"""A Parquet product's table for Trino: it follows the pointer, names the very files, and is not believed when it does not."""

import json
from collections.abc import Callable
from pathlib import Path

import duckdb
import psycopg
import pyarrow as pa
import pytest
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.table import Table

from mesh_defs.errors import StorageError
from mesh_defs.model.contract import Server
from mesh_defs.model.place import Access
from mesh_defs.storage.base import Storage
from mesh_defs.storage.open import registration_at, storage_at
from mesh_defs.storage.registered import Registration

HOUR = 3600.0


@pytest.fixture(params=["parquet", "s3"])
def given(request: pytest.FixtureRequest, postgres: str, tmp_path: Path) -> tuple[Server, Access]:
    access = Access(root=tmp_path, postgres=postgres, variable="MESH_EVENTS")
    if request.param == "parquet":
        return Server(environment="local", kind="parquet", place="clicks"), access
    place = f"s3://{request.getfixturevalue('bucket')}/clicks"
    s3 = request.getfixturevalue("s3_server")
    return Server(environment="local", kind="s3", place=place), Access(
        root=tmp_path, postgres=postgres, s3=s3, variable="MESH_EVENTS"
    )


@pytest.fixture
def storage(given: tuple[Server, Access], clock: Callable[[], object]) -> Storage:
    return storage_at(*given, clock=clock)  # type: ignore[arg-type]


@pytest.fixture
def registration(given: tuple[Server, Access]) -> Registration:
    return registration_at(*given)


@pytest.fixture
def table(given: tuple[Server, Access]) -> Callable[[], Table]:
    """Return a function that opens the table as anybody does who has pyiceberg and the catalog's URL."""
    access = given[1]

    def opened() -> Table:
        url = psycopg.conninfo.conninfo_to_dict(access.postgres or "")
        uri = f"postgresql+psycopg:///{url['dbname']}?host={url['host']}&user={url['user']}"
        told = {"s3.endpoint": access.s3.endpoint, "s3.access-key-id": access.s3.key} if access.s3.endpoint else {}
        told |= {"s3.secret-access-key": access.s3.secret, "s3.region": access.s3.region} if told else {}
        catalog = SqlCatalog("mesh", uri=uri + "&options=-csearch_path%3Dmesh_iceberg", **told)
        return catalog.load_table(("events_parquet", "clicks"))

    return opened


def rows_of(table: Table, snapshot: int | None = None) -> list[dict[str, object]]:
    return table.scan(snapshot_id=snapshot).to_arrow().to_pylist()


def test_nothing_is_registered_before_somebody_asks_for_it(published, registration, given) -> None:
    version = published("SELECT 1 AS a")
    with pytest.raises(StorageError, match=r"is not there yet .*mesh trino register"):
        registration.snapshot_of(version)


def test_the_table_names_the_very_files_and_copies_none(storage, published, registration, table, rows) -> None:
    version = published("SELECT range AS id, 'p' || range AS person, [range, NULL] AS l FROM range(3)")
    assert (registration.follow(storage), registration.follow(storage)) == (True, False)
    assert rows_of(table()) == [{"id": a, "person": b, "l": c} for a, b, c in rows(version.parts)]
    (file,) = table().inspect.files().to_pylist()
    assert file["file_path"].endswith(version.parts[0].path)
    assert not file["lower_bounds"]


def test_once_registered_it_follows_each_publication_and_old_versions_stay_readable(
    storage, published, registration, table
) -> None:
    versions = [published("SELECT 0 AS a, 'x' AS b")]
    registration.follow(storage)
    versions += [published(f"SELECT {n} AS a, 'x' AS b") for n in (1, 2)]
    seen = [rows_of(table(), registration.snapshot_of(version))[0]["a"] for version in versions]
    assert seen == [0, 1, 2]
    assert rows_of(table()) == [{"a": 2, "b": "x"}]


def test_one_partition_is_replaced_and_the_others_files_stay(storage, published, registration, table) -> None:
    for key in "xy":
        published(f"SELECT '{key}' AS k, 1 AS n", partition=key)
    registration.follow(storage)
    published("SELECT 'x' AS k, 5 AS n", partition="x")
    published("SELECT 'z' AS k, 7 AS n", partition="z")
    read = sorted((row["k"], row["n"]) for row in rows_of(table()))
    assert read == [("x", 5), ("y", 1), ("z", 7)]


CHANGES = {
    "a new column": "SELECT 1 AS a, 'x' AS b, 2.5::DOUBLE AS c",
    "a column that goes": "SELECT 1 AS a",
    "another order": "SELECT 'x' AS b, 1 AS a",
    "another type": "SELECT 'one' AS a, 'x' AS b",
    "a wider type": "SELECT 1::BIGINT AS a, 'x' AS b",
    "names that change places": "SELECT 'x' AS a, 1 AS b",
}


@pytest.mark.parametrize("change", CHANGES)
def test_columns_change_and_no_version_is_read_with_anothers(
    change: str, storage, published, registration, table, connection
) -> None:
    """Files know no field ids: a name that meant something else then must never be looked for in them."""
    first = published("SELECT 1 AS a, 'x' AS b")
    registration.follow(storage)
    for select in (CHANGES[change], "SELECT 1 AS a, 'x' AS b", CHANGES[change]):
        version = published(select)
        found = rows_of(table(), registration.snapshot_of(version))
        assert found == connection.sql(select).to_arrow_table().to_pylist()
    try:
        snapshot = registration.snapshot_of(first)
    except StorageError as error:
        assert "another version" in str(error)
    else:
        assert rows_of(table(), snapshot) == [{"a": 1, "b": "x"}]


@pytest.mark.parametrize("type_", ["UINTEGER", "UBIGINT", "UINTEGER[]", "TINYINT[]", "STRUCT(a UINTEGER)"])
def test_a_type_that_others_read_as_another_number_is_refused_by_name(type_, storage, published, registration) -> None:
    published(f"SELECT NULL::{type_} AS code")
    with pytest.raises(StorageError, match=r"column 'code' holds .* take for something else"):
        registration.follow(storage)


def test_small_integers_are_read_as_integers(storage, published, registration, table) -> None:
    published("SELECT 200::UTINYINT AS a, 60000::USMALLINT AS b, (-5)::TINYINT AS c, (-300)::SMALLINT AS d")
    registration.follow(storage)
    assert rows_of(table()) == [{"a": 200, "b": 60000, "c": -5, "d": -300}]
    assert {str(field.field_type) for field in table().schema().fields} == {"int"}


def test_tokens_are_columns_of_the_table(storage, connection, registration, table) -> None:
    candidate = storage.stage(connection, "SELECT 'a@b' AS email, 'tok' AS __token_email", tokens={"email": "email:1"})
    storage.publish(candidate, stamp={})
    registration.follow(storage)
    assert rows_of(table()) == [{"email": "a@b", "__token_email": "tok"}]


def test_what_is_retired_is_forgotten_and_metadata_with_it(storage, published, registration, table, clock) -> None:
    first = published("SELECT 1 AS a")
    registration.follow(storage)
    snapshot = registration.snapshot_of(first)
    second = published("SELECT 2 AS a")
    clock.advance(hours=3)
    storage.sweep(clock(), HOUR)
    with pytest.raises(StorageError, match="another version"):
        registration.snapshot_of(first)
    assert [each.snapshot_id for each in table().metadata.snapshots] == [registration.snapshot_of(second)]
    assert snapshot not in [each.snapshot_id for each in table().metadata.snapshots]
    storage.sweep(clock(), 0)
    manifests = [name for name in _below(registration) if name.endswith(".avro")]
    assert len(manifests) == 3  # of the snapshot: its list, the file that came, the file that went
    assert rows_of(table()) == [{"a": 2}]


def test_a_place_that_is_retired_has_no_table_any_more(storage, published, registration) -> None:
    published("SELECT 1 AS a")
    registration.follow(storage)
    storage.retire()
    assert not registration.follow(storage)
    assert _below(registration) == []


def test_a_catalog_that_is_down_fails_no_publication_and_the_lagging_table_is_refused(
    storage, published, registration, given, caplog
) -> None:
    published("SELECT 1 AS a")
    registration.follow(storage)
    server, access = given
    alone = storage_at(server, Access(root=access.root, s3=access.s3, variable=access.variable))
    down = Access(root=access.root, s3=access.s3, postgres="postgresql:///x?host=/nowhere", variable="MESH_EVENTS")
    with duckdb.connect() as connection:
        versions = []
        for each, select in ((alone, "SELECT 2 AS a"), (storage_at(server, down), "SELECT 3 AS a")):
            versions.append(each.publish(each.stage(connection, select), stamp={}))
    assert "its table for Trino lags behind" in caplog.text
    for version in versions:
        with pytest.raises(StorageError, match=r"is at another version .*mesh trino register"):
            registration.snapshot_of(version)
    assert registration.follow(storage)
    assert registration.snapshot_of(versions[-1])


def test_a_table_that_another_program_wrote_is_refused(storage, published, registration, table) -> None:
    version = published("SELECT 1::BIGINT AS a")
    registration.follow(storage)
    table().append(pa.table({"a": [9]}))
    registration.snapshot_of(version)  # its snapshot is as it was
    with (
        table().transaction() as change,
        change.update_snapshot({"mesh.format": "1", "mesh.version": version.id}).fast_append() as forged,
    ):
        forged.append_data_file(next(iter(table().scan().plan_files())).file)
    with pytest.raises(StorageError, match="names other files than version"):
        registration.snapshot_of(version)


def test_lost_metadata_is_told_and_made_anew(storage, published, registration, given) -> None:
    version = published("SELECT 1 AS a")
    registration.follow(storage)
    registration.files.remove(["metadata/"])
    with pytest.raises(StorageError, match="is missing"):
        registration.snapshot_of(version)
    registration.forget()
    assert registration.follow(storage)
    assert registration.snapshot_of(version)


def test_manifests_hold_no_value_of_a_row(storage, published, registration, given) -> None:
    published("SELECT 'a-person-to-erase' AS person, DATE '1977-07-07' AS born")
    registration.follow(storage)
    metadata = [registration.files.read(name) or b"" for name in _below(registration)]
    assert metadata
    assert not [each for each in metadata if b"a-person-to-erase" in each]
    documents = [json.loads(each) for each in metadata if each.startswith(b"{")]
    assert documents


def _below(registration: Registration) -> list[str]:
    return [each.name for each in registration.files.lying("metadata")]
