"""From a contract's words to a storage, and from a pin to rows: the one list of the formats we have."""

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path

from duckdb import DuckDBPyConnection

from mesh_defs.errors import StorageError
from mesh_defs.model.contract import StorageKind
from mesh_defs.model.version import Pin
from mesh_defs.storage.base import Storage
from mesh_defs.storage.duckdb import DuckDBParts
from mesh_defs.storage.failures import told
from mesh_defs.storage.layout import Layout
from mesh_defs.storage.local import LocalStorage, utc_now
from mesh_defs.storage.parquet import ParquetParts
from mesh_defs.storage.parts import PartFormat

FORMATS: Mapping[StorageKind, PartFormat] = {"parquet": ParquetParts(), "duckdb": DuckDBParts()}


def storage_at(kind: StorageKind, place: Path, *, clock: Callable[[], datetime] = utc_now) -> Storage:
    """Return the storage of one product, whose place no other product may share; creates nothing yet."""
    return LocalStorage(FORMATS[kind], Layout(place.absolute()), clock)


def attach(connection: DuckDBPyConnection, pin: Pin) -> str:
    """Return text that may stand after FROM on this connection and reads exactly the pinned version.

    What it attaches stays until the connection's instance closes. StorageError names a location that is gone.
    """
    for location in pin.locations:
        if not Path(location).exists():
            fix = "ask again to read the newest version; if that fails too, re-materialize the product"
            raise StorageError(f"version {pin.version} is gone", where=location, fix=fix)
    with told(f"version {pin.version} of {pin.product} cannot be opened", Path(pin.locations[0])):
        return FORMATS[pin.kind].relation(connection, pin.locations)


def allowed_paths(pin: Pin) -> tuple[str, ...]:
    """Return what `allowed_paths` must name for a locked DuckDB to read what `attach` returned, and nothing more."""
    return tuple(name for location in pin.locations for name in FORMATS[pin.kind].opened(location))
