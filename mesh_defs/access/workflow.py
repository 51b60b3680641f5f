"""From a request to a grant and its end. Each step is concluded from the newest state and recorded before any other, or not.

Who answers is the steward of the product's domain, for everybody but themselves; an access file answers at once where it
says so. Nobody else can answer a steward: what they need beyond that stands in the access file, where a colleague reviews it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from mesh_defs.access.given import Page, RequestBook, ceiling_of, effective
from mesh_defs.access.offer import Wanted
from mesh_defs.access.requests import (
    GRANTED,
    KINDS,
    REFUSED,
    RENEWED,
    REQUESTED,
    REVOKED,
    Given,
    GrantRequest,
    mask_body,
)
from mesh_defs.access.terms import Narrowing, granted, preview
from mesh_defs.errors import AccessDeniedError, NotFoundError, StorageError
from mesh_defs.ledger import Ledger
from mesh_defs.model.access import Grant, Requestable
from mesh_defs.model.mesh import Mesh

BY_FILE = "the access file"
TRIES_MAX = 50
TEXT_CHARACTERS_MAX = 2_000
_Step = tuple[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Where access is asked for and answered: the declarations, the record, and a clock."""

    mesh: Mesh
    ledger: Ledger
    book: RequestBook
    clock: Callable[[], datetime]

    def request(self, number: int) -> GrantRequest:
        """Raises NotFoundError."""
        return _find(self.book.page(), number)

    def steward_of(self, product: str) -> str | None:
        """Who answers for a product; None when its domain is gone."""
        domain = self.mesh.domains.get(product.partition(".")[0])
        return domain.steward if domain else None


def ask(desk: Desk, wanted: Wanted) -> GrantRequest:
    """Record a request; answered at once where the access file says so. Raises AccessDeniedError or NotFoundError.

    Whoever was refused or revoked by the steward last is not answered by the file, but by the steward.
    """
    number = 0

    def step(page: Page, now: datetime) -> _Step | None:
        nonlocal number
        asked, _ = preview(desk.mesh, wanted, at=now)
        alike = [e for e in page.requests.values() if e.state == "waiting" and e.same == asked.same]
        if alike and not _unfinished(desk, page, alike[0], asked):
            what = f"{alike[0].id} already asks for {asked.product} for {asked.purpose}, and waits for an answer"
            raise AccessDeniedError(what, fix=f"take it back first: mesh access revoke {alike[0].id}")
        number = alike[0].number if alike else 0
        return None if alike else (REQUESTED, _asked_body(asked))

    number = _recorded(desk, step) or number
    _recorded(desk, lambda page, now: _at_once(desk, page, _find(page, number), now))
    return desk.request(number)


def approve(desk: Desk, number: int, by: str, narrowing: Narrowing | None = None) -> GrantRequest:
    """Give what a request asks for, or less of it; it holds from the next question on."""

    def step(page: Page, now: datetime) -> _Step:
        asked = _waiting(page, number)
        _require_steward(desk, asked, by)
        return _granting(desk, asked, by, narrowing or Narrowing(), now)

    _recorded(desk, step)
    return desk.request(number)


def refuse(desk: Desk, number: int, by: str, reason: str) -> GrantRequest:
    """Answer no, with a reason for the one who asked."""

    def step(page: Page, now: datetime) -> _Step:
        asked = _waiting(page, number)
        _require_steward(desk, asked, by)
        return REFUSED, _body(asked, by=by, reason=_text(reason))

    _recorded(desk, step)
    return desk.request(number)


def renew(desk: Desk, number: int, by: str) -> GrantRequest:
    """Let a grant that still holds run its time anew from now: twice at once is once.

    The steward does it for others; for oneself it is a new request under the same terms, at once where the file says so.
    """
    asked = _holding(desk, desk.book.page(), number, desk.clock())[0]
    ceiling = ceiling_of(asked, desk.mesh)
    if by == asked.principal and not (isinstance(ceiling, Requestable) and ceiling.instant):
        return ask(desk, _again(asked))

    def step(page: Page, now: datetime) -> _Step:
        asked, ceiling, given = _holding(desk, page, number, now)
        if by != asked.principal:
            _require_steward(desk, asked, by)
        until = now + min(given.until - given.since, timedelta(days=ceiling.days_max))
        by_whom = BY_FILE if by == asked.principal else by
        return RENEWED, _body(asked, by=by_whom, until=until.isoformat())

    _recorded(desk, step)
    return desk.request(number)


def revoke(desk: Desk, number: int, by: str, reason: str) -> GrantRequest:
    """End a grant, or take a request back: the steward for anybody, everybody for themselves. The next question is denied."""

    def step(page: Page, now: datetime) -> _Step:
        asked = _find(page, number)
        if by != asked.principal:
            _require_steward(desk, asked, by)
        if asked.state not in ("waiting", "granted"):
            raise _over(asked)
        if asked.given is not None and now >= asked.given.until:
            raise AccessDeniedError(f"{asked.id} ended by itself at {asked.given.until:%Y-%m-%d %H:%M:%S} UTC")
        return REVOKED, _body(asked, by=by, reason=_text(reason))

    _recorded(desk, step)
    return desk.request(number)


def _recorded(desk: Desk, step: Callable[[Page, datetime], _Step | None]) -> int | None:
    """Conclude and record as one: when another entry comes between, conclude anew. The entry's number, if there is one."""
    for _ in range(TRIES_MAX):
        page, now = desk.book.page(), desk.clock()
        concluded = step(page, now)
        if concluded is None:
            return None
        kind, body = concluded
        entry = desk.ledger.append_if(kind, body, at=now, kinds=KINDS, newest=page.newest)
        if entry is not None:
            return entry.seq
    raise StorageError("others answer requests all the time", fix="try again in a moment; nothing was recorded")


