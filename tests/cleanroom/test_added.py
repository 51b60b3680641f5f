"""A party's rows come to the same, exactly, however its engine hands them over."""

import hashlib
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest
import sqlglot

from mesh_defs.cleanroom import added
from mesh_defs.cleanroom.added import TOKEN_BYTES, by_number, by_token, told_apart
from mesh_defs.cleanroom.extract import Extract, Seat, extracts_of, partial, token_key
from mesh_defs.cleanroom.rules import Asked, question_of
from mesh_defs.cleanroom.signed import RoomFolder
from mesh_defs.model.room import Field, Measure, SharedTable
from mesh_defs.query.platform import open_platform
from mesh_defs.sql.partial import KEY, TOKEN_DIGITS, Own, partial_sql, persons_sql, rows_sql
from tests.cleanroom.inside import Inside
from tests.cleanroom.parties import AGENCY, QUESTION, ROOM, SHOP
from tests.meshes import PERSON, REGION, contract, grants, refresh, settings_of, sql

TABLE = SharedTable(
    name="p.t", party="p", product="d.t", person="who", dimensions={"kind": ("a", "b's"), "side": (1, 2, 3)}
)
KIND, SIDE, UNITS = Field("p.t", "kind"), Field("p.t", "side"), Field("p.t", "units")
KEYS = {KEY: "key"}
# Types of measures, with the ends of what they hold.
ENDS = {
    "TINYINT": ("-128", "127"),
    "BIGINT": ("-9223372036854775808", "9223372036854775807"),
    "UBIGINT": ("0", "18446744073709551615"),
    "DECIMAL(9,2)": ("-9999999.99", "9999999.99"),
    "DECIMAL(19,0)": ("-9999999999999999999", "9999999999999999999"),
}


def own(*dimensions: Field, decimals: int = 0) -> Own:
    texts = frozenset({KIND} & {*dimensions})
    return Own(tables=(TABLE,), dimensions=dimensions, within={}, measures={UNITS: decimals}, once=False, texts=texts)


def rows_of(connection: duckdb.DuckDBPyConnection, type_: str, rows: int = 500) -> list[tuple[Any, ...]]:
    """Make persons of many rows and of one, at both ends of the type, with NULL in each column. Returns tokens and values."""
    low, high = ENDS[type_]
    connection.execute("CREATE SCHEMA d")
    connection.execute(f"""CREATE TABLE d.t AS SELECT
        CASE WHEN n % 41 > 0 THEN 'who' || CAST(floor(120 * random() * random()) AS INTEGER) END AS who,
        ['a', 'b''s', 'B''s', NULL][1 + CAST(floor(4 * random()) AS INTEGER)] AS kind,
        CAST(floor(5 * random()) AS INTEGER) AS side,
        CAST(CASE n % 5 WHEN 0 THEN '{low}' WHEN 1 THEN '{high}' WHEN 2 THEN NULL ELSE CAST(n % 100 AS VARCHAR) END AS {type_})
            AS units FROM range({rows}) AS _(n)""")
    token = "left(sha256('key' || who), 24)"
    return connection.execute(f"SELECT {token}, kind, side, units FROM d.t WHERE who IS NOT NULL").fetchall()


@pytest.fixture
def connection() -> Any:
    with duckdb.connect() as made:
        made.execute("SELECT setseed(0.25)")
        yield made


def by_numbers(connection: duckdb.DuckDBPyConnection, wanted: Own) -> pa.Table | None:
    numbers, tokens, shared = told_apart(connection.execute(persons_sql(wanted), KEYS).to_arrow_table())
    return by_number(numbers, tokens, connection.execute(rows_sql(wanted, shared), KEYS).to_arrow_reader(64), wanted)


def tokened(connection: duckdb.DuckDBPyConnection, wanted: Own) -> pa.Table:
    return by_token(connection.execute(partial_sql(wanted), KEYS).to_arrow_table(), wanted)


def as_rows(table: pa.Table) -> list[tuple[Any, ...]]:
    return list(zip(*(column.to_pylist() for column in table.columns), strict=True))


