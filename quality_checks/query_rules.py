"""Expectations with a query of their own: free SQL over the batch, and comparisons with another table."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlglot import exp, parse
from sqlglot.errors import SqlglotError

from quality_checks.arguments import COLUMN, MOSTLY, Argument, Kwargs
from quality_checks.columns import Column, Columns
from quality_checks.counts import row_count
from quality_checks.errors import QualityError
from quality_checks.expectation import Expectation
from quality_checks.expectation_type import expectation_type, schema_type
from quality_checks.plans import tally
from quality_checks.relation import Relation
from quality_checks.result import Result

_BATCH = "the_batch_in_question"
_MEND = "write one SELECT over {batch}"


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and value.strip() != ""


_OTHER = Argument(name="other_table_name", wants="another table's name", accepts=_is_text, required=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnexpectedRowsPlan:
    """A SELECT whose rows are those that should not be there."""

    query: exp.Query

    @property
    def aggregates(self) -> Sequence[exp.Expr]:
        """Nothing that the shared scan computes."""
        return ()

    def judge(self, expectation: Expectation, answers: Sequence[Any], relation: Relation) -> Result:
        """Return the verdict; asks once."""
        batch = relation.select(exp.Star())
        asked = exp.select(row_count()).from_(self.query.copy().subquery("unexpected")).with_(_BATCH, as_=batch)
        (found,) = relation.answer(asked)
        return Result(expectation=expectation, success=found == 0, observed_value=found)


@schema_type(
    "unexpected_rows_expectation",
    Argument(name="unexpected_rows_query", wants="a SELECT over {batch}", accepts=_is_text, required=True),
)
def unexpected_rows(kwargs: Kwargs, columns: Columns) -> UnexpectedRowsPlan:
    """The SELECT finds no row in `{batch}`, the only table that it may read."""
    text = kwargs["unexpected_rows_query"]
    try:
        statements = parse(text.replace("{batch}", _BATCH), dialect="duckdb")
    except (SqlglotError, RecursionError):
        raise QualityError(f"'unexpected_rows_query' is no SQL of DuckDB — {_MEND}") from None
    if len(statements) != 1 or not isinstance(statements[0], exp.Query):
        raise QualityError(f"'unexpected_rows_query' is not one SELECT — {_MEND}")
    if all(table.name.casefold() != _BATCH for table in statements[0].find_all(exp.Table)):
        raise QualityError(f"'unexpected_rows_query' does not read the batch — {_MEND}")
    _require_only_the_batch(statements[0])
    return UnexpectedRowsPlan(query=statements[0])


def _require_only_the_batch(query: exp.Query) -> None:
    """Invariant: whatever else can be read from is refused, so that a rule reaches no file and no other table."""
    for node in query.walk():
        if isinstance(node, exp.Table):
            if not _is_the_batch(node):
                raise QualityError(f"'unexpected_rows_query' reads something else than the batch — {_MEND}")
        elif isinstance(node, exp.From | exp.Join | exp.Lateral) and not isinstance(
            node.this, exp.Table | exp.Subquery | exp.Unnest | exp.Values
        ):
            raise QualityError(f"'unexpected_rows_query' reads something else than the batch — {_MEND}")
        elif isinstance(node, exp.DML | exp.DDL | exp.Command | exp.Into):
            raise QualityError(f"'unexpected_rows_query' does more than read — {_MEND}")
        elif isinstance(node, exp.With) and node.recursive:
            raise QualityError(f"'unexpected_rows_query' is recursive, and may never end — {_MEND}")
        elif isinstance(node, exp.Func) and _name(node).startswith(_REACHING):
            raise QualityError(f"'unexpected_rows_query' calls {_name(node)}, which reaches outside — {_MEND}")


def _is_the_batch(table: exp.Table) -> bool:
    """Tell whether a table is the batch, or made of it by a WITH that is in force where the table stands."""
    if not isinstance(table.this, exp.Identifier) or table.args.get("db"):
        return False
    name = table.name.casefold()
    return name == _BATCH or name in {cte.alias.casefold() for cte in _in_force(table)}


def _in_force(node: exp.Expr) -> Iterator[exp.Expr]:
    """From within outwards; of the WITH that a node itself stands in, only what precedes it."""
    while (around := node.parent) is not None:
        if isinstance(around, exp.With):
            yield from around.expressions[: around.expressions.index(node)]
        elif (named := around.args.get("with_")) is not None and named is not node:
            yield from named.expressions
        node = around


def _name(call: exp.Func) -> str:
    return (call.name if isinstance(call, exp.Anonymous) else call.sql_name()).lower()


_REACHING = (
    "read_",
    "query",
    "getenv",
    "getvariable",
    "current_setting",
    "postgres_",
    "duckdb_",
    "pragma_",
    "sniff_",
    "glob",
    "nextval",
    "next_value",
    "currval",
    "setseed",
    "sleep_ms",
    "pg_",
    "write_log",
    "stats",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SameCountPlan:
    """Another table has as many rows."""

    other: str

    @property
    def aggregates(self) -> Sequence[exp.Expr]:
        """Rows."""
        return (row_count(),)

    def judge(self, expectation: Expectation, answers: Sequence[Any], relation: Relation) -> Result:
        """Return the verdict; asks the other table once."""
        other = relation.other(self.other)
        (theirs,) = other.answer(other.select(row_count()))
        return Result(expectation=expectation, success=answers[0] == theirs, observed_value=[answers[0], theirs])


@expectation_type("expect_table_row_count_to_equal_other_table", _OTHER)
def same_count(kwargs: Kwargs, columns: Columns) -> SameCountPlan:
    """The other table has as many rows."""
    return SameCountPlan(other=kwargs["other_table_name"])


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferencePlan:
    """Each present value occurs in a column of another table."""

    column: Column
    other: str
    other_column: str

    @property
    def aggregates(self) -> Sequence[exp.Expr]:
        """Rows, present values."""
        return (row_count(), self.column.present_count)

    def judge(self, expectation: Expectation, answers: Sequence[Any], relation: Relation) -> Result:
        """Return the verdict; asks once."""
        rows, present = answers
        other = relation.other(self.other)
        theirs = exp.column(self.other_column, quoted=True)
        known = other.select(theirs).where(exp.not_(exp.Is(this=theirs.copy(), expression=exp.null())))
        absent = exp.not_(exp.In(this=self.column.sql, query=known.subquery()))
        asked = relation.select(row_count()).where(exp.and_(exp.not_(self.column.missing), absent))
        (unexpected,) = relation.answer(asked)
        return tally(expectation, rows=rows, unexpected=unexpected, judged=present)


@expectation_type(
    "expect_column_values_to_exist_in_other_table",
    COLUMN,
    _OTHER,
    Argument(name="other_column", wants="a column of that table", accepts=_is_text, required=True),
    MOSTLY,
)
def exists_in_other(kwargs: Kwargs, columns: Columns) -> ReferencePlan:
    """Values that do not occur in the other table's column are unexpected. Ours: GX has no such type."""
    return ReferencePlan(
        column=columns[kwargs["column"]], other=kwargs["other_table_name"], other_column=kwargs["other_column"]
    )
