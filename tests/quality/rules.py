"""Random expectations of every compiled type that GX can judge too, on the columns of `tables`."""

from collections.abc import Callable, Sequence
from datetime import datetime
from random import Random
from typing import Any

from quality_checks import Expectation
from tests.quality.tables import COLUMNS, Row

Kwargs = dict[str, Any]

MOSTLY = [1, 1, 0.95, 0.9, 2 / 3, 1 / 2, 1 / 3, 0]
BOUNDS: dict[str, list[Any]] = {
    "i": [-1, 0, 0.5, 1, 2, 100],
    "f": [-1, 0, 0.5, 1, 2, 100],
    "m": [-1, 0, 0.1, 0.5, 1, 2.25],
    "t": ["2025-12-31T23:59:59.999999", "2026-01-01T00:00:00", "2026-01-02T03:04:05.000600", "2026-02-01T00:00:00"],
    "d": ["2025-12-31", "2026-01-01", "2026-01-02"],
}
SETS: dict[str, list[Any]] = {
    "i": [0, 1, 2, 0.5, 99],
    "f": [0, 0.5, 1, 2.0, 1e-9],
    "m": [0, 0.1, 0.5, 1, 2.25],
    "s": ["US", "DE", "", "é", "us", "US\n", "日本"],
    "t": ["2026-01-01T00:00:00", "2025-12-31T23:59:59.999999"],
    "d": ["2026-01-01", "2026-01-02"],
    "b": [True, False],
}
REGEXES = [
    "^[A-Z]{2}$",
    "US",
    "^$",
    "[a-z]",
    "U|D",
    "^.$",
    "^..$",
    r"\AUS\Z",
    "^[0-9]+$",
    r"\d",
    r"^\w+$",
    r"\s",
    "S$",
    "é|日",
]
LIKES = ["U%", "US", "%S%", "_", "__", "%", "", "u%", "%\n", "a!%b", "\\_x", "é", "1_0", "%'%"]
LENGTHS = [0, 1, 2, 3]
MISSING_ROWS = ["all_values_are_missing", "any_value_is_missing", "never"]
MISSING_PAIRS = ["both_values_are_missing", "either_value_is_missing", "neither"]
QUERIES = [
    "SELECT * FROM {batch} WHERE i > 1",
    "SELECT i FROM {batch} WHERE s = 'US' OR i IS NULL",
    "SELECT s, COUNT(*) AS n FROM {batch} GROUP BY s HAVING COUNT(*) > 2",
    "SELECT * FROM {batch} AS a JOIN {batch} AS b ON a.i = b.k AND a.i <> a.k",
]


def _between(random: Random, bounds: list[Any]) -> Kwargs:
    low, high = sorted(random.sample(range(len(bounds)), 2))
    kwargs: Kwargs = random.choice(
        [
            {"min_value": bounds[low], "max_value": bounds[high]},
            {"min_value": bounds[low], "max_value": bounds[low]},
            {"min_value": bounds[low]},
            {"max_value": bounds[high]},
        ]
    )
    for name, bound in [("strict_min", "min_value"), ("strict_max", "max_value")]:
        if bound in kwargs and random.random() < 0.4:
            kwargs[name] = True
    return kwargs


def _of_bounds(columns: str, bounds: list[Any] | None = None) -> Callable[[Random], Kwargs]:
    def kwargs(random: Random) -> Kwargs:
        column = random.choice(columns)
        return {"column": column, **_between(random, bounds or BOUNDS[column])}

    return kwargs


def _of_set(columns: str, **more: list[Any]) -> Callable[[Random], Kwargs]:
    def kwargs(random: Random) -> Kwargs:
        column = random.choice(columns)
        members = SETS[column]
        value_set = random.sample(members, random.randint(1, len(members)))
        return {"column": column, "value_set": value_set, **{name: random.choice(some) for name, some in more.items()}}

    return kwargs


def _chosen(**choices: Any) -> Callable[[Random], Kwargs]:
    return lambda random: {name: random.choice(some) for name, some in choices.items()}


def _some(name: str, pool: list[str], **choices: Any) -> Callable[[Random], Kwargs]:
    def kwargs(random: Random) -> Kwargs:
        return {name: random.sample(pool, random.randint(1, 3)), **_chosen(**choices)(random)}

    return kwargs


def _pairs(random: Random) -> Kwargs:
    a, b, pairs = random.choice(
        [
            ("i", "k", [[0, 0], [1, 1], [2, 1], [6, -3]]),
            ("s", "u", [["US", "DE"], ["US", "US"], ["", "us"], ["é", "é"]]),
        ]
    )
    some = random.sample(pairs, random.randint(1, len(pairs)))
    if random.random() < 0.1:
        some.append([None, pairs[0][1]])
    return {"column_A": a, "column_B": b, "value_pairs_set": some, "ignore_row_if": random.choice(MISSING_PAIRS)}


def _two(*pairs: str, **choices: Any) -> Callable[[Random], Kwargs]:
    def kwargs(random: Random) -> Kwargs:
        a, b = random.choice(pairs)
        return {
            "column_A": a,
            "column_B": b,
            "ignore_row_if": random.choice(MISSING_PAIRS),
            **_chosen(**choices)(random),
        }

    return kwargs


