"""What goes in comes out: rows, types, names and places."""

import subprocess
import sys
import threading
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import duckdb
import pytest

from mesh_defs.errors import StorageError
from mesh_defs.storage.open import attach
from tests.storage.places import NOWHERE, storage_in

KEPT = [
    (
        "DECIMAL(38,10)",
        "1234567890123456789012345678.0123456789::DECIMAL(38,10)",
        Decimal("1234567890123456789012345678.0123456789"),
    ),
    ("TIMESTAMP", "TIMESTAMP '1969-12-31 23:59:59.999999'", datetime(1969, 12, 31, 23, 59, 59, 999999)),
    ("TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ '2026-03-29 02:30:00+01'", datetime(2026, 3, 29, 1, 30, tzinfo=UTC)),
    ("DATE", "DATE '0001-01-01'", date(1, 1, 1)),
    ("INTEGER[]", "[1, NULL, 3]", [1, None, 3]),
    ("BLOB", "'\\x00\\xFF'::BLOB", b"\x00\xff"),
    ("VARCHAR", "'naïve 🐘 \"quoted\" \\N' || chr(10) || chr(9)", 'naïve 🐘 "quoted" \\N\n\t'),
    ("VARCHAR[]", "['a', NULL, 'NULL', '', ' {', '\"']", ["a", None, "NULL", "", " {", '"']),
    ("UUID", "'00000000-0000-0000-0000-000000000001'::UUID", UUID(int=1)),
    ("BOOLEAN", "NULL::BOOLEAN", None),
    ("INTEGER", "NULL", None),
    ("DOUBLE", "'-Infinity'::DOUBLE", float("-inf")),
    ("JSON", "'{\"a\": [1]}'::JSON", '{"a": [1]}'),
]
KEPT_IN_FILES = [
    ('STRUCT(a INTEGER, "the b" VARCHAR[])', "{'a': 1, 'the b': ['x', NULL]}", {"a": 1, "the b": ["x", None]}),
    ("MAP(VARCHAR, INTEGER)", "MAP {'k': 1}", {"k": 1}),
    ("VARCHAR", "'a' || chr(0) || 'b'", "a\x00b"),
    ("UBIGINT", "18446744073709551615::UBIGINT", 2**64 - 1),
]


@pytest.mark.parametrize(("type_", "expression", "value"), KEPT, ids=[kept[0] for kept in KEPT])
def test_keeps_type_and_value(storage, connection, rows, type_, expression, value) -> None:
    connection.execute("SET TimeZone = 'UTC'")
    candidate = storage.stage(connection, f"SELECT {expression} AS x")
    assert dict(candidate.columns) == {"x": type_}
    [(read,)] = rows(candidate.parts)
    assert read == value


@pytest.mark.parametrize(("type_", "expression", "value"), KEPT_IN_FILES, ids=[kept[0] for kept in KEPT_IN_FILES])
def test_a_file_keeps_type_and_value(storage, folder, connection, rows, type_, expression, value) -> None:
    test_keeps_type_and_value(storage, connection, rows, type_, expression, value)


def test_a_sum_of_integers_keeps_every_digit(storage, connection, rows) -> None:
    """COPY alone would make the HUGEINT that sum() returns a DOUBLE, and 2^53 + 1 an even number."""
    candidate = storage.stage(connection, "SELECT sum(i) AS n FROM (VALUES (9007199254740992), (1)) t(i)")
    assert rows(candidate.parts) == [(2**53 + 1,)]
    assert candidate.columns["n"] == ("HUGEINT" if storage.kind == "duckdb" else "DECIMAL(38,0)")


@pytest.mark.parametrize(
    "expression", ["[1::HUGEINT]", "INTERVAL 1 DAY", "TIMETZ '10:00:00+02'", "union_value(a := 1)"]
)
def test_a_file_refuses_a_type_rather_than_change_it(storage, folder, connection, rows, stored, expression) -> None:
    select = f"SELECT {expression} AS changed"
    if storage.kind == "duckdb":
        candidate = storage.stage(connection, select)
        assert rows(candidate.parts) == connection.execute(select).fetchall()
        return
    with pytest.raises(StorageError, match=r"column 'changed' holds .* CAST it"):
        storage.stage(connection, select)
    assert stored() == set()


def test_type_names_inside_names_and_labels_are_not_types(storage, folder, connection) -> None:
    select = """SELECT {'INTERVAL': 1} AS s, 'BIT'::ENUM('BIT', 'UNION ''x') AS e"""
    assert storage.stage(connection, select).rows == 1


def test_keeps_column_order_and_odd_names(storage, connection, rows) -> None:
    names = ["z", 'say "hi"', "größe", "select", "a b", "'", "x;--", "Ünï"]
    select = "SELECT " + ", ".join(f'{n} AS "{name.replace(chr(34), chr(34) * 2)}"' for n, name in enumerate(names))
    candidate = storage.stage(connection, select)
    assert list(candidate.columns) == names
    assert rows(candidate.parts) == [tuple(range(len(names)))]


