"""What only Iceberg has: a table that others read, columns that are known again, and writers who are not ours."""

import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pyarrow as pa
import pytest
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.manifest import ManifestContent, ManifestFile, write_manifest_list
from pyiceberg.table import Table

from mesh_defs.errors import StorageError, StorageUnreachableError
from mesh_defs.model.version import Version
from mesh_defs.storage import iceberg
from mesh_defs.storage.base import Storage
from mesh_defs.storage.iceberg_names import CATALOG, CATALOG_SCHEMA, domain_of, table_of
from mesh_defs.storage.open import attach
from tests.storage.places import Place, iceberg_place

PROCESSES = Path(__file__).parent / "processes"
HANGS_AFTER_SECONDS = 300
HOUR = 3600.0


@pytest.fixture
def place(postgres: str, tmp_path: Path) -> Place:
    return iceberg_place(postgres, tmp_path / "events" / "impressions")


@pytest.fixture
def table(place: Place) -> Callable[[], Table]:
    """Return a function that opens the table as anybody does who has pyiceberg and the catalog's URL."""

    def opened() -> Table:
        url = psycopg.conninfo.conninfo_to_dict(place.access.postgres or "")
        uri = f"postgresql+psycopg:///{url['dbname']}?host={url['host']}&user={url['user']}"
        options = f"&options=-csearch_path%3D{CATALOG_SCHEMA}"
        return SqlCatalog(CATALOG, uri=uri + options).load_table(table_of(domain_of(place.access), place.server.place))

    return opened


def test_others_read_the_same_rows_under_the_name_of_domain_and_product(published, rows, table) -> None:
    version = published("SELECT range AS id, 'p' || range AS person FROM range(3)")
    assert table().name() == ("events", "impressions")
    read = table().scan().to_arrow()
    assert [tuple(row.values()) for row in read.to_pylist()] == rows(version.parts)


def test_what_is_staged_or_refused_is_in_no_snapshot(storage, connection, published, table) -> None:
    published("SELECT 1 AS a")
    storage.stage(connection, "SELECT 2 AS a")
    storage.refuse(storage.stage(connection, "SELECT 3 AS a"), [{"check": "x"}])
    assert table().scan().to_arrow().to_pylist() == [{"a": 1}]
    assert len(table().metadata.snapshots) == 1


def test_every_version_is_a_snapshot_to_travel_to(published, table) -> None:
    for n in range(3):
        published(f"SELECT {n} AS a")
    found = table()
    read = [found.scan(snapshot_id=each.snapshot_id).to_arrow().to_pylist() for each in found.metadata.snapshots]
    assert read == [[{"a": 0}], [{"a": 1}], [{"a": 2}]]


def ids(table: Table) -> dict[str, int]:
    return {field.name: field.field_id for field in table.schema().fields}


def test_a_column_is_known_again_by_its_name_and_type(published, table) -> None:
    published("SELECT 1 AS a, 2 AS b, 3 AS c, 1.5::DECIMAL(9,2) AS d")
    first = ids(table())
    published("SELECT 2 AS b, 1::BIGINT AS a, 'x' AS c, 1.5::DECIMAL(18,2) AS d, 4 AS e")
    second = ids(table())
    assert list(second) == ["b", "a", "c", "d", "e"]
    assert [first[name] == second[name] for name in "abcd"] == [True, True, False, True]
    published("SELECT 2 AS b")
    published("SELECT 2 AS b, 4 AS e")
    assert ids(table())["e"] not in second.values(), "a column that comes back is another one"
    old = table().metadata.snapshots[0]
    assert table().scan(snapshot_id=old.snapshot_id).to_arrow().schema.names == list("abcd")


def test_a_partition_may_bring_a_column_that_the_others_lack(
    storage, connection, published, rows, table, place
) -> None:
    before = published("SELECT 1 AS n", partition="mon")
    version = published("SELECT 2 AS n, 'x' AS more", partition="tue")
    assert rows(version.parts) == [(1, None), (2, "x")]
    assert rows(before.parts) == [(1,)]
    pin = storage.pin("events.impressions", version)
    found = connection.execute(f"SELECT n, more FROM {attach(connection, pin, place.access)} ORDER BY n").fetchall()
    assert found == [(1, None), (2, "x")]
    assert sorted(map(str, table().scan().to_arrow().to_pylist())) == [
        str({"n": 1, "more": None}),
        str({"n": 2, "more": "x"}),
    ]
    assert storage.current() == version
    # As an erasure does: a part is rewritten as its version has it.
    again = published(f"SELECT * FROM {storage.relation(connection, version.parts[:1])}", partition="mon")
    assert (dict(again.parts[0].absent), rows(again.parts)) == ({}, [(1, None), (2, "x")])


