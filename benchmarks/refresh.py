"""What the platform costs for each product: an in-process refresh of the whole scratch mesh against calling its functions bare;
and what each location costs a refresh across locations.

    python -m benchmarks.refresh [--products 40] [--locations 3] [--json]

CPU seconds of this process, interleaved, medians. Bare means: the same functions, their rows written with one COPY each.
Across locations: a webserver, a daemon and one long-lived code server per location; each location has one trivial product,
and nothing waits for another location. CPU seconds are those of all these processes and their run workers, less what they
spend idle in the same time.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import duckdb

from benchmarks.across import across_locations
from benchmarks.report import report
from benchmarks.scratch import make_mesh
from mesh_defs.authoring.folder import read_folder
from mesh_defs.query.mesh import open_mesh
from mesh_defs.refresh.in_process import refresh_in_process
from mesh_defs.settings import Settings, load_settings

OVERHEAD_CPU_SECONDS_MAX = 0.15

CONTRACT = """apiVersion: v3.1.0
kind: DataContract
id: urn:bench:{name}
version: 1.0.0
status: active
domain: bench
dataProduct: {name}
description: {{purpose: One row per person.}}
team: {{name: bench}}
servers: [{{server: local, environment: local, type: local, path: {name}, format: parquet}}]
schema:
  - name: {name}
    properties:
      - {{name: person_id, logicalType: integer, primaryKey: true,
         customProperties: [{{property: identifies, value: person}}]}}
      - {{name: region, logicalType: string, required: true}}
      - {{name: amount, logicalType: number, logicalTypeOptions: {{minimum: 0}}}}
customProperties: [{{property: granularity, value: audience}}{grain}]
"""
GRAIN = ", {property: grain, value: [person_id]}"
FIRST = """from mesh_defs import data_product


@data_product()
def {name}(connection):
    return connection.sql("SELECT i AS person_id, 'r' || (i % 4) AS region, i / 7.0 AS amount FROM range(1000) t(i)")
"""
NEXT = """from mesh_defs import data_product


@data_product("bench.{before}")
def {name}(before):
    return before.filter("amount >= 0")
"""


def scratch(root: Path, count: int) -> Settings:
    """A mesh of `count` products, in chains of ten."""
    files: dict[str, str] = {}
    for number in range(count):
        name, first = f"p{number}", number % 10 == 0
        files[f"contracts/{name}.odcs.yaml"] = CONTRACT.format(name=name, grain="" if first else GRAIN)
        made = FIRST.format(name=name) if first else NEXT.format(name=name, before=f"p{number - 1}")
        files[f"products/{name}.py"] = made
    make_mesh(root, {"bench": files})
    return load_settings({"MESH_ROOT": str(root)})


def through_the_platform(settings: Settings) -> Callable[[], None]:
    """`mesh refresh --in-process`, after the catalog has been built."""
    mesh = open_mesh(settings)

    def refresh() -> None:
        outcomes = refresh_in_process(settings, mesh)
        if any(outcome.state != "published" for outcome in outcomes):
            raise AssertionError("the benchmark must publish every product")

    return refresh


def bare(settings: Settings) -> Callable[[], None]:
    """The same functions in the same order, each result written by one COPY."""
    products = read_folder(settings.root / "domains" / "bench", root=settings.root).products
    ordered = sorted(products, key=lambda name: int(name.removeprefix("bench.p")))

    def call() -> None:
        written: dict[str, Path] = {}
        for name in ordered:
            made = products[name][1]
            with duckdb.connect() as connection:
                inputs = [connection.read_parquet(str(written[each])) for each in made.inputs]
                relation = made.function(*(inputs or [connection]))  # type: ignore[union-attr]
                written[name] = settings.home / f"bare_{name}.parquet"
                relation.write_parquet(str(written[name]))

    return call


def cpu_seconds(work: Callable[[], None]) -> float:
    """User and system time of this process while it works."""
    before = time.process_time()
    work()
    return time.process_time() - before


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--products", type=int, default=40)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--locations", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    os.environ["DAGSTER_DISABLE_TELEMETRY"] = "1"
    with tempfile.TemporaryDirectory() as temporary:
        settings = scratch(Path(temporary), asked.products)
        refresh = through_the_platform(settings)
        call = bare(settings)
        pairs = [(cpu_seconds(refresh), cpu_seconds(call)) for _ in range(asked.repeats + 1)][1:]
        across = across_locations(Path(temporary) / "across", asked.locations, repeats=asked.repeats)
    overhead = statistics.median((platform - alone) / asked.products for platform, alone in pairs)
    figures = {
        "products": asked.products,
        "platform_cpu_seconds": statistics.median(platform for platform, _ in pairs),
        "bare_cpu_seconds": statistics.median(alone for _, alone in pairs),
        "overhead_cpu_seconds_per_product": overhead,
        **across,
    }
    targets = {"overhead_cpu_seconds_per_product": {"at_most": OVERHEAD_CPU_SECONDS_MAX}}
    return report(figures, targets, as_json=asked.json)


if __name__ == "__main__":
    sys.exit(main())
