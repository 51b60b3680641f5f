"""Accounts for all that crossed between a room's processes: what was said, how often, in how many bytes, and whether all of it
has a place there. A row would have none, whatever is in it.

Each stream is one HTTP request or answer with one signed message. A partial is held to the columns, codes and counts that the
agreement and the question allow; a text in any other message is a word, a name of the agreement, a time, a key, a signature, a
digest or the question, and only what goes to whoever has the answers may hold numbers as texts.
"""

import base64
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from demo.relay import message_in
from mesh_defs.cleanroom import steps
from mesh_defs.cleanroom.extract import Extract, extracts_of
from mesh_defs.cleanroom.parcel import layout_of, unwrapped
from mesh_defs.cleanroom.rules import Asked, question_of
from mesh_defs.cleanroom.wire import Message, read, require_signed_by, unpacked
from mesh_defs.documents.room import canonical
from mesh_defs.errors import MeshError
from mesh_defs.model.room import Agreement

PARTIAL = "partial-answer"
_TO_RECIPIENT = ("ask-answer", "deliver")
_HEAD = re.compile(
    rb"(POST /room HTTP/1\.1|HTTP/1\.1 200 OK)(\r\n(host: [\d.:]+|accept-encoding: identity|content-length: \d+"
    rb"|date: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT|content-type: application/octet-stream))*",
    re.IGNORECASE,
)
_WORD = re.compile(r"[a-z_-]{1,24}|(party|join):[a-z_-]+")
_DIGEST = re.compile(r"([0-9a-f]{32}|[0-9a-f]{64})")
_NUMBER = re.compile(r"-?\d+(\.\d+)?")
# A key or a digest, a signature, a sealed secret.
_SECRET_BYTES = (32, 64, 80)


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossed:
    """What crossed: messages and bytes by kind; of each partial run, party, persons and rows; what has no place there."""

    messages: Mapping[str, int]
    bytes_: Mapping[str, int]
    partials: Sequence[tuple[str, str, int, int]]
    findings: Sequence[str]


def crossed(streams: Iterable[bytes], agreement: Agreement) -> Crossed:
    """Take captured streams apart, each of one direction of one connection."""
    messages, sizes, findings = [], Counter[str](), []
    for stream in streams:
        try:
            message = message_in(stream)
            require_signed_by(message, agreement)
            messages.append(message)
            sizes[message.head.kind] += len(stream)
            if not _HEAD.fullmatch(stream.partition(b"\r\n\r\n")[0]):
                findings.append(f"{message.head.kind}: a header of HTTP that is not the protocol's")
        except (ValueError, MeshError) as error:
            findings.append(f"{len(stream):,} bytes that are not the protocol's: {error}")
    partials: list[tuple[str, str, int, int]] = []
    questions = {steps.asked_of(each).sql for each in messages if each.head.kind == "start"}
    texts = _Texts(_strings(json.loads(canonical(agreement))) | questions)
    for each in messages:
        try:
            if each.head.kind == PARTIAL:
                partials.append(_held(each, messages, agreement))
            else:
                findings += [f"{each.head.kind}: {told}" for told in texts.strange(each)]
        except (ValueError, MeshError) as error:
            findings.append(f"{each.head.kind}: {error}")
    kinds = Counter(each.head.kind for each in messages)
    return Crossed(messages=kinds, bytes_=sizes, partials=partials, findings=findings)


@dataclass(frozen=True, slots=True)
class _Texts:
    """`known`: the texts that everybody has signed, and the questions."""

    known: set[str]

    def strange(self, message: Message) -> Iterator[str]:
        """What of a message's body has no place in it. The text itself is not told."""
        numbers = message.head.kind in _TO_RECIPIENT
        for text in _strings(message.json()):
            if not (self._has_place(text) or (numbers and _NUMBER.fullmatch(text))):
                yield f"a text of {len(text)} characters that is none of the protocol's"

    def _has_place(self, text: str) -> bool:
        if text in self.known or _WORD.fullmatch(text) or _DIGEST.fullmatch(text) or not text:
            return True
        return any(_reads(text, how) for how in (_time, self._secret, self._nested))

    def _secret(self, text: str) -> bool:
        return len(base64.b64decode(text, validate=True)) in _SECRET_BYTES

    def _nested(self, text: str) -> bool:
        """A ledger's head, as JSON, or a message that is passed on."""
        if text.startswith("{"):
            return all(self._has_place(each) for each in _strings(json.loads(text)))
        return not list(self.strange(read(base64.b64decode(text, validate=True))))


def _reads(text: str, how: Callable[[str], bool]) -> bool:
    try:
        return how(text)
    except (ValueError, MeshError):
        return False


def _time(text: str) -> bool:
    return datetime.fromisoformat(text).tzinfo is not None


def _strings(told: Any) -> set[str]:
    """Every text in a JSON value, keys too."""
    if isinstance(told, dict):
        return _strings([*told, *told.values()])
    if isinstance(told, list):
        return set().union(*map(_strings, told))
    return {told} if isinstance(told, str) else set()


def _held(partial: Message, messages: Sequence[Message], agreement: Agreement) -> tuple[str, str, int, int]:
    """Hold a partial to what its run may carry, as the join does; the run, whose it is, and its persons and rows."""
    of_run = {(each.head.kind, each.head.sender): each for each in messages if each.head.run == partial.head.run}
    (start,) = (each for (kind, _), each in of_run.items() if kind == "start")
    asked, name = steps.asked_of(start), partial.head.sender.partition(":")[2]
    head, blobs = unpacked(partial.body)
    mine = [each for each in _extracts(asked, of_run, agreement) if each.of(name, agreement)]
    if set(head) != {"parts", "shown"} or len(head["parts"]) != len(mine) or len(blobs) != 3 * len(mine):
        raise ValueError("other parts than the run's")
    persons = rows = 0
    for place, (extract, stated) in enumerate(zip(mine, head["parts"], strict=True)):
        layout = layout_of(extract, agreement, name, analyst=asked.analyst)
        rows += unwrapped(stated, blobs[3 * place : 3 * place + 3], layout).num_rows
        persons += int(stated["persons"])
    return partial.head.run, name, persons, rows


def _extracts(asked: Asked, of_run: Mapping[tuple[str, str], Message], agreement: Agreement) -> tuple[Extract, ...]:
    question, _ = question_of(asked, agreement, datetime.now(UTC))
    prepared = {
        sender.partition(":")[2]: steps.prepared_of(each, agreement)
        for (kind, sender), each in of_run.items()
        if kind == "prepare-answer"
    }
    earlier = steps.compared(prepared, agreement, asked.analyst)
    return extracts_of(question.analysis, earlier.values(), agreement)
