"""`python -m tests.conformance [--full] [--seed N] [--json]`: the same rows for the same person, on whichever way.

Exit code 0 only when no answer differs. What one side refuses is listed with its reason, and not counted as equal.
"""

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.conformance.compare import SIDES, Report, compare
from tests.conformance.stage import staged
from tests.servers import tcp_server
from tests.trino_server import machine_here, plain

SHORT, FULL = {"rows": 24, "drawn": 6, "sample": 12}, {"rows": 120, "drawn": 60, "sample": None}


def table(told: Mapping[str, Any]) -> str:
    """The report for people."""
    kinds = ("equal", "refused", "denied", "different")
    lines = [f"{'':8}" + "".join(f"{kind:>11}" for kind in kinds)]
    lines += [f"{side:8}" + "".join(f"{told[side].get(kind, 0):>11}" for kind in kinds) for side in SIDES]
    lines += ["", "refused, with the reason:", *(f"{count:6}  {why}" for why, count in told["refused"].items())]
    lines += (
        ["", "DIFFERENT:", *(f"  {name}: {why}" for name, why in told["different"].items())]
        if told["different"]
        else []
    )
    return "\n".join(
        [*lines, f"{'FAILED' if told['different'] else 'passed'} in {told['seconds']} s, seed {told['seed']}"]
    )


def report(seed: int, size: Mapping[str, Any], only: Sequence[str] = ()) -> dict[str, Any]:
    """Publish, ask, compare. Progress goes to stderr."""
    begun, made = time.monotonic(), Report()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="conformance-", ignore_cleanup_errors=True)))
        machine = machine_here(folder / "nodes")
        (folder / "door").mkdir()
        door = stack.enter_context(plain(folder / "door", machine_here(folder / "door-nodes")))
        postgres = stack.enter_context(tcp_server())
        stage = stack.enter_context(staged(folder, machine, door, postgres, seed=seed, **size))
        for each in compare(stage, only):
            made.each.append(each)
            if each.kept == "different":
                print(f"{each.name} on {each.side}: {each.why}", file=sys.stderr)
            if len(made.each) % 100 == 0:
                print(f"{len(made.each)} compared, {time.monotonic() - begun:.0f} s", file=sys.stderr)
    return {**made.told(), "seed": seed, "seconds": round(time.monotonic() - begun, 1)}


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, compare, print."""
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description=__doc__.partition("\n")[0])
    parser.add_argument("--full", action="store_true", help="more rows, every shape, and more with drawn rules")
    parser.add_argument("--seed", type=int, default=20261128, help="what values and rules are drawn from")
    parser.add_argument("--only", nargs="+", default=[], metavar="ID", help="shapes")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    given = parser.parse_args(arguments)
    told = report(given.seed, FULL if given.full else SHORT, given.only)
    print(json.dumps(told, ensure_ascii=False) if given.json else table(told))
    return 1 if told["different"] else 0


if __name__ == "__main__":
    sys.exit(main())
