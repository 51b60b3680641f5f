"""What a party runs for a room: tokens that anybody can compute who has the keys, made once a person, on either engine."""

import hashlib
from dataclasses import replace

import duckdb
import pytest

from mesh_defs.model.access import View
from mesh_defs.model.query import TrinoTable
from mesh_defs.model.room import Field, SharedTable
from mesh_defs.sql.parse import parse_select
from mesh_defs.sql.partial import KEY, Own, partial_sql, persons_sql, rows_sql
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


def rows_of(sql: str) -> list[tuple[object, ...]]:
    with duckdb.connect() as connection:
        connection.execute("CREATE SCHEMA sales")
        connection.execute(
            "CREATE TABLE sales.orders AS SELECT * FROM (VALUES ('ann', 'north', 5), ('ann', 'south', 7), ('ann', 'north', 1),"
            " ('bob', 'moon', NULL), ('bob', NULL, 2), (NULL, 'north', 9)) AS _(mail, region, cents)"
        )
        return connection.execute(sql, KEYS).fetchall()


def test_each_person_is_under_one_token_in_all_rows() -> None:
    ann, bob = token("ann"), token("bob")
    assert set(rows_of(partial_sql(BY_REGION))) == {(ann, 0, 2, 6, 2), (ann, 1, 1, 7, 1), (bob, -1, 2, 2, 1)}
    assert set(rows_of(partial_sql(WHOLE))) == {(ann, 3, 13, 3), (bob, 2, 2, 1)}


def test_a_number_stands_for_a_person_in_both_answers_and_both_are_in_its_order() -> None:
    persons, rows = rows_of(persons_sql(BY_REGION)), rows_of(rows_sql(BY_REGION, []))
    numbers = {named: number for number, named in persons}
    ann, bob = numbers[token("ann")], numbers[token("bob")]
    assert sorted(numbers.values()) == [number for number, _ in persons]
    assert sorted(rows, key=repr) == sorted(
        [(ann, 0, 5), (ann, 0, 1), (ann, 1, 7), (bob, -1, None), (bob, -1, 2)], key=repr
    )
    assert [row[:2] for row in rows] == sorted(row[:2] for row in rows)
    assert sorted(rows_of(rows_sql(WHOLE, [])), key=repr) == sorted(
        [(ann, 5), (ann, 1), (ann, 7), (bob, None), (bob, 2)], key=repr
    )


def test_who_shares_a_number_has_one_of_her_token_instead() -> None:
    numbers = {named: number for number, named in rows_of(persons_sql(WHOLE))}
    ann, bob = numbers[token("ann")], numbers[token("bob")]
    own = int(token("ann")[:16], 16)
    assert own != ann
    assert {row[0] for row in rows_of(rows_sql(WHOLE, [ann]))} == {own, bob}


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
    columns = ("token", *own.codes, "n", "s0", "c0")
    text = translate(governed, KEYS, {"sales.orders": [table]}, [types[each] for each in columns]).text
    assert text.lower().count("sha256(") == 1
