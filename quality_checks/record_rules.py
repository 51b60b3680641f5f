"""Expectations about several columns of one row: a pair, a sum, no value twice."""

from collections.abc import Sequence
from itertools import combinations
from typing import Any

from sqlglot import exp

from quality_checks.arguments import (
    COLUMN_A,
    COLUMN_B,
    COLUMN_LIST,
    COLUMNS,
    MOSTLY,
    Argument,
    Kwargs,
    is_flag,
    is_list,
)
from quality_checks.columns import Column, Columns
from quality_checks.counts import count_where, row_count
from quality_checks.errors import NotCompiledError, QualityError
from quality_checks.expectation_type import expectation_type
from quality_checks.families import NUMBERS, is_number
from quality_checks.plans import RowPlan

_OF_PAIR = ("both_values_are_missing", "either_value_is_missing", "neither")
OF_MANY = ("all_values_are_missing", "any_value_is_missing", "never")
# Every two columns are compared: more would make a predicate that nobody wants to run.
_COMPARED_MAX = 20


def ignoring(modes: Sequence[str]) -> Argument:
    """Return the kwarg that says which rows are not judged."""
    wants = " or ".join(map(repr, modes))
    return Argument(name="ignore_row_if", wants=wants, accepts=lambda value: value in modes)


def judged_if(columns: Sequence[Column], mode: str) -> exp.Expr | None:
    """Return which rows are judged under a mode of `ignore_row_if`; None for all."""
    if mode in ("neither", "never"):
        return None
    present = [exp.not_(column.missing) for column in columns]
    return exp.or_(*present) if mode in ("both_values_are_missing", "all_values_are_missing") else exp.and_(*present)


@expectation_type("expect_column_pair_values_to_be_equal", COLUMN_A, COLUMN_B, ignoring(_OF_PAIR), MOSTLY)
def pair_equal(kwargs: Kwargs, columns: Columns) -> RowPlan:
    """Rows whose two values differ are unexpected."""
    a, b = _pair(kwargs, columns)
    return _rows([a, b], exp.EQ(this=_value(a, b), expression=_value(b, a)), kwargs, _OF_PAIR)


@expectation_type(
    "expect_column_pair_values_a_to_be_greater_than_b",
    COLUMN_A,
    COLUMN_B,
    Argument(name="or_equal", wants="true or false", accepts=is_flag),
    ignoring(_OF_PAIR),
    MOSTLY,
)
def pair_greater(kwargs: Kwargs, columns: Columns) -> RowPlan:
    """Rows whose first value is not above the second are unexpected; equal ones too, without or_equal."""
    a, b = _pair(kwargs, columns)
    above = exp.GTE if kwargs.get("or_equal") else exp.GT
    return _rows([a, b], above(this=_value(a, b), expression=_value(b, a)), kwargs, _OF_PAIR)


def _are_pairs(value: Any) -> bool:
    return is_list(value) and len(value) > 0 and all(is_list(each) and len(each) == 2 for each in value)


@expectation_type(
    "expect_column_pair_values_to_be_in_set",
    COLUMN_A,
    COLUMN_B,
    Argument(name="value_pairs_set", wants="a list of pairs", accepts=_are_pairs, required=True),
    ignoring(_OF_PAIR),
    MOSTLY,
)
def pair_in_set(kwargs: Kwargs, columns: Columns) -> RowPlan:
    """Rows whose two values are none of the pairs are unexpected."""
    a, b = columns[kwargs["column_A"]], columns[kwargs["column_B"]]
    if any(value is None for pair in kwargs["value_pairs_set"] for value in pair):
        raise NotCompiledError("'value_pairs_set' holds null, which SQL equals with nothing")
    pairs = [(a.read(first), b.read(second)) for first, second in kwargs["value_pairs_set"]]
    known = [
        exp.and_(
            exp.EQ(this=a.compared, expression=a.literal(first)), exp.EQ(this=b.compared, expression=b.literal(second))
        )
        for first, second in pairs
        if a.may_hold(first) and b.may_hold(second)
    ]
    return _rows([a, b], exp.or_(exp.false(), *known), kwargs, _OF_PAIR)


@expectation_type(
    "expect_multicolumn_sum_to_equal",
    COLUMNS,
    Argument(name="sum_total", wants="a number", accepts=is_number, required=True),
    ignoring(OF_MANY),
    MOSTLY,
)
def sum_equal(kwargs: Kwargs, columns: Columns) -> RowPlan:
    """Rows whose values add up to something else are unexpected, as are those that lack a value."""
    added = [columns[name] for name in kwargs["column_list"]]
    for column in added:
        column.require(*NUMBERS, doing="add columns of numbers")
    total = _summand(added[0])
    for column in added[1:]:
        total = exp.Add(this=total, expression=_summand(column))
    whole = exp.Literal.number(repr(kwargs["sum_total"]))
    wanted = exp.cast(whole, "DOUBLE") if any(column.family == "float" for column in added) else whole
    return _rows(added, exp.EQ(this=exp.paren(total), expression=wanted), kwargs, OF_MANY)


@expectation_type("expect_select_column_values_to_be_unique_within_record", COLUMN_LIST, ignoring(OF_MANY), MOSTLY)
def unique_within_record(kwargs: Kwargs, columns: Columns) -> RowPlan:
    """Rows that hold a value twice are unexpected; missing equals missing."""
    named = [columns[name] for name in kwargs["column_list"]]
    if len(named) > _COMPARED_MAX:
        raise NotCompiledError(f"more than {_COMPARED_MAX} columns are compared with one another")
    apart = [exp.not_(exp.NullSafeEQ(this=_value(a, b), expression=_value(b, a))) for a, b in combinations(named, 2)]
    return _rows(named, exp.and_(*apart), kwargs, OF_MANY)


def _rows(judged: Sequence[Column], met: exp.Expr, kwargs: Kwargs, modes: Sequence[str]) -> RowPlan:
    """Where `met` is null, a value is missing that something was expected of."""
    only = judged_if(judged, kwargs.get("ignore_row_if") or modes[0])
    fails = exp.not_(exp.func("COALESCE", met, exp.false()))
    if only is None:
        return RowPlan(unexpected=fails, judged=row_count())
    return RowPlan(unexpected=exp.and_(only, fails), judged=count_where(only))


def _pair(kwargs: Kwargs, columns: Columns) -> tuple[Column, Column]:
    return columns[kwargs["column_A"]], columns[kwargs["column_B"]]


def _value(column: Column, other: Column) -> exp.Expr:
    """A column as it is compared with another one; raises QualityError when the two cannot be."""
    both_numbers = column.family in NUMBERS and other.family in NUMBERS
    if column.family == "other" or (column.family != other.family and not both_numbers):
        raise QualityError(
            f"column '{column.name}' is {column.type}, '{other.name}' is {other.type} — compare columns of one kind"
        )
    return column.compared if column.family == "text" else column.key


def _summand(column: Column) -> exp.Expr:
    """Whole numbers in a type in which none of their sums overflows."""
    return exp.cast(column.sql, "HUGEINT", dialect="duckdb") if column.family == "integer" else column.key
