"""Which dimension of quality an expectation is about, for a scorecard. Says nothing of how much it matters.

The six are DAMA UK's (2013). ODCS has a seventh, coverage, which is completeness here, and says conformity for validity.
"""

from collections.abc import Mapping
from typing import Literal, get_args

from quality_checks.expectation import Expectation

Dimension = Literal["completeness", "uniqueness", "validity", "accuracy", "consistency", "timeliness"]
DIMENSIONS: tuple[Dimension, ...] = get_args(Dimension)

# ODCS's other words for them, the short ones included.
_SYNONYMS: Mapping[str, Dimension] = {
    **{dimension: dimension for dimension in DIMENSIONS},
    "conformity": "validity",
    "cf": "validity",
    "coverage": "completeness",
    "cv": "completeness",
    "cp": "completeness",
    "uq": "uniqueness",
    "ac": "accuracy",
    "cs": "consistency",
    "tm": "timeliness",
    "freshness": "timeliness",
}

# What is not here is about validity: each value by itself, or the table's shape, is as the contract says.
_TYPES: Mapping[str, Dimension] = {
    "expect_column_values_to_not_be_null": "completeness",
    "expect_column_proportion_of_non_null_values_to_be_between": "completeness",
    "expect_table_row_count_to_be_between": "completeness",
    "expect_table_row_count_to_equal": "completeness",
    "expect_column_distinct_values_to_contain_set": "completeness",
    "expect_column_values_to_be_unique": "uniqueness",
    "expect_compound_columns_to_be_unique": "uniqueness",
    "expect_column_proportion_of_unique_values_to_be_between": "uniqueness",
    "expect_column_unique_value_count_to_be_between": "uniqueness",
    "expect_column_mean_to_be_between": "accuracy",
    "expect_column_median_to_be_between": "accuracy",
    "expect_column_quantile_values_to_be_between": "accuracy",
    "expect_column_stdev_to_be_between": "accuracy",
    "expect_column_sum_to_be_between": "accuracy",
    "expect_column_most_common_value_to_be_in_set": "accuracy",
    "expect_column_kl_divergence_to_be_less_than": "accuracy",
    "expect_column_value_z_scores_to_be_less_than": "accuracy",
    "expect_column_values_to_not_be_outliers": "accuracy",
    "expect_column_pair_values_a_to_be_greater_than_b": "consistency",
    "expect_column_pair_values_to_be_equal": "consistency",
    "expect_column_pair_values_to_be_in_set": "consistency",
    "expect_multicolumn_sum_to_equal": "consistency",
    "expect_multicolumn_values_to_be_equal": "consistency",
    "expect_select_column_values_to_be_unique_within_record": "consistency",
    "expect_column_values_to_be_decreasing": "consistency",
    "expect_column_values_to_be_increasing": "consistency",
    "expect_query_results_to_match_comparison": "consistency",
    "expect_table_row_count_to_equal_other_table": "consistency",
    "unexpected_rows_expectation": "consistency",
}


def dimension_of(expectation: Expectation) -> Dimension:
    """Return what `meta["dimension"]` says (ODCS's `dimension`); where it is no known word, what the type is about."""
    said = str(expectation.meta.get("dimension", "")).strip().casefold()
    return _SYNONYMS.get(said) or _TYPES.get(expectation.type, "validity")
