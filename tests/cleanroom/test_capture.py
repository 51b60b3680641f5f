"""What is planted in captured traffic is found, however it is written; and what was captured as it is gives no alarm."""

import base64
import gzip
import hashlib
import zlib
from collections.abc import Callable, Mapping
from urllib.parse import quote

import pyarrow as pa
import pytest

from demo.accounted import crossed
from demo.examined import Wanted
from mesh_defs.cleanroom.processes import folder_of
from mesh_defs.cleanroom.wire import packed, read, unpacked
from mesh_defs.model.room import Agreement
from tests.cleanroom.inside import URLS, Inside
from tests.cleanroom.parties import AGENCY, JOIN, ROOM, SHOP, Parties

PERSON, OTHER, ORDER = "0a1b2c3d4e5f", "5f4e3d2c1b0a", "00042-19970112-1"
WANTED = Wanted.of(
    {"person": [PERSON, OTHER, "a9b8c7d6e5f4"], "email": ["Mail7@Shop.Example"], "order": [ORDER, "Q372.1"]}
)
NOISE = b"".join(hashlib.sha256(bytes([n])).digest() for n in range(100))


def _column(values: list[str], codec: str | None) -> bytes:
    sink, table = pa.BufferOutputStream(), pa.table({"d0": values, "n": range(len(values))})
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression=codec)) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


def _base64(told: bytes) -> bytes:
    return base64.b64encode(b"x" + told)


WRITTEN: Mapping[str, Callable[[str], bytes]] = {
    "as it is": str.encode,
    "in capitals": lambda told: told.upper().encode(),
    "in hexadecimal": lambda told: told.encode().hex().encode(),
    "in base64": lambda told: _base64(told.encode()),
    "in base64 for URLs": lambda told: base64.urlsafe_b64encode(b"\xff\xfe" + told.encode()),
    "in base64, twice": lambda told: _base64(_base64(told.encode())),
    "in UTF-16": lambda told: told.encode("utf-16-le"),
    "in UTF-16, the other way": lambda told: told.encode("utf-16-be"),
    "escaped for JSON": lambda told: "".join(f"\\u{ord(each):04x}" for each in told).encode(),
    "escaped for URLs": lambda told: "".join(f"%{ord(each):02x}" for each in told).encode(),
    "escaped where it must be": lambda told: quote(told).encode(),
    "gzip": lambda told: gzip.compress(told.encode()),
    "zlib": lambda told: zlib.compress(told.encode()),
    "Arrow": lambda told: _column([told, "filler"], None),
    "Arrow, zstd": lambda told: _column([told] * 40 + ["filler"], "zstd"),
    "Arrow, LZ4": lambda told: _column([told] * 40 + ["filler"], "lz4"),
    "Arrow, zstd, in base64": lambda told: _base64(_column([told] * 40, "zstd")),
    "its SHA-256": lambda told: hashlib.sha256(told.encode()).digest(),
    "its SHA-256, cut as tokens are": lambda told: hashlib.sha256(told.encode()).digest()[:12],
    "its MD5 in hexadecimal": lambda told: hashlib.md5(told.encode()).hexdigest().encode(),
}


@pytest.mark.parametrize("how", WRITTEN)
@pytest.mark.parametrize("who", [PERSON, ORDER, "Mail7@Shop.Example"])
def test_an_identifier_is_found_wherever_it_lies(who: str, how: str) -> None:
    for place in (0, 1, 1_000, 1_001, 1_002, 1_003, len(NOISE)):
        assert WANTED.found_in(NOISE[:place] + WRITTEN[how](who) + NOISE[place:]), place


def test_of_what_is_short_enough_to_be_chance_it_takes_two() -> None:
    one, two = bytes.fromhex(PERSON), bytes.fromhex(OTHER)[::-1]
    assert WANTED.found_in(NOISE + one) == {}
    assert WANTED.found_in(NOISE + one + b"-" + bytes.fromhex("a9b8c7d6e5f4")) == {"person in packed digits": 2}
    assert one == two, "each is the other the other way round: packed digits are sought in either order"


def test_noise_and_what_is_like_an_identifier_give_no_alarm() -> None:
    assert WANTED.found_in(NOISE) == {}
    assert WANTED.found_in(b"0a1b2c3d4e50 mail7@shop.exampl 00042-19970112-2") == {}
    assert WANTED.found_in(b"") == {}
    with pytest.raises(ValueError, match="nothing to look for"):
        Wanted.of({"person": []})


Traffic = dict[tuple[str, str], bytes]
Spoken = tuple[Inside, Traffic, Agreement]


