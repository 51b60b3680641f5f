"""A room of three parties: an agency that asks, a shop and a bank whose rows are protected. All sign, any ends it.

The bank knows persons 101 to 500 but for two whom the shop and the agency have in common, in the north.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import duckdb
import pytest

from mesh_defs.cleanroom.extract import Seat
from mesh_defs.cleanroom.frozen import content_digest
from mesh_defs.cleanroom.keys import identity
from mesh_defs.cleanroom.processes import folder_of, verify_signed
from mesh_defs.cleanroom.room import Room
from mesh_defs.cleanroom.rules import Asked
from mesh_defs.cleanroom.signed import state
from mesh_defs.errors import AccessDeniedError
from mesh_defs.ledger import Ledger
from mesh_defs.model.room import SharedTable
from mesh_defs.query.platform import open_platform
from tests.cleanroom.inside import URLS, Inside, dead_at
from tests.cleanroom.parties import (
    _EMAIL,
    _TO_ROOM,
    AGENCY,
    JOIN,
    ORDERS,
    REACHED,
    ROOM,
    SHOP,
    Parties,
    parties,
)
from tests.meshes import contract, grants, sql

BANK = "bank"
# 209 and 212 bought in the north, among other places, and were reached.
ACCOUNTS = """
SELECT 'mail' || n || '@shop.example' AS email,
    CASE WHEN n BETWEEN 201 AND 203 THEN 'private' ELSE ['gold', 'plain'][1 + n % 2] END AS kind,
    CAST(CASE n WHEN 300 THEN 1000000 ELSE n END AS INTEGER) AS balance
FROM range(101, 501) AS numbers(n) WHERE n NOT IN (209, 212)
"""
ALL = "FROM shop.orders AS o JOIN agency.reached AS r ON o.email = r.email JOIN bank.accounts AS a ON a.email = o.email"
TWO = "FROM shop.orders AS o JOIN agency.reached AS r ON o.email = r.email"
BY_ALL = (
    "SELECT o.region, r.channel, a.kind, count(*) AS n, count(DISTINCT o.email) AS persons, sum(o.cents) AS cents"
    f" {ALL} GROUP BY o.region, r.channel, a.kind"
)


class Three(Parties):
    """The agreement of all three."""

    def body(self, urls: Any) -> dict[str, Any]:
        body = super().body(urls)
        accounts = {
            "name": "bank.accounts",
            "party": BANK,
            "product": "money.accounts",
            "person": "email",
            "dimensions": {"kind": ["gold", "plain", "private"]},
            "measures": {"balance": {"functions": ["sum"]}},
            "rules": ["bank"],
        }
        rule = {"name": "bank", "level": "threshold", "persons_min": 12, "dominance_max": 0.5}
        return {**body, "tables": [*body["tables"], accounts], "rules": [*body["rules"], rule]}


@pytest.fixture(scope="module")
def three() -> Iterator[Three]:
    accounts = {
        **contract(
            "money.accounts",
            granularity="aggregate",
            columns=(
                _EMAIL,
                "{name: kind, logicalType: string}",
                "{name: balance, logicalType: integer, physicalType: INTEGER}",
            ),
            custom=("{property: grain, value: [email]}",),
        ),
        **sql("accounts", ACCOUNTS),
        **grants("money.accounts", _TO_ROOM),
    }
    with parties({BANK: {"money": accounts}}) as made:
        yield Three(meshes=made.meshes, frozen=made.frozen)


@pytest.fixture
def inside(three: Three) -> Inside:
    three.fresh()
    three.agree(URLS)
    return Inside(three)


def plain(question: str) -> list[tuple[Any, ...]]:
    """The same in one database."""
    with duckdb.connect() as connection:
        for name, rows in {"shop.orders": ORDERS, "agency.reached": REACHED, "bank.accounts": ACCOUNTS}.items():
            connection.execute(f"CREATE SCHEMA {name.partition('.')[0]}; CREATE TABLE {name} AS {rows}")
        return [row for row in connection.execute(question).fetchall() if "moon" not in row]


def shown(answer: Any) -> list[tuple[Any, ...]]:
    return sorted((*values, *numbers) for values, numbers, _ in answer["groups"])


def withheld(inside: Inside, name: str) -> dict[tuple[Any, ...], str]:
    """What the last release withheld, by a party's ledger."""
    return {each.values: each.because for each in inside.page(name).releases[-1].withheld}


