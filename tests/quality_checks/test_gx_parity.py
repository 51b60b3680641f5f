"""The same verdicts and counts as GX's own pandas engine, on a grid of boundaries; and the grid's power, by mutation.

The only module that imports great_expectations (5 s), so that all of its cost is here.
"""

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import duckdb
import pytest

from quality_checks import (
    Expectation,
    Result,
    columns,
    evaluate,
    patterns,
    plans,
    primary_key,
    record_rules,
    uniqueness,
)
from quality_checks.arguments import Kwargs
from quality_checks.bounds import Bounds
from quality_checks.families import family_of

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import great_expectations as gx
    import pandas as pd
    from great_expectations.core.expectation_validation_result import expectationValidationResultSchema
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

NAN, INF = float("nan"), float("inf")
TYPES = {"i": "BIGINT", "f": "DOUBLE", "s": "VARCHAR", "d": "TIMESTAMP"}
DTYPES = {"i": "Int64", "f": "float64", "s": "object", "d": "datetime64[ns]"}

Row = tuple[int | None, float | None, str | None, str | None]
TABLES: dict[str, list[Row]] = {
    "empty": [],
    "missing": [(None, None, None, None), (None, NAN, None, None)],
    "distinct": [(0, 0.0, "US", "2026-01-01"), (1, 1.0, "DE", "2026-01-02"), (2, INF, "us", "2026-01-03")],
    "boundary": [
        (-1, -1.0, "US", "2025-12-31 23:59:59"),
        (0, -0.0, "DE", "2026-01-01"),
        (0, 0.0, "US\n", "2026-01-01"),
        (1, 0.5, "USA", "2026-01-01 00:00:01"),
        (2, 1.0, "", "2026-01-02"),
        (2, NAN, "é", "2026-01-02"),
        (None, None, None, None),
        (None, -INF, "us", None),
    ],
}

# Keys below are shares that the tables above hit exactly, or miss by little.
MOSTLY = [1, 2 / 3, 0.5]


def a_rule(type: str, **kwargs: Any) -> Expectation:
    return Expectation(type=type, kwargs=kwargs)


def of_bounds(low: Any, high: Any) -> Iterator[dict[str, Any]]:
    for strict_min in (False, True)[: 1 if low is None else 2]:
        for strict_max in (False, True)[: 1 if high is None else 2]:
            yield {"min_value": low, "max_value": high, "strict_min": strict_min, "strict_max": strict_max}


def grid() -> Iterator[Expectation]:
    for column in TYPES:
        for mostly in MOSTLY:
            yield a_rule("expect_column_values_to_not_be_null", column=column, mostly=mostly)
            yield a_rule("expect_column_values_to_be_unique", column=column, mostly=mostly)
    for column, low, high in [("i", 0, 2), ("i", 0.5, 1.5), ("f", 0, 1), ("f", 0.5, 0.5)]:
        for bounds_kwargs in [*of_bounds(low, high), *of_bounds(None, high), *of_bounds(low, None)]:
            yield a_rule("expect_column_values_to_be_between", column=column, **bounds_kwargs)
    for bounds_kwargs in of_bounds("2026-01-01T00:00:00", "2026-01-02T00:00:00"):
        yield a_rule("expect_column_values_to_be_between", column="d", **bounds_kwargs)
    for column, members in [("i", [0, 2]), ("f", [0, 0.5]), ("s", ["US", "é", None])]:
        for mostly in (*MOSTLY, 0):
            yield a_rule("expect_column_values_to_be_in_set", column=column, value_set=members, mostly=mostly)
    for column in ("i", "f"):  # GX takes no text as a bound
        for mostly in MOSTLY:
            yield a_rule("expect_column_values_to_be_between", column=column, min_value=0.5, mostly=mostly)
    for regex in ["^[A-Z]{2}$", "[A-Z]{2}", r"\A[A-Z]{2}\Z", "^$", "S|s", "^US", "s$", "^.$"]:
        yield a_rule("expect_column_values_to_match_regex", column="s", regex=regex)
        yield a_rule("expect_column_values_to_match_regex", column="s", regex=regex, mostly=3 / 7)
    for mode in record_rules.OF_MANY:
        for named in (["i", "f"], ["f", "d"], ["i", "s", "d"]):
            yield a_rule("expect_compound_columns_to_be_unique", column_list=named, ignore_row_if=mode, mostly=0.5)
            yield a_rule("expect_compound_columns_to_be_unique", column_list=named, ignore_row_if=mode)
    for low, high in [(0, 8), (1, 3), (8, None), (None, 7), (9, None)]:
        for bounds_kwargs in of_bounds(low, high):
            yield a_rule("expect_table_row_count_to_be_between", **bounds_kwargs)


