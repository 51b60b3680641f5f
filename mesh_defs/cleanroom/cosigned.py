"""What parties sign of each other's ledgers at each release, and what comes to light by it later: a cut tail, a changed entry.

A ledger's own chain and head are its owner's to write anew. The heads that others signed and keep are not.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from mesh_defs.cleanroom.journal import Journal
from mesh_defs.cleanroom.wire import Message, party, read, require_signed_by
from mesh_defs.errors import AccessDeniedError, Finding
from mesh_defs.ledger import Ledger
from mesh_defs.ledger.head import Head, parse
from mesh_defs.model.room import Agreement

_KEEP = "keep everything as it is, and ask the other parties for what they keep"


def committed_of(answer: Message, sha256: str) -> Head:
    """Return the head that a party shows for a release. AccessDeniedError when it is none, or for another release."""
    try:
        told = answer.json()
        head = parse(told["head"])
        seq, release = told["seq"], told["release"]
    except (KeyError, TypeError, ValueError):
        raise AccessDeniedError("this is no answer to `commit`") from None
    if release != sha256:
        raise AccessDeniedError("the parties were shown different releases")
    if not head.is_genuine or not isinstance(seq, int) or head.seq < seq:
        raise AccessDeniedError("a party shows a head that does not cover the release")
    return head


def require_onward(heads: Mapping[str, Head], journal: Journal, room: str) -> None:
    """Raise AccessDeniedError when a party's ledger went back, or was written anew, since it last showed its head."""
    for name, before in last_heads(journal, room).items():
        now = heads.get(name)
        if now is None:
            continue
        if now.key != before.key:
            raise AccessDeniedError(f"the ledger of '{name}' is signed by another key than before")
        if now.seq < before.seq or (now.seq == before.seq and now.hash != before.hash):
            raise AccessDeniedError(f"the ledger of '{name}' has lost entries that it had at an earlier release")


def last_heads(journal: Journal, room: str) -> dict[str, Head]:
    """The newest head of each party that was signed for."""
    found: dict[str, Head] = {}
    for raw in journal.kept(room):
        for name, head in _heads(read(raw)).items():
            if name not in found or found[name].seq < head.seq:
                found[name] = head
    return found


def verify(agreement: Agreement, name: str, ledger: Ledger, kept: Iterable[bytes]) -> tuple[Finding, ...]:
    """Hold a party's ledger against what the parties signed: `kept` of its own journal, and what others hand over.

    Finds an entry that is gone or changed, and a signature that does not hold. The chain itself is `ledger.audit`'s.
    """
    return tuple(finding for raw in kept for finding in _verified(raw, agreement, name, ledger))


def _verified(raw: bytes, agreement: Agreement, name: str, ledger: Ledger) -> Iterator[Finding]:
    try:
        message = read(raw)
        require_signed_by(message, agreement)
    except AccessDeniedError as error:
        yield Finding(where="what was kept", what=error.what, fix=_KEEP)
        return
    where = f"run {message.head.run}, signed by {message.head.sender}"
    head = _heads(message).get(name)
    if head is None or message.head.room != agreement.id:
        return
    found = ledger.entries(after=head.seq - 1, limit=1, oldest_first=True)
    if not found or found[0].seq != head.seq:
        yield Finding(where=where, what=f"entry {head.seq} of the ledger is missing, which was signed for", fix=_KEEP)
    elif found[0].hash != head.hash:
        yield Finding(where=where, what=f"entry {head.seq} of the ledger is not the one that was signed for", fix=_KEEP)


def heads_body(sha256: str, heads: Mapping[str, Head]) -> bytes:
    """What a party signs for: the release, and the heads of all parties' ledgers. The same bytes at all of them."""
    told = {"release": sha256, "heads": {name: heads[name].text for name in sorted(heads)}}
    return json.dumps(told, sort_keys=True).encode()


def require_cosigned(messages: Mapping[str, Message], expected: bytes, agreement: Agreement) -> None:
    """Raise AccessDeniedError unless every party signed for the same release and heads."""
    for each in agreement.parties:
        message = messages.get(each.name)
        if message is None or message.head.sender != party(each.name) or message.body != expected:
            raise AccessDeniedError(f"'{each.name}' has not signed for this release")


def _heads(message: Message) -> dict[str, Head]:
    try:
        told: Any = json.loads(message.body)
        return {str(name): parse(text) for name, text in told["heads"].items()}
    except (KeyError, TypeError, ValueError, AttributeError):
        return {}
