"""Which functions of DuckDB 1.5.5 aggregate: what GROUP BY ALL does not group by. Absent: what they compute."""

import re

from sqlglot import exp

# A test compares with the engine's own list.
AGGREGATES = frozenset(
    re.findall(
        r"\w+",
        """any_value approx_count_distinct approx_quantile approx_top_k arbitrary arg_max arg_max_null
        arg_max_nulls_last arg_min arg_min_null arg_min_nulls_last argmax argmin array_agg avg bit_and
        bit_or bit_xor bitstring_agg bool_and bool_or corr count count_if countif covar_pop covar_samp
        entropy favg first first_value fsum geomean geometric_mean group_concat grouping grouping_id
        histogram histogram_exact json_group_array json_group_object json_group_structure kahan_sum
        kurtosis kurtosis_pop last last_value list listagg mad max max_by mean median min min_by mode
        product quantile quantile_cont quantile_disc regr_avgx regr_avgy regr_count regr_intercept regr_r2
        regr_slope regr_sxx regr_sxy regr_syy reservoir_quantile sem skewness stddev stddev_pop
        stddev_samp string_agg sum sum_no_overflow sumkahan var_pop var_samp variance wavg weighted_avg""",
    )
)


def is_aggregate(projection: exp.Expr) -> bool:
    """Tell whether a projection calls an aggregate or a window function itself, not in a subquery."""
    return any(
        isinstance(node, exp.Window) or (isinstance(node, exp.Anonymous) and node.this in AGGREGATES)
        for node in projection.walk(prune=lambda node: isinstance(node, exp.Query))
    )
