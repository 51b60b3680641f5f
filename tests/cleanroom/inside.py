"""The same parties and join without sockets: one process, messages handed over, and a place to step in between."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mesh_defs.cleanroom import steps
from mesh_defs.cleanroom.book import Book, Page
from mesh_defs.cleanroom.channel import Trust
from mesh_defs.cleanroom.extract import Seat
from mesh_defs.cleanroom.host import JoinServer
from mesh_defs.cleanroom.joining import Round, joined, why
from mesh_defs.cleanroom.keys import identity
from mesh_defs.cleanroom.party import PartyServer
from mesh_defs.cleanroom.processes import folder_of, journal_of
from mesh_defs.cleanroom.rules import Asked
from mesh_defs.cleanroom.wire import Message, Speaker, join, party, read, vouch
from mesh_defs.documents.room import digest_of
from mesh_defs.errors import AccessDeniedError, UnreachableError
from mesh_defs.ledger.ledger import open_ledger
from mesh_defs.ledger.seal import seal_of
from mesh_defs.model.room import Agreement
from mesh_defs.query.platform import open_platform
from tests.cleanroom.parties import AGENCY, JOIN, QUESTION, ROOM, SHOP, Parties

Between = Callable[[str, bytes, Callable[[bytes], bytes]], bytes]
URLS = {name: f"https://{name}.example" for name in (SHOP, AGENCY, "bank", JOIN)}


def as_it_is(name: str, raw: bytes, handle: Callable[[bytes], bytes]) -> bytes:
    """Hand a message over, and its answer back."""
    return handle(raw)


class _Inside(JoinServer):
    """A join whose run is no process of its own: for faults on the wire, not of the process."""

    def _run(self, start: Message, agreement: Agreement, digest: str) -> dict[str, str]:
        key = Ed25519PrivateKey.generate()
        voucher = vouch(self.speaker.key, key, room=agreement.id, agreement=digest, run=start.head.run)

        def deliver() -> bool:
            self.journal.move(start.head.run, agreement.id, from_=("begun",), to="delivering")
            return True

        round_ = Round(
            agreement=agreement,
            digest=digest,
            start=start,
            speaker=replace(self.speaker, key=key, voucher=voucher),
            post=self.post,
            deadline=time.monotonic() + 300,
            answer_bytes_max=50_000_000,
        )
        try:
            return {"state": joined(round_, deliver)}
        except Exception as error:  # noqa: BLE001  as the process of a run does
            return {"state": "abandoned", "why": why(error)}


@dataclass
class Inside:
    """All three, with `between` on every way from one to another. `restart` forgets what a process has in memory."""

    parties: Parties
    between: Between = as_it_is
    servers: dict[str, PartyServer | JoinServer] = field(default_factory=dict)
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    def __post_init__(self) -> None:
        self.platforms = {name: open_platform(self.parties.meshes[name]) for name in self.parties.names}
        for name in self.parties.meshes:
            self.restart(name)

    def restart(self, name: str) -> None:
        settings = self.parties.meshes[name]
        folder = folder_of(settings, ROOM)
        key = identity(settings)
        if name == JOIN:
            self.servers[name] = _Inside(
                folder=folder,
                speaker=Speaker(name=join(folder.agreement()), key=key, clock=self.clock),
                journal=journal_of(settings, "join"),
                post=self.post,
                trust=Trust(),
            )
            return
        seat = Seat(party=name, platform=self.platforms[name], principal="ada", purpose="measurement")
        self.servers[name] = PartyServer(
            name=name,
            folder=folder,
            seat=lambda: seat,
            head=seal_of(settings).head,
            speaker=Speaker(name=party(name), key=key, clock=self.clock),
            journal=journal_of(settings, "party"),
            post=self.post,
        )

    def post(self, url: str, raw: bytes, seconds: float, bytes_max: int) -> bytes:
        (name,) = (name for name, each in URLS.items() if each == url)
        answer = self.between(name, raw, lambda body: self.servers[name].handle(body))
        if len(answer) > bytes_max:
            raise UnreachableError("too large")
        return answer

    def say(self, kind: str, body: bytes, *, by: str, to: str, run: str = "", **changes: Any) -> bytes:
        """A message that one of them could send: by "shop", "agency" or "neutral"."""
        settings = self.parties.meshes[by]
        agreement = folder_of(settings, ROOM).agreement()
        name = join(agreement) if by == JOIN else party(by)
        speaker = Speaker(name=name, key=identity(settings), clock=self.clock)
        told = {"room": agreement.id, "agreement": digest_of(agreement), "run": run, **changes}
        return speaker.say(kind, body, to=join(agreement) if to == JOIN else party(to), **told).raw

    def ask(self, question: str = QUESTION, by: str = AGENCY, **asked: Any) -> Mapping[str, Any]:
        """Ask one party's process, the agency's by default; its answer, or its refusal with the kind of the message."""
        body = steps.asked_as_body(Asked(**{"analyst": by, "recipient": by, "sql": question, **asked}))
        raw = self.say("ask", body, by=by, to=by)
        answer = read(self.servers[by].handle(raw))
        return {"kind": answer.head.kind, **answer.json()}

    def page(self, name: str) -> Page:
        """What a party's ledger says of the room."""
        settings = self.parties.meshes[name]
        return Book(open_ledger(settings), folder_of(settings, ROOM).agreement()).page()

    def kinds(self, name: str, run: str) -> list[str]:
        """What a party's ledger says of a run, in order."""
        entries = open_ledger(self.parties.meshes[name]).entries(limit=None, oldest_first=True)
        return [each.kind.removeprefix("room-") for each in entries if each.body.get("run") == run]


def dead_at(name: str, kind: str, *, handled: bool) -> Between:
    """Let one party go silent at one step: before it has taken it, or after."""

    def between(to: str, raw: bytes, handle: Callable[[bytes], bytes]) -> bytes:
        if (to, read(raw).head.kind) == (name, kind):
            if handled:
                handle(raw)
            raise UnreachableError("silent")
        return handle(raw)

    return between


__all__ = ["URLS", "AccessDeniedError", "Inside", "as_it_is", "dead_at"]
