"""Where a process of a drill is to stop, and how it does so by its own hand, killed or stopped, at exactly that point.

This code runs in the process that dies: the product itself calls `obey` in the worker that makes it. Nothing in the mesh knows.
"""

import json
import os
import signal
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import duckdb
from duckdb.sqltypes import BIGINT

Point = Literal["stage", "audit", "flip", "write", "told"]
ROWS = 5_000
# What tells whether an answer is whole: generations least and most, rows, persons.
SELECTED = "min(generation), max(generation), count(*), count(DISTINCT person_id)"
TOLD: dict[Point, str] = {
    "stage": "in stage",
    "audit": "in audit",
    "flip": "between audit and flip",
    "write": "in the flip itself",
    "told": "after the flip, before Dagster is told",
}
_CHANGES = ("fsync", "replace", "rename", "mkdir", "chmod", "unlink", "rmdir")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """Stop at this point; `number` says where in it: the row, the expectation, the write."""

    point: Point
    number: int = 0
    signal: int = signal.SIGKILL

    def write(self, file: Path) -> None:
        """Order it; whoever comes there first obeys, once."""
        file.write_text(json.dumps(asdict(self)))


def taken(file: Path) -> Stop | None:
    """Take the order; None when there is none, or another process took it."""
    try:
        stop = Stop(**json.loads(file.read_text()))
        file.unlink()
    except FileNotFoundError:
        return None
    return stop


def obey(connection: duckdb.DuckDBPyConnection, root: Path) -> duckdb.DuckDBPyRelation:
    """Return a generation's rows, and see to it that this process stops where it was ordered to."""
    generation = int((root / "generation").read_text())
    (root / "began").write_text(str(os.getpid()))
    while (root / "hold").exists():
        time.sleep(0.02)
    stop = taken(root / "stop.json")
    rows = select(generation)
    if stop and stop.point == "stage":
        rows = _stopping_rows(connection, rows, stop)
    elif stop:
        stop_in_step(stop)
    return connection.sql(rows)


def select(generation: int, rows: int = ROWS) -> str:
    """The rows of one generation: a reader can tell when some are missing, or of another."""
    return f"SELECT range AS person_id, 'north' AS region, {generation} AS generation FROM range({rows})"


def stop_in_step(stop: Stop) -> None:
    """Stop in the audit, or at the storage's flip."""
    if stop.point == "audit":
        _stop_in_audit(stop)
        return
    from mesh_defs.storage.iceberg import IcebergStorage
    from mesh_defs.storage.local import LocalStorage
    from mesh_defs.storage.postgres import PostgresStorage
    from mesh_defs.storage.s3 import S3Storage

    for storage in (LocalStorage, PostgresStorage, S3Storage, IcebergStorage):
        storage.publish = _stopping_publish(storage.publish, stop)  # type: ignore[method-assign]


def stop_before_change(number: int, stop: Callable[[], None]) -> Callable[[], None]:
    """Call `stop` just before the nth change that is asked of disk, Postgres or S3; the function returned takes it back."""
    import psycopg
    from botocore.httpsession import URLLib3Session

    left = number
    asking: list[tuple[Any, str]] = [(os, name) for name in _CHANGES]
    asking += [(psycopg.Connection, "execute"), (psycopg.Connection, "commit"), (URLLib3Session, "send")]
    before = [(owner, name, getattr(owner, name)) for owner, name in asking]

    def counted(change: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            nonlocal left
            if left == 0:
                stop()
            left -= 1
            return change(*arguments, **options)

        return call

    for owner, name, change in before:
        setattr(owner, name, counted(change))

    def undo() -> None:
        for owner, name, change in before:
            setattr(owner, name, change)

    return undo


def _stopping_rows(connection: duckdb.DuckDBPyConnection, rows: str, stop: Stop) -> str:
    def reach(n: int) -> int:
        _end(stop)
        return n

    connection.create_function("stop_here", reach, [BIGINT], BIGINT)
    here = f"CASE WHEN person_id = {stop.number % ROWS} THEN stop_here(person_id) ELSE person_id END AS person_id"
    return f"SELECT {here}, region, generation FROM ({rows})"


def _stop_in_audit(stop: Stop) -> None:
    from mesh_defs.upkeep import audit

    evaluate = audit.evaluate  # type: ignore[attr-defined]

    def stopping(connection: Any, relation: str, expectations: Any, **options: Any) -> Any:
        evaluate(connection, relation, expectations[: stop.number % (len(expectations) + 1)], **options)
        _end(stop)
        return evaluate(connection, relation, expectations, **options)

    audit.evaluate = stopping  # type: ignore[attr-defined]


def _stopping_publish(publish: Callable[..., Any], stop: Stop) -> Callable[..., Any]:
    def stopping(*arguments: Any, **options: Any) -> Any:
        if stop.point == "flip":
            _end(stop)
        undo = stop_before_change(stop.number, lambda: _end(stop)) if stop.point == "write" else lambda: None
        version = publish(*arguments, **options)
        undo()
        _end(stop)
        return version

    return stopping


def _end(stop: Stop) -> None:
    os.kill(os.getpid(), stop.signal)
