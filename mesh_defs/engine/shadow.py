"""Empty tables in the place of the pins, over which a text can be planned whose scans DuckDB cannot write as JSON."""

from collections.abc import Iterable

import duckdb

from mesh_defs.model.names import quoted
from mesh_defs.model.version import Pin


def shadow_of(pins: Iterable[Pin]) -> duckdb.DuckDBPyConnection:
    """Return a locked database in which each pin's relation is an empty table.

    To be made before a worker is confined: opening an instance looks at the machine's memory, and aborts if it may not.
    """
    shadow = duckdb.connect(":memory:", config={"threads": 1, "catalog_error_max_schemas": 0})
    for pin in pins:
        types = {**pin.columns, **dict.fromkeys(pin.tokens.values(), "VARCHAR")}
        columns = ", ".join(f"{quoted(name)} {type_}" for name, type_ in types.items())
        shadow.execute(f"CREATE TABLE {quoted(pin.relation)} ({columns})")
    shadow.execute("SET enable_external_access = false")
    shadow.execute("SET lock_configuration = true")
    return shadow
