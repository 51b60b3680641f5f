"""A DuckDB to work in, within the mesh's limits, that spills where it may."""

from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

from mesh_defs.model.mesh import Standards
from mesh_defs.settings import Settings


@contextmanager
def working(settings: Settings, standards: Standards) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open it, and close it at the end, whatever happens."""
    limits: dict[str, str | bool | int | float | list[str]] = {
        "temp_directory": str(settings.home / "spill"),
        "memory_limit": f"{standards.query_memory_bytes_max}B",
    }
    with duckdb.connect(config=limits) as connection:
        yield connection
