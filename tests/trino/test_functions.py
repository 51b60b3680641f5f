"""Every function, operator and cast that goes to Trino, tried on both engines with the values at the edges of its types."""

import re
from collections.abc import Iterator

import duckdb
import pytest

from mesh_defs.sql.translation.folds import FRAMED
from mesh_defs.sql.translation.functions import AGGREGATES, OWN, SAME, WINDOWS
from tests.trino.both import DOMAIN, Both, both, comparable
from tests.trino_server import Trino

T = f"{DOMAIN}.edges"
_VALUES = {
    "t": (
        "VARCHAR",
        [
            "NULL",
            "''",
            "'a'",
            "'A'",
            "'ab'",
            "'Straße'",
            "'ΑΣ'",
            "'İstanbul'",
            "'🎈x'",
            "'é'",
            "'%_\\'",
            "'12'",
            "'Grüße'",
            "'ǆ'",
            "'ﬁ'",
            "'\xa0b\t'",
        ],
    ),
    "n": (
        "INTEGER",
        [
            "NULL",
            "0",
            "1",
            "-1",
            "7",
            "-7",
            "10",
            "2147483647",
            "-2147483647",
            "365",
        ],
    ),
    "b": (
        "BIGINT",
        [
            "NULL",
            "0",
            "-3",
            "9007199254740993",
            "-9223372036854775807",
            "42",
        ],
    ),
    "m": (
        "DECIMAL(12,2)",
        ["NULL", "0", "0.01", "-0.01", "0.05", "2.50", "-2.50", "3.45", "9999999999.99", "-1234.56"],
    ),
    "f": (
        "DOUBLE",
        [
            "NULL",
            "0.0",
            "'-0.0'",
            "'nan'",
            "'inf'",
            "'-inf'",
            "1.5",
            "-2.5",
            "2.5",
            "1e15",
            "0.49999999999999994",
            "-1e-300",
        ],
    ),
    "d": (
        "DATE",
        [
            "NULL",
            "'0001-01-01'",
            "'1582-10-10'",
            "'1899-12-31'",
            "'1970-01-01'",
            "'2020-02-29'",
            "'2024-12-30'",
            "'9999-12-31'",
        ],
    ),
    "s": (
        "TIMESTAMP",
        [
            "NULL",
            "'1969-12-31 23:59:59.999999'",
            "'2000-02-29 12:30:15.5'",
            "'2021-03-28 02:30:00'",
            "'1582-10-10 00:00:00'",
        ],
    ),
    "o": (
        "BOOLEAN",
        [
            "NULL",
            "TRUE",
            "FALSE",
        ],
    ),
}
_OF = {"VARCHAR": "t", "whole": "n", "decimal": "m", "DOUBLE": "f", "DATE": "d", "TIMESTAMP": "s"}


