"""What GX itself says: on pandas, and on SQLite for the types that only its SQL engines have."""

import sqlite3
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from quality_checks import Expectation, Result, gx_session
from quality_checks.fallback import _result, _with_times
from quality_checks.frames import frame_of
from quality_checks.relation import Relation
from tests.quality.tables import COLUMNS, Row

BATCH = 100


def on_pandas(connection: duckdb.DuckDBPyConnection, table: str, rules: Sequence[Expectation]) -> list[Result]:
    """Judge all columns and rows, with GX's own reading of row_condition."""
    relation = Relation.parse(connection, table)
    frame = frame_of(relation, relation.columns())
    asked = [_with_times(rule, COLUMNS) for rule in rules]
    # GX's own cost of a batch grows faster than its expectations.
    batches = [asked[first : first + BATCH] for first in range(0, len(asked), BATCH)]
    found = [verdict for batch in batches for verdict in gx_session.verdicts(frame, batch)]
    return [_result(rule, verdict) for rule, verdict in zip(rules, found, strict=True)]


def on_sqlite(path: Path, tables: dict[str, Sequence[Row]], rules: Sequence[Expectation]) -> list[Result]:
    """Judge the table `t` of a new database at `path`, whose LIKE minds the case as DuckDB's does."""
    _write(path, tables)
    with gx_session._quiet_gx() as gx:
        import sqlalchemy as sa

        sa.event.listen(sa.engine.Engine, "connect", _mind_the_case)
        source = gx_session.context_of(gx).data_sources.add_sqlite("rows", connection_string=f"sqlite:///{path}")
        batch = source.add_table_asset("t", table_name="t").add_batch_definition_whole_table("t").get_batch()
        suite = gx.ExpectationSuite(
            name="t", expectations=[gx_session._as_gx(rule, at=at) for at, rule in enumerate(rules)]
        )
        results = batch.validate(suite, result_format="BASIC").results
        found = {each.expectation_config.meta["at"]: gx_session._verdict(each) for each in results}
        sa.event.remove(sa.engine.Engine, "connect", _mind_the_case)
        source.get_engine().dispose()
    return [_result(rule, found[at]) for at, rule in enumerate(rules)]


def _mind_the_case(connection: Any, record: Any) -> None:
    connection.execute("PRAGMA case_sensitive_like = ON")


def _write(path: Path, tables: dict[str, Sequence[Row]]) -> None:
    path.unlink(missing_ok=True)
    with sqlite3.connect(path) as database:
        for name, rows in tables.items():
            database.execute(f"CREATE TABLE {name} ({', '.join(map(_declared, COLUMNS))})")
            database.executemany(f"INSERT INTO {name} VALUES ({', '.join('?' * len(COLUMNS))})", map(_cells, rows))
    database.close()


def _declared(column: str) -> str:
    kinds = {"BIGINT": "INTEGER", "BOOLEAN": "INTEGER", "VARCHAR": "TEXT", "DATE": "TEXT", "TIMESTAMP": "TEXT"}
    return f"{column} {kinds.get(COLUMNS[column], 'REAL')}"


def _cells(row: Row) -> Row:
    numbers = {"nan": None, "inf": float("inf"), "-inf": -float("inf")}  # to SQLite, NaN is NULL
    cells = [numbers.get(cell, cell) if isinstance(cell, str) else cell for cell in row]
    return tuple(
        float(Decimal(cell)) if name == "m" and cell is not None else cell
        for name, cell in zip(COLUMNS, cells, strict=True)
    )
