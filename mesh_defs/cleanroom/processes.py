"""Wiring: a room's processes opened from the settings of the mesh that each runs in, and the question that a person asks of
their own."""

import threading
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mesh_defs.cleanroom import steps
from mesh_defs.cleanroom.book import groups_from
from mesh_defs.cleanroom.channel import Trust, poster
from mesh_defs.cleanroom.cosigned import verify
from mesh_defs.cleanroom.extract import Seat
from mesh_defs.cleanroom.frozen import take_digests
from mesh_defs.cleanroom.host import JoinServer, Limits
from mesh_defs.cleanroom.journal import Journal
from mesh_defs.cleanroom.keys import key_behind
from mesh_defs.cleanroom.parcel import get_ready
from mesh_defs.cleanroom.party import PartyServer
from mesh_defs.cleanroom.room import RoomAnswer
from mesh_defs.cleanroom.rooms import room_at, seat_of, signer_of, spoken_for, viewer_of
from mesh_defs.cleanroom.rules import Asked, question_of
from mesh_defs.cleanroom.serving import serve
from mesh_defs.cleanroom.signed import RoomFolder
from mesh_defs.cleanroom.wire import REFUSED, Speaker, join, party, read, require_answer, require_genuine
from mesh_defs.documents.room import digest_of
from mesh_defs.errors import AccessDeniedError, Finding, NotFoundError, UnreachableError
from mesh_defs.ledger.ledger import open_ledger
from mesh_defs.ledger.seal import seal_of
from mesh_defs.model.room import Party, Release
from mesh_defs.query.platform import open_platform
from mesh_defs.settings import Settings

_ASK_SECONDS_MAX = steps.RUN_SECONDS_MAX + 60.0
_ANSWER_BYTES_MAX = 20_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """Where a process listens, and whom it trusts. `port`: None for that of its address in the agreement."""

    host: str
    port: int | None
    trust: Trust

    def port_of(self, party: Party) -> int:
        """The port of a party's or the join's process. NotFoundError when neither names one."""
        try:
            port = self.port or urlsplit(party.url or "").port
        except ValueError:
            port = None
        if port is None:
            fix = "say --port, or agree on its `url`"
            raise NotFoundError(f"the agreement names no port of '{party.name}'", fix=fix)
        return port


def folder_of(settings: Settings, room: str) -> RoomFolder:
    """The files of a room in this mesh."""
    return RoomFolder(settings.root / "rooms" / room)


def serve_party(
    settings: Settings,
    room: str,
    *,
    wanted: str | None,
    given: Mapping[str, str],
    listening: Listening,
) -> None:
    """Answer for the party whose key this mesh has, until the process is told to end; `wanted` where it has several.

    Reads as the party's seat says (seats.yaml), which is read anew at every message, like the mesh, or as is `given` instead
    (`principal`, `purpose`, `engine`). NotFoundError when nobody is named.
    """
    folder = room_at(settings, room)
    agreement = folder.agreement()
    name, key = signer_of(agreement, settings, wanted)
    port = listening.port_of(next(each for each in agreement.parties if each.name == name))

    def seat() -> Seat:
        return seat_of(folder, name, open_platform(settings, build=False), given)

    server = PartyServer(
        name=name,
        folder=folder,
        seat=seat,
        head=seal_of(settings).head,
        speaker=_speaker(party(name), key),
        journal=journal_of(settings, "party"),
        post=poster(listening.trust),
    )
    get_ready()
    threading.Thread(target=take_digests, args=(agreement, seat()), daemon=True).start()
    serve(server.handle, host=listening.host, port=port, trust=listening.trust)


def serve_join(settings: Settings, room: str, *, limits: Limits, listening: Listening) -> None:
    """Take questions and start a process for each run, until the process is told to end."""
    folder = room_at(settings, room)
    agreement = folder.agreement()
    key = key_behind(settings, agreement.joins.key)
    if key is None:
        fix = "run this in the mesh whose key the agreement names as the join's: `mesh room key` prints it"
        raise AccessDeniedError(f"this mesh's key is not that of '{agreement.joins.name}'", fix=fix)
    port = listening.port_of(agreement.joins)
    server = JoinServer(
        folder=folder,
        speaker=_speaker(join(agreement), key),
        journal=journal_of(settings, "join"),
        post=poster(listening.trust),
        trust=listening.trust,
        limits=limits,
    )
    threading.Thread(target=server.settle, daemon=True).start()
    server.runners.start_ahead()
    with closing(server.runners):
        serve(server.handle, host=listening.host, port=port, trust=listening.trust)


def ask(settings: Settings, room: str, asked: Asked, *, trust: Trust) -> RoomAnswer | None:
    """Have our own party's process ask; None when the answer goes to another party.

    AccessDeniedError, AnalysisRejectedError, UnreachableError, and EngineError for a run of which nothing was released.
    """
    agreement, now = folder_of(settings, room).signed(), datetime.now(UTC)
    name, key = signer_of(agreement, settings, asked.analyst)
    question, _ = question_of(asked, agreement, now)
    (url,) = (each.url for each in agreement.parties if each.name == name)
    if url is None:
        raise UnreachableError(f"the agreement names no address of '{name}'", fix="agree on one")
    digest, speaker = digest_of(agreement), _speaker(party(name), key)
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


def verify_signed(
    settings: Settings, room: str, handed: tuple[bytes, ...] = (), wanted: str | None = None
) -> tuple[Finding, ...]:
    """Hold this mesh's ledger against what all parties signed at each release: what is kept here, and what others hand over."""
    agreement = folder_of(settings, room).agreement()
    kept = (*journal_of(settings, "party").kept(agreement.id), *handed)
    name = wanted or signer_of(agreement, settings, None)[0]
    return verify(agreement, name, open_ledger(settings), kept)


def cosigned_findings(
    folder: RoomFolder, settings: Settings, handed: tuple[bytes, ...], wanted: str | None
) -> tuple[Finding, ...]:
    """What `verify_signed` finds, where a party's process ever ran in this mesh; and always where others handed something over:
    NotFoundError when it cannot be told for which party."""
    if not handed and not journal_file(settings, "party").is_file():
        return ()
    agreement, tell = folder.agreement(), spoken_for if handed else viewer_of
    name = tell(agreement, folder, settings, wanted)
    return verify_signed(settings, agreement.id, handed, wanted=name) if name else ()


def kept_signatures(settings: Settings, room: str) -> tuple[bytes, ...]:
    """What this mesh keeps of all parties' signatures: to hand to a party that looks at its own ledger."""
    ran = journal_file(settings, "party").is_file()
    return journal_of(settings, "party").kept(folder_of(settings, room).agreement().id) if ran else ()


def journal_of(settings: Settings, role: str) -> Journal:
    """The journal of a party's or a join's process in this mesh."""
    return Journal(journal_file(settings, role))


def journal_file(settings: Settings, role: str) -> Path:
    """Where that journal lies."""
    return Path(settings.home) / "rooms" / f"{role}.sqlite"


def _speaker(name: str, key: Ed25519PrivateKey) -> Speaker:
    return Speaker(name=name, key=key, clock=lambda: datetime.now(UTC))
