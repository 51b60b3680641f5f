"""SQL becomes an analysis, or is refused for what it says: nothing of the asker's text goes any further."""

from dataclasses import replace
from typing import Any

import pytest

from mesh_defs.errors import AnalysisRejectedError
from mesh_defs.model.room import Aggregate, Field
from mesh_defs.sql.analysis import compile_analysis
from tests.cleanroom.agreements import CUSTOMERS, PERSONS, an_agreement

JOINED = "FROM pub.persons p JOIN adv.customers c ON p.hem = c.person"
SEGMENT = Field("pub.persons", "segment")


def compiled(sql: str, **arguments: Any) -> Any:
    return compile_analysis(sql, an_agreement(), arguments)


def test_an_analysis_names_tables_dimensions_filters_and_aggregates() -> None:
    question = compiled(
        f"SELECT p.segment AS s, count(*), count(DISTINCT p.hem) {JOINED} WHERE p.age IN (3, 1) GROUP BY 1"
    )
    assert question.outputs == (("s", SEGMENT), ("rows", Aggregate("count")), ("persons", Aggregate("reach")))
    analysis = question.analysis
    assert analysis.tables == ("adv.customers", "pub.persons")
    assert analysis.dimensions == (SEGMENT,)
    assert analysis.filters == ((Field("pub.persons", "age"), (1, 3)),)


SAME = [
    f"SELECT p.segment, count(DISTINCT p.hem) {JOINED} GROUP BY p.segment",
    f"select P.SEGMENT as x, COUNT(distinct C.PERSON) as y {JOINED} group by x",
    "SELECT count(DISTINCT k.hem) AS n, k.segment FROM adv.customers AS z JOIN pub.persons AS k ON z.person = k.hem GROUP BY 2",
    f"SELECT segment, count(DISTINCT hem) {JOINED} GROUP BY segment",
    f"SELECT p.segment, count(DISTINCT p.hem) {JOINED} WHERE p.segment IN ('travel', 'auto', 'auto') GROUP BY p.segment",
    f"SELECT p.segment, count(DISTINCT p.hem) {JOINED} AND (c.person = p.hem) GROUP BY p.segment -- the same",
]


@pytest.mark.parametrize("sql", SAME)
def test_the_same_question_in_other_words_is_the_same_analysis(sql: str) -> None:
    assert compiled(sql).analysis == compiled(SAME[0]).analysis


def test_all_values_are_no_filter_only_where_groups_leave_out_the_rest_anyway() -> None:
    total = f"SELECT count(DISTINCT p.hem) {JOINED}"
    assert compiled(f"{total} WHERE p.segment IN ('auto', 'travel')").analysis != compiled(total).analysis


def test_a_parameter_is_a_public_value() -> None:
    sql = f"SELECT count(*) {JOINED} WHERE p.segment = $s"
    assert compiled(sql, s="auto").analysis.filters == ((SEGMENT, ("auto",)),)
    for wrong in ("food", 1, True, None, "auto' OR 1=1 --"):
        with pytest.raises(AnalysisRejectedError):
            compiled(sql, s=wrong)


def test_a_public_value_below_zero_is_named() -> None:
    table = replace(PERSONS, dimensions={"age": (-3, 0, 3)})
    agreement = an_agreement(tables=(table, CUSTOMERS), templates=())
    found = compile_analysis(f"SELECT count(*) {JOINED} WHERE p.age IN (-3, -0)", agreement)
    assert found.analysis.filters == ((Field("pub.persons", "age"), (-3, 0)),)
    for wrong in ("-'3'", "- -3", "-(3)", "-3.0", "-4"):
        with pytest.raises(AnalysisRejectedError):
            compile_analysis(f"SELECT count(*) {JOINED} WHERE p.age = {wrong}", agreement)


