"""Families of column types, and which JSON values each can be compared with. Builds no SQL."""

from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any, Literal

from sqlglot import exp
from sqlglot.errors import SqlglotError

Family = Literal["integer", "float", "decimal", "text", "boolean", "date", "timestamp", "zoned timestamp", "other"]
Value = int | float | Decimal | str | bool | datetime

# The end of a message: what would do.
WANTED: dict[Family, str] = {
    "integer": "numbers",
    "float": "numbers",
    "decimal": "numbers",
    "text": "text (without NUL)",
    "boolean": "true or false",
    "date": "ISO dates, such as '2026-01-31'",
    "timestamp": "ISO times without a zone, such as '2026-01-31T12:00:00'",
    "zoned timestamp": "ISO times with a zone, such as '2026-01-31T12:00:00+00:00'",
}

_TYPES: dict[Family, str] = {
    "integer": "TINYINT SMALLINT INT BIGINT INT128 UTINYINT USMALLINT UINT UBIGINT UINT128",
    "float": "FLOAT DOUBLE",
    "decimal": "DECIMAL",
    "text": "TEXT ENUM UUID JSON",
    "boolean": "BOOLEAN",
    "date": "DATE",
    "timestamp": "TIMESTAMPNTZ TIMESTAMP_S TIMESTAMP_MS TIMESTAMP_NS",
    "zoned timestamp": "TIMESTAMPTZ",
}
NUMBERS: tuple[Family, ...] = ("integer", "float", "decimal")
TIMES: tuple[Family, ...] = ("date", "timestamp", "zoned timestamp")
_FAMILY_OF: dict[str, Family] = {name: family for family, names in _TYPES.items() for name in names.split()}
_BITS = {"TINYINT": 8, "SMALLINT": 16, "INT": 32, "BIGINT": 64, "INT128": 128}
_LARGEST_NUMBER = 1.7976931348623157e308


def family_of(type: str) -> Family:
    """Return the family of a DuckDB type, under any of its names; "other" for nested, binary and unknown types."""
    return _FAMILY_OF.get(type_name(type), "other")


@cache
def type_name(type: str) -> str:
    """Return sqlglot's one name for a DuckDB type ("TEXT" for VARCHAR and STRING), or "" when it knows none."""
    try:
        return str(exp.DataType.build(type, dialect="duckdb").this.name)
    except SqlglotError:
        return ""


def integer_range(type: str) -> tuple[int, int]:
    """Return the least and the greatest value of a DuckDB type of whole numbers."""
    name = type_name(type)
    bits = _BITS[name.removeprefix("U")]
    return (0, 2**bits - 1) if name.startswith("U") else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def read_value(family: Family, value: Any) -> Value | None:
    """Return a JSON value as the family holds it (ISO text as a datetime), or None when it cannot be that."""
    if family == "integer":
        return (int(value) if value == int(value) else value) if is_number(value) else None
    if family in ("float", "decimal"):
        return value if is_number(value) else None
    if family == "text":
        return value if is_text(value) else None
    if family == "boolean":
        return value if isinstance(value, bool) else None
    moment = _moment(value)
    # A bound without a zone on an instant would mean another instant in each session's time zone.
    return moment if moment and (moment.tzinfo is not None) == (family == "zoned timestamp") else None


def is_number(value: Any) -> bool:
    """Tell whether a JSON value is a finite number (true and false are none)."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= _LARGEST_NUMBER


def is_text(value: Any) -> bool:
    """Tell whether a JSON value is text that a SQL literal can hold: no NUL, no lone surrogate."""
    return isinstance(value, str) and not any(char == "\0" or "\ud800" <= char <= "\udfff" for char in value)


def _moment(value: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
