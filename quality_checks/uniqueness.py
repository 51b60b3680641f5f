"""Expectations that no value, or combination of values, occurs twice.

Uniqueness is proved cheaply, and only what is not unique is counted exactly: equal keys have equal hashes, so keys are unique
when their hashes differ. These are sorted (see `quality_checks.sorting`), in turns where there are too many. DuckDB's own
DISTINCT does it where rows are too few for that, lie elsewhere, or are so many that each turn's scan would cost more.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlglot import exp

from quality_checks import sorting
from quality_checks.arguments import COLUMN, COLUMN_LIST, MOSTLY, Kwargs
from quality_checks.columns import Column, Columns
from quality_checks.counts import count_where, row_count
from quality_checks.expectation import Expectation
from quality_checks.expectation_type import expectation_type
from quality_checks.plans import tally
from quality_checks.record_rules import OF_MANY, ignoring, judged_if
from quality_checks.relation import Relation
from quality_checks.result import Result

# Each turn scans the key again: in Parquet for a tenth of what DISTINCT costs before it spills, in DuckDB for a thirtieth.
TURNS_MAX = 8


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
        """Rows, judged rows."""
        return (row_count(), self.judged)

    def judge(self, expectation: Expectation, answers: Sequence[Any], relation: Relation) -> Result:
        """Return the verdict; asks for the keys' hashes, and once more when some are equal."""
        rows, judged = answers
        unexpected = 0 if judged < 2 or self._is_proved(judged, relation) else self._in_duplicates(relation)
        return tally(expectation, rows=rows, unexpected=unexpected, judged=judged)

    def _is_proved(self, judged: int, relation: Relation) -> bool:
        turns = -(-judged // sorting.NUMBERS_MAX)
        if relation.sorts(judged) and turns <= TURNS_MAX:
            return self._differ(judged, turns, relation)
        distinct = exp.Count(this=exp.Distinct(expressions=[self._hash]))
        return bool(relation.answer(self._of_judged(relation, distinct)) == (judged,))

    def _differ(self, judged: int, turns: int, relation: Relation) -> bool:
        """Hashes that differ fall into turns of one size, but for chance: a turn that is larger holds equal ones."""
        at_most = judged if turns == 1 else judged // turns * 101 // 100 + 1_000
        differing = 0
        for turn in range(turns):
            query = self._of_judged(relation, self._hash)
            if turns > 1:
                query = query.where(_falls_into(turn, turns, self._hash))
            found = _size_if_all_differ(relation, query, at_most)
            if found is None:
                return False
            differing += found
        return differing == judged

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

    @property
    def _hash(self) -> exp.Expr:
        return exp.Anonymous(this="HASH", expressions=self._key)

    def _of_judged(self, relation: Relation, expression: exp.Expr) -> exp.Select:
        query = relation.select(expression)
        return query if self.judged_if is None else query.where(self.judged_if)


def _falls_into(turn: int, turns: int, hash: exp.Expr) -> exp.Expr:
    return exp.EQ(this=exp.Mod(this=hash, expression=exp.Literal.number(turns)), expression=exp.Literal.number(turn))


def _size_if_all_differ(relation: Relation, query: exp.Select, at_most: int) -> int | None:
    """Apart from the loop over turns, so that one turn's hashes are gone before the next one's come."""
    hashes = relation.numbers(query, at_most=at_most)
    return len(hashes) if hashes is not None and sorting.all_differ(hashes) else None
