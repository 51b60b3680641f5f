"""The same verdicts and counts as GX's own engines, on a grid of boundaries; and the grid's power, by mutation.

GX on pandas is the reference, and GX on SQLite for the types that it has for databases only. Random tables and suites
are compared in tests/quality.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest
from sqlglot import exp

from quality_checks import (
    Expectation,
    Result,
    columns,
    evaluate,
    inspection,
    patterns,
    plans,
    primary_key,
    row_rules,
    sorting,
    text_rules,
    uniqueness,
)
from quality_checks.arguments import Kwargs
from quality_checks.bounds import Bounds
from quality_checks.expectation_type import Planner
from quality_checks.families import family_of
from quality_checks.gx_names import GX_TYPES
from quality_checks.registry import TYPES
from tests.quality import by_gx
from tests.quality.decisions import decision_on
from tests.quality.grid import TABLES, compiled_grid
from tests.quality.parity import differences
from tests.quality.rules import NOT_COMPARABLE
from tests.quality.tables import fill

FOR_PANDAS, FOR_SQLITE = compiled_grid()
GRID = [*FOR_PANDAS, *FOR_SQLITE]
OTHER = TABLES["distinct"]


Found = dict[int, Result]  # by the place of a rule in the grid


def judged_on(name: str) -> list[int]:
    """Return which rules are judged: a few of each type will do where there is no value to hit a bound."""
    few = name in ("empty", "missing")
    seen: Counter[str] = Counter()
    seen_before = []
    for rule in GRID:
        seen_before.append(seen[rule.type])
        seen[rule.type] += 1
    return [at for at, count in enumerate(seen_before) if not few or count % 4 == 1]


@pytest.fixture(scope="module")
def by_gxs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Found]:
    path = tmp_path_factory.mktemp("grid") / "t.sqlite"
    return {name: dict(zip(judged_on(name), _judged_by_gx(name, path), strict=True)) for name in TABLES}


def _judged_by_gx(name: str, path: Path) -> Iterator[Result]:
    rows, places = TABLES[name], judged_on(name)
    for_pandas = [GRID[at] for at in places if at < len(FOR_PANDAS)]
    for_sqlite = [GRID[at] for at in places if at >= len(FOR_PANDAS)]
    with duckdb.connect(config={"threads": 1}) as connection:
        fill(connection, rows)
        yield from by_gx.on_pandas(connection, "t", for_pandas)
    yield from by_gx.on_sqlite(path, {"t": rows, "twin": rows, "other": OTHER}, for_sqlite)


def ours(name: str, places: Iterable[int]) -> Found:
    places = list(places)
    with duckdb.connect(config={"threads": 1}) as connection:
        fill(connection, TABLES[name])
        fill(connection, OTHER, "other")
        rules = [GRID[at] for at in places]
        return dict(zip(places, evaluate(connection, "t", rules, tables={"twin": "t", "other": "other"}), strict=True))


@pytest.mark.parametrize("rows_min", [sorting.ROWS_MIN, 0], ids=["asked", "sorted"])
@pytest.mark.parametrize("name", TABLES)
def test_verdicts_and_counts_are_those_of_gx(
    name: str, rows_min: int, by_gxs: dict[str, Found], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sorting, "ROWS_MIN", rows_min)
    found = ours(name, by_gxs[name])
    unlike = [
        (mine, gxs, what)
        for mine, gxs in ((found[at], gxs) for at, gxs in by_gxs[name].items() if not _gx_raised(gxs))
        if (what := differences(mine, gxs)) and not decision_on(mine.expectation, mine, gxs)
    ]
    assert unlike == []


def test_gx_itself_judges_nearly_all_of_the_grid(by_gxs: dict[str, Found]) -> None:
    """What GX raises on is no proof: pd.NA in a comparison, which its pandas engine does not expect."""
    raised = [each.expectation.type for found in by_gxs.values() for each in found.values() if _gx_raised(each)]
    assert len(raised) < sum(map(len, by_gxs.values())) / 50
    assert set(raised) <= {
        "expect_multicolumn_sum_to_equal",
        "expect_column_pair_values_to_be_equal",
        "expect_column_quantile_values_to_be_between",
    }


def _gx_raised(found: Result) -> bool:
    return found.error is not None and found.error.startswith("GX raised")


def test_the_grid_holds_enough_of_each_type_that_compiles() -> None:
    for type in (set(TYPES) & GX_TYPES) - set(NOT_COMPARABLE):
        of_rows = type.startswith("expect_column_") and type != "expect_column_to_exist"
        count = sum(GRID[at].type == type for name in TABLES for at in judged_on(name))
        assert count >= (24 if of_rows else 6), (type, count)


def test_the_grid_reaches_both_verdicts_of_each_type(by_gxs: dict[str, Found]) -> None:
    reached: dict[str, set[bool]] = {}
    for found in by_gxs.values():
        for each in found.values():
            reached.setdefault(each.expectation.type, set()).add(each.success)
    assert {type for type, verdicts in reached.items() if verdicts != {True, False}} == set()


def unstrict(kwargs: Kwargs, read: Callable[[Any], Any], of: Any = Bounds.of) -> Bounds:
    return of({**kwargs, "strict_min": False, "strict_max": False}, read)  # type: ignore[no-any-return]


def as_decimal(type: str) -> str:
    return "decimal" if type == "DOUBLE" else family_of(type)


def of_all_rows(expectation: Expectation, *, rows: int, unexpected: int, judged: int | None) -> Result:
    return plans_tally(expectation, rows=rows, unexpected=unexpected, judged=None)


def without_mostly(expectation: Expectation, **counts: Any) -> Result:
    kwargs = {**expectation.kwargs, "mostly": 1}
    return replace(plans_tally(replace(expectation, kwargs=kwargs), **counts), expectation=expectation)


def in_bytes(column: Any) -> exp.Expr:
    return exp.Anonymous(this="STRLEN", expressions=[column.compared])


def in_any_case(column: Any, pattern: str, *more: Any) -> exp.Expr:
    return exp.ILike(this=column.compared, expression=exp.Literal.string(pattern))


plans_tally = plans.tally

# What is wrong -> what is replaced, by what, and the types whose expectations are then judged (all, when none is named).
PATCHES: dict[str, tuple[Any, str, Any, str]] = {
    "strict bounds are ignored": (Bounds, "of", unstrict, "between"),
    "NaN is a value": (columns, "family_of", as_decimal, "column_values"),
    "mostly is a share of all rows": (plans, "tally", of_all_rows, "column_values"),
    "mostly is ignored": (plans, "tally", without_mostly, "column_values"),
    "only one row of a group is unexpected": (
        uniqueness.UniquePlan,
        "_in_duplicates",
        lambda plan, relation: 1,
        "unique",
    ),
    "missing keys are judged": (
        uniqueness.UniquePlan,
        "_of_judged",
        lambda plan, relation, it: relation.select(it),
        "unique",
    ),
    "$ is the very end": (patterns, "_anchor", lambda name, place: r"\A" if "BEGIN" in name else r"\z", "regex"),
    "every pattern is of whole values": (patterns, "_is_at", lambda node, place: True, "regex"),
    "lengths are of bytes": (row_rules, "_length", in_bytes, "length"),
    "LIKE forgets the case": (text_rules, "_like", in_any_case, "like"),
    "row_condition is ignored": (inspection, "condition_of", lambda kwargs, columns: None, ""),
}


@pytest.mark.parametrize("mutant", PATCHES)
def test_the_grid_finds_a_wrong_verdict_where(
    mutant: str, by_gxs: dict[str, Found], monkeypatch: pytest.MonkeyPatch
) -> None:
    *patch, types = PATCHES[mutant]
    monkeypatch.setattr(*patch)
    assert wrong_verdicts(by_gxs, types) > 0


def wrong_verdicts(by_gxs: dict[str, Found], types: str) -> int:
    wrong = 0
    for name in ("missing", "distinct", "boundary"):
        gxs = {at: found for at, found in by_gxs[name].items() if types in GRID[at].type and not _gx_raised(found)}
        for at, mine in ours(name, gxs).items():
            wrong += mine.success != gxs[at].success and not decision_on(GRID[at], mine, gxs[at])
    return wrong


def having(**kwargs: Any) -> Callable[[Planner], Planner]:
    """Judge as if these kwargs had been given."""
    return lambda plan: lambda given, columns: plan({**given, **kwargs}, columns)


def like_type(name: str) -> Callable[[Planner], Planner]:
    """Judge as another type does."""
    return lambda _: lambda given, columns: TYPES[name].plan(given, columns)


def with_places(places: Callable[[Kwargs, int], list[int]]) -> Callable[[Planner], Planner]:
    return lambda plan: (
        lambda given, columns: replace(
            plan(given, columns),  # type: ignore[type-var]
            places=lambda present: places(given, present),
        )
    )


def of_population(plan: Planner) -> Planner:
    def swapped(node: exp.Expr) -> exp.Expr:
        return exp.StddevPop(this=node.this) if isinstance(node, exp.StddevSamp) else node

    return lambda given, columns: replace(  # type: ignore[type-var]
        plan(given, columns),
        aggregate=plan(given, columns).aggregate.transform(swapped),  # type: ignore[attr-defined]
    )


def of_first_columns(count: int) -> Callable[[Planner], Planner]:
    return lambda plan: lambda given, columns: plan({**given, "column_list": given["column_list"][:count]}, columns)


def swapped_pair(plan: Planner) -> Planner:
    return lambda given, columns: plan({**given, "column_A": given["column_B"], "column_B": given["column_A"]}, columns)


def floor_places(given: Kwargs, present: int) -> list[int]:
    return [math.floor(each * (present - 1)) for each in given["quantile_ranges"]["quantiles"]]


VALUES, DISTINCT, PAIR = "expect_column_values_to_", "expect_column_distinct_values_to_", "expect_column_pair_values_"
OF_TYPES: dict[str, tuple[str, Callable[[Planner], Planner]]] = {
    "null is not null": (VALUES + "be_null", like_type(VALUES + "not_be_null")),
    "not_in_set is in_set": (VALUES + "not_be_in_set", like_type(VALUES + "be_in_set")),
    "not_match_regex is match_regex": (VALUES + "not_match_regex", like_type(VALUES + "match_regex")),
    "any pattern will do": (VALUES + "match_regex_list", having(match_on="any")),
    "all patterns are wanted": (VALUES + "match_regex_list", having(match_on="all")),
    "any LIKE will do": (VALUES + "match_like_pattern_list", having(match_on="any")),
    "not like is like": (VALUES + "not_match_like_pattern", like_type(VALUES + "match_like_pattern")),
    "or_equal is ignored": (PAIR + "a_to_be_greater_than_b", having(or_equal=False)),
    "equal is always enough": (PAIR + "a_to_be_greater_than_b", having(or_equal=True)),
    "a and b change places": (PAIR + "a_to_be_greater_than_b", swapped_pair),
    "ignore_row_if is ignored by pairs that are compared": (PAIR + "to_be_equal", having(ignore_row_if="neither")),
    "ignore_row_if is ignored by pairs of a set": (PAIR + "to_be_in_set", having(ignore_row_if="neither")),
    "ignore_row_if is always the default": (
        PAIR + "a_to_be_greater_than_b",
        having(ignore_row_if="both_values_are_missing"),
    ),
    "ignore_row_if is ignored by keys": ("expect_compound_columns_to_be_unique", having(ignore_row_if="never")),
    "ignore_row_if is ignored by sums": ("expect_multicolumn_sum_to_equal", having(ignore_row_if="never")),
    "only the first column is added": ("expect_multicolumn_sum_to_equal", of_first_columns(1)),
    "only two columns are compared": (
        "expect_select_column_values_to_be_unique_within_record",
        of_first_columns(2),
    ),
    "in_set is contain_set": (DISTINCT + "be_in_set", like_type(DISTINCT + "contain_set")),
    "equal_set is contain_set": (DISTINCT + "equal_set", like_type(DISTINCT + "contain_set")),
    "equal_set is in_set": (DISTINCT + "equal_set", like_type(DISTINCT + "be_in_set")),
    "contain_set is in_set": (DISTINCT + "contain_set", like_type(DISTINCT + "be_in_set")),
    "ties_okay is ignored": ("expect_column_most_common_value_to_be_in_set", having(ties_okay=False)),
    "ties are always okay": ("expect_column_most_common_value_to_be_in_set", having(ties_okay=True)),
    "stdev is the population's": ("expect_column_stdev_to_be_between", of_population),
    "max is min": ("expect_column_max_to_be_between", like_type("expect_column_min_to_be_between")),
    "mean is median": ("expect_column_mean_to_be_between", like_type("expect_column_median_to_be_between")),
    "the median is the lower middle": (
        "expect_column_median_to_be_between",
        with_places(lambda given, present: [(present - 1) // 2] * 2),
    ),
    "quantiles are the lower value": ("expect_column_quantile_values_to_be_between", with_places(floor_places)),
    "unique share is a count": (
        "expect_column_proportion_of_unique_values_to_be_between",
        like_type("expect_column_unique_value_count_to_be_between"),
    ),
    "exact_match is ignored": ("expect_table_columns_to_match_set", having(exact_match=True)),
    "the order of columns is ignored": (
        "expect_table_columns_to_match_ordered_list",
        lambda plan: (
            lambda given, columns: TYPES["expect_table_columns_to_match_set"].plan(
                {"column_set": given["column_list"]}, columns
            )
        ),
    ),
    "column_index is ignored": ("expect_column_to_exist", having(column_index=None)),
    "one row too many is allowed": (
        "expect_table_row_count_to_equal",
        lambda plan: lambda given, columns: plan({"value": given["value"] + 1}, columns),
    ),
}


@pytest.mark.parametrize("mutant", OF_TYPES)
def test_the_grid_finds_a_wrong_verdict_when(
    mutant: str, by_gxs: dict[str, Found], monkeypatch: pytest.MonkeyPatch
) -> None:
    type, mutated = OF_TYPES[mutant]
    monkeypatch.setitem(TYPES, type, replace(TYPES[type], plan=mutated(TYPES[type].plan)))  # type: ignore[arg-type]
    assert wrong_verdicts(by_gxs, type) > 0


def test_every_type_of_the_grid_has_a_mutant_of_its_family() -> None:
    mutated = {type for type, _ in OF_TYPES.values()} | {
        type for *_, types in PATCHES.values() for type in TYPES if types and types in type
    }
    left = {rule.type for rule in GRID} - mutated
    assert left <= {"unexpected_rows_expectation", "expect_table_row_count_to_equal_other_table"} | {
        type for type in left if "column_count_to_equal" in type
    }


def test_gx_reads_what_results_write() -> None:
    from great_expectations.core.expectation_validation_result import expectationValidationResultSchema

    rules = [*primary_key(["range"]), Expectation(type="expect_table_row_count_to_be_between", kwargs={"min_value": 3})]
    with duckdb.connect(config={"threads": 1}) as connection:
        written = [result.as_gx() for result in evaluate(connection, "range(3)", rules)]
    for each in written:
        read = expectationValidationResultSchema.load(each)
        assert read.success is True
        assert read.expectation_config.severity == "critical"
        assert read.to_json_dict()["result"] == each["result"]
