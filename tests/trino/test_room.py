"""A party of a room answers by DuckDB or by Trino: the same persons under the same tokens, the same groups shown and withheld."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from mesh_defs.cleanroom.extract import partial, token_key
from mesh_defs.cleanroom.join import contribute, joining, sides_of
from mesh_defs.cleanroom.privacy import plan_of, totals
from mesh_defs.cleanroom.room import Room
from mesh_defs.cleanroom.rules import Asked, question_of
from mesh_defs.cleanroom.run import Run
from mesh_defs.errors import QueryRejectedError
from tests.trino.room_world import AGENCY, NOW, SHOP, RoomWorld, room_world
from tests.trino_server import Trino

MIXES: list[dict[str, Any]] = [
    {SHOP: shop, AGENCY: agency} for shop in ("duckdb", "trino") for agency in ("duckdb", "trino")
]
EDGES = "FROM shop.edges AS e JOIN agency.people AS p ON e.person = p.person"
LIMITS = "FROM shop.limits AS l JOIN agency.people AS p ON l.person = p.person"
QUESTIONS = {
    "texts": f"SELECT e.channel, count(*) AS n, count(DISTINCT e.person) AS p {EDGES} GROUP BY e.channel",
    "days": f"SELECT e.day, count(*) AS n, avg(e.units) AS u {EDGES} GROUP BY e.day",
    "times": f"SELECT e.at, count(*) AS n {EDGES} GROUP BY e.at",
    "numbers": f"SELECT e.code, count(*) AS n {EDGES} GROUP BY e.code",
    "sums past 64 bits": f"SELECT p.tier, sum(e.huge) AS s, avg(e.huge) AS a {EDGES} GROUP BY p.tier",
    "decimals": f"SELECT p.tier, sum(e.price) AS s, avg(e.price) AS a, sum(e.units) AS u {EDGES} GROUP BY p.tier",
    "filters": f"SELECT count(*) AS n, sum(e.price) AS s {EDGES} WHERE e.channel IN ('é', 'o''neil')"
    " AND e.code = -9223372036854775808",
    "no rows": "SELECT e.channel, sum(e.units) AS n FROM shop.nothing AS e JOIN agency.people AS p ON e.person = p.person"
    " GROUP BY e.channel",
    "many values": "SELECT e.channel, count(*) AS n FROM shop.long AS e JOIN agency.people AS p ON e.person = p.person"
    " GROUP BY e.channel",
    "many days": "SELECT e.day, count(*) AS n FROM shop.long AS e JOIN agency.people AS p ON e.person = p.person GROUP BY e.day",
    "limits": f"SELECT l.kind, sum(l.units) AS n {LIMITS} GROUP BY l.kind",
    "limits of persons": f"SELECT l.kind, count(DISTINCT l.person) AS n {LIMITS} GROUP BY l.kind",
    "whole keys": "SELECT count(*) AS n FROM shop.by_whole AS a JOIN agency.by_whole AS b ON a.whole = b.whole",
    "decimal keys": "SELECT count(*) AS n FROM shop.by_decimal AS a JOIN agency.by_decimal AS b ON a.decimal = b.decimal",
    "uuid keys": "SELECT count(*) AS n FROM shop.by_uuid AS a JOIN agency.by_uuid AS b ON a.uuid = b.uuid",
}
# One after the other in one room: what the later ones may show depends on what the earlier ones did.
IN_A_ROW = (
    QUESTIONS["limits"],
    f"SELECT l.side, sum(l.units) AS n {LIMITS} GROUP BY l.side",
    f"SELECT sum(l.units) AS n {LIMITS} WHERE l.kind IN ('four', 'half', 'two')",
    f"SELECT count(DISTINCT l.person) AS n {LIMITS} WHERE l.kind IN ('four', 'three')",
    QUESTIONS["decimals"],
)


@pytest.fixture(scope="module")
def world(trino: Trino, postgres_tcp_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RoomWorld]:
    with room_world(trino, postgres_tcp_server, tmp_path_factory.mktemp("room")) as made:
        yield made


def released(room: Room, *, sql: str = "", **asked: Any) -> Any:
    release = room.ask(Asked(analyst=AGENCY, recipient=AGENCY, sql=sql, **asked)).release
    return release.analysis, release.groups, release.withheld


def partials(room: Room, sql: str) -> tuple[Run, list[dict[str, Any]]]:
    """What both parties send for a question's own extract, under a key that is always the same."""
    agreement, asked = room.folder.signed(), Asked(analyst=AGENCY, recipient=AGENCY, sql=sql)
    question, terms = question_of(asked, agreement, NOW)
    run = Run(agreement=agreement, analyst=AGENCY, analysis=question.analysis, terms=terms, micro_rho=1_000_000)
    key = token_key(b"k" * 32, "run")
    found = [
        {
            name: partial(extract, agreement, seat, analyst=AGENCY, key=key, versions={})
            for name, seat in room.seats.items()
        }
        for extract in run.extracts
    ]
    return run, found


