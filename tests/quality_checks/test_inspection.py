"""Problems that are found without data: each message says what was found and what would do."""

from typing import Any

import pytest

from quality_checks import Expectation, known_types, problems

COLUMNS = {
    "id": "BIGINT",
    "cost": "DOUBLE",
    "country": "VARCHAR",
    "day": "DATE",
    "at": "TIMESTAMPTZ",
    "tags": "VARCHAR[]",
}

NOT_NULL = "expect_column_values_to_not_be_null"
BETWEEN = "expect_column_values_to_be_between"
IN_SET = "expect_column_values_to_be_in_set"
REGEX = "expect_column_values_to_match_regex"
COMPOUND = "expect_compound_columns_to_be_unique"
ROW_COUNT = "expect_table_row_count_to_be_between"


def found(type: str, **kwargs: Any) -> str:
    return "\n".join(problems(Expectation(type=type, kwargs=kwargs), COLUMNS))


def test_what_the_issue_names_compiles() -> None:
    of_values = (
        "not_be_null be_null be_unique be_in_set not_be_in_set be_between match_regex not_match_regex match_regex_list"
    )
    of_values += " not_match_regex_list match_like_pattern not_match_like_pattern be_of_type"
    of_column = (
        "distinct_values_to_be_in_set distinct_values_to_equal_set distinct_values_to_contain_set min_to_be_between"
    )
    of_column += (
        " max_to_be_between mean_to_be_between median_to_be_between quantile_values_to_be_between stdev_to_be_between"
    )
    of_column += " sum_to_be_between proportion_of_unique_values_to_be_between unique_value_count_to_be_between"
    of_column += (
        " value_lengths_to_be_between value_lengths_to_equal pair_values_to_be_equal pair_values_a_to_be_greater_than_b"
    )
    of_table = "row_count_to_be_between row_count_to_equal_other_table column_count_to_equal columns_to_match_set"
    wanted = {f"expect_column_values_to_{each}" for each in of_values.split()}
    wanted |= {f"expect_column_{each}" for each in of_column.split()}
    wanted |= {f"expect_table_{each}" for each in (*of_table.split(), "columns_to_match_ordered_list")}
    wanted |= {COMPOUND, "expect_multicolumn_sum_to_equal", "unexpected_rows_expectation"}
    assert wanted - set(known_types()) == set()


@pytest.mark.parametrize(
    ("type", "kwargs"),
    [
        (NOT_NULL, {"column": "tags", "mostly": 0.9}),
        (BETWEEN, {"column": "cost", "min_value": 0, "max_value": None, "strict_min": None}),
        (BETWEEN, {"column": "day", "min_value": "2026-01-01", "max_value": "2026-01-01"}),
        (IN_SET, {"column": "country", "value_set": ["US", None]}),
        (REGEX, {"column": "country", "regex": "^[A-Z]{2}$"}),
        (COMPOUND, {"column_list": ["id", "day"], "ignore_row_if": "never"}),
        (ROW_COUNT, {"min_value": 0}),
    ],
)
def test_sound_expectations_have_none(type: str, kwargs: dict[str, Any]) -> None:
    assert found(type, **kwargs) == ""


TWO_NAMES = "give two or more different columns' names"
A_BOUND = "give a number, or text for text and times"
A_MODE = "give 'all_values_are_missing' or 'any_value_is_missing' or 'never'"


def test_an_unknown_type_is_met_with_the_nearest() -> None:
    assert found("expect_column_values_to_be_betwen") == (
        f"there is no expectation type 'expect_column_values_to_be_betwen' — did you mean '{BETWEEN}'?"
    )


@pytest.mark.parametrize(
    ("type", "kwargs", "message"),
    [
        (BETWEEN, {"column": "cost", "minvalue": 1}, "there is no argument 'minvalue' — did you mean 'min_value'?"),
        (NOT_NULL, {}, "'column' is missing — give a column's name"),
        (NOT_NULL, {"column": 7}, "'column' is 7 — give a column's name"),
        (NOT_NULL, {"column": "contry"}, "there is no column 'contry' — did you mean 'country'?"),
        (NOT_NULL, {"column": "ID"}, "there is no column 'ID' — did you mean 'id'?"),
        (NOT_NULL, {"column": "zzz"}, "there is no column 'zzz' — known: at, cost, country, day, id, tags"),
        (NOT_NULL, {"column": "id", "mostly": 1.5}, "'mostly' is 1.5 — give a number from 0 to 1"),
        (NOT_NULL, {"column": "id", "mostly": "0.9"}, "'mostly' is '0.9' — give a number from 0 to 1"),
        (NOT_NULL, {"column": "id", "mostly": True}, "'mostly' is True — give a number from 0 to 1"),
        (IN_SET, {"column": "id"}, "'value_set' is missing — give a list with at least one value"),
        (IN_SET, {"column": "id", "value_set": []}, "'value_set' is [] — give a list with at least one value"),
        (IN_SET, {"column": "id", "value_set": [None]}, "'value_set' is [None] — give a list with at least one value"),
        (IN_SET, {"column": "id", "value_set": "12"}, "'value_set' is '12' — give a list with at least one value"),
        (BETWEEN, {"column": "cost", "min_value": 1, "strict_min": 1}, "'strict_min' is 1 — give true or false"),
        (BETWEEN, {"column": "cost", "min_value": float("nan")}, f"'min_value' is nan — {A_BOUND}"),
        (BETWEEN, {"column": "cost", "min_value": 10**400}, A_BOUND),
        (REGEX, {"column": "country", "regex": ""}, "'regex' is '' — give a regular expression"),
        (COMPOUND, {"column_list": ["id"]}, f"'column_list' is ['id'] — {TWO_NAMES}"),
        (COMPOUND, {"column_list": ["id", "id"]}, f"'column_list' is ['id', 'id'] — {TWO_NAMES}"),
        (COMPOUND, {"column_list": ["id", 7]}, f"'column_list' is ['id', 7] — {TWO_NAMES}"),
        (COMPOUND, {"column_list": ["id", "dy"]}, "there is no column 'dy' — did you mean 'day'?"),
        (COMPOUND, {"column_list": ["id", "day"], "ignore_row_if": "x"}, f"'ignore_row_if' is 'x' — {A_MODE}"),
        (COMPOUND, {"column_list": ["id", "day"], "ignore_row_if": []}, f"'ignore_row_if' is [] — {A_MODE}"),
        (ROW_COUNT, {"min_value": 1.5}, "'min_value' is 1.5 — give a whole number of rows, 0 or more"),
        (ROW_COUNT, {"min_value": -1}, "'min_value' is -1 — give a whole number of rows, 0 or more"),
    ],
)
def test_an_argument_that_is_wrong_is_met_with_what_would_do(type: str, kwargs: dict[str, Any], message: str) -> None:
    assert found(type, **kwargs).endswith(message)


