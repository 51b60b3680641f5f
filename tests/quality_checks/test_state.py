"""States of parts add up to the state of the whole, say what a scan of the whole says, and never pass what they do not know."""

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quality_checks import Expectation, QualityError, evaluate
from quality_checks.sketch import SKETCH_SIZE, Sketch
from quality_checks.state import ColumnState, TableState, merge, merged
from quality_checks.state_documents import read_state, state_document
from quality_checks.state_scan import state_of
from quality_checks.state_verdicts import verdicts
from tests.quality_checks.every_type import ROWS, every_expectation

COUNTS = st.integers(0, 5)
FRACTIONS = st.none() | st.fractions(max_denominator=1000)
SKETCHES = st.none() | st.builds(
    Sketch.of, st.lists(st.integers(0, 2**64 - 1), max_size=12), st.sampled_from([3, 5, 8])
)


@st.composite
def columns(draw: st.DrawFn, type: str = "BIGINT") -> ColumnState:
    present, sketch = draw(COUNTS), draw(SKETCHES)
    if not present:
        return ColumnState(type=type, sketch=sketch)
    extremes = st.none() | st.integers(-9, 9)
    return ColumnState(
        type=type,
        present=present,
        total=draw(FRACTIONS),
        squares=draw(FRACTIONS),
        low=draw(extremes),
        high=draw(extremes),
        sketch=sketch,
    )


@st.composite
def states(draw: st.DrawFn) -> TableState:
    a, b = draw(columns()), draw(columns("DOUBLE"))
    return TableState(rows=draw(st.integers(5, 9)), columns={"a": a, "b": b})


@given(states(), states(), states())
def test_the_order_of_merging_changes_nothing(a, b, c):
    assert merge(a, merge(b, c)) == merge(merge(a, b), c)
    assert merge(a, b) == merge(b, a)


@given(states())
def test_a_part_without_rows_adds_nothing(state):
    empty = TableState(
        columns={
            name: ColumnState(type=each.type, sketch=each.sketch and Sketch((), each.sketch.size))
            for name, each in state.columns.items()
        }
    )
    assert merge(state, empty) == state


@given(states())
def test_a_state_survives_json(state):
    assert read_state(json.loads(json.dumps(state_document(state)))) == state


def test_states_of_other_columns_do_not_merge():
    one = TableState(columns={"a": ColumnState(type="BIGINT")})
    with pytest.raises(QualityError, match="column 'a' is DOUBLE in one part and BIGINT in another"):
        merge(one, TableState(columns={"a": ColumnState(type="DOUBLE")}))
    with pytest.raises(QualityError, match="column 'b' is INTEGER in one part and absent in another"):
        merge(one, TableState(columns={**one.columns, "b": ColumnState(type="INTEGER")}))
    with pytest.raises(ValueError):
        merged([])


GOOD = {"version": 1, "rows": 3, "columns": {"a": {"type": "BIGINT", "present": 2, "low": 1, "total": "3/2"}}}


def test_a_state_of_the_next_version_is_refused_whole():
    assert read_state(GOOD).rows == 3
    with pytest.raises(QualityError, match="no state of version 1 — compute it anew"):
        read_state({**GOOD, "version": 2})


@pytest.mark.parametrize(
    "damage",
    [
        {"present": 4},
        {"present": -1},
        {"present": True},
        {"low": "x"},
        {"total": "1/0"},
        {"total": "nan"},
        {"type": "DOUBLE", "low": "inf"},
        {"sketch": {"size": 5, "hashes": "AAA"}},
        {"sketch": {"size": 5}},
        {"sketch": {"size": 3, "hashes": Sketch.of(range(9), 9).as_text()}},
        {"sketch": {"size": 10**9, "hashes": ""}},
        {"present": "2"},
    ],
)
def test_a_damaged_state_is_refused_and_quotes_nothing(damage):
    with pytest.raises(QualityError) as raised:
        read_state({**GOOD, "columns": {"a": {**GOOD["columns"]["a"], **damage}}})  # type: ignore[dict-item]
    assert str(raised.value) == "this state is damaged — compute it anew from the table"


@pytest.mark.parametrize("document", [None, [], "x", {"version": 1}, {"version": 1, "rows": 1, "columns": [1]}])
def test_anything_else_is_no_state(document):
    with pytest.raises(QualityError):
        read_state(document)


def parts_of(connection: Any, rows: str, by: str) -> list[TableState]:
    connection.execute(f"CREATE OR REPLACE TABLE t AS {rows}")
    keys = [key for (key,) in connection.execute(f"SELECT DISTINCT {by} FROM t ORDER BY 1").fetchall()]
    return [state_of(connection, f"(SELECT * FROM t WHERE {by} = {key})") for key in keys]


def test_states_of_parts_add_up_to_that_of_the_table(connection):
    parts = parts_of(connection, ROWS, "id % 3")
    assert len(parts) == 3
    assert _rounded(merged(parts)) == _rounded(state_of(connection, "t"))


