"""The row language: what it takes, what it refuses, and that a rule never fails on a row."""

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesh_defs.errors import QueryRejectedError
from mesh_defs.sql.row_rule import NOTHING, bind_rule, check_rule, condition, rule_columns, rule_parts
from mesh_defs.sql.tree import write

COLUMNS = {
    "region": "VARCHAR",
    "born": "INTEGER",
    "spent": "DECIMAL(10,2)",
    "score": "DOUBLE",
    "day": "DATE",
    "at": "TIMESTAMP",
    "consent": "BOOLEAN",
    "id": "UUID",
    "old": "INTEGER",
    "tags": "VARCHAR[]",
}
ADA = {"regions": ("EU", "US"), "region": ("EU",), "year": ("1990",), "consent": ("true",), "none": ()}


@pytest.mark.parametrize(
    ("rule", "bound"),
    [
        ("region = 'EU'", "\"region\" = 'EU'"),
        ("REGION = 'EU'", "\"REGION\" = 'EU'"),
        ("'EU' = region", "'EU' = \"region\""),
        ("region IN ('EU', 'US')", "\"region\" IN ('EU', 'US')"),
        ("region NOT IN ('EU')", "NOT (\"region\" IN ('EU'))"),
        ("born BETWEEN 1990 AND -1", '"born" BETWEEN 1990 AND -1'),
        ("tags IS NULL OR NOT consent", '"tags" IS NULL OR NOT "consent"'),
        ("consent IS TRUE AND consent = FALSE", '"consent" IS TRUE AND "consent" = FALSE'),
        ("born = old", '"born" = "old"'),
        ("day >= '2026-01-31'", "\"day\" >= '2026-01-31'"),
        ("day >= DATE '2026-01-31'", "\"day\" >= CAST('2026-01-31' AS DATE)"),
        ("at < '2026-01-31T12:00:00'", "\"at\" < '2026-01-31T12:00:00'"),
        ("spent > 1.25 AND score < 1e3", '"spent" > 1.25 AND "score" < 1e3'),
        ("TRUE", "TRUE"),
        ("region = ${principal.region}", "\"region\" = 'EU'"),
        ("region = ${principal.regions}", "\"region\" IN ('EU', 'US')"),
        ("${principal.regions} = region", "\"region\" IN ('EU', 'US')"),
        ("region IN ${principal.regions}", "\"region\" IN ('EU', 'US')"),
        ("region IN ('X', ${principal.regions})", "\"region\" IN ('X', 'EU', 'US')"),
        ("NOT region = ${principal.regions}", "NOT \"region\" IN ('EU', 'US')"),
        ("region <> ${principal.regions}", "NOT (\"region\" IN ('EU', 'US'))"),
        ("born >= ${principal.year}", '"born" >= 1990'),
        ("consent = ${principal.consent}", '"consent" = TRUE'),
    ],
)
def test_a_rule_is_bound_to_the_asker(rule: str, bound: str) -> None:
    assert bind_rule(rule, ADA, COLUMNS) == bound


@pytest.mark.parametrize(
    "rule",
    [
        "region = ${principal.nobody}",
        "NOT region = ${principal.nobody}",
        "region <> ${principal.none} OR TRUE",
        "region IN ('EU', ${principal.none})",
        "born < ${principal.regions}",  # no numbers
        "born = ${principal.region}",
        "at > ${principal.regions}",
        "region < ${principal.regions}",  # several, where one is needed
        "born BETWEEN ${principal.year} AND ${principal.nobody}",
    ],
)
def test_an_attribute_that_is_missing_or_does_not_fit_shows_no_row(rule: str) -> None:
    check_rule(rule, COLUMNS)
    assert bind_rule(rule, ADA, COLUMNS) == NOTHING


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ("", "one condition"),
        ("region", "line 1, column 1: region alone is no condition"),
        ("tenant = 'EU'", "line 1, column 1: there is no column 'tenant'"),
        ("consent AND\n tenant = 'EU'", "line 2, column 2: there is no column 'tenant'"),
        ("region IN (SELECT 1)", "no SELECT"),
        ("region IN (SELECT region FROM a.b)", "no SELECT"),
        ("EXISTS (SELECT 1)", "not in the row language"),
        ("region = (SELECT 'EU')", "no value"),
        ("lower(region) = 'eu'", "no column of the product"),
        ("region = lower('EU')", "no value"),
        ("error(region)", "not in the row language"),
        ("CAST(region AS INTEGER) = 1", "no column of the product"),
        ("region LIKE 'E%'", "not in the row language"),
        ("region COLLATE nocase = 'eu'", "no column of the product"),
        ("born + 1 = 2", "no column of the product"),
        ("1 / 0 = born", "no value"),
        ("1 = 1", "no column of the product"),
        ("region = 5", "no value of the column's type"),
        ("born = '5'", "no value"),
        ("born = 1.5", "no value"),
        ("born = 1e3", "no value"),
        ("born = 99999999999999999999", "no value"),
        ("spent = 1.255", "no value"),
        ("born = spent", "no value"),
        ("born = region", "no value"),
        ("day = '2026-13-01'", "no value"),
        ("day = TIMESTAMP '2026-01-01 00:00:00'", "no value"),
        ("id = 'x'", "no value"),
        ("consent = 1", "no value"),
        ("tags = ['a']", "can only be tested with IS NULL"),
        ("tags[1] = 'a'", "no column"),
        ("other.region = 'EU'", "no column of the product"),
        ("region = $x", "no value"),
        ("region = ?", "parameter"),
        ("region = ${environment.HOME}", "SQL"),
        ("region = 'EU' FROM a.b", "one condition"),
        ("region = 'EU' LIMIT 1", "one condition"),
        ("region = 'EU', born = 1", "one condition"),
        ("region = 'EU'; SELECT 1", "more than one statement"),
        ("born IS TRUE", "IS takes NULL"),
        ("region = NULL", "no value"),
        ("region = 'EU' OR", "cannot be read"),
    ],
)
def test_everything_else_is_refused_where_it_stands(rule: str, told: str) -> None:
    with pytest.raises(QueryRejectedError) as caught:
        check_rule(rule, COLUMNS)
    assert told in str(caught.value)


