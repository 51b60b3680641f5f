"""What an outcome means, oracle by oracle. Whatever is not known to be safe is not safe."""

import re
from dataclasses import dataclass
from typing import Literal

from tests.redteam import markers
from tests.redteam.cases import Case
from tests.redteam.door import Outcome
from tests.redteam.reference import NO_ANSWER, Reference, same_rows

Kind = Literal["safe", "answered", "refused", "leak", "metadata", "wrong", "not_run"]
# Differs from one run to the next, or with how rows are stored.
_UNSTEADY = re.compile(r"random|uuid|sample|now\(|current_|today|explain|hash\(|any_value|first\(|rowid", re.IGNORECASE)
# A limit of time or memory ended it, or the worker with it.
LIMITED = re.compile(r"stopped after|out of memory|more memory")
# What decides where several readings of one case came to several verdicts.
WORST_LAST: tuple[Kind, ...] = ("not_run", "safe", "answered", "refused", "metadata", "wrong", "leak")


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """`answered` and `refused` are of benign cases; `why` is empty for what is safe or answered rightly."""

    kind: Kind
    why: str = ""


@dataclass(frozen=True, kw_only=True)
class Judge:
    """Judges one reading of a case by what came back."""

    reference: Reference
    names: tuple[str, ...]

    def verdict(self, case: Case, sql: str, outcome: Outcome) -> Verdict:
        """Judge an outcome of any oracle but `dos` and `oracle_pair`, which have more than one thing to look at."""
        if leaked := self._leaked(case, sql, outcome):
            return Verdict(kind="leak", why=leaked)
        if outcome.crashed:
            return Verdict(kind="wrong", why=f"the platform crashed: {outcome.error}: {outcome.told[:300]}")
        if case.meta and (named := markers.metadata(outcome, sql, self.names)):
            return Verdict(kind="metadata", why=f"names {', '.join(map(repr, named))[:300]}")
        if case.oracle == "benign":
            return self._benign(case, sql, outcome)
        return Verdict(kind="safe") if case.oracle == "dos" else self._unlike_the_reference(case, sql, outcome)

    def _unlike_the_reference(self, case: Case, sql: str, outcome: Outcome) -> Verdict:
        """What only hidden rows can explain, though no marker shows: another answer, or a failure that they cause."""
        if outcome.answered and not (outcome.cut or _UNSTEADY.search(sql)):
            wrong = self.reference.agrees(sql, outcome, case.parameters)
            if wrong and NO_ANSWER not in wrong:
                return Verdict(kind="wrong", why=wrong)
        failed = outcome.error == "engine" and not LIMITED.search(outcome.told)
        if failed and self.reference.answers(sql, case.parameters):
            return Verdict(kind="leak", why="the engine fails where the permitted rows alone give an answer")
        return Verdict(kind="safe")

    def pair(self, case: Case, sqls: tuple[str, str], outcomes: tuple[Outcome, Outcome]) -> Verdict:
        """Two guesses must come to one outcome."""
        verdicts = [self.verdict(case, sql, outcome) for sql, outcome in zip(sqls, outcomes, strict=True)]
        if differs := difference(sqls, outcomes):
            verdicts.append(Verdict(kind="leak", why=f"the two guesses differ: {differs}"))
        return worst(verdicts)

    def _leaked(self, case: Case, sql: str, outcome: Outcome) -> str | None:
        hits = markers.leaks(outcome, sql, case.extra_markers)
        if hits and not self._holds_nothing_hidden(sql, outcome, hits):
            return "; ".join(hits[:3])
        if not outcome.answered:
            return None
        if case.oracle == "must_reject":
            return f"answered with {len(outcome.rows)} rows"
        if case.oracle == "empty" and outcome.rows:
            return f"answered with {len(outcome.rows)} rows where none is right"
        if case.oracle == "empty_or_masked" and outcome.rows:
            wrong = self.reference.agrees(sql, outcome, case.parameters)
            return f"neither empty nor what the masks give: {wrong}" if wrong else None
        return None

    def _holds_nothing_hidden(self, sql: str, outcome: Outcome, hits: list[str]) -> bool:
        """A marker in an answer is the attacker's own text when a database without hidden rows answers the same."""
        if not all(hit.startswith("an answer") for hit in hits) or not outcome.answered:
            return False
        return self.reference.agrees(sql, outcome) is None

    def _benign(self, case: Case, sql: str, outcome: Outcome) -> Verdict:
        if not outcome.answered:
            return Verdict(kind="refused", why=outcome.told[:300])
        if case.expect is not None and not same_rows(outcome.rows, case.expect):
            return Verdict(kind="wrong", why=f"{str(outcome.rows[:3])[:200]} is not what was expected")
        wrong = self.reference.agrees(sql, outcome, case.parameters)
        if wrong and case.expect is None:
            return Verdict(kind="wrong", why=wrong)
        return Verdict(kind="answered")


def difference(sqls: tuple[str, str], outcomes: tuple[Outcome, Outcome]) -> str | None:
    """How two outcomes differ beyond the guesses themselves; None when they do not."""
    one, other = outcomes
    if one.error != other.error:
        return f"{one.error or 'answered'} and {other.error or 'answered'}"
    if one.answered:
        return None if same_rows(one.rows, other.rows) else "other rows"
    guesses = _guesses(*sqls)
    mine, theirs = (_without(outcome.told, guess) for outcome, guess in zip(outcomes, guesses, strict=True))
    return None if mine == theirs else f"{mine[:150]!r} and {theirs[:150]!r}"


def _guesses(one: str, other: str) -> tuple[str, str]:
    """The parts in which two texts differ, whole words."""
    start = next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    while start and re.match(r"\w", one[start - 1]):
        start -= 1
    end = 0
    while end < min(len(one), len(other)) - start and one[-1 - end] == other[-1 - end]:
        end += 1
    while end and re.match(r"\w", one[len(one) - end]):
        end -= 1
    return one[start : len(one) - end], other[start : len(other) - end]


def _without(text: str, guess: str) -> str:
    """A message without the guess, and without columns that move with its length."""
    parts = [part for part in re.split(r"[^\w]+", guess) if part]
    for part in [guess, *sorted(parts, key=len, reverse=True)] if guess else []:
        text = re.sub(re.escape(part), "…", text, flags=re.IGNORECASE)
    return re.sub(r"column \d+", "column …", text)


def worst(verdicts: list[Verdict]) -> Verdict:
    """The one that decides."""
    return max(verdicts, key=lambda verdict: WORST_LAST.index(verdict.kind))