def _rounded(state: TableState) -> TableState:
    """Sums of squares come from DuckDB's variance, which rounds."""
    return replace(
        state,
        columns={
            name: replace(each, squares=None if each.squares is None else pytest.approx(float(each.squares), rel=1e-9))
            for name, each in state.columns.items()
        },
    )


def test_a_state_keeps_no_text_and_nothing_that_could_be_one(connection):
    connection.execute(f"CREATE OR REPLACE TABLE t AS {ROWS}")
    state = state_of(connection, "t")
    for name in ("text", "uuid", "doc", "bytes", "list", "flag"):
        column = state.columns[name]
        assert (column.low, column.high, column.total, column.squares) == (None, None, None, None)


def told(results: Sequence[Any]) -> list[Any]:
    return [
        (each.expectation, each.success, each.unexpected_count, each.missing_count, each.element_count)
        for each in results
    ]


def test_a_state_decides_as_a_scan_does_or_not_at_all(connection):
    parts = parts_of(connection, ROWS, "id % 3")
    expectations = list(every_expectation())
    found = verdicts(merged(parts), expectations)
    connection.execute("CREATE OR REPLACE TABLE other AS FROM t")
    scanned = evaluate(connection, "t", expectations, tables={"other": "other"})
    decided = [at for at, result in enumerate(found) if result.error is None]
    assert told([found[at] for at in decided]) == told([scanned[at] for at in decided])
    for at in decided:
        mine, theirs = found[at].observed_value, scanned[at].observed_value
        if isinstance(mine, float):
            assert mine == pytest.approx(theirs, rel=1e-12)
        elif "+" not in str(theirs):  # DuckDB writes an instant in its session's time zone
            assert mine == theirs
    assert {expectations[at].type for at in decided} == {
        "expect_table_row_count_to_be_between",
        "expect_table_row_count_to_equal",
        "expect_table_column_count_to_equal",
        "expect_table_column_count_to_be_between",
        "expect_table_columns_to_match_set",
        "expect_table_columns_to_match_ordered_list",
        "expect_column_to_exist",
        "expect_column_values_to_be_of_type",
        "expect_column_values_to_be_in_type_list",
        "expect_column_values_to_not_be_null",
        "expect_column_values_to_be_null",
        "expect_column_proportion_of_non_null_values_to_be_between",
        "expect_column_min_to_be_between",
        "expect_column_max_to_be_between",
        "expect_column_mean_to_be_between",
        "expect_column_sum_to_be_between",
        "expect_column_stdev_to_be_between",
    }


def test_what_is_not_decided_is_no_pass_and_says_so(connection):
    connection.execute("CREATE OR REPLACE TABLE t AS SELECT i AS id, 'a' AS name FROM range(10) AS t(i)")
    state = state_of(connection, "t", distinct=["id"])
    asked = [
        Expectation(type="expect_column_unique_value_count_to_be_between", kwargs={"column": "id", "min_value": 1}),
        Expectation(type="expect_column_values_to_be_unique", kwargs={"column": "id"}),
        Expectation(type="expect_column_min_to_be_between", kwargs={"column": "name", "min_value": "a"}),
        Expectation(type="expect_table_row_count_to_equal", kwargs={"value": 10, "row_condition": "id > 5"}),
        Expectation(type="expect_column_min_to_be_between", kwargs={"column": "nothing", "min_value": 1}),
        Expectation(type="expect_what", kwargs={}),
    ]
    results = verdicts(state, asked)
    assert [result.success for result in results] == [False] * 6
    assert results[0].error == (
        "a state of the table cannot decide this (id: about 10 distinct values, give or take 0.0%) — evaluate it by a scan"
    )
    assert all(result.error for result in results)


NUMBERS = st.none() | st.integers(-(2**63), 2**63 - 1)
FLOATS = st.none() | st.floats(-1e9, 1e9, width=32)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(NUMBERS, FLOATS), max_size=12), st.integers(0, 12))
def test_any_cut_of_any_rows_gives_the_figures_of_the_whole(rows, cut):
    import duckdb

    with duckdb.connect(config={"threads": 1}) as connection:
        connection.execute("CREATE TABLE t (place INTEGER, whole BIGINT, part DOUBLE)")
        for at, (whole, part) in enumerate(rows):
            connection.execute("INSERT INTO t VALUES (?, ?, ?)", [at, whole, part])
        state = merged([state_of(connection, f"(FROM t WHERE place {sign} {cut})") for sign in ("<", ">=")])
    for name, place in (("whole", 0), ("part", 1)):
        values = [row[place] for row in rows if row[place] is not None]
        column = state.columns[name]
        assert (column.present, state.nulls(name)) == (len(values), len(rows) - len(values))
        assert (column.low, column.high) == (min(values, default=None), max(values, default=None))
        if values:
            assert column.mean is not None
            exact = sum(map(Fraction, values)) / len(values)
            assert float(column.mean) == pytest.approx(float(exact), rel=1e-9, abs=1e-5 if place else 0)


