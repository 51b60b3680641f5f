"""What a party runs for a room: tokens that anybody can compute who has the keys, made once a person, on either engine."""

import hashlib
from dataclasses import replace

import duckdb
import pytest

from mesh_defs.model.access import View
from mesh_defs.model.query import TrinoTable
from mesh_defs.model.room import Field, SharedTable
from mesh_defs.sql.parse import parse_select
from mesh_defs.sql.partial import KEY, Own, columns_of, partial_sql
from mesh_defs.sql.rewrite import govern
from mesh_defs.sql.translation.translate import translate
from tests.sql.world import a_pin

KEYS = {KEY: "one key"}
ORDERS = SharedTable(
    name="pub.orders", party="pub", product="sales.orders", person="mail", dimensions={"region": ("north", "south")}
)
BY_REGION = Own(
    tables=(ORDERS,),
    dimensions=(Field("pub.orders", "region"),),
    within={},
    measures={Field("pub.orders", "cents"): 0},
    once=False,
)
WHOLE = replace(BY_REGION, dimensions=())
TYPES = {"mail": "VARCHAR", "region": "VARCHAR", "cents": "BIGINT"}


def token(person: str) -> str:
    return hashlib.sha256(f"{KEYS[KEY]}{person}".encode()).hexdigest()[:24]


def found(own: Own) -> set[tuple[object, ...]]:
    with duckdb.connect() as connection:
        connection.execute("CREATE SCHEMA sales")
        connection.execute(
            "CREATE TABLE sales.orders AS SELECT * FROM (VALUES ('ann', 'north', 5), ('ann', 'south', 7), ('ann', 'north', 1),"
            " ('bob', 'moon', NULL), ('bob', NULL, 2), (NULL, 'north', 9)) AS _(mail, region, cents)"
        )
        rows = connection.execute(partial_sql(own), KEYS)
        assert tuple(column[0] for column in rows.description or ()) == columns_of(own)
        return set(rows.fetchall())


def test_each_person_is_under_one_token_in_all_rows() -> None:
    ann, bob = token("ann"), token("bob")
    assert found(BY_REGION) == {(ann, 0, 2, 6, 2), (ann, 1, 1, 7, 1), (bob, -1, 2, 2, 1)}
    assert found(WHOLE) == {(ann, 3, 13, 3), (bob, 2, 2, 1)}


@pytest.mark.parametrize("own", [BY_REGION, WHOLE], ids=["by region", "whole"])
def test_trino_is_asked_the_same(own: Own) -> None:
    governed = govern(
        parse_select(partial_sql(own)),
        {"sales.orders": a_pin("sales.orders", TYPES)},
        {"sales.orders": View(grant="g")},
        KEYS,
    )
    types = {"token": "VARCHAR", "d0": "SMALLINT", "n": "BIGINT", "s0": "DECIMAL(38,0)", "c0": "BIGINT"}
    table = TrinoTable(catalog="lake", schema="sales", name="orders", snapshot=42)
    text = translate(governed, KEYS, {"sales.orders": [table]}, [types[each] for each in columns_of(own)]).text
    assert text.lower().count("sha256(") == 1
