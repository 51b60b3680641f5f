"""The different values of a column: which they are, how many, and which occurs most. What is observed is a number of them."""

from collections.abc import Callable
from typing import Any

import pytest

from quality_checks import Expectation, Result, falls_back

Verdict = Callable[..., Result]

NAN = float("nan")
IN_SET = "expect_column_distinct_values_to_be_in_set"
CONTAIN = "expect_column_distinct_values_to_contain_set"
EQUAL = "expect_column_distinct_values_to_equal_set"
COUNT = "expect_column_unique_value_count_to_be_between"
SHARE = "expect_column_proportion_of_unique_values_to_be_between"
COMMON = "expect_column_most_common_value_to_be_in_set"


@pytest.mark.parametrize(
    ("members", "in_set", "contain", "equal"),
    [
        (["a", "b"], True, True, True),
        (["b", "a", "a", None], True, True, True),
        (["a", "b", "c"], True, False, False),
        (["a"], False, True, False),
        (["c"], False, False, False),
    ],
)
def test_different_values_are_compared_with_a_set(
    verdict: Verdict, members: list[Any], in_set: bool, contain: bool, equal: bool
) -> None:
    values = ["a", "b", "a", None]
    results = [verdict("VARCHAR", values, type, value_set=members) for type in (IN_SET, CONTAIN, EQUAL)]
    assert [result.success for result in results] == [in_set, contain, equal]
    assert [result.observed_value for result in results] == [2, 2, 2]


@pytest.mark.parametrize("values", [[], [None, None]])
def test_nothing_is_in_every_set_and_contains_none(verdict: Verdict, values: list[Any]) -> None:
    results = [verdict("VARCHAR", values, type, value_set=["a"]) for type in (IN_SET, CONTAIN, EQUAL, COMMON)]
    assert [result.success for result in results] == [True, False, False, False]


@pytest.mark.parametrize(
    ("type", "values", "members"),
    [
        ("DOUBLE", [0.0, -0.0, NAN, None], [0]),
        ("FLOAT", [0.1, 0.1], [0.1]),
        ("INTEGER", [1, 2], [1, 2.0]),
        ("HUGEINT", [str(2**127 - 1)], [2**127 - 1]),
        ("UHUGEINT", [str(2**128 - 1), "0"], [2**128 - 1, 0]),
        ("DECIMAL(38,0)", ["9" * 38], [10**38 - 1]),
        ("DECIMAL(4,2)", ["1.5"], [1.50]),
        ("BOOLEAN", [True], [True]),
        ("DATE", ["2026-01-01"], ["2026-01-01"]),
        ("TIMESTAMPTZ", ["2026-01-01 01:00:00+01"], ["2026-01-01T00:00:00Z"]),
        ("UUID", ["0" * 32], ["00000000-0000-0000-0000-000000000000"]),
        ("ENUM('a', 'b')", ["a"], ["a"]),
    ],
)
def test_each_family_is_compared_as_itself(verdict: Verdict, type: str, values: list[Any], members: list[Any]) -> None:
    for rule in (IN_SET, CONTAIN, EQUAL, COMMON):
        result = verdict(type, values, rule, value_set=members, **({"ties_okay": True} if rule == COMMON else {}))
        assert (result.success, result.error) == (True, None)


def test_a_member_that_the_column_cannot_hold_is_not_contained(verdict: Verdict) -> None:
    for type, beyond in (("INTEGER", 0.5), ("TINYINT", 300), ("DECIMAL(4,2)", 1e30), ("DECIMAL(4,2)", 0.005)):
        assert verdict(type, [1], IN_SET, value_set=[1, beyond]).success
        assert not verdict(type, [1], CONTAIN, value_set=[1, beyond]).success
        assert not verdict(type, [1], IN_SET, value_set=[beyond]).success


@pytest.mark.parametrize(
    ("values", "count", "share"),
    [([1, 1, 2, None], 2, 2 / 3), ([1, 2], 2, 1), ([], 0, 0), ([None], 0, 0)],
)
def test_unique_values_are_counted(verdict: Verdict, values: list[Any], count: int, share: float) -> None:
    for type, observed in ((COUNT, count), (SHARE, share)):
        result = verdict("INTEGER", values, type, min_value=observed, max_value=observed)
        assert (result.success, result.observed_value) == (True, observed)
        assert not verdict("INTEGER", values, type, min_value=observed, strict_min=True).success


def test_nan_is_no_value_and_zeros_are_one(verdict: Verdict) -> None:
    assert verdict("DOUBLE", [NAN, None, 0.0, -0.0], COUNT, min_value=0).observed_value == 1


@pytest.mark.parametrize(
    ("members", "alone", "with_ties"), [(["a", "b"], False, True), (["a"], False, True), (["c"], False, False)]
)
def test_values_that_share_the_first_place_are_told(
    verdict: Verdict, members: list[str], alone: bool, with_ties: bool
) -> None:
    values = ["a", "a", "b", "b", "c", None, None, None]
    strict = verdict("VARCHAR", values, COMMON, value_set=members)
    lenient = verdict("VARCHAR", values, COMMON, value_set=members, ties_okay=True)
    assert (strict.success, lenient.success, strict.observed_value) == (alone, with_ties, 2)


def test_the_most_common_value_is_in_the_set(verdict: Verdict) -> None:
    assert verdict("VARCHAR", ["a", "a", "b", None, None, None], COMMON, value_set=["a"]).success


@pytest.mark.parametrize("type", [IN_SET, CONTAIN, EQUAL, COMMON, "expect_column_values_to_be_in_set"])
def test_a_set_of_two_kinds_is_left_to_gx(type: str) -> None:
    assert falls_back(Expectation(type=type, kwargs={"column": "c", "value_set": ["a", 5]}), {"c": "VARCHAR"})
