"""Trino reads in place what pyiceberg wrote: the same catalog in Postgres, the same files, the same snapshot."""

import io
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from pyarrow import parquet
from pyiceberg.expressions import AlwaysTrue
from pyiceberg.types import IntegerType

from mesh_defs.model.contract import Server
from mesh_defs.model.place import Access
from mesh_defs.storage.base import Storage
from mesh_defs.storage.layout import Layout
from mesh_defs.storage.local import LocalStorage, utc_now
from mesh_defs.storage.parquet import ParquetParts
from mesh_defs.storage.s3 import s3_at
from tests.servers import new_database
from tests.trino.lake import ROWS, Lake, lake
from tests.trino_server import Trino

PARTS = """
SELECT i AS id, 'page ' || i % 7 AS page, i * 0.5::DOUBLE AS score, CAST(i AS DECIMAL(18,3)) AS price,
       'unlike any other ' || i AS text, DATE '2024-01-01' + CAST(i % 30 AS INTEGER) AS day, [i, NULL] AS list,
       TIMESTAMP '2024-01-01' + INTERVAL (i) MICROSECOND AS seen, CAST(i % 100 AS TINYINT) AS small, i % 2 = 0 AS even,
       CASE WHEN i % 3 > 0 THEN i END AS gap
FROM range({rows}) r(i)
"""


@pytest.fixture
def database(postgres_tcp_server: str) -> Iterator[str]:
    with new_database(postgres_tcp_server) as url:
        yield url


@pytest.fixture(params=["folder", "s3"])
def a_lake(database: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Lake]:
    if request.param == "folder":
        with lake(database, f"file://{tmp_path}/lake") as made:
            yield made
    else:
        access, bucket = request.getfixturevalue("s3_server"), request.getfixturevalue("bucket")
        with lake(database, f"s3://{bucket}/lake", access) as made:
            yield made


@pytest.fixture
def product(a_lake: Lake, tmp_path: Path, request: pytest.FixtureRequest) -> Storage:
    """A product in the format of the mesh, beside the lake."""
    if "local.location" in a_lake.trino:
        return LocalStorage(ParquetParts(), Layout(tmp_path / "product"), utc_now)
    place = f"s3://{request.getfixturevalue('bucket')}/product"
    access = Access(root=tmp_path, s3=request.getfixturevalue("s3_server"))
    return s3_at(Server(environment="local", kind="s3", place=place), access, utc_now)


def test_reads_every_type_that_pyiceberg_writes(trino: Trino, a_lake: Lake) -> None:
    table = a_lake.catalog.create_table("events.clicks", ROWS.schema)
    table.append(ROWS)
    with trino.catalog(a_lake.trino) as catalog:
        assert trino.rows(f"SELECT * FROM {catalog}.events.clicks ORDER BY id") == [
            list(row.values()) for row in ROWS.to_pylist()
        ]


def test_reads_an_older_snapshot_by_its_id(trino: Trino, a_lake: Lake) -> None:
    table = a_lake.catalog.create_table("events.clicks", ROWS.schema)
    table.append(ROWS.slice(0, 2))
    first = table.current_snapshot()
    table.overwrite(ROWS.slice(2))
    assert first
    with trino.catalog(a_lake.trino) as catalog:
        named = f"{catalog}.events.clicks"
        assert trino.rows(f"SELECT id FROM {named}") == [[3]]
        assert trino.rows(f"SELECT id FROM {named} FOR VERSION AS OF {first.snapshot_id} ORDER BY id") == [[1], [2]]


def test_reads_columns_that_were_added_renamed_and_deleted_since(trino: Trino, a_lake: Lake) -> None:
    table = a_lake.catalog.create_table("events.clicks", ROWS.schema)
    table.append(ROWS)
    first = table.current_snapshot()
    with table.update_schema() as change:
        change.add_column("more", IntegerType())
        change.rename_column("name", "called")
        change.delete_column("score")
    table.delete("id = 1")
    assert first
    with trino.catalog(a_lake.trino) as catalog:
        named = f"{catalog}.events.clicks"
        assert trino.rows(f"SELECT id, called, more FROM {named} ORDER BY id") == [
            [2, "Grüße 🎈", None],
            [3, None, None],
        ]
        then = trino.rows(f"SELECT id, name, score FROM {named} FOR VERSION AS OF {first.snapshot_id} ORDER BY id")
        assert then == [[1, "Ada", 0.5], [2, "Grüße 🎈", -0.0], [3, None, None]]


def test_reads_the_parquet_parts_of_a_product_where_they_lie(
    trino: Trino, a_lake: Lake, product: Storage, tmp_path: Path
) -> None:
    """Registered, not copied: parts in Parquet v2, with DELTA encodings and no field ids. One commit for each version."""
    table, snapshots, encodings = None, [], set()
    with duckdb.connect() as connection:
        for rows in (50_000, 10):
            version = product.publish(product.stage(connection, PARTS.format(rows=rows)), stamp={})
            (location,) = product.pin("events.clicks", version).locations
            part = location if location.startswith("s3:") else f"file://{location}"
            with a_lake.catalog._load_file_io().new_input(part).open() as file:
                read = parquet.ParquetFile(io.BytesIO(file.read()))
            encodings |= _encodings(read)
            table = table or a_lake.catalog.create_table("events.clicks", read.schema_arrow)
            with table.transaction() as change:
                change.delete(AlwaysTrue())
                change.add_files([part])
            snapshots.append((table.metadata.current_snapshot_id, part, connection.sql(PARTS.format(rows=rows))))
        assert {"DELTA_BINARY_PACKED", "DELTA_LENGTH_BYTE_ARRAY", "BYTE_STREAM_SPLIT"} <= encodings
        assert table and "schema.name-mapping.default" in table.properties
        with trino.catalog(a_lake.trino) as catalog:
            for snapshot, part, made in snapshots:
                named = f"{catalog}.events.clicks FOR VERSION AS OF {snapshot}"
                assert trino.rows(f'SELECT DISTINCT "$path" FROM {named}') == [[part]]
                seen = trino.rows(f"SELECT * FROM {named} ORDER BY id")
                assert seen == [list(row) for row in made.fetchall()]
                assert table.scan(snapshot_id=snapshot).to_arrow().num_rows == len(seen)


def _encodings(file: parquet.ParquetFile) -> set[str]:
    group = file.metadata.row_group(0)
    return {each for column in range(group.num_columns) for each in group.column(column).encodings}
