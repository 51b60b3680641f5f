"""What a case came to: judged by the plain answer over the same tables, not by the room's own account of itself."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mesh_defs.cleanroom.budget import rho_of
from mesh_defs.cleanroom.room import RoomAnswer
from mesh_defs.cleanroom.rules import Asked
from mesh_defs.errors import BudgetExhaustedError, MeshError
from mesh_defs.model.room import Aggregate, Agreement
from tests.redteam.room_cases import RoomCase, Step
from tests.redteam.room_world import DOMINANCE_MAX, PERSONS_MIN, RoomWorld

# A person's key or the beginning of one, an address, a diagnosis.
_VALUES = re.compile(r"\b[0-9a-f]{12,64}\b|\bu\d+@|mail\.example|\bflu\b|\bhiv\b")
# What the agreement does not name.
HIDDEN_NAMES = ("diagnosis", "pub.secret", "email", "rows_max")


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What one step came to: an answer, or the error that was raised."""

    answer: RoomAnswer | None = None
    error: MeshError | None = None

    @property
    def shown(self) -> int:
        """How many groups came out."""
        return len(self.answer.release.groups) if self.answer else 0

    def rows(self) -> list[tuple[Any, ...]]:
        """The answer as a table, in the columns of the question."""
        if self.answer is None:
            return []
        analysis, outputs = self.answer.question.analysis, self.answer.question.outputs
        return [
            tuple(
                group.numbers[analysis.aggregates.index(what)]
                if isinstance(what, Aggregate)
                else group.values[analysis.dimensions.index(what)]
                for _, what in outputs
            )
            for group in self.answer.release.groups
        ]


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """`kind` is safe, leak, metadata, wrong, answered or refused."""

    kind: str
    why: str = ""


def judge(case: RoomCase, outcomes: Sequence[Outcome], world: RoomWorld) -> Verdict:
    """A leak is what no right outcome shows; wrong is an answer that the tables do not give."""
    for number, (step, outcome) in enumerate(zip(case.steps, outcomes, strict=True)):
        if found := _told(step, outcome, world):
            return found
        if outcome.answer and case.level != "privacy":
            if why := _unfit(outcome, world):
                return Verdict(kind="leak", why=why)
            if why := _untrue(case, number, step, outcome, world):
                return Verdict(kind="wrong", why=why)
    came = _came_to(outcomes)
    if any(_matches(expected, came, outcomes) for expected in case.expected):
        return Verdict(kind="answered" if case.benign else "safe")
    told = f"expected {' or '.join(case.expected)}, came to {came}"
    told += f": {outcomes[-1].error}" if outcomes[-1].error else ""
    if case.benign:
        return Verdict(kind="refused", why=told)
    return Verdict(kind="leak" if outcomes[-1].shown else "safe" if _harmless(case) else "wrong", why=told)


def _harmless(case: RoomCase) -> bool:
    """An attack that shows nothing at all, where something harmless might have been shown."""
    return "allow" not in case.expected[0]


def _came_to(outcomes: Sequence[Outcome]) -> list[str]:
    return ["rejected" if each.error else f"{each.shown} groups" for each in outcomes]


def _matches(expected: str, came: Sequence[str], outcomes: Sequence[Outcome]) -> bool:
    last, before = outcomes[-1], outcomes[:-1]
    silent = last.shown == 0
    withheld = len(last.answer.release.withheld) if last.answer else 0
    return {
        "reject": all(each.error for each in outcomes),
        "suppress": silent or withheld > 0,
        "suppress-complement": last.answer is not None and withheld > 1,
        "allow": all(each.shown for each in outcomes),
        "allow-cached": len({repr(each.answer.release) if each.answer else "" for each in outcomes}) == 1
        and last.shown > 0
        and all(each.answer and each.answer.repeated for each in outcomes[1:]),
        "reject-last": silent and all(each.shown for each in before),
        "suppress-last": silent or withheld > 0,
        "reject-any": any(each.error for each in outcomes) and not all(each.shown for each in outcomes),
        "budget": isinstance(last.error, BudgetExhaustedError) and all(each.shown for each in before),
    }[expected]


def _told(step: Step, outcome: Outcome, world: RoomWorld) -> Verdict | None:
    """Whether an error repeats what its asker did not say: a person, a value, a path; or a name that is not agreed."""
    if outcome.error is None:
        return None
    text, said = str(outcome.error), f"{step.sql} {step.arguments}".replace("{{target}}", world.target)
    if found := [hit for hit in _VALUES.findall(text) if hit not in said]:
        return Verdict(kind="leak", why=f"the error tells {found[0]!r}")
    hidden = [str(world.folder), "_persons", "partial_", "contributions", *HIDDEN_NAMES]
    if found := [name for name in hidden if name in text and name not in said]:
        return Verdict(kind="metadata", why=f"the error tells {found[0]!r}")
    return None


