"""Columns of DuckDB as columns of Iceberg: which types it keeps, and the field ids by which it knows a column again.

https://iceberg.apache.org/spec/#schemas-and-data-types, format version 2. A column keeps its id as long as it keeps its name
and its type, or a wider one; any other column is a new one. Pure.
"""

from collections.abc import Mapping
from itertools import count
from typing import cast

import duckdb
from duckdb import DuckDBPyConnection
from pyiceberg.schema import Schema, assign_fresh_schema_ids
from pyiceberg.types import (
    BinaryType,
    BooleanType,
    DateType,
    DecimalType,
    DoubleType,
    FloatType,
    IcebergType,
    IntegerType,
    ListType,
    LongType,
    MapType,
    NestedField,
    StringType,
    StructType,
    TimestampType,
    TimestamptzType,
    TimeType,
    UUIDType,
)

from mesh_defs.errors import StorageError
from mesh_defs.model.names import literal, quoted

_SIMPLE: Mapping[str, IcebergType] = {
    "BOOLEAN": BooleanType(),
    "INTEGER": IntegerType(),
    "BIGINT": LongType(),
    "FLOAT": FloatType(),
    "DOUBLE": DoubleType(),
    "VARCHAR": StringType(),
    "JSON": StringType(),
    "BLOB": BinaryType(),
    "UUID": UUIDType(),
    "DATE": DateType(),
    "TIME": TimeType(),
    "TIMESTAMP": TimestampType(),
    "TIMESTAMP WITH TIME ZONE": TimestamptzType(),
}
_WIDER: Mapping[str, str] = {
    "TINYINT": "INTEGER",
    "SMALLINT": "INTEGER",
    "UTINYINT": "INTEGER",
    "USMALLINT": "INTEGER",
    "UINTEGER": "BIGINT",
    "UBIGINT": "DECIMAL(20,0)",
    "HUGEINT": "DECIMAL(38,0)",
    "UHUGEINT": "DECIMAL(38,0)",
    "TIMESTAMP_S": "TIMESTAMP",
    "TIMESTAMP_MS": "TIMESTAMP",
}
# All of their values are 32-bit integers, as which a Parquet file has them.
_SMALL = frozenset({"TINYINT", "SMALLINT", "UTINYINT", "USMALLINT"})
# https://iceberg.apache.org/spec/#schema-evolution: what a column's type may become while it stays the same column.
_PROMOTED = {(IntegerType(), LongType()), (FloatType(), DoubleType())}
_ANY_ID = 0


def exact_select(connection: DuckDBPyConnection, select: str, columns: Mapping[str, str]) -> str:
    """Return the SELECT with every column cast to the type that Iceberg will keep.

    StorageError names a column that it would change, and how to mend it.
    """
    casts = [(name, _kept(name, connection.sqltype(type_))) for name, type_ in columns.items()]
    changed = [f"CAST({quoted(name)} AS {to}) AS {quoted(name)}" for name, to in casts if to != columns[name]]
    return f"SELECT * REPLACE ({', '.join(changed)}) FROM (\n{select}\n)" if changed else select


def kept_types(connection: DuckDBPyConnection, columns: Mapping[str, str]) -> dict[str, IcebergType]:
    """Return these columns' types of Iceberg, where it keeps DuckDB's as they are."""
    return {name: iceberg_type(connection.sqltype(type_)) for name, type_ in columns.items()}


def read_type(name: str, type_: duckdb.sqltypes.DuckDBPyType) -> IcebergType:
    """Return the type of Iceberg as which a column of a Parquet file is read that was not written for Iceberg.

    StorageError for one that its readers would take for something else, such as unsigned integers.
    """
    if str(type_) in _SMALL:
        return IntegerType()
    if _kept(name, type_) != str(type_):
        what = f"column '{name}' holds {type_}, which other readers of its files take for something else"
        raise StorageError(what, fix="CAST it in the product's SELECT (BIGINT, DECIMAL(38,0), TIMESTAMP, VARCHAR)")
    return iceberg_type(type_)


def schema_of(columns: Mapping[str, IcebergType], known: Schema | None, last_id: int) -> Schema:
    """Return the Iceberg schema of these columns, in their order.

    Ids are those of `known`, the schema of what is published, and otherwise new ones after `last_id`.
    """
    same = {field.name: field for field in known.fields} if known else {}
    again = [_again(same.get(name), type_) for name, type_ in columns.items()]
    new = [_optional(name, type_) for (name, type_), old in zip(columns.items(), again, strict=True) if old is None]
    ids = count(last_id + 1)
    fresh = iter(assign_fresh_schema_ids(Schema(*new), lambda: next(ids)).fields)
    return Schema(*(old or next(fresh) for old in again))


