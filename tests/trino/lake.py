"""Lakes for tests: pyiceberg's SQL catalog in a Postgres, data in a folder or on S3, and how Trino is told of both."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

import psycopg
import pyarrow as pa
from psycopg.conninfo import conninfo_to_dict
from pyiceberg.catalog.sql import SqlCatalog

from mesh_defs.model.place import S3Access

ROWS = pa.table(
    {
        "id": pa.array([1, 2, 3], pa.int64()),
        "name": ["Ada", "Grüße 🎈", None],
        "amount": pa.array([None, "0.10", "-7.25"]).cast(pa.decimal128(12, 2)),
        "day": pa.array([19000, None, 20000], pa.date32()),
        "at": pa.array([0, 1_700_000_000_123_456, None], pa.timestamp("us")),
        "score": [0.5, -0.0, None],
        "tags": pa.array([["a", "b"], [], None], pa.list_(pa.string())),
    }
)


@dataclass(frozen=True)
class Lake:
    """A catalog, and the properties of Trino's catalog over it."""

    catalog: SqlCatalog
    trino: dict[str, str]


@contextmanager
def lake(database: str, warehouse: str, access: S3Access | None = None) -> Iterator[Lake]:
    """A lake whose catalog lies in the schema `mesh_iceberg` of a database that has none yet."""
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA mesh_iceberg")
    told = conninfo_to_dict(database)
    place = f"{told['host']}:{told['port']}/{told['dbname']}"
    url = f"postgresql+psycopg://{told['user']}@{place}?options=-csearch_path%3Dmesh_iceberg"
    catalog = SqlCatalog("mesh", uri=url, warehouse=warehouse, **_pyiceberg_s3(access))
    with closing(catalog):
        catalog.create_namespace("events")
        yield Lake(catalog, _properties(f"jdbc:postgresql://{place}?currentSchema=mesh_iceberg", warehouse, access))


def _properties(url: str, warehouse: str, access: S3Access | None) -> dict[str, str]:
    return {
        "connector.name": "iceberg",
        "iceberg.catalog.type": "jdbc",
        "iceberg.jdbc-catalog.driver-class": "org.postgresql.Driver",
        "iceberg.jdbc-catalog.connection-url": url,
        "iceberg.jdbc-catalog.connection-user": "postgres",
        "iceberg.jdbc-catalog.catalog-name": "mesh",
        "iceberg.jdbc-catalog.default-warehouse-dir": warehouse,
        **files(access),
    }


def files(access: S3Access | None) -> dict[str, str]:
    """How Trino reads files: those of the machine, or those of an S3."""
    if access is None:
        return {"fs.native-local.enabled": "true", "local.location": "/"}
    return {
        "fs.native-s3.enabled": "true",
        "s3.endpoint": access.endpoint or "",
        "s3.region": access.region,
        "s3.path-style-access": "true",
        "s3.aws-access-key": access.key or "",
        "s3.aws-secret-key": access.secret or "",
    }


def _pyiceberg_s3(access: S3Access | None) -> dict[str, str]:
    if access is None:
        return {}
    return {
        "s3.endpoint": access.endpoint or "",
        "s3.region": access.region,
        "s3.access-key-id": access.key or "",
        "s3.secret-access-key": access.secret or "",
    }
