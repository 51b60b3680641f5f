"""Expectations about the columns themselves: which there are, in which order, of which type. They read no rows."""

from typing import Any

from sqlglot import exp
from sqlglot.errors import SqlglotError

from quality_checks.arguments import COLUMN, MOSTLY, Argument, Kwargs, is_count, is_flag, is_list
from quality_checks.bounds import Bounds, bound_arguments
from quality_checks.columns import Column, Columns
from quality_checks.errors import NotCompiledError
from quality_checks.expectation_type import schema_type
from quality_checks.plans import KnownPlan


def _are_texts(value: Any) -> bool:
    return is_list(value) and all(isinstance(each, str) for each in value)


def _is_type(value: Any) -> bool:
    return isinstance(value, str) and value != ""


@schema_type(
    "expect_table_column_count_to_equal",
    Argument(name="value", wants="a whole number of columns", accepts=is_count, required=True),
)
def column_count_equal(kwargs: Kwargs, columns: Columns) -> KnownPlan:
    """There are exactly so many columns."""
    return KnownPlan(success=len(columns) == kwargs["value"], observed=len(columns))


@schema_type("expect_table_column_count_to_be_between", *bound_arguments("a whole number of columns", is_count))
def column_count_between(kwargs: Kwargs, columns: Columns) -> KnownPlan:
    """The number of columns lies within the bounds."""
    return KnownPlan(success=Bounds.of(kwargs, int).contain(len(columns)), observed=len(columns))


@schema_type(
    "expect_table_columns_to_match_set",
    Argument(name="column_set", wants="a list of columns' names", accepts=_are_texts, required=True),
    Argument(name="exact_match", wants="true or false", accepts=is_flag),
)
def columns_match_set(kwargs: Kwargs, columns: Columns) -> KnownPlan:
    """Each named column is there, and no other; with exact_match false, others may be."""
    wanted, there = set(kwargs["column_set"]), set(columns)
    exact = kwargs.get("exact_match") is not False
    return KnownPlan(success=there == wanted if exact else there >= wanted, observed=len(there))


@schema_type(
    "expect_table_columns_to_match_ordered_list",
    Argument(name="column_list", wants="a list of columns' names", accepts=_are_texts, required=True),
)
def columns_match_list(kwargs: Kwargs, columns: Columns) -> KnownPlan:
    """The columns are those of the list, in its order."""
    return KnownPlan(success=list(columns) == list(kwargs["column_list"]), observed=len(columns))


@schema_type(
    "expect_column_to_exist",
    COLUMN,
    Argument(name="column_index", wants="a column's place, from 0", accepts=is_count),
)
def column_exists(kwargs: Kwargs, columns: Columns) -> KnownPlan:
    """The column is there, and at its place where one is given."""
    name, place, there = kwargs["column"], kwargs.get("column_index"), list(columns)
    success = name in there if place is None else there[place : place + 1] == [name]
    return KnownPlan(success=success, observed=len(there))


@schema_type(
    "expect_column_values_to_be_of_type",
    COLUMN,
    Argument(name="type_", wants="a type of DuckDB, such as 'BIGINT'", accepts=_is_type, required=True),
    MOSTLY,
)
def of_type(kwargs: Kwargs, columns: Columns) -> KnownPlan:
    """The column's type is this one, under any of its names; DECIMAL without digits means any DECIMAL."""
    column = columns[kwargs["column"]]
    return KnownPlan(success=_is(column, kwargs["type_"]), observed=column.type)


@schema_type(
    "expect_column_values_to_be_in_type_list",
    COLUMN,
    Argument(name="type_list", wants="a list of DuckDB's types", accepts=_are_texts, required=True),
    MOSTLY,
)
def in_type_list(kwargs: Kwargs, columns: Columns) -> KnownPlan:
    """The column's type is one of these."""
    column = columns[kwargs["column"]]
    fitting = [wanted for wanted in kwargs["type_list"] if _is(column, wanted)]
    return KnownPlan(success=bool(fitting), observed=column.type)


def _is(column: Column, wanted: str) -> bool:
    try:
        asked, found = (exp.DataType.build(each, dialect="duckdb") for each in (wanted, column.type))
    except SqlglotError:
        raise NotCompiledError(f"'{wanted}' is no type of DuckDB") from None
    if asked.this in (exp.DType.USERDEFINED, exp.DType.OBJECT):
        raise NotCompiledError(f"'{wanted}' is no type of DuckDB")
    in_detail = "(" in wanted or "[" in wanted  # else DECIMAL would be DECIMAL(18, 3)
    return asked == found if in_detail else bool(asked.this == found.this)
