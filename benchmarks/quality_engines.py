"""The engines of benchmarks.quality that this project's lock holds: SQL by hand, quality_checks, GX on pandas.

Each function makes ready, which is where it imports, and returns what one evaluation is: a verdict for each rule's name.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from benchmarks.quality_data import COLUMNS, REGIONS, Data, Rule

Verdicts = Mapping[str, bool]
Evaluate = Callable[[], Verdicts]
Engine = Callable[[Data, Sequence[Rule]], Evaluate]

# As somebody writes it who knows DuckDB: one scan for what streams, one query for each DISTINCT, one for the order.
STREAMED = f"""SELECT count(*), count(occurred_at), count(region),
    count(*) FILTER (region NOT IN {REGIONS}), count(*) FILTER (cost < 0 OR cost > 100),
    count(*) FILTER (NOT regexp_full_match(code, 'c[0-9]+')), count(*) FILTER (length(code) NOT BETWEEN 2 AND 5),
    avg(cost), sum(cost), max(viewable_ms) FROM impressions"""
DISTINCT_ID = "SELECT count(DISTINCT impression_id) = count(impression_id) FROM impressions"
# Equal keys have equal hashes: as many hashes as rows prove it, at a third of what SELECT DISTINCT of both columns costs.
DISTINCT_PAIR = "SELECT count(DISTINCT hash(person_id, occurred_at)) = count(*) FROM impressions"
ORDERED = "SELECT quantile_disc(cost, [0.5, 0.95]) FROM impressions"


def by_hand(data: Data, rules: Sequence[Rule]) -> Evaluate:
    """Four queries on the DuckDB table, without a library."""
    import duckdb

    connection = duckdb.connect(str(data.duckdb), read_only=True)
    rows_wanted = data.rows

    def evaluate() -> Verdicts:
        names = {name for name, *_ in connection.execute("DESCRIBE impressions").fetchall()}
        rows, times, regions, unknown, outside, malformed, misfit, mean, total, longest = _one(connection, STREAMED)
        (median, late), *_ = _one(connection, ORDERED)
        return {
            "row_count": rows == rows_wanted,
            "columns": names == set(COLUMNS),
            "not_null": times == rows,
            "mostly_not_null": regions / rows >= 0.95,
            "unique": _one(connection, DISTINCT_ID)[0],
            "compound_unique": _one(connection, DISTINCT_PAIR)[0],
            "in_set": unknown == 0,
            "between": outside == 0,
            "regex": malformed == 0,
            "lengths": misfit == 0,
            "mean": 49 <= mean <= 51,
            "sum": 49 * rows_wanted <= total <= 51 * rows_wanted,
            "max": 0 <= longest <= 29_000,
            "quantiles": 49 <= median <= 51 and 94 <= late <= 96,
        }

    return evaluate


def compiled(data: Data, rules: Sequence[Rule]) -> Evaluate:
    """quality_checks.evaluate on the same DuckDB table."""
    import duckdb

    return compiled_on(duckdb.connect(str(data.duckdb), read_only=True), "impressions", rules)


def compiled_parquet(data: Data, rules: Sequence[Rule]) -> Evaluate:
    """quality_checks.evaluate on the Parquet file."""
    import duckdb

    return compiled_on(duckdb.connect(), f"read_parquet('{data.parquet}')", rules)


def gx_pandas(data: Data, rules: Sequence[Rule]) -> Evaluate:
    """GX on a frame that each evaluation reads from Parquet, with its cheapest form of result."""
    import great_expectations as gx
    import pandas as pd

    context = ephemeral_context(gx)
    asset = context.data_sources.add_pandas("rows").add_dataframe_asset("rows")
    definition = asset.add_batch_definition_whole_dataframe("rows")

    def evaluate() -> Verdicts:
        batch = definition.get_batch({"dataframe": pd.read_parquet(data.parquet)})
        return gx_verdicts(gx, batch, rules)

    return evaluate


def gx_verdicts(gx: Any, batch: Any, rules: Sequence[Rule]) -> Verdicts:
    """Have GX validate a batch in one suite; a rule that it raised for is an error of this benchmark."""
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    asked = [ExpectationConfiguration(type=r.type, kwargs=dict(r.kwargs), meta={"name": r.name}) for r in rules]
    suite = gx.ExpectationSuite(name="rows", expectations=[each.to_domain_obj() for each in asked])
    found = batch.validate(suite, result_format="BOOLEAN_ONLY").results
    raised = [each.expectation_config.meta["name"] for each in found if _raised(each.exception_info)]
    if raised:
        raise AssertionError(f"GX could not judge {raised}")
    return {each.expectation_config.meta["name"]: bool(each.success) for each in found}


def _raised(info: Mapping[str, Any] | None) -> bool:
    """In either of GX's two forms: one, or one for each metric."""
    given = info or {}
    return any(isinstance(each, dict) and each.get("raised_exception") for each in (given, *given.values()))


def ephemeral_context(gx: Any) -> Any:
    """Return a context in memory, without progress bars."""
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    return context


def compiled_on(connection: Any, relation: str, rules: Sequence[Rule]) -> Evaluate:
    """quality_checks.evaluate on what may stand after FROM; all rules must compile."""
    from quality_checks import Expectation, evaluate

    asked = [Expectation(type=rule.type, kwargs=rule.kwargs, meta={"name": rule.name}) for rule in rules]

    def run() -> Verdicts:
        results = evaluate(connection, relation, asked)
        if any(result.error or result.engine != "compiled" for result in results):
            raise AssertionError("the benchmark's rules must all compile")
        return {result.expectation.name: result.success for result in results}

    return run


def _one(connection: Any, sql: str) -> tuple[Any, ...]:
    return tuple(connection.execute(sql).fetchone())


ENGINES: Mapping[str, Engine] = {
    "by_hand": by_hand,
    "compiled": compiled,
    "compiled_parquet": compiled_parquet,
    "gx_pandas": gx_pandas,
}
