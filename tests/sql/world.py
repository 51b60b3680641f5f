"""A small mesh twice: as tables in schemas (the truth), and as pin relations (what governed SQL reads)."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import duckdb

from mesh_defs.model.access import Mask, View
from mesh_defs.model.query import GovernedSQL
from mesh_defs.model.version import Pin
from mesh_defs.sql.parse import parse_select
from mesh_defs.sql.rewrite import govern

STATEMENTS = Path(__file__).parent / "statements"
PARAMETERS = {"least": 20, "region": "EU"}
TABLES = {
    "events.impressions": """
        SELECT i AS impression_id, 'p' || (i % 4) AS person_id, 'f' || (i % 3) AS film,
            TIMESTAMP '2026-01-01' + to_hours(i * 7) AS ts, i * 1.5 AS cost, ['a', 'b', 'c'][: 1 + i % 3] AS tags,
            {'os': ['ios', 'web'][1 + i % 2], 'size': {'w': i, 'h': i * 2}} AS device,
            json_object('k', 'v' || i, 'o', json_object('a', i), 'a.b', 'dotted', 'l', [i, i + 1]) AS payload
        FROM range(1, 10) t(i)""",
    "audiences.persons": """
        SELECT * FROM (VALUES ('p0', 'EU', 30, DATE '2025-01-01'), ('p1', 'US', 25, DATE '2025-02-01'),
            ('p2', 'EU', 41, DATE '2025-03-01'), ('p5', 'APAC', NULL, DATE '2025-04-01')) v(person_id, region, age, joined)""",
    "creatives.films": "SELECT 'f' || i AS film, 'Film ' || i AS title, {'x': i} AS impressions FROM range(3) t(i)",
    "archive.impressions": "SELECT i AS impression_id, i * 100.0 AS cost FROM range(1, 4) t(i)",
}


@cache
def truth() -> duckdb.DuckDBPyConnection:
    """A database in which every product is a table."""
    connection = duckdb.connect(config={"threads": 1})
    for name, select in TABLES.items():
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {name.split('.')[0]}")
        connection.execute(f"CREATE TABLE {name} AS {select}")
    return connection


@cache
def types() -> Mapping[str, Mapping[str, str]]:
    """Each product's columns and their DuckDB types."""
    return {name: {row[0]: row[1] for row in truth().execute(f"DESCRIBE {name}").fetchall()} for name in TABLES}


def a_pin(product: str, columns: Mapping[str, str] | None = None) -> Pin:
    return Pin(
        product=product,
        version="v1",
        kind="parquet",
        locations=(),
        columns=types().get(product, {}) if columns is None else columns,
        rows=1,
        bytes=1,
        published_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


@cache
def engine() -> duckdb.DuckDBPyConnection:
    """A database that offers pins only, each with a column that nobody may see."""
    connection = duckdb.connect(config={"threads": 1})
    for name, select in TABLES.items():
        connection.execute(f"CREATE VIEW {a_pin(name).relation} AS SELECT *, 'SECRET' AS secret FROM ({select})")
    return connection


def governed(sql: str, columns: Mapping[str, Sequence[str]] | None = None) -> GovernedSQL:
    """Govern a statement over the world's products, all of their own columns unless told otherwise."""
    return govern(parse_select(sql), {name: a_pin(name) for name in TABLES}, a_view_of_each(columns or types()))


def a_view_of_each(visible: Mapping[str, Sequence[str]]) -> dict[str, View]:
    """Every row of each product, and of its columns only those that are named."""
    return {
        name: View(grant="g", masks={each: Mask(kind="deny") for each in types()[name] if each not in visible[name]})
        for name in TABLES
    }


Answer = tuple[list[str], list[tuple[Any, ...]]]


def answer(connection: duckdb.DuckDBPyConnection, sql: str) -> Answer:
    """Column names and rows; rows sorted, for a SELECT promises no order here."""
    parameters = {name: value for name, value in PARAMETERS.items() if f"${name}" in sql}
    connection.execute("SELECT setseed(0.5)")
    cursor = connection.execute(sql, parameters) if parameters else connection.execute(sql)
    return [column[0] for column in cursor.description], sorted(cursor.fetchall(), key=repr)


def statements(file: str) -> list[str]:
    """The statements of a file, one per line; comments are lines."""
    lines = (STATEMENTS / file).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line.strip() and not line.startswith("--")]