@pytest.mark.parametrize("block", [1, 70, 500_000])
@pytest.mark.parametrize("dimensions", [(), (KIND,), (KIND, SIDE)], ids=["whole", "by one", "by two"])
@pytest.mark.parametrize("type_", ENDS)
def test_both_ways_come_to_what_python_makes_of_the_rows(
    connection: Any, type_: str, dimensions: tuple[Field, ...], block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(added, "_BLOCK_ROWS", block)
    decimals = 2 if type_ == "DECIMAL(9,2)" else 0
    expected: dict[tuple[Any, ...], list[int]] = defaultdict(lambda: [0, 0, 0])
    for token, kind, side, units in rows_of(connection, type_):
        codes = {KIND: {"a": 0, "b's": 1}.get(kind, -1), SIDE: {1: 0, 2: 1, 3: 2}.get(side, -1)}
        entry = expected[(bytes.fromhex(token), *(codes[each] for each in dimensions))]
        entry[0] += 1
        entry[1] += 0 if units is None else int(units * 10**decimals)
        entry[2] += units is not None
    told = sorted((*group, n, total if values else None, values) for group, (n, total, values) in expected.items())
    wanted = own(*dimensions, decimals=decimals)
    found = by_numbers(connection, wanted)
    assert found is not None and as_rows(found) == told
    assert found.equals(tokened(connection, wanted))
    assert found.schema == tokened(connection, wanted).schema


def test_columns_are_as_narrow_as_what_they_hold(connection: Any) -> None:
    rows_of(connection, "TINYINT")
    found = by_numbers(connection, own(KIND))
    assert found is not None
    assert [str(each) for each in found.schema.types[1:]] == ["int8", "int8", "int16", "int8"]


def test_nobody_at_all_is_added_up_too(connection: Any) -> None:
    rows_of(connection, "BIGINT", rows=0)
    found = by_numbers(connection, own(KIND))
    assert found is not None and len(found) == 0
    assert found.equals(tokened(connection, own(KIND)))


def test_persons_who_share_a_hash_are_told_apart(connection: Any) -> None:
    """DuckDB's hash takes eight bytes at a time: what the last of one eight changes, that of the next can change back."""
    pairs = alike(connection)
    connection.execute("CREATE SCHEMA d")
    connection.execute("CREATE TABLE d.t (who VARCHAR, kind VARCHAR, units INTEGER)")
    for number, who in enumerate(each for pair in pairs for each in pair):
        connection.execute("INSERT INTO d.t SELECT ?, unnest(['a', 'b''s', 'a']), ?", [who, number])
    connection.execute("INSERT INTO d.t SELECT 'who' || n, 'a', n FROM range(500) AS _(n)")
    found = by_numbers(connection, own(KIND))
    assert found is not None and len(found.column("token").unique()) == 500 + 2 * len(pairs)
    assert found.equals(tokened(connection, own(KIND)))


def alike(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, str]]:
    """Pairs of addresses, both of them such as anybody could have, of one hash."""
    found = []
    for n in range(200):
        one = f"{n:07}1{n:07}1@mail.example"
        other = one[:7] + "q" + one[8:15] + "q" + one[16:]
        if connection.execute("SELECT hash(?) = hash(?)", [one, other]).fetchone() == (True,):
            found.append((one, other))
    assert len(found) > 20
    return found


def test_the_question_for_rows_is_as_long_for_nobody_who_shares_a_hash_as_for_one() -> None:
    assert len(parse(rows_sql(own(KIND), []))) == len(parse(rows_sql(own(KIND), [2**63])))


def parse(text: str) -> list[str]:
    return [type(each).__name__ for each in sqlglot.parse_one(text, dialect="duckdb").walk()]


@pytest.mark.parametrize("change", ["a person without rows", "rows without a person"])
def test_rows_of_others_are_not_added_up(connection: Any, change: str) -> None:
    rows_of(connection, "TINYINT")
    wanted = own(KIND)
    persons = connection.execute(persons_sql(wanted), KEYS).to_arrow_table()
    other = pa.table({"id": pa.array([0], pa.uint64()), "token": ["0" * TOKEN_DIGITS]})
    persons = pa.concat_tables([other, persons]) if change == "a person without rows" else persons.slice(1)
    rows = connection.execute(rows_sql(wanted, []), KEYS).to_arrow_reader()
    assert by_number(*told_apart(persons)[:2], rows, wanted) is None


