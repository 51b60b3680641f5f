"""SUMMARIZE, DESCRIBE and EXPLAIN: which SELECT they are about, and that a summary is of what may be seen."""

import duckdb
import pytest

from mesh_defs.errors import QueryRejectedError
from mesh_defs.model.access import Mask, RowRule, View
from mesh_defs.sql.rewrite import govern
from mesh_defs.sql.statements import parse_statement
from tests.sql.world import a_pin

TYPES = {"id": "BIGINT", "region": "VARCHAR", "email": "VARCHAR", "price": "DOUBLE", "day": "DATE", "tags": "VARCHAR[]"}
EMPTIED = Mask(kind="null")


@pytest.mark.parametrize(
    ("sql", "kind", "products"),
    [
        ("SELECT 1", "select", ()),
        ("summarize a.b", "select", ("a.b",)),
        ("SUMMARIZE SELECT * FROM a.b", "select", ("a.b",)),
        ("DESCRIBE a.b", "describe", ("a.b",)),
        ('desc "A"."b";', "describe", ("a.b",)),
        ("SHOW a.b", "describe", ("a.b",)),
        ("/* what */ describe -- is it\n a . b", "describe", ("a.b",)),
        ("DESCRIBE SELECT c FROM a.b", "describe", ("a.b",)),
        ("DESCRIBE FROM a.b", "describe", ("a.b",)),
        ("DESCRIBE SUMMARIZE a.b", "describe", ("a.b",)),
        ("EXPLAIN SELECT * FROM a.b JOIN c.d USING (e)", "explain", ("a.b", "c.d")),
        ("explain (from a.b)", "explain", ("a.b",)),
        ("EXPLAIN WITH x AS (FROM a.b) FROM x", "explain", ("a.b",)),
        ("SELECT 'explain', describe FROM show.explain", "select", ("show.explain",)),
        ("DESCRIBE show.tables", "describe", ("show.tables",)),
    ],
)
def test_tells_what_is_asked_and_of_which_products(sql: str, kind: str, products: tuple[str, ...]) -> None:
    statement = parse_statement(sql)
    assert (statement.kind, statement.select.products) == (kind, products)


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SHOW TABLES", "line 1, column 1: SHOW does not name a product — write SHOW domain.product for one product"),
        ("show all tables", "`mesh products` lists them"),
        ("EXPLAIN\n  ANALYZE FROM a.b", "line 2, column 3: EXPLAIN takes no ANALYZE"),
        ("EXPLAIN (FORMAT json) FROM a.b", "line 1, column 10: EXPLAIN takes no FORMAT"),
        ("EXPLAIN a.b", "line 1, column 9: 'a' does not begin a SELECT"),
        ("EXPLAIN EXPLAIN FROM a.b", "'EXPLAIN' does not begin a SELECT"),
        ("EXPLAIN DELETE FROM a.b", "line 1, column 9: 'DELETE' does not begin a SELECT — the door only reads"),
        (
            "DESCRIBE orders",
            "line 1, column 10: there is no WITH 'orders' here — name a product in full: domain.orders",
        ),
        ("DESCRIBE a.b.c", "'a.b.c' has three parts or more"),
        ("DESCRIBE 'x.csv'", "line 1, column 10: 'x.csv' is one quoted name"),
        ("DESCRIBE a.b; DROP TABLE a.b", "does not begin a SELECT"),
        ("DESCRIBE SELECT 1;\n DROP TABLE a.b", "line 1, column 18: the SQL holds more than one statement"),
        ("DESCRIBE\nSELECT getenv('x')", "line 2, column 8: the function getenv is refused"),
        ("DESCRIBE", "there is no SQL to run"),
        ("COPY a.b TO 'x'", "ask with one SELECT; `mesh query --out FILE` keeps the answer"),
        ("PRAGMA table_info(error('x'))", "'PRAGMA' does not begin a SELECT — `mesh products` lists what there is"),
        ("ATTACH 'x'", "name a product, domain.product, wherever it lies"),
        ("BEGIN", "it sees all its products at one time"),
        ("PREPARE p AS SELECT 1", "write $name for a parameter"),
    ],
)
def test_refuses_the_rest_with_a_place_and_a_mend(sql: str, message: str) -> None:
    with pytest.raises(QueryRejectedError) as refused:
        parse_statement(sql)
    assert message in str(refused.value)


@pytest.fixture(scope="module")
def engine() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(config={"threads": 1})
    row = "i AS id, ['EU', 'US'][1 + i % 2] AS region, 'u' || i AS email, i * 1.5 AS price, DATE '2026-01-01' + i::INT AS day"
    connection.execute(f"CREATE TABLE stored AS SELECT {row}, ['t' || i] AS tags FROM range(20000) t(i)")
    connection.execute(f"CREATE VIEW {a_pin('sales.orders', TYPES).relation} AS FROM stored")
    connection.execute("CREATE SCHEMA sales")
    columns = "id, region, NULL::VARCHAR AS email, price, day, tags"
    connection.execute(f"CREATE TABLE sales.orders AS SELECT {columns} FROM stored WHERE region = 'EU'")
    return connection


@pytest.mark.parametrize(
    "sql",
    [
        "SUMMARIZE sales.orders",
        "SUMMARIZE SELECT * FROM sales.orders WHERE id > 500",
        "SUMMARIZE SELECT region, sum(price) AS price FROM sales.orders GROUP BY region",
        "SELECT column_name, min, max, approx_unique, q50, null_percentage FROM (SUMMARIZE sales.orders)",
        "SUMMARIZE SELECT email, upper(region) AS r FROM sales.orders",
    ],
)
def test_a_summary_is_of_what_may_be_seen(sql: str, engine: duckdb.DuckDBPyConnection) -> None:
    rule = RowRule(source="grant 'eu'", text="region = 'EU'", bound="region = 'EU'")
    view = View(grant="eu", rules=(rule,), masks={"email": EMPTIED})
    governed = govern(
        parse_statement(sql).select, {"sales.orders": a_pin("sales.orders", TYPES)}, {"sales.orders": view}
    )
    cursor = engine.execute(governed.text)
    truth = engine.cursor().execute(sql)
    assert [column[0] for column in cursor.description] == [column[0] for column in truth.description]
    assert cursor.fetchall() == truth.fetchall()
