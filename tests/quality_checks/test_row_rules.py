"""Not null, between, in set, match regex: verdicts and counts, type by type."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from quality_checks import Expectation, Result, falls_back, problems

Verdict = Callable[..., Result]

NAN, INF = float("nan"), float("inf")
NOT_NULL = "expect_column_values_to_not_be_null"
BETWEEN = "expect_column_values_to_be_between"
IN_SET = "expect_column_values_to_be_in_set"
REGEX = "expect_column_values_to_match_regex"


def test_not_null_counts_null_and_nan(verdict: Verdict) -> None:
    result = verdict("DOUBLE", [1.0, None, NAN, 2.0], NOT_NULL)
    assert (result.success, result.element_count, result.unexpected_count) == (False, 4, 2)
    assert (result.missing_count, result.unexpected_percent) == (None, 50.0)


@pytest.mark.parametrize("type", ["INTEGER[]", "BLOB", "TIME", "STRUCT(a INTEGER)", "INTERVAL"])
def test_not_null_judges_any_type(verdict: Verdict, type: str) -> None:
    assert verdict(type, [None], NOT_NULL).unexpected_count == 1


@pytest.mark.parametrize(("mostly", "success"), [(0.75, True), (0.76, False), (0, True), (1, False), (None, False)])
def test_mostly_is_met_at_exactly_its_share(verdict: Verdict, mostly: float | None, success: bool) -> None:
    assert verdict("INTEGER", [1, 2, 3, None], NOT_NULL, mostly=mostly).success is success
    assert verdict("INTEGER", [1, 2, 3, 9, None, None], BETWEEN, max_value=3, mostly=mostly).success is success


@pytest.mark.parametrize(
    ("type", "kwargs"),
    [
        (NOT_NULL, {}),
        ("expect_column_values_to_be_unique", {}),
        (BETWEEN, {"min_value": "a"}),
        (IN_SET, {"value_set": ["a"]}),
        (REGEX, {"regex": "^a$"}),
    ],
)
def test_an_empty_table_meets_every_rule(verdict: Verdict, type: str, kwargs: dict[str, Any]) -> None:
    result = verdict("VARCHAR", [], type, **kwargs)
    assert (result.success, result.element_count, result.unexpected_count) == (True, 0, 0)
    assert result.unexpected_percent is None


@pytest.mark.parametrize(
    ("type", "kwargs"), [(BETWEEN, {"min_value": "a"}), (IN_SET, {"value_set": ["a"]}), (REGEX, {"regex": "^a$"})]
)
def test_a_column_of_nulls_meets_every_rule_but_not_null(verdict: Verdict, type: str, kwargs: dict[str, Any]) -> None:
    result = verdict("VARCHAR", [None, None], type, **kwargs)
    assert (result.success, result.missing_count, result.unexpected_percent) == (True, 2, None)


@pytest.mark.parametrize(
    ("strict", "unexpected"),
    [({}, 2), ({"strict_min": True}, 3), ({"strict_max": True}, 3), ({"strict_min": True, "strict_max": True}, 4)],
)
@pytest.mark.parametrize("type", ["TINYINT", "BIGINT", "HUGEINT", "UBIGINT", "FLOAT", "DOUBLE", "DECIMAL(9,2)"])
def test_between_includes_its_bounds_unless_strict(
    verdict: Verdict, type: str, strict: dict[str, bool], unexpected: int
) -> None:
    result = verdict(type, [0, 1, 2, 3, 4, None], BETWEEN, min_value=1, max_value=3.0, **strict)
    assert (result.unexpected_count, result.missing_count) == (unexpected, 1)


@pytest.mark.parametrize(
    ("kwargs", "unexpected"),
    [
        ({"min_value": 0.5}, 1),
        ({"min_value": 0.5, "strict_min": True}, 1),
        ({"max_value": 0.5}, 1),
        ({"max_value": 0.5, "strict_max": True}, 1),
        ({"min_value": -0.5, "max_value": 1e-300}, 1),
        ({"min_value": 1e-300}, 1),
        ({"max_value": 1e300}, 0),
    ],
)
@pytest.mark.parametrize("type", ["BIGINT", "HUGEINT"])
def test_between_takes_fractions_for_whole_numbers(
    verdict: Verdict, type: str, kwargs: dict[str, Any], unexpected: int
) -> None:
    assert verdict(type, [0, 2**63 - 1], BETWEEN, **kwargs).unexpected_count == unexpected


def test_between_ignores_nan_and_judges_infinity(verdict: Verdict) -> None:
    result = verdict("DOUBLE", [NAN, INF, -INF, 1.0, None], BETWEEN, min_value=0, max_value=2)
    assert (result.missing_count, result.unexpected_count) == (2, 2)


@pytest.mark.parametrize("type", ["FLOAT", "DOUBLE", "DECIMAL(4,1)"])
def test_a_bound_is_exact_in_the_columns_own_type(verdict: Verdict, type: str) -> None:
    assert verdict(type, [0.1], BETWEEN, min_value=0.1, max_value=0.1).success
    assert verdict(type, [0.1], IN_SET, value_set=[0.1]).success


def test_large_integers_are_compared_exactly(verdict: Verdict) -> None:
    assert verdict("BIGINT", [2**53 + 1], BETWEEN, max_value=2**53).unexpected_count == 1


@pytest.mark.parametrize(
    ("type", "values", "low", "high"),
    [
        ("DATE", ["2025-12-31", "2026-01-01", "2026-01-31", "2026-02-01"], "2026-01-01", "2026-01-31"),
        (
            "DATE",
            ["2025-12-31", "2026-01-01", "2026-01-31", "2026-02-01"],
            "2025-12-31T00:00:01",
            "2026-01-31T23:59:59",
        ),
        ("TIMESTAMP", ["2025-12-31 23:59:59.999999", "2026-01-01", "2026-01-01 00:00:01"], "2026-01-01", "2026-01-01"),
        ("TIMESTAMP_NS", ["2025-12-31 23:59:59.999999999", "2026-01-01", "2026-01-02"], "2026-01-01", "2026-01-01"),
        (
            "TIMESTAMPTZ",
            ["2026-01-01 00:59:59+01", "2026-01-01 01:00:00+01", "2026-01-02 00:00:01+00"],
            "2026-01-01T00:00Z",
            "2026-01-01T23:00-01:00",
        ),
        ("VARCHAR", ["", "US", "É", "a"], "A", "b"),
        ("UUID", ["0" * 32, "1" * 32, "f" * 32], "1", "2"),
    ],
)
def test_between_reads_times_and_text(verdict: Verdict, type: str, values: list[str], low: str, high: str) -> None:
    result = verdict(type, values, BETWEEN, min_value=low, max_value=high)
    assert result.unexpected_count == 2


def test_no_whole_number_is_a_fraction(verdict: Verdict) -> None:
    result = verdict("BIGINT", [0, 1, None], IN_SET, value_set=[0.5])
    assert (result.missing_count, result.unexpected_count) == (1, 2)


def test_in_set_counts_what_is_not_in_it(verdict: Verdict) -> None:
    result = verdict("VARCHAR", ["US", "DE", "us", "", None], IN_SET, value_set=["US", "DE", None])
    assert (result.success, result.missing_count, result.unexpected_count) == (False, 1, 2)


@pytest.mark.parametrize(
    ("type", "inside", "outside", "value_set"),
    [
        ("INTEGER", 2, 3, [1, 2.0, 0.5]),
        ("HUGEINT", 2**126, 2**126 + 1, [2**126, 0.5]),
        ("DOUBLE", 0.5, NAN, [0.5]),
        ("BOOLEAN", True, False, [True]),
        ("DATE", "2026-01-01", "2026-01-02", ["2026-01-01"]),
        ("TIMESTAMP", "2026-01-01 00:00:00", "2026-01-01 00:00:01", ["2026-01-01"]),
        ("ENUM('a', 'b')", "a", "b", ["a", "never"]),
        ("UUID", "0" * 32, "1" * 32, ["00000000-0000-0000-0000-000000000000"]),
    ],
)
def test_in_set_judges_each_family(
    verdict: Verdict, type: str, inside: Any, outside: Any, value_set: list[Any]
) -> None:
    result = verdict(type, [inside, outside], IN_SET, value_set=value_set)
    assert result.unexpected_count + (result.missing_count or 0) == 1


HOSTILE = ["a'b", "\\", "\\'", "a\nb", "--", "/* */", "$1", "%", "{}", "\U0001f600", "'; DROP TABLE t; --"]


@pytest.mark.parametrize("text", HOSTILE)
def test_values_are_only_ever_values(verdict: Verdict, text: str) -> None:
    assert verdict("VARCHAR", [text, "other"], IN_SET, value_set=[text]).unexpected_count == 1
    assert verdict("VARCHAR", [text, ""], BETWEEN, min_value=text, max_value=text).unexpected_count == 1


@pytest.mark.parametrize("regex", ["^[A-Z]{2}$", "[A-Z]{2}", r"\A[A-Z]{2}\Z", "^$", "S|s", "^US", "SA$"])
def test_regex_searches_as_python_does(verdict: Verdict, regex: str) -> None:
    values = ["US", "US\n", "USA", "us", "", "xUSx"]
    result = verdict("VARCHAR", [*values, None], REGEX, regex=regex)
    unfound = sum(re.search(regex, value) is None for value in values)
    assert (result.missing_count, result.unexpected_count) == (1, unfound)


def test_null_counts_present_values(verdict: Verdict) -> None:
    result = verdict("DOUBLE", [1.0, None, NAN, 2.0], "expect_column_values_to_be_null", mostly=0.5)
    assert (result.success, result.unexpected_count, result.missing_count) == (True, 2, None)


def test_not_in_set_counts_what_is_in_it(verdict: Verdict) -> None:
    values = ["US", "DE", "us", None]
    result = verdict("VARCHAR", values, "expect_column_values_to_not_be_in_set", value_set=["US", None])
    assert (result.missing_count, result.unexpected_count) == (1, 1)


def test_nan_is_not_judged_as_no_member(verdict: Verdict) -> None:
    result = verdict("DOUBLE", [NAN, 1.0], "expect_column_values_to_not_be_in_set", value_set=[2])
    assert (result.success, result.missing_count) == (True, 1)


@pytest.mark.parametrize(
    ("kwargs", "unexpected"),
    [
        ({"min_value": 1, "max_value": 2}, 2),
        ({"min_value": 1, "strict_min": True}, 3),
        ({"max_value": 2, "strict_max": True}, 2),
        ({"value": 1}, 3),
    ],
)
def test_lengths_are_those_of_python(verdict: Verdict, kwargs: dict[str, Any], unexpected: int) -> None:
    type = "expect_column_value_lengths_to_equal" if "value" in kwargs else "expect_column_value_lengths_to_be_between"
    values = ["", "\U0001f600", "é", "ab", "e\u0301x", None]  # the last is three code points
    assert [len(value) for value in values if value is not None] == [0, 1, 1, 2, 3]
    result = verdict("VARCHAR", values, type, **kwargs)
    assert (result.missing_count, result.unexpected_count) == (1, unexpected)


WIDE = ["9" * 38, "0", "-" + "9" * 38]


@pytest.mark.parametrize(
    ("type", "values", "kwargs", "unexpected"),
    [
        ("DECIMAL(38,0)", WIDE, {"min_value": 0.5}, 2),
        ("DECIMAL(38,0)", WIDE, {"min_value": -0.5, "max_value": 1e300}, 1),
        ("DECIMAL(38,0)", WIDE, {"max_value": 10**38 - 2}, 1),
        ("DECIMAL(38,0)", WIDE, {"max_value": 10**38 - 1, "strict_max": True}, 1),
        ("DECIMAL(38,38)", ["0." + "9" * 38, "0"], {"max_value": 1}, 0),
        ("DECIMAL(38,38)", ["0." + "9" * 38, "0"], {"min_value": 1}, 2),
        ("DECIMAL(4,2)", ["0.01", "0.00"], {"min_value": 0.005}, 1),
        ("DECIMAL(4,2)", ["0.01", "0.00"], {"max_value": 0.005, "strict_max": True}, 1),
        ("DECIMAL(4,2)", ["-0.01", "0.00"], {"max_value": -0.005}, 1),
        ("DECIMAL(4,2)", ["99.99", "-99.99"], {"min_value": -1e30, "max_value": 1e30}, 0),
        ("HUGEINT", [str(2**127 - 1), str(-(2**127))], {"max_value": 2**127}, 0),
        ("HUGEINT", [str(2**127 - 1), str(-(2**127))], {"min_value": 2**127}, 2),
        ("UHUGEINT", [str(2**128 - 1), str(2**128 - 2), "0"], {"min_value": -1, "max_value": 2**128 - 2}, 1),
        ("TINYINT", [127, -128], {"min_value": -129, "max_value": 127}, 0),
    ],
)
def test_bounds_of_many_digits_are_exact(
    verdict: Verdict, type: str, values: list[Any], kwargs: dict[str, Any], unexpected: int
) -> None:
    result = verdict(type, values, BETWEEN, **kwargs)
    assert (result.error, result.unexpected_count) == (None, unexpected)


@pytest.mark.parametrize(
    ("type", "inside", "value_set"),
    [
        ("DECIMAL(38,0)", "9" * 38, [10**38 - 1, 0.5, 1e300]),
        ("DECIMAL(4,2)", "0.10", [0.1, 0.005, 1e30]),
        ("UHUGEINT", str(2**128 - 1), [2**128 - 1, -1]),
        ("BIGINT", str(2**53 + 1), [2**53 + 1, 2**130]),
    ],
)
def test_members_that_no_value_can_be_change_nothing(
    verdict: Verdict, type: str, inside: str, value_set: list[float]
) -> None:
    result = verdict(type, [inside, "7"], IN_SET, value_set=value_set)
    assert (result.error, result.unexpected_count) == (None, 1)


def test_a_set_of_two_kinds_is_left_to_gx_and_one_of_another_kind_is_refused() -> None:
    for type in (IN_SET, "expect_column_values_to_not_be_in_set"):
        mixed = Expectation(type=type, kwargs={"column": "c", "value_set": ["a", 5]})
        assert falls_back(mixed, {"c": "VARCHAR"})
        assert problems(mixed, {"c": "VARCHAR"}) == []
        foreign = Expectation(type=type, kwargs={"column": "c", "value_set": [5, 6]})
        assert problems(foreign, {"c": "VARCHAR"})
