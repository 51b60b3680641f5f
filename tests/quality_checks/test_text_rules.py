"""Regular expressions, their lists, and SQL's LIKE."""

from collections.abc import Callable
from typing import Any

import pytest

from quality_checks import Result

Verdict = Callable[..., Result]

VALUES = ["ab", "a", "B", "", "a\n", "100%", None]
A_REGEX = "expect_column_values_to_match_regex_list"
NO_REGEX = "expect_column_values_to_not_match_regex_list"
LIKE = "expect_column_values_to_match_like_pattern"
NOT_LIKE = "expect_column_values_to_not_match_like_pattern"


@pytest.mark.parametrize(
    ("type", "kwargs", "unexpected"),
    [
        ("expect_column_values_to_not_match_regex", {"regex": "^a"}, 3),
        (A_REGEX, {"regex_list": ["^a$", "B"]}, 3),
        (A_REGEX, {"regex_list": ["^a$", "B"], "match_on": "any"}, 3),
        (A_REGEX, {"regex_list": ["a", "b"], "match_on": "all"}, 5),
        (NO_REGEX, {"regex_list": ["^a$", "B"]}, 3),
        (LIKE, {"like_pattern": "a%"}, 3),
        (LIKE, {"like_pattern": "a_"}, 4),
        (LIKE, {"like_pattern": ""}, 5),
        (LIKE, {"like_pattern": "100\\%"}, 6),  # DuckDB's LIKE knows no escape: a \ is a \
        (NOT_LIKE, {"like_pattern": "%a%"}, 3),
        ("expect_column_values_to_match_like_pattern_list", {"like_pattern_list": ["a", "b%"]}, 5),
        ("expect_column_values_to_match_like_pattern_list", {"like_pattern_list": ["a%", "%b"], "match_on": "all"}, 5),
        ("expect_column_values_to_not_match_like_pattern_list", {"like_pattern_list": ["a", "%b", ""]}, 3),
    ],
)
def test_text_that_does_not_look_as_it_should_is_unexpected(
    verdict: Verdict, type: str, kwargs: dict[str, Any], unexpected: int
) -> None:
    result = verdict("VARCHAR", VALUES, type, **kwargs)
    assert (result.error, result.engine, result.missing_count) == (None, "compiled", 1)
    assert result.unexpected_count == unexpected


@pytest.mark.parametrize("type", ["ENUM('a', 'b')", "JSON", "VARCHAR"])
def test_whatever_is_text_can_be_matched(verdict: Verdict, type: str) -> None:
    values = ['"a"', '"b"'] if type == "JSON" else ["a", "b"]
    assert verdict(type, values, "expect_column_values_to_match_regex", regex="a").unexpected_count == 1
    assert verdict(type, values, LIKE, like_pattern="%a%").unexpected_count == 1


@pytest.mark.parametrize(
    ("regex", "text", "met"),
    [(r"^\d+$", "٣", True), (r"^\w+$", "été", True), (r"\s", "a\u00a0b", True), (r"^[\w.]+@\w+$", "a.b@c", True)],
)
def test_categories_mean_what_python_means(verdict: Verdict, regex: str, text: str, met: bool) -> None:
    result = verdict("VARCHAR", [text], "expect_column_values_to_match_regex", regex=regex)
    assert (result.success, result.engine) == (met, "compiled")


@pytest.mark.parametrize("regex", [r"(?i)^us$", r"^(?=a)a", r"(.)\1"])
def test_what_re2_cannot_say_is_decided_by_gx_and_says_so(verdict: Verdict, regex: str) -> None:
    values = ["us", "US", "aa"]
    result = verdict("VARCHAR", values, "expect_column_values_to_match_regex", regex=regex, mostly=0.1)
    assert (result.success, result.engine, result.error) == (True, "great_expectations", None)
