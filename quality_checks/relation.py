"""What is examined: text that may stand after FROM, on a DuckDB connection. The package's only IO."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeVar

import duckdb
from sqlglot import exp
from sqlglot.errors import SqlglotError

from quality_checks import sorting
from quality_checks.errors import QualityError, nearest
from quality_checks.pushdown import ask, can_ask
from quality_checks.remote import Remote

if TYPE_CHECKING:
    from numpy.typing import NDArray

_Taken = TypeVar("_Taken")


class UnansweredError(Exception):
    """DuckDB refused a query; holds the kind of error only, for DuckDB's own message may quote a row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation:
    """A relation that can be asked. Invariant: it stays the same between two questions.

    `condition` narrows it to some of its rows. `tables` are the others that it may be compared with: name -> what may stand
    after FROM. `remote` is where its rows lie, if they can be asked there, and `types` are its columns' then.
    """

    connection: duckdb.DuckDBPyConnection
    source: exp.From
    condition: exp.Expr | None = None
    tables: Mapping[str, str] = field(default_factory=dict)
    remote: Remote | None = None
    types: Mapping[str, str] = field(default_factory=dict)
    _places: dict[tuple[str, str], dict[int, Any]] = field(default_factory=dict)

    @classmethod
    def parse(
        cls, connection: duckdb.DuckDBPyConnection, text: str, tables: Mapping[str, str] | None = None
    ) -> "Relation":
        """Read a table's name, a table function or a subquery; raises QualityError for anything longer."""
        try:
            source = exp.maybe_parse(text, into=exp.From, prefix="FROM", dialect="duckdb")
        except SqlglotError:
            raise QualityError(
                f"{text!r} cannot stand after FROM — give a table, a table function or a (SELECT …)"
            ) from None
        return cls(connection=connection, source=source, tables=tables or {})

    def where(self, condition: exp.Expr | None) -> "Relation":
        """Return the rows for which `condition` is true; all of them for None."""
        return replace(self, condition=condition)

    def other(self, name: str) -> "Relation":
        """Return one of the tables to compare with; raises QualityError when there is none of that name."""
        if name not in self.tables:
            raise QualityError(f"there is no table '{name}' to compare with — {nearest(name, self.tables)}")
        return self.parse(self.connection, self.tables[name], self.tables)

    def through(self, remote: Remote | None, columns: Mapping[str, str]) -> "Relation":
        """Return the same rows, to be asked where they lie as far as that can be said there."""
        return self if remote is None else replace(self, remote=remote, types=columns)

    def columns(self) -> dict[str, str]:
        """Return name -> DuckDB type, in order. Reads no rows."""
        rows = self._fetch(exp.Describe(this=self.select(exp.Star())))
        return {name: type for name, type, *_ in rows}

    def select(self, *expressions: exp.Expr) -> exp.Select:
        """Return SELECT expressions FROM this relation, of the rows that it is narrowed to."""
        query = exp.select(*expressions).from_(self.source.this.copy())
        return query if self.condition is None else query.where(self.condition.copy())

    def answer(self, query: exp.Select) -> tuple[Any, ...]:
        """Run a query of one row; raises UnansweredError when DuckDB cannot."""
        if self.remote is not None:
            row = ask(self.connection, self.remote, query, self.source.this, self.types)
            if row is not None:
                return row
        return self._fetch(query)[0]

    def in_order(self, ordered: exp.Expr, places: Sequence[int], *, of: int) -> list[Any]:
        """Return the values of a column of `of` present numbers that stand at `places` in their order, from 0.

        Asks once for all that it was not asked before.
        """
        known = self._places.setdefault((ordered.sql("duckdb"), str(self.condition)), {})
        if unknown := sorted(set(places).difference(known)):
            values = self._by_sorting(ordered, unknown, of=of) or self._by_quantiles(ordered, unknown, of=of)
            known |= zip(unknown, values, strict=True)
        return [known[place] for place in places]

    def sorts(self, rows: int) -> bool:
        """Tell whether numbers of so many rows had better be sorted here: where they lie elsewhere, they stay there."""
        return self.remote is None and rows >= sorting.ROWS_MIN

    def numbers(self, query: exp.Select, *, at_most: int) -> "NDArray[Any] | None":
        """Return a query's one column of numbers in order, or None: see `sorted_numbers`. Raises as `answer` does."""
        return self._ask(query, lambda answer: sorting.sorted_numbers(answer, at_most=at_most))

    def answers(self, aggregates: Sequence[exp.Expr]) -> list[Any]:
        """Compute aggregates of all rows in one scan; in two when only some can be asked where the rows lie."""
        found: dict[int, Any] = {}
        places = [at for at, aggregate in enumerate(aggregates) if self.remote and can_ask(aggregate, self.types)]
        if places:
            found |= zip(places, self.answer(self.select(*(aggregates[at] for at in places))), strict=True)
        # Of infinities, Postgres's deviation is NaN where DuckDB refuses: DuckDB is to say so.
        left = [at for at in range(len(aggregates)) if at not in found or found[at] != found[at]]
        if left:
            found |= zip(left, self._fetch(self.select(*(aggregates[at] for at in left)))[0], strict=True)
        return [found[at] for at in range(len(aggregates))]

    def _by_sorting(self, ordered: exp.Expr, places: Sequence[int], *, of: int) -> list[Any]:
        """Return nothing when they are not to be sorted."""
        if not self.sorts(of) or of > sorting.NUMBERS_MAX:
            return []
        present = exp.not_(exp.Is(this=ordered.copy(), expression=exp.null()))
        numbers = self.numbers(self.select(ordered.copy()).where(present), at_most=of)
        return [] if numbers is None or len(numbers) != of else list(numbers[places].tolist())

    def _by_quantiles(self, ordered: exp.Expr, places: Sequence[int], *, of: int) -> list[Any]:
        # QUANTILE_DISC takes the value in whose middle we ask.
        shares = [exp.Literal.number(format(Decimal(repr((place + 0.5) / of)), "f")) for place in places]
        call = exp.Anonymous(this="QUANTILE_DISC", expressions=[ordered.copy(), exp.Array(expressions=shares)])
        (values,) = self.answer(self.select(call))
        return list(values)

    def _fetch(self, query: exp.Expr) -> Sequence[tuple[Any, ...]]:
        return self._ask(query, lambda answer: answer.fetchall())

    def _ask(self, query: exp.Expr, take: Callable[[duckdb.DuckDBPyConnection], _Taken]) -> _Taken:
        try:
            return take(self.connection.execute(query.sql("duckdb")))
        except RecursionError:  # a tree too deep to be written down
            kind = "RecursionError"
        except (duckdb.OperationalError, duckdb.InterruptException):
            raise  # disk, memory, cancelling: not the data's fault, and these messages quote no rows
        except duckdb.Error as error:
            kind = type(error).__name__
        # Raised outside the handler, so that DuckDB's message is not kept as this error's context either.
        raise UnansweredError(kind)