def test_groups_over_all_three_are_those_of_one_database_by_the_strictest_rule(inside: Inside) -> None:
    answer = inside.ask(BY_ALL)
    assert answer["kind"] == "ask-answer", answer
    rows = {(channel, kind, region): numbers for region, channel, kind, *numbers in plain(BY_ALL)}
    enough = {group: sorted(numbers) for group, numbers in rows.items() if numbers[1] >= 12}
    found, hidden = {each[:3]: sorted(each[3:]) for each in shown(answer)}, withheld(inside, SHOP)
    assert found and found.items() <= enough.items()
    assert {hidden[group] for group in enough.keys() - found.keys()} <= {"complementary"}
    assert {hidden[group] for group in rows.keys() - enough.keys()} == {"small"}
    assert not withheld(inside, AGENCY)
    assert withheld(inside, BANK) == hidden
    for name in (SHOP, AGENCY, BANK):
        assert verify_signed(inside.parties.meshes[name], ROOM) == ()
        assert inside.kinds(name, answer["run"])[:2] == ["asked", "released"]


def test_one_persons_balance_is_no_answer_about_the_bank(inside: Inside) -> None:
    answer = inside.ask(f"SELECT a.kind, sum(a.balance) AS b {ALL} GROUP BY a.kind")
    assert [each[0] for each in shown(answer)] == []
    assert withheld(inside, BANK)[("gold",)] in ("dominated", "complementary")
    assert "dominated" in withheld(inside, BANK).values()


def test_who_is_not_asked_about_records_what_was_shown_and_is_not_told_what_was_not(inside: Inside) -> None:
    answer = inside.ask(f"SELECT o.region, r.channel, count(DISTINCT o.email) AS n {TWO} GROUP BY o.region, r.channel")
    assert shown(answer)
    found = inside.ask(
        f"SELECT o.region, r.channel, sum(o.cents) AS n {TWO} WHERE r.channel = 'rare' GROUP BY o.region, r.channel"
    )
    assert not shown(found)
    assert withheld(inside, BANK) == {} == withheld(inside, AGENCY)
    assert [each.groups for each in inside.page(BANK).releases] == [each.groups for each in inside.page(SHOP).releases]


def test_the_two_whom_the_bank_does_not_know_are_not_told_by_a_difference(inside: Inside) -> None:
    counted = "SELECT count(DISTINCT o.email) AS n {} WHERE o.region = 'north'"
    (without_bank,), (with_bank,) = plain(counted.format(TWO)), plain(counted.format(ALL))
    known = f"{counted.format(ALL)} AND a.kind IN ('gold', 'plain', 'private')"
    everywhere = "SELECT o.region, count(DISTINCT o.email) AS n {} GROUP BY o.region"
    assert without_bank[0] == with_bank[0] + 2
    assert shown(inside.ask(counted.format(TWO))) == [without_bank]
    assert shown(inside.ask(counted.format(ALL))) == shown(inside.ask(known)) == []
    assert "north" not in {each[0] for each in shown(inside.ask(everywhere.format(ALL)))}
    assert withheld(inside, BANK)[("north",)] == withheld(inside, SHOP)[("north",)] == "difference"


@pytest.mark.parametrize("missing", [SHOP, AGENCY, BANK])
def test_nothing_is_asked_before_all_three_have_signed(inside: Inside, missing: str) -> None:
    for settings in inside.parties.meshes.values():
        (folder_of(settings, ROOM).path / "signatures" / f"{missing}.json").unlink()
    with pytest.raises(AccessDeniedError, match=f"'{missing}' has not signed"):
        inside.ask(BY_ALL)


@pytest.mark.parametrize("who", [SHOP, AGENCY, BANK])
def test_any_of_the_three_ends_it_wherever_its_word_has_come(inside: Inside, who: str) -> None:
    own = folder_of(inside.parties.meshes[who], ROOM)
    own.keep(state("revoked", own.agreement(), who, identity(inside.parties.meshes[who]), datetime.now(UTC)))
    with pytest.raises(AccessDeniedError) if who == AGENCY else pytest.MonkeyPatch.context():
        answer = inside.ask(BY_ALL)
        assert answer["kind"] == "refused"
    assert not any(inside.page(name).releases for name in (SHOP, AGENCY, BANK))


