"""TPC-H's 22 queries over Iceberg products: DuckDB embedded and Trino, each through the door, and Trino without it.

    python -m benchmarks.engines [--sf 0.1] [--query 6] [--rounds 3] [--heap-mb 3000] [--json]

All figures are ÷ of seconds by the clock, geometric means of the queries' medians, interleaved, after a first round of each;
`_cpu` are the same in CPU seconds of all processes, both nodes of Trino's included. The target holds for both: what the door
adds is mostly waiting (its questions to Trino, to the catalog, to the ledger's disk), which CPU does not show, and the clock
tells little on a busy machine. `door_over_bare`: no rules, texts that were asked before; `new_door_over_bare`: texts that
neither has seen; `ruled_over_bare`: with a row rule and masks on each table, against bare without. `trino_over_duckdb`: both
through the door; below 1 Trino has taken over (`--sf` several times to see at which scale). All answers through the door are
equal to nine digits, bare ones to what Trino's own averages round.
"""

import argparse
import math
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa

from benchmarks.engines_mesh import Engines, engines
from benchmarks.report import Target, report
from mesh_defs.model.query import EngineName, QueryRequest
from mesh_defs.query.run import run_query

TARGETS: Mapping[str, Target] = {"door_over_bare": {"at_most": 1.10}, "door_over_bare_cpu": {"at_most": 1.10}}
# Trino's averages of decimals have as many decimals as these.
_ROUNDED = 0.0051
Cost = tuple[float, float]


def main() -> int:
    """Run, print, and return 1 when a target was missed: by the largest scale, where a question is no moment's work."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sf", type=float, action="append", help="Scale factor; more than once for the crossover.")
    parser.add_argument("--query", type=int, action="append", help="One of the 22; more than once for some of them.")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--heap-mb", type=int, default=3000)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    figures: dict[str, float] = {}
    for scale in sorted(given.sf or [0.1]):
        with (
            tempfile.TemporaryDirectory() as folder,
            engines(Path(folder), scale=scale, heap_megabytes=given.heap_mb) as made,
        ):
            asked = given.query or sorted(made.queries)
            found = _ratios({number: _costs(made, number, given.rounds) for number in asked})
        figures |= {f"sf{scale:g}_{name}": value for name, value in found.items()} | found
    return report(figures, TARGETS, as_json=given.json)


def ask(made: Engines, sql: str, engine: EngineName, who: str = "max") -> pa.Table:
    """One question through the door, to its last row."""
    request = QueryRequest(sql=sql, principal=who, purpose="measurement", engine=engine)
    return run_query(request, made.platform).table()


def _costs(made: Engines, number: int, rounds: int) -> dict[str, Cost]:
    """Median CPU and clock seconds of each way to ask one of the queries, after all gave the same answer."""
    query, bare = made.queries[number], made.bare[number]
    _require_equal(number, ask(made, query, "trino"), ask(made, query, "duckdb"), made.ask_bare(bare))
    _require_equal(number, ask(made, query, "trino", "ada"), ask(made, query, "duckdb", "ada"))
    ways: Mapping[str, Callable[[int], object]] = {
        "duckdb": lambda turn: ask(made, query, "duckdb"),
        "bare": lambda turn: made.ask_bare(bare),
        "door": lambda turn: ask(made, query, "trino"),
        "ruled": lambda turn: ask(made, query, "trino", "ada"),
        "new_bare": lambda turn: made.ask_bare(_new(bare, turn)),
        "new_door": lambda turn: ask(made, _new(query, turn), "trino"),
    }
    taken: dict[str, list[Cost]] = {name: [] for name in ways}
    for turn in range(rounds):
        for name in list(ways)[:: 1 if turn % 2 else -1]:
            before = made.cpu_seconds(), time.perf_counter()
            ways[name](turn)
            after = made.cpu_seconds(), time.perf_counter()
            taken[name].append((after[0] - before[0], after[1] - before[1]))
    costs = {name: _median(each) for name, each in taken.items()}
    told = ", ".join(f"{name} {cpu:.2f} {wall:.2f}" for name, (cpu, wall) in costs.items())
    sys.stderr.write(f"query {number}, seconds of CPU and of the clock: {told}\n")
    return costs


def _new(query: str, turn: int) -> str:
    """The same work, in words that were not said before."""
    return f"SELECT * FROM ({query}) AS asked LIMIT {1_000_000_000 + turn}"


def _median(costs: Iterable[Cost]) -> Cost:
    cpu, wall = zip(*costs, strict=True)
    return statistics.median(cpu), statistics.median(wall)


def _ratios(costs: Mapping[int, Mapping[str, Cost]]) -> dict[str, float]:
    pairs = {
        "door_over_bare": ("door", "bare"),
        "new_door_over_bare": ("new_door", "new_bare"),
        "ruled_over_bare": ("ruled", "bare"),
        "trino_over_duckdb": ("door", "duckdb"),
    }
    figures: dict[str, float] = {}
    for name, (one, other) in pairs.items():
        for kind, suffix in enumerate(("_cpu", "")):
            # CPU is counted in steps of 10 ms.
            figures[name + suffix] = _geometric(
                max(each[one][kind], 0.01) / max(each[other][kind], 0.01) for each in costs.values()
            )
    slowest = {number: each["door"][1] / each["duckdb"][1] for number, each in costs.items()}
    figures["queries_faster_on_trino"] = float(sum(ratio < 1 for ratio in slowest.values()))
    for way in ("duckdb", "bare", "door", "ruled"):
        figures[f"{way}_seconds"] = sum(each[way][1] for each in costs.values())
    figures["door_adds_ms"] = statistics.median(1000 * (each["door"][1] - each["bare"][1]) for each in costs.values())
    figures["new_door_adds_ms"] = statistics.median(
        1000 * (each["new_door"][1] - each["new_bare"][1]) for each in costs.values()
    )
    return figures


def _geometric(ratios: Iterable[float]) -> float:
    return math.exp(statistics.fmean(math.log(ratio) for ratio in ratios))


def _require_equal(number: int, trino: pa.Table, duckdb: pa.Table, bare: Sequence[Sequence[Any]] | None = None) -> None:
    one, other = _rows(trino), _rows(duckdb)
    if trino.schema != duckdb.schema or not _alike(one, other, 0.0):
        raise AssertionError(f"query {number} is answered otherwise by Trino than by DuckDB")
    if bare is not None and not _alike(other, [list(row) for row in bare], _ROUNDED):
        raise AssertionError(f"query {number} is answered otherwise by Trino without the door")


def _rows(table: pa.Table) -> list[list[Any]]:
    return [list(row.values()) for row in table.to_pylist()]


def _alike(one: Sequence[Sequence[Any]], other: Sequence[Sequence[Any]], within: float) -> bool:
    """Compare rows in any order; sums of floats differ in their last digits with the order of adding."""
    if len(one) != len(other):
        return False
    return all(
        len(row) == len(its) and all(_same(a, b, within) for a, b in zip(row, its, strict=True))
        for row, its in zip(sorted(one, key=_key), sorted(other, key=_key), strict=True)
    )


def _same(one: Any, other: Any, within: float) -> bool:
    if isinstance(one, int | float | Decimal) and isinstance(other, int | float | Decimal):
        return math.isclose(one, other, rel_tol=1e-9, abs_tol=within)
    return bool(one == other)


def _key(row: Sequence[Any]) -> tuple[list[str], list[float]]:
    numbers = [float(each) for each in row if isinstance(each, int | float | Decimal)]
    return [str(each) for each in row if not isinstance(each, int | float | Decimal)], numbers


if __name__ == "__main__":
    sys.exit(main())
