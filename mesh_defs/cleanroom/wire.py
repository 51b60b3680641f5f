"""Messages between the processes of a room: signed for one purpose, one run, one receiver and one moment. Opens no socket.

    mesh-room-1\\n | length of the head, 4 bytes | head, JSON | body

Ed25519 (RFC 8032) over the head, which names the SHA-256 of the body. The join's process of one run has no key of the
room's: it signs with one made for the run, for which the join vouches in each head (`voucher`).
"""

import base64
import hashlib
import json
import re
import secrets
import struct
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import ConfigDict, TypeAdapter, ValidationError

from mesh_defs.errors import AccessDeniedError
from mesh_defs.model.room import Agreement

MAGIC = b"mesh-room-1\n"
HEAD_BYTES_MAX = 4_000
# Between organisations whose clocks nobody sets together.
SKEW_SECONDS_MAX = 120.0
REFUSED = "refused"
_SIGNED, _VOUCHED = b"mesh-room-message-1\n", b"mesh-room-voucher-1\n"
_LENGTH = struct.Struct(">I")
_STRICT = ConfigDict(extra="forbid")
# Of a run; a question to one's own party is of none yet.
_RUN = re.compile(r"([0-9a-f]{32})?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Voucher:
    """The join's word that a key, in base64, speaks for it in one run."""

    __pydantic_config__ = _STRICT

    key: str
    signature: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What is signed of a message. `answers`: the nonce of the message that this one answers, or nothing."""

    __pydantic_config__ = _STRICT

    kind: str
    room: str
    agreement: str
    run: str
    nonce: str
    sender: str
    receiver: str
    at: str
    body_sha256: str
    answers: str = ""
    signature: str = ""
    voucher: Voucher | None = None

    def signed(self) -> bytes:
        """Return what the signature is over."""
        said = {key: value for key, value in asdict(self).items() if key != "signature"}
        return _SIGNED + json.dumps(said, sort_keys=True, separators=(",", ":")).encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A head and its body, and both as they travel."""

    head: Head
    body: bytes
    raw: bytes

    def json(self) -> Any:
        """Read the body as JSON. AccessDeniedError when it is none."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            raise AccessDeniedError(f"the body of '{self.head.kind}' is no JSON") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Speaker:
    """Who signs here, as messages name it: `party:<name>` or `join:<name>`."""

    name: str
    key: Ed25519PrivateKey
    clock: Callable[[], datetime]
    voucher: Voucher | None = None

    def say(
        self, kind: str, body: bytes, *, to: str, room: str, agreement: str, run: str, answers: str = ""
    ) -> Message:
        """Return a signed message."""
        head = Head(
            kind=kind,
            room=room,
            agreement=agreement,
            run=run,
            nonce=secrets.token_hex(16),
            sender=self.name,
            receiver=to,
            at=self.clock().astimezone(UTC).isoformat(),
            body_sha256=hashlib.sha256(body).hexdigest(),
            answers=answers,
            voucher=self.voucher,
        )
        signature = base64.b64encode(self.key.sign(head.signed())).decode()
        head = Head(**{**{name: getattr(head, name) for name in Head.__slots__}, "signature": signature})
        told = json.dumps(asdict(head)).encode()
        return Message(head=head, body=body, raw=MAGIC + _LENGTH.pack(len(told)) + told + body)

    def answer(self, kind: str, body: bytes, to: Message) -> Message:
        """Return a signed answer to a message."""
        head = to.head
        return self.say(
            kind, body, to=head.sender, room=head.room, agreement=head.agreement, run=head.run, answers=head.nonce
        )


def party(name: str) -> str:
    """A party as messages name it."""
    return f"party:{name}"


def join(agreement: Agreement) -> str:
    """The join as messages name it; it may be run by a party, and is another speaker all the same."""
    return f"join:{agreement.joins.name}"


def keys_of(agreement: Agreement) -> Mapping[str, str]:
    """The public keys of all who speak in a room, in base64."""
    return {party(each.name): each.key for each in agreement.parties} | {join(agreement): agreement.joins.key}


def vouch(own: Ed25519PrivateKey, key: Ed25519PrivateKey, *, room: str, agreement: str, run: str) -> Voucher:
    """Let a key speak for the join in one run."""
    public = base64.b64encode(key.public_key().public_bytes_raw()).decode()
    signature = own.sign(_vouched(public, room, agreement, run))
    return Voucher(key=public, signature=base64.b64encode(signature).decode())


def read(raw: bytes) -> Message:
    """Take a message apart, whoever sent it. AccessDeniedError when it is none."""
    start = len(MAGIC) + _LENGTH.size
    try:
        if raw[: len(MAGIC)] != MAGIC:
            raise ValueError
        (length,) = _LENGTH.unpack(raw[len(MAGIC) : start])
        if not 0 < length <= HEAD_BYTES_MAX or len(raw) < start + length:
            raise ValueError
        head = _HEADS.validate_json(raw[start : start + length], strict=True)
        if not _RUN.fullmatch(head.run):
            raise ValueError
    except (ValueError, struct.error, RecursionError, ValidationError):
        raise AccessDeniedError("this is no message of a room") from None
    return Message(head=head, body=raw[start + length :], raw=raw)


def require_genuine(message: Message, agreement: Agreement, digest: str, *, now: datetime) -> None:
    """Raise AccessDeniedError unless who it names sent it, in this version of the agreement, now, with this body.

    `digest`: of the agreement, which is not computed again for each message.
    """
    head = message.head
    if head.room != agreement.id or head.agreement != digest:
        raise AccessDeniedError("the message is of another room, or another version of its agreement")
    require_signed_by(message, agreement)
    if abs(now - _time(head.at)) > timedelta(seconds=SKEW_SECONDS_MAX):
        fix = "set the clocks of both machines"
        raise AccessDeniedError(f"the message is over {SKEW_SECONDS_MAX:g} s from now", fix=fix)


def require_signed_by(message: Message, agreement: Agreement) -> None:
    """Raise AccessDeniedError unless who it names signed it, with this body, whenever that was."""
    head = message.head
    key = keys_of(agreement).get(head.sender)
    if key is None:
        raise AccessDeniedError("the message is of nobody in this room")
    if head.voucher is not None:
        if head.sender != join(agreement):
            raise AccessDeniedError("only the join lets another key speak for it")
        _verify(key, head.voucher.signature, _vouched(head.voucher.key, head.room, head.agreement, head.run))
        key = head.voucher.key
    _verify(key, head.signature, head.signed())
    if hashlib.sha256(message.body).hexdigest() != head.body_sha256:
        raise AccessDeniedError("the message has another body than was signed")


def require_answer(message: Message, to: Message, kind: str) -> None:
    """Raise AccessDeniedError unless it answers this very message, and says what was asked for."""
    asked, head = to.head, message.head
    if (head.answers, head.sender, head.receiver, head.run) != (asked.nonce, asked.receiver, asked.sender, asked.run):
        raise AccessDeniedError("this answers another message")
    if head.kind != kind:
        raise AccessDeniedError(f"{head.sender} answers '{head.kind}' where '{kind}' is due")


def packed(head: Any, blobs: list[bytes]) -> bytes:
    """JSON and bytes in one body."""
    told = json.dumps({"sizes": [len(each) for each in blobs], "head": head}).encode()
    return b"".join([_LENGTH.pack(len(told)), told, *blobs])


def unpacked(body: bytes) -> tuple[Any, list[memoryview]]:
    """Take a packed body apart, without copying it. AccessDeniedError when it is none."""
    try:
        (length,) = _LENGTH.unpack(body[: _LENGTH.size])
        told = json.loads(body[_LENGTH.size : _LENGTH.size + length])
        sizes, head = [int(each) for each in told["sizes"]], told["head"]
    except (ValueError, TypeError, KeyError, struct.error, RecursionError):
        raise AccessDeniedError("the body is not packed as agreed") from None
    at = _LENGTH.size + length
    if min(sizes, default=0) < 0 or at + sum(sizes) != len(body):
        raise AccessDeniedError("the body is shorter or longer than it says")
    view, blobs = memoryview(body), []
    for size in sizes:
        blobs.append(view[at : at + size])
        at += size
    return head, blobs


_HEADS = TypeAdapter(Head)


def _vouched(key: str, room: str, agreement: str, run: str) -> bytes:
    return _VOUCHED + json.dumps([key, room, agreement, run]).encode()


def _verify(key: str, signature: str, signed: bytes) -> None:
    try:
        public = Ed25519PublicKey.from_public_bytes(base64.b64decode(key, validate=True))
        public.verify(base64.b64decode(signature, validate=True), signed)
    except (InvalidSignature, ValueError):
        raise AccessDeniedError("the message is not signed by whom it names") from None


def _time(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = datetime.min
    if at.tzinfo is None:
        raise AccessDeniedError("the message does not say when it was sent")
    return at
