"""Computing a table's state where its rows lie: one scan, and one query more for each column whose distinct values count.

CPU per value (DuckDB 1.5.5, one core of two, in memory): count, sum, sum of squares and both extremes 10 ns together; MD5
360 ns. So a column is only sketched on demand, and values that repeat are made distinct before they are hashed.
"""

from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from math import isfinite
from typing import Any

import duckdb
from sqlglot import exp

from quality_checks.columns import Column
from quality_checks.counts import row_count
from quality_checks.errors import QualityError, nearest
from quality_checks.families import type_name
from quality_checks.relation import Relation, UnansweredError
from quality_checks.sketch import HASHES, SKETCH_SIZE, Sketch
from quality_checks.state import ColumnState, Extreme, TableState

_NUMBERS = ("integer", "float", "decimal")
_TIMES = ("date", "timestamp", "zoned timestamp")
_SKETCHED = ("integer", "decimal", "text", "boolean", "date", "timestamp", "zoned timestamp")
# DuckDB's sum of these is as narrow as they are, and raises when it overflows.
_UNSUMMED = ("INT128", "UINT128")
_SUMMED_DIGITS_MAX = 28  # of 38, which leaves 10 to 10 billion rows of the greatest value
# DuckDB's approximate count errs by a few per cent; when this is too little, the rest is asked for as well.
_MARGIN = 2
_REPEATS_MIN = 4


def state_of(connection: duckdb.DuckDBPyConnection, relation: str, *, distinct: Collection[str] = ()) -> TableState:
    """Return the state of what may stand after FROM; `distinct` names the columns to sketch, see above for the cost.

    Raises QualityError when it cannot be read, and for a column that cannot be sketched.
    """
    source = Relation.parse(connection, relation)
    try:
        columns = {name: Column(name=name, type=type) for name, type in source.columns().items()}
        _require(distinct, columns)
        rows, states = _scan(source, tuple(columns.values()))
        sketches = {name: _sketch(source, columns[name]) for name in distinct}
    except UnansweredError as error:
        text = source.source.this.sql("duckdb")
        raise QualityError(f"{text} cannot be read ({error}) — see that it exists and can be selected from") from None
    kept = {
        column.name: ColumnState(type=column.type, sketch=sketches.get(column.name), **state)
        for column, state in zip(columns.values(), states, strict=True)
    }
    return TableState(rows=rows, columns=kept)


def _require(names: Collection[str], columns: Mapping[str, Column]) -> None:
    for name in names:
        if name not in columns:
            raise QualityError(f"there is no column '{name}' — {nearest(name, columns)}")
        if columns[name].family not in _SKETCHED:
            what = f"column '{name}' is {columns[name].type}, which has no text that every engine writes alike"
            raise QualityError(f"{what} — sketch text, whole numbers, decimals, dates or times")


def _scan(source: Relation, columns: Sequence[Column]) -> tuple[int, list[dict[str, Any]]]:
    """Ask for everything; for less when the numbers are too great for a variance or a sum in DuckDB's types."""
    for dropped in ((), ("squares",)):
        wanted = [_wanted(column, dropped) for column in columns]
        try:
            rows, *answers = source.answer(source.select(row_count(), *(sql for one in wanted for sql in one.values())))
        except UnansweredError:
            continue
        left = iter(answers)
        return rows, [
            _state(column, {name: next(left) for name in one}) for column, one in zip(columns, wanted, strict=True)
        ]
    wanted = [{"present": column.present_count} for column in columns]
    rows, *answers = source.answer(source.select(row_count(), *(one["present"] for one in wanted)))
    return rows, [{"present": present} for present in answers]


def _wanted(column: Column, dropped: Collection[str]) -> dict[str, exp.Expr]:
    found = {"present": column.present_count}
    if column.family in _NUMBERS:
        number = column.key  # null where it is NaN
        found |= {"low": exp.Min(this=number), "high": exp.Max(this=number.copy())}
        if _is_summed(column):
            found |= {"total": exp.Sum(this=number.copy()), "squares": exp.VariancePop(this=number.copy())}
    elif column.family in _TIMES and type_name(column.type) != "TIMESTAMP_NS":
        found |= {"low": _moment(exp.Min(this=column.sql)), "high": _moment(exp.Max(this=column.sql))}
    return {name: sql for name, sql in found.items() if name not in dropped}


def _is_summed(column: Column) -> bool:
    if column.family == "decimal":
        digits = exp.DataType.build(column.type, dialect="duckdb").expressions[0].this.to_py()
        return bool(digits <= _SUMMED_DIGITS_MAX)
    return type_name(column.type) not in _UNSUMMED


def _moment(extreme: exp.Expr) -> exp.Expr:
    """Microseconds since 1970; null for an infinite time, which Python has not."""
    finite = exp.Anonymous(this="ISFINITE", expressions=[extreme])
    return exp.case().when(finite, exp.Anonymous(this="EPOCH_US", expressions=[extreme.copy()]))


def _state(column: Column, found: Mapping[str, Any]) -> dict[str, Any]:
    """Keep what is finite; `squares` comes as the variance, which DuckDB computes without cancellation."""
    present = found["present"]
    state: dict[str, Any] = {"present": present}
    if not present:
        return state
    state |= {name: _finite(found.get(name)) for name in ("low", "high")}
    total, variance = _finite(found.get("total")), _finite(found.get("squares"))
    if total is not None:
        state["total"] = Fraction(total)
    if total is not None and variance is not None:
        state["squares"] = Fraction(variance) * present + Fraction(total) ** 2 / present
    return state


def _finite(value: Extreme | None) -> Extreme | None:
    return value if isinstance(value, int | float | Decimal) and isfinite(value) else None


def _sketch(source: Relation, column: Column) -> Sketch:
    """Hash what repeats once only; of the hashes, look at those alone that can be among the least."""
    rows, about = source.answer(source.select(exp.Count(this=column.sql), exp.ApproxDistinct(this=column.sql)))
    text = _text(column)
    values = source.select(exp.alias_(text, "v", quoted=True)).where(exp.not_(column.missing))
    if about * _REPEATS_MIN < rows:
        values = values.distinct()
    limit = HASHES * _MARGIN * SKETCH_SIZE // max(about, 1)
    found = _least(source, values, limit) if limit < HASHES else ()
    return Sketch.of(found if len(found) >= SKETCH_SIZE else _least(source, values, HASHES - 1))


def _least(source: Relation, values: exp.Select, limit: int) -> tuple[int, ...]:
    hash = exp.Anonymous(this="MD5_NUMBER_UPPER", expressions=[exp.column("v", quoted=True)])
    hashes = exp.select(exp.alias_(hash, "h", quoted=True)).from_(values.subquery("t"))
    below = exp.LTE(this=exp.column("h", quoted=True), expression=exp.Literal.number(limit))
    least = exp.select(exp.column("h", quoted=True)).distinct().from_(hashes.subquery("t")).where(below)
    ordered = least.order_by(exp.column("h", quoted=True)).limit(SKETCH_SIZE)
    listed = exp.select(exp.ArrayAgg(this=exp.column("h", quoted=True))).from_(ordered.subquery("t"))
    return tuple(source.answer(listed)[0] or ())


def _text(column: Column) -> exp.Expr:
    """The text of a value: of an instant in UTC, whatever the session's time zone."""
    if column.family == "zoned timestamp":
        return exp.cast(exp.AtTimeZone(this=column.sql, zone=exp.Literal.string("UTC")), "TEXT")
    return exp.cast(column.sql, "TEXT")
