"""Where we decide otherwise than GX, on purpose: each with its reason, and with the test that holds it."""

from collections.abc import Callable
from dataclasses import dataclass

from quality_checks import Expectation, Result

Applies = Callable[[Expectation, Result, Result], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A difference that is meant: `applies` to an expectation, our result and GX's; `test` is a test's name."""

    reason: str
    test: str
    applies: Applies


def _sum_of_nothing(rule: Expectation, ours: Result, gxs: Result) -> bool:
    return rule.type == "expect_column_sum_to_be_between" and ours.observed_value is None and gxs.observed_value == 0


def _nothing_is_counted(rule: Expectation, ours: Result, gxs: Result) -> bool:
    return ours.element_count == gxs.element_count == ours.unexpected_count == 0 and gxs.unexpected_count is None


def _first_place(rule: Expectation, ours: Result, gxs: Result) -> bool:
    return rule.type == "expect_column_to_exist" and rule.kwargs.get("column_index") == 0 and not ours.success


def _spread_of_infinities(rule: Expectation, ours: Result, gxs: Result) -> bool:
    return rule.type == "expect_column_stdev_to_be_between" and ours.success is gxs.success is False


def _pairs_under_condition(rule: Expectation, ours: Result, gxs: Result) -> bool:
    return rule.type == "expect_column_pair_values_to_be_in_set" and "row_condition" in rule.kwargs


DECISIONS: dict[str, Decision] = {
    "the sum of nothing": Decision(
        reason="a sum of no values has none, as in SQL and in GX's own SQL engine; GX on pandas says 0",
        test="test_the_sum_of_nothing_has_no_value",
        applies=_sum_of_nothing,
    ),
    "no rows are counted as 0": Decision(
        reason="GX on SQLite reports no count of unexpected rows (SUM over nothing is NULL) where GX on pandas says 0",
        test="test_no_rows_are_counted_as_0",
        applies=_nothing_is_counted,
    ),
    "the first place is a place": Decision(
        reason="GX reads column_index=0 as no index, so that any place will do; we check the place that is written",
        test="test_the_first_place_is_a_place",
        applies=_first_place,
    ),
    "pairs of a set under a condition": Decision(
        reason="GX 1.24.1 judges pairs of all rows, and counts those of the row_condition: we judge what we count",
        test="test_pairs_of_a_set_are_judged_under_their_condition",
        applies=_pairs_under_condition,
    ),
    "the spread of infinities": Decision(
        reason="infinity has no distance to a mean: both fail, GX without a word and we with an error that says so",
        test="test_the_spread_of_infinities_is_an_error",
        applies=_spread_of_infinities,
    ),
}


def decision_on(rule: Expectation, ours: Result, gxs: Result) -> str | None:
    """Return the name of the decision that explains a difference; None when there is none."""
    return next((name for name, decision in DECISIONS.items() if decision.applies(rule, ours, gxs)), None)
