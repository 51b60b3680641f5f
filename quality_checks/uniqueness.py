"""Expectations that no value, or combination of values, occurs twice.

Uniqueness is proved cheaply, and only what is not unique is counted exactly. These are the dearest checks of all.
CPU seconds and peak RSS for 10M distinct BIGINTs in Parquet (DuckDB 1.5.5, 2 cores), and with memory_limit = 150 MB:

    COUNT(DISTINCT HASH(k))        1.5 s  610 MB   0.8 s  260 MB   any key, since equal keys have equal hashes
    GROUP BY HASH(k), counted      1.5 s  607 MB   0.8 s  260 MB   the same operator within DuckDB: spills alike
    BIT_COUNT(BITSTRING_AGG(k))    0.5 s   67 MB   0.5 s   63 MB   exact, a bit per possible value: dense integers

So bitmaps for dense integers, and hashes for the rest: state grows with the rows, but spills at `memory_limit`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlglot import exp

from quality_checks.arguments import COLUMN, COLUMN_LIST, MOSTLY, Kwargs
from quality_checks.columns import Column, Columns
from quality_checks.counts import count_where, row_count
from quality_checks.expectation import Expectation
from quality_checks.expectation_type import expectation_type
from quality_checks.families import type_name
from quality_checks.plans import tally
from quality_checks.record_rules import OF_MANY, ignoring, judged_if
from quality_checks.relation import Relation
from quality_checks.result import Result

# A bitmap (one per thread) then takes a byte per row at most, where a hash table takes 16 or more.
_BITS_PER_ROW_MAX = 8
_BITS_MAX = 10**9  # DuckDB's own limit for BITSTRING_AGG, which knows no UHUGEINT either
_BITMAP_TYPES = ("TINYINT", "SMALLINT", "INT", "BIGINT", "INT128", "UTINYINT", "USMALLINT", "UINT", "UBIGINT")


@expectation_type("expect_column_values_to_be_unique", COLUMN, MOSTLY)
def unique(kwargs: Kwargs, columns: Columns) -> "UniquePlan":
    """Present values that occur more than once are unexpected, each of them."""
    column = columns[kwargs["column"]]
    return UniquePlan(keys=(column,), judged=column.present_count, judged_if=exp.not_(column.missing))


@expectation_type(
    "expect_compound_columns_to_be_unique",
    COLUMN_LIST,
    ignoring(OF_MANY),
    MOSTLY,
)
def compound_unique(kwargs: Kwargs, columns: Columns) -> "UniquePlan":
    """Rows whose combination of values occurs more than once are unexpected; missing equals missing."""
    keys = tuple(columns[name] for name in kwargs["column_list"])
    only = judged_if(keys, kwargs.get("ignore_row_if") or OF_MANY[0])
    return UniquePlan(keys=keys, judged=row_count() if only is None else count_where(only), judged_if=only)


@dataclass(frozen=True, slots=True, kw_only=True)
class UniquePlan:
    """No two judged rows (counted by `judged`, all when `judged_if` is None) have equal keys."""

    keys: tuple[Column, ...]
    judged: exp.Expr
    judged_if: exp.Expr | None

    @property
    def aggregates(self) -> Sequence[exp.Expr]:
        """Rows, judged rows and, where a bitmap may do, the least and the greatest value."""
        counts = (row_count(), self.judged)
        if len(self.keys) > 1 or type_name(self.keys[0].type) not in _BITMAP_TYPES:
            return counts
        return (*counts, exp.Min(this=self.keys[0].sql), exp.Max(this=self.keys[0].sql))

    def judge(self, expectation: Expectation, answers: Sequence[Any], relation: Relation) -> Result:
        """Return the verdict; asks once for the distinct keys, and once more when they are fewer than the rows."""
        rows, judged, *span = answers
        unexpected = 0 if self._is_proved(judged, span, relation) else self._in_duplicates(relation)
        return tally(expectation, rows=rows, unexpected=unexpected, judged=judged)

    def _is_proved(self, judged: int, span: Sequence[int], relation: Relation) -> bool:
        if judged < 2:
            return True
        if span and span[1] - span[0] + 1 < judged:
            return False  # fewer possible values than rows
        if span and span[1] - span[0] < min(_BITS_PER_ROW_MAX * judged, _BITS_MAX):
            limits = map(exp.Literal.number, span)
            distinct = _call("BIT_COUNT", _call("BITSTRING_AGG", self.keys[0].key, *limits))
        else:
            distinct = exp.Count(this=exp.Distinct(expressions=[_call("HASH", *self._key)]))
        return bool(relation.answer(self._of_judged(relation, distinct)) == (judged,))

    def _in_duplicates(self, relation: Relation) -> int:
        """Count, exactly, the rows whose key another row has too."""
        repeated = exp.GT(this=row_count(), expression=exp.Literal.number(1))
        groups = self._of_judged(relation, row_count()).group_by(*self._key).having(repeated)
        # The count is named in the alias of the subquery, where no column's name can be mistaken for it.
        named = exp.TableAlias(this=exp.to_identifier("groups"), columns=[exp.to_identifier("size")])
        total = exp.func("COALESCE", exp.Sum(this=exp.column("size", "groups")), exp.Literal.number(0))
        return int(relation.answer(exp.select(total).from_(groups.subquery(named)))[0])

    @property
    def _key(self) -> list[exp.Expr]:
        return [column.key for column in self.keys]

    def _of_judged(self, relation: Relation, expression: exp.Expr) -> exp.Select:
        query = relation.select(expression)
        return query if self.judged_if is None else query.where(self.judged_if)


def _call(function: str, *arguments: exp.Expr) -> exp.Expr:
    return exp.Anonymous(this=function, expressions=list(arguments))
