"""Requests for access, folded from the ledger's entries: what was asked, what became of it. Values only, no clock.

    access_requested ─▶ waiting ─┬─ access_granted ─▶ granted ─┬─ access_renewed ─▶ granted, until later
                                 │                             ├─ access_revoked ─▶ revoked
                                 │                             └─ a later grant for the same ─▶ replaced
                                 ├─ access_refused ─▶ refused
                                 └─ access_revoked ─▶ revoked (by the asker: withdrawn)

What has ended stays ended. An entry that cannot be understood stops everything: it may have been a revocation.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from mesh_defs.errors import StorageError
from mesh_defs.ledger import LedgerEntry
from mesh_defs.model.access import LEAST_STRICT_FIRST, Mask

REQUESTED, GRANTED, REFUSED, RENEWED, REVOKED = KINDS = (
    "access_requested",
    "access_granted",
    "access_refused",
    "access_renewed",
    "access_revoked",
)
State = Literal["waiting", "granted", "refused", "revoked", "replaced"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What was given: `rows` are rules that must all hold, `masks` as they were then. `since`: the grant or last renewal."""

    since: datetime
    until: datetime
    columns: tuple[str, ...]
    rows: tuple[str, ...]
    masks: Mapping[str, Mask]


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantRequest:
    """One person's request for columns of a product, for one purpose, under what its access file lets people ask for.

    `number` is that of its entry in the ledger. `by` answered or ended it: a person, or `file` where it was answered at once.
    """

    number: int
    principal: str
    product: str
    purpose: str
    columns: tuple[str, ...]
    days: int
    why: str
    requestable: str
    asked_at: datetime
    state: State = "waiting"
    by: str = ""
    reason: str = ""
    granted_at: datetime | None = None
    ended_at: datetime | None = None
    given: Given | None = None

    @property
    def id(self) -> str:
        """What people call it, and the grant that comes of it."""
        return f"request-{self.number}"

    @property
    def same(self) -> tuple[str, str, str]:
        """Requests that are alike in this replace one another."""
        return self.principal, self.product, self.purpose


Requests = Mapping[int, GrantRequest]


class Fold:
    """Requests as the entries so far make them. At most one grant holds for one person, product and purpose."""

    def __init__(self, before: "Fold | None" = None) -> None:
        self.requests: dict[int, GrantRequest] = dict(before.requests) if before else {}
        self._holding: dict[tuple[str, str, str], int] = dict(before._holding) if before else {}

    def add(self, entry: LedgerEntry) -> None:
        """Take in the next entry. StorageError when it is none that this version knows."""
        try:
            _FOLDS[entry.kind](self, _time(entry.at), entry, entry.body)
        except (KeyError, TypeError, ValueError, AttributeError):
            fix = "run the version of the mesh that wrote it, or `mesh audit verify`; until then nothing is allowed"
            raise StorageError(f"entry {entry.seq} of the ledger is no {entry.kind} that is known", fix=fix) from None

    def _requested(self, at: datetime, entry: LedgerEntry, body: Mapping[str, Any]) -> None:
        self.requests[entry.seq] = GrantRequest(
            number=entry.seq,
            principal=str(body["principal"]),
            product=str(body["product"]),
            purpose=str(body["purpose"]),
            why=str(body["why"]),
            requestable=str(body["requestable"]),
            columns=tuple(body["columns"]),
            days=int(body["days"]),
            asked_at=at,
        )

    def _granted(self, at: datetime, entry: LedgerEntry, body: Mapping[str, Any]) -> None:
        asked = self.requests[body["request"]]
        given = Given(
            since=at,
            until=_time(body["until"]),
            columns=tuple(body["columns"]),
            rows=tuple(body["rows"]),
            masks={column: _mask(told) for column, told in body["masks"].items()},
        )
        granted = replace(asked, state="granted", by=str(body["by"]), granted_at=at, given=given)
        if asked.state != "waiting":
            return
        earlier = self.requests.get(self._holding.get(asked.same, 0))
        if earlier is not None and earlier.state == "granted":
            reason = f"replaced by {asked.id}"
            self.requests[earlier.number] = replace(earlier, state="replaced", ended_at=at, reason=reason)
        self.requests[asked.number] = granted
        self._holding[asked.same] = asked.number

    def _renewed(self, at: datetime, entry: LedgerEntry, body: Mapping[str, Any]) -> None:
        asked, until = self.requests[body["request"]], _time(body["until"])
        if asked.state == "granted" and asked.given is not None:
            self.requests[asked.number] = replace(asked, given=replace(asked.given, since=at, until=until))

    def _refused(self, at: datetime, entry: LedgerEntry, body: Mapping[str, Any]) -> None:
        self._end("refused", at, body, ends=("waiting",))

    def _revoked(self, at: datetime, entry: LedgerEntry, body: Mapping[str, Any]) -> None:
        self._end("revoked", at, body, ends=("waiting", "granted"))

    def _end(self, state: State, at: datetime, body: Mapping[str, Any], *, ends: tuple[State, ...]) -> None:
        asked = self.requests[body["request"]]
        ended = replace(asked, state=state, by=str(body["by"]), reason=str(body["reason"]), ended_at=at)
        if asked.state in ends:
            self.requests[asked.number] = ended


_FOLDS: Mapping[str, Callable[[Fold, datetime, LedgerEntry, Mapping[str, Any]], None]] = {
    REQUESTED: Fold._requested,
    GRANTED: Fold._granted,
    REFUSED: Fold._refused,
    RENEWED: Fold._renewed,
    REVOKED: Fold._revoked,
}


def mask_body(mask: Mask) -> dict[str, Any]:
    """A mask as JSON values, for an entry."""
    return {"kind": mask.kind, "value": mask.value, "unless": list(mask.unless)}


def _mask(told: Mapping[str, Any]) -> Mask:
    if told["kind"] not in LEAST_STRICT_FIRST:
        raise ValueError(told["kind"])
    return Mask(kind=told["kind"], value=told["value"], unless=tuple(told["unless"]))


def _time(told: str) -> datetime:
    found = datetime.fromisoformat(told)
    if found.tzinfo is None:
        raise ValueError(told)
    return found
