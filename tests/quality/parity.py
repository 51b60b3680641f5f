"""Compiled verdicts and counts against GX's own, on random suites over random tables.

`python -m tests.quality.parity --suites 500 [--seed N] [--json]` exits with 1 when a difference is no decision, or when
a compiled type was hardly exercised. One batch of GX per table judges all of a suite's expectations.
"""

import argparse
import json
import math
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import duckdb

from quality_checks import Expectation, Result, evaluate
from quality_checks.gx_names import GX_TYPES
from quality_checks.registry import TYPES
from tests.quality import by_gx
from tests.quality.decisions import decision_on
from tests.quality.rules import MAKERS, NOT_COMPARABLE, OF_DATABASES, random_rule
from tests.quality.tables import COLUMNS, Row, fill, random_rows

RULES_PER_SUITE = 20
EXAMPLES_MAX = 3
COUNTS = ("element_count", "missing_count", "unexpected_count", "unexpected_percent")
TABLES = {"twin": "t", "other": "other"}


@dataclass(slots=True, kw_only=True)
class Tally:
    """What became of one type's expectations."""

    same: int = 0
    met: int = 0
    failed: int = 0
    gx_raised: int = 0
    neither: int = 0
    fell_back: int = 0
    decided: Counter[str] = field(default_factory=Counter)
    differ: list[dict[str, Any]] = field(default_factory=list)

    @property
    def compared(self) -> int:
        """How often both sides judged, or only one could."""
        return self.same + sum(self.decided.values()) + len(self.differ)


def comparable_types() -> list[str]:
    """Return the compiled types that GX can judge too, sorted."""
    return sorted(type for type in TYPES if type in GX_TYPES and type not in NOT_COMPARABLE)


def run(suites: int, seed: int, types: Sequence[str] | None = None) -> dict[str, Tally]:
    """Compare random suites; the same seed gives the same ones."""
    random = Random(seed)
    tallies: dict[str, Tally] = defaultdict(Tally)
    deck = _deck(random, types or [type for type in comparable_types() if type in MAKERS])
    with tempfile.TemporaryDirectory() as folder, duckdb.connect(config={"threads": 1}) as connection:
        for _ in range(suites):
            rows, others = random_rows(random), random_rows(random)
            rules = [random_rule(random, next(deck), rows) for _ in range(RULES_PER_SUITE)]
            fill(connection, rows)
            fill(connection, others, "other")
            ours = evaluate(connection, "t", rules, tables=TABLES)
            tables = {"t": rows, "twin": rows, "other": others}
            for rule, mine, gxs in zip(rules, ours, _by_gx(connection, Path(folder), tables, rules), strict=True):
                _compare(tallies[rule.type], rule, mine, gxs, rows)
    return dict(tallies)


def _deck(random: Random, types: Sequence[str]) -> Iterator[str]:
    """Deal every type equally often, in random order."""
    while True:
        yield from random.sample(types, len(types))


def _by_gx(
    connection: duckdb.DuckDBPyConnection, folder: Path, tables: dict[str, list[Row]], rules: Sequence[Expectation]
) -> list[Result]:
    of_databases = [rule for rule in rules if rule.type in OF_DATABASES]
    others = [rule for rule in rules if rule.type not in OF_DATABASES]
    by_pandas = iter(by_gx.on_pandas(connection, "t", others))
    by_sqlite = iter(by_gx.on_sqlite(folder / "t.sqlite", tables, of_databases) if of_databases else [])
    return [next(by_sqlite if rule.type in OF_DATABASES else by_pandas) for rule in rules]


def _compare(tally: Tally, rule: Expectation, ours: Result, gxs: Result, rows: Sequence[Row]) -> None:
    if ours.engine != "compiled":
        tally.fell_back += 1
        return
    if gxs.error is not None and ours.error is not None:
        tally.neither += 1
        return
    if gxs.error is not None and "GX raised" in gxs.error:
        tally.gx_raised += 1
        return
    unlike = differences(ours, gxs)
    if not unlike:
        tally.same += 1
        tally.met += ours.success
        tally.failed += not ours.success
    elif decision := decision_on(rule, ours, gxs):
        tally.decided[decision] += 1
    else:
        tally.differ.append(_example(rule, ours, gxs, unlike, rows))


