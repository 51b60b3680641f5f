"""Computing a table's state where its rows lie: one scan, and two queries more for each column whose distinct values count.

CPU of 10 million rows of 10 columns in Parquet (DuckDB 1.5.5): 0.8 s, where writing them takes 5.9 s and auditing them by
ten expectations 2.5 s. A sketch of a column takes 4 s more, nearly all of it MD5, or 0.2 to 0.5 s where its values repeat,
for then they are made distinct before they are hashed. So a column is sketched on demand only.
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
from quality_checks.families import NUMBERS, TIMES, type_name
from quality_checks.relation import Relation, UnansweredError
from quality_checks.remote import Remote
from quality_checks.sketch import HASHES, SKETCH_SIZE, Sketch
from quality_checks.state import ColumnState, Extreme, TableState

_SKETCHED = ("integer", "decimal", "text", "boolean", "date", "timestamp", "zoned timestamp")
# DuckDB's sum of these is as narrow as they are, and raises when it overflows.
_UNSUMMED = ("INT128", "UINT128")
_SUMMED_DIGITS_MAX = 28  # of 38, which leaves 10 to 10 billion rows of the greatest value
# DuckDB's approximate count errs by a few per cent; when this is too little, the rest is asked for as well.
_MARGIN = 2
_REPEATS_MIN = 4


def state_of(
    connection: duckdb.DuckDBPyConnection,
    relation: str,
    *,
    distinct: Collection[str] = (),
    through: Remote | None = None,
) -> TableState:
    """Return the state of what may stand after FROM; `distinct` names the columns to sketch, see above for the cost.

    `through`: as for `evaluate`; only sketches then need the rows themselves.

    Raises QualityError when it cannot be read, and for a column that cannot be sketched.
    """
    source = Relation.parse(connection, relation)
    try:
        columns = {name: Column(name=name, type=type) for name, type in source.columns().items()}
        _require(distinct, columns)
        there = source.through(through, {name: column.type for name, column in columns.items()})
        rows, states = _scan(there, tuple(columns.values()))
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
    """Ask for everything; for less when DuckDB's types hold no variance of the floats, or not the sums."""
    for kept in (_everything, _without_squares_of_floats, _counts):
        wanted = [kept(column) for column in columns]
        try:
            rows, *answers = source.answers([row_count(), *(sql for one in wanted for sql in one.values())])
        except UnansweredError:
            if kept is _counts:
                raise
            continue
        left = iter(answers)
        found = [{name: next(left) for name in one} for one in wanted]
        return rows, [_state(column, each) for column, each in zip(columns, found, strict=True)]
    raise AssertionError


def _everything(column: Column) -> dict[str, exp.Expr]:
    found = _counts(column)
    if column.family in NUMBERS:
        number = column.key  # null where it is NaN
        found |= {"low": exp.Min(this=number), "high": exp.Max(this=number.copy())}
        if _is_summed(column):
            found |= {"total": exp.Sum(this=number.copy()), "squares": exp.VariancePop(this=number.copy())}
    elif column.family in TIMES and type_name(column.type) != "TIMESTAMP_NS":
        found |= {"low": _moment(exp.Min(this=column.sql)), "high": _moment(exp.Max(this=column.sql))}
    return found


def _without_squares_of_floats(column: Column) -> dict[str, exp.Expr]:
    found = _everything(column)
    return {name: sql for name, sql in found.items() if name != "squares" or column.family != "float"}


def _counts(column: Column) -> dict[str, exp.Expr]:
    return {"present": column.present_count}


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
    """Hash what repeats once only; of the other hashes, look at those alone that can be among the least."""
    rows, about = source.answer(source.select(exp.Count(this=column.sql), exp.ApproxDistinct(this=column.sql)))
    values = source.select(exp.alias_(_text(column), "v", quoted=True)).where(exp.not_(column.missing))
    if about * _REPEATS_MIN < rows:
        return Sketch.of(_least(source, values.distinct(), None))
    limit = HASHES * _MARGIN * SKETCH_SIZE // max(about, 1)
    found = _least(source, values, limit) if limit < HASHES else ()
    return Sketch.of(found if len(found) >= SKETCH_SIZE else _least(source, values, None))


def _least(source: Relation, values: exp.Select, limit: int | None) -> tuple[int, ...]:
    """The least hashes, of those up to `limit`. DuckDB would compute a limit's hashes before it makes values distinct."""
    value, hash = exp.column("v", quoted=True), exp.column("h", quoted=True)
    hashed = exp.alias_(exp.Anonymous(this="MD5_NUMBER_UPPER", expressions=[value]), "h", quoted=True)
    least = exp.select(hash).distinct().from_(exp.select(hashed).from_(values.subquery("t")).subquery("t"))
    if limit is not None:
        least = least.where(exp.LTE(this=hash.copy(), expression=exp.Literal.number(limit)))
    ordered = least.order_by(hash.copy()).limit(SKETCH_SIZE)
    listed = exp.select(exp.ArrayAgg(this=hash.copy())).from_(ordered.subquery("t"))
    return tuple(source.answer(listed)[0] or ())


def _text(column: Column) -> exp.Expr:
    """The text of a value: of an instant in UTC, whatever the session's time zone."""
    if column.family == "zoned timestamp":
        return exp.cast(exp.AtTimeZone(this=column.sql, zone=exp.Literal.string("UTC")), "TEXT")
    return exp.cast(column.sql, "TEXT")