def test_the_columns_of_a_partition_are_those_of_the_rest_otherwise(published) -> None:
    published("SELECT 1 AS n, 2 AS m", partition="mon")
    with pytest.raises(StorageError, match="has other columns than the rest"):
        published("SELECT 0 AS first, 1 AS n, 2 AS m", partition="tue")


def test_two_candidates_with_different_new_columns_do_not_share_an_id(storage, connection, published) -> None:
    published("SELECT 1 AS n")
    one, other = (storage.stage(connection, f"SELECT 1 AS n, 2 AS {name}") for name in ("x", "y"))
    storage.publish(one, stamp={})
    with pytest.raises(StorageError, match="columns changed since the candidate was staged — stage it anew"):
        storage.publish(other, stamp={})
    assert storage.current().id == one.id


def test_a_column_renamed_by_another_program_keeps_its_name_to_readers(published, rows, table, storage) -> None:
    published("SELECT 1 AS n", partition="mon")
    with table().update_schema() as update:
        update.rename_column("n", "renamed")
    assert rows(storage.current().parts) == [(1,)]
    version = published("SELECT 2 AS n", partition="tue")
    assert list(ids(table())) == ["n"]
    assert (rows(version.parts), table().scan().to_arrow().num_rows) == ([(1,), (2,)], 2)


def test_rows_that_another_program_wrote_are_refused_and_can_be_rolled_back(storage, published, table, clock) -> None:
    version = published("SELECT 1 AS a")
    with written_by_others(table()):
        for look in (storage.current, storage.versions):
            with pytest.raises(StorageError, match=r"another program wrote snapshot \d+ of events.impressions"):
                look()
        with pytest.raises(StorageError, match="nobody audited"):
            published("SELECT 2 AS a")
        with pytest.raises(StorageError, match="nobody audited"):
            storage.sweep(clock.now, 0)
    assert storage.current() == version
    assert published("SELECT 3 AS a") == storage.current()


@contextmanager
def written_by_others(table: Table) -> Iterator[None]:
    """Append a row as any client of the catalog may, and roll it back at the end as the error says."""
    before = table.current_snapshot()
    table.append(pa.table({"a": pa.array([9], pa.int32())}))
    yield
    table.refresh()
    table.manage_snapshots().set_current_snapshot(before.snapshot_id).commit()


def test_a_commit_that_another_program_overtook_changes_nothing(
    storage, connection, published, table, monkeypatch
) -> None:
    before, candidate = published("SELECT 1 AS a"), storage.stage(connection, "SELECT 2 AS a")
    commit, others = iceberg.commit, written_by_others(table())

    def overtaken(*given: Any, **more: Any) -> None:
        others.__enter__()
        commit(*given, **more)

    with monkeypatch.context() as patched:
        patched.setattr(iceberg, "commit", overtaken)
        with pytest.raises(StorageUnreachableError, match="another program changed the table meanwhile"):
            storage.publish(candidate, stamp={})
    others.__exit__(None, None, None)
    assert storage.current() == before
    assert storage.publish(candidate, stamp={}) == storage.current()


