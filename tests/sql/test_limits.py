"""A hostile text is refused in time: no RecursionError, no crash, no hang."""

import pytest

from mesh_defs.errors import QueryRejectedError
from mesh_defs.model.access import View
from mesh_defs.sql import limits
from mesh_defs.sql.lineage import column_lineage
from mesh_defs.sql.parse import parse_select
from mesh_defs.sql.rewrite import govern
from tests.sql.world import a_pin

# What grows faster than the text would take minutes at this length.
CHARACTERS = 40_000

NESTS = {
    "brackets": ("SELECT ", "(", "1", ")"),
    "lists": ("SELECT ", "[", "1", "]"),
    "structs": ("SELECT ", "{'a': ", "1", "}"),
    "calls": ("SELECT ", "f(x -> ", "1", ")"),
    "type or call": ("SELECT ", "date(", "1", ")"),
    "array or type": ("SELECT ", "array[", "1", "]"),
    "subqueries": ("SELECT ", "(SELECT ", "1", ")"),
    "cases": ("SELECT ", "CASE WHEN ", "1", " THEN 1 END"),
    "nots": ("SELECT ", "NOT ", "1", ""),
    "minuses": ("SELECT ", "- ", "1", ""),
    "intervals": ("SELECT ", "INTERVAL ", "'1' day", ""),
    "joins": ("SELECT * FROM ", "(a.b JOIN ", "a.b", ")"),
    "froms": ("", "FROM ", "a.b", ""),
    "pivots": ("SELECT * FROM ", "(PIVOT ", "a.b", " ON x IN (1))"),
    "types": ("SELECT NULL::", "STRUCT(a ", "INT", ")"),
    "withs": ("", "WITH a AS (", "SELECT 1", ") SELECT 1"),
}
CHAINS = {
    "sums": ("SELECT 1", " + 1"),
    "powers": ("SELECT 1", " ** 1"),
    "ands": ("SELECT 1", " AND 1"),
    "casts": ("SELECT 1", "::INT"),
    "dots": ("SELECT a", ".a"),
    "subscripts": ("SELECT a", "[1]"),
    "methods": ("SELECT a", ".f()"),
    "method calls side by side": ("SELECT a", ", a.f()"),
    "short chains side by side": ("SELECT a", ", a" + "[1]" * 31),
    "arrows": ("SELECT a", " -> 'a'"),
    "lambdas": ("SELECT x", " -> x"),
    "ins": ("SELECT 1", " IN (1)"),
    "betweens": ("SELECT 1", " BETWEEN 1 AND 1"),
    "unions": ("SELECT 1", " UNION SELECT 1"),
    "commas": ("SELECT 1 FROM a.b", ", a.b"),
    "nested joins": ("SELECT 1 FROM a.b", " JOIN a.b"),
    "qualified columns": ("FROM a.b SELECT 1", ", a.b.c"),
    "pivots": ("SELECT 1 FROM a.b", " PIVOT (sum(a) FOR b IN (1))"),
    "comments": ("SELECT 1 ", "/*"),
    "dollars": ("SELECT 1", ", $a"),
    "quotes": ("SELECT 1 ", "\"'"),
}


def _survives(sql: str) -> None:
    columns = {"a.b": {f"c{number}": "INTEGER" for number in range(50)}}
    try:
        statement = parse_select(sql)
        govern(statement, {"a.b": a_pin("a.b", columns["a.b"])}, {"a.b": View(grant="g")})
        column_lineage(sql, columns)
    except QueryRejectedError as refused:
        assert len(str(refused)) < 250


@pytest.mark.parametrize("depth", [8, 60, 9_000])
@pytest.mark.parametrize("nest", NESTS)
def test_survives_nests(nest: str, depth: int) -> None:
    before, opening, inside, closing = NESTS[nest]
    _survives((before + opening * depth + inside + closing * depth)[: limits.CHARACTERS_MAX])


@pytest.mark.parametrize("chain", CHAINS)
def test_survives_chains(chain: str) -> None:
    start, link = CHAINS[chain]
    _survives(start + link * (CHARACTERS // len(link)))


def test_lets_ordinary_depth_pass() -> None:
    depth = limits.DEPTH_MAX - 3
    assert parse_select(f"SELECT {'(' * depth}1{')' * depth} FROM a.b").products == ("a.b",)
    assert parse_select(f"SELECT {' + '.join('abc' * 300)} FROM a.b").products == ("a.b",)
    assert parse_select("SELECT date(date(date('2026-01-01'))), row(row(row(1)))").products == ()


def test_refuses_a_text_that_is_too_long() -> None:
    with pytest.raises(QueryRejectedError, match="the limit is 100,000"):
        parse_select("SELECT " + "1" * limits.CHARACTERS_MAX)


@pytest.mark.parametrize("character", ["\x00", "\x01", "\x1b", "\ud800", "\x7f"])
def test_refuses_characters_that_cannot_be_sent(character: str) -> None:
    with pytest.raises(QueryRejectedError, match="control character"):
        parse_select(f"SELECT 'a{character}b'")
