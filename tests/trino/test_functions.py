"""Every function, operator and cast that goes to Trino, tried on both engines with the values at the edges of its types."""

import re
from collections.abc import Iterator

import duckdb
import pytest

from mesh_defs.errors import EngineError, QueryRejectedError
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
# Texts that are a number, a day or a time as both engines write them, or certainly none.
_TEXTS = (
    "NULL",
    *("''", "'x'", "'12'", "'-7'", "'007'", "'2020-02-29'", "'2023-02-29'", "'1999-12-31 23:59:59.5'", "'20201301'"),
    *(
        "'none'",
        "'n/a'",
        "'NOTE-EU-1'",
        "'12 Main St'",
        "'٣'",
        "'2024-13-01 00:00:00'",
        "'999999999999'",
        "'-'",
        "'é1'",
    ),
)
_NESTED = {
    "x": ("VARCHAR", [*_TEXTS]),
    "l": ("VARCHAR[]", ["NULL", "[]", "['a', NULL]", "['ß', 'b', 'c']"]),
    "r": ("STRUCT(a INTEGER, B VARCHAR)", ["NULL", "{'a': 1, 'B': 'x'}", "{'a': NULL, 'B': 'y'}"]),
}
_OF = {"VARCHAR": "t", "whole": "n", "decimal": "m", "DOUBLE": "f", "DATE": "d", "TIMESTAMP": "s"}


