"""Random small tables of every family of columns, with what tells engines apart: NULL, NaN, -0.0, infinities, newlines."""

from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

import duckdb

COLUMNS = {
    "i": "BIGINT",
    "k": "BIGINT",
    "f": "DOUBLE",
    "g": "DOUBLE",
    "m": "DECIMAL(10,2)",
    "s": "VARCHAR",
    "u": "VARCHAR",
    "t": "TIMESTAMP",
    "v": "TIMESTAMP",
    "d": "DATE",
    "b": "BOOLEAN",
}
INTEGERS = [-3, -1, 0, 0, 1, 1, 2, 2, 3, 6]
FLOATS = ["nan", 0.0, -0.0, 0.5, 1.0, 1.0, 2.0, 100.0, "inf", "-inf", 1e-9]
TEXTS = ["US", "US", "DE", "us", "", "U", "USA", "US\n", "é", "a'b", "日本", "a%b", "_x", "😀", "e\u0301", "10", "1_0"]
TIMES = ["2026-01-01", "2026-01-01 00:00:00", "2026-01-02 03:04:05.000600", "2025-12-31 23:59:59.999999", "1969-07-20"]
DATES = ["2026-01-01", "2026-01-02", "2025-12-31", "2024-02-29"]
DECIMALS = ["-1.00", "0.00", "0.10", "0.50", "1.00", "2.25", "100.00"]
POOLS: dict[str, Sequence[Any]] = {
    "i": INTEGERS,
    "k": INTEGERS,
    "f": FLOATS,
    "g": FLOATS,
    "m": DECIMALS,
    "s": TEXTS,
    "u": TEXTS,
    "t": TIMES,
    "v": TIMES,
    "d": DATES,
    "b": [True, False],
}

Row = tuple[Any, ...]


def random_rows(random: Random) -> list[Row]:
    """Return up to 14 rows; each column has its own habit: few nulls, many, only nulls, or few different values."""
    count = random.choice([0, 1, 2, 3, 4, 5, 7, 10, 14])
    return list(zip(*(_cells(random, POOLS[name], count) for name in COLUMNS), strict=True))


def _cells(random: Random, pool: Sequence[Any], count: int) -> list[Any]:
    habit = random.choice(["plain", "plain", "plain", "few values", "distinct", "finite", "all missing"])
    nulls = random.choice([0, 0, 0.15, 0.5])
    if habit == "all missing":
        return [None] * count
    if habit == "distinct":
        return random.sample(pool, min(count, len(pool))) + [None] * (count - min(count, len(pool)))
    if habit == "finite":  # else most aggregates of floats would be infinite
        pool = [value for value in pool if value not in ("nan", "inf", "-inf")]
    if habit == "few values":
        pool = random.sample(pool, 2)
    return [None if random.random() < nulls else random.choice(pool) for _ in range(count)]


def fill(connection: duckdb.DuckDBPyConnection, rows: Sequence[Row], table: str = "t") -> None:
    """Create the table anew with these rows."""
    declared = ", ".join(f"{name} {type}" for name, type in COLUMNS.items())
    connection.execute(f"CREATE OR REPLACE TABLE {table} ({declared})")
    if rows:
        connection.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(COLUMNS))})", rows)


def shown(rows: Sequence[Row], names: Iterator[str] | Sequence[str]) -> list[Row]:
    """Return the cells of some columns only, for a report."""
    places = [list(COLUMNS).index(name) for name in names]
    return [tuple(row[place] for place in places) for row in rows]
