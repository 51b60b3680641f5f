"""From a contract's words to a storage, and from a pin to rows: the one list of the formats we have."""

from collections.abc import Callable, Mapping
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from duckdb import DuckDBPyConnection

from mesh_defs.errors import StorageError, UnreachableError
from mesh_defs.model.contract import Contract, Server
from mesh_defs.model.place import Access
from mesh_defs.model.version import Pin
from mesh_defs.storage.base import Readable, Storage
from mesh_defs.storage.duckdb import DuckDBParts
from mesh_defs.storage.external import External, attach_external, external_paths
from mesh_defs.storage.external_base import Source
from mesh_defs.storage.failures import told
from mesh_defs.storage.follow import follower_of
from mesh_defs.storage.layout import Layout
from mesh_defs.storage.local import LocalStorage, utc_now
from mesh_defs.storage.parquet import ParquetParts
from mesh_defs.storage.parts import PartFormat

if TYPE_CHECKING:
    from mesh_defs.storage.registered import Registration

# A step's own scans; the door says how long a query may take.
SCAN_SECONDS_MAX = 3600.0
FORMATS: Mapping[str, PartFormat] = {"parquet": ParquetParts(), "duckdb": DuckDBParts()}


def storage_at(server: Server, access: Access, *, clock: Callable[[], datetime] = utc_now) -> Storage:
    """Return the storage of one product, whose place no other product may share; creates nothing yet.

    StorageError when this process was not told how to reach it.
    """
    if server.kind == "postgres":
        storage: Storage = _postgres().postgres_at(server, access, clock)
        return storage
    if server.kind == "s3":
        s3: Storage = _s3("s3").s3_at(server, access, clock)
        return s3
    if server.kind == "iceberg":
        iceberg: Storage = _iceberg("iceberg").iceberg_at(server, access, clock)
        return iceberg
    follower = follower_of(server, access) if server.kind == "parquet" else None
    return LocalStorage(FORMATS[server.kind], Layout((access.root / server.place).absolute()), clock, follower)


def registration_at(server: Server, access: Access) -> "Registration":
    """Return the table that lists a Parquet product's files for a Trino; connects to nothing yet."""
    registration: Registration = _iceberg("registered").registration_at(server, access)
    return registration


def readable_at(contract: Contract, server: Server, access: Access) -> Readable:
    """Return what the door reads of a product: its storage, or, of an external one, what lies at its source now."""
    if contract.external:
        return External(Source(server=server, access=access, columns=contract.columns))
    return storage_at(server, access)


def attach(connection: DuckDBPyConnection, pin: Pin, access: Access, *, seconds_max: float = SCAN_SECONDS_MAX) -> str:
    """Return text that may stand after FROM on this connection and reads exactly the pinned version.

    What it attaches stays until the connection's instance closes. StorageError names a location that is gone. After
    `seconds_max` a database server stops its part of the work, which no interrupt of DuckDB reaches.
    """
    if pin.scan is not None:
        return attach_external(connection, pin, access, seconds_max=seconds_max)
    if pin.kind == "postgres":
        relation: str = _postgres().attach_pin(connection, pin, access, seconds_max=seconds_max)
        return relation
    if _in_bucket(pin):
        scanned: str = _s3("s3_reading").attach_pin(connection, pin, access)
        return scanned
    for location in pin.locations:
        if not Path(location).exists():
            fix = "ask again to read the newest version; if that fails too, re-materialize the product"
            raise StorageError(f"version {pin.version} is gone", where=location, fix=fix)
    with told(f"version {pin.version} of {pin.product} cannot be opened", Path(pin.locations[0])):
        return _format(pin).relation(connection, pin.locations)


def allowed_paths(pin: Pin) -> tuple[str, ...]:
    """Return what `allowed_paths` must name for a locked DuckDB to read what `attach` returned, and nothing more."""
    if pin.scan is not None:
        return external_paths(pin)
    if pin.kind == "postgres":
        return ()
    if _in_bucket(pin):
        return pin.locations
    return tuple(name for location in pin.locations for name in _format(pin).opened(location))


def _in_bucket(pin: Pin) -> bool:
    return pin.locations[0].startswith("s3://")


def _format(pin: Pin) -> PartFormat:
    """What reads a pin's files. Those of an Iceberg snapshot need no catalog any more."""
    return ParquetParts(by_name=True) if pin.kind == "iceberg" else FORMATS[pin.kind]


def _postgres() -> Any:
    """The driver is an extra, and reading a catalog of files must not pay for its import."""
    try:
        return import_module("mesh_defs.storage.postgres")
    except ModuleNotFoundError as error:
        raise UnreachableError(f"'{error.name}' is not installed", fix="install mesh-defs[postgres]") from None


def _iceberg(module: str) -> Any:
    """As with Postgres: importing pyiceberg takes 0.5 s. Whoever only reads a pin does without."""
    try:
        return import_module(f"mesh_defs.storage.{module}")
    except ModuleNotFoundError as error:
        raise UnreachableError(f"'{error.name}' is not installed", fix="install mesh-defs[iceberg]") from None


def _s3(module: str) -> Any:
    """As with Postgres: importing boto3 takes 0.3 s."""
    try:
        return import_module(f"mesh_defs.storage.{module}")
    except ModuleNotFoundError as error:
        raise UnreachableError(f"'{error.name}' is not installed", fix="install mesh-defs[s3]") from None