@pytest.fixture(scope="module")
def edges(trino: Trino, postgres_tcp_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    with duckdb.connect() as connection:
        columns = []
        for name, (type_, values) in {**_VALUES, **_NESTED}.items():
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
date_diff('month', DATE '2020-01-31', d) | date_diff('year', d, DATE '2020-01-31')
date_diff('quarter', d, DATE '1999-12-31') | date_diff('hour', s, TIMESTAMP '2000-01-01 00:59:59')
date_diff('day', s, s) | date_diff('minute', TIMESTAMP '1999-12-31 23:59:59', s)
date_diff('second', s, TIMESTAMP '2001-01-01 00:00:00') | date_diff('hours', d, DATE '2020-01-02') | last_day(d)
last_day(s) | monthname(d) | dayname(s) | strftime(d, '%Y-%m-%d') | strftime(s, '%d.%m.%y %H:%M:%S %%')
strftime(d, '%A, %a %d %B %b %j') | strftime(s, 'week') | lpad(t, 5, '0') | rpad(t, 3, 'xy') | lpad(t, 0, '*')
right(t, 2) | right(t, 0) | right(t, 50) | split_part(t, 'a', 1) | split_part(t, 'ß', 2) | split_part(t, ',', 3)
translate(t, 'aß', 'x') | translate(t, '', '') | translate(t, 'a', 'bcd') | concat_ws('-', t, x, t)
concat_ws(', ', t) | ends_with(t, 'e') | suffix(t, 'aße') | ends_with(t, '') | md5(t) | sha256(t) | trim(t, 'ab')
ltrim(t, 'a') | rtrim(t, 'x%') | regexp_matches(t, '^[a-z]+$') | regexp_matches(t, 'ß|é') | regexp_matches(t, '')
regexp_matches(t, '.') | regexp_matches(t, '^.$') | regexp_full_match(t, 'a|ab') | regexp_full_match(t, '\\w+')
t ~ '[A-Z].*' | regexp_extract(x, '([0-9]+)$', 1) | regexp_extract(x, '([a-z])?([0-9]+)', 1)
regexp_extract(x, '-?\\d+(\\.\\d+)?') | regexp_extract(t, '(a)|(b)', 2) | regexp_extract(t, '\\s')
regexp_replace(t, '[aeiou]', '$1', 'g') | regexp_extract(x, '[^-]+$') | regexp_extract(x, '\\w{2,3}?')
regexp_matches(x, '^(\\d{4})-(\\d\\d)') | regexp_replace(x, '\\d+', '', 'g') | greatest(n, 3) | least(n, m, 1)
greatest(t, 'b') | greatest(d, DATE '2000-01-01', NULL) | least(n, NULL) | greatest(b, n) | sqrt(abs(n))
sqrt(CASE WHEN f >= 0 THEN f END) | sign(n) | sign(m) | floor(m) | ceil(m) | ceiling(m) | floor(f) | ceil(f)
ceiling(f) | floor(n) | trunc(f) | trunc(m) | trunc(n) | round(f, 2) | round(f * 7, 1) | round(f, 0)
round(f / 3, 15) | round(n, 2) | len(l) | l[1] | l[-1] | l[3] | r.a | r.b | r['B'] | (r).a | edges.r.a
r.a IS NULL | r IS NULL | l IS NOT NULL | r | l | coalesce(r.b, t)
"""
OPERATORS = """
n // 3 | n % 3 | n // n | n % 0 | n / 2 | n / 0 | m / 3 | f / 0 | m * 2 | CAST(m AS DECIMAL(20,2)) * m | m + n
m - 0.5 | b + 1 | -m | -f | n * 1.5 | f + 1 | f * n | n = 7 | n = m | m = 2.5 | m < n | f < 1 | f > 1 | f >= 1.5
f <> 0 | f = f | f <= f | f > f | f < n | f IN (1.5, 0) | f BETWEEN -3 AND 3 | t = 'a' | t < 'b' | t LIKE '%a%'
t LIKE '_' | t LIKE '%\\_%' | t NOT LIKE 'A%' | t || 'x' | t IN ('a', 'A') | t NOT IN ('a', NULL)
d = '2020-02-29' | d < DATE '1900-01-01' | d > s | s < '2000-01-01' | d - DATE '2000-01-01' | d IN ('1970-01-01')
o AND n > 0 | o OR n > 0 | NOT o | o IS TRUE | o IS NOT FALSE | n IS DISTINCT FROM 7 | t IS NOT DISTINCT FROM 'a'
n IS NULL | CASE WHEN o THEN 1 WHEN n > 0 THEN m END | CASE t WHEN 'a' THEN 'x' ELSE 'y' END
CASE f WHEN 0 THEN 1 ELSE 2 END | CAST(n AS VARCHAR) | CAST(m AS VARCHAR) | CAST(o AS VARCHAR) | CAST(o AS INTEGER)
CAST(m AS BIGINT) | CAST(n AS DOUBLE) | CAST(m AS DOUBLE) | CAST(m AS DECIMAL(18,1)) | CAST(n AS DECIMAL(18,4))
CAST(d AS TIMESTAMP) | CAST(s AS DATE) | TRY_CAST(n AS SMALLINT) | TRY_CAST(b AS INTEGER) | CAST(m + 1 AS VARCHAR)
t ILIKE 'STRASSE%' | t ILIKE '%Ü%' | t NOT ILIKE 'a_' | t ILIKE 'İ%' | t ILIKE '%\\_%' | x ILIKE 'NOTE%'
TRY_CAST(x AS INTEGER) | TRY_CAST(x AS BIGINT) | TRY_CAST(x AS SMALLINT) | TRY_CAST(t AS INTEGER)
TRY_CAST(t AS DOUBLE) | TRY_CAST(CASE WHEN length(x) < 12 THEN x END AS DATE) | TRY_CAST(t AS DATE)
TRY_CAST(x AS DOUBLE) | TRY_CAST(x AS DECIMAL(10,2)) | TRY_CAST(x AS TIMESTAMP)
CAST(CASE WHEN x IN ('12', '-7', '007') THEN x END AS INTEGER) | CAST(left(x, 10) AS VARCHAR)
CAST(CASE WHEN abs(f) < 1000 THEN f END AS INTEGER) | TRY_CAST(f AS BIGINT) | TRY_CAST(f AS TINYINT)
TRY_CAST(f AS DECIMAL(10,2)) | TRY_CAST(f * 1.005 AS DECIMAL(18,3)) | TRY_CAST(f AS DECIMAL(4,0))
TRY_CAST(n / 8 AS DECIMAL(18,2)) | TRY_CAST(n / 8 AS INTEGER) | TRY_CAST(n / 2 AS TINYINT)
TRY_CAST(i - 128.0e0 AS TINYINT) | TRY_CAST(f / 2 AS SMALLINT)
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
approx_count_distinct(o) | stddev_pop(n) | variance(n) | var_samp(n) | var_pop(n) | sum(m * 1.5)
avg(m) FILTER (WHERE o) | count(*) | median(n) | median(f) | quantile_cont(n, 0.25) | quantile_cont(f, 0.9)
quantile_cont(b, 0.5) | quantile_disc(n, 0.5) | quantile_disc(n, 0.3) | quantile_disc(f, 0.75)
quantile_cont(n, 0) | quantile_disc(n, 0) | quantile_disc(n, 1) | median(n) FILTER (WHERE n > 0)
percentile_cont(0.5) WITHIN GROUP (ORDER BY n) | string_agg(t, ',' ORDER BY t) | string_agg(t, '' ORDER BY i DESC)
listagg(t, '-' ORDER BY i) | group_concat(t, ', ' ORDER BY i) | string_agg(DISTINCT t, '|' ORDER BY t)
string_agg(t ORDER BY i) FILTER (WHERE o) | list(n ORDER BY i) | array_agg(t ORDER BY i DESC) | list(d ORDER BY i)
"""
WINDOW_CALLS = """
row_number() | rank() | dense_rank() | rank_dense() | percent_rank() | cume_dist() | ntile(3) | lag(n) | lag(t, 2)
lead(m) | first_value(n) | last_value(i) | nth_value(i, 2) | sum(n) | avg(m) | count(*) | max(f)
"""


def expressions(text: str) -> list[str]:
    """Those between bars that stand alone; || is an operator, and a pattern may hold one."""
    return [each.strip() for line in text.strip().splitlines() for each in re.split(r" \| ", line)]


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


# Whole questions: what stands between SELECT and its end.
QUESTIONS = """
SELECT i, t FROM {T} QUALIFY row_number() OVER (PARTITION BY t ORDER BY n DESC, i) = 1
SELECT i, n, rank() OVER (ORDER BY n, i) AS k FROM {T} WHERE n > 0 QUALIFY k <= 5 ORDER BY d DESC, i LIMIT 4
SELECT t, count(*) AS c FROM {T} GROUP BY t QUALIFY dense_rank() OVER (ORDER BY count(*) DESC, t) < 4 ORDER BY c, t
SELECT DISTINCT o FROM {T} QUALIFY count(*) OVER (PARTITION BY t) > 1
SELECT o, t, count(*), sum(n), count(t) FROM {T} GROUP BY ROLLUP (o, t)
SELECT o, t, count(*) FROM {T} GROUP BY CUBE (o, t) HAVING count(*) > 1
SELECT o, t, max(m) FROM {T} GROUP BY GROUPING SETS ((o, t), (o), ())
SELECT o, n, count(*) FROM {T} GROUP BY o, ROLLUP (n)
SELECT o, sum(n) FROM {T} WHERE i < 0 GROUP BY ROLLUP (o)
SELECT a.i, u.v FROM {T} a, unnest(a.l) AS u(v)
SELECT a.i, u.v FROM {T} a CROSS JOIN unnest(l) AS u(v) WHERE u.v > 'a'
SELECT a.i, b.m FROM {T} a, LATERAL (SELECT max(n) AS m FROM {T} b WHERE b.i <= a.i) b WHERE a.i < 20
SELECT a.i, b.s FROM {T} a LEFT JOIN LATERAL (SELECT sum(n) AS s FROM {T} b WHERE b.t = a.t) b ON TRUE
SELECT e.t, g.j FROM range(5) g(j) JOIN {T} e ON e.i = g.j
SELECT * FROM generate_series(-2, 2) g(j), {T} e WHERE e.i = j
SELECT * FROM (PIVOT (SELECT o, t, n FROM {T}) ON t IN ('a', 'ab', 'nobody') USING sum(n) GROUP BY o)
SELECT a_k, o FROM (PIVOT {T} ON t IN ('a', 'ab') USING count(*) AS k GROUP BY o)
SELECT i, name, value FROM (UNPIVOT (SELECT i, n, b FROM {T}) ON n, b)
SELECT columns('^[a-d]$') FROM {T} WHERE i < 5
SELECT e FROM (SELECT i, t, d FROM {T}) e
SELECT approx_count_distinct(o) > 0 FROM {T}
SELECT i FROM {T} WHERE n IN (1, 7) UNION SELECT i FROM {T} WHERE o
SELECT t FROM {T} INTERSECT SELECT x FROM {T}
SELECT t FROM {T} EXCEPT SELECT x FROM {T}
SELECT * FROM (VALUES (1, 'a'), (2, NULL)) v(i, s) JOIN {T} USING (i)
SELECT i, r, l FROM {T} UNION ALL SELECT i, r, l FROM {T} WHERE i < 9
WITH w AS (SELECT o, median(n) AS md FROM {T} GROUP BY o) SELECT e.i, md FROM {T} e JOIN w ON e.o = w.o
"""


@pytest.mark.parametrize("question", QUESTIONS.strip().splitlines())
def test_a_question_means_the_same(edges: Both, question: str) -> None:
    theirs, ours = edges.answers(question.replace("{T}", T))
    assert comparable(ours) == comparable(theirs)


@pytest.mark.parametrize(
    "expression",
    [
        *("TRY_CAST({' 7'} AS INTEGER)", "CAST({'1e3'} AS INTEGER)", "TRY_CAST({'1_000'} AS BIGINT)"),
        *("TRY_CAST({'inf'} AS DOUBLE)", "TRY_CAST({'2024-1-5'} AS DATE)", "CAST({'epoch'} AS DATE)"),
        *("TRY_CAST({'1.5'} AS INTEGER)", "sqrt(i - 1000)", "CAST({'x'} AS INTEGER)", "CAST({''} AS DOUBLE)"),
        *("CAST({'2023-02-29'} AS DATE)", "CAST(i + 1e6 AS DECIMAL(4,1))", "CAST({'12345'} AS DECIMAL(4,1))"),
        *("TRY_CAST(127.5e0 + 0 * i AS TINYINT)", "TRY_CAST(-32768.5e0 + 0 * i AS SMALLINT)"),
    ],
)
def test_a_text_of_another_form_fails_and_is_not_read_in_two_ways(edges: Both, expression: str) -> None:
    """Of a column: a literal is read while the question is translated."""
    asked = expression.replace("{", "concat(left(t, 0), ").replace("}", ")")
    *_, translated = edges.translated(f"SELECT {asked} AS x FROM {T} WHERE t = 'a'")
    with pytest.raises(EngineError):
        list(edges.client.start(translated.text).pages())


REFUSED = r"""
l = l
r < r
count(DISTINCT r)
string_agg(t, ',')
list(t)
median(m)
regexp_matches(t, t)
regexp_matches(t, '(?i)a')
regexp_matches(t, '\bx')
regexp_matches(t, '(a*)*')
regexp_matches(t, '(a+)+')
regexp_replace(t, 'a*', 'b', 'g')
regexp_replace(t, 'a', 'b')
split_part(t, '', 1)
lpad(t, n, '0')
reverse(t)
CAST(t AS BOOLEAN)
CAST(f AS DECIMAL(38,2))
greatest(f, 1)
ln(f)
date_diff('week', d, d)
strftime(d, '%c')
l[n]
l[0]
"""


@pytest.mark.parametrize("expression", REFUSED.strip().splitlines())
def test_what_is_not_certainly_the_same_is_refused_with_a_mend(edges: Both, expression: str) -> None:
    with pytest.raises(QueryRejectedError, match="on Trino") as told:
        edges.translated(f"SELECT {expression} FROM {T}")
    assert told.value.fix


@pytest.mark.parametrize(
    "rest", ["count(*) FROM {T} GROUP BY r", "n FROM {T} ORDER BY l", "sum(n) FROM {T} GROUP BY ROLLUP (n + 1)"]
)
def test_what_trino_cannot_group_or_order_by_is_refused(edges: Both, rest: str) -> None:
    with pytest.raises(QueryRejectedError, match="on Trino"):
        edges.translated(f"SELECT {rest}".replace("{T}", T))
