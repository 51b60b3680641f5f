"""Ten queries through the door on products of each storage, against the same on native tables of one DuckDB; and what they moved.

    python -m benchmarks.storages [--rows 1_000_000] [--each] [--json]

`<storage>_ratio` is the geometric mean, over the queries, of CPU seconds through the door ÷ native; `_wall_ratio` the same by the
clock; `_worst_<query>` the dearest query's CPU ratio; `_opening_cpu_ms` what a query costs that opens a product and reads no row;
`native_cpu_ms` the geometric mean of the native ones. CPU is this process's and Postgres's; a toy S3's is nobody's. Interleaved,
medians. The native tables stay open and warm; the door opens every product anew for every query. `--each` adds every query's.

Movement is that of the ten queries, each asked once more: `rows_read` and `mb_read` as the door tells them (the pinned versions
as stored), `rows_crossed` and `mb_crossed` (what reached the asker), and `mb_moved`, counted: what Postgres and S3 sent through a
proxy, and what this process read from disk by its system calls, both less what opening alone moves. join_across moves bytes of
the storage after it, too.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa

from benchmarks.report import report
from benchmarks.storage_mesh import SERVERS, Stored, stored
from benchmarks.wire import counted
from mesh_defs.model.query import Movement, QueryRequest
from mesh_defs.query.platform import Platform
from mesh_defs.query.run import run_query

MEGA = 1_000_000
# {s} is the domain that is asked, {other} another one; both are empty for the native tables.
QUERIES: Mapping[str, str] = {
    "lookup": "SELECT * FROM {s}sales WHERE sale_id = {key}",
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
# Opens what the query reads, and the plan is empty.
OPENING = "SELECT * FROM ({query}) AS opened LIMIT 0"
# The key of some row: 4,001 * 2,654,435,761 modulo 4,294,967,291.
KEY_ASKED = 4_001 * 2_654_435_761 % 4_294_967_291
NATIVE = "native"
Cost = tuple[float, float]


def ask_native(query: str, made: Stored) -> pa.Table:
    """Ask the native tables."""
    told = query.format(s="", other="", key=KEY_ASKED)
    return made.native.cursor().execute(told).to_arrow_table()


def ask(query: str, storage: str, door: Platform) -> tuple[pa.Table, Movement]:
    """Ask a storage's products as a consumer does; its other one is the next storage."""
    names = list(SERVERS)
    other = names[(names.index(storage) + 1) % len(names)]
    told = query.format(s=f"{storage}.", other=f"{other}.", key=KEY_ASKED)
    with run_query(QueryRequest(sql=told, principal="ada", purpose="measurement"), door) as answer:
        return answer.table(), answer.movement


class Clock:
    """What a block costs: CPU seconds of this process and of Postgres, and seconds of the clock."""

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


def costs(made: Stored, repeats: int) -> dict[tuple[str, str], list[Cost]]:
    """What each query costs on each storage and on native tables (`native`), once for each repeat, after a first round."""
    door = made.door()
    found: dict[tuple[str, str], list[Cost]] = {(place, name): [] for place in (NATIVE, *SERVERS) for name in QUERIES}
    for number in range(repeats + 1):
        for name, query in QUERIES.items():
            for place in (NATIVE, *SERVERS):
                with Clock(made) as clock:
                    ask_native(query, made) if place == NATIVE else ask(query, place, door)
                if number:
                    found[place, name].append(clock.cost)
    return found


def ratios(found: Mapping[tuple[str, str], list[Cost]], storage: str) -> dict[str, Cost]:
    """Door ÷ native by query, in CPU and by the clock: medians over the rounds."""
    pairs = {name: list(zip(found[storage, name], found[NATIVE, name], strict=True)) for name in QUERIES}
    return {
        name: (
            statistics.median(door[0] / native[0] for door, native in each),
            statistics.median(door[1] / native[1] for door, native in each),
        )
        for name, each in pairs.items()
    }


