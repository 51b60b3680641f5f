"""Trino reads a product's tables in Postgres, and which of their types it knows."""

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from psycopg.conninfo import conninfo_to_dict
from trino.exceptions import TrinoExternalError

from mesh_defs.model.contract import Server
from mesh_defs.model.place import Access
from mesh_defs.storage.local import utc_now
from mesh_defs.storage.postgres import PostgresStorage, postgres_at
from tests.servers import new_database
from tests.trino_server import Trino

ALL_TYPES = """
SELECT i AS id, i % 2 = 0 AS truth, i::SMALLINT AS small, i * 10000000000 AS big, i / 4::FLOAT AS single,
       i / 3::DOUBLE AS double_, CAST(i / 4 AS DECIMAL(12,2)) AS amount, CAST(i AS DECIMAL(38,0)) AS wide,
       CASE i WHEN 1 THEN 'Grüße 🎈' WHEN 2 THEN '' END AS text, 'x'::BLOB AS bytes,
       '12345678-1234-1234-1234-123456789012'::UUID AS uuid, DATE '0001-01-01' AS day, TIME '23:59:59.999999' AS clock,
       TIMESTAMP '2024-02-29 23:59:59.123456' AS moment, TIMESTAMPTZ '2024-02-29 23:59:59.123456+02' AS instant,
       {'a': 1}::JSON AS json, ['a', NULL] AS list, INTERVAL 1 DAY AS span, '10:00:00+02'::TIMETZ AS offset_clock
FROM range(3) r(i)
"""


@pytest.fixture
def storage(postgres_tcp_server: str, tmp_path: Path) -> Iterator[PostgresStorage]:
    with new_database(postgres_tcp_server) as url:
        access = Access(root=tmp_path, postgres=url)
        yield postgres_at(Server(environment="local", kind="postgres", place="clicks"), access, utc_now)


def test_reads_each_version_from_its_own_table_and_the_newest_from_its_view(
    trino: Trino, storage: PostgresStorage
) -> None:
    with duckdb.connect() as connection:
        versions = [
            storage.publish(storage.stage(connection, f"SELECT {n} AS id"), stamp={"contract_version": "1.0.0"})
            for n in (7, 8)
        ]
    with trino.catalog(_catalog(storage)) as catalog:
        for version, seen in zip(versions, (7, 8), strict=True):
            (table,) = storage.pin("events.clicks", version).locations
            assert trino.rows(f"SELECT id FROM {catalog}.{table}") == [[seen]]
        assert trino.rows(f"SELECT id FROM {catalog}.clicks.v1") == [[8]]


def test_reads_every_type_but_two(trino: Trino, storage: PostgresStorage) -> None:
    """A span of time is not shown at all, and a clock with an offset is shown as one without, which cannot be read."""
    with duckdb.connect() as connection:
        version = storage.publish(storage.stage(connection, ALL_TYPES), stamp={})
        known = connection.execute(f"SELECT * EXCLUDE (span, offset_clock) FROM ({ALL_TYPES}) ORDER BY id").fetchall()
    (table,) = storage.pin("events.clicks", version).locations
    with trino.catalog(_catalog(storage)) as catalog:
        names = [row[0] for row in trino.rows(f"DESCRIBE {catalog}.{table}")]
        assert names == [name for name in version.columns if name != "span"]
        seen = trino.rows(f"SELECT {', '.join(names[:-1])} FROM {catalog}.{table} ORDER BY id")
        assert seen == [list(row) for row in known]
        with pytest.raises(TrinoExternalError, match="TIMETZ"):
            trino.rows(f"SELECT offset_clock FROM {catalog}.{table}")


def _catalog(storage: PostgresStorage) -> dict[str, str]:
    told = conninfo_to_dict(storage.database.url)
    return {
        "connector.name": "postgresql",
        "connection-url": f"jdbc:postgresql://{told['host']}:{told['port']}/{told['dbname']}",
        "connection-user": str(told["user"]),
        "postgresql.array-mapping": "AS_ARRAY",
    }
