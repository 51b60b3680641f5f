"""One party of a room, as a process: beside its own storage, key and ledger. It believes nobody but its own signed agreement.

It takes each step of a run once, in order, and each only when it would have come to the same by itself: the agreement is read
anew at every message, the question compiled anew, the ledger asked. What leaves are partials under the run's tokens, to the
join; and names of steps and codes of errors, to all.
"""

import base64
import hashlib
import logging
import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from mesh_defs.cleanroom import steps
from mesh_defs.cleanroom.book import Book, groups_as_json
from mesh_defs.cleanroom.budget import cost_of, require_left
from mesh_defs.cleanroom.channel import Post
from mesh_defs.cleanroom.cosigned import committed_of, heads_body, require_cosigned, require_onward
from mesh_defs.cleanroom.differencing import Earlier
from mesh_defs.cleanroom.extract import Seat, Versions, partial, token_key
from mesh_defs.cleanroom.frozen import current_versions, require_frozen
from mesh_defs.cleanroom.journal import Journal
from mesh_defs.cleanroom.parcel import layout_of, wrapped
from mesh_defs.cleanroom.proposed import numbered, release_of
from mesh_defs.cleanroom.rules import Asked, question_of, require_valid
from mesh_defs.cleanroom.run import Run
from mesh_defs.cleanroom.sealed import seal, unseal
from mesh_defs.cleanroom.signed import RoomFolder
from mesh_defs.cleanroom.wire import (
    REFUSED,
    Message,
    Speaker,
    join,
    packed,
    party,
    read,
    require_answer,
    require_genuine,
)
from mesh_defs.documents.room import digest_of
from mesh_defs.errors import AccessDeniedError, EngineError, MeshError, StorageError, UnreachableError
from mesh_defs.ledger.head import Head
from mesh_defs.model.room import Agreement, Analysis, Group, Release

_LOG = logging.getLogger(__name__)
_ASKED, _SENT, _COMMITTED, _SIGNED, _KEPT, _RECEIVED = ("asked", "sent", "committed", "signed", "kept", "received")
_ABANDONED = "abandoned"
ANSWER_BYTES_MAX = 100_000


