"""Non-interference: random SELECTs on meshes that differ only in what ana may not see must come to the same outcome.

    python -m tests.redteam.fuzz --queries 1000 --seed 1 [--storage KIND] [--json]

The same: rows (as a multiset, floats within rounding), names of columns, or a refusal's code and words. An answer must also
be that of plain DuckDB over the permitted rows alone. Exit code 1 when anything differs, or when so little was answered that
nothing was tried.
"""

import argparse
import json
import re
import secrets
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from drills.ground import Ground
from tests.redteam.door import Door, Ears, Outcome, listening
from tests.redteam.fixture import make_fixture
from tests.redteam.fuzz_world import MUTATIONS, fuzz_world
from tests.redteam.grammar import Grammar
from tests.redteam.reference import NO_ANSWER, Reference, reference_for, same_rows
from tests.redteam.storages import KINDS
from tests.redteam.verdict import LIMITED

ANSWERED_MIN = 0.3
UNDECIDED_MAX = 0.02
# A failing expression of a visible row may be reached or not, by the side from which a join begins: that is chosen by size.
PLAN_DEPENDENT_MAX = 0.002
EXAMPLES_MAX = 20
# Answered by the platform in a form of its own.
_VERSION = re.compile(r"version \S+ of [\d-]+ [\d:]+ UTC|version \S+")
_OURS = ("EXPLAIN", "DESCRIBE", "SUMMARIZE")


@dataclass(frozen=True, kw_only=True)
class Sides:
    """The base mesh, its mutants by name, and what the base must agree with."""

    base: Door
    mutants: Mapping[str, Door]
    reference: Reference


@dataclass(kw_only=True)
class Report:
    """What became of the queries. `undecided`: a limit of time or memory ended one side.

    `plan_dependent`: answered or failed by the plan, where permitted rows alone do so too. No value of a hidden row can
    be read from that; how many there are may weigh in. Counted apart, and complained of when it is not rare.
    """

    outcomes: Counter[str] = field(default_factory=Counter)
    differ: list[dict[str, str]] = field(default_factory=list)
    unlike_reference: list[dict[str, str]] = field(default_factory=list)
    plan_dependent: list[dict[str, str]] = field(default_factory=list)
    undecided: int = 0
    seconds: float = 0.0

    @property
    def queries(self) -> int:
        return self.outcomes.total()

    @property
    def complaints(self) -> list[str]:
        """What keeps this run from being a proof of anything; empty when nothing does."""
        found = [f"{len(self.differ)} outcomes depend on what is hidden"] if self.differ else []
        found += [f"{len(self.unlike_reference)} are not what the permitted rows give"] if self.unlike_reference else []
        if len(self.plan_dependent) > PLAN_DEPENDENT_MAX * self.queries + 1:
            found.append(f"{len(self.plan_dependent)} were answered or failed by the plan: too many")
        if self.outcomes["answered"] < ANSWERED_MIN * self.queries:
            found.append(f"only {self.outcomes['answered']} of {self.queries} were answered: too little was tried")
        if self.undecided > UNDECIDED_MAX * self.queries + 1:
            found.append(f"{self.undecided} ended at a limit: too much was left open")
        return found


@contextmanager
def sides(kind: str, mutations: Sequence[str] = tuple(MUTATIONS), ears: Ears | None = None) -> Iterator[Sides]:
    """Publish the base and its mutants in storages of this kind; some 5 s for each."""
    ground, keys = Ground(), {"email": secrets.token_hex(32)}
    with ground.exits, TemporaryDirectory(prefix="fuzz-", ignore_cleanup_errors=True) as folder:
        worlds = {"base": fuzz_world(), **{name: fuzz_world(MUTATIONS[name]) for name in mutations}}
        made = {
            name: make_fixture(Path(folder) / f"mesh-{number}", kind, ground, world, keys=keys)
            for number, (name, world) in enumerate(worlds.items())
        }
        doors = {name: Door(platform=fixture.open(), ears=ears) for name, fixture in made.items()}
        base = doors.pop("base")
        yield Sides(base=base, mutants=doors, reference=reference_for(made["base"].world, base))


def fuzz(sides: Sides, queries: int, seed: int, say: Callable[[str], None] = lambda line: None) -> Report:
    """Ask; each query goes to the base and to one of its mutants in turn."""
    grammar, report, begun = Grammar(random=Random(seed)), Report(), time.monotonic()
    names = list(sides.mutants)
    for number in range(queries):
        sql, name = grammar.query(), names[number % len(names)]
        before = len(report.differ)
        compare(sql, name, sides, report)
        if len(report.differ) > before:
            say(f"{name}: {report.differ[-1]['what']}\n  {sql}")
        if (number + 1) % 500 == 0:
            say(f"{number + 1} of {queries}, {time.monotonic() - begun:.0f} s, {len(report.differ)} differ")
    report.seconds = time.monotonic() - begun
    return report


