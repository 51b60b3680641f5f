"""Pins over small files, governed texts over pins, and a look at the processes that run them."""

import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import psutil
import pyarrow as pa

from mesh_defs.engine.duckdb import DuckDBEngine
from mesh_defs.model.names import literal, quoted
from mesh_defs.model.place import Access
from mesh_defs.model.query import GovernedSQL
from mesh_defs.model.version import Pin

PEOPLE = "SELECT i AS id, 'n' || i AS name, i % 3 AS secret FROM range(9) t(i)"
COLUMNS = {"id": "BIGINT", "name": "VARCHAR", "secret": "BIGINT"}
ENDLESS = "SELECT count(*) FROM range(100000000000) a(i), range(1000000) b(j) WHERE i % 7 = j % 11"


# What tells these tests' zygotes from those of meshes that other tests opened in this process.
OURS = {"OF_ENGINE_TESTS": "1"}


def an_engine(folder: Path, **more: Any) -> DuckDBEngine:
    """An engine whose state lies in a folder."""
    told: dict[str, Any] = {
        "seconds_max": 60.0,
        "memory_bytes_max": 2_000_000_000,
        "access_of": lambda pin: Access(root=folder),
    }
    told["environment"] = OURS
    return DuckDBEngine(spill=folder / "spill", **{**told, **more})


def a_pin(
    folder: Path,
    select: str = PEOPLE,
    columns: Mapping[str, str] = COLUMNS,
    *,
    kind: Any = "parquet",
    product: str = "x.people",
    version: str = "1",
) -> Pin:
    """A version of one part, written on the first call."""
    file = folder / f"{product}-{version}.{kind}"
    if not file.exists():
        with duckdb.connect() as connection:
            if kind == "parquet":
                connection.execute(f"COPY ({select}) TO {literal(str(file))} (FORMAT parquet)")
            else:
                connection.execute(
                    f"ATTACH {literal(str(file))} AS made; CREATE TABLE made.data AS {select}; DETACH made"
                )
    return Pin(
        product=product,
        version=version,
        kind=kind,
        locations=(str(file),),
        columns=columns,
        rows=9,
        bytes=file.stat().st_size,
        published_at=datetime(2026, 11, 1, tzinfo=UTC),
    )


def governed(text: str, *pins: Pin, shown: str = '"id", "name"', rule: str = '"secret" < 2') -> GovernedSQL:
    """A text in which `{people}` stands for the subquery over the pin of x.people, which hides the column `secret`."""
    guards = {pin.product: f"SELECT {shown} FROM {quoted(pin.relation)} WHERE {rule}" for pin in pins}
    named = {pin.product.partition(".")[2]: f"({guards[pin.product]})" for pin in pins}
    for name, guard in named.items():
        text = text.replace("{" + name + "}", guard)
    return GovernedSQL(text=text, pins=pins, guards=guards)


def rows(engine: DuckDBEngine, text: str, *pins: Pin, **parameters: Any) -> list[dict[str, Any]]:
    """The answer's rows."""
    running = engine.run(governed(text, *pins), parameters)
    return pa.Table.from_batches(running.batches(), running.schema).to_pylist()


def zygotes(process: int | None = None) -> list[psutil.Process]:
    """The zygotes that these tests started in a process, in this one when none is told."""
    found = []
    for each in psutil.Process(process or os.getpid()).children():
        with suppress(psutil.Error):  # it may have ended just now
            found += (
                [each] if "mesh_defs.engine.zygote" in each.cmdline() and OURS.items() <= each.environ().items() else []
            )
    return found


def workers(process: int | None = None) -> list[psutil.Process]:
    """The workers of a process."""
    return [each for zygote in zygotes(process) for each in zygote.children()]


def eventually(condition: Callable[[], object]) -> bool:
    """Wait for what other processes do: nothing here is about how long it takes."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(0.01)
    return False