@dataclass(slots=True)
class _Open:
    """A run under way, as far as it is in no file: when the process ends, it ends."""

    run: Run
    asked: Asked
    versions: Versions
    private: X25519PrivateKey
    prepared: bytes = b""
    secret: bytes | None = None
    sent_sha256: str = ""
    shown: tuple[Group, ...] = ()
    release_sha256: str = ""
    cosigned: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """A message in its room: with the agreement that it was held against."""

    message: Message
    agreement: Agreement
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PartyServer:
    """Answers messages of one room for one party. `seat`: gives the mesh as it is declared now; `head`: the ledger's."""

    name: str
    folder: RoomFolder
    seat: Callable[[], Seat]
    head: Callable[[], Head | None]
    speaker: Speaker
    journal: Journal
    post: Post
    _open: dict[str, _Open] = field(default_factory=dict)
    _asking: threading.Lock = field(default_factory=threading.Lock)

    def handle(self, raw: bytes) -> bytes:
        """Answer one message. AccessDeniedError, which is not answered, for one that is not genuine, or not for us, or old."""
        message = read(raw)
        kind = message.head.kind
        now = self.speaker.clock()
        agreement = self._agreement(now, revoked=kind == "abandon")
        digest = digest_of(agreement)
        require_genuine(message, agreement, digest, now=now)
        step = self._steps().get(kind)
        sender = party(self.name) if kind == "ask" else join(agreement)
        if step is None or message.head.sender != sender or message.head.answers:
            raise AccessDeniedError("no such message is expected of its sender")
        if message.head.receiver != party(self.name):
            raise AccessDeniedError("the message is for another")
        self.journal.once(message.head.nonce, now)
        return self._answered(step, Arrived(message=message, agreement=agreement, digest=digest), now)

    def _answered(self, step: Callable[[Arrived, datetime], bytes], arrived: Arrived, now: datetime) -> bytes:
        kind = arrived.message.head.kind
        try:
            body, kind = step(arrived, now), f"{kind}-answer"
        except MeshError as error:
            told = {"code": error.code}
            if kind == "ask":  # our own person: the same words as at the terminal
                told |= {"what": error.what, "where": error.where, "fix": error.fix}
            _LOG.warning("run %s: '%s' was refused: %s", arrived.message.head.run, kind, error.code)
            body, kind = steps.as_body(told), REFUSED
        except Exception as error:  # noqa: BLE001  a surface: nothing of what failed goes out, or into a log
            _LOG.error("run %s: '%s' failed: %s", arrived.message.head.run, kind, type(error).__name__)
            body, kind = steps.as_body({"code": "failed"}), REFUSED
        answer = self.speaker.answer(kind, body, arrived.message)
        if kind == "prepare-answer":
            self._open[arrived.message.head.run].prepared = answer.raw
        if kind == "cosign-answer":
            self._open[arrived.message.head.run].cosigned = answer.raw
        return answer.raw

    def _steps(self) -> Mapping[str, Callable[[Arrived, datetime], bytes]]:
        return {
            "ask": self._ask,
            "prepare": self._prepare,
            "share": self._share,
            "partial": self._partial,
            "commit": self._commit,
            "cosign": self._cosign,
            "deliver": self._deliver,
            "abandon": self._abandon,
        }

    def _agreement(self, now: datetime, *, revoked: bool) -> Agreement:
        """Our own copy, read anew. That nothing came of a run may be said after the end as well."""
        if revoked:
            return self.folder.agreement()
        agreement = self.folder.signed()
        require_valid(agreement, now)
        return agreement

    def _ask(self, arrived: Arrived, now: datetime) -> bytes:
        """Our own person asks: what is on record already, or a new run."""
        agreement = arrived.agreement
        asked = replace(steps.asked_from(arrived.message.body), analyst=self.name)
        question, terms = question_of(asked, agreement, now)
        cost, book = cost_of(asked, terms, agreement), Book(self.seat().platform.ledger, agreement)
        release = self._had(question.analysis, asked, book, cost)
        repeated = release is not None
        if release is None:
            if cost:
                require_left(cost, book.page().account, agreement)
            if not self._asking.acquire(blocking=False):
                raise UnreachableError("another question of ours is under way", fix="ask again when it is answered")
            try:
                self._start(asked, arrived)
            finally:
                self._asking.release()
            release = self._had(question.analysis, asked, book, cost)
        if release is None and asked.recipient == self.name:
            raise EngineError("the release did not arrive", fix="ask again: it counts as another one")
        groups = groups_as_json(release.groups, numbers=True) if release else None
        told = {"run": release.run, "micro_rho": release.micro_rho} if release else {"run": "", "micro_rho": 0}
        return steps.as_body({**told, "groups": groups, "repeated": repeated})

    def _had(self, analysis: Analysis, asked: Asked, book: Book, cost: int) -> Release | None:
        """The release of this analysis to us, its numbers with it; those of one may have been lost on their way."""
        page = book.page()
        for each in page.releases if asked.recipient == self.name else ():
            if (
                each.analysis == analysis
                and page.analysts[each.run] == self.name
                and each.micro_rho >= cost
                and all(g.numbers for g in each.groups)
            ):
                return each
        return None

    def _start(self, asked: Asked, arrived: Arrived) -> None:
        agreement, url = arrived.agreement, arrived.agreement.joins.url
        if url is None:
            raise AccessDeniedError("the agreement names no address of its join", fix="agree on `joins: {url: …}`")
        run = secrets.token_hex(16)
        body = steps.asked_as_body(asked)
        start = self.speaker.say(
            "start", body, to=join(agreement), room=agreement.id, agreement=arrived.digest, run=run
        )
        answer = read(self.post(url, start.raw, steps.RUN_SECONDS_MAX + 30.0, ANSWER_BYTES_MAX))
        require_genuine(answer, agreement, arrived.digest, now=self.speaker.clock())
        require_answer(answer, start, "start-answer")
        outcome = answer.json()
        if outcome.get("state") != "released":
            why = str(outcome.get("why"))[:40]
            raise EngineError(f"the run was abandoned ({why}): nothing was released", fix="ask its parties, or again")

    def _prepare(self, arrived: Arrived, now: datetime) -> bytes:
        """Whether the question is one that the agreement allows now; then it is on record, and its budget reserved."""
        agreement, run_id = arrived.agreement, arrived.message.head.run
        start = _carried(arrived.message.json().get("start"))
        require_genuine(start, agreement, arrived.digest, now=now)
        asked = steps.asked_of(start)
        if (start.head.run, start.head.receiver) != (run_id, join(agreement)):
            raise AccessDeniedError("the question is of another run")
        question, terms = question_of(asked, agreement, now)
        seat = self.seat()
        book = Book(seat.platform.ledger, agreement)
        page = book.page()
        run = Run(
            agreement=agreement,
            analyst=asked.analyst,
            analysis=question.analysis,
            terms=terms,
            earlier=page.earlier,
            micro_rho=cost_of(asked, terms, agreement),
            id=run_id,
        )
        versions = {**current_versions(run.analysis.tables, agreement, seat), **page.versions}
        require_frozen(run.analysis.tables, agreement, seat, versions)
        self.journal.begin(run_id, agreement.id, _ASKED)
        book.begin(run, versions, at=now)
        self._open.clear()  # one run at a time: what another left behind is over
        self._open[run_id] = _Open(run, asked, versions, X25519PrivateKey.generate())
        known = [[each.run, each.analysis.as_json()] for each in page.releases] if asked.analyst != self.name else []
        return steps.as_body(
            {"key": _text(self._open[run_id].private.public_key().public_bytes_raw()), "earlier": known}
        )

    def _share(self, arrived: Arrived, now: datetime) -> bytes:
        """Make the run's secret, and seal it for each other party. The join passes it on, and cannot open it."""
        mine = self._mine(arrived)
        if mine.secret is not None or self.name != _keeper(mine, arrived.agreement):
            raise AccessDeniedError("the run's secret is not ours to make")
        prepared = self._prepared(arrived, mine, now)
        mine.secret = secrets.token_bytes(32)
        boxes = {
            name: _text(seal(mine.secret, base64.b64decode(told.key), self._bound(arrived, self.name, name)))
            for name, told in prepared.items()
            if name != self.name
        }
        return steps.as_body(boxes)

    def _partial(self, arrived: Arrived, now: datetime) -> bytes:
        """Read our rows, once, as persons under the run's tokens; a guard also tells which groups were shown before."""
        mine, agreement = self._mine(arrived), arrived.agreement
        earlier = steps.compared(self._prepared(arrived, mine, now), agreement, mine.run.analyst)
        secret = self._secret(arrived, mine, now)
        self.journal.move(mine.run.id, agreement.id, from_=(_ASKED,), to=_SENT)
        run = replace(mine.run, earlier=tuple(Earlier(analysis=each, groups=()) for each in earlier.values()))
        steps.require_few(run.extracts)
        key, seat = token_key(secret, run.id), self.seat()
        parts, blobs = [], list[bytes]()
        for number, extract in enumerate(run.extracts):
            if extract.of(self.name, agreement):
                found = partial(extract, agreement, seat, analyst=run.analyst, key=key, versions=mine.versions)
                layout = layout_of(extract, agreement, self.name, analyst=run.analyst)
                stated, sent = wrapped(found, layout)
                parts.append({"extract": number, **stated})
                blobs += sent
        shown = {} if run.analyst == self.name else self._shown(mine.run, agreement, seat)
        body = packed({"parts": parts, "shown": shown}, blobs)
        mine.sent_sha256 = hashlib.sha256(body).hexdigest()
        return body

    def _commit(self, arrived: Arrived, now: datetime) -> bytes:
        """Record what would be released, and show the ledger's head over it."""
        mine, agreement = self._mine(arrived), arrived.agreement
        told = arrived.message.json()
        release = release_of(told, mine.run, agreement, own=self.name)
        if told["partial"] != mine.sent_sha256:
            raise AccessDeniedError("the release was not made from what we sent")
        self.journal.move(mine.run.id, agreement.id, from_=(_SENT,), to=_COMMITTED)
        mine.shown, mine.release_sha256 = release.groups, str(told["release"])
        book = Book(self.seat().platform.ledger, agreement)
        entry = book.release(release, numbers=False, at=now, sha256=mine.release_sha256)
        head = self.head()
        if head is None:
            raise StorageError("the ledger is not signed", fix="run this as who may read the ledger's key")
        return steps.as_body({"head": head.text, "seq": entry.seq, "release": mine.release_sha256})

    def _cosign(self, arrived: Arrived, now: datetime) -> bytes:
        """Sign for the heads of all parties' ledgers, none of which may have gone back."""
        mine, agreement = self._mine(arrived), arrived.agreement
        committed = self._from_all(arrived.message.json().get("committed"), arrived, "commit-answer", now)
        heads = {name: committed_of(each, mine.release_sha256) for name, each in committed.items()}
        own = self.head()
        if own is None or own.key != heads[self.name].key or own.seq < heads[self.name].seq:
            raise AccessDeniedError("this is not the head of our ledger")
        require_onward(heads, self.journal, agreement.id)
        self.journal.move(mine.run.id, agreement.id, from_=(_COMMITTED,), to=_SIGNED)
        return heads_body(mine.release_sha256, heads)

    def _deliver(self, arrived: Arrived, now: datetime) -> bytes:
        """Keep what all signed; a recipient then records the numbers."""
        mine, agreement = self._mine(arrived), arrived.agreement
        told = arrived.message.json()
        cosigned = self._from_all(told.get("cosigned"), arrived, "cosign-answer", now)
        own = read(mine.cosigned) if mine.cosigned else None
        if own is None or cosigned[self.name].raw != own.raw:
            raise AccessDeniedError("this is not what we signed for")
        require_cosigned(cosigned, own.body, agreement)
        groups = None
        if mine.asked.recipient == self.name:
            groups = numbered(told, mine.run, mine.shown, mine.release_sha256)
        self.journal.move(mine.run.id, agreement.id, from_=(_SIGNED,), to=_RECEIVED if groups is not None else _KEPT)
        for name, each in cosigned.items():
            self.journal.keep(agreement.id, mine.run.id, name, each.raw)
        if groups is not None:
            Book(self.seat().platform.ledger, agreement).receive(mine.run.id, groups, at=now)
        self._open.pop(mine.run.id, None)
        return steps.as_body({})

    def _abandon(self, arrived: Arrived, now: datetime) -> bytes:
        """Nothing was delivered, says the join itself, not its process of the run: what was reserved is free again."""
        agreement, run = arrived.agreement, arrived.message.head.run
        if arrived.message.head.voucher is not None:
            raise AccessDeniedError("only the join itself says that nothing was delivered")
        self._open.pop(run, None)
        if self.journal.state(run) is None:  # a question that is still on its way comes too late
            self.journal.begin(run, agreement.id, _ABANDONED)
        undone = (_ASKED, _SENT, _COMMITTED, _SIGNED, _KEPT, _ABANDONED)
        before = self.journal.move(run, agreement.id, from_=undone, to=_ABANDONED)
        book = Book(self.seat().platform.ledger, agreement)
        if before != _ABANDONED and book.knows(run):
            why = str(arrived.message.json().get("why"))[:40]
            book.abandon(run, why, returned=True, at=now)
        return steps.as_body({})

    def _mine(self, arrived: Arrived) -> _Open:
        mine = self._open.get(arrived.message.head.run)
        if mine is None or digest_of(mine.run.agreement) != arrived.digest:
            raise AccessDeniedError("no such run is under way here")
        return mine

    def _prepared(self, arrived: Arrived, mine: _Open, now: datetime) -> dict[str, steps.Prepared]:
        told = self._from_all(arrived.message.json().get("prepared"), arrived, "prepare-answer", now)
        if told[self.name].raw != mine.prepared:
            raise AccessDeniedError("this is not what we answered")
        return {name: steps.prepared_of(each, arrived.agreement) for name, each in told.items()}

    def _secret(self, arrived: Arrived, mine: _Open, now: datetime) -> bytes:
        maker = _keeper(mine, arrived.agreement)
        if mine.secret is None and maker != self.name:
            shared = _carried(arrived.message.json().get("shared"))
            _require_of(shared, maker, arrived, "share-answer", now)
            box = base64.b64decode(str(shared.json().get(self.name)))
            mine.secret = unseal(box, mine.private, self._bound(arrived, maker, self.name))
        if mine.secret is None or len(mine.secret) != 32:
            raise AccessDeniedError("the run has no secret yet")
        return mine.secret

    def _from_all(self, told: Any, arrived: Arrived, kind: str, now: datetime) -> dict[str, Message]:
        """What every party answered to the same step of this run, each with its own signature."""
        if not isinstance(told, dict):
            raise AccessDeniedError("the parties' answers are missing")
        found = {each.name: _carried(told.get(each.name)) for each in arrived.agreement.parties}
        for name, message in found.items():
            _require_of(message, name, arrived, kind, now)
        return found

    def _shown(self, run: Run, agreement: Agreement, seat: Seat) -> dict[str, list[list[Any]]]:
        page = Book(seat.platform.ledger, agreement).page()
        return {each.run: [list(group.values) for group in each.groups] for each in page.releases}

    def _bound(self, arrived: Arrived, sender: str, receiver: str) -> tuple[str, ...]:
        return steps.bound(arrived.agreement, arrived.digest, arrived.message.head.run, sender, receiver)


def _keeper(mine: _Open, agreement: Agreement) -> str:
    return steps.keeper(agreement, mine.run.analysis, mine.run.analyst)


def _require_of(message: Message, name: str, arrived: Arrived, kind: str, now: datetime) -> None:
    require_genuine(message, arrived.agreement, arrived.digest, now=now)
    head = message.head
    if (head.sender, head.kind, head.run) != (party(name), kind, arrived.message.head.run):
        raise AccessDeniedError("one party's answer is shown as another's, or of another run")


def _carried(told: Any) -> Message:
    """A message within another."""
    try:
        return read(base64.b64decode(told, validate=True))
    except (TypeError, ValueError):
        raise AccessDeniedError("a message within the message is missing") from None


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
