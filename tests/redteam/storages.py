"""Where the fixture's products lie: by the platform's own storages, or written by another system and only observed.

Each kind knows how its contracts name the place, which secrets reach it, and, of external ones, how to write a table.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb

from drills.ground import Ground
from mesh_defs.model.names import quoted
from mesh_defs.model.query import EngineName
from mesh_defs.storage.extensions import load_extension
from tests.redteam.data import Table
from tests.servers import new_bucket

KINDS = (
    *("parquet", "duckdb", "postgres", "s3", "iceberg"),
    *("delta", "external-parquet", "external-duckdb", "external-postgres"),
)


@dataclass(frozen=True, kw_only=True)
class Spot:
    """One kind of place, reached by what `secrets` say (domain -> variables)."""

    kind: str
    secrets: Mapping[str, Mapping[str, str]]
    bucket: str = ""
    engine: EngineName = "duckdb"

    @property
    def external(self) -> bool:
        return self.kind == "delta" or self.kind.startswith("external-")

    @property
    def keeps_structs(self) -> bool:
        return not self.kind.endswith("postgres") and self.engine == "duckdb"

    def server(self, table: Table) -> dict[str, str]:
        """The contract's server."""
        local = {"server": "local", "environment": "local"}
        kinds: dict[str, dict[str, str]] = {
            "parquet": {"type": "local", "path": table.name, "format": "parquet"},
            "duckdb": {"type": "duckdb", "database": table.name, "schema": "main"},
            "postgres": {"type": "postgres", "schema": table.name},
            "s3": {"type": "s3", "location": f"s3://{self.bucket}/{table.name}", "format": "parquet"},
            "iceberg": {"type": "local", "path": table.name, "format": "iceberg"},
            "delta": {"type": "local", "path": f"lake/{table.name}", "format": "delta"},
            "external-parquet": {"type": "local", "path": f"exports/{table.name}", "format": "parquet"},
            "external-duckdb": {"type": "duckdb", "database": f"files/{table.name}.duckdb", "schema": "main"},
            "external-postgres": {"type": "postgres", "schema": table.domain},
        }
        return {**local, **kinds[self.kind]}

    def write(self, table: Table, root: Path) -> None:
        """Write an external table as its own system would; `root` is its domain's storage root."""
        place = root / next((v for k, v in self.server(table).items() if k in ("path", "database")), "")
        _WRITERS[self.kind](table, place, self)


def spot(kind: str, ground: Ground, engine: EngineName = "duckdb") -> Spot:
    """A new place of this kind; servers start when they are first needed and end with the ground."""
    if kind.endswith("postgres") or kind == "iceberg":
        urls = {domain: ground.database(tcp=engine == "trino") for domain in ("sales", "hr")}
        told = {domain: {f"MESH_{domain.upper()}_POSTGRES": url} for domain, url in urls.items()}
        return Spot(kind=kind, secrets=told, engine=engine)
    if kind == "s3":
        access = ground.s3
        url = (access.endpoint or "").replace("://", f"://{access.key}:{access.secret}@") + f"?region={access.region}"
        told = {domain: {f"MESH_{domain.upper()}_S3": url} for domain in ("sales", "hr")}
        return Spot(kind=kind, secrets=told, bucket=new_bucket(access))
    return Spot(kind=kind, secrets={})


def _parquet(table: Table, place: Path, spot: Spot) -> None:
    place.mkdir(parents=True, exist_ok=True)
    with duckdb.connect() as connection:
        connection.execute(f"COPY ({table.select}) TO '{place}/part-0.parquet' (FORMAT parquet)")


def _delta(table: Table, place: Path, spot: Spot) -> None:
    import deltalake

    place.parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect() as connection:
        deltalake.write_deltalake(str(place), connection.execute(table.select).to_arrow_table())


def _duckdb(table: Table, place: Path, spot: Spot) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(str(place)) as connection:
        connection.execute(f"CREATE TABLE {table.name} AS {table.select}")
        connection.execute("CREATE SEQUENCE sq")
        connection.execute("CREATE MACRO mac(x) AS x || 'LEAKMAC'")


def _postgres(table: Table, place: Path, spot: Spot) -> None:
    with duckdb.connect() as connection:
        load_extension(connection, "postgres")
        url = spot.secrets[table.domain][f"MESH_{table.domain.upper()}_POSTGRES"]
        connection.execute(f"ATTACH '{url}' AS there (TYPE postgres)")
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS there.{quoted(table.domain)}")
        connection.execute(f"CREATE TABLE there.{quoted(table.domain)}.{quoted(table.name)} AS {table.select}")


_WRITERS: Mapping[str, Callable[[Table, Path, Spot], None]] = {
    "external-parquet": _parquet,
    "delta": _delta,
    "external-duckdb": _duckdb,
    "external-postgres": _postgres,
}
