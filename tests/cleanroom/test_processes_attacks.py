"""What a party, the join, or somebody on the way between them may try: refused before anything is read or recorded."""

import base64
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mesh_defs.cleanroom import steps, wire
from mesh_defs.cleanroom.cosigned import last_heads
from mesh_defs.cleanroom.keys import identity
from mesh_defs.cleanroom.processes import folder_of, journal_of, kept_signatures, verify_signed
from mesh_defs.cleanroom.rules import Asked
from mesh_defs.cleanroom.signed import state
from mesh_defs.cleanroom.wire import Message, Speaker, join, packed, party, read, unpacked
from mesh_defs.documents.room import digest_of
from mesh_defs.errors import AccessDeniedError, UnreachableError
from mesh_defs.ledger.ledger import open_ledger
from mesh_defs.model.room import Agreement
from tests.cleanroom.inside import URLS, Inside, as_it_is
from tests.cleanroom.parties import AGENCY, JOIN, QUESTION, ROOM, SHOP, Parties

RUN = "f" * 32


def question(sql: str = QUESTION, analyst: str = AGENCY, recipient: str = AGENCY) -> bytes:
    return steps.asked_as_body(Asked(analyst=analyst, recipient=recipient, sql=sql))


def prepare(inside: Inside, start: bytes, run: str = RUN, **changes: Any) -> bytes:
    body = steps.as_body({"start": base64.b64encode(start).decode()})
    return inside.say("prepare", body, by=JOIN, to=SHOP, run=run, **changes)


def refused(answer: bytes) -> str | None:
    """The code of a refusal; None when it was none."""
    message = read(answer)
    return str(message.json()["code"]) if message.head.kind == wire.REFUSED else None


def require_untouched(inside: Inside) -> None:
    page = inside.page(SHOP)
    assert page.releases == () and not page.unsettled


def agreement_of(inside: Inside) -> Agreement:
    return folder_of(inside.parties.meshes[SHOP], ROOM).agreement()


def forged(raw: bytes, **changes: Any) -> bytes:
    """A message with another head or body, its signature left as it was."""
    message = read(raw)
    body = changes.pop("body", message.body)
    head = json.dumps(asdict(replace(message.head, **changes))).encode()
    return wire.MAGIC + len(head).to_bytes(4, "big") + head + body


