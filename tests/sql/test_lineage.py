"""Where columns come from: direct, passed through or transformed, indirect; and unknown rather than guessed."""

import pytest

from mesh_defs.sql.lineage import column_lineage
from tests.sql.world import answer, statements, truth, types

COLUMNS = {"a.t": {"x": "BIGINT", "y": "BIGINT", "k": "BIGINT"}, "b.u": {"k": "BIGINT", "z": "VARCHAR"}}


def direct(sql: str) -> dict[str, list[str]]:
    lineage = column_lineage(sql, COLUMNS)
    assert lineage.unknown is None, lineage.unknown
    return {
        column: [f"{s.product}.{s.column}{'' if s.how == 'identity' else '*'}" for s in sorted(sources)]
        for column, sources in lineage.columns.items()
    }


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT x FROM a.t", {"x": ["a.t.x"]}),
        ("SELECT x AS w, x + y AS s FROM a.t", {"w": ["a.t.x"], "s": ["a.t.x*", "a.t.y*"]}),
        ("SELECT * EXCLUDE (y) FROM a.t", {"x": ["a.t.x"], "k": ["a.t.k"]}),
        ("WITH c AS (SELECT x AS w FROM a.t) SELECT w FROM c", {"w": ["a.t.x"]}),
        ("SELECT z, count(*) AS n FROM a.t JOIN b.u USING (k) GROUP BY z", {"z": ["b.u.z"], "n": []}),
        ("SELECT x FROM a.t UNION ALL SELECT y FROM a.t", {"x": ["a.t.x", "a.t.y"]}),
        ("SELECT (SELECT max(z) FROM b.u WHERE u.k = t.k) AS m FROM a.t", {"m": ["b.u.z*"]}),
    ],
)
def test_traces_columns_to_their_sources(sql: str, expected: dict[str, list[str]]) -> None:
    found = direct(sql)
    assert {name: found[name] for name in expected} == expected


def test_union_by_name_goes_by_name() -> None:
    assert direct("SELECT x, y FROM a.t UNION ALL BY NAME SELECT y, x FROM a.t") == {"x": ["a.t.x"], "y": ["a.t.y"]}


def test_what_only_decides_which_rows_there_are_is_indirect() -> None:
    lineage = column_lineage("SELECT x FROM a.t WHERE y > 1 AND EXISTS (SELECT 1 FROM b.u WHERE u.k = t.k)", COLUMNS)
    assert {"a.t.y", "b.u.k", "a.t.k"} <= set(lineage.indirect)
    assert "a.t.x" not in lineage.indirect


@pytest.mark.parametrize("sql", ["SELECT nope FROM a.t", "SELECT x FROM c.unknown"])
def test_an_unknown_name_makes_the_lineage_unknown(sql: str) -> None:
    lineage = column_lineage(sql, COLUMNS)
    assert lineage.unknown
    assert lineage.columns == {}


@pytest.mark.parametrize("sql", statements("equal.sql"))
def test_names_the_columns_that_duckdb_names_or_says_that_it_does_not_know(sql: str) -> None:
    lineage = column_lineage(sql, types())
    if lineage.unknown is None:
        assert sorted(map(str.lower, lineage.columns)) == sorted({name.lower() for name in answer(truth(), sql)[0]})