@pytest.mark.parametrize("value", ["EU') OR TRUE --", "'", '"', "${principal.region}", "\\", "x\ny", "é🙂", ""])
def test_an_attribute_is_only_ever_a_value(value: str) -> None:
    bound = bind_rule("region = ${principal.r}", {"r": (value,)}, COLUMNS)
    with duckdb.connect() as connection:
        connection.execute(
            "CREATE TABLE t AS SELECT $1::VARCHAR AS region UNION ALL SELECT 'EU' UNION ALL SELECT NULL", [value]
        )
        found = connection.execute(f"SELECT region FROM t WHERE {bound}").fetchall()
    assert set(found) == {(value,)}


def test_every_column_is_qualified_and_the_whole_is_one_condition() -> None:
    bound = bind_rule("region = 'EU' OR born = old", ADA, COLUMNS)
    assert write(condition(bound, "g")) == '("g"."region" = \'EU\' OR "g"."born" = "g"."old")'


def test_a_rule_falls_into_what_must_each_be_true() -> None:
    bound = bind_rule("consent AND (born > 1 AND (region = 'EU' OR region = 'US')) AND NOT old = 2", ADA, COLUMNS)
    assert rule_parts(bound) == ('"consent"', '"born" > 1', "\"region\" = 'EU' OR \"region\" = 'US'", 'NOT "old" = 2')
    assert rule_columns(bound) == {"consent", "born", "region", "old"}


_NUMBERS = {"TINYINT": 127, "BIGINT": 2**63 - 1, "HUGEINT": 2**127 - 1, "UBIGINT": 2**64 - 1, "UHUGEINT": 2**128 - 1}
_EDGES = [*((type_, str(most)) for type_, most in _NUMBERS.items()), ("DECIMAL(38,0)", "9" * 38)]
_EDGES += [
    ("DECIMAL(38,37)", "9." + "9" * 37),
    ("DECIMAL(4,2)", "-99.99"),
    ("DOUBLE", "'inf'::DOUBLE"),
    ("DOUBLE", "'nan'::DOUBLE"),
]
_EDGES += [
    ("FLOAT", "3.4e38"),
    ("DATE", "'infinity'::DATE"),
    ("TIMESTAMP", "'-infinity'::TIMESTAMP"),
    ("BOOLEAN", "NULL"),
]


@pytest.mark.parametrize(("type_", "value"), _EDGES)
@given(
    number=st.from_regex(r"-?[0-9]{1,18}(\.[0-9]{1,37})?", fullmatch=True), op=st.sampled_from(["=", "<>", "<", ">="])
)
@settings(max_examples=15, deadline=None)
def test_no_row_makes_a_rule_fail(type_: str, value: str, number: str, op: str) -> None:
    texts = [
        f"x {op} {number}",
        f"x IN ({number}, 0)",
        f"x BETWEEN 0 AND {number}",
        f"x {op} y",
        f"x {op} '2026-01-01'",
    ]
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE t AS SELECT CAST({value} AS {type_}) AS x, CAST(NULL AS {type_}) AS y")
        for text in texts:
            try:
                bound = bind_rule(text, {}, {"x": type_, "y": type_})
            except QueryRejectedError:
                continue
            connection.execute(f"SELECT count(*) FROM t WHERE {bound}").fetchall()