def openings(made: Stored, repeats: int) -> dict[str, float]:
    """CPU milliseconds of a query that reads no row, by storage."""
    door = made.door()
    found: dict[str, list[float]] = {storage: [] for storage in SERVERS}
    for _ in range(repeats):
        for storage in SERVERS:
            with Clock(made) as asked:
                ask(OPENING.format(query=QUERIES["lookup"]), storage, door)
            found[storage].append(asked.cost[0] * 1000)
    return {storage: statistics.median(each) for storage, each in found.items()}


def movements(made: Stored) -> dict[str, dict[str, tuple[Movement, int]]]:
    """What each query moved, as told by the door and in counted bytes. Every answer must be the native one."""
    found: dict[str, dict[str, tuple[Movement, int]]] = {storage: {} for storage in SERVERS}
    with counted(made.postgres_socket) as postgres, counted(str(made.s3_port)) as s3:
        door = made.door(postgres_port=postgres.port, s3_port=s3.port)

        def moved() -> int:
            return postgres.bytes_sent() + s3.bytes_sent() + _read_bytes()

        for name, query in QUERIES.items():
            right = _rows(ask_native(query, made))
            for storage in SERVERS:
                before = moved()
                ask(OPENING.format(query=query), storage, door)
                opened = moved()
                answer, told = ask(query, storage, door)
                found[storage][name] = told, (moved() - opened) - (opened - before)
                if _rows(answer) != right:
                    raise AssertionError(f"{storage} answers '{name}' otherwise than native tables do")
    return found


def _read_bytes() -> int:
    """What this process has read from files so far, from the page cache too. Sockets do not count."""
    told = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    return int(told["rchar"])


def _rows(table: pa.Table) -> list[str]:
    return sorted(map(repr, table.to_pylist()))


def summary(storage: str, found: Mapping[str, Cost], moved: Mapping[str, tuple[Movement, int]]) -> dict[str, float]:
    """One storage's figures over all queries."""
    worst = max(found, key=lambda name: found[name][0])
    told = [movement for movement, _ in moved.values()]
    figures = {
        "ratio": statistics.geometric_mean(cpu for cpu, _ in found.values()),
        "wall_ratio": statistics.geometric_mean(wall for _, wall in found.values()),
        f"worst_{worst}": found[worst][0],
        "rows_read": sum(each.rows_read for each in told),
        "mb_read": sum(each.bytes_read for each in told) / MEGA,
        "mb_moved": sum(counted_bytes for _, counted_bytes in moved.values()) / MEGA,
        "rows_crossed": sum(each.rows_crossed for each in told),
        "mb_crossed": sum(each.bytes_crossed for each in told) / MEGA,
    }
    return {f"{storage}_{name}": value for name, value in figures.items()}


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--each", action="store_true", help="every query's figures too")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    os.environ["DAGSTER_DISABLE_TELEMETRY"] = "1"
    with tempfile.TemporaryDirectory() as folder, stored(Path(folder), asked.rows) as made:
        found, opened, moved = costs(made, asked.repeats), openings(made, asked.repeats), movements(made)
    native = {name: statistics.median(cpu for cpu, _ in found[NATIVE, name]) * 1000 for name in QUERIES}
    figures: dict[str, float] = {"rows": asked.rows, "native_cpu_ms": statistics.geometric_mean(native.values())}
    for storage in SERVERS:
        over = ratios(found, storage)
        figures |= summary(storage, over, moved[storage])
        figures[f"{storage}_opening_cpu_ms"] = opened[storage]
        if asked.each:
            figures |= {f"{storage}_{name}_ratio": cpu for name, (cpu, _) in over.items()}
            figures |= {
                f"{storage}_{name}_mb_moved": counted_bytes / MEGA
                for name, (_, counted_bytes) in moved[storage].items()
            }
    if asked.each:
        figures |= {f"native_{name}_cpu_ms": cpu for name, cpu in native.items()}
    return report(figures, {}, as_json=asked.json)


if __name__ == "__main__":
    sys.exit(main())