@pytest.mark.parametrize("asked", QUESTIONS)
def test_a_partial_is_the_same_to_the_last_token(world: RoomWorld, asked: str) -> None:
    _, (one,) = partials(world.room(MIXES[0]), QUESTIONS[asked])
    _, (other,) = partials(world.room(MIXES[-1]), QUESTIONS[asked])
    for party in (SHOP, AGENCY):
        assert one[party].schema == other[party].schema
        assert one[party].to_pylist() == other[party].to_pylist()
    assert bool(one[SHOP].num_rows) == (asked not in ("no rows",))


def test_an_engine_that_the_size_decides_is_asked_in_its_own_words(world: RoomWorld) -> None:
    room = world.room(MIXES[0])
    _, (expected,) = partials(room, QUESTIONS["decimals"])
    standards = replace(room.seats[SHOP].platform.mesh.standards, query_trino_above_bytes=0)
    seats = {
        name: replace(
            seat,
            engine=None,
            platform=replace(seat.platform, mesh=replace(seat.platform.mesh, standards=standards)),
        )
        for name, seat in room.seats.items()
    }
    _, (found,) = partials(replace(room, seats=seats), QUESTIONS["decimals"])
    assert found == expected
    allowed = world.platform.ledger.entries(kind="allowed", limit=2)
    assert {each.body["engine"] for each in allowed} == {"trino"}


@pytest.mark.parametrize("asked", QUESTIONS)
def test_who_reads_by_what_changes_nothing_that_is_shown_or_withheld(world: RoomWorld, asked: str) -> None:
    first, *others = (released(world.room(mix), sql=QUESTIONS[asked]) for mix in MIXES)
    assert all(each == first for each in others)


def test_the_groups_at_the_edges_are_those_that_must_be_withheld(world: RoomWorld) -> None:
    _, groups, withheld = released(world.room(MIXES[-1]), sql=QUESTIONS["limits"])
    assert {each.values[0]: each.because for each in withheld} == {
        "two": "small",
        "three": "complementary",
        "most": "dominated",
    }
    assert {each.values[0]: each.numbers[0] for each in groups} == {"four": 40, "half": 60, "minus": 20}


def test_questions_in_a_row_are_compared_alike(world: RoomWorld) -> None:
    first, *others = [[released(room, sql=sql) for sql in IN_A_ROW] for room in map(world.room, MIXES)]
    assert all(each == first for each in others)
    assert "difference" in {each.because for _, _, withheld in first for each in withheld}


def test_a_template_is_answered_alike(world: RoomWorld) -> None:
    asked = {"template": "by_kind", "arguments": {"side": "y"}}
    first, *others = (released(world.room(mix, "template"), **asked) for mix in MIXES)
    assert first[1] and all(each == first for each in others)


@pytest.mark.parametrize("asked", ["texts", "decimals", "sums past 64 bits", "no rows", "limits"])
def test_what_noise_is_added_to_is_the_same(world: RoomWorld, asked: str) -> None:
    def bounded(mix: dict[str, Any]) -> list[list[int]]:
        run, (own,) = partials(world.room(mix, "privacy"), QUESTIONS[asked])
        with joining() as connection:
            sides = sides_of(run.extracts[0], own, run.agreement, AGENCY, connection, number=0)
            contribute(sides, run.analysis, connection)
            return totals(plan_of(run.analysis, run.agreement, run.micro_rho), connection, b"salt" * 8)

    first, *others = map(bounded, MIXES)
    assert all(each == first for each in others)
    assert any(map(any, first)) == (asked != "no rows")


def test_a_room_with_noise_answers_where_one_party_reads_by_trino(world: RoomWorld) -> None:
    _, groups, _ = released(world.room(MIXES[1], "privacy"), sql=QUESTIONS["texts"])
    assert all(each.accuracy for each in groups)


@pytest.mark.parametrize("name", ["agency.people", "agency.by_whole", "agency.by_decimal", "agency.by_uuid"])
def test_a_table_is_frozen_by_the_same_digest(world: RoomWorld, name: str) -> None:
    (table,) = (each for each in world.agreement("threshold")["tables"] if each["name"] == name)
    assert world.digest(table, "trino") == table["digest"]


@pytest.mark.parametrize("kind", ["day", "float"])
def test_a_person_who_is_written_in_two_ways_is_refused(world: RoomWorld, kind: str) -> None:
    sql = f"SELECT count(*) AS n FROM shop.by_{kind} AS a JOIN agency.people AS b ON a.{kind} = b.person"
    room = world.room(MIXES[2])
    with pytest.raises(QueryRejectedError, match=f"near '{kind}'"):
        released(room, sql=sql)
    assert released(room, sql=QUESTIONS["limits"])[1], "the room goes on"
