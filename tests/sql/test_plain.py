"""Which texts are plain queries to a Trino: what its lexer reads first decides, whatever stands around it. No server."""

import pytest

from mesh_defs.sql.translation.plain import is_plain


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 1",
        "select*from t",
        "\n\t(SELECT 1) UNION (SELECT 2)",
        "((VALUES 1))",
        "WITH x AS (SELECT 1) TABLE x",
        "TABLE x",
        "VALUES 1",
        "-- EXPLAIN ANALYZE\rSELECT 1",
        "/* EXPLAIN */ /**/ -- x\n SELECT 1 /* */",
        "SELECT 'EXPLAIN ANALYZE'",
        "EXECUTE IMMEDIATE 'SELECT ?, ''it''''s''' USING 'EXPLAIN ANALYZE'",
        "execute/**/immediate\n'/* x */(select 1)'",
    ],
)
def test_a_query_is_plain(text: str) -> None:
    assert is_plain(text)


@pytest.mark.parametrize(
    "text",
    [
        "EXPLAIN ANALYZE SELECT 1",
        "explain analyze verbose select 1",
        "ExPlAıN ANALYZE SELECT 1",  # Trino folds a dotless i to I
        "EXPLAIN (TYPE IO) SELECT 1",
        "EXPLAIN/**/ANALYZE(SELECT 1)",
        "/* */ EXPLAIN ANALYZE /* */ SELECT 1",
        "/* /* */ EXPLAIN ANALYZE SELECT 1 -- */ SELECT 1",
        "/**/EXPLAIN ANALYZE SELECT 1 /*/ SELECT 1",
        "-- x\rEXPLAIN ANALYZE SELECT 1",
        "-- x\nEXPLAIN ANALYZE SELECT 1",
        "--\x85\u2028\nEXPLAIN ANALYZE SELECT 1",
        "-- \\\nEXPLAIN ANALYZE SELECT 1",
        "EXECUTE IMMEDIATE 'EXPLAIN ANALYZE SELECT 1'",
        "EXECUTE IMMEDIATE '/* '' */ EXPLAIN ANALYZE SELECT 1 /* */'",
        "EXECUTE IMMEDIATE '-- SELECT\nEXPLAIN ANALYZE SELECT 1'",
        "EXECUTE IMMEDIATE U&'\\0045XPLAIN ANALYZE SELECT 1'",
        "EXECUTE IMMEDIATE 'EXECUTE IMMEDIATE ''SELECT 1'''",
        "EXECUTE IMMEDIATE 'SELECT 1",
        "EXECUTE IMMEDIATE",
        "EXECUTE IMMEDIATE USING 'SELECT 1'",
        "EXECUTE a",
        "EXECUTE a USING 'SELECT 1'",
        "PREPARE a FROM SELECT 1",
        "DESCRIBE OUTPUT a",
        "DESCRIBE INPUT a",
        "SHOW STATS FOR t",
        "SHOW STATS FOR (SELECT 1)",
        "ANALYZE t",
        "SELECTED",
        "\ufeffSELECT 1",
        "\u00a0SELECT 1",
        "\x0bSELECT 1",
        "# x\nSELECT 1",
        "// x\nSELECT 1",
        "/* SELECT 1",
        "",
        " ",
        "--",
        ";SELECT 1",
        '"SELECT" 1',
    ],
)
def test_whatever_else_begins_is_none(text: str) -> None:
    assert not is_plain(text)


def test_a_text_of_any_length_is_read_in_one_go() -> None:
    assert not is_plain("/**/ -- x\n" * 200_000 + "EXPLAIN ANALYZE SELECT 1")
    assert not is_plain("/*" * 1_000_000)
    assert is_plain("EXECUTE IMMEDIATE 'SELECT " + "''''" * 500_000 + "'")
