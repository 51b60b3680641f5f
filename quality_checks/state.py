"""What is kept of a part of a table so that the whole can be judged without reading it again. Pure: runs no query.

The idea is Deequ's (Schelter et al., "Automating large-scale data quality verification", PVLDB 2018): figures of two parts
add up to those of both. Sums are fractions, so that merging rounds nothing and the order of merging changes nothing.
Absent on purpose: the least and greatest text and any other value of a row but those of numbers and times; quantiles.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from fractions import Fraction
from functools import reduce
from math import sqrt

from quality_checks.errors import QualityError
from quality_checks.sketch import Sketch

# A date or a time is its microseconds since 1970-01-01T00:00, in UTC where it has a zone.
Extreme = int | float | Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnState:
    """One column of some rows; `type` is its DuckDB type, `present` the rows in which it is neither null nor NaN.

    Of no present value there is no `total`, `squares` (the sum of the values' squares), `low` or `high`. Where there are
    present values, None says that it was not kept: of text, of infinities, of sums that no DuckDB type holds.
    """

    type: str
    present: int = 0
    total: Fraction | None = None
    squares: Fraction | None = None
    low: Extreme | None = None
    high: Extreme | None = None
    sketch: Sketch | None = None

    def merge(self, other: "ColumnState") -> "ColumnState":
        """Return the column of both parts' rows."""
        if not (self.present and other.present):
            return replace(self if self.present else other, sketch=_both(self.sketch, other.sketch))
        return ColumnState(
            type=self.type,
            present=self.present + other.present,
            total=None if self.total is None or other.total is None else self.total + other.total,
            squares=None if self.squares is None or other.squares is None else self.squares + other.squares,
            low=None if self.low is None or other.low is None else min(self.low, other.low),
            high=None if self.high is None or other.high is None else max(self.high, other.high),
            sketch=_both(self.sketch, other.sketch),
        )

    @property
    def mean(self) -> Fraction | None:
        """The mean of the present values."""
        return self.total / self.present if self.total is not None and self.present else None

    @property
    def stdev(self) -> float | None:
        """The sample's standard deviation, as SQL's STDDEV_SAMP; of fewer than two values there is none."""
        if self.squares is None or self.total is None or self.present < 2:
            return None
        variance = (self.squares - self.total * self.total / self.present) / (self.present - 1)
        return sqrt(variance) if variance > 0 else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TableState:
    """Some rows of a table, with its columns in order."""

    rows: int = 0
    columns: Mapping[str, ColumnState] = field(default_factory=dict)

    def nulls(self, column: str) -> int:
        """Return the number of rows in which a column is null or NaN."""
        return self.rows - self.columns[column].present


def merge(one: TableState, other: TableState) -> TableState:
    """Return the state of both parts' rows; associative and commutative. QualityError when their columns differ."""
    types, others = _types(one), _types(other)
    if types != others:
        name = next(name for name in {**types, **others} if types.get(name) != others.get(name))
        what = f"column '{name}' is {others.get(name, 'absent')} in one part and {types.get(name, 'absent')} in another"
        raise QualityError(f"{what} — take the states of parts that have the same columns")
    columns = {name: column.merge(other.columns[name]) for name, column in one.columns.items()}
    return TableState(rows=one.rows + other.rows, columns=columns)


def merged(states: Iterable[TableState]) -> TableState:
    """Return the state of one or more parts together; raises ValueError for none, of which no columns are known."""
    known = list(states)
    if not known:
        raise ValueError("a state needs at least one part")
    return reduce(merge, known)


def _types(state: TableState) -> dict[str, str]:
    return {name: column.type for name, column in state.columns.items()}


def _both(one: Sketch | None, other: Sketch | None) -> Sketch | None:
    return None if one is None or other is None else one.merge(other)
