"""How every benchmark prints: one JSON object with figures, targets and what was missed; or the same in words."""

import json
import sys
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

Target = Mapping[str, float]


def report(
    figures: Mapping[str, float],
    targets: Mapping[str, Target],
    *,
    as_json: bool,
    said: Mapping[str, Any] = MappingProxyType({}),
) -> int:
    """Print the result; returns 1 when a target was missed. A target is {"at_most": x} or {"at_least": x}.

    `said` is what the JSON says besides.
    """
    left = missed(figures, targets)
    if as_json:
        sys.stdout.write(json.dumps({"figures": figures, "targets": targets, "missed": left, **said}) + "\n")
    else:
        write_words(figures, targets)
    return 1 if left else 0


def missed(figures: Mapping[str, float], targets: Mapping[str, Target]) -> list[str]:
    """Return the names of the targets that were missed."""
    return [name for name, target in targets.items() if not _met(figures[name], target)]


def write_words(figures: Mapping[str, float], targets: Mapping[str, Target]) -> None:
    """Print a line for each figure."""
    left = missed(figures, targets)
    for name, value in figures.items():
        wanted = "".join(f"  ({word.replace('_', ' ')} {limit:g})" for word, limit in targets.get(name, {}).items())
        sys.stdout.write(f"{name:<44} {value:>14,.3f}{wanted}{'  MISSED' if name in left else ''}\n")


def _met(value: float, target: Target) -> bool:
    return value <= target.get("at_most", float("inf")) and value >= target.get("at_least", float("-inf"))