def _many(*lists: str, **choices: Any) -> Callable[[Random], Kwargs]:
    def kwargs(random: Random) -> Kwargs:
        some = {"column_list": list(random.choice(lists)), "ignore_row_if": random.choice(MISSING_ROWS)}
        return {**some, **_chosen(**choices)(random)}

    return kwargs


def _quantiles(random: Random) -> Kwargs:
    column = random.choice("ifm")
    quantiles = sorted(random.sample([0, 0.1, 0.25, 0.5, 0.75, 0.95, 1], random.randint(1, 3)))
    ranges = [random.choice([[None, 1], [0, 2], [0.5, None], [-1, 1], [None, None]]) for _ in quantiles]
    return {"column": column, "quantile_ranges": {"quantiles": quantiles, "value_ranges": ranges}}


def _columns(name: str, **choices: Any) -> Callable[[Random], Kwargs]:
    def kwargs(random: Random) -> Kwargs:
        every = list(COLUMNS)
        named = random.choice([every, every, every[::-1], every[:-1], [*every, "more"], [*every[1:], "other"]])
        return {name: named, **_chosen(**choices)(random)}

    return kwargs


# Types that judge rows one by one take `mostly`.
OF_ROWS: dict[str, Callable[[Random], Kwargs]] = {
    "expect_column_values_to_not_be_null": _chosen(column=list(COLUMNS)),
    "expect_column_values_to_be_null": _chosen(column=list(COLUMNS)),
    "expect_column_values_to_be_unique": _chosen(column=list(COLUMNS)),
    "expect_column_values_to_be_in_set": _of_set("ifmstdb"),
    "expect_column_values_to_not_be_in_set": _of_set("ifmstdb"),
    "expect_column_values_to_be_between": _of_bounds("ifmtd"),
    "expect_column_value_lengths_to_be_between": _of_bounds("su", LENGTHS),
    "expect_column_value_lengths_to_equal": _chosen(column="su", value=LENGTHS),
    "expect_column_values_to_match_regex": _chosen(column="su", regex=REGEXES),
    "expect_column_values_to_not_match_regex": _chosen(column="su", regex=REGEXES),
    "expect_column_values_to_match_regex_list": _some("regex_list", REGEXES, column="su", match_on=["any", "all"]),
    "expect_column_values_to_not_match_regex_list": _some("regex_list", REGEXES, column="su"),
    "expect_column_pair_values_to_be_equal": _two("ik", "fg", "su", "tv", "ff"),
    "expect_column_pair_values_a_to_be_greater_than_b": _two("ik", "fg", "tv", or_equal=[True, False, None]),
    "expect_column_pair_values_to_be_in_set": _pairs,
    "expect_compound_columns_to_be_unique": _many("is", "if", "fs", "mt", "isd", "bk"),
    "expect_multicolumn_sum_to_equal": _many("ik", "ikm", "fg", "ikf", sum_total=[0, 1, 2, 3, 1.5]),
    "expect_select_column_values_to_be_unique_within_record": _many("ik", "fg", "su", "tv"),
    "expect_multicolumn_values_to_be_equal": _many("ik", "fg", "su", "tv"),
}
OF_TABLE: dict[str, Callable[[Random], Kwargs]] = {
    "expect_column_distinct_values_to_be_in_set": _of_set("ifmstdb"),
    "expect_column_distinct_values_to_equal_set": _of_set("ifmstdb"),
    "expect_column_distinct_values_to_contain_set": _of_set("ifmstdb"),
    "expect_column_most_common_value_to_be_in_set": _of_set("ifmsb", ties_okay=[True, False, None]),
    "expect_column_min_to_be_between": _of_bounds("ifmtd"),
    "expect_column_max_to_be_between": _of_bounds("ifmtd"),
    "expect_column_mean_to_be_between": _of_bounds("ifm"),
    "expect_column_median_to_be_between": _of_bounds("ifm"),
    "expect_column_stdev_to_be_between": _of_bounds("ifm", [0, 0.5, 1, 2, 50]),
    "expect_column_sum_to_be_between": _of_bounds("ifm", [-1, 0, 1, 2, 3, 100]),
    "expect_column_quantile_values_to_be_between": _quantiles,
    "expect_column_unique_value_count_to_be_between": _of_bounds("ifmstdb", [0, 1, 2, 3]),
    "expect_column_proportion_of_unique_values_to_be_between": _of_bounds("ifmstdb", [0, 1 / 3, 1 / 2, 1]),
    "expect_column_proportion_of_non_null_values_to_be_between": _of_bounds("ifmstdb", [0, 1 / 3, 1 / 2, 1]),
    "expect_table_row_count_to_be_between": lambda random: _between(random, [0, 1, 2, 5, 10]),
    "expect_table_row_count_to_equal": _chosen(value=[0, 1, 2, 5, 10]),
}
OF_SCHEMA: dict[str, Callable[[Random], Kwargs]] = {
    "expect_table_column_count_to_be_between": _chosen(min_value=[0, 10, 11, 12, None], max_value=[12, 13]),
    "expect_table_column_count_to_equal": _chosen(value=[10, 11, 12]),
    "expect_table_columns_to_match_set": _columns("column_set", exact_match=[True, False, None]),
    "expect_table_columns_to_match_ordered_list": _columns("column_list"),
    "expect_column_to_exist": _chosen(column=["i", "f", "more"], column_index=[0, 2, None]),
}
# Those that only GX's SQL engines have: compared with GX on SQLite.
OF_DATABASES: dict[str, Callable[[Random], Kwargs]] = {
    "expect_column_values_to_match_like_pattern": _chosen(column="su", like_pattern=LIKES),
    "expect_column_values_to_not_match_like_pattern": _chosen(column="su", like_pattern=LIKES),
    "expect_column_values_to_match_like_pattern_list": _some(
        "like_pattern_list", LIKES, column="su", match_on=["any", "all"]
    ),
    "expect_column_values_to_not_match_like_pattern_list": _some("like_pattern_list", LIKES, column="su"),
    "expect_table_row_count_to_equal_other_table": _chosen(other_table_name=["twin", "other"]),
    "unexpected_rows_expectation": _chosen(unexpected_rows_query=QUERIES),
}
# Types are named as DuckDB names them, not as pandas or SQLite do: nothing to compare; see tests/quality_checks.
NOT_COMPARABLE = {
    "expect_column_values_to_be_of_type": "type names are DuckDB's",
    "expect_column_values_to_be_in_type_list": "type names are DuckDB's",
    "expect_column_type_to_be": "type names are DuckDB's",
}

