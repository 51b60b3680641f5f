"""Rules and masks in Trino's SQL, form by form."""

import pytest

from mesh_defs.errors import AccessDeniedError
from mesh_defs.model.access import Mask
from mesh_defs.sql.row_rule import bind_rule
from mesh_defs.sql.trino import trino_mask, trino_rule
from tests.factories import a_column

COLUMNS = (
    a_column("region"),
    a_column("age", type="SMALLINT"),
    a_column("price", type="DECIMAL(12,2)"),
    a_column("day", type="DATE"),
    a_column("at", type="TIMESTAMP"),
    a_column("id", type="UUID"),
    a_column("ok", type="BOOLEAN"),
    a_column("score", type="DOUBLE"),
    a_column("home"),
)


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ("region = 'nö''rth'", "(\"region\" = 'nö''rth')"),
        ("region IN ('a', 'b') AND NOT age > 3", "(\"region\" IN ('a', 'b') AND NOT \"age\" > 3)"),
        ("'a' < region OR region = home", '(\'a\' < "region" OR "region" = "home")'),
        (
            "price BETWEEN -1 AND 2.5",
            "(\"price\" BETWEEN CAST('-1' AS DECIMAL(12, 2)) AND CAST('2.5' AS DECIMAL(12, 2)))",
        ),
        ("day >= '2024-02-29'", "(\"day\" >= CAST('2024-02-29' AS DATE))"),
        ("day = DATE '2024-02-29'", "(\"day\" = CAST('2024-02-29' AS DATE))"),
        ("at < '2024-02-29T10:00'", "(\"at\" < CAST('2024-02-29 10:00:00.000000' AS TIMESTAMP(6)))"),
        (
            "id = '12345678-1234-1234-1234-123456789012'",
            "(\"id\" = CAST('12345678-1234-1234-1234-123456789012' AS UUID))",
        ),
        ("ok AND age IS NOT NULL", '("ok" AND "age" IS NOT NULL)'),
        ("ok IS TRUE", '(COALESCE("ok", FALSE))'),
        ("ok IS NOT FALSE", '(NOT COALESCE(NOT "ok", FALSE))'),
        ("ok = TRUE", '("ok" = TRUE)'),
        ("score IS NULL", '("score" IS NULL)'),
    ],
)
def test_a_rule_keeps_its_meaning(rule: str, told: str) -> None:
    bound = bind_rule(rule, {}, {column.name: column.type for column in COLUMNS})
    assert trino_rule(bound, COLUMNS) == told


def test_an_attribute_that_is_missing_shows_nothing() -> None:
    bound = bind_rule("region = ${principal.region}", {}, {"region": "VARCHAR"})
    assert trino_rule(bound, COLUMNS) == "(FALSE)"


def test_what_trino_compares_otherwise_is_refused() -> None:
    with pytest.raises(AccessDeniedError, match="'score', a DOUBLE"):
        trino_rule("score > 1.5", COLUMNS)


@pytest.mark.parametrize(
    ("mask", "column", "told"),
    [
        (Mask(kind="null"), "age", "NULL"),
        (Mask(kind="token"), "region", "NULL"),
        (Mask(kind="deny"), "region", None),
        (Mask(kind="constant", value="it's"), "region", "CAST('it''s' AS VARCHAR)"),
        (Mask(kind="constant", value=0), "age", "CAST(0 AS SMALLINT)"),
        (Mask(kind="truncate", value=2), "region", 'SUBSTR("region", 1, 2)'),
        (Mask(kind="truncate", value="month"), "day", "DATE_TRUNC('month', \"day\")"),
        (Mask(kind="truncate", value="hour"), "day", '"day"'),
    ],
)
def test_a_mask_shows_the_same(mask: Mask, column: str, told: str | None) -> None:
    assert trino_mask(mask, next(each for each in COLUMNS if each.name == column)) == told
