"""Asking a relation's rows where they lie, in Postgres: what crosses is one row of aggregates.

An answer crosses as text and is cast here to the type that DuckDB itself would have given, so that a verdict cannot depend on
who computed. What Postgres has no equal for, or refuses (an overflow, a regular expression too complex), DuckDB is asked
instead, through its scanner: at the cost of the rows, which then cross.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import duckdb
from sqlglot import exp

from quality_checks.columns import Column
from quality_checks.dialects import NotTranslatedError, exposed, time_column, translated
from quality_checks.remote import Remote

# Postgres allows 1,664 columns in a SELECT.
_ANSWERS_MAX = 1_000
_REFUSED = "ERROR:"
# What Postgres says when it stopped a statement or a wait: the storage's failure, nothing that DuckDB could do better.
_STOPPED = ("due to statement timeout", "due to lock timeout", "due to user request", "terminating connection")


class Stopped(duckdb.OperationalError):
    """Postgres stopped a statement. Says no more, for its own message may quote a row."""


def can_ask(expression: exp.Expr, types: Mapping[str, str]) -> bool:
    """Tell whether Postgres can compute an expression of the relation's columns."""
    try:
        translated(expression, "postgres", types)
    except NotTranslatedError:
        return False
    return True


def ask(
    connection: duckdb.DuckDBPyConnection,
    remote: Remote,
    query: exp.Select,
    source: exp.Expr,
    types: Mapping[str, str],
) -> tuple[Any, ...] | None:
    """Return the one row of a query over `source`, which `remote` holds; None when DuckDB is to run it."""
    try:
        there = _there(remote, query, source, types)
    except NotTranslatedError:
        return None
    answers: list[Any] = []
    try:
        kinds = _kinds(connection, query)
        for first in range(0, len(kinds), _ANSWERS_MAX):
            here = _here(remote, there, query, kinds, slice(first, first + _ANSWERS_MAX), types)
            (row,) = connection.execute(here.sql("duckdb")).fetchall()
            answers += row
        return tuple(answers)
    except duckdb.Error as error:
        if isinstance(error, duckdb.InterruptException | duckdb.OutOfMemoryException):
            raise
        told, theirs = str(error), isinstance(error, duckdb.IOException) or type(error) is duckdb.Error
    # Raised outside the handler, so that Postgres's message is not kept as this error's context either.
    if (theirs and _REFUSED not in told) or any(phrase in told for phrase in _STOPPED):
        raise Stopped("Postgres stopped the statement, or does not answer — raise its timeout, or look into its log")
    return None


def _there(remote: Remote, query: exp.Select, source: exp.Expr, types: Mapping[str, str]) -> exp.Select:
    used = {each.name for each in query.find_all(exp.Column)}
    shown = [Column(name=name, type=type) for name, type in types.items() if name in used]
    tables = {source: _rows(remote, shown)}
    there = translated(query, "postgres", types, tables)
    assert isinstance(there, exp.Select)
    return there


def _rows(remote: Remote, columns: Sequence[Column]) -> exp.Expr:
    """The tables' rows as one relation, with the columns that are asked for."""
    shown = [exp.alias_(exposed(column), column.name, quoted=True) for column in columns]
    parts: list[exp.Expr] = [
        exp.select(*(shown or [exp.alias_(exp.null(), "nothing", quoted=True)])).from_(
            exp.Table(this=exp.to_identifier(name, quoted=True), db=exp.to_identifier(schema, quoted=True))
        )
        for schema, name in remote.tables
    ]
    rows = parts[0]
    for part in parts[1:]:
        rows = exp.Union(this=rows, expression=part, distinct=False)
    alias = exp.TableAlias(this=exp.to_identifier("rows", quoted=True))
    return exp.Subquery(this=rows, alias=alias)


def _kinds(connection: duckdb.DuckDBPyConnection, query: exp.Select) -> list[str]:
    """The types of DuckDB's own answers; reads no rows."""
    described = connection.execute(exp.Describe(this=query.copy()).sql("duckdb")).fetchall()
    return [str(type) for _, type, *_ in described]


def _here(
    remote: Remote,
    there: exp.Select,
    query: exp.Select,
    kinds: Sequence[str],
    some: slice,
    types: Mapping[str, str],
) -> exp.Select:
    """DuckDB's query that has Postgres run some answers of `there`."""
    sent = there.copy()
    sent.set("expressions", [_sent(each, at) for at, each in enumerate(there.expressions[some])])
    text = sent.sql("postgres", identify=True)
    call = exp.Anonymous(
        this="postgres_query", expressions=[exp.Literal.string(remote.database), exp.Literal.string(text)]
    )
    taken = [_taken(at, *each, types) for at, each in enumerate(zip(query.expressions[some], kinds[some], strict=True))]
    return exp.select(*taken).from_(exp.Table(this=call))


def _taken(at: int, asked: exp.Expr, kind: str, types: Mapping[str, str]) -> exp.Expr:
    """An answer as DuckDB would have given it; a time's text as DuckDB writes it."""
    answer: exp.Expr = exp.column(f"answer_{at}", quoted=True)
    moment = time_column(asked.this, types) if isinstance(asked, exp.Cast) else None
    if moment:
        answer = exp.cast(answer, moment.type, dialect="duckdb")
    return exp.cast(answer, kind, dialect="duckdb")


def _sent(answer: exp.Expr, at: int) -> exp.Expr:
    value = answer.unalias().copy()
    if value.find(exp.PercentileDisc):
        value = exp.Anonymous(this="TO_JSON", expressions=[value])  # a list, as both can write it
    return exp.alias_(exp.cast(value, "TEXT"), f"answer_{at}", quoted=True)
