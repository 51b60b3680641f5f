"""A table of every type of column that Postgres keeps, with values at boundaries, and expectations of every compiled type."""

from collections.abc import Iterator
from typing import Any

from quality_checks import Expectation

# Every column has nulls; each row its own mixture. `again` holds everything twice.
ROWS = r"""
SELECT * REPLACE (real::FLOAT AS real) FROM (VALUES
    (1, 0::SMALLINT, 2147483647, 9223372036854775807, 0.1::FLOAT, 0.1::DOUBLE, 1.10::DECIMAL(10,2),
     12345678901234567890123456789012345678::DECIMAL(38,0),
     'a', true,
     DATE '1970-01-01', TIMESTAMP '1970-01-01 00:00:00',
     TIMESTAMPTZ '1970-01-01 00:00:00+00',
     'de305d54-75b4-431b-adb2-eb6b9e546014'::UUID, '{"a": 1}'::JSON, 'a'::BLOB, [1, 2]),
    (2, 32767, -2147483648, -9223372036854775808, 'nan', 'nan', -99999999.99, NULL,
     'B', false,
     DATE '2026-02-28', TIMESTAMP '2026-02-28 23:59:59.999999',
     TIMESTAMPTZ '2026-02-28 23:59:59.999999+05',
     '00000000-0000-0000-0000-000000000000', 'null', '', []),
    (3, -32768, 0, 0, 'inf', '-inf', 99999999.99, -1,
     '', NULL,
     DATE '0001-01-01', TIMESTAMP '0001-01-01 00:00:00',
     TIMESTAMPTZ '2026-03-29 01:30:00+00', NULL, '[]', '\x00'::BLOB, NULL),
    (4, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
     NULL, NULL, NULL, NULL,
     NULL, NULL, NULL, NULL, NULL),
    (5, 1, 1, 9007199254740993, -0.0, -0.0, 0.00, 0,
     'zürich' || chr(10), true,
     DATE '2026-01-31', TIMESTAMP '2026-01-31 12:00:00.5',
     TIMESTAMPTZ '2026-01-31 12:00:00.5+00',
     'ffffffff-ffff-ffff-ffff-ffffffffffff', '"x"', '\xC3\xA9'::BLOB, [NULL]),
    (6, 1, 1, 9007199254740992, 0.0, 0.0, 0.01, 1,
     'it''s 100%_\ "ok"', true,
     DATE '9999-12-31', TIMESTAMP '9999-12-31 00:00:00',
     TIMESTAMPTZ '9999-12-31 00:00:00+00',
     'ffffffff-ffff-ffff-ffff-ffffffffffff', '1.0', '\xC3\xA9'::BLOB, [1, 2]),
    (7, 2, -1, -1, 1e-40, 1e300, 3.33, 2,
     '😀e', false,
     DATE '2026-01-31', NULL,
     NULL, NULL, NULL, NULL, NULL),
    (8, 3, 16777217, 3, 16777216, 0.30000000000000004, 1.20, 3,
     'A', true,
     DATE '2026-02-01', TIMESTAMP '2026-02-01 00:00:00',
     TIMESTAMPTZ '2026-02-01 00:00:00+00', NULL, NULL, NULL, NULL)
) t(id, small, whole, big, real, double, price, wide, text, flag, day, moment,
     instant, uuid, doc, bytes, list)
"""

