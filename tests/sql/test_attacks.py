"""What no corpus holds: attacks of our own. Each is refused, or answered with nothing that a rule hides."""

import re

import duckdb
import pytest

from mesh_defs.errors import MeshError, QueryRejectedError
from mesh_defs.model.access import Mask, RowRule, View
from mesh_defs.sql.rewrite import govern
from mesh_defs.sql.statements import parse_statement
from tests.sql.world import a_pin, statements

TYPES = {"order_id": "BIGINT", "region": "VARCHAR", "person_id": "VARCHAR", "amount": "BIGINT", "note": "VARCHAR"}
TYPES["secret"] = "VARCHAR"
PIN = a_pin("sales.orders", TYPES)
RULE = RowRule(source="grant 'eu'", text="region = 'EU'", bound="region = 'EU'")
VIEW = View(grant="eu", rules=(RULE,), masks={"person_id": Mask(kind="null"), "secret": Mask(kind="deny")})
HIDDEN = re.compile(r"NOTE-US|NOTE-APAC|PID-\d|LEAK|SECRET|base\.main|memory\.")
# Never the same twice, whatever is hidden.
RESTLESS = re.compile(r"random|uuid|sample|local|current_|now\(")


def characters(line: str) -> str:
    """A line with \\uXXXX, \\n and \\r as the characters that they stand for, but where the backslash is the attack."""
    if re.search(r"[eEnN]'|U&|geten|\\x27", line):
        return line
    return re.sub(r"\\(?:u[0-9a-f]{4}|n|r|x0b)", lambda found: found.group().encode().decode("unicode_escape"), line)


def an_engine(hidden: str, times: int) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(config={"threads": 1})
    connection.execute("SET disabled_optimizers = 'statistics_propagation'")
    connection.execute("ATTACH ':memory:' AS base")
    seen = (
        "i AS order_id, 'EU' AS region, 'PID-' || i || $h AS person_id, i * 7 % 100 AS amount, 'NOTE-EU-' || i AS note"
    )
    unseen = (
        f"{hidden} AS order_id, 'US' AS region, 'PID-' || i, {hidden} AS amount, 'NOTE-US-' || {hidden} || $h AS note"
    )
    connection.execute(
        f"CREATE TABLE base.main.orders AS SELECT {seen}, 'SECRET' || $h AS secret FROM range(1, 11) t(i) "
        f"UNION ALL SELECT {unseen}, 'SECRET' FROM range(1, {10 * times}) t(i) ORDER BY amount",
        {"h": hidden},
    )
    connection.execute("CREATE TABLE base.main.salaries AS SELECT 'LEAKHIDDEN' AS who")
    connection.execute("CREATE SEQUENCE base.main.sq")
    for schema in ("main", "base.main"):
        connection.execute(f"CREATE MACRO {schema}.mac(x) AS x || 'LEAKMAC'")
        connection.execute(f"CREATE TYPE {schema}.mood AS ENUM ('LEAKENUM')")
    connection.execute(f"CREATE VIEW {PIN.relation} AS FROM base.main.orders")
    return connection


@pytest.mark.parametrize("line", statements("attacks_refused.sql"))
def test_refuses_and_says_why(line: str) -> None:
    with pytest.raises(QueryRejectedError) as refused:
        parse_statement(characters(line))
    assert refused.value.fix and len(str(refused.value)) < 300
    assert str(refused.value).isprintable()


@pytest.fixture(scope="module")
def pair() -> list[duckdb.DuckDBPyConnection]:
    """Two databases that differ in nothing but hidden rows and values."""
    return [an_engine("i", 1), an_engine("i * 1000", 40)]


@pytest.mark.parametrize("line", statements("attacks_harmless.sql"))
def test_shows_nothing_hidden(line: str, pair: list[duckdb.DuckDBPyConnection]) -> None:
    sql = characters(line)
    outcomes = [outcome(sql, engine) for engine in pair]
    assert [found for text in outcomes for found in HIDDEN.findall(text) if found not in sql] == []
    assert RESTLESS.search(sql) or outcomes[0] == outcomes[1]


def outcome(sql: str, engine: duckdb.DuckDBPyConnection) -> str:
    """Names and rows, or the error, as the asker would get them from an engine that hides nothing itself."""
    statement = parse_statement(sql).select
    if set(statement.products) - {"sales.orders"}:
        return "not found or not permitted"
    try:
        governed = govern(statement, {"sales.orders": PIN}, {"sales.orders": VIEW})
        cursor = engine.execute(governed.text, dict.fromkeys(statement.parameters, 1) or None)
        return repr([column[0] for column in cursor.description]) + repr(cursor.fetchall())
    except MeshError as error:
        return str(error)
    except duckdb.Error as error:
        return str(error).partition("\n")[0]


def test_no_file_of_attacks_is_empty() -> None:
    assert len(statements("attacks_refused.sql")) > 300
    assert len(statements("attacks_harmless.sql")) > 100
