"""14 expectations on one table: quality_checks against SQL by hand, GX and its peers, each in processes of its own.

    python -m benchmarks.quality --rows 1_000_000 10_000_000 [--peers /path/to/peers/bin/python] [--only compiled …] [--json]

CPU seconds, user and system. In each round every engine runs once, in turn, in a fresh process that evaluates once cold
(with the import) and a few times warm; figures are medians over the rounds, ratios are taken within a round. All must give
the same verdicts. The peers are in no lock of ours: make their environment from benchmarks/quality-peers.txt by hand. What
was not measured is said, also by --json.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.quality_data import Data, rules
from benchmarks.report import report

OURS = ("by_hand", "compiled", "compiled_parquet", "gx_pandas")
PARTS = ("whole_table", "new_partition")
PEERS = ("gx_duckdb", "pandera", "pointblank", "soda")
ENGINES = (*OURS, *PARTS, *PEERS)
ROOT = Path(__file__).resolve().parent.parent

HAND_RATIO_MAX = 1.10
GX_RATIO_MIN = 3.0  # where the rows outweigh the start
GX_COLD_RATIO_MIN = 12.0  # where the start outweighs the rows
GX_MEMORY_RATIO_MAX = 1 / 3
PARTITION_RATIO_MAX = 0.10

Run = Mapping[str, Any]
Runs = Mapping[str, Sequence[Run]]


def main() -> int:
    """Measure and print; returns 1 when a target was missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000, 10_000_000])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=3, help="warm evaluations in each process")
    parser.add_argument("--only", nargs="+", choices=ENGINES, default=ENGINES)
    parser.add_argument("--peers", type=Path, help="the interpreter of the environment made from quality-peers.txt")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    if asked.peers and not asked.peers.is_file():
        parser.error(f"there is no interpreter {asked.peers}")
    measured = [name for name in ENGINES if name in asked.only and (asked.peers or name not in PEERS)]
    figures: dict[str, float] = {}
    targets: dict[str, dict[str, float]] = {}
    unsaid: dict[str, list[str]] = {}
    with tempfile.TemporaryDirectory() as temporary:
        for rows in sorted(asked.rows):
            data = Data.within(Path(temporary), rows)
            data.make()
            runs: dict[str, list[Run]] = {name: [] for name in measured}
            for at in range(asked.rounds):
                # To and fro, so that no engine always follows the same one.
                for name in measured if at % 2 == 0 else reversed(measured):
                    interpreter = str(asked.peers.absolute()) if name in PEERS else sys.executable
                    runs[name].append(_run(interpreter, name, Path(temporary), rows, asked.repeats))
                    unsaid |= _unsaid(name, runs[name][-1], rows)
            figures |= _figures(runs, rows)
            targets |= _targets(rows, largest=rows == max(asked.rows), smallest=rows == min(asked.rows))
    targets = {name: target for name, target in targets.items() if name in figures}
    absent = [name for name in ENGINES if name not in measured]
    said = {"not_measured": absent, "not_expressed": unsaid}
    code = report(figures, targets, as_json=asked.json, said=said)
    if not asked.json:
        for name, which in unsaid.items():
            sys.stdout.write(f"{name} has no words for: {', '.join(which)}\n")
        if absent:
            sys.stdout.write(f"NOT MEASURED: {', '.join(absent)} (see --peers and --only)\n")
    return code


def _run(interpreter: str, engine: str, folder: Path, rows: int, repeats: int) -> Run:
    command = [interpreter, "-W", "ignore", "-m", "benchmarks.quality_once", engine, str(folder)]
    command += ["--rows", str(rows), "--repeats", str(repeats)]
    environment = {**os.environ, "GX_ANALYTICS_ENABLED": "false", "SODA_CORE_TELEMETRY_ENABLED": "false"}
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment)
    if done.returncode:
        raise SystemExit(f"{engine} failed at {rows} rows:\n{done.stderr}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


def _unsaid(name: str, run: Run, rows: int) -> dict[str, list[str]]:
    """Return the rules that an engine did not judge; those that it did, it must have judged as the table is made."""
    wanted = {rule.name: rule.holds for rule in rules(rows)}
    wrong = [rule for rule, verdict in run["verdicts"].items() if wanted.get(rule) is not verdict]
    if wrong:
        raise SystemExit(f"{name} does not give the others' verdict on {', '.join(wrong)} at {rows} rows")
    left = [rule for rule in wanted if rule not in run["verdicts"]]
    return {name: left} if left else {}


def _figures(runs: Runs, rows: int) -> dict[str, float]:
    found: dict[str, float] = {}
    ratios: list[tuple[tuple[str, str], Callable[[Run], float], str]] = [
        (("compiled", "by_hand"), _warm, "compiled_over_by_hand_cpu"),
        (("compiled_parquet", "by_hand"), _warm, "compiled_parquet_over_by_hand_cpu"),
        *(((peer, "compiled"), _warm, f"{peer}_over_compiled_cpu") for peer in ("gx_pandas", *PEERS)),
        *(((peer, "compiled"), _cold, f"{peer}_over_compiled_cold_cpu") for peer in ("gx_pandas", *PEERS)),
        (("compiled", "gx_pandas"), _peak, "compiled_over_gx_pandas_peak_memory"),
        (("new_partition", "whole_table"), _warm, "new_partition_over_whole_table_cpu"),
    ]
    for name, rounds in runs.items():
        warm = [statistics.median(run["warm_cpu_seconds"]) for run in rounds]
        found[f"{name}_cpu_seconds_at_{rows}"] = statistics.median(warm)
        found[f"{name}_cpu_seconds_least_at_{rows}"] = min(min(run["warm_cpu_seconds"]) for run in rounds)
        found[f"{name}_cpu_seconds_most_at_{rows}"] = max(max(run["warm_cpu_seconds"]) for run in rounds)
        for taken in ("import_cpu_seconds", "cold_cpu_seconds", "peak_mb", "peak_over_import_mb"):
            found[f"{name}_{taken}_at_{rows}"] = statistics.median(run[taken] for run in rounds)
    for (one, other), measure, figure in ratios:
        if one in runs and other in runs:
            pairs = zip(runs[one], runs[other], strict=True)
            found[f"{figure}_at_{rows}"] = statistics.median(measure(a) / measure(b) for a, b in pairs)
    return found


def _warm(run: Run) -> float:
    return float(statistics.median(run["warm_cpu_seconds"]))


def _cold(run: Run) -> float:
    return float(run["cold_cpu_seconds"])


def _peak(run: Run) -> float:
    """Over what the import takes: what the rows cost."""
    return float(run["peak_over_import_mb"])


def _targets(rows: int, *, largest: bool, smallest: bool) -> dict[str, dict[str, float]]:
    """Ours against SQL by hand at every size; against GX and against the whole where each is meant to tell."""
    targets = {"compiled_over_by_hand_cpu": {"at_most": HAND_RATIO_MAX}}
    if smallest:
        targets["gx_pandas_over_compiled_cold_cpu"] = {"at_least": GX_COLD_RATIO_MIN}
    if largest:
        targets |= {
            "gx_pandas_over_compiled_cpu": {"at_least": GX_RATIO_MIN},
            "compiled_over_gx_pandas_peak_memory": {"at_most": GX_MEMORY_RATIO_MAX},
            "new_partition_over_whole_table_cpu": {"at_most": PARTITION_RATIO_MAX},
        }
    return {f"{name}_at_{rows}": target for name, target in targets.items()}


if __name__ == "__main__":
    sys.exit(main())