@pytest.mark.parametrize(
    ("column", "bound", "message"),
    [
        ("country", 5, "column 'country' is VARCHAR, not to be compared with 5 — give text (without NUL)"),
        ("country", "a\0", "column 'country' is VARCHAR, not to be compared with 'a\\x00' — give text (without NUL)"),
        ("id", "5", "column 'id' is BIGINT, not to be compared with '5' — give numbers"),
        ("day", "soon", "column 'day' is DATE, not to be compared with 'soon' — give ISO dates, such as '2026-01-31'"),
        ("at", "2026-01-01", "give ISO times with a zone, such as '2026-01-31T12:00:00+00:00'"),
        ("tags", "a", "column 'tags' is VARCHAR[], which has no literals — check nulls or uniqueness"),
    ],
)
def test_a_value_that_does_not_fit_its_column_is_refused(column: str, bound: object, message: str) -> None:
    assert found(BETWEEN, column=column, min_value=bound).endswith(message)
    assert found(IN_SET, column=column, value_set=[bound]).endswith(message)


@pytest.mark.parametrize(
    ("type", "kwargs", "message"),
    [
        (BETWEEN, {"column": "id"}, "'min_value' and 'max_value' are both open, which every row meets"),
        (ROW_COUNT, {"min_value": None}, "'min_value' and 'max_value' are both open, which every row meets"),
        (BETWEEN, {"column": "id", "min_value": 5, "max_value": 3}, "'min_value' 5 is above 'max_value' 3"),
        (ROW_COUNT, {"min_value": 2, "max_value": 1}, "'min_value' 2 is above 'max_value' 1"),
        (
            BETWEEN,
            {"column": "day", "min_value": "2026-02-01", "max_value": "2026-01-31T12:00"},
            "is above 'max_value'",
        ),
        (REGEX, {"column": "id", "regex": "1"}, "column 'id' is BIGINT, not text — match a text column"),
        (REGEX, {"column": "country", "regex": "("}, "mend the pattern"),
        ("expect_column_values_to_match_like_pattern", {"column": "id", "like_pattern": "1"}, "compare a text column"),
        ("expect_column_mean_to_be_between", {"column": "country", "min_value": 1}, "take a column of numbers"),
        ("expect_column_pair_values_to_be_equal", {"column_A": "id", "column_B": "day"}, "compare columns of one kind"),
        ("expect_column_value_lengths_to_equal", {"column": "id", "value": 3}, "measure a text column"),
        (
            "unexpected_rows_expectation",
            {"unexpected_rows_query": "SELECT * FROM {batch}; DROP TABLE t"},
            "is not one SELECT",
        ),
    ],
)
def test_arguments_that_make_no_sense_together_are_refused(type: str, kwargs: dict[str, Any], message: str) -> None:
    assert message in found(type, **kwargs)


def test_all_problems_of_the_arguments_are_told_at_once() -> None:
    told = found(IN_SET, column="idd", value_set=[], mostly=2, values=[1]).splitlines()
    assert len(told) == 4


def test_a_severity_is_critical_or_warning() -> None:
    rule = Expectation(type=NOT_NULL, kwargs={"column": "id"}, severity="info")  # type: ignore[arg-type]
    assert problems(rule, COLUMNS) == ["the severity is 'info' — give 'critical' or 'warning'"]


def test_a_long_value_is_shortened() -> None:
    assert len(found(IN_SET, column="id", value_set="x" * 1000)) < 200


@pytest.mark.parametrize("type", ["int8", "bigint", "LONG", "NUMERIC(10, 2)", "real", "HUGEINT", "UTINYINT"])
def test_types_are_known_by_all_their_names(type: str) -> None:
    rule = Expectation(type=BETWEEN, kwargs={"column": "c", "min_value": 1})
    assert problems(rule, {"c": type}) == []


@pytest.mark.parametrize("type", ["BIT", "VARCHAR[]", "STRUCT(a INTEGER)", "BLOB", "TIME", "no such type"])
def test_types_without_literals_are_not_compared(type: str) -> None:
    rule = Expectation(type=BETWEEN, kwargs={"column": "c", "min_value": 1})
    assert "has no literals" in problems(rule, {"c": type})[0]
