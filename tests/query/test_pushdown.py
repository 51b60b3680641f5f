"""What governed SQL lets Postgres do itself, counted in the bytes that leave it: the policy's subquery must cost nothing here."""

from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest
from psycopg.conninfo import conninfo_to_dict

from benchmarks.wire import Wire, counted
from mesh_defs.engine.duckdb import DuckDBEngine
from mesh_defs.model.access import View
from mesh_defs.model.contract import Column, Server
from mesh_defs.model.place import Access
from mesh_defs.model.version import Pin
from mesh_defs.sql.parse import parse_select
from mesh_defs.sql.rewrite import govern
from mesh_defs.storage.external import External
from mesh_defs.storage.external_base import Source
from mesh_defs.storage.open import storage_at
from tests.storage.sources import postgres_says

ROWS = 40_000
SALES = f"""SELECT n AS id, DATE '2026-01-01' + (n * 365 // {ROWS})::INTEGER AS day, (n % 1000 / 10)::DECIMAL(12,2) AS price,
    'r' || (n % 500) AS region, (n % 7)::INTEGER AS small, repeat('x', 40) AS note FROM range({ROWS}) t(n)"""
TYPES = {
    "id": "BIGINT",
    "day": "DATE",
    "price": "DECIMAL(12,2)",
    "region": "VARCHAR",
    "small": "INTEGER",
    "note": "VARCHAR",
}
SELECTIVE = {
    "a key": "SELECT * FROM x.sales WHERE id = 5",
    "a range": "SELECT * FROM x.sales WHERE day BETWEEN DATE '2026-02-01' AND DATE '2026-02-02'",
    "a decimal": "SELECT * FROM x.sales WHERE price < 0.3",
    "a list": "SELECT * FROM x.sales WHERE region IN ('r1', 'r2', 'r99')",
    "a prefix": "SELECT * FROM x.sales WHERE region LIKE 'r499%'",
    "two rules": "SELECT * FROM x.sales WHERE length(note) = 40 AND region = 'r7'",
    "a filter outside": "SELECT * FROM (SELECT id, note, region AS r FROM x.sales) AS s WHERE s.r = 'r3'",
    "a CTE": "WITH few AS (SELECT * FROM x.sales) SELECT a.note FROM few AS a WHERE a.id = 7",
}

Ask = Callable[[str], int]


@pytest.fixture(scope="module")
def wire(postgres_server: str) -> Iterator[Wire]:
    folder = conninfo_to_dict(postgres_server)["host"]
    with counted(f"{folder}/.s.PGSQL.5432") as counting:
        yield counting


@pytest.fixture
def access(postgres: str, wire: Wire, tmp_path: Path) -> Access:
    """The test's database, by way of the wire."""
    told = conninfo_to_dict(postgres)
    url = f"postgresql://{told['user']}@127.0.0.1:{wire.port}/{told['dbname']}?sslmode=disable&gssencmode=disable"
    return Access(root=tmp_path, postgres=url, variable="MESH_X")


def whole(access: Access) -> Pin:
    return published(access, {None: SALES})


def in_partitions(access: Access) -> Pin:
    return published(access, {f"p{n}": f"SELECT * FROM ({SALES}) WHERE id % 2 = {n}" for n in range(2)})


def published(access: Access, selects: dict[str | None, str]) -> Pin:
    storage = storage_at(Server(environment="local", kind="postgres", place="sales"), access)
    with duckdb.connect() as connection:
        for partition, select in selects.items():
            version = storage.publish(storage.stage(connection, select, partition=partition), stamp={})
    return storage.pin("x.sales", version)


def outside(access: Access) -> Pin:
    pin = whole(access)
    postgres_says(access.postgres or "", f"CREATE VIEW sales.theirs AS SELECT * FROM {pin.locations[0]}")
    columns = tuple(Column(name=name, logical_type="string", type=type_) for name, type_ in TYPES.items())
    server = Server(environment="local", kind="postgres", place="sales", table="theirs")
    external = External(Source(server=server, access=access, columns=columns))
    return external.pin("x.sales", external.current())


@pytest.fixture(params=[whole, in_partitions, outside], ids=["one part", "partitions", "external"])
def ask(request: pytest.FixtureRequest, access: Access, wire: Wire, tmp_path: Path) -> Ask:
    return asking(request.param(access), access, wire, tmp_path)


def asking(pin: Pin, access: Access, wire: Wire, spill: Path) -> Ask:
    """Return a function that runs a query as the door does and returns the bytes that Postgres sent for it."""
    engine = DuckDBEngine(spill=spill, seconds_max=60, memory_bytes_max=2**30, access_of=lambda pin: access)
    pins, views = {pin.product: pin}, {pin.product: View(grant="g")}

    def moved(sql: str) -> int:
        before = wire.bytes_sent()
        for _ in engine.run(govern(parse_select(sql), pins, views), {}).batches():
            pass
        return wire.bytes_sent() - before

    return moved


def test_a_filter_lets_only_its_rows_leave_postgres(ask: Ask) -> None:
    everything = ask("SELECT * FROM x.sales")
    moved = {name: ask(sql) / everything for name, sql in SELECTIVE.items()}
    assert {name: share for name, share in moved.items() if share > 0.05} == {}


def test_only_the_columns_that_are_needed_leave_postgres(ask: Ask) -> None:
    assert ask("SELECT sum(small) AS s FROM x.sales") < ask("SELECT * FROM x.sales") / 3


@pytest.mark.parametrize("made", [whole, outside], ids=["one part", "external"])
def test_a_limit_lets_only_its_rows_leave_postgres(
    made: Callable[[Access], Pin], access: Access, wire: Wire, tmp_path: Path
) -> None:
    asked = asking(made(access), access, wire, tmp_path)
    assert asked("SELECT * FROM x.sales LIMIT 3") < asked("SELECT * FROM x.sales") / 20