GRID = list(grid())
ROW_COUNT = a_rule("expect_table_row_count_to_be_between", min_value=3)
COUNTS = ("element_count", "missing_count", "unexpected_count", "unexpected_percent", "observed_value")
Found = tuple[Any, ...]


@pytest.fixture(scope="module")
def by_gx() -> dict[str, list[Found]]:
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}  # type: ignore[assignment]
    batches = context.data_sources.add_pandas("p").add_dataframe_asset("a").add_batch_definition_whole_dataframe("b")
    suite = gx.ExpectationSuite(
        name="grid",
        expectations=[
            ExpectationConfiguration(type=rule.type, kwargs=dict(rule.kwargs), meta={"at": at}).to_domain_obj()
            for at, rule in enumerate(GRID)
        ],
    )
    found = {}
    for name, rows in TABLES.items():
        cells = {column: pd.Series([row[at] for row in rows], dtype=DTYPES[column]) for at, column in enumerate(TYPES)}
        validated = batches.get_batch({"dataframe": pd.DataFrame(cells)}).validate(suite, result_format="BASIC")
        in_order = sorted(validated.results, key=lambda result: result.expectation_config.meta["at"])
        found[name] = [(bool(each.success), *map(each.result.get, COUNTS)) for each in in_order]
        assert not [each.exception_info for each in in_order if each.exception_info.get("raised_exception")]
    return found


def ours(name: str) -> list[Found]:
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.execute("CREATE TABLE t (i BIGINT, f DOUBLE, s VARCHAR, d TIMESTAMP)")
        if TABLES[name]:
            connection.executemany("INSERT INTO t VALUES (?, ?, ?, ?)", TABLES[name])
        results = evaluate(connection, "t", GRID)
    return [(result.success, *(getattr(result, count) for count in COUNTS)) for result in results]


def test_verdicts_and_counts_are_those_of_gx(by_gx: dict[str, list[Found]]) -> None:
    for name, from_gx in by_gx.items():
        unlike = [each for each in zip(GRID, ours(name), from_gx, strict=True) if each[1] != each[2]]
        assert unlike == [], name


def test_the_grid_holds_enough_of_each_type() -> None:
    for type in {rule.type for rule in GRID}:
        assert sum(rule.type == type for rule in GRID) * len(TABLES) >= 48, type


def unstrict(kwargs: Kwargs, read: Callable[[Any], Any], of: Any = Bounds.of) -> Bounds:
    return of({**kwargs, "strict_min": False, "strict_max": False}, read)  # type: ignore[no-any-return]


def as_decimal(type: str) -> str:
    return "decimal" if type == "DOUBLE" else family_of(type)


def of_all_rows(expectation: Expectation, *, rows: int, unexpected: int, judged: int | None) -> Result:
    return plans_tally(expectation, rows=rows, unexpected=unexpected, judged=None)


plans_tally = plans.tally
MUTANTS: dict[str, tuple[Any, str, Any]] = {
    "strict bounds are ignored": (Bounds, "of", unstrict),
    "NaN is a value": (columns, "family_of", as_decimal),
    "mostly is a share of all rows": (plans, "tally", of_all_rows),
    "only one row of a group is unexpected": (uniqueness.UniquePlan, "_in_duplicates", lambda plan, relation: 1),
    "missing keys are judged": (uniqueness.UniquePlan, "_of_judged", lambda plan, relation, it: relation.select(it)),
    "$ is the very end": (patterns, "_anchor", lambda name, place: r"\A" if "BEGIN" in name else r"\z"),
    "every pattern is of whole values": (patterns, "_is_at", lambda node, place: True),
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_the_grid_finds_a_wrong_verdict_of(
    mutant: str, by_gx: dict[str, list[Found]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(*MUTANTS[mutant])
    assert any(mine[0] != gxs[0] for mine, gxs in zip(ours("boundary"), by_gx["boundary"], strict=True))


def test_gx_reads_what_results_write() -> None:
    with duckdb.connect(config={"threads": 1}) as connection:
        written = [result.as_gx() for result in evaluate(connection, "range(3)", [*primary_key(["range"]), ROW_COUNT])]
    for each in written:
        read = expectationValidationResultSchema.load(each)
        assert read.success is True
        assert read.expectation_config.severity == "critical"
        assert read.to_json_dict()["result"] == each["result"]
