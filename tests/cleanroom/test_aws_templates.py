"""A template at AWS asks what the room asks: its text, run by an engine, gives the numbers of a run of the room."""

import duckdb
import pytest
import sqlglot

from mesh_defs.model.room import AnalysisTemplate
from mesh_defs.sql.analysis import compile_analysis
from mesh_defs.sql.spark import spark_template
from tests.cleanroom.agreements import an_agreement
from tests.cleanroom.test_run import IMPRESSIONS, World

# Each trap of a join: repeated rows of who asks, values that are not public or NULL, persons of one side only, costs unknown.
BOUGHT = [
    *((person, "gold") for person in range(60)),
    *((person, "gold") for person in range(20)),
    *((person, "silver") for person in range(40, 100)),
    *((person, "secret") for person in range(30)),
]
SHOWN = [
    *((person, "c1", "ios", 100 + person) for person in range(90)),
    *((person, "c1", "android", None if person % 2 else 7) for person in range(90)),
    *((person, "c2", "ios", 50) for person in range(10, 120)),
    *((person, "c2", "ios", 51) for person in range(10, 120)),
    *((person, "unlisted", "ios", 99) for person in range(90)),
    *((person, None, "android", 99) for person in range(90)),
]
QUESTIONS = [
    f"SELECT campaign, count(*) AS n, count(DISTINCT i.hem) AS persons, sum(cost) AS cost {IMPRESSIONS} GROUP BY campaign",
    f"SELECT tier, count(*) AS n, sum(cost) AS cost {IMPRESSIONS} GROUP BY tier",
    f"SELECT campaign, tier, count(*) AS n, count(DISTINCT i.hem) AS persons {IMPRESSIONS} WHERE device = 'ios' GROUP BY 1, 2",
    f"SELECT count(*) AS n, count(DISTINCT i.hem) AS persons, sum(cost) AS cost {IMPRESSIONS}",
    f"SELECT count(*) AS n, sum(cost) AS cost {IMPRESSIONS} WHERE tier IN ('gold', 'silver') AND campaign = 'c2'",
]


@pytest.mark.parametrize("sql", QUESTIONS)
def test_a_template_gives_the_rooms_own_numbers(sql: str) -> None:
    agreement = an_agreement()
    template = AnalysisTemplate(name="one", sql=sql, parameters={})
    names = {table.name: table.name.replace(".", "_") for table in agreement.tables}
    written = spark_template(template, agreement, analyst="adv", names=names)
    with duckdb.connect() as engine:
        engine.execute("CREATE TABLE adv_customers (person INT, tier VARCHAR)")
        engine.executemany("INSERT INTO adv_customers VALUES (?, ?)", BOUGHT)
        engine.execute("CREATE TABLE pub_impressions (hem INT, campaign VARCHAR, device VARCHAR, cost DECIMAL(12, 2))")
        engine.executemany("INSERT INTO pub_impressions VALUES (?, ?, ?, CAST(? AS DECIMAL(12, 2)) / 100)", SHOWN)
        (text,) = sqlglot.transpile(written.sql, read="spark", write="duckdb")
        rows = engine.execute(text).fetchall()
    release = World(BOUGHT, SHOWN).ask(sql)
    assert release.withheld == ()
    outputs = compile_analysis(sql, agreement).outputs
    analysis = written.analysis
    whats = (*analysis.dimensions, *analysis.aggregates)
    released = {tuple(zip(whats, (*group.values, *group.numbers), strict=True)) for group in release.groups}
    order = [[what for _, what in outputs].index(what) for what in whats]
    assert {tuple(zip(whats, (row[place] for place in order), strict=True)) for row in rows} == released
    assert len(rows) == len(release.groups) > 0