@pytest.mark.parametrize("kind", ["prepare", "share", "partial", "commit", "cosign", "deliver"])
@pytest.mark.parametrize("who", [SHOP, BANK])
def test_a_party_that_goes_silent_takes_the_run_with_it(inside: Inside, who: str, kind: str) -> None:
    if (who, kind) == (SHOP, "share"):
        kind = "partial"  # the bank makes the secret: it is the first that the agreement names of those asked about
    inside.between = dead_at(who, kind, handled=True)
    assert inside.ask(BY_ALL)["kind"] == "refused"
    inside.between = lambda name, raw, handle: handle(raw)
    assert shown(inside.ask(BY_ALL))
    for name in (SHOP, AGENCY, BANK):
        page = inside.page(name)
        assert len(page.releases) == 1 and not page.unsettled


def test_who_has_no_rows_may_ask_about_two_who_have(three: Three) -> None:
    three.fresh()
    body = three.body(URLS)
    tables = [each for each in body["tables"] if each["party"] != AGENCY]
    three.agree(URLS, tables=tables)
    inside = Inside(three)
    question = "SELECT o.region, count(DISTINCT o.email) AS n FROM shop.orders AS o JOIN bank.accounts AS a ON o.email = a.email"
    question += " GROUP BY o.region"
    assert sorted(shown(inside.ask(question))) == sorted(plain(question))
    assert inside.ask(f"SELECT count(*) AS n {TWO}")["kind"] == "refused"


def test_a_bank_that_may_ask_too_sees_the_others_rows_as_theirs(three: Three) -> None:
    three.fresh()
    accounts = SharedTable(
        name="bank.accounts",
        party=BANK,
        product="money.accounts",
        person="email",
        dimensions={"kind": ("gold", "plain", "private")},
    )
    platform = open_platform(three.meshes[BANK])
    digest = content_digest(accounts, Seat(party=BANK, platform=platform, principal="ada", purpose="measurement"))
    for frozen, code in ((digest, ""), ("0" * 64, "access-denied")):
        tables = [each | ({"digest": frozen} if each["party"] == BANK else {}) for each in three.body(URLS)["tables"]]
        three.agree(URLS, tables=tables, analysts=[AGENCY, BANK], recipients=[AGENCY, BANK])
        inside = Inside(three)
        by_bank = inside.ask(BY_ALL, by=BANK)
        assert bool(by_bank.get("groups")) == (not code), by_bank
        assert inside.ask(f"SELECT sum(a.balance) AS b {ALL}", by=BANK)["what"] == "bank.accounts.balance is your own"
    three.fresh()
    three.agree(
        URLS,
        tables=[*three.body(URLS)["tables"][:2], tables[2] | {"digest": digest}],
        analysts=[BANK],
        recipients=[BANK],
    )
    inside = Inside(three)
    inside.ask(BY_ALL, by=BANK)
    assert withheld(inside, SHOP) == withheld(inside, AGENCY) != {} == withheld(inside, BANK)


def test_three_in_one_process_answer_alike(inside: Inside, tmp_path: Any) -> None:
    folder = folder_of(inside.parties.meshes[JOIN], ROOM)
    seats = {
        name: Seat(
            party=name, platform=open_platform(inside.parties.meshes[name]), principal="ada", purpose="measurement"
        )
        for name in (SHOP, AGENCY, BANK)
    }
    ledger = Ledger(f"sqlite:///{tmp_path}/ledger.sqlite")
    room = Room(folder=folder, seats=seats, ledger=ledger, clock=lambda: datetime.now(UTC))
    release = room.ask(Asked(analyst=AGENCY, recipient=AGENCY, sql=BY_ALL)).release
    assert sorted((*each.values, *each.numbers) for each in release.groups) == shown(inside.ask(BY_ALL))
    assert {each.values: each.because for each in release.withheld} == withheld(inside, BANK)
    without = replace(room, seats={name: seat for name, seat in seats.items() if name != BANK})
    with pytest.raises(Exception, match="bank"):
        without.ask(Asked(analyst=AGENCY, recipient=AGENCY, sql=f"SELECT count(*) AS n {ALL}"))
