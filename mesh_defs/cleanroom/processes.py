"""Wiring: a room's processes opened from the settings of the mesh that each runs in, and the question that a person asks of
their own."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from mesh_defs.cleanroom import steps
from mesh_defs.cleanroom.book import groups_from
from mesh_defs.cleanroom.channel import Trust, poster
from mesh_defs.cleanroom.cosigned import verify
from mesh_defs.cleanroom.extract import Seat
from mesh_defs.cleanroom.frozen import take_digests
from mesh_defs.cleanroom.host import JoinServer, Limits
from mesh_defs.cleanroom.journal import Journal
from mesh_defs.cleanroom.keys import identity
from mesh_defs.cleanroom.party import PartyServer
from mesh_defs.cleanroom.room import RoomAnswer
from mesh_defs.cleanroom.rooms import party_by_key, viewer_of
from mesh_defs.cleanroom.rules import Asked, question_of
from mesh_defs.cleanroom.serving import serve
from mesh_defs.cleanroom.signed import RoomFolder
from mesh_defs.cleanroom.wire import REFUSED, Speaker, join, party, read, require_answer, require_genuine
from mesh_defs.documents.room import digest_of
from mesh_defs.errors import AccessDeniedError, Finding, NotFoundError, UnreachableError, nearest
from mesh_defs.ledger.head import public_text
from mesh_defs.ledger.ledger import open_ledger
from mesh_defs.ledger.seal import seal_of
from mesh_defs.model.query import EngineName
from mesh_defs.model.room import Agreement, Release
from mesh_defs.query.platform import open_platform
from mesh_defs.settings import Settings

_ASK_SECONDS_MAX = steps.RUN_SECONDS_MAX + 60.0
_ANSWER_BYTES_MAX = 20_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """Where a process listens, and whom it trusts."""

    host: str
    port: int
    trust: Trust


def folder_of(settings: Settings, room: str) -> RoomFolder:
    """The files of a room in this mesh."""
    return RoomFolder(settings.root / "rooms" / room)


def serve_party(
    settings: Settings,
    room: str,
    *,
    principal: str,
    purpose: str,
    engine: EngineName | None,
    listening: Listening,
) -> None:
    """Answer for the party whose key this mesh has, until the process is told to end. Reads as `principal`, for `purpose`."""
    folder, speaker = folder_of(settings, room), _speaker(settings)
    name = party_of(folder.agreement(), settings)

    def seat() -> Seat:
        platform = open_platform(settings, build=False)
        return Seat(party=name, platform=platform, principal=principal, purpose=purpose, engine=engine)

    server = PartyServer(
        name=name,
        folder=folder,
        seat=seat,
        head=seal_of(settings).head,
        speaker=speaker(party(name)),
        journal=journal_of(settings, "party"),
        post=poster(listening.trust),
    )
    threading.Thread(target=take_digests, args=(folder.agreement(), seat()), daemon=True).start()
    serve(server.handle, host=listening.host, port=listening.port, trust=listening.trust)


def serve_join(settings: Settings, room: str, *, limits: Limits, listening: Listening) -> None:
    """Take questions and start a process for each run, until the process is told to end."""
    folder = folder_of(settings, room)
    agreement = folder.agreement()
    if agreement.joins.key != public_text(identity(settings)):
        fix = "run this in the mesh whose key the agreement names as the join's"
        raise AccessDeniedError(f"this mesh's key is not that of '{agreement.joins.name}'", fix=fix)
    server = JoinServer(
        folder=folder,
        speaker=_speaker(settings)(join(agreement)),
        journal=journal_of(settings, "join"),
        post=poster(listening.trust),
        trust=listening.trust,
        limits=limits,
    )
    threading.Thread(target=server.settle, daemon=True).start()
    serve(server.handle, host=listening.host, port=listening.port, trust=listening.trust)


def ask(settings: Settings, room: str, asked: Asked, *, trust: Trust) -> RoomAnswer | None:
    """Have our own party's process ask; None when the answer goes to another party.

    AccessDeniedError, AnalysisRejectedError, UnreachableError, and EngineError for a run of which nothing was released.
    """
    agreement, now = folder_of(settings, room).signed(), datetime.now(UTC)
    name = party_of(agreement, settings)
    question, _ = question_of(asked, agreement, now)
    (url,) = (each.url for each in agreement.parties if each.name == name)
    if url is None:
        raise UnreachableError(f"the agreement names no address of '{name}'", fix="agree on one")
    digest, speaker = digest_of(agreement), _speaker(settings)(party(name))
    body = steps.asked_as_body(asked)
    message = speaker.say("ask", body, to=party(name), room=agreement.id, agreement=digest, run="")
    answer = read(poster(trust)(url, message.raw, _ASK_SECONDS_MAX, _ANSWER_BYTES_MAX))
    require_genuine(answer, agreement, digest, now=datetime.now(UTC))
    if answer.head.kind == REFUSED:
        require_answer(answer, message, REFUSED)
        raise steps.refused(answer.json())
    require_answer(answer, message, "ask-answer")
    told = answer.json()
    if told["groups"] is None:
        return None
    groups, spent = groups_from(told["groups"]), int(told["micro_rho"])
    release = Release(run=told["run"], analysis=question.analysis, groups=groups, micro_rho=spent)
    return RoomAnswer(question=question, release=release, repeated=told["repeated"])


def verify_signed(settings: Settings, room: str, handed: tuple[bytes, ...] = ()) -> tuple[Finding, ...]:
    """Hold this mesh's ledger against what all parties signed at each release: what is kept here, and what others hand over."""
    agreement = folder_of(settings, room).agreement()
    kept = (*journal_of(settings, "party").kept(agreement.id), *handed)
    return verify(agreement, party_of(agreement, settings), open_ledger(settings), kept)


def cosigned_findings(folder: RoomFolder, agreement: Agreement, settings: Settings) -> tuple[Finding, ...]:
    """What `verify_signed` finds, where a party's process ever ran in this mesh; nothing otherwise."""
    if not journal_file(settings, "party").is_file():
        return ()
    name = viewer_of(agreement, folder, settings, None)
    return verify_signed(settings, agreement.id) if name else ()


def kept_signatures(settings: Settings, room: str) -> tuple[bytes, ...]:
    """What this mesh keeps of all parties' signatures: to hand to a party that looks at its own ledger."""
    return journal_of(settings, "party").kept(folder_of(settings, room).agreement().id)


def party_of(agreement: Agreement, settings: Settings) -> str:
    """The party whose key this mesh has. NotFoundError when it is none's."""
    if name := party_by_key(agreement, settings):
        return name
    what = f"this mesh's key is no party's of '{agreement.id}'"
    raise NotFoundError(
        what, fix=f"`mesh room key` prints it; {nearest('', [each.name for each in agreement.parties])}"
    )


def journal_of(settings: Settings, role: str) -> Journal:
    """The journal of a party's or a join's process in this mesh."""
    return Journal(journal_file(settings, role))


def journal_file(settings: Settings, role: str) -> Path:
    """Where that journal lies."""
    return Path(settings.home) / "rooms" / f"{role}.sqlite"


def _speaker(settings: Settings) -> Callable[[str], Speaker]:
    key = identity(settings)
    return lambda name: Speaker(name=name, key=key, clock=lambda: datetime.now(UTC))
