"""External Delta and Postgres tables: partition values, table versions, live reads, and what is refused."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import deltalake
import psycopg
import pyarrow as pa
import pytest

from mesh_defs.errors import StorageError
from mesh_defs.model.place import Access, S3Access
from tests.storage.sources import external, postgres_says, read, s3, storage_options

DAYS = {"id": "BIGINT", "day": "DATE"}


@pytest.fixture
def access(tmp_path: Path) -> Access:
    return Access(root=tmp_path, variable="MESH_CRM")


def days(*numbers: int) -> pa.Table:
    return pa.table({"id": pa.array(numbers, pa.int64()), "day": [date(2026, 11, 1 + n % 2) for n in numbers]})


def edit_log(table: Path, version: int, change: Any) -> None:
    """Change the actions of one commit, as a writer with other features would have written them."""
    file = table / "_delta_log" / f"{version:020d}.json"
    actions = [json.loads(line) for line in file.read_text().splitlines()]
    file.write_text("\n".join(json.dumps(change(action)) for action in actions))


def test_a_delta_table_gives_its_partition_columns_back(tmp_path: Path, access: Access) -> None:
    deltalake.write_deltalake(str(tmp_path / "people"), days(1, 2, 3), partition_by=["day"])
    rows = read(external("delta", "people", access, **DAYS))
    assert rows == [(1, date(2026, 11, 2)), (2, date(2026, 11, 1)), (3, date(2026, 11, 2))]


def test_delta_partitions_of_odd_text_and_null_come_back_as_they_were(tmp_path: Path, access: Access) -> None:
    odd = ["a b/c=d%20é'", None, "__HIVE", ""]
    table = pa.table({"id": pa.array([1, 2, 3, 4], pa.int64()), "name": odd})
    deltalake.write_deltalake(str(tmp_path / "people"), table, partition_by=["name"])
    # Delta's protocol keeps an empty text as null.
    assert read(external("delta", "people", access)) == [(1, odd[0]), (2, None), (3, "__HIVE"), (4, None)]


def test_a_delta_version_stays_readable_while_newer_ones_come(tmp_path: Path, access: Access) -> None:
    deltalake.write_deltalake(str(tmp_path / "people"), days(1))
    source = external("delta", "people", access, **DAYS)
    first = source.current()
    pin = source.pin("crm.people", first)
    deltalake.write_deltalake(str(tmp_path / "people"), days(5, 6), mode="overwrite")
    assert [id for id, _ in read(source, pin=pin)] == [1]
    assert [id for id, _ in read(source, pin=source.pin("crm.people", first))] == [1]
    assert [id for id, _ in read(source)] == [5, 6]


def test_a_delta_column_that_old_files_lack_is_null_as_its_log_says(tmp_path: Path, access: Access) -> None:
    path = str(tmp_path / "people")
    deltalake.write_deltalake(path, pa.table({"id": pa.array([1], pa.int64())}))
    more = pa.table({"id": pa.array([2], pa.int64()), "name": ["bob"]})
    deltalake.write_deltalake(path, more, mode="append", schema_mode="merge")
    assert read(external("delta", "people", access)) == [(1, None), (2, "bob")]


def test_a_promised_column_that_a_delta_table_lacks_is_named(tmp_path: Path, access: Access) -> None:
    deltalake.write_deltalake(str(tmp_path / "people"), days(1))
    source = external("delta", "people", access)
    with pytest.raises(StorageError, match="the promised column 'name' is missing"):
        source.pin("crm.people", source.current())


def test_deleted_delta_rows_are_gone(tmp_path: Path, access: Access) -> None:
    deltalake.write_deltalake(str(tmp_path / "people"), days(1, 2, 3))
    deltalake.DeltaTable(str(tmp_path / "people")).delete("id = 2")
    assert [id for id, _ in read(external("delta", "people", access, **DAYS))] == [1, 3]


def test_an_emptied_delta_table_has_no_rows(tmp_path: Path, access: Access) -> None:
    deltalake.write_deltalake(str(tmp_path / "people"), days(1))
    deltalake.DeltaTable(str(tmp_path / "people")).delete()
    assert read(external("delta", "people", access, **DAYS)) == []


def test_a_vacuumed_delta_version_is_an_error(tmp_path: Path, access: Access) -> None:
    path = str(tmp_path / "people")
    deltalake.write_deltalake(path, days(1))
    source = external("delta", "people", access, **DAYS)
    pin = source.pin("crm.people", source.current())
    deltalake.write_deltalake(path, days(2), mode="overwrite")
    deltalake.DeltaTable(path).vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)
    with pytest.raises(StorageError, match="its table was vacuumed — ask again"):
        read(source, pin=pin)


def test_a_delta_table_made_anew_is_another_version(tmp_path: Path, access: Access) -> None:
    path = tmp_path / "people"
    deltalake.write_deltalake(str(path), days(1))
    source = external("delta", "people", access, **DAYS)
    version = source.current()
    path.rename(tmp_path / "old")
    deltalake.write_deltalake(str(path), days(2))
    assert source.current().id != version.id
    with pytest.raises(StorageError, match="the table was made anew"):
        source.pin("crm.people", version)


def test_a_delta_log_cannot_name_another_tables_files(tmp_path: Path, access: Access) -> None:
    deltalake.write_deltalake(str(tmp_path / "secret"), days(9))
    deltalake.write_deltalake(str(tmp_path / "people"), days(1))
    file = next(Path(each).name for each in deltalake.DeltaTable(str(tmp_path / "secret")).file_uris())

    def elsewhere(action: dict[str, Any]) -> dict[str, Any]:
        if "add" in action:
            action["add"]["path"] = f"..%2Fsecret/{file}"
        return action

    edit_log(tmp_path / "people", 0, elsewhere)
    with pytest.raises(StorageError, match=r"its log names files outside of the table|no Delta table can be read"):
        external("delta", "people", access, **DAYS).current()


@pytest.mark.parametrize("feature", ("columnMapping", "deletionVectors", "somethingNew"))
def test_what_a_list_of_files_cannot_say_is_refused(tmp_path: Path, access: Access, feature: str) -> None:
    deltalake.write_deltalake(str(tmp_path / "people"), days(1, 2))

    def featured(action: dict[str, Any]) -> dict[str, Any]:
        if "protocol" in action:
            action["protocol"] = {
                "minReaderVersion": 3,
                "minWriterVersion": 7,
                "readerFeatures": [feature],
                "writerFeatures": [feature],
            }
        if "metaData" in action and feature == "columnMapping":
            action["metaData"]["configuration"]["delta.columnMapping.mode"] = "name"
            schema = json.loads(action["metaData"]["schemaString"])
            for number, each in enumerate(schema["fields"]):
                told = {"delta.columnMapping.id": number, "delta.columnMapping.physicalName": f"col-{number}"}
                each["metadata"] = told
            action["metaData"]["schemaString"] = json.dumps(schema)
        if "add" in action and feature == "deletionVectors":
            action["add"]["deletionVector"] = {
                "storageType": "i",
                "pathOrInlineDv": "wi5b=000010000siXQKl0rr91000f55c8Xg0@@D72lkbi5=-{L",
                "sizeInBytes": 40,
                "cardinality": 6,
            }
        return action

    edit_log(tmp_path / "people", 0, featured)
    with pytest.raises(StorageError) as caught:
        external("delta", "people", access, **DAYS).current()
    assert str(tmp_path / "people") in str(caught.value)


def test_a_folder_without_a_log_is_no_delta_table(tmp_path: Path, access: Access) -> None:
    with pytest.raises(StorageError, match="no Delta table can be read there"):
        external("delta", "people", access).current()


def test_a_delta_table_in_a_bucket_is_read_at_its_pinned_version(
    tmp_path: Path, s3_server: S3Access, bucket: str
) -> None:
    access = Access(root=tmp_path, s3=s3_server, variable="MESH_CRM")
    place, options = f"s3://{bucket}/lake/people", dict(storage_options(s3_server))
    deltalake.write_deltalake(place, days(1, 2), partition_by=["day"], storage_options=options)
    source = external("delta", place, access, **DAYS)
    pin = source.pin("crm.people", source.current())
    deltalake.write_deltalake(place, days(3), mode="append", storage_options=options)
    assert [id for id, _ in read(source, pin=pin)] == [1, 2]
    assert [id for id, _ in read(source)] == [1, 2, 3]
    for each in s3(s3_server).list_objects_v2(Bucket=bucket, Prefix="lake/people/day")["Contents"]:
        s3(s3_server).delete_object(Bucket=bucket, Key=each["Key"])
    with pytest.raises(StorageError):
        read(source, pin=pin)


@pytest.fixture
def crm(tmp_path: Path, postgres: str) -> Access:
    postgres_says(
        postgres,
        "CREATE SCHEMA crm",
        "CREATE TABLE crm.people (id int PRIMARY KEY, name text, note text)",
        "INSERT INTO crm.people VALUES (1, 'ann', 'x'), (2, 'bob', 'y')",
    )
    return Access(root=tmp_path, postgres=postgres, variable="MESH_CRM")


def test_reads_a_postgres_table_in_place(crm: Access) -> None:
    assert read(external("postgres", "crm", crm, table="people")) == [(1, "ann"), (2, "bob")]


def test_a_postgres_digest_changes_with_the_rows_and_with_nothing_else(crm: Access, postgres: str) -> None:
    source = external("postgres", "crm", crm, table="people")
    version = source.current()
    before = source.data_version(version)
    postgres_says(postgres, "UPDATE crm.people SET note = 'unpromised'", "VACUUM FULL crm.people")
    assert source.data_version(version) == before
    postgres_says(postgres, "BEGIN; UPDATE crm.people SET name = 'eve' WHERE id = 1; ROLLBACK")
    assert source.data_version(version) == before
    postgres_says(postgres, "UPDATE crm.people SET name = 'eve' WHERE id = 1")
    changed = source.data_version(version)
    postgres_says(postgres, "UPDATE crm.people SET name = CASE id WHEN 1 THEN 'bob' ELSE 'eve' END")
    assert len({before, changed, source.data_version(version)}) == 3


def test_two_equal_rows_are_not_none(crm: Access, postgres: str) -> None:
    source = external("postgres", "crm", crm, table="people", name="VARCHAR")
    before = source.data_version(source.current())
    postgres_says(postgres, "INSERT INTO crm.people VALUES (3, 'zoe', ''), (4, 'zoe', '')")
    assert source.data_version(source.current()) != before


def test_a_postgres_version_is_told_anew_when_its_table_is_made_anew(crm: Access, postgres: str) -> None:
    source = external("postgres", "crm", crm, table="people")
    version = source.current()
    postgres_says(postgres, "CREATE TABLE crm.new (LIKE crm.people)", "DROP TABLE crm.people")
    postgres_says(postgres, "ALTER TABLE crm.new RENAME TO people")
    assert source.current().id != version.id


def test_a_postgres_table_that_loses_a_column_is_an_error_that_names_it(crm: Access, postgres: str) -> None:
    source = external("postgres", "crm", crm, table="people")
    postgres_says(postgres, "ALTER TABLE crm.people DROP COLUMN name")
    with pytest.raises(StorageError, match="the promised column 'name' is missing"):
        source.pin("crm.people", source.current())


def test_a_column_lost_between_pin_and_read_is_an_error_and_not_null(crm: Access, postgres: str) -> None:
    source = external("postgres", "crm", crm, table="people")
    pin = source.pin("crm.people", source.current())
    postgres_says(postgres, "ALTER TABLE crm.people RENAME COLUMN name TO full_name")
    with pytest.raises(Exception, match=r"name|Binder"):
        read(source, pin=pin)


def test_a_missing_postgres_table_names_the_nearest(crm: Access) -> None:
    with pytest.raises(StorageError, match=r"no table 'peeple' in its schema — did you mean 'people'\?"):
        external("postgres", "crm", crm, table="peeple").current()


def test_views_and_partitioned_tables_are_sources_too(crm: Access, postgres: str) -> None:
    postgres_says(
        postgres,
        "CREATE VIEW crm.seen AS SELECT id, name FROM crm.people WHERE id > 1",
        'CREATE TABLE crm."Odd Table" (id int, "Full Name" text) PARTITION BY RANGE (id)',
        'CREATE TABLE crm.odd_1 PARTITION OF crm."Odd Table" FOR VALUES FROM (0) TO (100)',
        "INSERT INTO crm.\"Odd Table\" VALUES (7, 'gus')",
    )
    assert read(external("postgres", "crm", crm, table="seen")) == [(2, "bob")]
    odd = external("postgres", "crm", crm, table="Odd Table", id="BIGINT", name="Full Name: VARCHAR")
    assert read(odd) == [(7, "gus")]
    assert odd.data_version(odd.current()).startswith("rows-")


def test_an_empty_postgres_table_is_an_empty_product(crm: Access, postgres: str) -> None:
    postgres_says(postgres, "DELETE FROM crm.people")
    source = external("postgres", "crm", crm, table="people")
    assert read(source) == []
    assert source.data_version(source.current())


def test_a_table_swapped_by_rename_while_it_is_read_is_never_mixed(crm: Access, postgres: str) -> None:
    postgres_says(postgres, "CREATE TABLE crm.big AS SELECT n AS id, 'old' AS name FROM generate_series(1, 200000) n")
    postgres_says(postgres, "CREATE TABLE crm.next AS SELECT n AS id, 'new' AS name FROM generate_series(1, 200000) n")
    source = external("postgres", "crm", crm, table="big")
    pins = [source.pin("crm.people", source.current()) for _ in range(2)]
    first = {name for _, name in read(source, pin=pins[0])}
    postgres_says(postgres, "ALTER TABLE crm.big RENAME TO past; ALTER TABLE crm.next RENAME TO big")
    second = {name for _, name in read(source, pin=pins[1])}
    assert (first, second) == ({"old"}, {"new"})


def test_a_role_that_may_not_read_is_told_so_and_a_password_is_never_shown(crm: Access, postgres: str) -> None:
    postgres_says(
        postgres,
        "DO $$ BEGIN CREATE ROLE stranger LOGIN PASSWORD 'hush-hush'; EXCEPTION WHEN duplicate_object THEN NULL; END $$",
    )
    url = psycopg.conninfo.make_conninfo(postgres, user="stranger", password="hush-hush")
    access = Access(root=crm.root, postgres=url, variable="MESH_CRM")
    source = external("postgres", "crm", access, table="people")
    with pytest.raises(StorageError) as caught:
        read(source)
    assert "MESH_CRM" in str(caught.value) and "hush" not in str(caught.value)


def test_a_postgres_that_does_not_answer_can_be_tried_again(tmp_path: Path) -> None:
    access = Access(root=tmp_path, postgres="postgresql://u:hush-hush@127.0.0.1:1/db", variable="MESH_CRM")
    with pytest.raises(StorageError) as caught:
        external("postgres", "crm", access, table="people").current()
    assert caught.value.retryable and "hush" not in str(caught.value)


def test_a_domain_without_a_postgres_says_which_variable(access: Access) -> None:
    with pytest.raises(StorageError, match="MESH_CRM_POSTGRES"):
        external("postgres", "crm", access, table="people").current()