def _unfit(outcome: Outcome, world: RoomWorld) -> str:
    """Whether a group was shown that has too few persons, or one who has most of it, by the tables themselves."""
    assert outcome.answer is not None
    analysis = outcome.answer.release.analysis
    names = {table: f"t{n}" for n, table in enumerate(analysis.tables)}
    dimensions = [f"{names[each.table]}.{each.column}" for each in analysis.dimensions]
    first = f"{names[analysis.tables[0]]}.hem"
    joined = " JOIN ".join(
        f"{table} AS {names[table]}" + (f" ON {names[table]}.hem = {first}" if n else "")
        for n, table in enumerate(analysis.tables)
    )
    filters = [f"{names[f.table]}.{f.column} IN ({', '.join(map(repr, values))})" for f, values in analysis.filters]
    sums = [f"sum({names[f.table]}.{f.column})" for f in analysis.measures]
    if any(each.function == "count" for each in analysis.aggregates):
        sums.append("count(*)")
    keys = ", ".join([*dimensions, first])
    where = " AND ".join([f"{first} IS NOT NULL", *filters])
    persons = world.plain.execute(
        f"SELECT {', '.join([keys, *sums])} FROM {joined} WHERE {where} GROUP BY {keys}"
    ).fetchall()
    groups: dict[tuple[Any, ...], list[Sequence[Any]]] = {}
    for row in persons:
        groups.setdefault(tuple(row[: len(dimensions)]), []).append(row[len(dimensions) + 1 :])
    for group in outcome.answer.release.groups:
        found = groups.get(group.values, [])
        if len(found) < PERSONS_MIN:
            return f"{group.values} has {len(found)} persons"
        for column in zip(*found, strict=True):
            whole = sum(abs(each or 0) for each in column)
            if max(abs(each or 0) for each in column) > DOMINANCE_MAX * whole:
                return f"one person has most of {group.values}"
    return ""


def _untrue(case: RoomCase, number: int, step: Step, outcome: Outcome, world: RoomWorld) -> str:
    """What is shown must stand in the plain answer; where nothing was hidden it must be all of it."""
    sql = case.expect_sql[number] if number < len(case.expect_sql) else step.sql
    if not sql:
        return ""
    plain = Counter(_rounded(row) for row in world.plain.execute(sql).fetchall())
    shown = Counter(_rounded(row) for row in outcome.rows())
    if surplus := shown - plain:
        return f"the tables do not give {list(surplus)[:3]}"
    return ""


def _rounded(row: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(round(each, 6) if isinstance(each, float) else each for each in row)


def asked_of(step: Step, target: str, agreement: Agreement) -> Asked:
    """The step as the room is asked. AnalysisRejectedError for an epsilon that is none."""
    return Asked(
        micro_rho=_micro_rho(step.params, agreement),
        analyst=step.run_as,
        recipient=step.recipient,
        sql=step.sql.replace("{{target}}", target),
        template=step.template,
        arguments={name: _targeted(value, target) for name, value in step.arguments.items()},
    )


def _micro_rho(params: Mapping[str, Any], agreement: Agreement) -> int | None:
    if agreement.privacy is None or not params:
        return None
    if "eps_frac" in params:
        return int(agreement.privacy.micro_rho * params["eps_frac"])
    return rho_of(_number(params["epsilon"]), agreement.privacy)


def _number(value: Any) -> Any:
    """JSON has no NaN and no infinity: they come as text."""
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return value


def _targeted(value: Any, target: str) -> Any:
    return value.replace("{{target}}", target) if isinstance(value, str) else value


def summary(
    cases: Sequence[RoomCase], verdicts: Mapping[str, Verdict], not_run: Mapping[str, str], seconds: float
) -> dict[str, Any]:
    """The one JSON object of the corpora's README, and what stands behind each name in it."""

    def those(kind: str) -> list[str]:
        return [name for name, verdict in verdicts.items() if verdict.kind == kind]

    return {
        "cases": len(cases) + len(not_run),
        "safe": len(those("safe")),
        "leaks": those("leak"),
        "metadata_leaks": those("metadata"),
        "wrong": those("wrong"),
        "benign": sum(case.benign for case in cases),
        "benign_answered": len(those("answered")),
        "benign_refused": those("refused"),
        "not_run": dict(not_run),
        "why": {name: verdict.why for name, verdict in verdicts.items() if verdict.why},
        "seconds": round(seconds, 1),
    }
