"""Rules and masks for a Trino that enforces them itself, form by form. No server."""

import pytest

from mesh_defs.errors import AccessDeniedError
from mesh_defs.model.access import Mask, RowRule, View
from mesh_defs.sql.row_rule import bind_rule
from mesh_defs.sql.translation.native import NativeView, native_view

COLUMNS = {
    "region": "VARCHAR",
    "age": "SMALLINT",
    "price": "DECIMAL(12,2)",
    "day": "DATE",
    "at": "TIMESTAMP",
    "id": "UUID",
    "ok": "BOOLEAN",
    "score": "DOUBLE",
    "home": "VARCHAR",
    "tags": "VARCHAR[]",
    "wait": "INTERVAL",
    "attrs": "STRUCT(a VARCHAR, b INTEGER)",
}
TOKENS: dict[str, str | None] = {"home": "__token_home", "region": None, "id": "__token_id"}


def said(rule: str | None = None, **masks: Mask) -> NativeView:
    bound = bind_rule(rule, {}, COLUMNS) if rule else ""
    rules = (RowRule(text=rule, bound=bound, source="test"),) if rule else ()
    return native_view(COLUMNS, View(grant="g", rules=rules, masks=masks), TOKENS)


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ("region = 'nö''rth'", "\"region\" = 'nö''rth'"),
        ("region IN ('a', 'b') AND NOT age > 3", "\"region\" IN ('a', 'b')) AND (NOT ((\"age\" > 3)))"),
        ("day >= '2024-02-29'", "\"day\" >= CAST('2024-02-29' AS DATE)"),
        ("at < '2024-02-29T10:00'", "\"at\" < CAST('2024-02-29 10:00:00.000000' AS TIMESTAMP(6))"),
        ("ok IS NOT FALSE", '"ok" IS DISTINCT FROM FALSE'),
        ("score > 1.5", 'is_nan("score")'),
        ("region = ${principal.region}", "FALSE"),
    ],
)
def test_a_rule_is_said_as_the_doors_text_says_it(rule: str, told: str) -> None:
    assert told in str(said(rule).rule)


def test_a_rule_over_what_trino_does_not_keep_is_refused() -> None:
    with pytest.raises(AccessDeniedError, match=r"INTERVAL .* ask through the door"):
        said("wait IS NOT NULL")


@pytest.mark.parametrize(
    ("column", "mask", "told"),
    [
        ("age", Mask(kind="null"), "CAST(NULL AS SMALLINT)"),
        ("attrs", Mask(kind="null"), "NULL"),
        ("home", Mask(kind="token"), '"__token_home"'),
        ("region", Mask(kind="constant", value="it's"), "CAST('it''s' AS VARCHAR)"),
        ("age", Mask(kind="constant", value=0), "CAST(0 AS SMALLINT)"),
        ("region", Mask(kind="truncate", value=2), 'substr("region", 1, 2)'),
        ("day", Mask(kind="truncate", value="hour"), "date_trunc('hour', CAST(\"day\" AS TIMESTAMP(6))) AS DATE)"),
    ],
)
def test_a_mask_is_said_as_the_doors_text_says_it(column: str, mask: Mask, told: str) -> None:
    assert told in str(said(**{column: mask}).columns[column])


def test_tokens_that_cannot_stand_in_their_column_are_left_out_with_the_reason() -> None:
    view = said(region=Mask(kind="token"), id=Mask(kind="token"), home=Mask(kind="deny"))
    assert {"region", "id", "home"}.isdisjoint(view.columns)
    assert dict(view.unsaid) == {
        "region": "its tokens lie where Trino does not read them",
        "id": "its tokens are texts, and Trino shows a UUID in this column",
    }


def test_every_column_is_fenced_where_rows_are_hidden_and_none_elsewhere() -> None:
    assert set(said().columns.values()) == {None}
    fenced = said("ok", age=Mask(kind="constant", value=1)).columns
    assert fenced.keys() == COLUMNS.keys()
    assert all(str(mask).startswith("CASE WHEN random() >= 0e0 THEN ") for mask in fenced.values())
    assert fenced["tags"] == 'CASE WHEN random() >= 0e0 THEN "tags" END'
