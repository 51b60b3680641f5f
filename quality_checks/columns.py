"""A column as an expectation sees it: its name in SQL, what is missing in it, and its literals."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, time
from decimal import Decimal
from fractions import Fraction
from typing import Any

from sqlglot import exp

from quality_checks.counts import count_where
from quality_checks.errors import QualityError
from quality_checks.families import WANTED, Family, Value, family_of, integer_range, read_value, type_name


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of the relation; `type` is a DuckDB type. Every property gives a fresh tree."""

    name: str
    type: str

    @property
    def family(self) -> Family:
        """What kind of values it holds."""
        return family_of(self.type)

    @property
    def sql(self) -> exp.Expr:
        """The column itself; quoted, so that dots, quotes and reserved words are only characters of its name."""
        return exp.column(self.name, quoted=True)

    @property
    def compared(self) -> exp.Expr:
        """The column as literals are compared with it: enums, UUIDs and JSON as their text."""
        return exp.cast(self.sql, "TEXT") if type_name(self.type) in ("ENUM", "UUID", "JSON") else self.sql

    @property
    def missing(self) -> exp.Expr:
        """True for null, and for NaN as pandas has it; else false, never null."""
        null = exp.Is(this=self.sql, expression=exp.null())
        return exp.or_(null, exp.IsNan(this=self.sql)) if self.family == "float" else null

    @property
    def present_count(self) -> exp.Expr:
        """Aggregate: the number of rows in which it is not missing."""
        if self.family == "float":
            return count_where(exp.not_(exp.IsNan(this=self.sql)))
        return exp.Count(this=self.sql)

    @property
    def key(self) -> exp.Expr:
        """The column as part of a key, in which NaN and null are one missing value."""
        if self.family == "float":
            return exp.Nullif(this=self.sql, expression=self._cast("nan", self.type))
        return self.sql

    def read(self, value: Any) -> Value:
        """Return a JSON value as the column holds it; raises QualityError when the two cannot be compared."""
        if self.family == "other":
            raise QualityError(
                f"column '{self.name}' is {self.type}, which has no literals — check nulls or uniqueness"
            )
        known = read_value(self.family, value)
        if known is None:
            raise QualityError(
                f"column '{self.name}' is {self.type}, not to be compared with {value!r} — give {WANTED[self.family]}"
            )
        return known

    def literal(self, value: Value) -> exp.Expr:
        """Return a value that `read` gave as a literal, exact in the column's own type."""
        if isinstance(value, datetime):
            return self._moment(value)
        if isinstance(value, bool):
            return exp.convert(value)
        if isinstance(value, str):
            return exp.Literal.string(value)
        if self.family == "float":
            # A bare 0.1 is a DECIMAL or a DOUBLE to DuckDB, and no FLOAT equals it.
            return self._cast(repr(float(value)), self.type)
        if self._is_beyond(value):  # all the same
            return self._cast("-infinity" if value < 0 else "infinity", "DOUBLE")
        if type_name(self.type) == "UINT128":  # whose greatest literals are DOUBLEs to DuckDB
            return self._cast(str(int(value)), self.type)
        return exp.Literal.number(format(value if isinstance(value, Decimal) else Decimal(repr(value)), "f"))

    def may_hold(self, value: Value) -> bool:
        """Tell whether a value that `read` gave can occur: no fraction in an integer, no more digits than there is room for."""
        if self.family not in ("integer", "decimal") or not isinstance(value, int | float | Decimal):
            return True
        return not self._is_beyond(value) and (Fraction(str(value)) * 10**self.scale).denominator == 1

    @property
    def scale(self) -> int:
        """The digits after the point of a number that is exact."""
        return self._digits[1]

    @property
    def _digits(self) -> tuple[int, int]:
        if self.family != "decimal":
            return 39, 0
        given = [part.this.to_py() for part in exp.DataType.build(self.type, dialect="duckdb").expressions]
        return (given[0], given[1]) if len(given) == 2 else (18, 3)  # what DuckDB means by a bare DECIMAL

    def _is_beyond(self, value: int | float | Decimal) -> bool:
        """Tell whether an exact number's type has no room for a value: DuckDB could not cast it, or only to a DOUBLE."""
        if self.family == "integer":
            low, high = integer_range(self.type)
            return not low <= value <= high
        width, scale = self._digits
        return self.family == "decimal" and abs(Fraction(str(value))) >= 10 ** (width - scale)

    def _moment(self, value: datetime) -> exp.Expr:
        if self.family == "date" and value.time() == time():
            return self._cast(value.date().isoformat(), "DATE")
        return self._cast(value.isoformat(sep=" "), "TIMESTAMPTZ" if value.tzinfo else "TIMESTAMP")

    def require(self, *families: Family, doing: str) -> None:
        """Raise QualityError when it holds none of these."""
        if self.family not in families:
            raise QualityError(f"column '{self.name}' is {self.type}, not {' or '.join(families)} — {doing}")

    @staticmethod
    def _cast(text: str, type: str) -> exp.Expr:
        return exp.cast(exp.Literal.string(text), type, dialect="duckdb")


@dataclass(frozen=True, slots=True)
class Columns(Mapping[str, Column]):
    """All columns of a relation by name, in order; each is made when it is asked for."""

    types: Mapping[str, str]

    def __getitem__(self, name: str) -> Column:
        return Column(name=name, type=self.types[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self.types)

    def __len__(self) -> int:
        return len(self.types)