@pytest.mark.parametrize("shared", [0, 7, 15, 16, 23])
def test_persons_whose_tokens_begin_alike_are_kept_apart(shared: int) -> None:
    """Of thousands of millions of persons two share the digits that are sorted by first; here all share as many."""
    random = np.random.default_rng(shared)
    numbers = random.permutation(16 ** min(3, TOKEN_DIGITS - shared))[:200]
    tokens = ["a" * shared + f"{number:0{TOKEN_DIGITS - shared}x}" for number in numbers]
    order = added.token_order(np.frombuffer(bytes.fromhex("".join(tokens)), f"V{TOKEN_BYTES}"))
    assert [tokens[place] for place in order] == sorted(tokens)
    rows = [(each, code) for each in tokens for code in (-1, 0, 1)]
    random.shuffle(rows)
    ones = pa.array([1] * len(rows))
    columns = {"token": [each for each, _ in rows], "d0": [int(code) for _, code in rows], "n": ones}
    found = by_token(pa.table(columns | {"s0": ones, "c0": ones}), own(KIND))
    assert [row[:2] for row in as_rows(found)] == sorted((bytes.fromhex(each), int(code)) for each, code in rows)


@pytest.mark.parametrize("digits", [None, "", "ab" * 11, "ab" * 13, "zz" * 12, "é" * 12])
def test_a_row_without_a_token_does_not_leave(digits: str | None) -> None:
    ones = pa.array([1, 1])
    table = pa.table({"token": ["ab" * 12, digits], "d0": ones, "n": ones, "s0": ones, "c0": ones})
    with pytest.raises(ValueError):
        by_token(table, own(KIND))


@pytest.mark.parametrize("party", [SHOP, AGENCY])
def test_a_party_sends_the_same_when_its_rows_change_between_its_questions(
    inside: Inside, party: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a rule does that goes by the clock: then one question answers for all."""
    platform = inside.platforms[party]
    agreement = RoomFolder(inside.parties.meshes[party].root / "rooms" / ROOM).signed()
    question, _ = question_of(Asked(analyst=AGENCY, recipient=AGENCY, sql=QUESTION), agreement, inside.clock())
    (extract,) = extracts_of(question.analysis, [], agreement)
    seat = Seat(party=party, platform=platform, principal="ada", purpose="measurement")

    def sent() -> tuple[pa.Table, int]:
        before = len(platform.ledger.entries(kind="answered", limit=None))
        found = partial(extract, agreement, seat, analyst=AGENCY, key=token_key(b"k" * 32, "run"), versions={})
        return found, len(platform.ledger.entries(kind="answered", limit=None)) - before

    one, asked = sent()
    whole = told_apart
    monkeypatch.setattr("mesh_defs.cleanroom.extract.told_apart", lambda persons: whole(persons.slice(1)))
    other, asked_again = sent()
    assert one.equals(other) and len(one) > 100
    assert (asked, asked_again) == (2, 3)


def test_rows_that_a_rule_hides_from_the_party_are_not_sent(tmp_path: Path) -> None:
    """By neither way: the door is the party's own, but its rules are the product's owner's."""
    person = PERSON.replace("primaryKey: true", "required: true")
    units = "{name: units, logicalType: integer, physicalType: BIGINT}"
    columns = ("{name: row, logicalType: integer, primaryKey: true}", person, REGION, units)
    ruled = "{id: room, principals: [ada], purposes: [measurement], rows: \"region = 'north'\"}"
    people = (
        "SELECT n AS row, n % 40 AS person_id, ['north', 'south'][1 + n % 2] AS region, 9223372036854775807 AS units"
    )
    files = {
        **contract("people.persons", columns=columns, storage="duckdb"),
        **sql("persons", f"{people} FROM range(400) AS _(n)"),
        **grants("people.persons", ruled),
    }
    settings = settings_of(tmp_path / "mesh", {"people": files})
    assert {each.told for each in refresh(settings).values()} == {""}
    dimensions, measure = {"region": ("north", "south")}, Field("people", "units")
    table = SharedTable(name="people", party="p", product="people.persons", person="person_id", dimensions=dimensions)
    room: Any = SimpleNamespace(tables=(replace(table, measures={"units": Measure(functions=("sum",))}),))
    extract = Extract(tables=("people",), dimensions=(Field("people", "region"),), within={}, measures=(measure,))
    seat = Seat(party="p", platform=open_platform(settings), principal="ada", purpose="measurement")
    found = partial(extract, room, seat, analyst="other", key="key", versions={})
    assert [row[1:] for row in as_rows(found)] == [(0, 10, 10 * (2**63 - 1), 10)] * 20
    assert [row[0] for row in as_rows(found)] == sorted(
        hashlib.sha256(f"key{n}".encode()).digest()[:TOKEN_BYTES] for n in range(0, 40, 2)
    )
