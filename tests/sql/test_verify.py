"""The engine's own reading of a rewritten query must be what was approved; anything else is a denial."""

import json
from dataclasses import replace
from functools import cache

import duckdb
import pytest

from mesh_defs.errors import QueryRejectedError
from mesh_defs.model.access import Mask, RowRule, View
from mesh_defs.model.query import GovernedSQL
from mesh_defs.sql.parse import parse_select
from mesh_defs.sql.rewrite import govern, inlined
from mesh_defs.sql.verify import verify_plan, verify_text
from tests.sql.world import PARAMETERS, TABLES, a_pin, statements

EU = RowRule(source="grant 'g'", text="region = 'EU'", bound="region = 'EU'")
VIEWS = {name: View(grant="g") for name in TABLES} | {
    "audiences.persons": View(
        grant="g", rules=(EU,), masks={"person_id": Mask(kind="null"), "joined": Mask(kind="deny")}
    )
}


def a_query(sql: str) -> GovernedSQL:
    return govern(parse_select(sql), {name: a_pin(name) for name in TABLES}, VIEWS)


@cache
def engine() -> duckdb.DuckDBPyConnection:
    """A database whose pins are views of tables, as an engine has them, with a column that nobody may see."""
    connection = duckdb.connect(config={"threads": 1})
    for name, select in TABLES.items():
        relation = a_pin(name).relation
        connection.execute(f"CREATE TABLE base_{relation} AS SELECT *, 'SECRET' AS secret FROM ({select})")
        connection.execute(f"CREATE VIEW {relation} AS SELECT * FROM base_{relation}")
    return connection


def says(function: str, text: str) -> str:
    return str(engine().execute(f"SELECT {function}($1)", [text]).fetchone()[0])


def verify(query: GovernedSQL, *, runs: str | None = None) -> None:
    """Verify that what `runs` is what was approved."""
    text = inlined(query, PARAMETERS).text if runs is None else runs
    verify_text(says("json_serialize_sql", text), query)
    guards = {name: says("json_serialize_plan", guard) for name, guard in query.guards.items()}
    verify_plan(says("json_serialize_plan", text), guards)


@pytest.mark.parametrize("file", ["equal.sql"])
def test_what_the_rewriter_makes_is_verified(file: str) -> None:
    refused = []
    for sql in statements(file):
        try:
            query = a_query(sql)
        except QueryRejectedError:
            continue
        try:
            engine().execute(inlined(query, PARAMETERS).text)
        except duckdb.Error:
            continue  # a masked column may not bind
        try:
            verify(query)
        except QueryRejectedError as error:
            refused.append((sql, error.what))
    assert refused == []


P = "audiences.persons"
GUARD = a_query(f"SELECT region FROM {P}").guards[P]

UNMASKED = GUARD.replace("CAST(NULL AS TEXT)", '"governed_0"."person_id"')
SECRET = GUARD.replace('"governed_0"."age"', '"governed_0"."secret"')


def test_the_guard_is_the_view() -> None:
    assert GUARD == (
        'SELECT CAST(NULL AS TEXT) AS "person_id", "governed_0"."region", "governed_0"."age" '
        'FROM "pin_audiences__persons" AS "governed_0" WHERE ("governed_0"."region" = \'EU\')'
    )


@pytest.mark.parametrize(
    "runs",
    [
        'SELECT region FROM "pin_audiences__persons"',
        'SELECT region FROM (SELECT * FROM "pin_audiences__persons") AS persons',
        f'SELECT region FROM ({GUARD}) AS persons UNION ALL SELECT region FROM "pin_audiences__persons"',
        f"SELECT region FROM ({GUARD.replace('EU', 'US')}) AS persons",
        f"SELECT region FROM ({GUARD.partition(' WHERE')[0]}) AS persons",
        f"SELECT region FROM ({GUARD} OR TRUE) AS persons",
        f"SELECT region FROM ({UNMASKED}) AS persons",
        f"SELECT region FROM ({SECRET}) AS persons",
        f'SELECT region FROM ({GUARD}) AS persons, "pin_archive__impressions"',
        f"SELECT region FROM ({GUARD}) AS persons, duckdb_tables()",
        f"SELECT region FROM ({GUARD}) AS persons, query('SELECT 1')",
        f"SELECT region, current_setting('threads') FROM ({GUARD}) AS persons",
        f'SELECT region FROM ({GUARD}) AS persons, main."pin_audiences__persons"',
        f"WITH \"pin_audiences__persons\" AS (SELECT 'EU' AS region) SELECT region FROM ({GUARD}) AS persons",
        f"SELECT region FROM ({GUARD}) AS persons; SELECT 1",
        "SELECT 'EU' AS region",
        "INSERT INTO t VALUES (1)",
        "this is no SQL",
    ],
)
def test_what_was_not_approved_is_denied(runs: str) -> None:
    with pytest.raises(QueryRejectedError, match="cannot be verified"):
        verify(a_query(f"SELECT region FROM {P}"), runs=runs)


@pytest.mark.parametrize(
    "sql",
    [
        f"SELECT region FROM {P}",
        f"SELECT count(*) FROM {P}",
        f"SELECT a.region FROM {P} a, LATERAL (SELECT max(b.age) m FROM {P} b WHERE b.age <= a.age) l",
        f"SELECT region FROM {P} WHERE EXISTS (SELECT 1 FROM events.impressions i WHERE i.person_id = persons.person_id)",
        f"WITH x AS MATERIALIZED (SELECT * FROM {P}) SELECT a.region FROM x a JOIN x b USING (region)",
        f"WITH RECURSIVE n AS (SELECT min(age) AS a FROM {P} UNION ALL SELECT a + 1 FROM n, {P} WHERE a < 33) SELECT * FROM n",
        f"SELECT (SELECT max(age) FROM {P} p WHERE p.region = persons.region) FROM {P}",
        f"SELECT region, rank() OVER (ORDER BY age) FROM {P} QUALIFY rank() OVER (ORDER BY age) < 3",
        f"SELECT * FROM {P} ASOF JOIN creatives.films f ON persons.region >= f.film",
        f"SELECT * FROM {P} WHERE age > ANY (SELECT age FROM {P})",
        f"SELECT unnest([age]) FROM {P}",
        f"SELECT * FROM {P} p, range(p.age) r(i)",
        f"PIVOT {P} ON region IN ('EU') USING max(age)",
        f"FROM (SUMMARIZE SELECT region FROM {P})",
        f"SELECT age FROM {P} WHERE age = $least",
        f"SELECT 1 FROM {P} UNION SELECT 2 FROM {P} EXCEPT SELECT 3",
        "SELECT 1",
        "SELECT * FROM range(3)",
    ],
)
def test_shapes_that_planners_take_apart_are_verified(sql: str) -> None:
    verify(a_query(sql))


def test_a_guard_that_the_engine_cannot_plan_is_a_denial() -> None:
    query = a_query(f"SELECT region FROM {P}")
    plan = says("json_serialize_plan", query.text)
    with pytest.raises(QueryRejectedError):
        verify_plan(plan, {P: json.dumps({"error": True})})
    with pytest.raises(QueryRejectedError):
        verify_plan(plan, {})
    with pytest.raises(QueryRejectedError):
        verify_text(says("json_serialize_sql", query.text), replace(query, pins=()))
