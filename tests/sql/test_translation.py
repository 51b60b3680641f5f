"""From DuckDB's governed text to Trino's: the text itself, and what is refused by name. No server."""

import pytest
from sqlglot import exp

from mesh_defs.errors import QueryRejectedError
from mesh_defs.model.access import Mask, RowRule, View
from mesh_defs.model.query import TrinoTable
from mesh_defs.sql.functions import REVIEWED
from mesh_defs.sql.parse import parse_select
from mesh_defs.sql.rewrite import govern
from mesh_defs.sql.translation.functions import AGGREGATES, OWN, SAME, WINDOWS
from mesh_defs.sql.translation.patterns import pattern
from mesh_defs.sql.translation.translate import TrinoSQL, translate
from tests.sql.world import a_pin

COLUMNS = {
    "id": "BIGINT",
    "region": "VARCHAR",
    "cost": "DECIMAL(12,2)",
    "score": "DOUBLE",
    "day": "DATE",
    "tags": "VARCHAR[]",
    "at": 'STRUCT(place VARCHAR, "since when" DATE)',
    "span": "INTERVAL",
}
PRODUCT = "events.clicks"
WHOLE = View(grant="g")
EUROPE = View(grant="g", rules=(RowRule(text="r", bound="region = 'EU'", source="s"),), masks={"id": Mask(kind="null")})


def translated(sql: str, types: list[str], view: View = WHOLE, parameters: dict[str, object] | None = None) -> TrinoSQL:
    pin = a_pin(PRODUCT, COLUMNS)
    governed = govern(parse_select(sql), {PRODUCT: pin}, {PRODUCT: view}, parameters or {})
    table = TrinoTable(catalog="lake", schema="events", name="clicks", snapshot=42)
    return translate(governed, parameters or {}, {PRODUCT: [table]}, types)


def test_a_version_is_read_at_its_snapshot_and_every_name_is_our_own() -> None:
    made = translated("SELECT region AS r FROM events.clicks AS c ORDER BY r DESC LIMIT 3", ["VARCHAR"])
    assert made.text == (
        'SELECT CAST("r0"."c1" AS VARCHAR) AS "c0" FROM (SELECT "r1"."id" AS "c0", "r1"."region" AS "c1",'
        ' "r1"."cost" AS "c2", "r1"."score" AS "c3", "r1"."day" AS "c4", "r1"."tags" AS "c5", "r1"."at" AS "c6"'
        ' FROM "lake"."events"."clicks"'
        ' FOR VERSION AS OF 42 AS "r1") AS "r0" ORDER BY "c0" DESC LIMIT 3'
    )
    assert made.guards == {}


def test_hidden_rows_stay_behind_a_fence_with_every_column_that_is_seen() -> None:
    made = translated("SELECT count(*) FROM events.clicks", ["BIGINT"], EUROPE)
    guard = made.guards[PRODUCT]
    assert guard in made.text
    assert guard.endswith(
        'random() AS "fence" FROM "lake"."events"."clicks" FOR VERSION AS OF 42 AS "r1"'
        ' WHERE (("r1"."region" = \'EU\'))) AS "r2" WHERE "r2"."fence" >= 0e0'
    )
    assert 'CASE WHEN "r2"."fence" >= 0e0 THEN "r2"."c1" END AS "c1"' in guard
    assert 'CAST(NULL AS BIGINT) AS "c0"' in guard


