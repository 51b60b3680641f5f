"""One product as a decision shows it: each mask, on each type, and nothing that a name of the asker's could stand in for."""

import duckdb
import pytest

from mesh_defs.errors import AccessDeniedError
from mesh_defs.model.access import Mask, RowRule, View
from mesh_defs.model.version import Pin
from mesh_defs.sql.tree import reread, same, write
from mesh_defs.sql.view import view_select
from tests.sql.world import a_pin

TYPES = [
    *(
        "VARCHAR",
        "VARCHAR[]",
        "MAP(VARCHAR, INTEGER)",
        "DECIMAL(12,2)",
        "TIMESTAMP WITH TIME ZONE",
        "JSON",
        "UUID",
        "HUGEINT",
    ),
    *(
        "BLOB",
        "UNION(a INTEGER, b VARCHAR)",
        "INTEGER[3]",
        'STRUCT("a b" VARCHAR[], c STRUCT(d DATE))',
        "INTERVAL",
        "BIT",
    ),
    *("TIMESTAMP_NS", "UHUGEINT", "TIME WITH TIME ZONE", "BIGNUM", "BOOLEAN", "DATE", "FLOAT", "DOUBLE", "UTINYINT"),
]


def pin_of(**types: str) -> Pin:
    return a_pin("a.b", types)


def shown(pin: Pin, view: View) -> str:
    select = view_select(pin, view, "g")
    text = write(select.copy())
    assert same(select, reread(text))
    return text


@pytest.mark.parametrize("type_", TYPES)
def test_an_emptied_column_keeps_its_type(type_: str) -> None:
    text = shown(pin_of(x=type_), View(grant="g", masks={"x": Mask(kind="null")}))
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE pin_a__b (x {type_})")
        assert [row[1] for row in connection.execute(f"DESCRIBE {text}").fetchall()] == [type_]


@pytest.mark.parametrize("masks", [{"x": Mask(kind="null")}, {}])
def test_an_enum_does_not_tell_of_its_values(masks: dict[str, Mask]) -> None:
    rule = RowRule(source="s", text="TRUE", bound="TRUE")
    assert "'a'" not in shown(pin_of(x="ENUM('a', 'b')"), View(grant="g", rules=(rule,), masks=masks))


@pytest.mark.parametrize(
    ("mask", "type_", "value", "seen"),
    [
        (Mask(kind="truncate", value=2), "VARCHAR", "'Ærø 🙂'", "Ær"),
        (Mask(kind="truncate", value=0), "VARCHAR", "'abc'", ""),
        (Mask(kind="truncate", value="year"), "DATE", "'2026-05-17'", "2026-01-01"),
        (Mask(kind="truncate", value="month"), "TIMESTAMP", "'2026-05-17 12:30:00'", "2026-05-01 00:00:00"),
        (Mask(kind="constant", value="it's"), "VARCHAR", "'abc'", "it's"),
        (Mask(kind="constant", value=7), "INTEGER", "5", "7"),
        (Mask(kind="null"), "VARCHAR", "'abc'", "None"),
        (Mask(kind="token"), "VARCHAR", "'abc'", "None"),  # this version has no tokens
    ],
)
def test_a_mask_stands_in_the_values_place(mask: Mask, type_: str, value: str, seen: str) -> None:
    text = shown(pin_of(x=type_), View(grant="g", masks={"x": mask}))
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE pin_a__b AS SELECT CAST({value} AS {type_}) AS x")
        [row] = connection.execute(text).fetchall()
        assert str(row[0]) == seen
        assert connection.execute(f"DESCRIBE {text}").fetchall()[0][1] == type_


def test_a_token_is_read_from_its_own_column() -> None:
    pin = Pin(**{**{name: getattr(pin_of(x="VARCHAR"), name) for name in Pin.__slots__}, "tokens": {"x": "__token_x"}})
    assert (
        shown(pin, View(grant="g", masks={"x": Mask(kind="token")}))
        == 'SELECT "g"."__token_x" AS "x" FROM "pin_a__b" AS "g"'
    )


def test_a_denied_column_is_not_there() -> None:
    text = shown(pin_of(x="VARCHAR", y="VARCHAR"), View(grant="g", masks={"x": Mask(kind="deny")}))
    assert text == 'SELECT "g"."y" FROM "pin_a__b" AS "g"'
    with pytest.raises(AccessDeniedError, match=r"no column of a\.b is left"):
        shown(pin_of(x="VARCHAR"), View(grant="g", masks={"x": Mask(kind="deny")}))


@pytest.mark.parametrize("columns", [{"y": "VARCHAR"}, {"x": "INTEGER"}, {"x": "VARCHAR[]"}])
def test_a_version_that_lacks_a_rules_column_is_denied(columns: dict[str, str]) -> None:
    rule = RowRule(source="grant 'g'", text="x = 'EU'", bound="x = 'EU'")
    with pytest.raises(AccessDeniedError, match="does not fit the rule of grant 'g'"):
        shown(pin_of(**columns), View(grant="g", rules=(rule,)))