MAKERS = {**OF_ROWS, **OF_TABLE, **OF_SCHEMA, **OF_DATABASES}
_LIKE = {name for name in OF_DATABASES if "like" in name}
_CONDITIONED = {*OF_ROWS, *OF_TABLE, *_LIKE}


def _comparison(column: str, operator: str, parameter: Any) -> Kwargs:
    return {"type": "comparison", "column": {"name": column}, "operator": operator, "parameter": parameter}


def _null(column: str, is_null: bool) -> Kwargs:
    return {"type": "nullity", "column": {"name": column}, "is_null": is_null}


_US = _comparison("s", "==", "US")
STRUCTURED = [
    *(_comparison("i", operator, 1) for operator in ("==", ">", ">=", "<", "<=")),
    *(_comparison("f", operator, 0.5) for operator in ("==", ">", "<=")),
    _comparison("m", ">=", 0.5),
    _comparison("m", "==", 0.1),
    _comparison("d", ">", "2026-01-01"),
    _comparison("t", "<=", "2026-01-01T00:00:00"),
    _comparison("i", "IN", [1, 2, 3]),
    _comparison("s", "IN", ["US", "é", "a'b"]),
    _US,
    *(_null(column, is_null) for column in "fst" for is_null in (True, False)),
    {"type": "and", "conditions": [_comparison("i", ">", 0), _US]},
    {"type": "or", "conditions": [_comparison("i", "<", 0), _comparison("f", ">=", 1.0)]},
    {"type": "or", "conditions": [{"type": "and", "conditions": [_null("s", False), _US]}, _null("i", True)]},
]
TEXTUAL: list[tuple[str, str]] = [
    ('col("i") > 1', "great_expectations"),
    ('col("s") == "US"', "great_expectations__experimental__"),
    ('col("f").notnull()', "great_expectations"),
    ("i > 1", "pandas"),
    ("i >= 1 and s == 'US'", "pandas"),
    ("f < 1.0 or i == 2", "pandas"),
    ("1 <= i", "pandas"),
]


def random_rule(random: Random, type: str, rows: Sequence[Row] = ()) -> Expectation:
    """Return an expectation of a type, on columns and with arguments that reach both verdicts.

    Half of the sets of distinct values are those of `rows`, which no guess would hit.
    """
    kwargs = {name: value for name, value in MAKERS[type](random).items() if value is not None}
    if "_distinct_values_" in type and random.random() < 0.5:
        kwargs["value_set"] = _distinct(rows, kwargs["column"]) or kwargs["value_set"]
    if type in OF_ROWS or type in _LIKE:
        kwargs["mostly"] = random.choice(MOSTLY)
    if type in _CONDITIONED and random.random() < 0.3:
        textual = type not in _LIKE and random.random() < 0.3
        condition: Any = random.choice(TEXTUAL) if textual else (random.choice(STRUCTURED), None)
        kwargs |= dict(zip(("row_condition", "condition_parser"), condition, strict=True))
        if kwargs["condition_parser"] is None:
            del kwargs["condition_parser"]
    return Expectation(type=type, kwargs=kwargs)


def _distinct(rows: Sequence[Row], column: str) -> list[Any]:
    cells = dict.fromkeys(row[list(COLUMNS).index(column)] for row in rows)
    present = [cell for cell in cells if cell not in (None, "nan")]
    if any(cell in ("inf", "-inf") for cell in present):
        return []  # JSON has no infinity
    if column == "m":
        return [float(cell) for cell in present]
    if column in "tv":
        return [datetime.fromisoformat(cell).isoformat() for cell in present]
    return present