@pytest.mark.parametrize(
    ("sql", "type_", "part"),
    [
        ("id / 2", "DOUBLE", 'CAST("r0"."c0" AS DOUBLE) / CAST(2 AS DOUBLE)'),
        ("id // 2", "BIGINT", '"r0"."c0" / nullif(2, 0)'),
        ("score > 1", "BOOLEAN", 'is_nan("r0"."c3")'),
        ("sum(id)", "HUGEINT", 'sum(CAST("r0"."c0" AS DECIMAL(38, 0)))'),
        ("avg(cost)", "DOUBLE", 'CAST(count("r0"."c2") AS DOUBLE)'),
        ("concat(region, 'x')", "VARCHAR", """concat(coalesce("r0"."c1", ''), coalesce('x', ''))"""),
        ("day + INTERVAL 1 MONTH", "TIMESTAMP", 'CAST("r0"."c4" AS TIMESTAMP(6)) + INTERVAL \'1\' MONTH'),
        ("region NOT LIKE 'a%'", "BOOLEAN", 'NOT ("r0"."c1" LIKE \'a%\')'),
        ("day > '2026-01-31'", "BOOLEAN", '"r0"."c4" > CAST(\'2026-01-31\' AS DATE)'),
        ("left(region, 2)", "VARCHAR", 'substr("r0"."c1", 1, 2)'),
        ('at."since when"', "DATE", '"r0"."c6"[2]'),
        ("tags[-1]", "VARCHAR", 'element_at("r0"."c5", -1)'),
        ("region ~ '\\d$'", "BOOLEAN", """regexp_like("r0"."c1", '\\A([0-9]\\z)\\z')"""),
        ("TRY_CAST(region AS DATE)", "DATE", 'TRY_CAST("r0"."c1" AS DATE)'),
        ("id = -9223372036854775808", "BOOLEAN", "CAST('9223372036854775808' AS DECIMAL(38, 0))"),
    ],
)
def test_what_trino_means_otherwise_is_written_out(sql: str, type_: str, part: str) -> None:
    assert part in translated(f"SELECT {sql} AS x FROM events.clicks", [type_]).text


@pytest.mark.parametrize(
    ("sql", "why"),
    [
        ("SELECT CAST(region AS BOOLEAN) FROM {p}", "VARCHAR to BOOLEAN was not tried, near 'region'"),
        ("SELECT CAST(score AS VARCHAR) FROM {p}", "DOUBLE to VARCHAR gives something else"),
        ("SELECT span FROM {p}", "'span' of type INTERVAL is not read"),
        ("SELECT * FROM {p}", "'span' of type INTERVAL is not read"),
        ("SELECT id FROM {p} ORDER BY tags", "shown or looked into, not compared"),
        ("SELECT tags FROM {p} UNION SELECT tags FROM {p}", "shown or looked into, not compared"),
        ("SELECT at.nowhere FROM {p}", "'nowhere' is not certainly a field"),
        ("SELECT count(*) FROM {p} GROUP BY ROLLUP (id + 1)", "take columns"),
        ("SELECT count(*) FROM {p}, unnest(at) AS u(x)", "unnest takes a list of plain values"),
        ("SELECT j FROM range(100000) g(j), {p}", "makes from 1 to 10,000 rows"),
        ("SELECT * FROM (PIVOT {p} ON id IN (1) USING count(*) GROUP BY region)", "PIVOT was tried with texts alone"),
        ("SELECT DISTINCT ON (region) id FROM {p}", "DISTINCT ON was not tried"),
        ("SELECT id FROM {p} ASOF JOIN {p} b USING (day)", "METHOD was not tried"),
        ("SELECT id FROM {p} USING SAMPLE 3", "SAMPLE was not tried"),
        ("SELECT approx_quantile(id, 0.5) FROM {p}", "approximates in its own way.* — count exactly"),
        ("SELECT string_agg(region, ',') FROM {p}", "joins texts, in an order"),
        ("SELECT median(cost) FROM {p}", "of integers or DOUBLEs"),
        ("SELECT any_value(id) FROM {p}", "which row it takes"),
        ("SELECT regexp_matches(region, '\\ba') FROM {p}", "not certainly matched alike"),
        ("SELECT regexp_replace(region, 'a*', 'b', 'g') FROM {p}", "in all places"),
        ("SELECT current_date FROM {p}", "the engines' clocks may differ"),
        ("SELECT list_sum([id]) FROM {p}", "ARRAY was not tried"),
        ("SELECT replace(region, '', 'x') FROM {p}", "literal that is not empty"),
        ("SELECT substr(region, -2) FROM {p}", "from 1 on"),
        ("WITH RECURSIVE t AS (SELECT id FROM {p} UNION SELECT id FROM t) SELECT id FROM t", "RECURSIVE was not tried"),
        ("SELECT id FROM {p} WHERE score IN (SELECT score FROM {p})", "IN between DOUBLEs"),
        ("SELECT a.id FROM {p} a RIGHT JOIN {p} b USING (id)", "USING in a RIGHT JOIN"),
    ],
)
def test_what_was_not_tried_is_refused_by_name_with_the_mend(sql: str, why: str) -> None:
    with pytest.raises(QueryRejectedError, match=f"on Trino .*{why}"):
        translated(sql.format(p=PRODUCT), ["BIGINT"])


def _branches(when: str, then: str = "{n}") -> str:
    return " ".join(f"WHEN {when.format(n=n)} THEN {then.format(n=n)}" for n in [*range(200), 7])


