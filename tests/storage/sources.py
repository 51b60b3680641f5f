"""What other systems leave behind, for tests: Parquet folders, Delta tables, DuckDB files, Postgres tables."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3
import duckdb
import psycopg

from mesh_defs.model.contract import Column, Server, SourceKind
from mesh_defs.model.place import Access, S3Access
from mesh_defs.storage.external import External
from mesh_defs.storage.external_base import Source
from mesh_defs.storage.open import allowed_paths, attach

LOGICAL = {"BIGINT": "integer", "VARCHAR": "string"}


def columns(**types: str) -> tuple[Column, ...]:
    """Promised columns: name -> DuckDB type, or `physical name: type`."""
    found = []
    for name, told in types.items():
        physical, _, type_ = told.rpartition(": ")
        found.append(Column(name=name, logical_type="string", type=type_, physical_name=physical or None))
    return tuple(found)


def external(kind: SourceKind, place: str, access: Access, *, table: str | None = None, **types: str) -> External:
    """An external product of these promised columns; `id` and `name` when none are told."""
    promised = columns(**(types or {"id": "BIGINT", "name": "VARCHAR"}))
    server = Server(environment="local", kind=kind, place=place, table=table)
    return External(Source(server=server, access=access, columns=promised))


def parquet(path: Path, select: str) -> Path:
    """Write a Parquet file as another system would: whole, under its name at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name("_" + path.name)
    duckdb.sql(f"COPY ({select}) TO '{temporary}' (FORMAT parquet)")
    os.replace(temporary, path)
    return path


def duckdb_file(path: Path, *statements: str) -> Path:
    """Make a DuckDB file elsewhere, and put it in place by a rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name("new-" + path.name)
    new.unlink(missing_ok=True)
    with duckdb.connect(str(new)) as connection:
        for statement in statements:
            connection.execute(statement)
    os.replace(new, path)
    return path


def postgres_says(url: str, *statements: str) -> None:
    """Run statements as the other system."""
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


def s3(access: S3Access) -> Any:
    """A client of the test's S3."""
    return boto3.client(
        "s3",
        endpoint_url=access.endpoint,
        region_name=access.region,
        aws_access_key_id=access.key,
        aws_secret_access_key=access.secret,
    )


def storage_options(access: S3Access) -> Mapping[str, str]:
    """The same for deltalake."""
    told = {
        "AWS_ENDPOINT_URL": access.endpoint,
        "AWS_REGION": access.region,
        "AWS_ACCESS_KEY_ID": access.key,
        "AWS_SECRET_ACCESS_KEY": access.secret,
        "AWS_ALLOW_HTTP": "true",
    }
    return {name: value for name, value in told.items() if value}


def read(source: External, *, pin: Any = None, ordered: str = "ALL") -> list[tuple[Any, ...]]:
    """Read as the door does: attached, then locked to exactly what was pinned."""
    if pin is None:
        pin = source.pin("crm.people", source.current())
    config = {"autoinstall_known_extensions": False, "autoload_known_extensions": False}
    with duckdb.connect(":memory:", config=config) as connection:
        relation = attach(connection, pin, source.source.access)
        paths = ", ".join("'" + path.replace("'", "''") + "'" for path in allowed_paths(pin))
        connection.execute(f"SET allowed_paths = [{paths}]")
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
        return connection.execute(f"SELECT * FROM {relation} ORDER BY {ordered}").fetchall()
