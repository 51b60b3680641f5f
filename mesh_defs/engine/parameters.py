"""A question's parameters on their way to a worker: one row of an Arrow table, so that each value keeps its type."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from uuid import UUID

import pyarrow as pa

from mesh_defs.errors import QueryRejectedError

_LONG = range(-(2**63), 2**63)
# What no integer of Arrow's holds travels so.
LONG = pa.decimal128(38, 0)


def as_frame(parameters: Mapping[str, Any]) -> bytes:
    """Return the parameters' frame, empty for none. QueryRejectedError names a parameter whose value has no column type."""
    if not parameters:
        return b""
    columns = {name: _column(name, value) for name, value in parameters.items()}
    table = pa.table(columns)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    body: bytes = sink.getvalue().to_pybytes()
    return body


def values_of(frame: bytearray) -> dict[str, Any] | None:
    """Return the values of a parameters' frame as DuckDB takes them; None for none."""
    if not frame:
        return None
    table = pa.ipc.open_stream(pa.py_buffer(frame)).read_all()
    row = table.to_pylist()[0]
    return {name: int(row[name]) if table.schema.field(name).type == LONG else row[name] for name in row}


def _column(name: str, value: Any) -> "pa.Array[Any]":
    if isinstance(value, UUID):
        value = str(value)
    long = isinstance(value, int) and value not in _LONG
    try:
        column: pa.Array[Any] = pa.array([Decimal(value)], LONG) if long else pa.array([value])
    except (pa.ArrowException, OverflowError, TypeError, UnicodeEncodeError):
        what = f"the value of ${name} is a {type(value).__name__} that no column can hold"
        raise QueryRejectedError(
            what,
            fix="give a number, a text, a date or time, or a list of one of them; a text without half surrogate pairs",
        ) from None
    return column