@pytest.mark.parametrize(
    ("sql", "part"),
    [
        (f"CASE {_branches('id = {n}')} ELSE -1 END", '199]), "r0"."c0"), (-1))'),
        (f"CASE id {_branches('{n}')} END", '199]), "r0"."c0")'),
        (f"CASE {_branches(chr(39).join(['region = ', 'v{n}', '']), '{n}')} ELSE -1 END", "'v199'], ARRAY[0, 1, 2"),
    ],
)
def test_a_case_too_long_for_trinos_compiler_is_looked_up(sql: str, part: str) -> None:
    text = translated(f"SELECT {sql} AS x FROM events.clicks", ["INTEGER"]).text
    assert "element_at(map(ARRAY[" in text and "CASE" not in text
    assert part in text, text
    assert text.count("7,") < 200, "the first of two branches for one value holds"


@pytest.mark.parametrize("when", ["score = {n}", "cost = {n}", "id > {n}", "id = {n} + id", "id + 1 = {n} OR id = 2"])
def test_a_long_case_of_anything_else_is_refused(when: str) -> None:
    with pytest.raises(QueryRejectedError, match="a CASE of over 200 branches"):
        translated(f"SELECT CASE {_branches(when)} ELSE -1 END AS x FROM events.clicks", ["INTEGER"])


@pytest.mark.parametrize("then", ["id", "NULL"])
def test_a_long_case_that_gives_no_literal_is_refused(then: str) -> None:
    with pytest.raises(QueryRejectedError, match="a CASE of over 200 branches"):
        translated(f"SELECT CASE id {_branches('{n}', then)} ELSE 1 END AS x FROM events.clicks", ["BIGINT"])


@pytest.mark.parametrize(
    ("given", "written"),
    [
        ("^a.b$", r"\A" "a[^\\n]b" r"\z"),
        (r"\d{4}-\w+", r"[0-9]{4}-[0-9A-Za-z_]+"),
        (r"[^\]a-z.]", r"[^\]a-z\.]"),
        ("(?:ab)?(c|d)*?", "(?:ab)?(c|d)*?"),
        ("é+🎈", "é+🎈"),
    ],
)
def test_a_regular_expression_is_written_anew_for_trino(given: str, written: str) -> None:
    assert pattern(given, exp.Null()).text == written


UNALIKE = [
    r"\bx",
    "(?i)a",
    "a++",
    "a**",
    "(a*)*",
    "(a+)+",
    "(a|)+",
    "a{2,1}",
    "[[:alpha:]]",
    "(a",
    "a)",
    "[a",
    "[z-a]",
    r"\1",
    r"\pL",
    "*",
]


@pytest.mark.parametrize("given", [*UNALIKE, "(?=a)", "(?<n>a)", "a{,3}", "x{1000}", "{", "\\", "[a-z&&[b]]", "^*"])
def test_a_regular_expression_that_may_be_matched_apart_is_refused(given: str) -> None:
    with pytest.raises(QueryRejectedError, match="not certainly matched alike"):
        pattern(given, exp.Null())


def test_qualify_keeps_rows_of_a_query_within() -> None:
    made = translated(
        "SELECT id FROM events.clicks QUALIFY rank() OVER (ORDER BY day) = 1 ORDER BY cost", ["BIGINT"]
    ).text
    assert made.endswith('WHERE "r2"."q" ORDER BY "r2"."o0" ASC')


def test_a_refusal_tells_nothing_of_a_rule() -> None:
    hidden = View(grant="g", rules=(RowRule(text="r", bound="span IS NULL", source="s"),))
    with pytest.raises(QueryRejectedError) as refused:
        translated("SELECT id FROM events.clicks", ["BIGINT"], hidden)
    assert "span" not in str(refused.value)


def test_another_type_than_duckdb_found_is_refused() -> None:
    with pytest.raises(QueryRejectedError, match="found to be BIGINT, and by DuckDB VARCHAR"):
        translated("SELECT id FROM events.clicks", ["VARCHAR"])


def test_parameters_are_written_as_values() -> None:
    made = translated("SELECT id FROM events.clicks WHERE region = $r", ["BIGINT"], parameters={"r": "it's"})
    assert "= 'it''s'" in made.text


def test_the_lists_name_reviewed_functions_only() -> None:
    named = {each.name for each in SAME} | OWN | AGGREGATES | WINDOWS
    assert named - REVIEWED == {"extract"}