def test_refuses_two_columns_of_one_name(storage, connection, stored) -> None:
    with pytest.raises(StorageError, match="two columns of the SELECT are called 'a'"):
        storage.stage(connection, 'SELECT 1 AS a, 2 AS "A"')
    assert stored() == set()


def test_an_empty_result_is_a_readable_part_with_its_columns(storage, connection, published, rows) -> None:
    version = published("SELECT 1::BIGINT AS id, NULL::DECIMAL(9,2) AS price, [now()] AS seen WHERE false")
    assert version.rows == 0
    assert version.bytes > 0
    assert rows(version.parts) == []
    described = connection.execute(f"DESCRIBE SELECT * FROM {storage.relation(connection, version.parts)}").fetchall()
    assert {row[0]: row[1] for row in described} == dict(version.columns)
    assert version.columns["price"] == "DECIMAL(9,2)"


def test_counts_rows_and_bytes(storage, connection, folder) -> None:
    candidate = storage.stage(connection, "SELECT range AS id, md5(range::VARCHAR) AS hash FROM range(150_000)")
    [part] = candidate.parts
    assert (candidate.rows, part.rows) == (150_000, 150_000)
    assert part.bytes == (folder / part.path).stat().st_size


def test_keeps_the_order_of_rows(storage, connection, rows) -> None:
    """Row groups that are sorted on the usual filter can be skipped."""
    candidate = storage.stage(
        connection, "SELECT sum(range) AS n FROM range(150_000) GROUP BY range ORDER BY range DESC"
    )
    assert rows(candidate.parts) == [(n,) for n in reversed(range(150_000))]


ODD = ["TIMESTAMP_S '2026-01-01'", "'a'::ENUM('a', 'b')", "array_value(1, 2)"]
ODD_IN_FILES = ["'x'::VARIANT", "MAP {1: [{'a': NULL}]}"]


@pytest.mark.parametrize("expression", ODD)
def test_says_the_types_that_readers_will_see(storage, connection, expression) -> None:
    candidate = storage.stage(connection, f"SELECT {expression} AS x")
    described = connection.execute(f"DESCRIBE SELECT * FROM {storage.relation(connection, candidate.parts)}").fetchall()
    assert {row[0]: row[1] for row in described} == dict(candidate.columns)


@pytest.mark.parametrize("expression", ODD_IN_FILES)
def test_says_the_types_that_readers_of_files_will_see(storage, folder, connection, expression) -> None:
    test_says_the_types_that_readers_will_see(storage, connection, expression)


def test_columns_may_be_called_as_duckdb_calls_its_own(storage, connection, rows) -> None:
    names = ("filename", "file_row_number", "rowid", "data", "main", "count")
    select = "SELECT " + ", ".join(f"{n} AS {name}" for n, name in enumerate(names))
    candidate = storage.stage(connection, f"FROM ({select}) data")
    assert tuple(candidate.columns) == names
    assert rows(candidate.parts) == [tuple(range(len(names)))]


def test_stages_from_a_database_opened_read_only(storage, tmp_path, rows) -> None:
    duckdb.connect(tmp_path / "own.duckdb").execute("CREATE TABLE data AS SELECT 5 AS a").close()
    with duckdb.connect(tmp_path / "own.duckdb", read_only=True) as own:
        parts = storage.stage(own, "FROM data").parts
    assert rows(parts) == [(5,)]


def test_stages_while_another_cursor_looks_at_every_database(storage, connection) -> None:
    """A catalog query touches the file that is being written; a plain CHECKPOINT would fail then."""
    staged, other = threading.Event(), connection.cursor()

    def look() -> None:
        while not staged.is_set():
            other.execute("SELECT count(*) FROM duckdb_tables()").fetchall()

    looking = threading.Thread(target=look)
    looking.start()
    try:
        for n in range(20):
            parts = storage.stage(connection, f"SELECT {n} AS n FROM range(100)").parts
            with duckdb.connect() as reader:
                assert reader.execute(f"SELECT DISTINCT n FROM {storage.relation(reader, parts)}").fetchall() == [(n,)]
    finally:
        staged.set()
        looking.join()


@pytest.mark.parametrize(
    "select", ["SELECT 1 AS a -- why", "WITH t AS (SELECT 1 AS a) FROM t", "FROM (VALUES (1)) t(a)"]
)
def test_takes_any_shape_of_select(storage, connection, rows, select) -> None:
    assert rows(storage.stage(connection, select).parts) == [(1,)]


def test_reads_what_only_this_connection_knows(storage, connection, rows) -> None:
    connection.execute("CREATE TEMP TABLE private AS SELECT 8 AS a")
    connection.execute("CREATE TEMP MACRO doubled(n) AS 2 * n")
    assert rows(storage.stage(connection, "SELECT doubled(a) AS a FROM private").parts) == [(16,)]


def test_a_staged_part_cannot_be_written_by_accident(storage, connection, folder) -> None:
    [part] = storage.stage(connection, "SELECT 1 AS a").parts
    assert (folder / part.path).stat().st_mode & 0o222 == 0


