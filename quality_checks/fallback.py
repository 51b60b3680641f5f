"""What does not compile is judged by GX itself, on the needed columns in pandas. Costs GX's import (5 s) once a process.

Everything that GX cannot judge is a failed result that says why; no result holds a row's value. A pattern that takes
Python's `re` for ever is not stopped here: it ends with the process that runs the step.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from math import isfinite
from numbers import Number, Real
from typing import Any

import duckdb
from sqlglot import exp

from quality_checks import frames, gx_session
from quality_checks.conditions import condition_of
from quality_checks.errors import NotCompiledError, QualityError, nearest
from quality_checks.expectation import Expectation
from quality_checks.families import family_of, read_value
from quality_checks.gx_conditions import columns_in_condition
from quality_checks.gx_names import GX_SQL_TYPES, GX_TYPES
from quality_checks.relation import Relation, UnansweredError
from quality_checks.result import Result

# pandas holds them all in memory: a few GB for a handful of columns. More is refused, never sampled.
FALLBACK_ROWS_MAX = 5_000_000

_NAMING = ("column", "column_A", "column_B", "column_list")
_CONDITION = ("row_condition", "condition_parser")
_LITERALS = ("min_value", "max_value", "value_set")
_TIMES = ("date", "timestamp", "zoned timestamp")
# GX 1.24.1 judges all rows, and counts those of the row_condition.
_DEAF = "expect_column_pair_values_to_be_in_set"
_TYPE_NAMED = ("expect_column_type_to_be", "expect_column_values_to_be_of_type")


def evaluate_with_gx(
    connection: duckdb.DuckDBPyConnection, relation: str, expectations: Sequence[Expectation]
) -> list[Result]:
    """Return a result for each expectation, in order; one that GX cannot judge has failed, with an `error`.

    Reads the columns that they name (all, for one that names none) once, into pandas. Raises QualityError when the
    relation cannot be read at all, and lets DuckDB's errors of disk, memory and cancelling pass.
    """
    source = Relation.parse(connection, relation)
    try:
        columns = source.columns()
    except UnansweredError as error:
        raise QualityError(
            f"{relation} cannot be read ({error}) — see that it exists and can be selected from"
        ) from None
    results: dict[int, Result] = {}
    asked: dict[str, dict[int, tuple[Expectation, exp.Expr | None]]] = {}
    for at, expectation in enumerate(expectations):
        if found := _problems(expectation, columns):
            results[at] = _error(expectation, found[0])
            continue
        condition = _condition(expectation, columns)
        asked.setdefault("" if condition is None else condition.sql("duckdb"), {})[at] = expectation, condition
    for alike in asked.values():
        narrowed = source.where(next(condition for _, condition in alike.values()))
        results |= dict(zip(alike, _judge(narrowed, [each for each, _ in alike.values()], columns), strict=True))
    return [results[at] for at in range(len(expectations))]


def _condition(expectation: Expectation, columns: Mapping[str, str]) -> exp.Expr | None:
    """Return the row_condition where SQL says the same: fewer rows are fetched, and none is judged by another reading."""
    if not isinstance(expectation.kwargs.get("row_condition"), str | dict):
        return None
    try:
        return condition_of(expectation.kwargs, columns)
    except (NotCompiledError, RecursionError):
        return None


def gx_problems(expectation: Expectation) -> list[str]:
    """Return what keeps GX from judging `expectation` on any data. Imports GX, and touches no data."""
    return _problems(expectation, None)


def _problems(expectation: Expectation, columns: Mapping[str, str] | None) -> list[str]:
    """Return what is wrong with an expectation; `columns` is None when they are not known."""
    if found := list(_refusals(expectation, columns)):
        return found
    refused = gx_session.declared(_with_times(expectation, columns or {}))
    return [f"GX refuses {problem} — see its documentation of '{expectation.type}'" for problem in refused]


def _refusals(expectation: Expectation, columns: Mapping[str, str] | None) -> Iterator[str]:
    """Yield what GX need not be asked about."""
    if expectation.type not in GX_TYPES:
        yield f"there is no expectation type '{expectation.type}' — {nearest(expectation.type, GX_TYPES)}"
        return
    if expectation.type in GX_SQL_TYPES:
        yield f"GX evaluates '{expectation.type}' in databases only, and it does not compile — use another type"
    if columns is not None and not _is_of_table(expectation):
        for name in _named(expectation):
            if name not in columns:
                yield f"there is no column '{name}' — {nearest(name, columns)}"
    try:
        left = columns is None or _condition(expectation, columns) is None
        named = columns_in_condition(expectation.kwargs, columns) if left else ()
    except QualityError as error:
        yield str(error)
    else:
        if named and columns is not None and expectation.type == _DEAF:
            yield "GX forgets the 'row_condition' of this type, and SQL cannot say it — compare columns with values"
    if not all(reference.startswith("#") for reference in _references(expectation.kwargs.get("json_schema"))):
        yield "'json_schema' refers to another document, which would be fetched — write it under $defs and refer to that"


def _references(schema: Any) -> Iterator[str]:
    match schema:
        case dict():
            for key, value in schema.items():
                if key in ("$ref", "$dynamicRef", "$recursiveRef") and isinstance(value, str):
                    yield value
                yield from _references(value)
        case list():
            for value in schema:
                yield from _references(value)


def _judge(source: Relation, expectations: Sequence[Expectation], columns: Mapping[str, str]) -> list[Result]:
    try:
        rows = frames.rows_of(source)
        if rows > FALLBACK_ROWS_MAX:
            return [_error(each, _too_many(rows)) for each in expectations]
        frame = frames.frame_of(source, _needed(expectations, columns))
    except UnansweredError as error:
        if len(expectations) == 1:
            return [_error(expectations[0], _unread(expectations[0], error))]
        # One column that cannot be read is nothing to those that do not name it.
        return [result for each in expectations for result in _judge(source, [each], columns)]
    asked = [_with_times(_unconditional(each, columns), columns) for each in expectations]
    return [
        _result(each, verdict) for each, verdict in zip(expectations, gx_session.verdicts(frame, asked), strict=True)
    ]


def _needed(expectations: Sequence[Expectation], columns: Mapping[str, str]) -> dict[str, str]:
    if any(_is_of_table(each) for each in expectations):
        return dict(columns)
    wanted = {name for each in expectations for name in _named(each)}
    left = [_unconditional(each, columns) for each in expectations]
    wanted |= {name for each in left for name in columns_in_condition(each.kwargs, columns)}
    return {name: type for name, type in columns.items() if name in wanted}


def _unconditional(expectation: Expectation, columns: Mapping[str, str]) -> Expectation:
    """Leave out a condition that has narrowed the rows already."""
    if _condition(expectation, columns) is None:
        return expectation
    kwargs = {key: value for key, value in expectation.kwargs.items() if key not in _CONDITION}
    return replace(expectation, kwargs=kwargs)


def _is_of_table(expectation: Expectation) -> bool:
    whole = expectation.type.startswith("expect_table_") or expectation.type == "expect_column_to_exist"
    return whole or not _named(expectation)


def _named(expectation: Expectation) -> list[str]:
    given = [expectation.kwargs.get(key) for key in _NAMING]
    flat = [name for each in given for name in (each if isinstance(each, list | tuple) else [each])]
    return [name for name in flat if isinstance(name, str)]


def _with_times(expectation: Expectation, columns: Mapping[str, str]) -> Expectation:
    """Read ISO text as times where the column holds times: pandas finds no text in a set of times."""
    family = family_of(columns.get(str(expectation.kwargs.get("column")), ""))
    if family not in _TIMES:
        return expectation

    def read(value: Any) -> Any:
        if isinstance(value, list | tuple):
            return [read(each) for each in value]
        moment = read_value(family, value) if isinstance(value, str) else None
        return value if moment is None else moment

    kwargs = {key: read(value) if key in _LITERALS else value for key, value in expectation.kwargs.items()}
    return replace(expectation, kwargs=kwargs)


def _result(expectation: Expectation, verdict: gx_session.Verdict) -> Result:
    if verdict.failure is not None:
        return _error(
            expectation,
            f"GX raised {verdict.failure} (its message is left out, for it may quote a row)"
            " — see that the column holds what this type reads",
        )
    # Without `element_count` the other counts are of values, not of rows.
    counts = verdict.result if "element_count" in verdict.result else {}
    return Result(
        expectation=expectation,
        success=verdict.success,
        observed_value=_observed(expectation, verdict.result.get("observed_value")),
        element_count=_count(counts.get("element_count")),
        missing_count=_count(counts.get("missing_count")),
        unexpected_count=_count(counts.get("unexpected_count")),
        unexpected_percent=_number(counts.get("unexpected_percent")),
        engine="great_expectations",
    )


def _observed(expectation: Expectation, value: Any) -> int | float | str | list[Any] | None:
    """Return an aggregate; never a value that is only a row's own, such as a text or a set of distinct values."""
    if isinstance(value, dict):  # of quantiles, in their order; else of the rows of two tables
        return [_scalar(each) for each in value.get("values") or value.values()]
    if isinstance(value, list | tuple | set):
        return len(value)
    if isinstance(value, str):
        return value if expectation.type in _TYPE_NAMED else None
    return _scalar(value)


