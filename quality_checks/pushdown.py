"""Asking a relation's rows where they lie, in Postgres: what crosses is one row of aggregates.

An answer crosses as text and is cast here to the type that DuckDB itself would have given, so that a verdict cannot depend on
who computed. What Postgres has no equal for, or refuses (an overflow, a regular expression too complex), DuckDB is asked
instead, through its scanner: at the cost of the rows, which then cross.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import duckdb
from sqlglot import exp

from quality_checks.columns import Column
from quality_checks.dialects import NotTranslatedError, exposed, time_column, translated
from quality_checks.remote import Remote

# Postgres allows 1,664 columns in a SELECT.
_ANSWERS_MAX = 1_000
# A backend keeps 32 compiled expressions (MAX_CACHED_RES in regexp.c): one more, and each is compiled anew for every row.
_REGEXES_MAX = 30
# Postgres stopped, or is gone: the storage's failure, and nothing that DuckDB could do better. What Postgres says in another
# language is taken for a refusal, and DuckDB's scanner finds out by itself.
_STOPPED = (
    *("due to statement timeout", "due to lock timeout", "due to user request", "terminating connection"),
    *("server closed the connection", "connection to server", "no connection to the server", "Unable to connect"),
    *("could not receive data", "connection has been closed"),
)


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
        for some in _turns(there):
            here = _here(remote, there, query, kinds, some, types)
            (row,) = connection.execute(here.sql("duckdb")).fetchall()
            answers += row
        return tuple(answers)
    except duckdb.Error as error:
        if isinstance(error, duckdb.InterruptException | duckdb.OutOfMemoryException):
            raise
        stopped = any(phrase in str(error) for phrase in _STOPPED)
    # Raised outside the handler, so that Postgres's message is not kept as this error's context either.
    if stopped:
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


def _turns(there: exp.Select) -> Iterator[slice]:
    """Cut the answers into queries that Postgres runs well; each is a scan of its own."""
    first, regexes = 0, 0
    for at, answer in enumerate(there.expressions):
        more = sum(1 for _ in answer.find_all(exp.RegexpLike))
        if at > first and (at - first == _ANSWERS_MAX or regexes + more > _REGEXES_MAX):
            yield slice(first, at)
            first, regexes = at, 0
        regexes += more
    yield slice(first, len(there.expressions))


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
