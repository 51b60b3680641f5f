"""What a command costs from a cold start: CPU seconds of the process, as a person at a terminal pays them.

python -m benchmarks.commands [--json]        needs the demo's state (`make demo`)
"""

import argparse
import resource
import statistics
import subprocess
import sys

from benchmarks.report import report

READ_CPU_SECONDS_MAX = 0.5
QUERY_CPU_SECONDS_MAX = 1.5
COMMANDS = {
    "products_cpu_seconds": ("products", "--json"),
    "show_cpu_seconds": ("show", "events.impressions", "--json"),
    "lineage_cpu_seconds": ("lineage", "events.daily_reach", "--json"),
    "query_cpu_seconds": (
        "query",
        "SELECT region, sum(impressions) AS n FROM events.daily_reach GROUP BY region",
        "--as",
        "ada",
        "--purpose",
        "measurement",
    ),
}


def cpu_seconds(command: tuple[str, ...]) -> float:
    """User and system time of one fresh process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-m", "mesh_defs.cli.main", *command], check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    runs = [{name: cpu_seconds(command) for name, command in COMMANDS.items()} for _ in range(asked.repeats + 1)][1:]
    figures = {name: statistics.median(run[name] for run in runs) for name in COMMANDS}
    limits = {name: QUERY_CPU_SECONDS_MAX if name.startswith("query") else READ_CPU_SECONDS_MAX for name in COMMANDS}
    return report(figures, {name: {"at_most": limit} for name, limit in limits.items()}, as_json=asked.json)


if __name__ == "__main__":
    sys.exit(main())