def test_numbers_beyond_doubles_keep_their_counts(connection):
    """DuckDB has no variance of such numbers, and no sum of the widest; nothing else is lost."""
    connection.execute(
        "CREATE OR REPLACE TABLE t AS SELECT * FROM (VALUES (1e308::DOUBLE, 170141183460469231731687303715884105727::HUGEINT),"
        " (-1e308, 170141183460469231731687303715884105726)) t(double, huge)"
    )
    state = state_of(connection, "t")
    assert (state.columns["double"].low, state.columns["double"].squares) == (-1e308, None)
    assert (state.columns["huge"].high, state.columns["huge"].total) == (2**127 - 1, None)


def test_infinite_times_and_numbers_are_not_kept(connection):
    connection.execute(
        "CREATE OR REPLACE TABLE t AS SELECT 'inf'::DOUBLE AS number, DATE 'infinity' AS day, DATE '2026-01-02' AS known"
    )
    columns = state_of(connection, "t").columns
    assert (columns["number"].high, columns["number"].total, columns["day"].high) == (None, None, None)
    assert columns["known"].low == 1_767_312_000_000_000


def test_a_hash_is_the_same_everywhere(connection):
    connection.execute(
        "CREATE OR REPLACE TABLE t AS SELECT * FROM (VALUES ('zürich'), (''), ('a'), (NULL), ('a')) t(name)"
    )
    sketch = state_of(connection, "t", distinct=["name"]).columns["name"].sketch
    digests = (hashlib.md5(text.encode(), usedforsecurity=False).digest() for text in ("zürich", "", "a"))
    assert sketch == Sketch.of(int.from_bytes(digest[:8], "little") for digest in digests)


def test_an_instant_hashes_alike_in_every_time_zone(connection):
    connection.execute("CREATE OR REPLACE TABLE t AS SELECT TIMESTAMPTZ '2026-01-01 00:00:00+00' AS at")
    found = []
    for zone in ("UTC", "Asia/Tokyo"):
        connection.execute(f"SET TimeZone = '{zone}'")
        found.append(state_of(connection, "t", distinct=["at"]))
    connection.execute("RESET TimeZone")
    assert found[0] == found[1]


@pytest.mark.parametrize("size", [1, 100, SKETCH_SIZE - 1, SKETCH_SIZE, 2_000, 50_000])
def test_the_number_of_distinct_values_is_estimated_within_four_standard_errors(connection, size):
    connection.execute(
        f"CREATE OR REPLACE TABLE t AS SELECT i % {size} AS id FROM range({max(2 * size, 1000)}) AS t(i)"
    )
    sketch = state_of(connection, "t", distinct=["id"]).columns["id"].sketch
    assert sketch is not None
    assert abs(sketch.estimate - size) <= 4 * sketch.error * size
    assert sketch.is_full is (size >= SKETCH_SIZE)


def test_sketches_of_parts_are_the_sketch_of_the_table(connection):
    connection.execute(
        "CREATE OR REPLACE TABLE t AS SELECT i AS id, 'name ' || i % 3000 AS name FROM range(10000) AS t(i)"
    )
    parts = [
        state_of(connection, f"(SELECT * FROM t WHERE id % 4 = {part})", distinct=["id", "name"]) for part in range(4)
    ]
    assert merged(parts).columns["name"].sketch == state_of(connection, "t", distinct=["name"]).columns["name"].sketch
    assert merged(parts).columns["id"].sketch == state_of(connection, "t", distinct=["id"]).columns["id"].sketch


def test_what_no_engine_writes_alike_is_not_sketched(connection):
    connection.execute("CREATE OR REPLACE TABLE t AS SELECT 0.1::DOUBLE AS share, [1] AS list, 1 AS id")
    with pytest.raises(
        QualityError, match="column 'share' is DOUBLE, which has no text that every engine writes alike"
    ):
        state_of(connection, "t", distinct=["share"])
    with pytest.raises(QualityError, match=r"column 'list' is INTEGER\[\]"):
        state_of(connection, "t", distinct=["list"])
    with pytest.raises(QualityError, match="there is no column 'idd' — did you mean 'id'"):
        state_of(connection, "t", distinct=["idd"])
    with pytest.raises(QualityError, match="cannot be read"):
        state_of(connection, "missing")


def test_columns_may_be_called_anything(connection):
    connection.execute('CREATE OR REPLACE TABLE t AS SELECT 1 AS """", 2 AS "h", 3 AS "v", 4 AS "select"')
    state = state_of(connection, "t", distinct=['"', "h", "v", "select"])
    assert [each.low for each in state.columns.values()] == [1, 2, 3, 4]


def test_deviations_far_from_zero_are_not_cancelled_away(connection):
    parts = parts_of(connection, "SELECT i % 2 AS part, 1e15::DOUBLE + i AS x FROM range(4) AS t(i)", "part")
    assert merged(parts).columns["x"].stdev == pytest.approx(math.sqrt(5 / 3), rel=1e-12)
    assert Decimal(1) == parts[0].columns["part"].present - 1