def field_ids(schema: Schema) -> str:
    """Return the value of COPY's FIELD_IDS that writes the schema's ids into a Parquet file."""
    return _ids_of({field.name: field for field in schema.fields})


def iceberg_type(type_: duckdb.sqltypes.DuckDBPyType) -> IcebergType:
    """Return the type of Iceberg that keeps this one, with ids that mean nothing yet."""
    if type_.id == "decimal":
        digits = dict(type_.children)
        return DecimalType(cast(int, digits["precision"]), cast(int, digits["scale"]))
    if type_.id == "list":
        return ListType(element_id=_ANY_ID, element=iceberg_type(_child(type_, "child")), element_required=False)
    if type_.id == "map":
        key, value = iceberg_type(_child(type_, "key")), iceberg_type(_child(type_, "value"))
        return MapType(key_id=_ANY_ID, key_type=key, value_id=_ANY_ID, value_type=value, value_required=False)
    if type_.id == "struct":
        return StructType(*(_optional(name, iceberg_type(child)) for name, child in _children(type_)))
    return _SIMPLE[str(type_)]


def _kept(name: str, type_: duckdb.sqltypes.DuckDBPyType) -> str:
    """Return the type to cast to, which is the same where Iceberg has it."""
    text = str(type_)
    if text in _SIMPLE or type_.id == "decimal":
        return text
    if text in _WIDER:
        return _WIDER[text]
    if type_.id == "enum":
        return "VARCHAR"
    if type_.id in ("list", "array"):
        return f"{_kept(name, _child(type_, 'child'))}[]"
    if type_.id == "map":
        return f"MAP({_kept(name, _child(type_, 'key'))}, {_kept(name, _child(type_, 'value'))})"
    if type_.id == "struct":
        return f"STRUCT({', '.join(f'{quoted(each)} {_kept(name, child)}' for each, child in _children(type_))})"
    what = f"column '{name}' holds {type_.id.upper()}, which Iceberg cannot keep as it is"
    fix = "CAST it in the product's SELECT (DECIMAL(38,0), BIGINT, TIMESTAMP or VARCHAR), or store as duckdb"
    raise StorageError(what, fix=fix)


def _again(old: NestedField | None, type_: IcebergType) -> NestedField | None:
    """Return the field that is already there under this name, with the type that is wanted; None for another one."""
    if old is None:
        return None
    if unnumbered(old.field_type) == unnumbered(type_):
        return old
    before = old.field_type
    wider = (before, type_) in _PROMOTED or (
        isinstance(before, DecimalType)
        and isinstance(type_, DecimalType)
        and before.scale == type_.scale
        and before.precision < type_.precision
    )
    return NestedField(field_id=old.field_id, name=old.name, field_type=type_, required=False) if wider else None


def unnumbered(type_: IcebergType) -> IcebergType:
    """Return the type with ids from 1 on, so that two can be compared whatever theirs are."""
    return assign_fresh_schema_ids(Schema(_optional("x", type_))).fields[0].field_type


def _optional(name: str, type_: IcebergType) -> NestedField:
    return NestedField(field_id=_ANY_ID, name=name, field_type=type_, required=False)


def _ids_of(fields: Mapping[str, NestedField]) -> str:
    return "{" + ", ".join(f"{literal(name)}: {_id_of(field)}" for name, field in fields.items()) + "}"


def _id_of(field: NestedField) -> str:
    below = _below(field.field_type)
    if not below:
        return str(field.field_id)
    return f"{{'__duckdb_field_id': {field.field_id}, {_ids_of(below)[1:]}"


def _below(type_: IcebergType) -> Mapping[str, NestedField]:
    """The fields of a nested type, by the names under which DuckDB writes them."""
    if isinstance(type_, ListType):
        return {"element": type_.element_field}
    if isinstance(type_, MapType):
        return {"key": type_.key_field, "value": type_.value_field}
    return {field.name: field for field in type_.fields} if isinstance(type_, StructType) else {}


def _children(type_: duckdb.sqltypes.DuckDBPyType) -> list[tuple[str, duckdb.sqltypes.DuckDBPyType]]:
    return cast(list[tuple[str, duckdb.sqltypes.DuckDBPyType]], type_.children)


def _child(type_: duckdb.sqltypes.DuckDBPyType, name: str) -> duckdb.sqltypes.DuckDBPyType:
    return dict(_children(type_))[name]
