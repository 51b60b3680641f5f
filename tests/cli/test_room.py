"""`mesh room` as the people of two parties run it, in one process for both."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from mesh_defs.cleanroom.handed import hand_over
from mesh_defs.cleanroom.lift import lift_of
from mesh_defs.cli.main import USAGE
from mesh_defs.settings import Settings
from tests.cli.room_terminal import Terminal
from tests.meshes import refresh
from tests.rooms import ROOM, agreement_of, room_mesh, write_room

BUYERS = (
    "SELECT e.campaign, e.exposed, count(DISTINCT e.person_id) AS buyers FROM media.exposures AS e JOIN shop.orders AS o"
    " ON e.person_id = o.person_id WHERE o.half = 'late' GROUP BY e.campaign, e.exposed"
)
BY_REGION = (
    "SELECT e.region, count(DISTINCT e.person_id) AS persons, sum(o.amount) AS spent FROM media.exposures AS e"
    " JOIN shop.orders AS o ON e.person_id = o.person_id GROUP BY e.region"
)


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    settings = room_mesh(Path(tmp_path_factory.mktemp("rooms")) / "mesh")
    outcomes = refresh(settings)
    assert {each.state for each in outcomes.values()} == {"published"}, outcomes
    yield settings


PORTS = {"media": 8442, "shop": 8443, "host": 8444}


@pytest.fixture
def terminal(published: Settings, tmp_path: Path) -> Terminal:
    return Terminal(published, tmp_path)


def test_from_a_draft_to_an_answer(terminal: Terminal) -> None:
    keys = [f"--key={name}={key}" for name, key in terminal.keys.items()]
    shares = ("--share", "media=media.exposures", "--share", "shop=shop.orders")
    told = terminal.says("new", ROOM, *shares, "--asks", "media", "--joins", "host", *keys)
    assert "rooms/spring/agreement.yaml is written; it is a draft" in told
    assert "to do: title: TODO what is to be found out together" in told
    assert "to do: region: no public values are promised; name them here, or leave it out" in told
    file = terminal.settings.root / "rooms/spring/agreement.yaml"
    drafted = yaml.safe_load(file.read_text())
    assert [table["dimensions"] for table in drafted["tables"]] == [
        {"campaign": ["a", "b"], "exposed": ["no", "yes"]},
        {"half": ["early", "late"]},
    ]
    assert drafted["tables"][1]["measures"] == {"amount": {"functions": ["sum", "avg"], "decimals": 2}}
    assert "measures" not in drafted["tables"][0]
    write_room(terminal.settings, drafted)
    assert "media.exposures: frozen as " in terminal.says("freeze", ROOM)
    assert "media.exposures: still " in terminal.says("freeze", ROOM)
    shown = terminal.says("sign", ROOM, party="media", typed="y\n")
    assert "  media asks and has the answers; it shares media.exposures (media.exposures)" in shown.splitlines()
    assert "Does media agree to this? [y/N]:" in shown
    assert "send rooms/spring/signatures/media.json to the other parties" in shown
    denied = terminal.says("ask", ROOM, BUYERS, code=1)
    assert "'shop' has not signed this version of the agreement of 'spring' — `mesh room sign`" in denied
    terminal.says("sign", ROOM, "--yes", party="shop")
    assert "a         yes         600" in terminal.says("ask", ROOM, BUYERS)


def test_one_mesh_with_the_keys_of_both_says_for_which_it_signs_and_which_ends_it(terminal: Terminal) -> None:
    keys = {name: terminal.json("key", "--party", name, party="owner")["key"] for name in ("media", "shop")}
    assert terminal.json("key", "--party", "shop", party="owner") == {"key": keys["shop"], "new": False}
    assert len({*keys.values(), terminal.json("key", party="owner")["key"]}) == 3, "and one of the mesh's own"
    write_room(terminal.settings, agreement_of(terminal.keys | keys))
    terminal.says("freeze", ROOM)
    told = terminal.says("sign", ROOM, "--yes", code=1, party="owner")
    assert "this mesh has the keys of media, shop — say --party media or shop" in told
    for name in keys:
        assert f"{name} signed version" in terminal.says("sign", ROOM, "--yes", "--party", name, party="owner")
    assert "a         yes         600" in terminal.says("ask", ROOM, BUYERS, party="owner")
    told = terminal.says("revoke", ROOM, "--yes", "--party", "host", code=1, party="owner")
    assert "this mesh does not have the key of 'host' — it has that of media, shop" in told
    assert "Does shop end room 'spring', for all its parties?" in terminal.says(
        "revoke", ROOM, "--party", "shop", party="owner", typed="y\n"
    )
    assert "'shop' has revoked" in terminal.says("ask", ROOM, BUYERS, code=1, party="owner")
    assert "is no party's name" in terminal.says("key", "--party", "../shop", code=USAGE, party="owner")


def test_a_partys_process_reads_as_its_seat_says_and_listens_where_the_agreement_says(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, Any] = {}
    monkeypatch.setattr("mesh_defs.cleanroom.processes.serve", lambda handle, **told: seen.update(told, handle=handle))
    terminal.opened()
    assert "names no port of 'shop' — say --port, or agree on its `url`" in terminal.says(
        "party", ROOM, code=1, party="shop"
    )
    named = [{"name": name, "key": terminal.keys[name], "url": "http://here:443x"} for name in ("media", "shop")]
    assert "names no port of 'shop'" in terminal.opened(parties=named).says("party", ROOM, code=1, party="shop")
    at = {
        name: {"name": name, "key": terminal.keys[name], "url": f"http://{name}.example:{port}"}
        for name, port in PORTS.items()
    }
    terminal.opened(parties=[at["media"], at["shop"]], joins=at["host"])
    terminal.says("party", ROOM, party="shop")
    assert (seen["port"], seen["host"]) == (8443, "127.0.0.1")
    seat = seen["handle"].__self__.seat()
    assert (seat.party, seat.principal, seat.purpose, seat.engine) == ("shop", "service:shop", "measurement", None)
    terminal.says("party", ROOM, "--port", "9000", "--as", "ada", "--engine", "trino", party="shop")
    seat = seen["handle"].__self__.seat()
    assert (seen["port"], seat.principal, seat.purpose, seat.engine) == (9000, "ada", "measurement", "trino")
    terminal.says("join", ROOM, party="host")
    assert seen["port"] == 8444
    assert "this mesh's key is not that of 'host'" in terminal.says("join", ROOM, code=1, party="shop")
    (terminal.settings.root / "rooms" / ROOM / "seats.yaml").unlink()
    assert "nobody is named who reads here for 'shop'" in terminal.says("party", ROOM, code=1, party="shop")
    assert "this mesh has no room 'sprung'" in terminal.says("party", "sprung", code=1, party="shop")


def test_values_that_no_contract_promises_are_named_by_people(terminal: Terminal) -> None:
    shares = ("--share", "media=media.exposures", "--share", "shop=shop.orders")
    left = terminal.json(
        "new", ROOM, *shares, "--asks", "media", "--joins", "host", "--values", "media.exposures.region=north,south"
    )["left"]
    assert [each for each in left if "public values" in each] == []
    assert len([each for each in left if "key" in each]) == 3
    body = yaml.safe_load((terminal.settings.root / "rooms/spring/agreement.yaml").read_text())
    assert body["tables"][0]["dimensions"]["region"] == ["north", "south"]
    again = terminal.says("new", ROOM, *shares, "--asks", "media", "--joins", "host", code=1)
    assert "room 'spring' has an agreement already" in again


def test_a_draft_is_sound_yaml_whatever_columns_are_called(terminal: Terminal) -> None:
    contract = Path(terminal.settings.root / "domains/shop/contracts/orders.odcs.yaml").read_text()
    partner = terminal.settings.root / "partner.odcs.yaml"
    partner.write_text(
        contract.replace(
            "{name: amount, logicalType: number, physicalType: 'DECIMAL(10,2)'", '{name: "no", logicalType: integer'
        )
    )
    shares = ("--share", "media=media.exposures", "--share", f"shop={partner}")
    draft = ("new", ROOM, *shares, "--asks", "media", "--joins", "host")
    assert "no column shop.orders.yes is shared" in terminal.says(*draft, "--values", "shop.orders.yes=1", code=1)
    assert "'A: b' is no party's name" in terminal.says(
        "new", ROOM, *shares, "--share", "A: b=shop.orders", "--asks", "media", "--joins", "host", code=2
    )
    terminal.says(*draft, "--values", "shop.orders.no=1, 2")
    body = yaml.safe_load((terminal.settings.root / "rooms/spring/agreement.yaml").read_text())
    assert body["tables"][1]["dimensions"] == {"half": ["early", "late"], "no": [1, 2]}


def test_a_forged_revocation_ends_nothing(terminal: Terminal) -> None:
    folder = terminal.opened().settings.root / "rooms/spring"
    (folder / "revoked").mkdir()
    forged = (folder / "signatures/shop.json").read_text().replace('"signed"', '"revoked"')
    (folder / "revoked/shop.json").write_text(forged)
    assert terminal.json("show")[0]["state"] == "open"
    assert "the signature does not hold" in terminal.says("verify", ROOM, code=1)
    terminal.says("ask", ROOM, BUYERS)


def test_a_planted_lift_is_recovered_and_chance_is_not_taken_for_one(terminal: Terminal) -> None:
    rows = terminal.opened().json("ask", ROOM, BUYERS)["rows"]
    buyers = {(row["campaign"], row["exposed"]): row["buyers"] for row in rows}
    a, b = (lift_of(buyers[each, "yes"], 2000, buyers[each, "no"], 2000) for each in "ab")
    assert a.low < 0.1 < a.high
    assert a.low > 0.05
    assert b.low < 0 < b.high
    assert abs(b.difference) < 0.02


def test_who_asked_sees_that_groups_may_be_missing_and_the_other_party_which_and_why(terminal: Terminal) -> None:
    told = terminal.opened().says("ask", ROOM, BY_REGION)
    assert "1 of 3 possible groups are shown: the others are empty or withheld, and which is not told" in told
    assert "tiny" not in told
    asker = terminal.says("show", ROOM, "--party", "media")
    assert "tiny" not in asker.partition("\nReleased\n")[2]
    assert "1 of 3 possible groups shown: the others are empty or withheld" in asker
    protected = terminal.says("show", ROOM, "--party", "shop")
    assert "1 of 3 possible groups shown, 2 withheld" in protected
    assert "withheld tiny: too few persons" in protected
    assert "withheld north: hides another group, which could be told from the sum" in protected
    [mine], [theirs] = (terminal.json("show", ROOM, "--party", each)["releases"] for each in ("media", "shop"))
    assert mine["withheld"] is None
    assert {each["values"][0]: each["because"] for each in theirs["withheld"]} == {
        "tiny": "small",
        "north": "complementary",
    }
    nobody = terminal.says("show", ROOM)
    assert "say --party to see what was withheld" in nobody
    assert "too few" not in nobody


def test_the_same_question_in_other_words_is_the_same_release(terminal: Terminal) -> None:
    terminal.opened()
    first = terminal.json("ask", ROOM, BUYERS)
    again = terminal.json("ask", ROOM, BUYERS.replace("AS e", "AS x").replace("e.", "x.").replace("AS buyers", ""))
    assert (first["repeated"], again["repeated"], first["run"] == again["run"]) == (False, True, True)
    assert "released before: the same answer, and nothing more was spent" in terminal.says("ask", ROOM, BUYERS)
    listed = terminal.json("ledger", ROOM)
    assert [each["kind"] for each in listed] == ["room-asked", "room-released"]
    assert "media asked for persons by media.exposures.campaign" in terminal.says("ledger", ROOM)


def test_templates_are_listed_with_their_values_and_asked(terminal: Terminal) -> None:
    terminal.opened()
    assert "--arg exposed=… is a value of media.exposures.exposed: no, yes" in terminal.says("templates", ROOM)
    rows = terminal.json("ask", ROOM, "--template", "buyers", "--arg", "exposed=yes")["rows"]
    assert [row["campaign"] for row in rows] == ["a", "b"]


def test_the_examples_that_are_shown_compile(terminal: Terminal) -> None:
    shown = terminal.opened().json("show", ROOM)
    assert len(shown["examples"]) == 3
    for each in shown["examples"]:
        terminal.says("ask", ROOM, each)


def test_a_budget_is_told_in_rho_and_epsilon(terminal: Terminal) -> None:
    privacy = {"rho": 0.5, "rho_per_release": 0.05, "groups_max": 5, "rows_max": 10}
    shown = terminal.opened(privacy=privacy)
    told = "rho 0.5 of 0.5 is left, which is epsilon 5.22 of 5.22 at delta 1e-06; an answer takes 0.05"
    assert told in shown.says("show", ROOM)
    assert shown.json("show", ROOM)["budget"]["micro_rho_left"] == 500_000


def test_a_private_answer_says_how_near_it_is_and_what_it_cost(terminal: Terminal) -> None:
    privacy = {"rho": 0.5, "rho_per_release": 0.3, "groups_max": 4, "rows_max": 2}
    body = agreement_of(terminal.keys)
    tables = [{**each, "measures": {}} for each in body["tables"]]
    rules = [{"name": "all", "level": "privacy", "persons_min": 2}]
    terminal.opened(privacy=privacy, tables=tables, rules=rules)
    told = terminal.json("ask", ROOM, BUYERS)
    assert told["rho"] == 0.3
    for row, near in zip(told["rows"], told["accuracy"], strict=True):
        expected = {"a": {"yes": 600, "no": 400}, "b": {"yes": 500, "no": 500}}[row["campaign"]][row["exposed"]]
        assert abs(row["buyers"] - expected) < 5 * near["buyers"] < 100
    assert terminal.json("ask", ROOM, BUYERS)["rows"] == told["rows"]
    words = terminal.says("ask", ROOM, BUYERS)
    assert "buyers ±" in words
    assert "private: noise was added, by no more than ± in 19 of 20 numbers; rho 0.3 was spent on it" in words
    assert "rho 0.2 of 0.5 is left" in terminal.says("show", ROOM)
    other = BUYERS.replace("'late'", "'early'")
    assert terminal("room", "ask", ROOM, other).returncode == 1


@pytest.mark.parametrize(
    ("command", "code", "told"),
    [
        (("ask", ROOM, "SELECT * FROM shop.orders"), 1, "a plain column is wanted here"),
        (("ask", ROOM, "SELECT count(*) FROM shop.orders"), 1, "a room answers about the persons whom parties have in"),
        (("ask", ROOM), 2, "ask either SQL or a --template"),
        (("ask", ROOM, BUYERS, "--arg", "a=b"), 2, "--arg is for a --template"),
        (
            ("ask", ROOM, "--template", "buyers", "--arg", "exposed=no", "--arg", "exposed=yes"),
            2,
            "one of the values twice",
        ),
        (("ask", ROOM, BUYERS, "--party", "shop"), 1, "'shop' may not ask in room 'spring'"),
        (("ask", ROOM, BUYERS, "--for", "shop"), 1, "'shop' may not have answers of room 'spring'"),
        (("ask", ROOM, "--template", "buyer", "--arg", "exposed=yes"), 1, "did you mean 'buyers'?"),
        (("ask", ROOM, "--template", "buyers", "--arg", "exposed=x"), 1, "known: no, yes"),
        (("ask", "sprung", BUYERS), 1, "this mesh has no room 'sprung' — did you mean 'spring'?"),
        (("show", "../mesh"), 1, "'../mesh' is no room's id"),
        (("show", ROOM, "--party", "host"), 1, "'host' is no party of 'spring'"),
        (("sign", ROOM, "--yes"), 1, "this mesh has no key for clean rooms"),
    ],
)
def test_what_is_refused_is_said_in_words(terminal: Terminal, command: tuple[str, ...], code: int, told: str) -> None:
    assert told in terminal.opened().says(*command, code=code)


def test_a_key_that_is_no_partys_signs_nothing(terminal: Terminal) -> None:
    told = terminal.opened().says("sign", ROOM, "--yes", code=1, party="host")
    assert "this mesh's key is no party's of 'spring'" in told


def test_a_party_that_says_no_has_signed_nothing(terminal: Terminal) -> None:
    write_room(terminal.settings, agreement_of(terminal.keys))
    done = terminal("room", "sign", ROOM, party="media", typed="n\n")
    assert done.returncode == 130
    assert not (terminal.settings.root / "rooms/spring/signatures").exists()


def test_revoked_is_revoked_for_all(terminal: Terminal) -> None:
    terminal.opened().says("revoke", ROOM, "--yes", party="shop")
    assert "'shop' has revoked the agreement of 'spring'" in terminal.says("ask", ROOM, BUYERS, code=1)
    assert "shop revoked it on" in terminal.says("show", ROOM)
    assert terminal.json("show")[0]["state"] == "revoked"
    assert "'shop' has revoked" in terminal.says("verify", ROOM, code=1)


def test_verify_says_sound_and_names_what_is_not(terminal: Terminal) -> None:
    terminal.opened().says("ask", ROOM, BUYERS)
    assert "sound: signed by media, shop; the ledger is whole" in terminal.says("verify", ROOM)
    folder = terminal.settings.root / "rooms/spring"
    statement = folder / "signatures/shop.json"
    statement.write_text(statement.read_text().replace("signed", "Signed", 1).replace('"at": "2', '"at": "3'))
    assert "the signature does not hold" in terminal.says("verify", ROOM, code=1)
    agreement = folder / "agreement.yaml"
    agreement.write_text(agreement.read_text().replace("persons_min: 25", "persons_min: 2"))
    found = terminal.json("verify", ROOM)
    assert not found["sound"]
    assert any("it is of another version of the agreement" in each["what"] for each in found["findings"])


def test_what_was_handed_over_is_never_passed_over(terminal: Terminal, tmp_path: Path) -> None:
    """This mesh speaks for both: whose ledger is to be held against it must be said."""
    terminal.opened()
    file = tmp_path / "kept.json"
    assert "there are no signatures: No such file" in terminal.says("verify", ROOM, "--with", str(file), code=1)
    file.write_text("[" * 100_000)
    assert "these are no kept signatures" in terminal.says("verify", ROOM, "--with", str(file), code=3)
    hand_over(file, ROOM, [b"no message"])
    assert "say --party" in terminal.says("verify", ROOM, "--with", str(file), code=1)
    told = terminal.says("verify", ROOM, "--with", str(file), "--party", "media", code=1)
    assert "what was kept" in told
    assert "this mesh keeps no signatures" in terminal.says("verify", ROOM, "--out", str(tmp_path / "out"), code=1)
    assert not (tmp_path / "out").exists()


def test_a_mesh_that_does_not_speak_for_all_does_not_ask_in_one_process(terminal: Terminal) -> None:
    terminal.opened()
    write_room(
        terminal.settings,
        yaml.safe_load((terminal.settings.root / "rooms/spring/agreement.yaml").read_text()),
        seats=["media"],
    )
    told = terminal.says("ask", ROOM, BUYERS, code=3, party="media")
    assert "the agreement names no address of 'media'" in told


def test_validate_reads_the_rooms(terminal: Terminal) -> None:
    terminal.opened()
    folder = terminal.settings.root / "rooms/spring"
    assert terminal("validate").returncode == 0
    seats = folder / "seats.yaml"
    seats.write_text(seats.read_text().replace("principal: ada", "principal: max"))
    told = terminal("validate")
    assert told.returncode == 1
    assert (
        "rooms/spring/seats.yaml: media: max may not read for measurement: media.exposures: no grant"
        in told.stderr + told.stdout
    )
    agreement = folder / "agreement.yaml"
    agreement.write_text(agreement.read_text().replace("person: person_id", "person: half", 1))
    told = terminal("validate")
    assert "media.exposures has no column 'half'" in told.stderr + told.stdout
    agreement.write_text("format: 2\n")
    told = terminal("validate")
    assert "rooms/spring/agreement.yaml:1: format" in told.stderr + told.stdout
