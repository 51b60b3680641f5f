"""A grid of boundaries: expectations of every compiled type whose bounds, sets and shares the tables below hit exactly."""

from collections.abc import Iterator
from typing import Any

from quality_checks import Expectation
from quality_checks.registry import TYPES
from tests.quality.rules import (
    LIKES,
    MISSING_PAIRS,
    MISSING_ROWS,
    OF_DATABASES,
    QUERIES,
    STRUCTURED,
    TEXTUAL,
)
from tests.quality.tables import COLUMNS, Row


def a_row(**cells: Any) -> Row:
    return tuple(cells.get(name) for name in COLUMNS)


def rows_of(**columns: list[Any]) -> list[Row]:
    return [a_row(**dict(zip(columns, cells, strict=True))) for cells in zip(*columns.values(), strict=True)]


TABLES: dict[str, list[Row]] = {
    "empty": [],
    "missing": [a_row(), a_row(f="nan", g="nan")],
    "distinct": rows_of(
        i=[0, 1, 2],
        k=[0, 1, 2],
        f=[0.0, 1.0, "inf"],
        g=[0.0, 1.0, 2.0],
        m=["0.00", "1.00", "2.00"],
        s=["US", "DE", "us"],
        u=["US", "DE", "us"],
        t=["2026-01-01", "2026-01-02", "2026-01-03"],
        v=["2026-01-01", "2026-01-02", "2026-01-03"],
        d=["2026-01-01", "2026-01-02", "2026-01-03"],
        b=[True, False, None],
    ),
    "boundary": rows_of(
        i=[-1, 0, 0, 1, 2, 2, None, None],
        k=[0, 0, 1, 1, 1, None, None, 3],
        f=[-1.0, -0.0, 0.0, 0.5, 1.0, "nan", None, "-inf"],
        g=[-1.0, 0.0, 0.0, 0.5, 1.0, 2.0, None, None],
        m=["-1.00", "0.00", "0.10", "0.50", "1.00", "2.25", None, "100.00"],
        s=["US", "DE", "US\n", "USA", "", "é", None, "us"],
        u=["US", "US", "US\n", "US", "", "日本", None, None],
        t=["2025-12-31 23:59:59", *["2026-01-01"] * 2, "2026-01-01 00:00:01", *["2026-01-02"] * 2, None, None],
        v=["2026-01-01", "2026-01-01", "2025-12-31", "2026-01-01 00:00:01", "2026-01-03", None, None, "2026-01-01"],
        d=["2025-12-31", *["2026-01-01"] * 3, *["2026-01-02"] * 2, None, None],
        b=[True, False, True, True, None, None, None, True],
    ),
}

# Keys below are shares that the tables above hit exactly, or miss by little.
MOSTLY = [1, 2 / 3, 0.5]


def a_rule(type: str, **kwargs: Any) -> Expectation:
    return Expectation(type=type, kwargs=kwargs)


def of_bounds(low: Any, high: Any) -> Iterator[dict[str, Any]]:
    for strict_min in (False, True)[: 1 if low is None else 2]:
        for strict_max in (False, True)[: 1 if high is None else 2]:
            strict = {"strict_min": strict_min, "strict_max": strict_max}
            bounds = {"min_value": low, "max_value": high}
            yield {name: value for name, value in (bounds | strict).items() if value is not None and value is not False}


def grid() -> Iterator[Expectation]:
    """Yield everything, whether it compiles already or not."""
    yield from of_single_values()
    yield from of_text()
    yield from of_several_columns()
    yield from of_sets()
    yield from of_aggregates()
    yield from of_quantiles()
    yield from of_schemas()
    yield from of_conditions()
    yield from of_databases()