_VALUES: dict[str, list[Any]] = {
    "id": [1, 2, 8, 4.5],
    "small": [1, 32767, -32768, 0.5],
    "whole": [1, 2147483647, 0, 5e9],
    "big": [9007199254740993, 9007199254740992.0, -1, 1e30],
    "real": [0.1, 0, -1e-45, 16777216],
    "double": [0.1, 0, 0.3, 1e300],
    "price": [1.1, 0, -99999999.99, 0.005],
    "wide": [0, 1, -1],
    "text": ["a", "B", "", "zürich\n", "_", "\\", "Z"],
    "flag": [True, False],
    "day": ["2026-01-31", "1970-01-01", "2026-01-31T00:00:00", "2026-01-31T06:00:00"],
    "moment": ["2026-02-28T23:59:59.999999", "1970-01-01T00:00:00"],
    "instant": ["2026-02-28T18:59:59.999999+00:00", "1970-01-01T01:00:00+01:00"],
    "uuid": ["ffffffff-ffff-ffff-ffff-ffffffffffff", "00000000-0000-0000-0000-000000000000"],
    "doc": ["[]", "null", "zz"],
}
_NUMBERS = ("small", "whole", "big", "real", "double", "price", "wide")
_TEXTS = ("text", "uuid", "doc")
_ALL = (*_VALUES, "bytes", "list")
_REGEXES = (
    "^a$",
    "a",
    "^[a-z]*$",
    r"\.",
    "[^a-c]",
    "e$",
    "^.$",
    "ü|😀",
    "^(a|B){1,2}$",
    "[%_]",
    r"\\",
    "'",
    r"^\w+$",
    r"\D",
    r"[^\s]",
    "^$",
    "a{300}",
    "[0-9a-f]{8}",
)
_LIKES = ("a", "%", "_", "", "%\\%", "%100\\%%", "z%\n", "%e", "%'%", "é%")
_SIMPLE = [
    ("expect_table_row_count_to_be_between", {"min_value": 8, "max_value": 8}),
    ("expect_table_row_count_to_equal", {"value": 8}),
    ("expect_table_column_count_to_equal", {"value": 17}),
    ("expect_table_column_count_to_be_between", {"min_value": 1, "max_value": 16}),
    ("expect_table_columns_to_match_set", {"column_set": ["id"], "exact_match": False}),
    ("expect_table_columns_to_match_ordered_list", {"column_list": ["id", "small"]}),
    ("expect_column_to_exist", {"column": "id", "column_index": 0}),
    ("expect_column_values_to_be_of_type", {"column": "price", "type_": "DECIMAL"}),
    ("expect_column_values_to_be_in_type_list", {"column": "id", "type_list": ["INTEGER", "BIGINT"]}),
    ("expect_table_row_count_to_equal_other_table", {"other_table_name": "other"}),
    (
        "expect_column_values_to_exist_in_other_table",
        {"column": "id", "other_table_name": "other", "other_column": "id"},
    ),
    ("unexpected_rows_expectation", {"unexpected_rows_query": "SELECT * FROM {batch} WHERE whole / 2 > 0.2"}),
]


def every_expectation() -> Iterator[Expectation]:
    """Every compiled type on every column that it takes, with bounds and sets at and beside the values."""
    for type, kwargs in _all():
        yield Expectation(type=type, kwargs=kwargs)


def _all() -> Iterator[tuple[str, dict[str, Any]]]:
    yield from _SIMPLE
    for column in _ALL:
        for type in ("not_be_null", "be_null", "be_unique"):
            yield f"expect_column_values_to_{type}", {"column": column, "mostly": 0.75}
        share = {"column": column, "min_value": 0.8, "max_value": 0.9}
        yield "expect_column_proportion_of_non_null_values_to_be_between", share
        yield "expect_column_proportion_of_unique_values_to_be_between", share
        yield "expect_column_unique_value_count_to_be_between", {"column": column, "min_value": 6, "max_value": 7}
    for column, values in _VALUES.items():
        yield from _of_values(column, values)
    for column in _NUMBERS:
        yield from _of_numbers(column)
    for column in _TEXTS:
        yield from _of_text(column)
    yield from _of_records()
    yield from _of_some_rows()


