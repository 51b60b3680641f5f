"""DuckDB extensions out of their wheels: nothing is downloaded, nothing is copied into anybody's home."""

import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb

from mesh_defs.errors import UnreachableError
from mesh_defs.model.names import literal

_WHEEL_NAMES: Mapping[str, str] = {"postgres": "postgres_scanner"}
# `LOAD iceberg` would fetch avro from the network if it were not loaded first.
_NEEDS_FIRST: Mapping[str, Sequence[str]] = {"iceberg": ("avro", "httpfs"), "delta": ("httpfs",)}


def load_extension(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    """Load one extension into this connection's instance. Raises UnreachableError when its wheel is not installed."""
    for first in _NEEDS_FIRST.get(name, ()):
        load_extension(connection, first)
    binary = extension_file(name)
    if binary is None:
        wheel = f"duckdb-extension-{_WHEEL_NAMES.get(name, name).replace('_', '-')}=={duckdb.__version__}"
        raise UnreachableError(f"DuckDB's extension '{name}' is not installed", fix=f"install {wheel}")
    connection.execute(f"LOAD {literal(str(binary))}")


def extension_file(name: str) -> Path | None:
    """The signed binary that the wheel carries for exactly this DuckDB; None when there is none."""
    stem = _WHEEL_NAMES.get(name, name)
    package = importlib.util.find_spec(f"duckdb_extension_{stem}")
    if package is None or package.origin is None:
        return None
    binary = Path(package.origin).parent / "extensions" / f"v{duckdb.__version__}" / f"{stem}.duckdb_extension"
    return binary if binary.is_file() else None
