"""The reviewed functions, compared with those of the engine that runs."""

import json
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import mesh_defs.sql
from mesh_defs.errors import QueryRejectedError
from mesh_defs.sql.functions import REVIEWED, SYNTAX, TABLE, refusal
from mesh_defs.sql.parse import parse_select
from tests.sql.world import governed, statements, truth

LISTS: dict[str, list[dict[str, str]]] = tomllib.loads(
    (Path(mesh_defs.sql.__path__[0]) / "functions.toml").read_text("utf-8")
)
# The parser's own: `duckdb_functions()` does not know them.
GRAMMAR = {name for group in LISTS["reviewed"] if group["group"] == "grammar" for name in group["names"].split()}
# Constant text, no row's value: "json_group_object key cannot be NULL".
FIXED_ERROR = {"json_group_object": {"error"}}

CALLS = (
    *("{0}(x)", '"{0}"(x)', "main.{0}(x)", "system.main.{0}(x)", "pg_catalog.{0}(x)", "x.{0}()", "('a').{0}()"),
    *("x.y.{0}(1)", "list_transform([1], lambda i: {0}(i))", "[{0}(i) for i in [1]]", "{0}(x) OVER ()"),
    *("{0}(DISTINCT x ORDER BY x) FILTER (WHERE true)", "{{'a': {0}(x)}}", "CASE WHEN {0}(x) THEN 1 END"),
    *("list_aggr([1], '{0}')", "[1].list_aggr('{0}')", "try({0}(x))", "{0}(x).upper()", "(select {0}(x))[1]"),
)


def engine_functions(*kinds: str) -> dict[str, str]:
    rows = truth().execute(
        "SELECT lower(function_name), max(macro_definition) FROM duckdb_functions() "
        "WHERE function_type IN (SELECT unnest(?)) GROUP BY 1",
        [list(kinds)],
    )
    return {str(name): str(body or "") for name, body in rows.fetchall()}


def names_of(kind: str) -> list[str]:
    return [name for group in LISTS[kind] for name in group["names"].split()]


def calls(sql: str) -> set[str]:
    """The functions that the engine's parser finds in a text, and each schema that is named with one."""
    [told] = truth().execute("SELECT json_serialize_sql(?)", [sql]).fetchone() or ("",)
    tree = json.loads(told)
    assert not tree["error"], (sql, tree)
    found: set[str] = set()
    pending: list[Any] = [tree["statements"]]
    while pending:
        node = pending.pop()
        if isinstance(node, dict):
            if node.get("class") in ("FUNCTION", "WINDOW"):
                assert (node.get("schema") or "main", node.get("catalog") or "") == ("main", ""), (sql, node)
                found.add(node["function_name"].lower())
            pending.extend(node.values())
        elif isinstance(node, list):
            pending.extend(node)
    return found


def test_every_function_of_the_engine_is_reviewed_or_refused_with_a_reason() -> None:
    in_select = engine_functions("scalar", "aggregate", "macro")
    unjudged = {name for name in in_select if name not in REVIEWED | SYNTAX and refusal(name) is None}
    refused_tables = set(names_of("refused_table"))
    from_rows = engine_functions("table", "table_macro")
    unjudged |= {name for name in from_rows if name not in TABLE | refused_tables and refusal(name) is None}
    assert unjudged == set(), "this DuckDB has functions that nobody has reviewed: put them into functions.toml"


def test_no_listed_function_is_unknown_to_the_engine() -> None:
    in_select = engine_functions("scalar", "aggregate", "macro", "table")
    assert in_select.keys() >= (REVIEWED | SYNTAX) - GRAMMAR
    assert engine_functions("table").keys() >= TABLE
    assert not GRAMMAR & engine_functions("scalar", "aggregate", "macro").keys()


def test_no_function_is_listed_twice_or_both_reviewed_and_refused() -> None:
    assert [name for name, times in Counter(names_of("reviewed") + names_of("syntax")).items() if times > 1] == []
    assert {name for name in REVIEWED | SYNTAX | TABLE if refusal(name)} == set()
    assert all(name == name.lower() for name in REVIEWED | SYNTAX | TABLE)


def test_only_refusals_are_patterns() -> None:
    assert not [name for kind in ("reviewed", "table") for name in names_of(kind) if not name.isidentifier()]


def test_every_group_argues_why_it_is_safe() -> None:
    assert [group["group"] for groups in LISTS.values() for group in groups if len(group["why"].split()) < 4] == []


def test_a_reviewed_macro_calls_only_reviewed_functions() -> None:
    macros = {name: body for name, body in engine_functions("macro").items() if name in REVIEWED}
    assert macros
    beyond = {name: calls(f"SELECT {body}") - REVIEWED - SYNTAX for name, body in macros.items()}
    assert {name: found for name, found in beyond.items() if found} == FIXED_ERROR


def test_what_runs_calls_only_what_is_listed() -> None:
    """The second check, by the engine's own parser, wants the same names as the first."""
    found = set().union(*(calls(governed(sql).text) for sql in statements("equal.sql")))
    assert found - REVIEWED - SYNTAX - TABLE == set()
    assert SYNTAX - found == {"!~~*", "**", "^", "^@", "unpivot_list"}, "listed, and no statement shows what for"


@pytest.mark.parametrize(
    "name", sorted({*engine_functions("pragma"), *engine_functions("table", "table_macro")} - TABLE)
)
def test_no_other_table_function_stands_where_rows_come_from(name: str) -> None:
    for sql in (f"SELECT * FROM {name}('x')", f"FROM a.b, {name}(x)", f"FROM a.b, LATERAL {name}(x)", f"FROM {name}()"):
        with pytest.raises(QueryRejectedError):
            parse_select(sql)


@pytest.mark.parametrize(
    "name", sorted(engine_functions("scalar", "aggregate", "macro", "table", "pragma").keys() - REVIEWED - TABLE)
)
def test_no_refused_function_passes_in_any_form(name: str) -> None:
    word = name if name.isidentifier() else '"' + name + '"'
    for form in CALLS:
        with pytest.raises(QueryRejectedError):
            parse_select(f"SELECT {form.format(word)} FROM a.b")
