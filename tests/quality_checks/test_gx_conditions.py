"""What of a row_condition is passed on to GX, and so to pandas: comparisons, and nothing that runs code."""

import functools
from typing import Any

import pytest

from quality_checks.errors import QualityError
from quality_checks.gx_conditions import columns_in_condition

KNOWN = ["a", "b", "two words", "select"]


def columns(condition: Any, parser: str | None = None) -> set[str]:
    return set(columns_in_condition({"row_condition": condition, "condition_parser": parser}, KNOWN))


def a_comparison(column: str, operator: str = ">", parameter: Any = 1) -> dict[str, Any]:
    return {"type": "comparison", "column": {"name": column}, "operator": operator, "parameter": parameter}


@pytest.mark.parametrize(
    ("condition", "named"),
    [
        ("a > 5", {"a"}),
        ("a > 5 and b == 'x'", {"a", "b"}),
        ("(a > 5) & ~(b in [1, 2]) | a != -1", {"a", "b"}),
        ("a.isnull() or b.notnull()", {"a", "b"}),
        ("a.isin(['x', 'y'])", {"a"}),
        ("a.str.contains('@', regex=False)", {"a"}),
        ("a.dt.year == 2026", {"a"}),
        ("`two words` > a", {"two words", "a"}),
        ("a == 'mail@example.org'", {"a"}),
        ("1 < a < b", {"a", "b"}),
        ("a + b > 3", {"a", "b"}),
    ],
)
def test_reads_the_columns_of_a_query(condition: str, named: set[str]) -> None:
    assert columns(condition) == columns(condition, "pandas") == named
    assert columns({"type": "pass_through", "pass_through_filter": condition}) == named


@pytest.mark.parametrize(
    "condition",
    [
        "@pd.read_pickle('/tmp/x')",
        "a > @x",
        "a.to_csv('/tmp/x')",
        "a.str.cat(b)",
        "a.apply(b)",
        "a.__class__",
        "a.str.__init__",
        "a.str.contains.__globals__",
        "__import__('os').system('id')",
        "eval('1')",
        "(lambda: 1)()",
        "[b for b in a]",
        "a[b]",
        "f'{a}'",
        "a := 5",
        "a = 5",
        "9**9**9",
        "a * 1000000000",
        "a // 0",
        "a @ b",
        """a == "`" and @evil == "`" """,
        "`two words` == 'x'",
        "`a` > 1 # `",
        "_quoted_column_0 > 1",
        "",
        "a >",
        "(" * 500 + "a" + ")" * 500,
        "a > 1\x00",
        functools.reduce(lambda inner, _: {"type": "and", "conditions": [inner]}, range(2000), "a"),
        ["a > 1"],
        {"type": "comparison", "column": "a"},
        {"type": "no such"},
        5,
    ],
)
def test_refuses_what_does_more_than_compare(condition: Any) -> None:
    with pytest.raises(QualityError, match="cannot be passed to GX"):
        columns(condition)


def test_reads_the_columns_of_gxs_own_conditions() -> None:
    null = {"type": "nullity", "column": {"name": "b"}, "is_null": True}
    both = {
        "type": "or",
        "conditions": [{"type": "and", "conditions": [a_comparison("a"), null]}, a_comparison("select")],
    }
    assert columns(both) == {"a", "b", "select"}
    assert columns(None) == set()


def test_a_query_within_a_condition_is_read_too() -> None:
    hidden = {"type": "pass_through", "pass_through_filter": "@pd.read_pickle('x')"}
    with pytest.raises(QualityError, match="cannot be passed"):
        columns({"type": "and", "conditions": [a_comparison("a"), hidden]})


@pytest.mark.parametrize(
    "text",
    ['col("a") > 5', 'col("a").notnull()', "col(\"a\") == 'x'", 'col("a") <= -1.5e3', 'col("a") > date("2026-01-01")'],
)
def test_reads_the_column_of_gxs_text(text: str) -> None:
    assert columns(text, "great_expectations") == columns(text, "great_expectations__experimental__") == {"a"}


@pytest.mark.parametrize("text", ['col("a") > 5 and col("b") > 1', 'col("a") > 5; x', "a > 5", 'col("a")'])
def test_refuses_text_of_which_gx_would_read_the_beginning_only(text: str) -> None:
    with pytest.raises(QualityError, match="GX reads one comparison"):
        columns(text, "great_expectations")


def test_an_unknown_parser_is_refused() -> None:
    with pytest.raises(QualityError, match="cannot be passed"):
        columns("a > 5", "spark")


def test_a_column_that_is_not_there_is_named() -> None:
    with pytest.raises(QualityError, match="names no column 'A' — did you mean 'a'"):
        columns("A > 5")
    with pytest.raises(QualityError, match="names no column 'c'"):
        columns(a_comparison("c"))


def test_a_backtick_in_a_name_is_refused() -> None:
    with pytest.raises(QualityError, match="backtick"):
        columns_in_condition({"row_condition": a_comparison("a` or @x or `a")}, None)
