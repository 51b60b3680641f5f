"""What passes from an asker's words to the rewriter, and what an asker is told when it does not."""

import pytest

from mesh_defs.errors import QueryRejectedError
from mesh_defs.sql.parse import parse_product, parse_select
from tests.sql.world import statements


def test_names_products_once_in_the_order_of_the_text_and_in_lower_case() -> None:
    sql = """
        WITH late AS (SELECT 1 FROM c.d)
        SELECT (SELECT max(x) FROM e.f), g.x FROM A.B AS g JOIN "C"."d" USING (x), late
        WHERE EXISTS (FROM a."B") ORDER BY (SELECT 1 FROM h.i)"""
    assert parse_select(sql).products == ("c.d", "e.f", "a.b", "h.i")


def test_names_parameters_once() -> None:
    assert parse_select("SELECT $b, $a FROM x.y WHERE z = $b").parameters == ("b", "a")


def test_takes_a_colon_in_brackets_for_a_slice_and_not_for_a_parameter() -> None:
    assert parse_select("SELECT l[:n], l[n:], l[1:n] FROM x.y").parameters == ()


@pytest.mark.parametrize("sql", statements("refused.sql"))
def test_refuses_and_says_how_to_mend_it(sql: str) -> None:
    with pytest.raises(QueryRejectedError) as refused:
        parse_select(sql)
    assert refused.value.what and refused.value.fix
    assert len(str(refused.value)) < 250, "a message repeats no more than a snippet of the asker's text"
    assert "sqlglot" not in str(refused.value) and "exp." not in str(refused.value)


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        (
            "DROP TABLE a.b",
            "line 1, column 1: 'DROP' does not begin a SELECT — the door only reads: publish a product",
        ),
        ("SELECT 1;\nSELECT 2", "line 1, column 9: the SQL holds more than one statement — send one SELECT at a time"),
        (
            "SELECT *\nFROM impressions",
            "line 2, column 6: there is no WITH 'impressions' here — name a product in full: domain.impressions",
        ),
        (
            'SELECT * FROM "events.impressions"',
            """'events.impressions' is one quoted name — quote each part on its own: "domain"."product\"""",
        ),
        (
            "FROM 'a/b.parquet'",
            "'a/b.parquet' is a file or an address — read products: domain.product",
        ),
        ("FROM a.b.c", "line 1, column 10: 'a.b.c' has three parts or more — name a product with two: domain.product"),
        (
            "SELECT getenv('X')",
            "line 1, column 8: the function getenv is refused: it reads outside the query — leave it out",
        ),
        (
            "SELECT a,\n  sumn(b) FROM x.y",
            "line 2, column 3: there is no reviewed function 'sumn' — did you mean 'sum'?",
        ),
        (
            "SELECT\n list_aggregate(a, 'error') FROM x.y",
            "line 2, column 2: list_aggregate(…) names no reviewed aggregate — write one out: list_aggregate(values, 'sum')",
        ),
        (
            'SELECT from_json(a, \'{"b": "mood"}\') FROM x.y',
            "from_json(…) names a type that DuckDB does not know — write from_json(value, '[\"INTEGER\"]')",
        ),
        (
            "SELECT * FROM sales.orders\u200b",
            "line 1, column 21: 'sales.orders\\u200b' is not a product's name — name it domain.product: letters, digits and _",
        ),
        (
            "FROM x.y WITH ORDINALITY",
            "'y' has no order to number — leave WITH ORDINALITY out, or use row_number() OVER (…)",
        ),
        (
            "SELECT 1,\n  'it",
            "line 2, column 3: the SQL ends inside a quotation or a comment",
        ),
        (
            "SELECT current_schema",
            "current_schema may be a question about the engine — if it is a column, write product.current_schema",
        ),
        (
            "FROM read_csv('x')",
            "read_csv(…) is not a product — read products, or generate_series, json_each, json_tree, range, unnest",
        ),
        ("SELECT a ~ b || c FROM x.y", "DuckDB groups these operators otherwise than it looks — put brackets"),
        ("PIVOT a.b ON c USING sum(d)", "this PIVOT does not list its values — list them: ON column IN ('a', 'b')"),
        ("SELECT (1", "the SQL cannot be read near '1' — expecting ) there"),
        ("SELECT main.secrets(1)", "line 1, column 13: there is no reviewed function 'secrets'"),
        ("SELECT $1", "the parameter $1 has no name — write $name for a parameter"),
        ("SELECT ?", "the SQL holds a ? or :name parameter — write $name for a parameter"),
    ],
)
def test_says_what_where_and_how_to_mend_it(sql: str, message: str) -> None:
    with pytest.raises(QueryRejectedError) as refused:
        parse_select(sql)
    assert message in str(refused.value)


def test_repeats_no_more_than_a_snippet_of_the_text() -> None:
    with pytest.raises(QueryRejectedError) as refused:
        parse_select(f"SELECT * FROM {'x' * 50_000}")
    assert len(str(refused.value)) < 200


def test_keeps_with_names_to_where_the_engine_sees_them() -> None:
    nested = """
        WITH a AS (SELECT 1 x) SELECT (SELECT x FROM a), l.x FROM (WITH a AS (SELECT * FROM a) FROM a) l, LATERAL (FROM a) m"""
    recursive = "WITH RECURSIVE r AS (SELECT 1 n UNION ALL (WITH q AS (FROM r) SELECT n + 1 FROM q)) FROM r"
    both_sides = "WITH a AS (SELECT 1 x) FROM a UNION ALL FROM A"
    assert [parse_select(sql).products for sql in (nested, recursive, both_sides)] == [(), (), ()]


def test_lets_a_with_shadow_nothing_of_two_parts() -> None:
    assert parse_select("WITH b AS (SELECT 1) SELECT * FROM a.b").products == ("a.b",)


def test_lets_a_sql_product_use_its_window_and_no_other_parameter() -> None:
    assert parse_product("SELECT x FROM a.b WHERE t >= $window_start AND t < $window_end").products == ("a.b",)
    with pytest.raises(QueryRejectedError, match=r"\$region is not known when a product is made"):
        parse_product("SELECT x FROM a.b WHERE r = $region")


def test_forgets_comments_and_reads_them_as_nothing() -> None:
    assert parse_select("/* FROM x.y */ SELECT 1 -- FROM z.w\n FROM /**/ a./* */b").products == ("a.b",)
    assert parse_select("SELECT '/*', a FROM a.b WHERE '*/' = '*/' -- '").products == ("a.b",)