def of_single_values() -> Iterator[Expectation]:
    for column in "ifstb":
        for mostly in MOSTLY:
            for what in ("not_be_null", "be_null", "be_unique"):
                yield a_rule(f"expect_column_values_to_{what}", column=column, mostly=mostly)
    for column, low, high in [("i", 0, 2), ("i", 0.5, 1.5), ("f", 0, 1), ("f", 0.5, 0.5), ("m", 0.1, 1)]:
        for bounds in [*of_bounds(low, high), *of_bounds(None, high), *of_bounds(low, None)]:
            yield a_rule("expect_column_values_to_be_between", column=column, **bounds)
    for column, low, high in [("t", "2026-01-01T00:00:00", "2026-01-02T00:00:00"), ("d", "2026-01-01", "2026-01-02")]:
        for bounds in of_bounds(low, high):
            yield a_rule("expect_column_values_to_be_between", column=column, **bounds)
    for column, members in [
        ("i", [0, 2]),
        ("f", [0, 0.5]),
        ("m", [0.1, 100]),
        ("s", ["US", "é", None]),
        ("b", [True]),
        ("d", ["2026-01-01"]),
    ]:
        for mostly in (*MOSTLY, 0):
            for what in ("be_in_set", "not_be_in_set"):
                yield a_rule(f"expect_column_values_to_{what}", column=column, value_set=members, mostly=mostly)
    for column in ("i", "f"):  # GX takes no text as a bound
        for mostly in MOSTLY:
            yield a_rule("expect_column_values_to_be_between", column=column, min_value=0.5, mostly=mostly)


def of_text() -> Iterator[Expectation]:
    for regex in ["^[A-Z]{2}$", "[A-Z]{2}", r"\A[A-Z]{2}\Z", "^$", "S|s", "^US", "s$", "^.$", r"^\w+$", r"\s"]:
        for mostly in (1, 3 / 7):
            for what in ("match_regex", "not_match_regex"):
                yield a_rule(f"expect_column_values_to_{what}", column="s", regex=regex, mostly=mostly)
    for regexes in (["U", "S"], ["^US", "us"], ["^$"], ["x", "é"], ["[A-Z]", "^.{2}$"]):
        for match_on in ("any", "all"):
            yield a_rule(
                "expect_column_values_to_match_regex_list",
                column="s",
                regex_list=regexes,
                match_on=match_on,
                mostly=0.5,
            )
        yield a_rule("expect_column_values_to_not_match_regex_list", column="s", regex_list=regexes, mostly=0.5)
        yield a_rule("expect_column_values_to_not_match_regex_list", column="u", regex_list=regexes)
        yield a_rule("expect_column_values_to_match_regex_list", column="u", regex_list=regexes)
    for low, high in [(0, 3), (1, 3), (2, 2), (1, 2)]:
        for bounds in [*of_bounds(low, high), *of_bounds(low, None)]:
            for column in "su":
                yield a_rule("expect_column_value_lengths_to_be_between", column=column, mostly=6 / 7, **bounds)
    for length in (0, 1, 2, 3):
        for mostly in (1, 3 / 7, 1 / 7):
            for column in "su":
                yield a_rule("expect_column_value_lengths_to_equal", column=column, value=length, mostly=mostly)


def of_several_columns() -> Iterator[Expectation]:
    for mode in MISSING_ROWS:
        for named in (["i", "f"], ["f", "t"], ["i", "s", "d"]):
            for mostly in (1, 0.5):
                yield a_rule(
                    "expect_compound_columns_to_be_unique", column_list=named, ignore_row_if=mode, mostly=mostly
                )
        for total in (0, 1, 2):
            for named in (["i", "k"], ["g", "f"]):
                for mostly in (1, 1 / 6):
                    yield a_rule(
                        "expect_multicolumn_sum_to_equal",
                        column_list=named,
                        sum_total=total,
                        ignore_row_if=mode,
                        mostly=mostly,
                    )
        for what in ("expect_select_column_values_to_be_unique_within_record", "expect_multicolumn_values_to_be_equal"):
            for named in (["i", "k"], ["f", "g"], ["s", "u"], ["t", "v"], ["i", "g", "k"]):
                for mostly in (1, 0.5, 1 / 3)[: 3 if "select" in what else 2]:
                    yield a_rule(what, column_list=named, ignore_row_if=mode, mostly=mostly)
    for mode in MISSING_PAIRS:
        for a, b in (("f", "g"), ("s", "u"), ("t", "v"), ("i", "i")):
            for mostly in (1, 0.5, 1 / 3):
                yield a_rule(
                    "expect_column_pair_values_to_be_equal", column_A=a, column_B=b, ignore_row_if=mode, mostly=mostly
                )
        for a, b in (("g", "f"), ("f", "g"), ("t", "v"), ("v", "t"), ("g", "g")):
            for or_equal in (True, False):
                for mostly in (1, 0.5):
                    yield a_rule(
                        "expect_column_pair_values_a_to_be_greater_than_b",
                        column_A=a,
                        column_B=b,
                        or_equal=or_equal,
                        ignore_row_if=mode,
                        mostly=mostly,
                    )
        for pairs in ([["US", "US"], ["DE", "US"]], [["", ""], ["é", "日本"]], [["us", None], ["DE", "DE"]]):
            for mostly in (1, 0.5, 1 / 3):
                yield a_rule(
                    "expect_column_pair_values_to_be_in_set",
                    column_A="s",
                    column_B="u",
                    value_pairs_set=pairs,
                    ignore_row_if=mode,
                    mostly=mostly,
                )