@pytest.fixture(scope="module")
def spoken(made: Parties) -> Spoken:
    """A run's messages by kind and party, who can sign others in their place, and what all agreed to."""
    made.agree(URLS)
    inside, traffic = Inside(made), {}

    def between(name: str, raw: bytes, handle: Callable[[bytes], bytes]) -> bytes:
        answer = handle(raw)
        traffic.update({(read(each).head.kind, name): each for each in (raw, answer)})
        return answer

    inside.between = between
    assert inside.ask()["kind"] == "ask-answer"
    return inside, traffic, folder_of(made.meshes[SHOP], ROOM).signed()


def http(raw: bytes, head: bytes = b"POST /room HTTP/1.1\r\nHost: 127.0.0.1:1") -> bytes:
    return head + b"\r\nContent-Length: %d\r\n\r\n" % len(raw) + raw


def test_a_run_is_accounted_for_to_the_last_byte(spoken: Spoken) -> None:
    _, traffic, agreement = spoken
    told = crossed([http(each) for each in traffic.values()], agreement)
    assert told.findings == []
    assert {(party, persons) for _, party, persons, _ in told.partials} == {(SHOP, 400), (AGENCY, 400)}


ROWS = {
    "a text": {"key": "1997-01-12, 2, 29.33"},
    "a day": {"key": "1997-01-12"},
    "a number as a text": {"key": "29.33"},
    "the name of a field": {"1997-01-12 29.33": 1},
    "JSON within": {"key": '{"day": "1997-01-12"}'},
    "base64 of something": {"key": base64.b64encode(b"1997-01-12, 2, 29.33").decode()},
}


@pytest.mark.parametrize("row", ROWS)
def test_a_row_in_a_message_has_no_place(spoken: Spoken, row: str) -> None:
    inside, traffic, agreement = spoken
    kind = ("prepare-answer", SHOP)
    body = str(ROWS[row]).replace("'", '"') if row != "JSON within" else '{"key": "{\\"day\\": \\"1997-01-12\\"}"}'
    run = read(traffic[kind]).head.run
    forged = inside.say("commit-answer", body.encode(), by=SHOP, to=JOIN, run=run)
    told = crossed([http(each) for each in (*traffic.values(), forged)], agreement)
    assert any("commit-answer" in each for each in told.findings), told.findings
    assert not any("1997" in each or "29.33" in each for each in told.findings), "what is found is not told"


def _more_blobs(body: bytes) -> bytes:
    head, blobs = unpacked(body)
    return packed(head, [*map(bytes, blobs), b"1997-01-12"])


def _other_column(body: bytes) -> bytes:
    head, blobs = unpacked(body)
    rows = pa.ipc.open_stream(pa.py_buffer(blobs[2])).read_all()
    sink = pa.BufferOutputStream()
    more = rows.append_column("customer", pa.array(range(rows.num_rows)))
    with pa.ipc.new_stream(sink, more.schema) as writer:
        writer.write_table(more)
    return packed(head, [bytes(blobs[0]), bytes(blobs[1]), sink.getvalue().to_pybytes()])


def _other_word(body: bytes) -> bytes:
    head, blobs = unpacked(body)
    return packed({**head, "rows": [["1997-01-12", 2]]}, list(map(bytes, blobs)))


@pytest.mark.parametrize("change", [_more_blobs, _other_column, _other_word])
def test_a_partial_with_more_than_was_agreed_has_no_place(spoken: Spoken, change: Callable[[bytes], bytes]) -> None:
    inside, traffic, agreement = spoken
    kind = ("partial-answer", SHOP)
    sent = read(traffic[kind])
    forged = inside.say("partial-answer", change(sent.body), by=SHOP, to=JOIN, run=sent.head.run)
    told = crossed([http(each) for each in ({**traffic, kind: forged}).values()], agreement)
    assert any("partial-answer" in each for each in told.findings)


def test_what_is_no_message_has_no_place(spoken: Spoken) -> None:
    _, traffic, agreement = spoken
    raw = traffic["prepare-answer", SHOP]
    assert crossed([http(raw)], agreement).findings == []
    for stream in (
        http(raw) + b"1997-01-12",
        http(raw)[:-1],
        http(raw[:-1] + b"x"),
        http(b"1997-01-12"),
        b"1997-01-12",
        http(raw, b"POST /room HTTP/1.1\r\nX-Row: 1997-01-12"),
        http(raw, b"POST /room?day=1997-01-12 HTTP/1.1"),
    ):
        assert len(crossed([stream], agreement).findings) == 1, stream[:60]