REFUSED = {
    "no value": f"SELECT count(*) {JOINED} WHERE p.age IN ()",
    "a place that nothing reads": f"SELECT p.age, count(*) {JOINED} GROUP BY {'1' * 5000}",
    "a number that nothing reads": f"SELECT count(*) {JOINED} WHERE p.age = {'9' * 5000}",
    "another table": "SELECT count(*) FROM pub.secret s JOIN adv.customers c ON s.hem = c.person",
    "another column": f"SELECT p.email, count(*) {JOINED} GROUP BY 1",
    "the person as a group": f"SELECT p.hem, count(*) {JOINED} GROUP BY 1",
    "the person in a filter": f"SELECT count(*) {JOINED} WHERE p.hem = 'x'",
    "a measure in a filter": "SELECT count(*) FROM pub.impressions i JOIN adv.customers c ON i.hem = c.person WHERE i.cost = 1",
    "a value that is not public": f"SELECT count(*) {JOINED} WHERE p.segment = 'food'",
    "a number as text": f"SELECT count(*) {JOINED} WHERE p.age = '1'",
    "two filters of one dimension": f"SELECT count(*) {JOINED} WHERE p.age = 1 AND p.age = 2",
    "or": f"SELECT count(*) {JOINED} WHERE p.age = 1 OR p.age = 2",
    "not": f"SELECT count(*) {JOINED} WHERE NOT p.age = 1",
    "not in": f"SELECT count(*) {JOINED} WHERE p.age NOT IN (1)",
    "greater": f"SELECT count(*) {JOINED} WHERE p.age > 1",
    "null": f"SELECT count(*) {JOINED} WHERE p.age = NULL",
    "is null": f"SELECT count(*) {JOINED} WHERE p.age IS NULL",
    "a negative number": f"SELECT count(*) {JOINED} WHERE p.age = -1",
    "a sum as value": f"SELECT count(*) {JOINED} WHERE p.age = 1 + 1",
    "a cast": f"SELECT count(*) {JOINED} WHERE p.age = '1'::INT",
    "a query in a filter": f"SELECT count(*) {JOINED} WHERE p.age IN (SELECT 1)",
    "a constant": f"SELECT count(*), 1 {JOINED}",
    "no aggregate": f"SELECT p.segment {JOINED} GROUP BY 1",
    "another aggregate": f"SELECT max(p.age) {JOINED}",
    "count of a column": f"SELECT count(p.segment) {JOINED}",
    "count of one": f"SELECT count(1) {JOINED}",
    "distinct rows": f"SELECT count(DISTINCT p.age) {JOINED}",
    "two persons": f"SELECT count(DISTINCT (p.hem, p.age)) {JOINED}",
    "distinct sums": "SELECT sum(DISTINCT i.cost) FROM pub.impressions i JOIN adv.customers c ON i.hem = c.person",
    "computed sums": "SELECT sum(i.cost * 2) FROM pub.impressions i JOIN adv.customers c ON i.hem = c.person",
    "a filtered aggregate": f"SELECT count(*) FILTER (WHERE p.age = 1) {JOINED}",
    "a window": f"SELECT count(*) OVER () {JOINED}",
    "an ordered aggregate": "SELECT sum(i.cost ORDER BY i.cost) FROM pub.impressions i JOIN adv.customers c ON i.hem = c.person",
    "a star": f"SELECT * {JOINED}",
    "other groups": f"SELECT p.segment, count(*) {JOINED} GROUP BY p.age",
    "groups that are not shown": f"SELECT count(*) {JOINED} GROUP BY p.age",
    "rollup": f"SELECT p.segment, count(*) {JOINED} GROUP BY ROLLUP (p.segment)",
    "group by all": f"SELECT p.segment, count(*) {JOINED} GROUP BY ALL",
    "having": f"SELECT p.segment, count(*) {JOINED} GROUP BY 1 HAVING count(*) > 1",
    "order": f"SELECT p.segment, count(*) {JOINED} GROUP BY 1 ORDER BY 2",
    "limit": f"SELECT p.segment, count(*) {JOINED} GROUP BY 1 LIMIT 1",
    "offset": f"SELECT p.segment, count(*) {JOINED} GROUP BY 1 OFFSET 1",
    "distinct": f"SELECT DISTINCT p.segment, count(*) {JOINED} GROUP BY 1",
    "with": f"WITH x AS (SELECT 1) SELECT count(*) {JOINED}",
    "a set operation": f"SELECT count(*) {JOINED} UNION ALL SELECT count(*) {JOINED}",
    "a subquery": "SELECT count(*) FROM (SELECT * FROM pub.persons) p JOIN adv.customers c ON p.hem = c.person",
    "brackets": "SELECT count(*) FROM (pub.persons p JOIN adv.customers c ON p.hem = c.person)",
    "a table twice": f"SELECT count(*) {JOINED} JOIN pub.persons q ON q.hem = c.person",
    "a left join": "SELECT count(*) FROM pub.persons p LEFT JOIN adv.customers c ON p.hem = c.person",
    "a semi join": "SELECT count(*) FROM pub.persons p SEMI JOIN adv.customers c ON p.hem = c.person",
    "an asof join": "SELECT count(*) FROM pub.persons p ASOF JOIN adv.customers c ON p.hem >= c.person",
    "a cross join": "SELECT count(*) FROM pub.persons p CROSS JOIN adv.customers c",
    "a comma": "SELECT count(*) FROM pub.persons p, adv.customers c",
    "a comma and where": "SELECT count(*) FROM pub.persons p, adv.customers c WHERE p.hem = c.person",
    "a natural join": "SELECT count(*) FROM pub.persons p NATURAL JOIN adv.customers c",
    "a join by something else": "SELECT count(*) FROM pub.persons p JOIN adv.customers c ON p.segment = c.tier",
    "a join with itself": "SELECT count(*) FROM pub.persons p JOIN adv.customers c ON p.hem = p.hem",
    "a join with more": f"SELECT count(*) {JOINED} AND p.age = 1",
    "a join or": f"SELECT count(*) {JOINED} OR TRUE",
    "using another name": "SELECT count(*) FROM pub.persons p JOIN adv.customers c USING (hem)",
    "column aliases": "SELECT count(*) FROM pub.persons p(a, b) JOIN adv.customers c ON p.a = c.person",
    "a sample": f"SELECT count(*) {JOINED} USING SAMPLE 1",
    "a sampled table": "SELECT count(*) FROM pub.persons p TABLESAMPLE 1% JOIN adv.customers c ON p.hem = c.person",
    "another catalog": "SELECT count(*) FROM x.pub.persons p JOIN adv.customers c ON p.hem = c.person",
    "a field of a column": f"SELECT p.segment.x, count(*) {JOINED} GROUP BY 1",
    "a parameter in free SQL": f"SELECT count(*) {JOINED} WHERE p.age = $age",
    "the same name twice": f"SELECT p.segment AS x, count(*) AS X {JOINED} GROUP BY 1",
    "explain": f"EXPLAIN SELECT count(*) {JOINED}",
    "nothing": "",
    "no table": "SELECT count(*)",
    "values": "VALUES (1)",
}


@pytest.mark.parametrize("sql", REFUSED.values(), ids=REFUSED.keys())
def test_refuses(sql: str) -> None:
    with pytest.raises(AnalysisRejectedError):
        compiled(sql)


def test_a_refusal_says_where_and_what_would_do() -> None:
    with pytest.raises(AnalysisRejectedError) as told:
        compiled(f"SELECT p.segmnt, count(*) {JOINED} GROUP BY 1")
    assert told.value.where == "line 1, column 10"
    assert "segment" in told.value.fix