def _of_values(column: str, values: list[Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    sets = [values[:1], values, [*values[:2], None]]
    for value_set in sets:
        for type in ("values_to_be_in_set", "values_to_not_be_in_set", "most_common_value_to_be_in_set"):
            yield f"expect_column_{type}", {"column": column, "value_set": value_set}
        for type in ("be_in_set", "contain_set", "equal_set"):
            yield f"expect_column_distinct_values_to_{type}", {"column": column, "value_set": value_set}
        yield (
            "expect_column_most_common_value_to_be_in_set",
            {"column": column, "value_set": value_set, "ties_okay": True},
        )
    if column == "flag":
        return
    for value in values:
        for strict in (False, True):
            for kwargs in ({"min_value": value, "strict_min": strict}, {"max_value": value, "strict_max": strict}):
                for type in ("values_to_be_between", "min_to_be_between", "max_to_be_between"):
                    yield f"expect_column_{type}", {"column": column, **kwargs}


def _of_numbers(column: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for type in ("mean", "sum", "stdev", "median"):
        for bound in (0, 0.5, 1, 1e20):
            yield f"expect_column_{type}_to_be_between", {"column": column, "min_value": bound}
    places = {"quantiles": [0, 0.25, 0.5, 1], "value_ranges": [[None, 0], [0, None], [0, 1], [None, 1e10]]}
    yield "expect_column_quantile_values_to_be_between", {"column": column, "quantile_ranges": places}


def _of_text(column: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for size in (0, 1, 2, 7, 36):
        yield "expect_column_value_lengths_to_equal", {"column": column, "value": size}
        yield "expect_column_value_lengths_to_be_between", {"column": column, "min_value": size, "strict_min": True}
    for polarity in ("", "not_"):
        for regex in _REGEXES:
            yield f"expect_column_values_to_{polarity}match_regex", {"column": column, "regex": regex}
        for like in _LIKES:
            yield f"expect_column_values_to_{polarity}match_like_pattern", {"column": column, "like_pattern": like}
        yield f"expect_column_values_to_{polarity}match_regex_list", {"column": column, "regex_list": ["^a", "[A-Z]"]}
        likes = {"column": column, "like_pattern_list": ["a%", "%\\%"]}
        yield f"expect_column_values_to_{polarity}match_like_pattern_list", likes
    yield "expect_column_values_to_match_regex_list", {"column": column, "regex_list": ["^a", "a$"], "match_on": "all"}


def _of_records() -> Iterator[tuple[str, dict[str, Any]]]:
    pairs = [
        *(("small", "whole"), ("whole", "big"), ("big", "double"), ("whole", "real"), ("real", "double")),
        *(("price", "big"), ("text", "doc"), ("flag", "flag"), ("day", "day"), ("moment", "moment")),
    ]
    for a, b in pairs:
        for ignored in ("both_values_are_missing", "either_value_is_missing", "neither"):
            both = {"column_A": a, "column_B": b, "ignore_row_if": ignored}
            yield "expect_column_pair_values_to_be_equal", both
            yield "expect_column_pair_values_a_to_be_greater_than_b", both
            yield "expect_column_pair_values_a_to_be_greater_than_b", {**both, "or_equal": True}
    in_set = {"column_A": "small", "column_B": "text", "value_pairs_set": [[1, "zürich\n"], [0, "a"]]}
    yield "expect_column_pair_values_to_be_in_set", in_set
    for ignored in ("all_values_are_missing", "any_value_is_missing", "never"):
        for columns in (
            ["small", "whole"],
            ["big", "whole"],
            ["price", "whole"],
            ["double", "whole"],
            ["real", "small"],
            ["price", "small"],
        ):
            several = {"column_list": columns, "ignore_row_if": ignored}
            yield "expect_multicolumn_sum_to_equal", {**several, "sum_total": 2}
            yield "expect_select_column_values_to_be_unique_within_record", several
            yield "expect_compound_columns_to_be_unique", several
        yield (
            "expect_compound_columns_to_be_unique",
            {"column_list": ["uuid", "bytes", "flag"], "ignore_row_if": ignored},
        )


def _of_some_rows() -> Iterator[tuple[str, dict[str, Any]]]:
    conditions = [
        "whole > 0",
        'text == "a"',
        "real > 0 and small <= 3",
        "id in [1, 5, 6]",
        'text < "a"',
        "double == 0.1",
    ]
    asked: list[tuple[str, dict[str, Any]]] = [
        ("expect_column_values_to_not_be_null", {"column": "doc"}),
        ("expect_column_values_to_be_unique", {"column": "uuid"}),
        ("expect_column_values_to_be_unique", {"column": "double"}),
        ("expect_column_mean_to_be_between", {"column": "price", "min_value": 0}),
        ("expect_column_mean_to_be_between", {"column": "double", "min_value": 0}),
        ("expect_column_stdev_to_be_between", {"column": "price", "min_value": 0}),
        ("expect_column_median_to_be_between", {"column": "small", "min_value": 1}),
        ("expect_column_max_to_be_between", {"column": "moment", "min_value": "2026-01-01T00:00:00"}),
        ("expect_column_values_to_match_regex", {"column": "text", "regex": "^[a-z]"}),
        ("expect_table_row_count_to_be_between", {"min_value": 3}),
    ]
    for condition in conditions:
        for type, kwargs in asked:
            yield type, {**kwargs, "row_condition": condition, "condition_parser": "pandas"}