def of_sets() -> Iterator[Expectation]:
    sets = {
        "i": [[-1, 0, 1, 2], [0, 1], [-1, 0, 1, 2, 3], [0, 1, 2], [0], [2]],
        "g": [[-1, 0, 0.5, 1, 2], [0], [0, 1, 2]],
        "m": [[0, 1, 2], [-1, 0, 0.1, 0.5, 1, 2.25, 100], [0.1]],
        "s": [["US", "DE", "us"], ["US", "DE", "US\n", "USA", "", "é", "us"], ["US"]],
        "u": [["US"], ["US", "US\n", "", "日本"]],
        "b": [[True], [True, False], [False]],
    }
    for column, some in sets.items():
        for members in some:
            for what in ("be_in_set", "equal_set", "contain_set"):
                yield a_rule(f"expect_column_distinct_values_to_{what}", column=column, value_set=members)
            for ties_okay in (True, False):
                yield a_rule(
                    "expect_column_most_common_value_to_be_in_set",
                    column=column,
                    value_set=members,
                    ties_okay=ties_okay,
                )


def of_aggregates() -> Iterator[Expectation]:
    # Exact in binary, for "distinct" and for "boundary": a digit that depends on the order of adding decides nothing.
    exact: dict[str, dict[str, list[float]]] = {
        "min": {"i": [0, -1], "g": [0, -1], "m": [0, -1], "f": [0]},
        "max": {"i": [2], "g": [2], "m": [2, 100], "f": [1]},
        "sum": {"i": [3, 4], "g": [3, 2.5], "m": [3, 102.85], "f": [1]},
        "mean": {"i": [1, 0.5], "g": [1, 0.5], "m": [1, 14], "f": [1]},
        "median": {"i": [1, 0.5], "g": [1, 0.25], "m": [1, 0.5], "f": [1, 0]},
        "stdev": {"i": [1, 1.25], "g": [1, 0.9], "m": [1, 30]},
        "unique_value_count": {"i": [3, 4], "g": [3, 5], "s": [3, 7], "u": [4], "b": [2, 1]},
        "proportion_of_unique_values": {"i": [1, 2 / 3], "s": [1], "u": [1, 4 / 6], "b": [1, 0.5]},
        "proportion_of_non_null_values": {"i": [1, 0.75], "f": [1, 0.75], "s": [1, 7 / 8], "b": [2 / 3, 0.625]},
    }
    for what, columns in exact.items():
        for column, values in columns.items():
            for value in values:
                for bounds in [*of_bounds(value, value), *of_bounds(value, None), *of_bounds(None, value)]:
                    yield a_rule(f"expect_column_{what}_to_be_between", column=column, **bounds)
    for what in ("min", "max"):
        for column, value in [("t", "2026-01-02T00:00:00"), ("d", "2026-01-01")]:
            for bounds in [*of_bounds(value, None), *of_bounds(None, value)]:
                yield a_rule(f"expect_column_{what}_to_be_between", column=column, **bounds)
    for low, high in [(0, 8), (1, 3), (8, None), (None, 7), (9, None)]:
        for bounds in of_bounds(low, high):
            yield a_rule("expect_table_row_count_to_be_between", **bounds)
    for count in (0, 2, 3, 7, 8):
        yield a_rule("expect_table_row_count_to_equal", value=count)