def differences(ours: Result, gxs: Result) -> list[str]:
    """Return the names of what is not the same: the verdict, a count, or an aggregate that both report."""
    unlike = [] if ours.success is gxs.success and (ours.error is None) is (gxs.error is None) else ["success"]
    unlike += [name for name in COUNTS if not _equal(getattr(ours, name), getattr(gxs, name))]
    mine, theirs = _observed(ours.observed_value), _observed(gxs.observed_value)
    if mine is not None and theirs is not None and not _equal(mine, theirs):
        unlike.append("observed_value")
    return unlike


def _observed(value: Any) -> Any:
    """Return an aggregate, or a list of them, when all are numbers; else None: GX and we write them each our way."""
    if isinstance(value, list):
        return value if value and None not in map(_observed, value) else None
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if is_number and math.isfinite(value) else None


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_equal, one, other))
    if isinstance(one, float) or isinstance(other, float):
        # Sums of floats differ in their last digits with the order of adding.
        return one is not None and other is not None and math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-12)
    return bool(one == other)


def _example(rule: Expectation, ours: Result, gxs: Result, unlike: list[str], rows: Sequence[Row]) -> dict[str, Any]:
    text = json.dumps(dict(rule.kwargs), default=str)
    named = [name for name in COLUMNS if f'"{name}"' in text or f"{name} " in text] or ["i"]
    places = [list(COLUMNS).index(name) for name in named]
    return {
        "kwargs": dict(rule.kwargs),
        "unlike": {name: [getattr(ours, name), getattr(gxs, name)] for name in unlike},
        "errors": [ours.error, gxs.error],
        "columns": named,
        "rows": [[row[place] for place in places] for row in rows],
    }


def complaints(tallies: dict[str, Tally], minimum: int) -> list[str]:
    """Return what keeps the comparison from being a proof."""
    found = [f"{type}: {len(tally.differ)} differ" for type, tally in tallies.items() if tally.differ]
    for type in comparable_types():
        compared = tallies[type].compared if type in tallies else 0
        if compared < minimum:
            found.append(f"{type}: compared {compared} times, wanted {minimum}")
    return found


def minimum_of(suites: int) -> int:
    """Return how often each type is to be compared: half of its share of the suites, the rest falls back or raises."""
    return suites * RULES_PER_SUITE // len(MAKERS) // 2


def _report(tallies: dict[str, Tally]) -> Iterator[str]:
    heads = (
        f"{'same':>6}{'met':>6}{'failed':>7}{'GX raised':>10}{'neither':>8}{'fell back':>10}{'decided':>8}{'differ':>7}"
    )
    yield f"{'type':62}{heads}"
    for type, each in sorted(tallies.items()):
        numbers = f"{each.same:6}{each.met:6}{each.failed:7}{each.gx_raised:10}{each.neither:8}{each.fell_back:10}"
        yield f"{type:62}{numbers}{sum(each.decided.values()):8}{len(each.differ):7}"
    for decision, count in sum((each.decided for each in tallies.values()), Counter[str]()).items():
        yield f"decided: {decision} ({count})"
    for type, each in sorted(tallies.items()):
        for example in sorted(each.differ, key=lambda found: len(found["rows"]))[:EXAMPLES_MAX]:
            yield f"DIFFERS {type}: {json.dumps(example, default=str, ensure_ascii=False)}"


def _as_json(tallies: dict[str, Tally], found: list[str], seed: int) -> str:
    types = {
        type: {
            **{name: getattr(each, name) for name in ("same", "met", "failed", "gx_raised", "neither", "fell_back")},
            "decided": dict(each.decided),
            "differ": len(each.differ),
            "examples": each.differ[:EXAMPLES_MAX],
        }
        for type, each in sorted(tallies.items())
    }
    return json.dumps({"seed": seed, "types": types, "complaints": found}, default=str, indent=1, ensure_ascii=False)


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare, print, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--suites", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="print everything as JSON")
    parser.add_argument("--type", action="append", help="only this type; may be repeated")
    given = parser.parse_args(arguments)
    tallies = run(given.suites, given.seed, given.type)
    found = complaints(tallies, 0 if given.type else minimum_of(given.suites))
    print(_as_json(tallies, found, given.seed) if given.json else "\n".join([*_report(tallies), *found]))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
