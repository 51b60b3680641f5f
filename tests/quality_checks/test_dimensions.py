"""Which dimension an expectation counts for."""

import pytest

from quality_checks import Expectation
from quality_checks.dimensions import _TYPES, DIMENSIONS, dimension_of
from quality_checks.gx_names import GX_TYPES


def an_expectation(type: str, dimension: object = None) -> Expectation:
    return Expectation(type=type, kwargs={}, meta={} if dimension is None else {"dimension": dimension})


def test_every_type_of_gx_has_one() -> None:
    assert {dimension_of(an_expectation(type)) for type in GX_TYPES} == set(DIMENSIONS) - {"timeliness"}


def test_no_type_is_listed_that_gx_does_not_have() -> None:
    assert set(_TYPES) <= GX_TYPES


@pytest.mark.parametrize(
    ("type", "dimension"),
    [
        ("expect_column_values_to_not_be_null", "completeness"),
        ("expect_compound_columns_to_be_unique", "uniqueness"),
        ("expect_column_values_to_match_regex", "validity"),
        ("expect_column_mean_to_be_between", "accuracy"),
        ("expect_column_pair_values_to_be_equal", "consistency"),
        ("expect_something_of_our_own", "validity"),
    ],
)
def test_the_type_says_which(type: str, dimension: str) -> None:
    assert dimension_of(an_expectation(type)) == dimension


@pytest.mark.parametrize(
    ("said", "dimension"),
    [
        ("timeliness", "timeliness"),
        (" Conformity ", "validity"),
        ("cv", "completeness"),
        ("beauty", "completeness"),
        (7, "completeness"),
        (["accuracy"], "completeness"),
    ],
)
def test_the_contract_says_otherwise_in_odcs_words(said: object, dimension: str) -> None:
    assert dimension_of(an_expectation("expect_column_values_to_not_be_null", said)) == dimension