def test_delete_files_that_are_not_applied_are_refused(storage, published, table, place) -> None:
    version = published("SELECT range AS a FROM range(3)")
    found = table()
    [snapshot] = found.metadata.snapshots
    [data] = snapshot.manifests(found.io)
    deletes = ManifestFile.from_args(
        manifest_path=data.manifest_path.replace(".avro", "-d.avro"),
        manifest_length=data.manifest_length,
        partition_spec_id=0,
        content=ManifestContent.DELETES,
        sequence_number=1,
        min_sequence_number=1,
        added_snapshot_id=snapshot.snapshot_id,
        **{f"{state}_{what}_count": 0 for state in ("added", "existing", "deleted") for what in ("files", "rows")},
    )
    output = found.io.new_output(snapshot.manifest_list)
    with write_manifest_list(2, output, snapshot.snapshot_id, None, 1, "deflate") as writer:
        writer.add_manifests([data, deletes])
    code = f"""
from tests.storage.places import place_told
s = place_told({place.told()!r}).storage()
s.pin("events.impressions", s.current())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert f"the snapshot of version {version.id} has delete files: its Parquet files hold deleted rows" in done.stderr


def test_a_snapshot_that_somebody_named_stays_with_its_rows(storage, published, table, clock, rows) -> None:
    tagged = published("SELECT 1 AS a")
    table().manage_snapshots().create_tag(table().current_snapshot().snapshot_id, "audit_2026").commit()
    for n in (2, 3):
        clock.advance(days=1)
        published(f"SELECT {n} AS a")
    storage.sweep(clock.advance(days=9), HOUR)
    assert [version.stamp for version in storage.versions()] == [{}, {}]
    assert rows(tagged.parts) == [(1,)]
    table().manage_snapshots().remove_tag("audit_2026").commit()
    storage.sweep(clock.now, HOUR)
    assert len(storage.versions()) == 1
    with pytest.raises(StorageError, match="is missing"):
        rows(tagged.parts)


def test_what_no_snapshot_leads_to_is_swept_from_the_metadata_too(storage, published, clock, table, place) -> None:
    for n in range(4):
        published(f"SELECT {n} AS a")
    assert storage.sweep(clock.now, HOUR) == ()
    storage.sweep(clock.advance(days=1), 0)
    left = {path.name for path in (place.folder / "metadata").iterdir()}
    found = table()
    [snapshot] = found.metadata.snapshots
    reached = {found.metadata_location, snapshot.manifest_list}
    reached |= {each.manifest_path for each in snapshot.manifests(found.io)}
    assert left == {each.rpartition("/")[2] for each in reached}


def test_the_metadata_names_no_value_but_dates(published, place, storage) -> None:
    """A person's key among a file's bounds would outlive the person's erasure."""
    published("SELECT 'zz-secret' AS person, 1234567 AS n, DATE '2026-11-01' AS day")
    published("SELECT 'aa-public' AS person, 7 AS n, DATE '2026-11-01' AS day")
    for path in [*(place.folder / "metadata").iterdir(), *(place.folder / "parts").rglob("*.avro")]:
        content = path.read_bytes()
        assert b"zz-secret" not in content, path
        assert (1234567).to_bytes(4, "little") not in content, path


def test_what_lost_its_files_is_made_anew(published, place, storage, rows, table) -> None:
    version = published("SELECT 1 AS a")
    shutil.rmtree(place.folder / "parts")
    with pytest.raises(StorageError, match="is missing — restore the file, or re-materialize the product"):
        rows(version.parts)
    assert rows(published("SELECT 2 AS a").parts) == [(2,)]
    assert table().scan().to_arrow().to_pylist() == [{"a": 2}]


def test_two_products_cannot_have_one_table(published, place, connection, tmp_path) -> None:
    published("SELECT 1 AS a")
    other = iceberg_place(place.access.postgres or "", tmp_path / "elsewhere" / "impressions").storage()
    with pytest.raises(StorageError, match=r"the catalog's table events\.impressions lies elsewhere"):
        other.publish(other.stage(connection, "SELECT 2 AS a"), stamp={})


@pytest.mark.parametrize("name", ["Impressions", "2026", "a-b", "a.b"])
def test_a_place_names_its_table(postgres, tmp_path, name) -> None:
    with pytest.raises(StorageError, match="is no name of a table"):
        iceberg_place(postgres, tmp_path / name).storage()


def test_without_its_catalog_it_says_which_variable_is_missing(tmp_path) -> None:
    place = iceberg_place("", tmp_path / "impressions")
    with pytest.raises(StorageError, match="MESH_EVENTS_POSTGRES"):
        Place(server=place.server, access=type(place.access)(root=tmp_path, variable="MESH_EVENTS")).storage()
    gone = iceberg_place("postgresql://u:s3cret@127.0.0.1:1/x", tmp_path / "impressions").storage()
    with pytest.raises(StorageUnreachableError, match="Postgres does not answer") as told:
        gone.current()
    assert "s3cret" not in str(told.value)


def test_a_reader_needs_no_more_than_to_read_the_catalog(published, place, connection, rows) -> None:
    version = published("SELECT 1 AS a")
    with psycopg.connect(place.access.postgres or "", autocommit=True) as owner:
        owner.execute("DROP ROLE IF EXISTS ice_reader")
        owner.execute("CREATE ROLE ice_reader LOGIN")
        owner.execute(f"GRANT USAGE ON SCHEMA {CATALOG_SCHEMA} TO ice_reader")
        owner.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA {CATALOG_SCHEMA} TO ice_reader")
        owner.execute("ALTER ROLE ice_reader SET default_transaction_read_only = on")
    url = psycopg.conninfo.make_conninfo(place.access.postgres or "", user="ice_reader")
    reader = iceberg_place(url, place.folder).storage()
    assert reader.current() == version
    assert reader.pin("events.impressions", version).rows == 1
    with pytest.raises(StorageError, match=r"may only be read there|may not do that|not allowed"):
        reader.publish(reader.stage(connection, "SELECT 2 AS a"), stamp={})
    assert reader.current() == version


