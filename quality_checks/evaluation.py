"""Asking a relation about many expectations with few queries."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import duckdb
from sqlglot import exp

from quality_checks.counts import narrowed
from quality_checks.errors import NotCompiledError, QualityError
from quality_checks.expectation import Expectation
from quality_checks.inspection import compiled, problems
from quality_checks.plans import OrderPlan, Plan, RowPlan
from quality_checks.relation import Relation, UnansweredError
from quality_checks.remote import Remote
from quality_checks.result import Result

# One scan holds so many at most: DuckDB's own cost of a SELECT grows with the square of its columns.
AGGREGATES_MAX = 2_000
_NAMED_MAX = 12


def evaluate(
    connection: duckdb.DuckDBPyConnection,
    relation: str,
    expectations: Sequence[Expectation],
    *,
    tables: Mapping[str, str] | None = None,
    through: Remote | None = None,
) -> list[Result]:
    """Return a result for each expectation, in order.

    `relation` is what may stand after FROM: a table, `read_parquet([...])`, `(SELECT …)`; `tables` are those that an
    expectation may name to compare with. They must stay the same while they are evaluated: pass immutable files, or open
    a transaction (which an error then aborts). Costs DESCRIBE, one scan for all rules about rows and plain aggregates, and
    one query for each rule that needs distinct values or an order. What exceeds `memory_limit` is spilled; what is sorted
    (see `quality_checks.sorting`) takes 128 MB beside it. What does not compile is decided by GX, in memory. `through` says
    in which database the relation's rows lie, so that they are judged there and only aggregates cross.

    One that cannot be evaluated has failed, with an `error` that names column and reason and never a value. Raises
    QualityError when the relation cannot be read at all; DuckDB's errors of disk, memory and cancelling pass.
    """
    if not expectations:
        return []
    source = Relation.parse(connection, relation, tables)
    columns = _columns(source)
    asked, undecided, results = _planned(expectations, columns)
    source = source.through(through, columns)
    answered = dict(_answered(source, asked))
    _order_once(source, asked, answered)
    for at, answer in answered.items():
        results[at] = answer if isinstance(answer, Result) else _judge(source, asked[at], answer)
    if undecided:
        # Only now: what compiles never pays for GX.
        from quality_checks.fallback import evaluate_with_gx

        decided = evaluate_with_gx(connection, relation, [expectations[at] for at in undecided])
        results |= dict(zip(undecided, decided, strict=True))
    return [results[at] for at in range(len(expectations))]


def row_reasons(expectations: Sequence[Expectation], columns: Mapping[str, str]) -> list[tuple[Expectation, exp.Expr]]:
    """Return, for each expectation that judges rows one by one, the predicate of its unexpected rows: never null.

    Those that judge rows together, or that do not compile, are left out.
    """
    asked, _, _ = _planned(expectations, columns)
    return [
        (each.expectation, exp.func("COALESCE", _within(each.plan.unexpected, each.condition), exp.false()))
        for each in asked.values()
        if isinstance(each.plan, RowPlan)
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """An expectation that compiles: how it is asked, and of which rows."""

    expectation: Expectation
    plan: Plan
    condition: exp.Expr | None
    aggregates: Sequence[tuple[str, exp.Expr]]

    @classmethod
    def of(cls, expectation: Expectation, columns: Mapping[str, str]) -> "_Asked":
        plan, condition = compiled(expectation, columns)
        aggregates = [narrowed(aggregate, condition) for aggregate in plan.aggregates]
        try:
            named = [(aggregate.sql("duckdb"), aggregate) for aggregate in aggregates]
        except RecursionError:
            raise QualityError("the arguments are nested too deep — say the same with fewer levels") from None
        return cls(expectation=expectation, plan=plan, condition=condition, aggregates=named)


def _within(predicate: exp.Expr, condition: exp.Expr | None) -> exp.Expr:
    return predicate if condition is None else exp.and_(condition, predicate)


def _columns(source: Relation) -> dict[str, str]:
    try:
        return source.columns()
    except UnansweredError as error:
        text = source.source.this.sql("duckdb")
        raise QualityError(f"{text} cannot be read ({error}) — see that it exists and can be selected from") from None


def _planned(
    expectations: Sequence[Expectation], columns: Mapping[str, str]
) -> tuple[dict[int, _Asked], list[int], dict[int, Result]]:
    """Sort them, by place: those that compile, those that GX is to decide, and those that nobody can."""
    asked: dict[int, _Asked] = {}
    undecided: list[int] = []
    failed: dict[int, Result] = {}
    for at, expectation in enumerate(expectations):
        if found := problems(expectation, columns):
            failed[at] = _failed(expectation, "; ".join(found))
            continue
        try:
            asked[at] = _Asked.of(expectation, columns)
        except NotCompiledError:
            undecided.append(at)
        except QualityError as error:
            failed[at] = _failed(expectation, str(error))
    return asked, undecided, failed


def _answered(source: Relation, asked: Mapping[int, _Asked]) -> Iterator[tuple[int, Sequence[Any] | Result]]:
    """Compute every plan's aggregates, each once however many plans share it; one that cannot be read fails alone."""
    if not asked:
        return
    wanted = {text: aggregate for each in asked.values() for text, aggregate in each.aggregates}
    try:
        answers = _scan(source, wanted) if wanted else {}
    except UnansweredError as error:
        if len(asked) == 1:
            yield from ((at, _unread(each.expectation, error)) for at, each in asked.items())
            return
        # Those of one column stand together, so that what cannot be read is cut out in few steps.
        places = sorted(asked, key=lambda at: asked[at].expectation.columns)
        for half in (places[: len(places) // 2], places[len(places) // 2 :]):
            try:
                yield from _answered(source, {at: asked[at] for at in half})
            except duckdb.TransactionException:  # the first error has aborted the caller's transaction
                yield from ((at, _unread(asked[at].expectation, error)) for at in half)
        return
    for at, each in asked.items():
        yield at, [answers[text] for text, _ in each.aggregates]


def _order_once(source: Relation, asked: Mapping[int, _Asked], answered: Mapping[int, Sequence[Any] | Result]) -> None:
    """Have a column ordered once for all that ask for places in its order; where that fails, each asks by itself."""
    wanted: dict[tuple[exp.Expr, exp.Expr | None, int], set[int]] = {}
    for at, answer in answered.items():
        plan = asked[at].plan
        if isinstance(plan, OrderPlan) and not isinstance(answer, Result) and answer[0]:
            wanted.setdefault((plan.ordered, asked[at].condition, answer[0]), set()).update(plan.places(answer[0]))
    for (ordered, condition, present), places in wanted.items():
        with suppress(UnansweredError, duckdb.TransactionException):
            source.where(condition).in_order(ordered, sorted(places), of=present)


def _scan(source: Relation, wanted: Mapping[str, exp.Expr]) -> dict[str, Any]:
    names: list[str] = list(wanted)
    answers: dict[str, Any] = {}
    for first in range(0, len(names), AGGREGATES_MAX):
        some = names[first : first + AGGREGATES_MAX]
        answers |= dict(zip(some, source.answers([wanted[name] for name in some]), strict=True))
    return answers


def _judge(source: Relation, asked: _Asked, answers: Sequence[Any]) -> Result:
    try:
        return asked.plan.judge(asked.expectation, answers, source.where(asked.condition))
    except UnansweredError as error:
        return _unread(asked.expectation, error)
    except duckdb.TransactionException:  # an error before this one has aborted the caller's transaction
        return _unread(asked.expectation, UnansweredError("TransactionException"))
    except QualityError as error:
        return _failed(asked.expectation, str(error))


def _failed(expectation: Expectation, why: str) -> Result:
    return Result(expectation=expectation, success=False, error=why)


def _unread(expectation: Expectation, error: UnansweredError) -> Result:
    columns = list(dict.fromkeys(expectation.columns))
    named = ", ".join(map(repr, columns[:_NAMED_MAX])) + (", …" if len(columns) > _NAMED_MAX else "") or "the table"
    why = (
        f"cannot be evaluated on {named}: DuckDB raised {error} (its message is left out, for it may quote a row)"
        " — select the column by itself to see what it cannot read"
    )
    return _failed(expectation, why)