def of_quantiles() -> Iterator[Expectation]:
    for column, values in (("g", (0, 0.5, 1)), ("m", (0, 1))):
        for quantile in (0, 0.3, 0.5, 0.75):
            for value in values:
                yield a_rule(
                    "expect_column_quantile_values_to_be_between",
                    column=column,
                    quantile_ranges={"quantiles": [quantile], "value_ranges": [[value, value]]},
                )
        both = {"quantiles": [0.5, 1], "value_ranges": [[0, 1], [None, 2]]}
        yield a_rule("expect_column_quantile_values_to_be_between", column=column, quantile_ranges=both)


def of_schemas() -> Iterator[Expectation]:
    every = list(COLUMNS)
    for count in (10, 11, 12):
        yield a_rule("expect_table_column_count_to_equal", value=count)
        yield a_rule("expect_table_column_count_to_be_between", min_value=count)
        yield a_rule("expect_table_column_count_to_be_between", max_value=count)
    for named in (every, every[::-1], every[1:], [*every, "more"], [*every[1:], "more"], ["I", *every[1:]]):
        yield a_rule("expect_table_columns_to_match_ordered_list", column_list=named)
        for exact_match in (True, False):
            yield a_rule("expect_table_columns_to_match_set", column_set=named, exact_match=exact_match)
    for column, place in (("i", None), ("i", 0), ("i", 1), ("k", 1), ("more", None), ("I", None)):
        index = {} if place is None else {"column_index": place}
        yield a_rule("expect_column_to_exist", column=column, **index)


def of_conditions() -> Iterator[Expectation]:
    conditions = [{"row_condition": each} for each in STRUCTURED]
    conditions += [{"row_condition": text, "condition_parser": parser} for text, parser in TEXTUAL]
    for condition in conditions:
        yield a_rule("expect_table_row_count_to_equal", value=2, **condition)
        yield a_rule("expect_column_values_to_be_unique", column="i", **condition)
        yield a_rule("expect_column_values_to_be_between", column="i", min_value=0, mostly=0.75, **condition)
        yield a_rule("expect_column_sum_to_be_between", column="m", max_value=3, **condition)
    for condition in conditions[::3]:
        yield a_rule("expect_column_median_to_be_between", column="g", min_value=0.5, **condition)
        yield a_rule("expect_column_unique_value_count_to_be_between", column="s", max_value=2, **condition)


def of_databases() -> Iterator[Expectation]:
    for like in LIKES:
        for what in ("match", "not_match"):
            for mostly in (1, 4 / 7):
                yield a_rule(
                    f"expect_column_values_to_{what}_like_pattern", column="s", like_pattern=like, mostly=mostly
                )
    for likes in (["U%", "%S"], ["_", "us"], ["%", "US%"], ["u%"]):
        for match_on in ("any", "all"):
            for column in "su":
                yield a_rule(
                    "expect_column_values_to_match_like_pattern_list",
                    column=column,
                    like_pattern_list=likes,
                    match_on=match_on,
                    mostly=0.5 if column == "s" else 1,
                )
                yield a_rule(
                    "expect_column_values_to_not_match_like_pattern_list",
                    column=column,
                    like_pattern_list=likes,
                    mostly=0.5 if match_on == "any" else 1,
                )
    for query in QUERIES:
        yield a_rule("unexpected_rows_expectation", unexpected_rows_query=query)
    for table in ("twin", "other"):
        yield a_rule("expect_table_row_count_to_equal_other_table", other_table_name=table)


def compiled_grid() -> tuple[list[Expectation], list[Expectation]]:
    """Return what compiles of the grid: for GX on pandas, and for GX on SQLite."""
    compiled = [rule for rule in grid() if rule.type in TYPES]
    return (
        [rule for rule in compiled if rule.type not in OF_DATABASES],
        [rule for rule in compiled if rule.type in OF_DATABASES],
    )
