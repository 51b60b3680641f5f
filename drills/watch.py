"""Readers that poll while a drill strikes, and the judgement of what they saw. The reading itself is `drills.reader`'s."""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from drills.drill import HANGS_AFTER_SECONDS, LostError, require
from drills.ground import Place


@dataclass
class Seen:
    """What the readers saw, all together, once the watch is over."""

    reads: int = 0
    unanswered: int = 0
    generations: int = 0
    wrong: list[str] = field(default_factory=list)


@contextmanager
def watching(
    *,
    place: Place | None = None,
    root: object = None,
    products: Sequence[str] = (),
    readers: int = 1,
    may_fail: bool = False,
    rows_min: int | None = None,
) -> Iterator[Seen]:
    """Poll a place, or products through the door, until the block ends; raises LostError for a wrong answer then."""
    told: dict[str, Any] = {"may_fail": may_fail}
    told |= {"place": place.told()} if place else {"root": str(root), "products": list(products)}
    told |= {} if rows_min is None else {"rows_min": rows_min}
    command = [sys.executable, "-m", "drills.reader", json.dumps(told)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    processes: list[subprocess.Popen[str]] = [subprocess.Popen(command, **pipes) for _ in range(readers)]  # type: ignore[call-overload]
    seen = Seen()
    try:
        for process in processes:
            if process.stdout and process.stdout.readline() != "reading\n":
                raise LostError(f"a reader ended: {_last_words(process)}")
        yield seen
        for process in processes:
            _add(seen, process)
    finally:
        for process in processes:
            process.kill()
            process.wait()
    require(not seen.wrong, f"{len(seen.wrong)} wrong answers, the first: {(seen.wrong or [''])[0]}")


def _add(seen: Seen, process: "subprocess.Popen[str]") -> None:
    out, error = process.communicate("over\n", timeout=HANGS_AFTER_SECONDS)
    require(process.returncode == 0, f"a reader ended: {error[-500:]}")
    told = json.loads(out.splitlines()[-1])
    seen.reads += told["reads"]
    seen.unanswered += told["unanswered"]
    seen.generations += told["generations"]
    seen.wrong += told["wrong"]


def _last_words(process: "subprocess.Popen[str]") -> str:
    process.kill()
    return process.communicate()[1][-500:]
