"""What is examined: text that may stand after FROM, on a DuckDB connection. The package's only IO."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
from sqlglot import exp
from sqlglot.errors import SqlglotError

from quality_checks.errors import QualityError


class UnansweredError(Exception):
    """DuckDB refused a query; holds the kind of error only, for DuckDB's own message may quote a row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation:
    """A relation that can be asked. Invariant: it stays the same between two questions."""

    connection: duckdb.DuckDBPyConnection
    source: exp.From

    @classmethod
    def parse(cls, connection: duckdb.DuckDBPyConnection, text: str) -> "Relation":
        """Read a table's name, a table function or a subquery; raises QualityError for anything longer."""
        try:
            source = exp.maybe_parse(text, into=exp.From, prefix="FROM", dialect="duckdb")
        except SqlglotError:
            raise QualityError(
                f"{text!r} cannot stand after FROM — give a table, a table function or a (SELECT …)"
            ) from None
        return cls(connection=connection, source=source)

    def columns(self) -> dict[str, str]:
        """Return name -> DuckDB type, in order. Reads no rows."""
        rows = self._fetch(exp.Describe(this=self.select(exp.Star())))
        return {name: type for name, type, *_ in rows}

    def select(self, *expressions: exp.Expr) -> exp.Select:
        """Return SELECT expressions FROM this relation."""
        return exp.select(*expressions).from_(self.source.this.copy())

    def answer(self, query: exp.Select) -> tuple[Any, ...]:
        """Run a query of one row; raises UnansweredError when DuckDB cannot."""
        return self._fetch(query)[0]

    def _fetch(self, query: exp.Expr) -> Sequence[tuple[Any, ...]]:
        try:
            return self.connection.execute(query.sql("duckdb")).fetchall()
        except (duckdb.OperationalError, duckdb.InterruptException):
            raise  # disk, memory, cancelling: not the data's fault, and these messages quote no rows
        except duckdb.Error as error:
            kind = type(error).__name__
        # Raised outside the handler, so that DuckDB's message is not kept as this error's context either.
        raise UnansweredError(kind)
