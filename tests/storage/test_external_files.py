"""External Parquet folders and DuckDB files: read as pinned, judged by the promise, never half."""

import os
import shutil
from pathlib import Path

import duckdb
import pytest

from mesh_defs.errors import StorageError
from mesh_defs.model.place import Access, S3Access
from tests.storage.sources import duckdb_file, external, parquet, read, s3

TWO = "SELECT 1::BIGINT AS id, 'ann' AS name UNION ALL SELECT 2, 'bob'"
THREE = "SELECT 3::BIGINT AS id, 'cid' AS name"


@pytest.fixture
def access(tmp_path: Path) -> Access:
    return Access(root=tmp_path, variable="MESH_CRM")


def test_reads_the_promised_columns_and_no_other(tmp_path: Path, access: Access) -> None:
    parquet(tmp_path / "people" / "a.parquet", "SELECT 'x' AS extra, 'ann' AS NAME, 1::INTEGER AS id")
    assert read(external("parquet", "people", access)) == [(1, "ann")]


def test_a_place_may_be_one_file(tmp_path: Path, access: Access) -> None:
    parquet(tmp_path / "people.parquet", TWO)
    assert read(external("parquet", "people.parquet", access)) == [(1, "ann"), (2, "bob")]


def test_a_file_that_comes_after_the_pin_is_not_read(tmp_path: Path, access: Access) -> None:
    parquet(tmp_path / "people" / "a.parquet", TWO)
    source = external("parquet", "people", access)
    pin = source.pin("crm.people", source.current())
    parquet(tmp_path / "people" / "b.parquet", THREE)
    assert len(read(source, pin=pin)) == 2
    assert source.current().id != pin.version
    assert len(read(source)) == 3


def test_the_same_files_are_the_same_version(tmp_path: Path, access: Access) -> None:
    parquet(tmp_path / "people" / "a.parquet", TWO)
    source = external("parquet", "people", access)
    assert source.current().id == source.current().id


@pytest.mark.parametrize("change", ("replaced", "removed", "folder"))
def test_a_pinned_file_that_is_gone_is_an_error_and_not_fewer_rows(tmp_path: Path, access: Access, change: str) -> None:
    file = parquet(tmp_path / "people" / "a.parquet", TWO)
    parquet(tmp_path / "people" / "b.parquet", THREE)
    source = external("parquet", "people", access)
    version = source.current()
    pin = source.pin("crm.people", version)
    if change == "folder":
        shutil.rmtree(tmp_path / "people")
    elif change == "removed":
        file.unlink()
    else:
        parquet(file, THREE)
    with pytest.raises(StorageError) as caught:
        read(source, pin=pin)
    assert str(tmp_path / "people") in str(caught.value)
    with pytest.raises(StorageError):
        source.pin("crm.people", version)


def test_an_empty_folder_is_not_an_empty_product(tmp_path: Path, access: Access) -> None:
    (tmp_path / "people").mkdir()
    with pytest.raises(StorageError, match="no Parquet file lies there — look whether its writer has run"):
        external("parquet", "people", access).current()


def test_a_missing_folder_says_so(access: Access) -> None:
    with pytest.raises(StorageError, match="nothing lies there"):
        external("parquet", "people", access).current()


def test_hidden_files_and_other_kinds_are_no_data(tmp_path: Path, access: Access) -> None:
    parquet(tmp_path / "people" / "a.parquet", TWO)
    parquet(tmp_path / "people" / "_temporary" / "0" / "b.parquet", THREE)
    shutil.copy(tmp_path / "people" / "a.parquet", tmp_path / "people" / ".a.parquet.crc.parquet")
    (tmp_path / "people" / "_SUCCESS").touch()
    (tmp_path / "people" / "README.md").write_text("hello")
    (tmp_path / "people" / "c.parquet.inprogress").write_bytes(b"PAR1")
    assert len(read(external("parquet", "people", access))) == 2


def test_a_folder_of_other_files_alone_says_how_many(tmp_path: Path, access: Access) -> None:
    (tmp_path / "people").mkdir()
    (tmp_path / "people" / "people.csv").write_text("id,name")
    with pytest.raises(StorageError, match=r"no Parquet file lies there \(1 other files\)"):
        external("parquet", "people", access).current()


def test_a_torn_file_is_named(tmp_path: Path, access: Access) -> None:
    whole = parquet(tmp_path / "people" / "a.parquet", TWO)
    (tmp_path / "people" / "b.parquet").write_bytes(whole.read_bytes()[:-9])
    source = external("parquet", "people", access)
    with pytest.raises(StorageError, match=r"'b.parquet' is no readable Parquet file"):
        source.pin("crm.people", source.current())


def test_a_lost_column_is_named_and_never_null(tmp_path: Path, access: Access) -> None:
    parquet(tmp_path / "people" / "a.parquet", "SELECT 1::BIGINT AS id, 'ann' AS full_name")
    source = external("parquet", "people", access)
    with pytest.raises(StorageError, match="the promised column 'name' is missing"):
        source.pin("crm.people", source.current())


