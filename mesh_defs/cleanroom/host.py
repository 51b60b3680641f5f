"""The join as a process: takes the question of a party that may ask, and starts one process for the run, which adds up.

It sees no row and no token itself. It remembers which runs there were and how they ended, and it alone says that nothing of one
was delivered: also of those that it finds under way when it starts.
"""

import base64
import json
import logging
import threading
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mesh_defs.cleanroom import steps
from mesh_defs.cleanroom.book import RUN_MAX
from mesh_defs.cleanroom.channel import Post, Trust
from mesh_defs.cleanroom.journal import Journal
from mesh_defs.cleanroom.rules import question_of, require_valid
from mesh_defs.cleanroom.runners import Runners
from mesh_defs.cleanroom.signed import RoomFolder
from mesh_defs.cleanroom.wire import Message, Speaker, join, party, read, require_answer, require_genuine, vouch
from mesh_defs.documents.room import adapter, digest_of
from mesh_defs.errors import AccessDeniedError, MeshError
from mesh_defs.model.room import Agreement

_LOG = logging.getLogger(__name__)
_BEGUN, _DELIVERING, _ABANDONED, _OVER = "begun", "delivering", "abandoned", "over"
_TELL_SECONDS, _ANSWER_BYTES_MAX = 10.0, 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Of one run: how long it may take, how much memory its process may have, how large one party's partials may be."""

    seconds_max: float = steps.RUN_SECONDS_MAX
    memory_bytes_max: int = 8 << 30
    answer_bytes_max: int = 1 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinServer:
    """Answers `start` of one room. One run at a time."""

    folder: RoomFolder
    speaker: Speaker
    journal: Journal
    post: Post
    trust: Trust
    limits: Limits = field(default_factory=Limits)
    runners: Runners = field(default_factory=Runners)
    _running: threading.Lock = field(default_factory=threading.Lock)

    def handle(self, raw: bytes) -> bytes:
        """Answer one message. AccessDeniedError, which is not answered, for one that is not genuine, or not for us, or old."""
        message, now = read(raw), self.speaker.clock()
        agreement = self.folder.signed()
        require_valid(agreement, now)
        digest = digest_of(agreement)
        require_genuine(message, agreement, digest, now=now)
        head = message.head
        if (head.kind, head.receiver, head.answers) != ("start", join(agreement), ""):
            raise AccessDeniedError("only a question is taken here")
        self.journal.once(head.nonce, now)
        outcome = self._outcome(message, agreement, digest, now)
        return self.speaker.answer("start-answer", steps.as_body(outcome), message).raw

    def settle(self) -> None:
        """Tell the parties of runs that ended without delivery and that some do not know of yet. Call it at the start."""
        room = self.folder.agreement().id
        for run, _ in self.journal.runs(room, _BEGUN):
            self.journal.move(run, room, from_=(_BEGUN,), to=_ABANDONED)
        for run, told in self.journal.runs(room, _ABANDONED):
            self._tell_abandoned(run, "the join ended", began=datetime.fromisoformat(told))

    def _outcome(self, start: Message, agreement: Agreement, digest: str, now: datetime) -> dict[str, str]:
        if not self._running.acquire(blocking=False):
            return {"state": "abandoned", "why": "busy"}
        try:
            question_of(steps.asked_of(start), agreement, now)
            self.settle()
            run = start.head.run
            self.journal.begin(run, agreement.id, _BEGUN, told=now.isoformat())
            outcome = self._run(start, agreement, digest)
            if self.journal.state(run) == _DELIVERING:
                self.journal.move(run, agreement.id, from_=(_DELIVERING,), to=_OVER)
                return {"state": "released"}
            self.journal.move(run, agreement.id, from_=(_BEGUN,), to=_ABANDONED)
            self._tell_abandoned(run, outcome["why"], began=now)
            return outcome
        except MeshError as error:
            return {"state": "abandoned", "why": error.code}
        finally:
            self._running.release()

    def _run(self, start: Message, agreement: Agreement, digest: str) -> dict[str, str]:
        """Hear the run's process to its end. It does not outlive its time."""
        with self.runners.one() as process:
            late = threading.Timer(self.limits.seconds_max + 5.0, process.kill)
            late.start()
            try:
                assert process.stdin is not None and process.stdout is not None
                process.stdin.write(json.dumps(self._setup(start, agreement, digest)) + "\n")
                process.stdin.flush()
                for line in process.stdout:
                    told: dict[str, str] = json.loads(line)
                    if told.get("state") != "deliver":
                        return {"state": "abandoned", "why": str(told.get("why"))[:40]}
                    self.journal.move(start.head.run, agreement.id, from_=(_BEGUN,), to=_DELIVERING)
                    process.stdin.write("yes\n")
                    process.stdin.flush()
            except (OSError, ValueError):
                _LOG.error("run %s: its process is gone", start.head.run)
            finally:
                late.cancel()
        return {"state": "abandoned", "why": "failed"}

    def _setup(self, start: Message, agreement: Agreement, digest: str) -> dict[str, object]:
        key = Ed25519PrivateKey.generate()
        voucher = vouch(self.speaker.key, key, room=agreement.id, agreement=digest, run=start.head.run)
        return {
            "agreement": adapter().dump_python(agreement, mode="json"),
            "digest": digest,
            "start": base64.b64encode(start.raw).decode(),
            "key": base64.b64encode(key.private_bytes_raw()).decode(),
            "voucher": asdict(voucher),
            "trust": asdict(self.trust),
            **asdict(self.limits),
        }

    def _tell_abandoned(self, run: str, why: str, *, began: datetime) -> None:
        """Tell every party; those that do not hear it are told again, until they take the run for lost by themselves."""
        agreement, heard = self.folder.agreement(), 0
        for each in agreement.parties:
            message = self.speaker.say(
                "abandon",
                steps.as_body({"why": why}),
                to=party(each.name),
                room=agreement.id,
                agreement=digest_of(agreement),
                run=run,
            )
            try:
                answer = read(self.post(str(each.url), message.raw, _TELL_SECONDS, _ANSWER_BYTES_MAX))
                require_genuine(answer, agreement, digest_of(agreement), now=self.speaker.clock())
                require_answer(answer, message, "abandon-answer")
                heard += 1
            except MeshError as error:
                _LOG.warning("run %s: '%s' does not hear that it is abandoned: %s", run, each.name, error.code)
        if heard == len(agreement.parties) or self.speaker.clock() - began > RUN_MAX + timedelta(minutes=1):
            self.journal.move(run, agreement.id, from_=(_ABANDONED,), to=_OVER)
