"""Verdicts on a whole table from its parts' states alone, where these suffice; where not, an error and never a pass.

Decided are: numbers of rows and of columns, missing values, and the least, greatest, mean, sum and deviation of numbers and
times. A sum of floats depends on the order of adding, here as in a scan: in the last of its sixteen digits. Distinct values
are only estimated, so nothing about them is decided.

A state answers the very aggregates that an expectation's plan asks for, and the plan judges them: bounds and `mostly` mean
what they mean in a scan. A plan that asks for anything else is not decided.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from operator import ge, gt, le, lt, truediv
from typing import Any

from sqlglot import exp

from quality_checks.columns import Column
from quality_checks.counts import count_where, row_count
from quality_checks.errors import QualityError
from quality_checks.expectation import Expectation
from quality_checks.families import NUMBERS
from quality_checks.inspection import plan_of, problems
from quality_checks.result import Result
from quality_checks.state import ColumnState, Extreme, TableState

_EPOCH = datetime(1970, 1, 1)


class _UndecidedError(Exception):
    """A state does not hold what an expectation asks for."""


def verdicts(state: TableState, expectations: Sequence[Expectation]) -> list[Result]:
    """Return a result for each expectation, in order; one with an `error` is not decided and needs a scan."""
    columns = {name: column.type for name, column in state.columns.items()}
    known = _answers(state)
    return [_verdict(expectation, columns, known, state) for expectation in expectations]


def _verdict(
    expectation: Expectation, columns: Mapping[str, str], known: Mapping[str, Any], state: TableState
) -> Result:
    found = problems(expectation, columns)
    if found:
        return Result(expectation=expectation, success=False, error="; ".join(found))
    try:
        if expectation.kwargs.get("row_condition") is not None:
            raise _UndecidedError
        plan = plan_of(expectation, columns)
        return plan.judge(expectation, [_computed(sql, known) for sql in plan.aggregates], _Nowhere())  # type: ignore[arg-type]
    except (_UndecidedError, QualityError):
        return Result(expectation=expectation, success=False, error=_undecided(expectation, state))


class _Nowhere:
    """Stands where a plan expects a relation, and can be asked nothing."""

    def __getattr__(self, name: str) -> Any:
        raise _UndecidedError


def _undecided(expectation: Expectation, state: TableState) -> str:
    about = [
        f" ({column}: about {sketch.estimate:.0f} distinct values, give or take {sketch.error:.1%})"
        for column in expectation.columns
        if column in state.columns and (sketch := state.columns[column].sketch)
    ]
    return f"a state of the table cannot decide this{''.join(about)} — evaluate it by a scan"


def _answers(state: TableState) -> dict[str, Any]:
    answers: dict[str, Any] = {row_count().sql("duckdb"): state.rows}
    for name, kept in state.columns.items():
        for sql, value in _of_column(Column(name=name, type=kept.type), kept, state.rows):
            answers[sql.sql("duckdb")] = value
    return answers


def _of_column(column: Column, kept: ColumnState, rows: int) -> Iterator[tuple[exp.Expr, Any]]:
    """What plans may ask of a column, in the words that they ask it in."""
    yield column.present_count, kept.present
    yield count_where(column.missing), rows - kept.present
    yield count_where(exp.not_(column.missing)), kept.present
    aggregates: Mapping[type[exp.AggFunc], Any] = {
        exp.Min: _extreme(column, kept.low),
        exp.Max: _extreme(column, kept.high),
        exp.Sum: _sum(column, kept.total),
        exp.Avg: None if kept.mean is None else _float(kept.mean),
        exp.StddevSamp: kept.stdev,
    }
    for aggregate, value in aggregates.items():
        if value is not None or not kept.present:
            yield aggregate(this=column.key), value
    if kept.present == 1 and kept.squares is not None:
        yield exp.StddevSamp(this=column.key), None


def _sum(column: Column, total: Fraction | None) -> Any:
    if total is None or column.family == "decimal":
        return total
    return int(total) if column.family == "integer" else _float(total)


def _float(value: Fraction) -> float | None:
    try:
        return float(value)
    except OverflowError:
        return None


def _extreme(column: Column, value: Extreme | None) -> Any:
    if value is None or column.family in NUMBERS:
        return value
    try:
        moment = _EPOCH + timedelta(microseconds=int(value))
    except OverflowError:  # a time that Python has not
        return None
    if column.family == "date":
        return moment.date()
    return moment.replace(tzinfo=UTC) if column.family == "zoned timestamp" else moment


def _computed(node: exp.Expr, known: Mapping[str, Any]) -> Any:
    """The value of an expression of known aggregates, null as None; whatever else it holds is not decided."""
    text = node.sql("duckdb")
    if text in known:
        return known[text]
    match node:
        case exp.Null():
            return None
        case exp.Literal() if not node.is_string:
            return node.to_py()
        case exp.Coalesce():
            values = (_computed(each, known) for each in (node.this, *node.expressions))
            return next((value for value in values if value is not None), None)
        case exp.Nullif():
            value = _computed(node.this, known)
            return None if value == _computed(node.expression, known) else value
        case exp.Cast(this=exp.Literal() as literal) if literal.is_string and node.to.this.name in _MOMENTS:
            return datetime.fromisoformat(literal.name)
        case exp.Cast() if node.to.this.name in ("DOUBLE", "TEXT"):
            value = _computed(node.this, known)
            return value if value is None else float(value) if node.to.this.name == "DOUBLE" else _text(value)
        case exp.And() | exp.Div() | exp.GT() | exp.GTE() | exp.LT() | exp.LTE():
            sides = _moment(_computed(node.this, known)), _moment(_computed(node.expression, known))
            return None if None in sides else _OPERATORS[type(node)](*sides)
    raise _UndecidedError


_MOMENTS = ("DATE", "TIMESTAMP", "TIMESTAMPNTZ", "TIMESTAMPTZ")
_OPERATORS: Mapping[type[exp.Expr], Callable[[Any, Any], Any]] = {
    exp.And: lambda one, other: one and other,
    exp.Div: truediv,
    exp.GT: gt,
    exp.GTE: ge,
    exp.LT: lt,
    exp.LTE: le,
}


def _moment(value: Any) -> Any:
    """A date as its midnight, as SQL compares it with a time."""
    return datetime.combine(value, time()) if isinstance(value, date) and not isinstance(value, datetime) else value


def _text(moment: date) -> str:
    """As DuckDB writes it, but for the zone, which is UTC."""
    text = str(moment)
    return text.rstrip("0") if isinstance(moment, datetime) and moment.microsecond and not moment.tzinfo else text
