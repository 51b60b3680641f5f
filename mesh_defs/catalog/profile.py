"""What a column's values are like, as counts and shares: measured in DuckDB, over a bounded number of rows.

No value leaves this module: only whether bounds hold, how many there are, and how many have a known shape.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import duckdb

from mesh_defs.model.names import literal, quoted
from mesh_defs.storage.external import External
from mesh_defs.storage.failures import told
from mesh_defs.storage.open import attach

ROWS_MAX = 200_000
PAIRS_MAX = 10
# What a text looks like, as a whole. RE2.
SHAPES: Mapping[str, str] = {
    "email": r"[^@\s]+@[^@\s]+\.[^@\s.]+",
    "phone": r"\+[0-9][0-9 ()./-]{6,18}|\(?0[0-9]{1,5}\)?[ /.-][0-9 /.-]{3,14}[0-9]|\(?[0-9]{3}\)?[ .-][0-9]{3}[ .-][0-9]{4}",
    "ip": r"[0-9]{1,3}(\.[0-9]{1,3}){3}|([0-9a-fA-F]{0,4}:){2,7}[0-9a-fA-F]{0,4}",
    "iban": r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}",
    "card": r"[0-9]{4}[ -][0-9]{4}[ -][0-9]{4}[ -][0-9]{1,7}|[3-6][0-9]{14,15}",
    "person_name": r"\p{Lu}[\p{L}'’-]+( \p{Lu}\.?)?( (van|von|de|der|da|di|del|la|bin|al))*( \p{Lu}[\p{L}'’-]+){1,3}",
    "address": r"[0-9]+[a-zA-Z]? \p{Lu}.*|\p{Lu}[\p{L} .'-]* [0-9]+[a-zA-Z]?(, .*)?",
    "birth_date": r"(18|19|20)[0-9]{2}-[0-9]{2}-[0-9]{2}",
    "uuid": r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    "hex": r"[0-9a-f]{8,128}",
}
_NUMBER = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT")
_COMPARED = (*_NUMBER, "FLOAT", "DOUBLE", "DECIMAL")
_WHOLE = ("STRUCT", "MAP", "UNION", "BLOB", "GEOMETRY", "VARIANT", "JSON")


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One column. `distinct` is exact among the rows that were looked at; None for nested values."""

    name: str
    type: str
    filled: int
    distinct: int | None = None
    never_negative: bool = False
    at_most_one: bool = False
    width: int | None = None
    shapes: Mapping[str, float] = field(default_factory=dict)

    def unique(self, rows: int) -> bool:
        """True when every row has a value, and each another one."""
        return rows > 0 and self.distinct == rows == self.filled


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """The columns of a source, over `rows` rows: all of them, or as many as are looked at. `keys` tell rows apart."""

    rows: int
    is_whole: bool
    columns: tuple[Measured, ...]
    keys: tuple[str, ...]


def profile(external: External, names: Mapping[str, str], *, spill: str, memory_bytes_max: int) -> Profile:
    """Measure the promised columns of a source (`names`: promised name -> type). Memory is bounded; more goes to `spill`."""
    config: dict[str, Any] = {"temp_directory": spill, "memory_limit": f"{memory_bytes_max}B"}
    pin = external.pin("draft.draft", external.current())
    with duckdb.connect(":memory:", config=config) as connection, told("it cannot be read", pin.version):
        relation = attach(connection, pin, external.source.access)
        connection.execute(f"CREATE TEMP TABLE sample AS SELECT * FROM {relation} LIMIT {ROWS_MAX + 1}")
        seen = _one(connection, "SELECT count(*) FROM sample")[0]
        if seen > ROWS_MAX:
            connection.execute(f"CREATE TEMP TABLE looked AS FROM sample LIMIT {ROWS_MAX}")
        rows, table = min(seen, ROWS_MAX), "looked" if seen > ROWS_MAX else "sample"
        columns = tuple(_measured(connection, table, name, type_) for name, type_ in names.items())
        keys = _keys(connection, table, columns, rows)
    return Profile(rows=rows, is_whole=seen <= ROWS_MAX, columns=columns, keys=keys)


def _measured(connection: duckdb.DuckDBPyConnection, table: str, name: str, type_: str) -> Measured:
    column = quoted(name)
    if type_.startswith(_WHOLE) or type_.endswith("]"):
        return Measured(name=name, type=type_, filled=_one(connection, f"SELECT count({column}) FROM {table}")[0])
    filled, distinct = _one(connection, f"SELECT count({column}), count(DISTINCT {column}) FROM {table}")
    never_negative = at_most_one = False
    if type_.startswith(_COMPARED) and filled:
        bounds = f"SELECT bool_and({column} >= 0), bool_and({column} <= 1) FROM {table}"
        never_negative, at_most_one = _one(connection, bounds)
    shapes, width = ({}, None) if type_ != "VARCHAR" or not filled else _shapes(connection, table, column)
    return Measured(
        name=name,
        type=type_,
        filled=filled,
        distinct=distinct,
        never_negative=bool(never_negative),
        at_most_one=bool(at_most_one),
        width=width,
        shapes=shapes,
    )


def _shapes(connection: duckdb.DuckDBPyConnection, table: str, column: str) -> tuple[dict[str, float], int | None]:
    shares = ", ".join(f"avg(regexp_full_match({column}, {literal(form)})::INT)" for form in SHAPES.values())
    asked = f"SELECT min(length({column})), max(length({column})), {shares} FROM {table} WHERE {column} IS NOT NULL"
    shortest, longest, *found = _one(connection, asked)
    return dict(zip(SHAPES, map(float, found), strict=True)), shortest if shortest == longest else None


def _keys(
    connection: duckdb.DuckDBPyConnection, table: str, columns: tuple[Measured, ...], rows: int
) -> tuple[str, ...]:
    """The likeliest primary key: one column, else a pair of columns that look like keys; tried exactly, few of them."""
    alone = sorted((each for each in columns if each.unique(rows)), key=_unlikely)
    if alone and (_unlikely(alone[0]) < 2 or len(alone) == 1):
        return (alone[0].name,)
    likely = [each for each in columns if each.filled == rows and each.distinct and _unlikely(each) < 2]
    for one, other in list(combinations(likely, 2))[:PAIRS_MAX]:
        pair = f"{quoted(one.name)}, {quoted(other.name)}"
        found = _one(connection, f"SELECT count(*) FROM (SELECT DISTINCT {pair} FROM {table})")[0]
        if rows and found == rows:
            return one.name, other.name
    return (alone[0].name,) if alone else ()


def _unlikely(column: Measured) -> int:
    """Names that keys have come first; measures and texts that happen to differ come last."""
    if column.name == "id" or column.name.endswith(("_id", "_key", "_uuid", "_no", "_number", "_code")):
        return 0
    if column.type.startswith(("DATE", "TIMESTAMP", "UUID")) or column.name.startswith(("id_", "key")):
        return 1
    return 3 if column.type.startswith(("FLOAT", "DOUBLE", "DECIMAL")) else 2


def _one(connection: duckdb.DuckDBPyConnection, asked: str) -> tuple[Any, ...]:
    found: tuple[Any, ...] | None = connection.execute(asked).fetchone()
    if found is None:
        raise AssertionError("an aggregate gives one row")
    return found
