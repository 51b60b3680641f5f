"""How a relation is asked about an expectation, and its answers judged. Knows no expectation by name."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sqlglot import exp

from quality_checks.bounds import Bounds
from quality_checks.counts import count_where, row_count
from quality_checks.expectation import Expectation
from quality_checks.relation import Relation
from quality_checks.result import Result


class Plan(Protocol):
    """One expectation, ready to be asked."""

    @property
    def aggregates(self) -> Sequence[exp.Expr]:
        """What the one scan that all expectations share computes for it: no DISTINCT, no windows."""

    def judge(self, expectation: Expectation, answers: Sequence[Any], relation: Relation) -> Result:
        """Return the verdict from the answers to `aggregates`; may ask the relation more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowPlan:
    """Every row is judged by itself: `unexpected` is true for those that fail, false or null for the others.

    `judged` counts the rows that are judged; None when missing values are judged too.
    """

    unexpected: exp.Expr
    judged: exp.Expr | None

    @property
    def aggregates(self) -> Sequence[exp.Expr]:
        """Rows, unexpected rows, judged rows."""
        counts = (row_count(), count_where(self.unexpected))
        return counts if self.judged is None else (*counts, self.judged)

    def judge(self, expectation: Expectation, answers: Sequence[Any], relation: Relation) -> Result:
        """Return the verdict; asks nothing more."""
        rows, unexpected, *judged = answers
        return tally(expectation, rows=rows, unexpected=unexpected, judged=judged[0] if judged else None)


@dataclass(frozen=True, slots=True, kw_only=True)
class AggregatePlan:
    """One aggregate of the whole relation must lie within bounds."""

    aggregate: exp.Expr
    bounds: Bounds

    @property
    def aggregates(self) -> Sequence[exp.Expr]:
        """The one aggregate."""
        return (self.aggregate,)

    def judge(self, expectation: Expectation, answers: Sequence[Any], relation: Relation) -> Result:
        """Return the verdict; asks nothing more."""
        return within(expectation, answers[0], self.bounds)


@dataclass(frozen=True, slots=True, kw_only=True)
class MetPlan:
    """The relation itself says whether the expectation is met; where there is nothing to judge it says null: not met."""

    met: exp.Expr
    observed: exp.Expr

    @property
    def aggregates(self) -> Sequence[exp.Expr]:
        """The verdict, and what it is about."""
        return (self.met, self.observed)

    def judge(self, expectation: Expectation, answers: Sequence[Any], relation: Relation) -> Result:
        """Return the verdict; asks nothing more."""
        met, observed = answers
        return Result(expectation=expectation, success=met is True, observed_value=observed)


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderPlan:
    """Some of the `present` values of `ordered`, by their place in the order (from 0), tell the `verdict`.

    Plans that order the same are answered by one query, see `Relation.in_order`. Where nothing is present, nothing is met.
    """

    ordered: exp.Expr
    present: exp.Expr
    places: Callable[[int], Sequence[int]]
    verdict: Callable[[Expectation, Sequence[Any]], Result]

    @property
    def aggregates(self) -> Sequence[exp.Expr]:
        """Present values."""
        return (self.present,)

    def judge(self, expectation: Expectation, answers: Sequence[Any], relation: Relation) -> Result:
        """Return the verdict; asks once, and for nothing when there are no values."""
        (present,) = answers
        if not present:
            return Result(expectation=expectation, success=False)
        return self.verdict(expectation, relation.in_order(self.ordered, self.places(present), of=present))


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownPlan:
    """What the columns alone tell."""

    success: bool
    observed: int | str

    @property
    def aggregates(self) -> Sequence[exp.Expr]:
        """Nothing."""
        return ()

    def judge(self, expectation: Expectation, answers: Sequence[Any], relation: Relation) -> Result:
        """Return the verdict; asks nothing."""
        return Result(expectation=expectation, success=self.success, observed_value=self.observed)


def within(expectation: Expectation, observed: Any, bounds: Bounds) -> Result:
    """Judge an aggregate: null and NaN, which is what there is of nothing, lie within no bounds."""
    known = observed is not None and observed == observed
    value = observed if known and isinstance(observed, int) else float(observed) if known else None
    return Result(expectation=expectation, success=known and bounds.contain(observed), observed_value=value)


def tally(expectation: Expectation, *, rows: int, unexpected: int, judged: int | None) -> Result:
    """Judge counts as GX does: `mostly` is a share of the judged rows, or of all rows when `judged` is None.

    Where no row is judged, the expectation is met.
    """
    base = rows if judged is None else judged
    mostly = expectation.kwargs.get("mostly")
    return Result(
        expectation=expectation,
        success=base == 0 or (base - unexpected) / base >= (1 if mostly is None else mostly),
        element_count=rows,
        missing_count=None if judged is None else rows - judged,
        unexpected_count=unexpected,
        unexpected_percent=unexpected / base * 100 if base else None,
    )