def compare(sql: str, mutant: str, sides: Sides, report: Report) -> None:
    """Ask one query of the base, a mutant and the reference, and note what differs."""
    one, other = sides.base.ask(sql), sides.mutants[mutant].ask(sql)
    report.outcomes["answered" if one.answered else one.error or ""] += 1
    if any(outcome.cut or LIMITED.search(outcome.told) for outcome in (one, other)):
        report.undecided += 1
        return
    if sql.startswith("EXPLAIN"):  # it names versions, which are two
        one, other = (replace(each, rows=_unversioned(each.rows)) for each in (one, other))
    if what := difference(one, other):
        by_plan = {one.error, other.error} == {None, "engine"} and not sides.reference.answers(sql)
        kept = report.plan_dependent if by_plan else report.differ
        kept.append({"sql": sql, "mutant": mutant, "what": what})
    if what := _unlike_reference(sql, one, sides.reference):
        report.unlike_reference.append({"sql": sql, "what": what})


def difference(one: Outcome, other: Outcome) -> str | None:
    """How two outcomes of one question differ; None when nobody can tell them apart."""
    if one.error != other.error:
        return f"{one.error or 'answered'} and {other.error or 'answered'} ({(one.told or other.told)[:200]})"
    if one.texts[:-1] != other.texts[:-1]:  # the last is the traceback
        return f"{one.told[:200]!r} and {other.told[:200]!r}"
    if one.columns != other.columns:
        return f"columns {one.columns} and {other.columns}"
    if one.said != other.said:
        return f"said {one.said[:100]!r} and {other.said[:100]!r}"
    return None if same_rows(one.rows, other.rows) else f"{len(one.rows)} and {len(other.rows)} rows, not the same"


def _unversioned(rows: tuple[tuple[Any, ...], ...]) -> tuple[tuple[Any, ...], ...]:
    return tuple(tuple(_VERSION.sub("version", str(cell)) for cell in row) for row in rows)


def _unlike_reference(sql: str, outcome: Outcome, reference: Reference) -> str | None:
    if outcome.crashed:
        return f"the platform crashed: {outcome.error}: {outcome.told[:200]}"
    if sql.startswith(_OURS):
        return None
    if outcome.answered:
        wrong = reference.agrees(sql, outcome)
        return wrong if wrong and NO_ANSWER not in wrong else None
    if outcome.error == "engine" and reference.answers(sql):
        return f"the engine fails where the permitted rows give an answer: {outcome.told[:200]}"
    return None


def as_json(report: Report, *, storage: str, seed: int) -> dict[str, Any]:
    """The report as one object; the shortest examples first."""
    return {
        "storage": storage,
        "seed": seed,
        "queries": report.queries,
        "outcomes": dict(report.outcomes),
        "differ": len(report.differ),
        "unlike_reference": len(report.unlike_reference),
        "plan_dependent": len(report.plan_dependent),
        "undecided": report.undecided,
        "complaints": report.complaints,
        "examples": [
            example
            for kept in (report.differ, report.unlike_reference, report.plan_dependent)
            for example in sorted(kept, key=lambda each: len(each["sql"]))[:EXAMPLES_MAX]
        ],
        "seconds": round(report.seconds, 1),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, fuzz, print."""
    parser = argparse.ArgumentParser(prog="python -m tests.redteam.fuzz", description=__doc__.partition("\n")[0])
    parser.add_argument("--queries", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--storage", choices=KINDS, default="parquet")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    given = parser.parse_args(arguments)
    with listening() as (ears, progress), sides(given.storage, ears=ears) as made:
        report = fuzz(made, given.queries, given.seed, lambda line: print(line, file=progress))
    told = as_json(report, storage=given.storage, seed=given.seed)
    if given.json:
        print(json.dumps(told, ensure_ascii=False, default=str))
    else:
        for name, value in told.items():
            print(f"{name:18} {value}" if name != "examples" else "")
        for example in told["examples"]:
            print(f"\n{example['sql']}\n  {example.get('mutant', 'reference')}: {example['what']}")
    return 1 if report.complaints else 0


if __name__ == "__main__":
    sys.exit(main())