def test_ids_are_unique_and_sort_by_time(storage, connection, clock) -> None:
    same = {storage.stage(connection, "SELECT 1 AS a").id for _ in range(20)}
    clock.advance(microseconds=1)
    later = storage.stage(connection, "SELECT 1 AS a").id
    assert len(same) == 20
    assert max(same) < later


def test_stages_in_little_memory(storage, connection, rows) -> None:
    connection.execute("SET memory_limit = '32MB'")
    connection.execute("SET threads = 1")
    select = "SELECT range AS id, md5(range::VARCHAR) || md5((range + 1)::VARCHAR) AS text FROM range(700_000)"
    assert rows(storage.stage(connection, select).parts, "count(*)") == [(700_000,)]


HOSTILE = [
    "with space",
    "it's",
    'say "hi"',
    "a[bc]",
    "day=1",
    "star*",
    "größe 🐘",
    "{x}",
    "semi;colon",
    "a:b",
    "%20",
    "-- x",
    "~",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_works_in_a_place_of_any_name(file_kind, tmp_path, connection, name) -> None:
    storage = storage_in(file_kind, tmp_path / name / "p")
    version = storage.publish(storage.stage(connection, "SELECT 1 AS a"), stamp={})
    result = connection.execute(f"SELECT * FROM {attach(connection, storage.pin('a.b', version), NOWHERE)}")
    assert [column[0] for column in result.description or []] == ["a"]
    assert result.fetchall() == [(1,)]


@pytest.mark.parametrize(("name", "decoy"), [("a[bc]", "ab"), ("star*", "starry"), ("***", "x"), ("[!a]", "b")])
def test_a_place_is_not_a_pattern(file_kind, tmp_path, connection, name, decoy) -> None:
    """DuckDB reads `a[bc]/0.parquet` from the folder `ab` if there is one: another team's product, perhaps."""
    (tmp_path / name).mkdir()
    mine, other = storage_in(file_kind, tmp_path / name / "p"), storage_in(file_kind, tmp_path / decoy / "p")
    version = mine.publish(mine.stage(connection, "SELECT 1 AS a"), stamp={})
    staged = other.stage(connection, "SELECT 2 AS a")
    (tmp_path / decoy / "p" / "parts" / staged.id).rename(tmp_path / decoy / "p" / "parts" / version.id)
    assert connection.execute(f"FROM {attach(connection, mine.pin('a.b', version), NOWHERE)}").fetchall() == [(1,)]


def test_a_question_mark_in_the_place_works_or_is_refused(file_kind, tmp_path, connection) -> None:
    """DuckDB takes '?' in a database's path for the start of options; Parquet takes it for a wildcard."""
    storage = storage_in(file_kind, tmp_path / "what?" / "p")
    if file_kind == "duckdb":
        with pytest.raises(StorageError, match=r"has '\?' in its name — give the product a place without"):
            storage.stage(connection, "SELECT 1 AS a")
        return
    (tmp_path / "whatx").mkdir()
    candidate = storage.stage(connection, "SELECT 1 AS a")
    assert connection.execute(f"FROM {storage.relation(connection, candidate.parts)}").fetchall() == [(1,)]


def test_a_relative_place_stays_where_it_was(file_kind, tmp_path, connection, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    storage = storage_in(file_kind, Path("here"))
    monkeypatch.chdir("/")
    storage.publish(storage.stage(connection, "SELECT 1 AS a"), stamp={})
    assert (tmp_path / "here" / "manifest.json").is_file()


def test_another_process_reads_while_this_one_does(storage, connection, published, place) -> None:
    version = published("SELECT 42 AS a")
    relation = storage.relation(connection, version.parts)
    code = f"""
import duckdb
from tests.storage.places import place_told
s = place_told({place.told()!r}).storage()
with duckdb.connect() as c:
    print(c.execute("FROM " + s.relation(c, s.current().parts)).fetchall())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[(42,)]"
    assert connection.execute(f"FROM {relation}").fetchall() == [(42,)]
    storage.release(connection, version.parts)
    assert connection.execute(f"FROM {storage.relation(connection, version.parts)}").fetchall() == [(42,)]


def test_release_leaves_nothing_attached(storage, connection, published) -> None:
    parts = [published("SELECT 1 AS a", partition=day).parts for day in ("mon", "tue")][-1]
    for _ in range(2):
        assert len(connection.execute(f"FROM {storage.relation(connection, parts)}").fetchall()) == 2
    storage.release(connection, parts)
    storage.release(connection, parts)
    assert connection.execute("SELECT count(*) FROM duckdb_databases() WHERE path LIKE '%parts%'").fetchall() == [(0,)]


def test_one_cursor_does_not_release_what_another_reads(storage, connection, published) -> None:
    version, other = published("SELECT 1 AS a"), connection.cursor()
    relation = storage.relation(connection, version.parts)
    assert other.execute(f"FROM {storage.relation(other, version.parts)}").fetchall() == [(1,)]
    storage.release(other, version.parts)
    assert connection.execute(f"FROM {relation}").fetchall() == [(1,)]
