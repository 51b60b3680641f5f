"""One run at the join: asks every party for each step, adds up what they sent, and lets nobody have it before all signed.

It knows tokens and numbers, and is gone when the run is. It keeps nothing, and opens no file.
"""

import base64
import secrets
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import duckdb
import pyarrow as pa

from mesh_defs.cleanroom import steps
from mesh_defs.cleanroom.book import groups_as_json
from mesh_defs.cleanroom.budget import cost_of
from mesh_defs.cleanroom.channel import Post
from mesh_defs.cleanroom.differencing import Earlier
from mesh_defs.cleanroom.parcel import layout_of, unwrapped
from mesh_defs.cleanroom.rules import groups_of, question_of
from mesh_defs.cleanroom.run import Run, answer
from mesh_defs.cleanroom.wire import REFUSED, Message, Speaker, party, read, require_answer, require_genuine, unpacked
from mesh_defs.errors import AccessDeniedError, MeshError, UnreachableError
from mesh_defs.model.room import Agreement, DimensionValue, Release

_JSON_BYTES_MAX = 20_000_000
_DELIVERIES_MAX = 3
Codes = tuple[tuple[DimensionValue, ...], ...]


class RefusedError(AccessDeniedError):
    """A party did not take a step; `what` is the code that it gave."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """Speaks with all parties about one run, until `deadline` (of time.monotonic)."""

    agreement: Agreement
    digest: str
    start: Message
    speaker: Speaker
    post: Post
    deadline: float
    answer_bytes_max: int

    def tell(self, name: str, kind: str, told: Any, *, bytes_max: int = _JSON_BYTES_MAX) -> Message:
        """Have one party take a step. RefusedError, UnreachableError, AccessDeniedError."""
        (url,) = (each.url for each in self.agreement.parties if each.name == name)
        if url is None:
            raise UnreachableError(f"the agreement names no address of '{name}'", fix="agree on one")
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise UnreachableError("the run takes too long", fix="ask for less, or again")
        agreement, run = self.agreement, self.start.head.run
        message = self.speaker.say(
            kind, steps.as_body(told), to=party(name), room=agreement.id, agreement=self.digest, run=run
        )
        try:
            found = read(self.post(url, message.raw, left, bytes_max))
        except UnreachableError as error:
            raise UnreachableError(error.what, where=name, fix=error.fix) from None
        require_genuine(found, agreement, self.digest, now=self.speaker.clock())
        if found.head.kind == REFUSED:
            require_answer(found, message, REFUSED)
            raise RefusedError(str(found.json().get("code"))[:40])
        require_answer(found, message, f"{kind}-answer")
        return found

    def tell_all(self, kind: str, told: Mapping[str, Any], *, bytes_max: int = _JSON_BYTES_MAX) -> dict[str, Message]:
        """Have these parties take a step at once; each must."""
        with ThreadPoolExecutor(max_workers=len(told)) as pool:
            under_way = {
                name: pool.submit(self.tell, name, kind, body, bytes_max=bytes_max) for name, body in told.items()
            }
            return {name: each.result() for name, each in under_way.items()}

    def everybody(self, told: Any) -> dict[str, Any]:
        """The same for all parties."""
        return {each.name: told for each in self.agreement.parties}


def joined(round_: Round, deliver: Callable[[], bool]) -> str:
    """Take one run from its question to its delivery; return "released".

    `deliver` is asked before the numbers go out: from then on the run counts as released, whoever gets them. Every error before
    that leaves the run to be abandoned: AccessDeniedError, UnreachableError, StorageError, duckdb.Error, pa.ArrowException.
    """
    agreement, asked = round_.agreement, steps.asked_of(round_.start)
    question, terms = question_of(asked, agreement, round_.speaker.clock())
    run = Run(
        agreement=agreement,
        analyst=asked.analyst,
        analysis=question.analysis,
        terms=terms,
        micro_rho=cost_of(asked, terms, agreement),
        id=round_.start.head.run,
    )
    prepared = round_.tell_all("prepare", round_.everybody({"start": _text(round_.start)}))
    understood = {name: steps.prepared_of(each, agreement) for name, each in prepared.items()}
    carried = {"prepared": {name: _text(each) for name, each in prepared.items()}}
    shared = round_.tell(steps.keeper(agreement, run.analysis, run.analyst), "share", carried)
    earlier = steps.compared(understood, agreement, run.analyst)
    sent = round_.tell_all(
        "partial", round_.everybody({**carried, "shared": _text(shared)}), bytes_max=round_.answer_bytes_max
    )
    release = _added_up(run, earlier, sent)
    salt = secrets.token_hex(16)
    sha256 = steps.release_sha256(run.id, salt, release.groups)
    told = {name: _told(release, name, run, sha256, sent[name]) for name in sent}
    committed = round_.tell_all("commit", told)
    heads = {"committed": {name: _text(each) for name, each in committed.items()}}
    cosigned = round_.tell_all("cosign", round_.everybody(heads))
    signed = {"cosigned": {name: _text(each) for name, each in cosigned.items()}}
    others = {name: signed for name in sent if name != asked.recipient}
    round_.tell_all("deliver", others)
    if not deliver():
        raise UnreachableError("the join does not let the release go out", fix="ask again")
    numbers = {"groups": groups_as_json(release.groups, numbers=True), "salt": salt}
    _deliver(round_, {**signed, **numbers}, asked.recipient)
    return "released"


def _added_up(run: Run, earlier: Mapping[str, Any], sent: Mapping[str, Message]) -> Release:
    """Check each partial for itself, then add them up."""
    opened = {name: unpacked(each.body) for name, each in sent.items()}
    shown = _shown({name: head for name, (head, _) in opened.items() if name != run.analyst}, run, earlier)
    run = replace(run, earlier=tuple(Earlier(analysis=each, groups=shown[id_]) for id_, each in earlier.items()))
    extracts = run.extracts
    steps.require_few(extracts)
    partials: list[dict[str, pa.Table]] = [{} for _ in extracts]
    for name, (head, blobs) in opened.items():
        due = [number for number, extract in enumerate(extracts) if extract.of(name, run.agreement)]
        parts = head.get("parts")
        if not isinstance(parts, list) or [each.get("extract") for each in parts] != due or len(blobs) != 3 * len(due):
            raise AccessDeniedError("a party sent other partials than those of this run")
        for place, (number, stated) in enumerate(zip(due, parts, strict=True)):
            layout = layout_of(extracts[number], run.agreement, name, analyst=run.analyst)
            partials[number][name] = unwrapped(stated, blobs[3 * place : 3 * place + 3], layout)
    return answer(run, partials)


def _shown(heads: Mapping[str, Any], run: Run, earlier: Mapping[str, Any]) -> dict[str, Codes]:
    """Which groups each earlier run showed, by what all guards say together. AccessDeniedError for a group that is none."""
    found: dict[str, dict[tuple[DimensionValue, ...], None]] = {id_: {} for id_ in earlier}
    for head in heads.values():
        for id_, groups in dict(head.get("shown", {})).items():
            if id_ in found:
                found[id_].update(dict.fromkeys(tuple(values) for values in groups))
    for id_, groups in found.items():
        if not groups.keys() <= set(groups_of(earlier[id_], run.agreement)):
            raise AccessDeniedError("a party names a group that no release can have had")
    return {id_: tuple(groups) for id_, groups in found.items()}


def _told(release: Release, name: str, run: Run, sha256: str, sent: Message) -> dict[str, Any]:
    """What one party is told of a release before it goes out: which groups, and, of its own rows', which were withheld."""
    own = name in steps.protected(run.agreement, run.analysis, run.analyst)
    withheld = [[list(each.values), each.because] for each in release.withheld] if own else []
    return {
        "release": sha256,
        "shown": [list(each.values) for each in release.groups],
        "withheld": withheld,
        "micro_rho": release.micro_rho,
        "partial": sent.head.body_sha256,
    }


def _deliver(round_: Round, told: dict[str, Any], recipient: str) -> None:
    """More than once if need be: it counts as released by now."""
    for attempt in range(_DELIVERIES_MAX):
        try:
            round_.tell(recipient, "deliver", told)
            return
        except UnreachableError:
            if attempt == _DELIVERIES_MAX - 1:
                raise
            time.sleep(attempt + 1)


def why(error: Exception) -> str:
    """A fixed word for what stopped a run, and which party was not reached. No text of an engine or a party goes any further."""
    if isinstance(error, RefusedError):
        return error.what
    if isinstance(error, UnreachableError) and error.where:
        return f"{error.code}: {error.where}"
    if isinstance(error, duckdb.Error | pa.ArrowException):
        return "failed"
    return error.code if isinstance(error, MeshError) else "failed"


def _text(message: Message) -> str:
    return base64.b64encode(message.raw).decode()
