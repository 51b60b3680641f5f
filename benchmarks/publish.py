"""Write-audit-publish of 7 rules against a bare DuckDB COPY plus the same rules as hand-written SQL, in one process.

    python -m benchmarks.publish --rows 10_000_000 [--json]

CPU seconds, the two interleaved, medians. Memory: peak of a fresh process that publishes, with half and with five times the rows.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType

import duckdb

from benchmarks.report import report
from benchmarks.scratch import make_mesh
from mesh_defs.authoring.folder import read_folder
from mesh_defs.authoring.inputs import StepInputs
from mesh_defs.authoring.publish import write_audit_publish
from mesh_defs.model.contract import Server
from mesh_defs.model.place import Access
from mesh_defs.storage.open import storage_at
from mesh_defs.upkeep.erased import ErasedKeys

RATIO_MAX = 1.10
# Beyond MEMORY_LIMIT DuckDB spills: of tenfold rows, both more than the limit holds, memory must see next to nothing.
MEMORY_RATIO_MAX = 2.0
MEMORY_LIMIT = "400MB"

CONTRACT = """apiVersion: v3.1.0
kind: DataContract
id: urn:bench
version: 1.0.0
status: active
domain: bench
dataProduct: impressions
description: {purpose: One row per impression.}
team: {name: bench}
servers: [{server: local, environment: local, type: local, path: impressions, format: parquet}]
schema:
  - name: impressions
    properties:
      - {name: impression_id, logicalType: integer, required: true, unique: true}
      - {name: occurred_at, logicalType: timestamp, required: true,
         customProperties: [{property: identifies, value: event_time}]}
      - {name: region, logicalType: string}
      - {name: code, logicalType: string, logicalTypeOptions: {pattern: '^c[0-9]+$'}}
      - {name: cost, logicalType: number, logicalTypeOptions: {minimum: 0, maximum: 100}}
    quality:
      - {name: known_region, type: custom, engine: greatExpectations,
         implementation: {type: expect_column_values_to_be_in_set,
                          kwargs: {column: region, value_set: [north, south, east, west]}}}
      - {name: enough, type: custom, engine: greatExpectations,
         implementation: {type: expect_table_row_count_to_be_between, kwargs: {min_value: 1}}}
customProperties: [{property: granularity, value: event}]
"""
PRODUCT = """from mesh_defs import data_product


@data_product()
def impressions(connection):
    return connection.sql("SELECT * FROM read_parquet('{source}')")
"""
# The same seven rules as somebody would write them who knows DuckDB: one scan, and one query for the distinct count.
BY_HAND = (
    """SELECT count(*), count(impression_id), count(occurred_at),
    count(*) FILTER (region NOT IN ('north', 'south', 'east', 'west')),
    count(*) FILTER (NOT regexp_matches(code, '^c[0-9]+$')),
    count(*) FILTER (cost < 0 OR cost > 100) FROM read_parquet('{made}')""",
    "SELECT count(DISTINCT impression_id) FROM read_parquet('{made}')",
)


def make_source(path: Path, rows: int) -> None:
    """Scattered ids, so that uniqueness is proved by hashing, the dearer of the two ways that quality_checks knows."""
    duckdb.execute(f"""COPY (
        SELECT (i * 2654435761) % 1152921504606846883 AS impression_id, TIMESTAMP '2026-01-01' + to_seconds(i) AS occurred_at,
            ['north', 'south', 'east', 'west'][1 + i % 4] AS region, 'c' || (i % 5000) AS code, (i % 1000) / 10.0 AS cost
        FROM range({rows}) t(i)) TO '{path}' (FORMAT parquet)""")


def connect(folder: Path) -> duckdb.DuckDBPyConnection:
    """A step's connection, with a limit that the data outgrows."""
    return duckdb.connect(":memory:", config={"memory_limit": MEMORY_LIMIT, "temp_directory": str(folder / "spill")})


def publisher(root: Path, source: Path) -> Callable[[], None]:
    """The platform's way: everything that a step does between its connection and its event."""
    files = {"contracts/impressions.odcs.yaml": CONTRACT, "products/impressions.py": PRODUCT.format(source=source)}
    declared = read_folder(make_mesh(root, {"bench": files}) / "domains" / "bench", root=root)
    contract, made = declared.products["bench.impressions"]
    access = Access(root=root / "storage")
    server = Server(environment="local", kind="parquet", place="impressions")

    def publish() -> None:
        with connect(root) as connection:
            inputs = StepInputs(
                folder=declared,
                contract=contract,
                made=made,
                connection=connection,
                own_storage=lambda name: storage_at(server, access),
                own_access=access,
                door=_no_door,
                erased=ErasedKeys(salt=""),
            )
            audited = write_audit_publish(
                inputs,
                storage_at(server, access),
                MappingProxyType({"connection": connection}),
                now=lambda: datetime.now(UTC),
                retention_seconds=0,
            )
            if audited.published is None or len(audited.results) != 7:
                raise AssertionError("the benchmark must publish, with seven rules")

    return publish


def bare(root: Path, source: Path) -> Callable[[], None]:
    """COPY, and the same rules by hand."""

    def copy() -> None:
        made = root / "bare.parquet"
        with connect(root) as connection:
            connection.execute(f"COPY (SELECT * FROM read_parquet('{source}')) TO '{made}' (FORMAT parquet)")
            for sql in BY_HAND:
                connection.execute(sql.format(made=made)).fetchall()

    return copy


def cpu_seconds(work: Callable[[], None]) -> float:
    """User and system time of this process while it works."""
    before = time.process_time()
    work()
    return time.process_time() - before


def peak_rss_mb(rows: int, folder: Path) -> float:
    """Peak memory of a process that only publishes."""
    source = folder / f"{rows}.parquet"
    make_source(source, rows)
    command = [sys.executable, "-m", "benchmarks.publish", "--publish-once", str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(done.stdout)


def high_water_mb() -> float:
    """Peak memory of this process alone: ru_maxrss would include the parent that forked it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def _no_door() -> object:
    raise AssertionError("this product has no inputs")


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--publish-once", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        root, source = Path(temporary) / "mesh", asked.publish_once or Path(temporary) / "source.parquet"
        publish = publisher(root, source)
        if asked.publish_once:
            publish()
            sys.stdout.write(f"{high_water_mb()}\n")
            return 0
        make_source(source, asked.rows)
        copy = bare(root, source)
        pairs = [(cpu_seconds(publish), cpu_seconds(copy)) for _ in range(asked.repeats + 1)][1:]
        small, large = (peak_rss_mb(rows, Path(temporary)) for rows in (asked.rows // 2, asked.rows * 5))
    figures = {
        "rows": asked.rows,
        "publish_cpu_seconds": statistics.median(p for p, _ in pairs),
        "bare_cpu_seconds": statistics.median(b for _, b in pairs),
        "publish_over_bare_cpu": statistics.median(p / b for p, b in pairs),
        "peak_mb_at_half_the_rows": small,
        "peak_mb_at_five_times_the_rows": large,
        "memory_growth_at_tenfold_rows": large / small,
    }
    targets = {
        "publish_over_bare_cpu": {"at_most": RATIO_MAX},
        "memory_growth_at_tenfold_rows": {"at_most": MEMORY_RATIO_MAX},
    }
    return report(figures, targets, as_json=asked.json)


if __name__ == "__main__":
    sys.exit(main())
