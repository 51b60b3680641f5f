"""A table in 20 partitions, one of them new: the whole evaluated, against the new one evaluated and its state merged.

Uniqueness across partitions and quantiles of the whole are no part of the cheap way: a state does not decide them.
"""

import json
from collections.abc import Mapping, Sequence

from benchmarks.quality_data import PARTITIONS, Data, Rule
from benchmarks.quality_data import rules as rules_of
from benchmarks.quality_engines import Engine, Evaluate, Verdicts, compiled_on

# What a state says of the whole table, exactly.
DECIDED_BY_STATE = ("row_count", "columns", "not_null", "mostly_not_null", "mean", "sum", "max")


def whole_table(data: Data, rules: Sequence[Rule]) -> Evaluate:
    """Evaluate all partitions' rows."""
    import duckdb

    return compiled_on(duckdb.connect(), f"read_parquet({[str(file) for file in data.part_files]})", rules)


def new_partition(data: Data, rules: Sequence[Rule]) -> Evaluate:
    """Evaluate the newest partition, take its state, read those kept of the others, merge, and judge the whole by it."""
    import duckdb

    from quality_checks import Expectation, merged, read_state, state_document, state_of, verdicts

    connection = duckdb.connect()
    *others, newest = (f"read_parquet('{file}')" for file in data.part_files)
    kept = [json.dumps(state_document(state_of(connection, other))) for other in others]
    of_table = [rule for rule in rules if rule.name in DECIDED_BY_STATE]
    asked = [Expectation(type=rule.type, kwargs=rule.kwargs, meta={"name": rule.name}) for rule in of_table]
    evaluate_newest = compiled_on(connection, newest, rules_of(data.rows - data.rows * (PARTITIONS - 1) // PARTITIONS))

    def evaluate() -> Verdicts:
        of_newest = evaluate_newest()
        state = state_of(connection, newest)
        json.dumps(state_document(state))
        whole = merged([*(read_state(json.loads(text)) for text in kept), state])
        results = verdicts(whole, asked)
        if undecided := [result.expectation.name for result in results if result.error]:
            raise AssertionError(f"a state must decide {undecided}")
        return {**of_newest, **{result.expectation.name: result.success for result in results}}

    return evaluate


ENGINES: Mapping[str, Engine] = {"whole_table": whole_table, "new_partition": new_partition}