@pytest.fixture(scope="module")
def edges(trino: Trino, postgres_tcp_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    with duckdb.connect() as connection:
        columns = []
        for name, (type_, values) in _VALUES.items():
            listed = ", ".join(f"({value})::{type_}" for value in values)
            columns.append(
                f"list_extract([{listed}], 1 + ((i * {7 + len(columns) * 4}) % {len(values)})::INTEGER) AS {name}"
            )
        connection.execute(f"CREATE TABLE edges AS SELECT i, {', '.join(columns)} FROM range(240) r(i)")
        with both(connection, trino, postgres_tcp_server, str(tmp_path_factory.mktemp("edges"))) as made:
            yield made


def calls_of_same() -> list[str]:
    return [f"{each.name}({', '.join(_OF[family] for family in each.takes)})" for each in SAME]


OWN_CALLS = """
coalesce(n, 5) | coalesce(m, n) | ifnull(t, 'none') | if(o, n, m) | nullif(n, 7) | nullif(f, 0) | nullif(f, f)
concat(t, '-', t) | contains(t, 'ß') | contains(t, '') | replace(t, 'a', 'bb') | lower(t) | lcase(t) | upper(t)
ucase(t) | trim(t) | ltrim(t) | rtrim(t) | left(t, 2) | left(t, 0) | substr(t, 2) | substr(t, 1, 3)
substring(t, 2, 1) | round(f) | round(m) | round(m, 1) | round(m, 5) | date_trunc('month', d)
date_trunc('week', s) | date_trunc('quarter', d) | date_trunc('hour', s) | date_trunc('year', s)
datetrunc('day', s) | date_part('year', d) | datepart('month', s) | extract(year FROM d) | date_part('dow', d)
dayofweek(d) | weekday(s) | date_diff('day', d, DATE '2020-01-01') | datediff('day', DATE '2020-01-01', d)
"""
OPERATORS = """
n // 3 | n % 3 | n // n | n % 0 | n / 2 | n / 0 | m / 3 | f / 0 | m * 2 | CAST(m AS DECIMAL(20,2)) * m | m + n
m - 0.5 | b + 1 | -m | -f | n * 1.5 | f + 1 | f * n | n = 7 | n = m | m = 2.5 | m < n | f < 1 | f > 1 | f >= 1.5
f <> 0 | f = f | f <= f | f > f | f < n | f IN (1.5, 0) | f BETWEEN -3 AND 3 | t = 'a' | t < 'b' | t LIKE '%a%'
t LIKE '_' | t LIKE '%\\_%' | t NOT LIKE 'A%' | t || 'x' | t IN ('a', 'A') | t NOT IN ('a', NULL) | d = '2020-02-29'
d < DATE '1900-01-01' | d > s | s < '2000-01-01' | d - DATE '2000-01-01' | d IN ('1970-01-01') | o AND n > 0
o OR n > 0 | NOT o | o IS TRUE | o IS NOT FALSE | n IS DISTINCT FROM 7 | t IS NOT DISTINCT FROM 'a' | n IS NULL
CASE WHEN o THEN 1 WHEN n > 0 THEN m END | CASE t WHEN 'a' THEN 'x' ELSE 'y' END | CASE f WHEN 0 THEN 1 ELSE 2 END
CAST(n AS VARCHAR) | CAST(m AS VARCHAR) | CAST(o AS VARCHAR) | CAST(o AS INTEGER) | CAST(m AS BIGINT)
CAST(n AS DOUBLE) | CAST(m AS DOUBLE) | CAST(m AS DECIMAL(18,1)) | CAST(n AS DECIMAL(18,4)) | CAST(d AS TIMESTAMP)
CAST(s AS DATE) | TRY_CAST(n AS SMALLINT) | TRY_CAST(b AS INTEGER) | CAST(m + 1 AS VARCHAR)
CAST(round(m, 1) AS VARCHAR) | CAST(CASE WHEN o THEN m ELSE n END AS VARCHAR)
"""
SHIFTS = [
    "+ 1",
    "- 400",
    "+ INTERVAL 1 MONTH",
    "- INTERVAL 1 YEAR",
    "+ INTERVAL 3 WEEK",
    "- INTERVAL 90 DAY",
    "+ INTERVAL 36 HOUR",
]
FOLDS = """
count(t) | count(DISTINCT t) | count(DISTINCT f) | sum(n) | sum(b) | sum(m) | avg(n) | mean(n) | avg(m) | avg(b)
sum(DISTINCT n) | avg(DISTINCT m) | min(t) | max(t) | min(f) | max(f) | min(d) | max(s) | min(m) | max(o)
bool_and(o) | bool_or(o) | count_if(o) | countif(n > 0) | min(n) FILTER (WHERE n > 0) | stddev(n) | stddev_samp(m)
stddev_pop(n) | variance(n) | var_samp(n) | var_pop(n) | sum(m * 1.5) | avg(m) FILTER (WHERE o) | count(*)
"""
WINDOW_CALLS = """
row_number() | rank() | dense_rank() | rank_dense() | percent_rank() | cume_dist() | ntile(3) | lag(n) | lag(t, 2)
lead(m) | first_value(n) | last_value(i) | nth_value(i, 2) | sum(n) | avg(m) | count(*) | max(f)
"""


def expressions(text: str) -> list[str]:
    """Those between single bars; || is an operator."""
    return [each.strip() for line in text.strip().splitlines() for each in re.split(r"(?<!\|)\|(?!\|)", line)]


@pytest.mark.parametrize("expression", [*calls_of_same(), *expressions(OWN_CALLS), *expressions(OPERATORS)])
def test_an_expression_means_the_same(edges: Both, expression: str) -> None:
    theirs, ours = edges.answers(f"SELECT i, {expression} AS x FROM {T}")
    assert comparable(ours, 15) == comparable(theirs, 15)


@pytest.mark.parametrize("shift", SHIFTS)
@pytest.mark.parametrize("column", ["d", "s"])
def test_an_interval_means_the_same(edges: Both, column: str, shift: str) -> None:
    if column == "s" and "INTERVAL" not in shift:
        pytest.skip("days are added to a DATE")
    inner = f"WHERE {column} BETWEEN '1000-01-01' AND '9000-01-01'"
    theirs, ours = edges.answers(f"SELECT i, {column} {shift} AS x FROM {T} {inner}")
    assert comparable(ours) == comparable(theirs)


@pytest.mark.parametrize("call", expressions(FOLDS))
@pytest.mark.parametrize("rest", ["", "WHERE i < 0", "GROUP BY i % 5", "GROUP BY f", "GROUP BY d"])
def test_an_aggregate_means_the_same(edges: Both, call: str, rest: str) -> None:
    theirs, ours = edges.answers(f"SELECT {call} AS x FROM {T} {rest}")
    assert comparable(ours) == comparable(theirs)


@pytest.mark.parametrize("call", expressions(WINDOW_CALLS))
@pytest.mark.parametrize(
    "over",
    [
        "ORDER BY i",
        "PARTITION BY t ORDER BY f DESC, i",
        "ORDER BY d NULLS FIRST, i",
        "PARTITION BY o ORDER BY n DESC, m, i ROWS BETWEEN 2 PRECEDING AND CURRENT ROW",
    ],
)
def test_a_window_means_the_same(edges: Both, call: str, over: str) -> None:
    if "ROWS" in over and call.partition("(")[0] in WINDOWS - FRAMED:
        pytest.skip("a frame means nothing to it")
    theirs, ours = edges.answers(f"SELECT i, {call} OVER ({over}) AS x FROM {T}")
    assert comparable(ours) == comparable(theirs)


@pytest.mark.parametrize("column", [*_VALUES])
@pytest.mark.parametrize("order", ["", "DESC", "NULLS FIRST", "DESC NULLS FIRST"])
def test_rows_come_in_the_same_order(edges: Both, column: str, order: str) -> None:
    theirs, ours = edges.answers(f"SELECT i, {column} FROM {T} WHERE f IS NULL OR f <> 0 ORDER BY {column} {order}, i")
    assert [row[0] for row in ours] == [row[0] for row in theirs]


def test_every_function_of_the_list_is_tried() -> None:
    tried = " ".join([OWN_CALLS, FOLDS, WINDOW_CALLS])
    assert [name for name in OWN | AGGREGATES | WINDOWS if f"{name}(" not in tried] == []