def test_a_column_lost_in_one_file_of_many_names_that_file(tmp_path: Path, access: Access) -> None:
    parquet(tmp_path / "people" / "a.parquet", TWO)
    parquet(tmp_path / "people" / "b.parquet", "SELECT 3::BIGINT AS id")
    source = external("parquet", "people", access)
    with pytest.raises(StorageError, match=r"b\.parquet: the promised column 'name' is missing"):
        source.pin("crm.people", source.current())


def test_files_of_narrower_types_are_widened_each_by_itself(tmp_path: Path, access: Access) -> None:
    parquet(tmp_path / "people" / "a.parquet", "SELECT 1::SMALLINT AS id, 'ann' AS name")
    parquet(tmp_path / "people" / "b.parquet", "SELECT 'bob' AS name, 5000000000::BIGINT AS id")
    assert read(external("parquet", "people", access)) == [(1, "ann"), (5000000000, "bob")]


def test_a_type_that_would_change_values_is_refused(tmp_path: Path, access: Access) -> None:
    parquet(tmp_path / "people" / "a.parquet", TWO)
    parquet(tmp_path / "people" / "b.parquet", "SELECT 1.5::DOUBLE AS id, 'ann' AS name")
    source = external("parquet", "people", access)
    with pytest.raises(StorageError, match=r"column 'id' is DOUBLE, promised is BIGINT — .*physicalType: DOUBLE"):
        source.pin("crm.people", source.current())


def test_a_column_is_found_under_its_writers_name(tmp_path: Path, access: Access) -> None:
    parquet(tmp_path / "people" / "a.parquet", 'SELECT 7::BIGINT AS "Customer ID"')
    assert read(external("parquet", "people", access, customer_id="Customer ID: BIGINT")) == [(7,)]


def test_values_that_folders_state_become_columns_of_the_promised_type(tmp_path: Path, access: Access) -> None:
    parquet(tmp_path / "people" / "day=2026-11-01" / "a.parquet", "SELECT 1::BIGINT AS id")
    parquet(tmp_path / "people" / "day=2026-11-02" / "a.parquet", "SELECT 2::BIGINT AS id")
    parquet(tmp_path / "people" / "day=__HIVE_DEFAULT_PARTITION__" / "a.parquet", "SELECT 3::BIGINT AS id")
    source = external("parquet", "people", access, id="BIGINT", day="DATE")
    assert [(id, str(day)) for id, day in read(source)] == [(1, "2026-11-01"), (2, "2026-11-02"), (3, "None")]


def test_a_folders_value_of_another_type_is_refused_without_telling_it(tmp_path: Path, access: Access) -> None:
    parquet(tmp_path / "people" / "day=yesterday" / "a.parquet", "SELECT 1::BIGINT AS id")
    source = external("parquet", "people", access, id="BIGINT", day="DATE")
    with pytest.raises(StorageError, match="a folder's value of 'day' is no DATE") as caught:
        source.pin("crm.people", source.current())
    assert "yesterday" not in caught.value.what


def test_a_link_to_files_elsewhere_is_refused(tmp_path: Path, access: Access) -> None:
    parquet(tmp_path / "people" / "a.parquet", TWO)
    secret = parquet(tmp_path / "other" / "secret.parquet", TWO)
    (tmp_path / "people" / "b.parquet").symlink_to(secret)
    with pytest.raises(StorageError, match="is a link out of the source"):
        external("parquet", "people", access).current()


def test_names_that_are_patterns_or_sql_are_read_as_names(tmp_path: Path, access: Access) -> None:
    parquet(tmp_path / "people" / "a.parquet", TWO)
    os.rename(tmp_path / "people" / "a.parquet", tmp_path / "people" / "it's [ab]*?.parquet")
    parquet(tmp_path / "people" / "b.parquet", THREE)
    assert [id for id, _ in read(external("parquet", "people", access))] == [1, 2, 3]


def test_in_a_bucket_a_file_that_comes_after_the_pin_is_not_read(
    tmp_path: Path, s3_server: S3Access, bucket: str
) -> None:
    access = Access(root=tmp_path, s3=s3_server, variable="MESH_CRM")
    client = s3(s3_server)
    client.upload_file(str(parquet(tmp_path / "a.parquet", TWO)), bucket, "exports/people/a.parquet")
    client.upload_file(str(tmp_path / "a.parquet"), bucket, "exports/people_of_others/a.parquet")
    client.put_object(Bucket=bucket, Key="exports/people/_SUCCESS", Body=b"")
    source = external("s3", f"s3://{bucket}/exports/people", access)
    pin = source.pin("crm.people", source.current())
    client.upload_file(str(parquet(tmp_path / "b.parquet", THREE)), bucket, "exports/people/b.parquet")
    assert read(source, pin=pin) == [(1, "ann"), (2, "bob")]
    assert len(read(source)) == 3