def test_whoever_reads_a_pin_does_not_pay_for_pyiceberg(storage, published, place) -> None:
    version: Version = published("SELECT 1 AS a")
    [location] = storage.pin("events.impressions", version).locations
    code = f"""
import sys, duckdb
from datetime import datetime, UTC
from pathlib import Path
from mesh_defs.model.place import Access
from mesh_defs.model.version import Pin
from mesh_defs.storage.open import attach
pin = Pin(product="a.b", version="v", kind="iceberg", locations=({location!r},), columns={{"a": "INTEGER"}},
          rows=1, bytes=1, published_at=datetime.now(UTC))
with duckdb.connect() as c:
    print(c.execute("FROM " + attach(c, pin, Access(root=Path("/")))).fetchall(), "pyiceberg" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[(1,)] False"


def test_types_that_iceberg_lacks_are_refused_by_name(storage, connection, stored) -> None:
    for expression in ("INTERVAL 1 DAY", "TIMETZ '10:00:00+02'", "union_value(a := 1)", "'x'::VARIANT", "'1'::BIT"):
        with pytest.raises(StorageError, match=r"column 'changed' holds .*, which Iceberg cannot keep .* CAST it"):
            storage.stage(connection, f"SELECT {expression} AS changed")
    assert stored() == set()


NESTED = [
    ('STRUCT(a INTEGER, "the b" VARCHAR[])', "{'a': 1, 'the b': ['x', NULL]}", {"a": 1, "the b": ["x", None]}),
    ("MAP(VARCHAR, INTEGER)", "MAP {'k': 1}", {"k": 1}),
    ("DECIMAL(20,0)", "18446744073709551615::UBIGINT", 2**64 - 1),
    ("VARCHAR", "'a' || chr(0) || 'b'", "a\x00b"),
    ("INTEGER", "7::UTINYINT", 7),
    ("INTEGER[]", "array_value(1, 2)", [1, 2]),
]


@pytest.mark.parametrize(("type_", "expression", "value"), NESTED, ids=[each[0] for each in NESTED])
def test_nested_and_widened_types_are_read_alike_by_others(
    storage, connection, published, rows, table, type_, expression, value
) -> None:
    version = published(f"SELECT {expression} AS x")
    assert dict(version.columns) == {"x": type_}
    assert rows(version.parts) == [(value,)]
    read = table().scan().to_arrow().to_pylist()[0]["x"]
    assert (dict(read) if type_.startswith("MAP") else read) == value


def test_the_connection_is_let_go_of(published, place, storage) -> None:
    published("SELECT 1 AS a")
    storage.versions()
    with psycopg.connect(place.access.postgres or "") as own:
        query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        assert own.execute(query).fetchone() == (0,)


def test_wherever_a_writer_dies_a_whole_version_stays(postgres, tmp_path, connection) -> None:
    places = [iceberg_place(postgres, tmp_path / f"dying_{n}") for n in range(60)]
    for place in places:
        first = place.storage()
        first.publish(first.stage(connection, "SELECT 1 AS g FROM range(1000)"), stamp={})
    command = [sys.executable, str(PROCESSES / "dying_iceberg_writer.py"), *(place.told() for place in places)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=HANGS_AFTER_SECONDS, check=False)
    codes = done.stdout.split()
    assert (set(codes[:-1]), codes[-1]) == ({str(-signal.SIGKILL)}, "0"), done.stderr
    assert len(codes) > 25
    generations = [survives(place, connection) for place in places[: len(codes)]]
    assert generations == sorted(generations), "the flip is one step: dead before it, or alive after it"
    assert set(generations) == {1, 2}


def survives(place: Place, connection: duckdb.DuckDBPyConnection) -> int:
    """Return the generation that readers see after the death; the next writer and sweeper must find all in order."""
    storage = place.storage()
    [(seen, count)] = generations_at(storage, connection)
    assert count == 1000
    version = storage.publish(storage.stage(connection, "SELECT 4 AS g"), stamp={})
    storage.sweep(datetime.now(UTC) + timedelta(days=1), retention_seconds=0)
    assert place.stored() == {version.parts[0].path, f"history/{version.id}.json"}
    assert generations_at(storage, connection) == [(4, 1)]
    return seen


def generations_at(storage: Storage, connection: duckdb.DuckDBPyConnection) -> list[tuple[int, int]]:
    version = storage.current()
    assert version
    relation = storage.relation(connection, version.parts)
    return connection.execute(f"SELECT g, count(*) FROM {relation} GROUP BY g").fetchall()
