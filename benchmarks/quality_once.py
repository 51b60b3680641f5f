"""One engine in a process of its own, for benchmarks.quality: prints its CPU seconds, peak memory and verdicts as JSON.

Runs in this project's interpreter or in that of the peers, and so imports nothing but the engine that is asked for.
"""

import argparse
import json
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.quality_data import Data, rules

_HOMES = ("benchmarks.quality_engines", "benchmarks.quality_peers", "benchmarks.quality_parts")


def main() -> int:
    """Make ready, evaluate once cold and `--repeats` times warm."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("engine")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=int, required=True)
    parser.add_argument("--repeats", type=int, default=3)
    asked = parser.parse_args()
    data = Data.within(asked.folder, asked.rows)
    engine = next(m.ENGINES[asked.engine] for m in map(import_module, _HOMES) if asked.engine in m.ENGINES)
    evaluate = engine(data, rules(asked.rows))
    ready, resident = time.process_time(), _memory_mb("VmRSS")
    verdicts = evaluate()
    cold = time.process_time()
    warm = [_cpu_seconds(evaluate) for _ in range(asked.repeats)]
    found = {
        "import_cpu_seconds": ready,
        "cold_cpu_seconds": cold,
        "warm_cpu_seconds": warm,
        "peak_mb": _memory_mb("VmHWM"),
        "peak_over_import_mb": _memory_mb("VmHWM") - resident,
        "verdicts": verdicts,
    }
    sys.stdout.write(json.dumps(found) + "\n")
    return 0


def _cpu_seconds(evaluate: Any) -> float:
    """User and system time of this process, all threads, while it evaluates."""
    before = time.process_time()
    evaluate()
    return time.process_time() - before


def _memory_mb(name: str) -> float:
    """Of this process alone: ru_maxrss would include the parent that forked it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) / 1024


if __name__ == "__main__":
    sys.exit(main())
