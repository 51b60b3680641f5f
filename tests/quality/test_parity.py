"""A short form of `python -m tests.quality.parity`, each decision by its smallest example, and the comparer's own power."""

import re
from pathlib import Path
from typing import Any

import duckdb
import pytest

from quality_checks import Expectation, Result, evaluate
from tests.quality import by_gx, parity
from tests.quality.decisions import DECISIONS, decision_on
from tests.quality.rules import MAKERS, NOT_COMPARABLE
from tests.quality.tables import COLUMNS, Row

SUITES = 40


@pytest.fixture(scope="module")
def tallies() -> dict[str, parity.Tally]:
    return parity.run(SUITES, seed=7)


def test_random_suites_get_the_verdicts_and_counts_of_gx(tallies: dict[str, parity.Tally]) -> None:
    assert parity.complaints(tallies, parity.minimum_of(SUITES)) == []


def test_nearly_all_types_reach_both_verdicts(tallies: dict[str, parity.Tally]) -> None:
    assert sum(bool(tally.met and tally.failed) for tally in tallies.values()) >= len(tallies) - 3


def test_the_same_seed_gives_the_same_suites() -> None:
    one, other = (parity.run(1, seed=3, types=["expect_column_values_to_be_in_set"]) for _ in range(2))
    assert one == other


def test_every_comparable_type_is_made() -> None:
    assert set(parity.comparable_types()) <= set(MAKERS)
    assert not set(NOT_COMPARABLE) & set(MAKERS)


def test_a_type_that_was_hardly_compared_is_a_complaint() -> None:
    found = parity.complaints({}, minimum=1)
    assert len(found) == len(parity.comparable_types())


def test_a_difference_is_a_complaint(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    inverted = lambda *arguments, **named: [  # noqa: E731
        Result(expectation=each.expectation, success=not each.success) for each in evaluate(*arguments, **named)
    ]
    monkeypatch.setattr(parity, "evaluate", inverted)
    assert parity.main(["--suites", "1", "--type", "expect_table_row_count_to_equal"]) == 1
    assert "DIFFERS expect_table_row_count_to_equal" in capsys.readouterr().out


def a_table(**cells: list[Any]) -> list[Row]:
    count = len(next(iter(cells.values())))
    return [tuple(cells.get(name, [None] * count)[at] for name in COLUMNS) for at in range(count)]


@pytest.fixture
def both(tmp_path: Path) -> Any:
    """Judge one expectation by both; return our result and GX's."""

    def both(rows: list[Row], type: str, /, *, sqlite: bool = False, **kwargs: Any) -> tuple[Result, Result]:
        rule = Expectation(type=type, kwargs=kwargs)
        with duckdb.connect(config={"threads": 1}) as connection:
            parity.fill(connection, rows)
            (mine,) = evaluate(connection, "t", [rule])
            gxs = (
                by_gx.on_sqlite(tmp_path / "t.sqlite", {"t": rows}, [rule])
                if sqlite
                else by_gx.on_pandas(connection, "t", [rule])
            )
        return mine, gxs[0]

    return both


def test_the_sum_of_nothing_has_no_value(both: Any) -> None:
    mine, gxs = both(a_table(i=[None]), "expect_column_sum_to_be_between", column="i", max_value=1)
    assert (mine.success, mine.observed_value, gxs.success, gxs.observed_value) == (False, None, True, 0)
    assert decision_on(mine.expectation, mine, gxs) == "the sum of nothing"


def test_no_rows_are_counted_as_0(both: Any) -> None:
    like = "expect_column_values_to_match_like_pattern"
    mine, gxs = both([], like, column="s", like_pattern="a%", sqlite=True)
    assert (mine.success, mine.unexpected_count, gxs.success, gxs.unexpected_count) == (True, 0, True, None)
    assert decision_on(mine.expectation, mine, gxs) == "no rows are counted as 0"


def test_the_first_place_is_a_place(both: Any) -> None:
    mine, gxs = both([], "expect_column_to_exist", column="f", column_index=0)
    assert (mine.success, gxs.success) == (False, True)
    assert decision_on(mine.expectation, mine, gxs) == "the first place is a place"


def test_pairs_of_a_set_are_judged_under_their_condition(both: Any) -> None:
    pairs = {"column_A": "i", "column_B": "k", "value_pairs_set": [[1, 1]]}
    second = {"type": "comparison", "column": {"name": "m"}, "operator": ">", "parameter": 0}
    rows = a_table(i=[2, 1], k=[2, 1], m=["0.00", "1.00"])
    mine, gxs = both(rows, "expect_column_pair_values_to_be_in_set", row_condition=second, **pairs)
    assert (mine.success, mine.element_count, gxs.success) == (True, 1, False)
    assert decision_on(mine.expectation, mine, gxs) == "pairs of a set under a condition"


def test_the_spread_of_infinities_is_an_error(both: Any) -> None:
    mine, gxs = both(a_table(f=["inf", 1.0]), "expect_column_stdev_to_be_between", column="f", min_value=0)
    assert (mine.success, gxs.success, gxs.error) == (False, False, None)


def test_bounds_that_say_nothing_are_refused(both: Any) -> None:
    mine, gxs = both(a_table(i=[1]), "expect_column_max_to_be_between", column="i")
    assert (mine.success, gxs.success) == (False, True)
    assert "both open" in mine.error


def test_types_are_named_as_duckdb_names_them(both: Any) -> None:
    for type, fits in (("BIGINT", True), ("int64", True), ("INTEGER", False), ("object", False)):
        mine, _ = both(a_table(i=[1]), "expect_column_values_to_be_of_type", column="i", type_=type)
        assert mine.success is fits, type


def test_nan_is_missing_in_every_family(both: Any) -> None:
    for type, more in [
        ("expect_column_values_to_be_null", {}),
        ("expect_column_values_to_be_between", {"max_value": 0}),
        ("expect_column_unique_value_count_to_be_between", {"max_value": 0}),
        ("expect_column_distinct_values_to_be_in_set", {"value_set": [1]}),
        ("expect_column_values_to_be_unique", {}),
    ]:
        mine, gxs = both(a_table(f=["nan", "nan"]), type, column="f", **more)
        assert mine.success is gxs.success is True, type


def test_a_decision_explains_its_own_difference_only() -> None:
    rule = Expectation(type="expect_column_max_to_be_between", kwargs={"column": "i", "max_value": 1})
    mine, gxs = Result(expectation=rule, success=False), Result(expectation=rule, success=True, observed_value=0)
    assert decision_on(rule, mine, gxs) is None


ROOT = Path(__file__).parents[2]


def test_every_decision_has_a_reason_and_a_test_and_is_in_the_guide() -> None:
    guide = (ROOT / "docs/guides/quality.md").read_text()
    for name, decision in DECISIONS.items():
        assert decision.reason, name
        assert decision.test in globals(), name
        assert f"`{decision.test}`" in guide, name


def test_the_tests_that_the_guide_names_are_there() -> None:
    named = set(re.findall(r"`(test_\w+)", (ROOT / "docs/guides/quality.md").read_text()))
    written = "".join(path.read_text() for path in (ROOT / "tests").glob("quality*/*.py"))
    assert len(named) >= len(DECISIONS)
    assert {name for name in named if f"def {name}(" not in written} == set()
