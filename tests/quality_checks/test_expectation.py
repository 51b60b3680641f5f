"""Expectations as values, keys, and the names of checks."""

import pickle
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quality_checks import Expectation, check_names, primary_key


def a_rule(type: str = "expect_column_values_to_be_between", name: str = "", **kwargs: object) -> Expectation:
    return Expectation(type=type, kwargs=kwargs or {"column": "cost"}, meta={"name": name} if name else {})


@pytest.mark.parametrize(
    ("type", "kwargs", "name"),
    [
        ("expect_column_values_to_not_be_null", {"column": "person_id"}, "not_null__person_id"),
        ("expect_column_values_to_be_unique", {"column": "id"}, "unique__id"),
        ("expect_compound_columns_to_be_unique", {"column_list": ["person_id", "day"]}, "unique__person_id__day"),
        ("expect_column_values_to_be_between", {"column": "cost"}, "between__cost"),
        ("expect_column_values_to_be_in_set", {"column": "country"}, "in_set__country"),
        ("expect_column_values_to_match_regex", {"column": "url"}, "match_regex__url"),
        ("expect_table_row_count_to_be_between", {"min_value": 1}, "row_count_between"),
        ("expect_column_max_to_be_between", {"column": "day"}, "max_between__day"),
        ("expect_column_values_to_be_between", {"column": 'we"ird.na me'}, "between__we_ird_na_me"),
        ("expect_column_to_exist", {"column": "day"}, "exist__day"),
        ("expect_column_pair_values_to_be_equal", {"column_A": "a", "column_B": "b"}, "pair_values_equal__a__b"),
        ("expect_multicolumn_sum_to_equal", {"column_list": ["a", "b"]}, "multicolumn_sum_equal__a__b"),
        ("expect_table_columns_to_match_ordered_list", {"column_list": ["a"]}, "columns_match_ordered_list"),
        ("unexpected_rows_expectation", {"unexpected_rows_query": "SELECT"}, "unexpected_rows"),
    ],
)
def test_names_say_type_and_columns(type: str, kwargs: dict[str, object], name: str) -> None:
    assert Expectation(type=type, kwargs=kwargs).name == name


def test_meta_overrides_the_name_within_dagsters_alphabet() -> None:
    assert a_rule(name="no negative cost").name == "no_negative_cost"


def test_repeated_names_are_numbered_in_order() -> None:
    assert check_names([a_rule(), a_rule(), a_rule()]) == ("between__cost", "between__cost_2", "between__cost_3")


def test_a_numbered_name_never_takes_a_declared_one() -> None:
    rules = [a_rule(), a_rule(), a_rule(name="between__cost_2")]
    assert check_names(rules) == ("between__cost", "between__cost_3", "between__cost_2")


@settings(max_examples=100, derandomize=True, deadline=None)
@given(st.lists(st.sampled_from(["a", "a_2", "a_2_2", "a_3", "ü", "-"]), max_size=8))
def test_check_names_are_distinct_and_valid(names: list[str]) -> None:
    given_names = check_names([a_rule(name=name) for name in names])
    assert len(set(given_names)) == len(names)
    assert all(re.fullmatch("[A-Za-z0-9_]+", name) for name in given_names)


def test_columns_are_listed_in_the_expectations_order() -> None:
    assert a_rule(column_list=["b", "a"]).columns == ("b", "a")
    assert a_rule(column="b").columns == ("b",)
    assert a_rule(min_value=1).columns == ()


def test_a_key_of_one_column_is_present_and_unique() -> None:
    assert check_names(primary_key(["id"])) == ("not_null__id", "unique__id")


def test_a_key_of_many_columns_is_unique_together() -> None:
    key = primary_key(["id", "day"], severity="warning")
    assert check_names(key) == ("not_null__id", "not_null__day", "unique__id__day")
    assert {each.severity for each in key} == {"warning"}


def test_a_key_of_no_column_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one column"):
        primary_key([])


def test_survives_pickling_between_processes() -> None:
    assert pickle.loads(pickle.dumps(a_rule())) == a_rule()
