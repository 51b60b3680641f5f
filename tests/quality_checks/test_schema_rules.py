"""Which columns there are, in which order, of which type. No row is read."""

from typing import Any

import duckdb
import pytest

from quality_checks import Expectation, Result, evaluate, falls_back, problems

RELATION = "(SELECT 1::BIGINT AS id, 'a' AS \"we\"\"ird\", 1.5::DECIMAL(9,2) AS price, [1] AS list WHERE error('read') IS NULL)"
COUNT = "expect_table_column_count_to_equal"
BETWEEN = "expect_table_column_count_to_be_between"
AS_SET = "expect_table_columns_to_match_set"
ORDERED = "expect_table_columns_to_match_ordered_list"
EXIST = "expect_column_to_exist"
OF_TYPE = "expect_column_values_to_be_of_type"
IN_TYPES = "expect_column_values_to_be_in_type_list"
NAMES = ["id", 'we"ird', "price", "list"]


def judged(connection: duckdb.DuckDBPyConnection, type: str, **kwargs: Any) -> Result:
    (result,) = evaluate(connection, RELATION, [Expectation(type=type, kwargs=kwargs)])
    assert (result.error, result.engine) == (None, "compiled")
    return result


@pytest.mark.parametrize(
    ("type", "kwargs", "success"),
    [
        (COUNT, {"value": 4}, True),
        (COUNT, {"value": 3}, False),
        (BETWEEN, {"min_value": 4, "max_value": 5}, True),
        (BETWEEN, {"max_value": 4, "strict_max": True}, False),
        (AS_SET, {"column_set": NAMES[::-1]}, True),
        (AS_SET, {"column_set": NAMES[:2]}, False),
        (AS_SET, {"column_set": NAMES[:2], "exact_match": False}, True),
        (AS_SET, {"column_set": ["no such"], "exact_match": False}, False),
        (AS_SET, {"column_set": [*NAMES, "more"]}, False),
        (ORDERED, {"column_list": NAMES}, True),
        (ORDERED, {"column_list": NAMES[::-1]}, False),
        (EXIST, {"column": 'we"ird'}, True),
        (EXIST, {"column": "ID"}, False),
        (EXIST, {"column": "price", "column_index": 2}, True),
        (EXIST, {"column": "price", "column_index": 0}, False),
        (EXIST, {"column": "price", "column_index": 99}, False),
        (OF_TYPE, {"column": "id", "type_": "BIGINT"}, True),
        (OF_TYPE, {"column": "id", "type_": "int8"}, True),
        (OF_TYPE, {"column": "id", "type_": "INTEGER"}, False),
        (OF_TYPE, {"column": "price", "type_": "DECIMAL"}, True),
        (OF_TYPE, {"column": "price", "type_": "DECIMAL(9,2)"}, True),
        (OF_TYPE, {"column": "price", "type_": "DECIMAL(9,3)"}, False),
        (OF_TYPE, {"column": "list", "type_": "INTEGER[]"}, True),
        (OF_TYPE, {"column": "list", "type_": "BIGINT[]"}, False),
        (IN_TYPES, {"column": 'we"ird', "type_list": ["BLOB", "STRING"]}, True),
        (IN_TYPES, {"column": 'we"ird', "type_list": ["BLOB"]}, False),
    ],
)
def test_columns_are_judged_without_a_row(
    connection: duckdb.DuckDBPyConnection, type: str, kwargs: dict[str, Any], success: bool
) -> None:
    assert judged(connection, type, **kwargs).success is success


@pytest.mark.parametrize("type", ["object", "datetime64", "StringDtype"])
def test_a_type_of_pandas_is_left_to_gx(type: str) -> None:
    assert falls_back(Expectation(type=OF_TYPE, kwargs={"column": "id", "type_": type}), {"id": "BIGINT"})


def test_that_a_column_must_exist_is_no_problem_where_it_does_not() -> None:
    assert problems(Expectation(type=EXIST, kwargs={"column": "gone"}), {"id": "BIGINT"}) == []
    assert problems(Expectation(type=ORDERED, kwargs={"column_list": ["gone"]}), {"id": "BIGINT"}) == []
