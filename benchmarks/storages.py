"""Ten queries through the door on products of each storage, against the same on native tables of one DuckDB; and what they moved.

    python -m benchmarks.storages [--rows 1_000_000] [--each] [--json]

`<storage>_ratio` is the geometric mean, over the queries, of CPU seconds through the door ÷ native; `_wall_ratio` the same in
seconds of the clock; `_worst_<query>` the dearest query's CPU ratio; `_opening_ms` the CPU of a query that reads no row. CPU is
this process's and Postgres's; a toy S3's counts for nobody. Interleaved, medians. The native tables stay open and warm, while
the door opens each product anew for each query.

Movement is that of the ten queries together, asked once: `_told_…` is what the door says (the pinned versions as stored, and what
crossed to the asker); `_moved_mb` what left the storage, counted on its wire (Postgres, S3) or at the disk's system calls.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pyarrow as pa

from benchmarks.report import report
from benchmarks.storage_mesh import SERVERS, Stored, stored
from benchmarks.wire import counted
from mesh_defs.model.query import Movement, QueryRequest
from mesh_defs.query.platform import Platform
from mesh_defs.query.run import run_query

MEGA = 1_000_000
# {s} is empty, or the domain whose products are asked; {other} another one's.
QUERIES: Mapping[str, str] = {
    "lookup": "SELECT * FROM {s}sales WHERE sale_id = 884_811_920_337",
    "sorted_range": "SELECT sum(price) AS p, count(*) AS n FROM {s}sales"
    " WHERE sold_on BETWEEN DATE '2026-06-01' AND DATE '2026-06-04'",
    "other_range": "SELECT sum(quantity) AS q, count(*) AS n FROM {s}sales WHERE price BETWEEN 500 AND 510",
    "aggregate": "SELECT sum(price * quantity) AS p, min(sold_on) AS first, max(sold_on) AS last FROM {s}sales",
    "few_groups": "SELECT region, count(*) AS n, sum(price) AS p FROM {s}sales GROUP BY region",
    "many_groups": "SELECT customer_id, count(*) AS n, sum(price) AS p FROM {s}sales GROUP BY customer_id",
    "top": "SELECT * FROM {s}sales ORDER BY price DESC, sale_id LIMIT 10",
    "join": "SELECT c.segment, sum(s.price) AS p FROM {s}sales AS s JOIN {s}customers AS c"
    " ON s.customer_id = c.customer_id GROUP BY c.segment",
    "join_across": "SELECT c.segment, sum(s.price) AS p FROM {s}sales AS s JOIN {other}customers AS c"
    " ON s.customer_id = c.customer_id GROUP BY c.segment",
    "count": "SELECT count(*) AS n FROM {s}sales",
}
OPENING = "SELECT sale_id FROM {s}sales LIMIT 0"
Cost = tuple[float, float]


def text(query: str, storage: str) -> str:
    """The query on a storage's products; its other products are the next storage's."""
    names = list(SERVERS)
    other = names[(names.index(storage) + 1) % len(names)]
    return query.format(s=f"{storage}.", other=f"{other}.")


def native(query: str, made: Stored) -> pa.Table:
    """Ask the native tables."""
    return made.native.cursor().execute(query.format(s="", other="")).to_arrow_table()


def through_the_door(query: str, storage: str, door: Platform) -> tuple[pa.Table, Movement]:
    """Ask a storage's products, as a consumer does."""
    request = QueryRequest(sql=text(query, storage), principal="ada", purpose="measurement")
    with run_query(request, door) as answer:
        return answer.table(), answer.movement


class Clock:
    """What a block of code costs: CPU seconds of this process and of Postgres, and seconds of the clock."""

    def __init__(self, made: Stored) -> None:
        self._made = made

    def __enter__(self) -> "Clock":
        self._before = self._now()
        return self

    def __exit__(self, *error: object) -> None:
        cpu, wall = (after - before for after, before in zip(self._now(), self._before, strict=True))
        self.cost: Cost = (cpu, wall)

    def _now(self) -> Cost:
        return time.process_time() + self._made.postgres_cpu_seconds(), time.perf_counter()


def measured(made: Stored, door: Platform, repeats: int) -> dict[str, float]:
    """Ratios of each query, storage by storage; a native run before each round of storages."""
    ratios: dict[tuple[str, str], list[Cost]] = {}
    opening: dict[str, list[float]] = {storage: [] for storage in SERVERS}
    for number in range(repeats + 1):
        for name, query in QUERIES.items():
            with Clock(made) as bare:
                native(query, made)
            for storage in SERVERS:
                with Clock(made) as asked:
                    through_the_door(query, storage, door)
                if number:
                    pair = asked.cost[0] / bare.cost[0], asked.cost[1] / bare.cost[1]
                    ratios.setdefault((storage, name), []).append(pair)
        for storage in SERVERS:
            with Clock(made) as asked:
                through_the_door(OPENING, storage, door)
            opening[storage].append(asked.cost[0] * 1000)
    figures = {f"{storage}_{name}_ratio": statistics.median(cpu for cpu, _ in found) for (storage, name), found in ratios.items()}
    walls = {key: statistics.median(wall for _, wall in found) for key, found in ratios.items()}
    for storage in SERVERS:
        cpus = {name: figures[f"{storage}_{name}_ratio"] for name in QUERIES}
        worst = max(cpus, key=cpus.__getitem__)
        figures[f"{storage}_ratio"] = statistics.geometric_mean(cpus.values())
        figures[f"{storage}_wall_ratio"] = statistics.geometric_mean(walls[storage, name] for name in QUERIES)
        figures[f"{storage}_worst_{worst}"] = cpus[worst]
        figures[f"{storage}_opening_ms"] = statistics.median(opening[storage])
    return figures