def _at_once(desk: Desk, page: Page, asked: GrantRequest, now: datetime) -> _Step | None:
    """The file's answer, if it gives one. Another process of the same asker may have been faster: then it is granted."""
    if asked.state != "waiting" or not _by_file(desk, page, asked):
        return None
    return _granting(desk, asked, BY_FILE, Narrowing(), now)


def _by_file(desk: Desk, page: Page, asked: GrantRequest) -> bool:
    """Whether the file answers, and the steward did not say no to the last request for the same, or for a wider or
    narrower purpose."""
    ceiling, standards = ceiling_of(asked, desk.mesh), desk.mesh.standards
    purposes = {*standards.reached(asked.purpose), *standards.covered((asked.purpose,))}
    akin = (e for e in page.requests.values() if e.same[:2] == asked.same[:2] and e.purpose in purposes)
    last = {e.purpose: e for e in akin if e.state != "waiting"}
    no = any(e.state in ("refused", "revoked") and e.by != asked.principal for e in last.values())
    return isinstance(ceiling, Requestable) and ceiling.instant and not no


def _granting(desk: Desk, asked: GrantRequest, by: str, narrowing: Narrowing, now: datetime) -> _Step:
    given = granted(desk.mesh, asked, narrowing, now)[0].given
    assert given is not None
    masks = {column: mask_body(mask) for column, mask in given.masks.items()}
    told = {"until": given.until.isoformat(), "columns": list(given.columns), "rows": list(given.rows), "masks": masks}
    return GRANTED, _body(asked, by=by, **told)


def _holding(desk: Desk, page: Page, number: int, now: datetime) -> tuple[GrantRequest, Requestable, Given]:
    """A grant that holds now, its ceiling, and what was given."""
    asked = _find(page, number)
    if asked.state != "granted" or asked.given is None:
        raise _over(asked)
    grant, ceiling = effective(asked, desk.mesh), ceiling_of(asked, desk.mesh)
    if not isinstance(grant, Grant) or not isinstance(ceiling, Requestable):
        raise AccessDeniedError(f"{asked.id} holds no more: {grant}", fix="ask for what the file allows today")
    if grant.until is not None and now >= grant.until:
        what = f"{asked.id} ended by itself at {grant.until:%Y-%m-%d %H:%M:%S} UTC"
        raise AccessDeniedError(what, fix=f"ask again: mesh access request {asked.product}")
    return asked, ceiling, asked.given


def _unfinished(desk: Desk, page: Page, waiting: GrantRequest, asked: GrantRequest) -> bool:
    """Whether a process ended between recording this very request and answering it at once."""
    terms = (asked.requestable, asked.columns, asked.days)
    return (waiting.requestable, waiting.columns, waiting.days) == terms and _by_file(desk, page, waiting)


def _again(asked: GrantRequest) -> Wanted:
    assert asked.given is not None
    return Wanted(
        principal=asked.principal,
        product=asked.product,
        purpose=asked.purpose,
        columns=asked.given.columns,
        days=max((asked.given.until - asked.given.since).days, 1),
        why=f"renews {asked.id}",
        under=asked.requestable,
    )


def _asked_body(asked: GrantRequest) -> Mapping[str, Any]:
    fields = ("principal", "product", "purpose", "days", "requestable")
    told = {name: getattr(asked, name) for name in fields}
    return {**told, "columns": list(asked.columns), "why": _text(asked.why) if asked.why else ""}


def _body(asked: GrantRequest, **told: Any) -> Mapping[str, Any]:
    """An entry about a request names whom and what it is about, so that a search for either finds it."""
    return {"request": asked.number, "principal": asked.principal, "product": asked.product, **told}


def _find(page: Page, number: int) -> GrantRequest:
    if number not in page.requests:
        raise NotFoundError(f"there is no request-{number}", fix="`mesh access requests --all` lists them")
    return page.requests[number]


def _waiting(page: Page, number: int) -> GrantRequest:
    asked = _find(page, number)
    if asked.state != "waiting":
        raise _over(asked)
    return asked


def _over(asked: GrantRequest) -> AccessDeniedError:
    if asked.state == "waiting":
        return AccessDeniedError(f"{asked.id} waits for its answer: nothing is granted yet")
    at = asked.ended_at or asked.granted_at
    by = f" by {asked.by}" if asked.by and asked.state != "replaced" else ""
    why = f" ({asked.reason})" if asked.reason else ""
    return AccessDeniedError(f"{asked.id} was {asked.state}{by} at {at:%Y-%m-%d %H:%M:%S} UTC already{why}")


def _require_steward(desk: Desk, asked: GrantRequest, by: str) -> None:
    steward = desk.steward_of(asked.product)
    if steward != by:
        whose = f"the steward of its domain does: {steward}" if steward else "its domain is gone: take it back"
        raise AccessDeniedError(f"{by} may not answer {asked.id}", fix=whose)
    if by == asked.principal:
        what = f"{by} asked for {asked.id}: nobody answers themselves"
        raise AccessDeniedError(what, fix="grant it in the access file, where a colleague reviews it")


def _text(reason: str) -> str:
    if not reason.strip():
        raise AccessDeniedError("no reason is given", fix="say why: --reason TEXT")
    if len(reason) > TEXT_CHARACTERS_MAX:
        what = f"the text is longer than {TEXT_CHARACTERS_MAX:,} characters"
        raise AccessDeniedError(what, fix="say it shorter: it is kept for good")
    return reason.strip()
