"""Which columns of a product a question may use."""

import pytest

from mesh_defs.sql.parse import parse_select
from mesh_defs.sql.used import used_columns, used_names

COLUMNS = ("id", "region", "Amount", "day")


@pytest.mark.parametrize(
    ("sql", "used"),
    [
        ("SELECT count(*) FROM a.b", ("id",)),
        ("SELECT AMOUNT FROM a.b WHERE \"Region\" LIKE 'x'", ("region", "Amount")),
        ("SELECT sum(total) FROM (SELECT amount AS total FROM a.b) AS x ORDER BY 1", ("Amount",)),
        ("SELECT region FROM a.b JOIN a.c USING (id)", ("id", "region")),
    ],
)
def test_only_what_is_named_is_used(sql: str, used: tuple[str, ...]) -> None:
    assert used_columns(used_names(parse_select(sql).tree), COLUMNS) == used


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM a.b",
        "FROM a.b",
        "SELECT x.* EXCLUDE (id) FROM a.b AS x",
        "SELECT count(x.*) FROM a.b AS x",
        "SELECT b FROM a.b",
        "SELECT x FROM a.b AS x",
        "SELECT #2 FROM a.b",
        "SELECT COLUMNS('reg') FROM a.b",
        "SELECT p FROM a.b AS x(p, q)",
        "SELECT 1 FROM a.b NATURAL JOIN a.c",
        "SUMMARIZE SELECT region FROM a.b",
        "SELECT * FROM (PIVOT a.b ON region IN ('EU') USING sum(amount) AS n)",
    ],
)
def test_what_may_mean_any_column_uses_all(sql: str) -> None:
    assert used_columns(used_names(parse_select(sql).tree), COLUMNS) == COLUMNS
