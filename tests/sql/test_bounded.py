"""What costs about the same on every row may run beside a rule; all else may not."""

from decimal import Decimal
from typing import Any

import duckdb
import pytest

from mesh_defs.sql.bounded import CHARACTERS_MAX, OPERATIONS_MAX, is_bounded
from mesh_defs.sql.functions import BOUNDED, REVIEWED, TABLE
from mesh_defs.sql.parse import parse_select
from mesh_defs.sql.tree import reread
from mesh_defs.storage.extensions import load_extension

ORDINARY = [
    "SELECT region, count(*), sum(amount * (1 - 0.2)) FROM a.b WHERE day BETWEEN DATE '2026-01-01' AND now() GROUP BY ALL",
    "SELECT upper(left(region, 2)), note::INTEGER, try_cast(note AS DECIMAL(9, 2)) FROM a.b WHERE note IS NOT NULL",
    "SELECT * FROM a.b WHERE note LIKE '%special%requests%' OR note ILIKE '%x%' OR region IN ('EU', 'US')",
    "SELECT rank() OVER (PARTITION BY region ORDER BY amount) FROM a.b QUALIFY lag(amount) OVER (ORDER BY day) > 3",
    "WITH w AS (SELECT max(day) AS day FROM a.b) SELECT * FROM a.b JOIN w USING (day) WHERE EXISTS (SELECT 1 FROM a.c)",
    "SELECT count(*) FROM a.b JOIN range(1000000000) AS r(n) ON r.n = id WHERE CASE WHEN id > 3 THEN true END",
    "SELECT * FROM a.b WHERE region = $region AND amount > $most",
]
DEAR = [
    "SELECT * FROM a.b WHERE list_transform([note], lambda n: levenshtein(n, 'x')) <> [7]",
    "SELECT * FROM a.b WHERE length(repeat(note, 2000000)) = 3",
    "SELECT * FROM a.b WHERE levenshtein(note, note) = 3",
    "SELECT * FROM (SELECT note || note AS n FROM a.b) AS x WHERE length(n) > 3",
    "SELECT * FROM a.b WHERE len(range(CASE WHEN region = 'US' THEN 100000000 ELSE 1 END)) > 3",
    "SELECT * FROM a.b WHERE len(generate_series(1, id)) > 3",
    "SELECT * FROM a.b WHERE note LIKE '%_%a%b%c'",
    "SELECT * FROM a.b WHERE note ILIKE '%a%b%c%'",
    "SELECT * FROM a.b WHERE note LIKE region",
    "SELECT * FROM a.b WHERE note LIKE $region",
    "SELECT * FROM a.b WHERE note SIMILAR TO '(a|b)*c'",
    "SELECT * FROM a.b WHERE note GLOB '*a*b*c*d*e'",
    "SELECT * FROM a.b WHERE regexp_matches(note, '(a+)+')",
    "SELECT * FROM a.b WHERE note::BLOB::BIT::VARCHAR <> 'x'",
    "SELECT * FROM a.b WHERE id::BIGNUM * id::BIGNUM > 3",
    "SELECT * FROM a.b WHERE note::INTEGER[] = []",
    "SELECT * FROM a.b WHERE [x * 2 FOR x IN tags] = [7]",
    "SELECT * FROM a.b WHERE note.levenshtein(region) = 3",
    "SELECT * FROM a.b WHERE replace(note, 'a', 'aaaaaaaaaaaaaaaaaaaaaa') = 'x'",
    "SELECT * FROM a.b WHERE (payload -> '$.a') = '1'",
    "SELECT COLUMNS('^(a+)+$') FROM a.b",
    f"SELECT * FROM a.b WHERE region = '{'x' * (CHARACTERS_MAX + 1)}'",
    f"SELECT * FROM a.b WHERE {' + '.join(['id'] * (OPERATIONS_MAX + 2))} > 3",
]


def bounded(sql: str, **parameters: Any) -> bool:
    return is_bounded(parse_select(sql).tree, parameters)


@pytest.mark.parametrize("sql", ORDINARY)
def test_an_ordinary_question_is_bounded(sql: str) -> None:
    assert bounded(sql, region="EU", most=Decimal("3.5"))


@pytest.mark.parametrize("sql", DEAR)
def test_what_may_be_dear_on_one_row_is_not(sql: str) -> None:
    assert not bounded(sql)


@pytest.mark.parametrize("value", ["x" * (CHARACTERS_MAX + 1), b"x" * (CHARACTERS_MAX + 1), ["x"], {"a": 1}])
def test_nor_is_a_long_or_nested_value(value: Any) -> None:
    assert not bounded("SELECT * FROM a.b WHERE region = $p", p=value)


def test_tpc_h_is_bounded() -> None:
    with duckdb.connect() as connection:
        load_extension(connection, "tpch")
        queries = dict(connection.execute("SELECT query_nr, query FROM tpch_queries()").fetchall())
    assert len(queries) == 22
    assert [number for number, sql in queries.items() if not is_bounded(reread(sql.rstrip().rstrip(";")), {})] == []


def test_the_bounded_functions_are_reviewed_ones_that_give_no_list() -> None:
    """What gives a list or a struct can be grown by what takes one."""
    assert BOUNDED <= REVIEWED - TABLE
    with duckdb.connect() as connection:
        growing = connection.execute(
            "SELECT DISTINCT lower(function_name) FROM duckdb_functions() WHERE function_type = 'scalar' "
            "AND regexp_matches(return_type, '\\[|MAP|STRUCT')"
        ).fetchall()
    # Only when they are given a list of parts.
    assert {name for (name,) in growing} & BOUNDED == {"date_part", "datepart"}
