"""Asking a relation about many expectations with few queries."""

from collections.abc import Mapping, Sequence
from typing import Any

import duckdb

from quality_checks.errors import QualityError
from quality_checks.expectation import Expectation
from quality_checks.inspection import plan_of, problems
from quality_checks.plans import Plan
from quality_checks.relation import Relation, UnansweredError
from quality_checks.result import Result


def evaluate(connection: duckdb.DuckDBPyConnection, relation: str, expectations: Sequence[Expectation]) -> list[Result]:
    """Return a result for each expectation, in order.

    `relation` is what may stand after FROM: a table, `read_parquet([...])`, `(SELECT …)`. It must stay the same while
    it is evaluated: pass immutable files, or open a transaction (which an error then aborts). Costs DESCRIBE, one scan
    for all row and table rules, one query for each uniqueness rule and one more for each that fails. What exceeds the
    connection's `memory_limit` is spilled.

    Raises QualityError, naming expectation and column and never a value, when any expectation cannot be evaluated.
    """
    if not expectations:
        return []
    source = Relation.parse(connection, relation)
    plans = _plans(expectations, _columns(source))
    asked = list(zip(expectations, plans, strict=True))
    answers = _scan(source, asked)
    return [_judge(source, *each, answer) for each, answer in zip(asked, answers, strict=True)]


def _columns(source: Relation) -> dict[str, str]:
    try:
        return source.columns()
    except UnansweredError as error:
        text = source.source.this.sql("duckdb")
        raise QualityError(f"{text} cannot be read ({error}) — see that it exists and can be selected from") from None


def _plans(expectations: Sequence[Expectation], columns: Mapping[str, str]) -> list[Plan]:
    found = [
        f"{expectation.name}: {problem}" for expectation in expectations for problem in problems(expectation, columns)
    ]
    if found:
        raise QualityError("\n".join(found))
    return [plan_of(expectation, columns) for expectation in expectations]


def _scan(source: Relation, asked: Sequence[tuple[Expectation, Plan]]) -> list[list[Any]]:
    """Compute every plan's aggregates in one query, each once however many plans share it."""
    wanted = {aggregate.sql("duckdb"): aggregate for _, plan in asked for aggregate in plan.aggregates}
    try:
        answers = dict(zip(wanted, source.answer(source.select(*wanted.values())), strict=True))
    except UnansweredError as error:
        raise _unanswered(_culprits(source, asked), error) from None
    return [[answers[aggregate.sql("duckdb")] for aggregate in plan.aggregates] for _, plan in asked]


def _judge(source: Relation, expectation: Expectation, plan: Plan, answers: Sequence[Any]) -> Result:
    try:
        return plan.judge(expectation, answers, source)
    except UnansweredError as error:
        raise _unanswered([expectation], error) from None


def _culprits(source: Relation, asked: Sequence[tuple[Expectation, Plan]]) -> list[Expectation]:
    """Return the expectations that fail by themselves too; all, when none does or nothing more can be asked."""
    try:
        failing = [expectation for expectation, plan in asked if not _answers(source, plan)]
    except duckdb.TransactionException:  # the first error has aborted the caller's transaction
        failing = []
    return failing or [expectation for expectation, _ in asked]


def _answers(source: Relation, plan: Plan) -> bool:
    try:
        source.answer(source.select(*plan.aggregates))
    except UnansweredError:
        return False
    return True


def _unanswered(expectations: Sequence[Expectation], error: UnansweredError) -> QualityError:
    columns = dict.fromkeys(column for expectation in expectations for column in expectation.columns)
    return QualityError(
        f"{', '.join(expectation.name for expectation in expectations)}: cannot be evaluated"
        f" on {', '.join(map(repr, columns)) or 'the table'}: DuckDB raised {error}"
        " (its message is left out, for it may quote a row) — select the column by itself to see what it cannot read"
    )