@pytest.mark.parametrize(
    "changes",
    [
        {"body": b"{}"},
        {"kind": "abandon"},
        {"run": "e" * 32},
        {"nonce": "0" * 32},
        {"receiver": "party:agency"},
        {"sender": "party:agency"},
        {"at": datetime.now(UTC).isoformat()},
        {"signature": ""},
        {"signature": base64.b64encode(bytes(64)).decode()},
        {"answers": "1"},
        {"room": "other"},
        {"agreement": "0" * 64},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_a_message_that_was_changed_is_not_answered(inside: Inside, changes: Mapping[str, Any]) -> None:
    start = inside.say("start", question(), by=AGENCY, to=JOIN, run=RUN)
    with pytest.raises(AccessDeniedError):
        inside.servers[SHOP].handle(forged(prepare(inside, start), **changes))
    require_untouched(inside)


@pytest.mark.parametrize(
    "raw", [b"", b"mesh-room-1\n", b"mesh-room-1\n\xff\xff\xff\xff{}", b"GET / HTTP/1.1", b"\0" * 99]
)
def test_what_is_no_message_is_not_answered(inside: Inside, raw: bytes) -> None:
    for server in inside.servers.values():
        with pytest.raises(AccessDeniedError, match="no message"):
            server.handle(raw)


def test_a_message_is_taken_once_across_restarts(inside: Inside) -> None:
    start = inside.say("start", question(), by=AGENCY, to=JOIN, run=RUN)
    message = prepare(inside, start)
    assert refused(inside.servers[SHOP].handle(message)) is None
    inside.restart(SHOP)
    with pytest.raises(AccessDeniedError, match="here before"):
        inside.servers[SHOP].handle(message)


def test_a_run_is_begun_once_in_whatever_room(inside: Inside) -> None:
    journal_of(inside.parties.meshes[SHOP], "party").begin(RUN, "another-room", "received")
    start = inside.say("start", question(), by=AGENCY, to=JOIN, run=RUN)
    assert refused(inside.servers[SHOP].handle(prepare(inside, start))) == "access-denied"
    abandon = inside.say("abandon", b"{}", by=JOIN, to=SHOP, run=RUN)
    assert refused(inside.servers[SHOP].handle(abandon)) == "access-denied"
    require_untouched(inside)


def test_an_old_message_is_not_answered(inside: Inside) -> None:
    inside.clock = lambda: datetime.now(UTC) - timedelta(minutes=5)
    old = prepare(inside, inside.say("start", question(), by=AGENCY, to=JOIN, run=RUN))
    with pytest.raises(AccessDeniedError, match="from now"):
        inside.servers[SHOP].handle(old)


def test_parties_do_not_take_steps_from_one_another_or_in_anothers_name(inside: Inside) -> None:
    start = inside.say("start", question(), by=AGENCY, to=JOIN, run=RUN)
    body = steps.as_body({"start": base64.b64encode(start).decode()})
    for kind in ("prepare", "share", "partial", "commit", "cosign", "deliver", "abandon", "start", "ask", "nothing"):
        with pytest.raises(AccessDeniedError):
            inside.servers[SHOP].handle(inside.say(kind, body, by=AGENCY, to=SHOP, run=RUN))
    with pytest.raises(AccessDeniedError):
        inside.servers[JOIN].handle(inside.say("prepare", body, by=AGENCY, to=JOIN, run=RUN))
    require_untouched(inside)


@pytest.mark.parametrize("by", [SHOP, JOIN])
def test_nobody_asks_in_anothers_name(inside: Inside, by: str) -> None:
    start = inside.say("start", question(analyst=AGENCY), by=by, to=JOIN, run=RUN)
    assert refused(inside.servers[SHOP].handle(prepare(inside, start))) == "access-denied"
    require_untouched(inside)


@pytest.mark.parametrize(
    "body",
    [
        question(
            "SELECT o.email, count(*) FROM shop.orders AS o JOIN agency.reached AS r ON o.email = r.email GROUP BY 1"
        ),
        question(analyst=SHOP),
        question(recipient=JOIN),
        b"[]",
        b'{"analyst": "agency"}',
    ],
)
def test_each_party_compiles_the_question_by_itself(inside: Inside, body: bytes) -> None:
    """A join, and a party that asks, may agree on whatever they like."""
    start = inside.say("start", body, by=AGENCY, to=JOIN, run=RUN)
    assert refused(inside.servers[SHOP].handle(prepare(inside, start))) in ("access-denied", "analysis-rejected")
    require_untouched(inside)


def test_a_question_serves_for_its_own_run_only(inside: Inside) -> None:
    start = inside.say("start", question(), by=AGENCY, to=JOIN, run="e" * 32)
    assert refused(inside.servers[SHOP].handle(prepare(inside, start))) == "access-denied"


def test_the_join_lends_its_voice_for_one_run_only(inside: Inside) -> None:
    agreement, own = agreement_of(inside), identity(inside.parties.meshes[JOIN])
    key = Ed25519PrivateKey.generate()
    start = inside.say("start", question(), by=AGENCY, to=JOIN, run=RUN)
    body = steps.as_body({"start": base64.b64encode(start).decode()})
    told = {"room": agreement.id, "agreement": digest_of(agreement)}
    for name, made_for, lender in (
        (join(agreement), "e" * 32, own),
        (join(agreement), RUN, key),
        (party(AGENCY), RUN, own),
    ):
        voucher = wire.vouch(lender, key, **told, run=made_for)
        speaker = Speaker(name=name, key=key, clock=inside.clock, voucher=voucher)
        with pytest.raises(AccessDeniedError):
            inside.servers[SHOP].handle(speaker.say("prepare", body, to=party(SHOP), run=RUN, **told).raw)
    voucher = wire.vouch(own, key, **told, run=RUN)
    speaker = Speaker(name=join(agreement), key=key, clock=inside.clock, voucher=voucher)
    assert (
        refused(inside.servers[SHOP].handle(speaker.say("prepare", body, to=party(SHOP), run=RUN, **told).raw)) is None
    )
    abandon = speaker.say("abandon", b"{}", to=party(SHOP), run=RUN, **told).raw
    assert refused(inside.servers[SHOP].handle(abandon)) == "access-denied", "only the join itself gives budget back"


def _expire(parties_: Parties) -> None:
    parties_.agree(URLS, valid={"from": datetime(2026, 1, 1).date(), "until": datetime(2026, 1, 2).date()})


def _revoke(parties_: Parties) -> None:
    own = folder_of(parties_.meshes[SHOP], ROOM)
    own.keep(state("revoked", own.agreement(), SHOP, identity(parties_.meshes[SHOP]), datetime.now(UTC)))


def _edit(parties_: Parties) -> None:
    file = folder_of(parties_.meshes[SHOP], ROOM).path / "agreement.yaml"
    file.write_text(file.read_text().replace("persons_min: 5", "persons_min: 6"))


def _half(parties_: Parties) -> None:
    (folder_of(parties_.meshes[SHOP], ROOM).path / "signatures" / f"{AGENCY}.json").unlink()


@pytest.mark.parametrize("change", [_expire, _revoke, _edit, _half])
def test_a_party_believes_its_own_agreement_at_every_message(inside: Inside, change: Callable[[Parties], None]) -> None:
    def between(to: str, raw: bytes, handle: Callable[[bytes], bytes]) -> bytes:
        if (to, read(raw).head.kind) == (SHOP, "partial"):
            change(inside.parties)
        return handle(raw)

    inside.between = between
    assert inside.ask()["kind"] == "refused"
    assert inside.page(AGENCY).releases == () and inside.page(SHOP).releases == ()
    inside.between = as_it_is
    start = inside.say("start", question(), by=AGENCY, to=JOIN, run=RUN)
    if change is not _expire:
        with pytest.raises(AccessDeniedError):
            inside.servers[SHOP].handle(prepare(inside, start))


def _again(message: Message, inside: Inside, body: bytes) -> bytes:
    """The same answer of a party with another body, signed anew by that party: it lies."""
    name = message.head.sender.partition(":")[2]
    told = {"to": message.head.receiver, "room": message.head.room, "agreement": message.head.agreement}
    speaker = Speaker(name=party(name), key=identity(inside.parties.meshes[name]), clock=inside.clock)
    return speaker.say(message.head.kind, body, **told, run=message.head.run, answers=message.head.answers).raw


def _rows(head: Any, blobs: list[bytes]) -> bytes:
    head["parts"][0]["rows"] += 1
    return packed(head, blobs)


def _persons(head: Any, blobs: list[bytes]) -> bytes:
    head["parts"][0]["persons"] -= 1
    return packed(head, blobs)


def _twice(head: Any, blobs: list[bytes]) -> bytes:
    return packed(head, [blobs[0][:12] + blobs[0][:12] + blobs[0][24:], *blobs[1:]])


def _cut(head: Any, blobs: list[bytes]) -> bytes:
    return packed(head, [*blobs[:2], blobs[2][:-100]])


def _other_extract(head: Any, blobs: list[bytes]) -> bytes:
    head["parts"][0]["extract"] = 1
    return packed(head, blobs)


def _none(head: Any, blobs: list[bytes]) -> bytes:
    return packed({**head, "parts": []}, [])


@pytest.mark.parametrize("name", [SHOP, AGENCY])
@pytest.mark.parametrize("lie", [_rows, _persons, _twice, _cut, _other_extract, _none])
def test_a_partial_that_is_not_as_stated_ends_the_run(
    inside: Inside, name: str, lie: Callable[[Any, list[bytes]], bytes]
) -> None:
    def between(to: str, raw: bytes, handle: Callable[[bytes], bytes]) -> bytes:
        answer = handle(raw)
        if (to, read(raw).head.kind) != (name, "partial"):
            return answer
        message = read(answer)
        head, blobs = unpacked(message.body)
        return _again(message, inside, lie(head, [bytes(each) for each in blobs]))

    inside.between = between
    assert inside.ask()["kind"] == "refused"
    assert inside.page(SHOP).releases == () and inside.page(AGENCY).releases == ()
    assert not inside.page(SHOP).unsettled


def test_partials_that_are_signed_anew_but_say_the_same_are_taken(inside: Inside) -> None:
    """What makes the lies of these tests lies is what they say, not how they are made."""

    def between(to: str, raw: bytes, handle: Callable[[bytes], bytes]) -> bytes:
        answer = handle(raw)
        if read(raw).head.kind != "partial":
            return answer
        head, blobs = unpacked(read(answer).body)
        return _again(read(answer), inside, packed(head, [bytes(each) for each in blobs]))

    inside.between = between
    assert inside.ask()["kind"] == "ask-answer"


@pytest.mark.parametrize("to", [SHOP, AGENCY])
@pytest.mark.parametrize("kind", ["commit", "cosign", "deliver"])
def test_steps_that_the_join_says_anew_but_alike_are_taken(inside: Inside, kind: str, to: str) -> None:
    assert _told_by_join(inside, kind, lambda body: body, to=to) is None


@pytest.mark.parametrize("kind", ["prepare", "share", "partial", "commit", "cosign"])
def test_a_party_cannot_answer_for_another_or_for_an_earlier_run(inside: Inside, kind: str) -> None:
    kept: list[bytes] = []

    def earlier(to: str, raw: bytes, handle: Callable[[bytes], bytes]) -> bytes:
        answer = handle(raw)
        if (to, read(raw).head.kind) == (SHOP, kind):
            kept.append(answer)
            return kept[0]
        return answer

    inside.between = earlier
    assert inside.ask()["kind"] == "ask-answer"
    other = QUESTION.replace(", sum(o.cents) AS cents", "")
    assert inside.ask(other)["kind"] == "refused"


@pytest.mark.parametrize(
    "told",
    [
        {"shown": [["video", "moon"]]},
        {"shown": [["video", "north"], ["video", "north"]]},
        {"micro_rho": 1},
        {"micro_rho": -1},
        {"partial": "0" * 64},
        {"shown": None},
    ],
)
def test_a_party_does_not_commit_to_what_it_did_not_take_part_in(inside: Inside, told: Mapping[str, Any]) -> None:
    assert _told_by_join(inside, "commit", lambda body: {**body, **told}, to=SHOP) is not None
    assert inside.page(SHOP).releases == ()


def test_who_asks_is_not_told_what_was_withheld(inside: Inside) -> None:
    told = {"withheld": [[["rare", "north"], "small"]]}
    assert _told_by_join(inside, "commit", lambda body: {**body, **told}, to=AGENCY) == "access-denied"


def test_the_recipient_takes_only_the_numbers_that_all_signed_for(inside: Inside) -> None:
    def more(body: Any) -> Any:
        body["groups"][0][1][0] += 1
        return body

    assert _told_by_join(inside, "deliver", more, to=AGENCY) == "access-denied"
    assert not any(each.numbers for release in inside.page(AGENCY).releases for each in release.groups)


@pytest.mark.parametrize("change", ["nobody", "swapped", "other heads"])
def test_a_party_signs_only_beside_what_all_committed_to(inside: Inside, change: str) -> None:
    def changed(body: Any) -> Any:
        committed = body["committed"]
        if change == "nobody":
            del committed[AGENCY]
        elif change == "swapped":
            committed[AGENCY] = committed[SHOP]
        else:
            committed[AGENCY] = base64.b64encode(forged(base64.b64decode(committed[AGENCY]), body=b"{}")).decode()
        return body

    assert _told_by_join(inside, "cosign", changed, to=SHOP) == "access-denied"


def _told_by_join(inside: Inside, kind: str, change: Callable[[Any], Any], *, to: str) -> str | None:
    """Ask, with a join that says something else to one party than it should, signed as it must be; that party's refusal."""
    answers: list[str | None] = []

    def between(name: str, raw: bytes, handle: Callable[[bytes], bytes]) -> bytes:
        message = read(raw)
        if (name, message.head.kind) != (to, kind):
            return handle(raw)
        body = steps.as_body(change(message.json()))
        answers.append(refused(handle(inside.say(kind, body, by=JOIN, to=to, run=message.head.run))))
        raise UnreachableError("the answer is to another message than the join's process sent")

    inside.between = between
    inside.ask()
    return answers[0]


def test_a_cut_or_changed_ledger_is_found_by_what_others_signed(inside: Inside) -> None:
    assert inside.ask()["kind"] == "ask-answer"
    assert verify_signed(inside.parties.meshes[SHOP], ROOM) == ()
    handed = kept_signatures(inside.parties.meshes[AGENCY], ROOM)
    assert set(last_heads(journal_of(inside.parties.meshes[AGENCY], "party"), ROOM)) == {SHOP, AGENCY}
    settings = inside.parties.meshes[SHOP]
    for file in (*settings.home.glob("ledger.*"), *settings.secrets.glob("ledger.*")):
        file.unlink()
    open_ledger(settings)
    missing = verify_signed(settings, ROOM, handed)
    assert missing and all("missing" in each.what for each in missing)
    inside = Inside(inside.parties)
    assert inside.ask(QUESTION.replace(", sum(o.cents) AS cents", ""))["kind"] == "refused", "the others refuse it"
    ledger = open_ledger(settings)
    for _ in range(20):
        ledger.append("made-up", {"run": secrets.token_hex(4)}, at=datetime.now(UTC))
    assert any("not the one" in each.what for each in verify_signed(settings, ROOM, handed))


def test_signatures_that_were_changed_are_found(inside: Inside) -> None:
    assert inside.ask()["kind"] == "ask-answer"
    (first, *_) = kept_signatures(inside.parties.meshes[AGENCY], ROOM)
    (finding,) = verify_signed(inside.parties.meshes[SHOP], ROOM, (forged(first, body=b"{}"),))
    assert "another body" in finding.what or "not signed" in finding.what


def test_nothing_of_the_data_is_in_the_logs(inside: Inside, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", logger="mesh_defs")
    inside.ask()
    inside.ask("SELECT count(*) AS n FROM shop.orders AS o WHERE o.email = 'mail7@shop.example'")
    assert "mail" not in caplog.text and "north" not in caplog.text