def test_in_a_bucket_a_file_that_was_replaced_is_an_error(tmp_path: Path, s3_server: S3Access, bucket: str) -> None:
    access = Access(root=tmp_path, s3=s3_server, variable="MESH_CRM")
    client = s3(s3_server)
    client.upload_file(str(parquet(tmp_path / "a.parquet", TWO)), bucket, "people/a.parquet")
    source = external("s3", f"s3://{bucket}/people", access)
    pin = source.pin("crm.people", source.current())
    client.upload_file(str(parquet(tmp_path / "b.parquet", THREE)), bucket, "people/a.parquet")
    with pytest.raises(StorageError, match="its writer replaced files"):
        read(source, pin=pin)


def test_a_bucket_that_is_not_there_says_so_without_a_key(tmp_path: Path, s3_server: S3Access) -> None:
    access = Access(root=tmp_path, s3=s3_server, variable="MESH_CRM")
    with pytest.raises(StorageError) as caught:
        external("s3", "s3://no-such-bucket-here/people", access).current()
    assert "of-the-mesh" not in str(caught.value) and "no-such-bucket-here" in str(caught.value)


PEOPLE = "CREATE TABLE people AS SELECT 1::BIGINT AS id, 'ann' AS name"


def test_reads_a_table_of_a_duckdb_file(tmp_path: Path, access: Access) -> None:
    duckdb_file(tmp_path / "crm.duckdb", PEOPLE, 'CREATE SCHEMA s; CREATE TABLE s."The People" AS FROM people')
    assert read(external("duckdb", "crm.duckdb", access, table="main.people")) == [(1, "ann")]
    assert read(external("duckdb", "crm.duckdb", access, table="s.The People")) == [(1, "ann")]


def test_a_duckdb_file_that_was_replaced_is_another_version(tmp_path: Path, access: Access) -> None:
    duckdb_file(tmp_path / "crm.duckdb", PEOPLE)
    source = external("duckdb", "crm.duckdb", access, table="main.people")
    pin = source.pin("crm.people", source.current())
    duckdb_file(tmp_path / "crm.duckdb", "CREATE TABLE people AS SELECT 2::BIGINT AS id, 'bob' AS name")
    with pytest.raises(StorageError, match="its writer replaced the file — ask again"):
        read(source, pin=pin)
    assert read(source) == [(2, "bob")]


def test_a_duckdb_file_that_is_replaced_while_it_is_read_is_read_to_its_end(tmp_path: Path, access: Access) -> None:
    duckdb_file(tmp_path / "crm.duckdb", "CREATE TABLE people AS SELECT n AS id, 'old' AS name FROM range(300000) t(n)")
    source = external("duckdb", "crm.duckdb", access, table="main.people")
    pin = source.pin("crm.people", source.current())
    from mesh_defs.storage.open import attach

    with duckdb.connect() as connection:
        relation = attach(connection, pin, access)
        duckdb_file(tmp_path / "crm.duckdb", "CREATE TABLE people AS SELECT n AS id, 'new' AS name FROM range(9) t(n)")
        found = connection.execute(f"SELECT count(*), min(name), max(name) FROM {relation}").fetchone()
    assert found == (300000, "old", "old")


def test_a_duckdb_file_that_is_being_written_to_is_no_source(tmp_path: Path, access: Access) -> None:
    with duckdb.connect(str(tmp_path / "crm.duckdb")) as connection:
        connection.execute(PEOPLE)
        with pytest.raises(StorageError, match="is being written to"):
            external("duckdb", "crm.duckdb", access, table="main.people").current()


def test_a_view_of_a_duckdb_file_is_refused(tmp_path: Path, access: Access) -> None:
    stolen = parquet(tmp_path / "other" / "secret.parquet", TWO)
    duckdb_file(tmp_path / "crm.duckdb", f"CREATE VIEW people AS FROM '{stolen}'")
    source = external("duckdb", "crm.duckdb", access, table="main.people")
    with pytest.raises(StorageError, match="no table 'people'"):
        source.pin("crm.people", source.current())


def test_a_duckdb_table_that_lost_a_column_is_named(tmp_path: Path, access: Access) -> None:
    duckdb_file(tmp_path / "crm.duckdb", "CREATE TABLE people AS SELECT 1::BIGINT AS id, 'a' AS nane")
    source = external("duckdb", "crm.duckdb", access, table="main.people")
    with pytest.raises(StorageError, match="'name' is missing — write `physicalName: nane` at 'name'"):
        source.pin("crm.people", source.current())


def test_what_is_no_duckdb_file_says_so(tmp_path: Path, access: Access) -> None:
    (tmp_path / "crm.duckdb").write_text("not a database")
    source = external("duckdb", "crm.duckdb", access, table="main.people")
    with pytest.raises(StorageError, match="the DuckDB file cannot be opened"):
        source.pin("crm.people", source.current())