def _scalar(value: Any) -> int | float | str | None:
    if isinstance(value, date | datetime):  # pandas' Timestamp is one, and so is its NaT
        return value.isoformat() if value == value else None
    return _number(value)


def _number(value: Any) -> int | float | None:
    if not isinstance(value, Number) or isinstance(value, bool):
        return None
    if isinstance(value, int) or (isinstance(value, Real) and hasattr(value, "__index__")):
        return int(value)
    as_float = float(value)  # type: ignore[arg-type]  # a Real or a Decimal
    return as_float if isfinite(as_float) else None


def _count(value: Any) -> int | None:
    return None if value is None else int(value)


def _error(expectation: Expectation, error: str) -> Result:
    return Result(expectation=expectation, success=False, error=error, engine="great_expectations")


def _too_many(rows: int) -> str:
    return (
        f"{rows} rows are more than the {FALLBACK_ROWS_MAX} that GX is given, in memory"
        " — use a type or a pattern that compiles, or check a smaller partition"
    )


def _unread(expectation: Expectation, error: UnansweredError) -> str:
    return (
        f"{', '.join(map(repr, _named(expectation))) or 'the table'} cannot be read: DuckDB raised {error}"
        " (its message is left out, for it may quote a row) — select the column by itself to see what it cannot read"
    )
