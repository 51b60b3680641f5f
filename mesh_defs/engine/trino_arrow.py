"""A page of Trino's, which is JSON, as an Arrow batch of the very types that DuckDB's answer would have."""

import base64
import re
from collections.abc import Sequence
from datetime import time
from itertools import accumulate
from typing import Any

import pyarrow as pa

from mesh_defs.errors import EngineError
from mesh_defs.sql.translation.nested import element, fields

_SIMPLE = {
    "BOOLEAN": pa.bool_(),
    "TINYINT": pa.int8(),
    "SMALLINT": pa.int16(),
    "INTEGER": pa.int32(),
    "BIGINT": pa.int64(),
    "HUGEINT": pa.decimal128(38, 0),
    "FLOAT": pa.float32(),
    "DOUBLE": pa.float64(),
    "VARCHAR": pa.string(),
    "UUID": pa.string(),
    "DATE": pa.date32(),
    "TIME": pa.time64("us"),
    "TIMESTAMP": pa.timestamp("us"),
    "TIMESTAMP WITH TIME ZONE": pa.timestamp("us", tz="UTC"),
    "BLOB": pa.binary(),
}
_DECIMAL = re.compile(r"DECIMAL\((\d+),(\d+)\)")


def schema_of(columns: Sequence[tuple[str, str]]) -> pa.Schema:
    """The Arrow schema of an answer, whose columns have these DuckDB types."""
    return pa.schema([pa.field(name, _arrow(type_)) for name, type_ in columns])


def batch_of(rows: Sequence[Sequence[Any]], schema: pa.Schema) -> pa.RecordBatch:
    """A page as a batch. EngineError for a value that Arrow cannot hold, such as a day after the year 9999."""
    columns = zip(*rows, strict=True)
    try:
        arrays = [_array(list(values), field.type) for values, field in zip(columns, schema, strict=True)]
    except (pa.ArrowException, ValueError, OverflowError):
        what = "a value of the answer is beyond what can be carried here"
        raise EngineError(
            what, fix="ask with --engine duckdb, or leave out days before year 1 and after 9999"
        ) from None
    return pa.record_batch(arrays, schema=schema)


def _arrow(type_: str) -> Any:
    if (of := element(type_)) is not None:
        return pa.list_(_arrow(of))
    if (parts := fields(type_)) is not None:
        return pa.struct([pa.field(name, _arrow(each)) for name, each in parts])
    if found := _DECIMAL.fullmatch(type_):
        return pa.decimal128(int(found[1]), int(found[2]))
    return _SIMPLE[type_]


def _array(values: list[Any], type_: "pa.DataType") -> "pa.Array[Any]":
    """Trino writes numbers that JSON may not hold, days and times as texts; a struct as a list of its fields."""
    if pa.types.is_list(type_):
        lengths = [0 if each is None else len(each) for each in values]
        starts = [
            None if each is None else end - size
            for each, end, size in zip(values, accumulate(lengths), lengths, strict=True)
        ]
        inner = _array([item for each in values if each is not None for item in each], type_.value_type)
        return pa.ListArray.from_arrays(pa.array([*starts, sum(lengths)], pa.int32()), inner)
    if pa.types.is_struct(type_):
        parts = [
            _array([None if each is None else each[n] for each in values], type_.field(n).type)
            for n in range(type_.num_fields)
        ]
        none = pa.array([each is None for each in values], pa.bool_())
        return pa.StructArray.from_arrays(parts, fields=list(type_), mask=none)
    if pa.types.is_floating(type_):
        return pa.array([None if each is None else float(each) for each in values], type_)
    if pa.types.is_binary(type_):
        return pa.array([None if each is None else base64.b64decode(each) for each in values], type_)
    if pa.types.is_timestamp(type_) and type_.tz:
        texts = pa.array([None if each is None else each.removesuffix(" UTC") for each in values], pa.string())
        return texts.cast(pa.timestamp("us")).cast(type_)
    if pa.types.is_time(type_):  # of which Arrow reads no text
        return pa.array([None if each is None else time.fromisoformat(each) for each in values], type_)
    if pa.types.is_temporal(type_) or pa.types.is_decimal(type_):
        return pa.array(values, pa.string()).cast(type_)
    return pa.array(values, type_)
