"""The same governed text on both engines, over the same rows: views in a DuckDB, Iceberg tables in a Trino. No door."""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import duckdb

from mesh_defs.engine.trino_arrow import batch_of, schema_of
from mesh_defs.engine.trino_client import Client
from mesh_defs.model.access import RowRule, View
from mesh_defs.model.place import TrinoAccess
from mesh_defs.model.query import TrinoTable
from mesh_defs.model.version import Pin
from mesh_defs.sql.parse import parse_select
from mesh_defs.sql.rewrite import govern
from mesh_defs.sql.translation.translate import TrinoSQL, translate
from tests.servers import new_database
from tests.trino.lake import lake
from tests.trino_server import Trino

DOMAIN = "events"  # the lake's namespace
DIGITS = 9


@dataclass(frozen=True)
class Both:
    """Two engines over the tables of one DuckDB."""

    connection: duckdb.DuckDBPyConnection
    client: Client
    catalog: str

    def translated(
        self, sql: str, rules: Mapping[str, str] | None = None
    ) -> tuple[str, list[tuple[str, str]], TrinoSQL]:
        """The governed text, the answer's columns, and Trino's text."""
        statement = parse_select(sql)
        pins = {name: self._pin(name) for name in statement.products}
        views = {name: _view((rules or {}).get(name)) for name in pins}
        governed = govern(statement, pins, views)
        columns = [(row[0], row[1]) for row in self.connection.execute(f"DESCRIBE {governed.text}").fetchall()]
        tables = {name: [TrinoTable(catalog=self.catalog, schema=DOMAIN, name=name.split(".")[1])] for name in pins}
        return governed.text, columns, translate(governed, {}, tables, [type_ for _, type_ in columns])

    def answers(self, sql: str, rules: Mapping[str, str] | None = None) -> tuple[list[Any], list[Any]]:
        """DuckDB's rows and Trino's, each as a list in its order."""
        text, columns, translated = self.translated(sql, rules)
        schema = schema_of(columns)
        theirs = self.connection.execute(text).to_arrow_table()
        assert theirs.schema.types == schema.types
        pages = self.client.start(translated.text).pages()
        ours = [row for page in pages for row in _rows(batch_of(page, schema))]
        return _rows(theirs), ours

    def _pin(self, product: str) -> Pin:
        columns = {r[0]: r[1] for r in self.connection.execute(f"DESCRIBE {product.split('.')[1]}").fetchall()}
        when = datetime(2026, 1, 1, tzinfo=UTC)
        return Pin(
            product=product,
            version="v",
            kind="iceberg",
            locations=(),
            columns=columns,
            rows=1,
            bytes=1,
            published_at=when,
        )


@contextmanager
def both(connection: duckdb.DuckDBPyConnection, trino: Trino, server: str, folder: str) -> Iterator[Both]:
    """Copy the connection's tables into a lake that the Trino reads."""
    connection.execute("SET TimeZone = 'UTC'")
    tables = [row[0] for row in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()]
    with (
        new_database(server) as database,
        lake(database, f"file://{folder}") as made,
        trino.catalog(made.trino) as catalog,
    ):
        for name in tables:
            rows = connection.execute(f"FROM {name}").to_arrow_table()
            made.catalog.create_table(f"{DOMAIN}.{name}", rows.schema).append(rows)
            connection.execute(f"CREATE VIEW pin_{DOMAIN}__{name} AS FROM {name}")
        client = Client(TrinoAccess(url=trino.url, user="tester"), 120.0)
        yield Both(connection, client, catalog)


def comparable(rows: list[Any], digits: int = DIGITS) -> list[str]:
    """Rows in an order of their own, floats to so many significant digits, -0.0 as the 0.0 that it equals."""
    return sorted(repr(tuple(_comparable(value, digits) for value in row)) for row in rows)


def _comparable(value: Any, digits: int) -> Any:
    if isinstance(value, float):
        return value if math.isnan(value) or math.isinf(value) else float(f"{value:.{digits}g}") + 0.0
    return value


def _rows(table: Any) -> list[Any]:
    return list(zip(*(column.to_pylist() for column in table.columns), strict=True))


def _view(rule: str | None) -> View:
    return View(grant="g", rules=(RowRule(text=rule, bound=rule, source="test"),) if rule else ())
