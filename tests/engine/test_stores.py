"""Workers over stores that are reached by a network: their drivers, their secrets, and what ends with a query there."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import duckdb
import psycopg
import pytest

from mesh_defs.engine.duckdb import DuckDBEngine
from mesh_defs.errors import EngineError, MeshError
from mesh_defs.model.contract import Server
from mesh_defs.model.place import Access, S3Access
from mesh_defs.model.version import Pin
from mesh_defs.storage.open import storage_at
from tests.engine.questions import ENDLESS, PEOPLE, a_pin, an_engine, governed, rows, workers, zygotes

COUNT = "SELECT count(*) AS n, max(id) AS m FROM {people} AS p"


def published(kind: str, place: str, access: Access) -> Pin:
    storage = storage_at(Server(environment="local", kind=kind, place=place), access)  # type: ignore[arg-type]
    with duckdb.connect() as connection:
        return storage.pin("x.people", storage.publish(storage.stage(connection, PEOPLE), stamp={}))


@pytest.fixture
def in_postgres(tmp_path: Path, postgres: str) -> Iterator[tuple[DuckDBEngine, Pin]]:
    access = Access(root=tmp_path, postgres=postgres, variable="MESH_X")
    engine = an_engine(tmp_path, access_of=lambda pin: access)
    yield engine, published("postgres", "people", access)
    engine.close()


@pytest.fixture
def in_s3(tmp_path: Path, s3_server: S3Access, bucket: str) -> Iterator[tuple[DuckDBEngine, Pin]]:
    access = Access(root=tmp_path, s3=s3_server, variable="MESH_X")
    engine = an_engine(tmp_path, access_of=lambda pin: access)
    yield engine, published("s3", f"s3://{bucket}/people", access)
    engine.close()


@pytest.fixture
def in_iceberg(tmp_path: Path, postgres: str) -> Iterator[tuple[DuckDBEngine, Pin]]:
    access = Access(root=tmp_path, postgres=postgres, variable="MESH_X")
    engine = an_engine(tmp_path, access_of=lambda pin: access)
    yield engine, published("iceberg", "people", access)
    engine.close()


@pytest.fixture
def in_iceberg_on_s3(
    tmp_path: Path, postgres: str, s3_server: S3Access, bucket: str
) -> Iterator[tuple[DuckDBEngine, Pin]]:
    access = Access(root=tmp_path, postgres=postgres, s3=s3_server, variable="MESH_X")
    engine = an_engine(tmp_path, access_of=lambda pin: access)
    yield engine, published("iceberg", f"s3://{bucket}/people", access)
    engine.close()


@pytest.mark.parametrize("where", ["in_postgres", "in_s3", "in_iceberg", "in_iceberg_on_s3"])
def test_reads_a_version_there(where: str, request: pytest.FixtureRequest) -> None:
    engine, pin = request.getfixturevalue(where)
    for _ in range(2):
        assert rows(engine, COUNT, pin) == [{"n": 6, "m": 7}]
    assert [zygote.num_threads() for zygote in zygotes()] == [1] * len(zygotes())


def test_the_secrets_of_a_store_are_in_no_arguments_and_no_environment(in_s3: tuple[DuckDBEngine, Pin]) -> None:
    engine, pin = in_s3
    rows(engine, COUNT, pin)
    for process in [*zygotes(), *workers()]:
        assert "of-the-mesh" not in " ".join([*process.cmdline(), *process.environ().values()])


def test_the_zygote_never_holds_a_secret(in_s3: tuple[DuckDBEngine, Pin]) -> None:
    """What it held at a fork, every later worker would hold too."""
    engine, pin = in_s3
    rows(engine, COUNT, pin)
    for zygote in zygotes():
        assert not in_memory(zygote.pid, b"of-the-mesh")


def in_memory(pid: int, wanted: bytes) -> bool:
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for line in maps:
            ends, rights = line.split()[:2]
            if not rights.startswith("rw"):
                continue
            start, end = (int(each, 16) for each in ends.split("-"))
            memory.seek(start)
            if wanted in memory.read(end - start):
                return True
    return False


def test_plans_of_postgres_are_told_as_if_its_tables_were_duckdbs(in_postgres: tuple[DuckDBEngine, Pin]) -> None:
    engine, pin = in_postgres
    trees = engine.session((pin,)).trees(governed("SELECT id FROM {people} AS p WHERE name = 'n1'", pin))
    assert trees.plan.startswith('{"error":false')
    assert trees.guards["x.people"].startswith('{"error":false')


def test_a_worker_over_files_can_load_nothing_of_a_network(engine: DuckDBEngine, tmp_path: Path, postgres: str) -> None:
    """The zygote that forked it may know Postgres already: what is not given cannot be reached."""
    people = a_pin(tmp_path)
    dsn = " ".join(f"{key}={value}" for key, value in psycopg.conninfo.conninfo_to_dict(postgres).items())
    for text in (
        f"SELECT * FROM postgres_scan('{dsn} host=127.0.0.1', 'public', 'x')",
        "SELECT * FROM read_parquet('s3://bucket/x.parquet')",
        "SELECT * FROM read_csv('http://127.0.0.1:1/x.csv')",
    ):
        with pytest.raises(MeshError):
            rows(engine, text, people)


def test_the_deadline_also_ends_what_postgres_does(tmp_path: Path, postgres: str) -> None:
    access = Access(root=tmp_path, postgres=postgres, variable="MESH_X")
    pin = published("postgres", "people", access)
    engine = an_engine(tmp_path, access_of=lambda pin: access, seconds_max=1.0)
    with pytest.raises(EngineError, match="stopped after 1 s"):
        rows(engine, ENDLESS, pin)
    with psycopg.connect(postgres) as connection:
        count = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'mesh' AND state = 'active'"
        assert connection.execute(count).fetchone() == (0,)


def test_a_store_that_refuses_is_said_without_its_secrets(in_s3: tuple[DuckDBEngine, Pin], tmp_path: Path) -> None:
    _, pin = in_s3
    access = Access(
        root=tmp_path, s3=S3Access(endpoint="http://127.0.0.1:1", key="k", secret="s3cr3t"), variable="MESH_X"
    )
    with pytest.raises(MeshError) as refused:
        an_engine(tmp_path, access_of=lambda pin: access, seconds_max=60.0).session((pin,))
    assert "s3cr3t" not in str(refused.value)
    assert refused.value.fix


def test_two_products_of_two_stores_are_joined_in_one_worker(
    in_postgres: tuple[DuckDBEngine, Pin], tmp_path: Path
) -> None:
    engine, pin = in_postgres
    other = replace(a_pin(tmp_path, product="y.others"), version="1")
    text = "SELECT count(*) AS n FROM {people} AS p JOIN {others} AS o USING (id)"
    assert rows(engine, text, pin, other) == [{"n": 6}]
