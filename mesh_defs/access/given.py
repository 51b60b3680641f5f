"""Grants that were given on request, as they hold now: what the ledger says, within what the access files let people ask for."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from threading import Lock

from mesh_defs.access.requests import KINDS, Fold, GrantRequest, Requests
from mesh_defs.errors import QueryRejectedError
from mesh_defs.ledger import Ledger
from mesh_defs.model.access import Grant, Mask, Principal, Requestable
from mesh_defs.model.contract import Contract
from mesh_defs.model.mesh import Mesh
from mesh_defs.policy.view import strictest
from mesh_defs.sql.row_rule import joined


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """All requests, as they were when the newest entry about one had this number in the ledger."""

    newest: int
    requests: Requests


class RequestBook:
    """Reads requests from the ledger, each entry once; asks at each use whether there are newer ones.

    Safe to share between threads. So what any process revoked does not hold in this one's next question.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._lock = Lock()
        self._fold, self._page = Fold(), Page(newest=0, requests={})
        self._grants: tuple[Mesh, int, tuple[Grant, ...]] | None = None

    def page(self) -> Page:
        """Every request, up to the newest entry. One look at an index when nothing is new."""
        newest = self._ledger.newest(KINDS)
        with self._lock:
            if newest < self._page.newest:  # another ledger was put in its place
                self._fold, self._page = Fold(), Page(newest=0, requests={})
            if newest > self._page.newest:
                fold, last = Fold(self._fold), self._page.newest  # a copy: what cannot be understood leaves no half
                for entry in self._ledger.entries(kinds=KINDS, after=last, limit=None, oldest_first=True):
                    fold.add(entry)
                    last = entry.seq
                self._fold, self._page = fold, Page(newest=last, requests=fold.requests)
            return self._page

    def grants(self, mesh: Mesh, page: Page | None = None) -> tuple[Grant, ...]:
        """The grants that hold under these declarations; those that have ended by time among them, to be told so.

        `page`: one that was looked up for the same use; looked up here when it is left out.
        """
        page = page or self.page()
        known = self._grants
        if known is None or known[0] is not mesh or known[1] != page.newest:
            known = self._grants = mesh, page.newest, tuple(_grants(page.requests, mesh))
        return known[2]


def effective(asked: GrantRequest, mesh: Mesh) -> Grant | str:
    """The grant as it holds now, or why none does. It never shows more than was given, nor than the file allows today."""
    given, contract = asked.given, mesh.contracts.get(asked.product)
    if asked.state != "granted" or given is None:
        return asked.reason or asked.state
    ceiling = ceiling_of(asked, mesh)
    if isinstance(ceiling, str) or contract is None:
        return str(ceiling)
    columns = tuple(name for name in given.columns if name in allowed_columns(ceiling, contract))
    if not columns:
        return "none of its columns may be asked for any more"
    try:
        rows = joined((*given.rows, *((ceiling.rows,) if ceiling.rows else ())))
    except QueryRejectedError:
        return "its row rule cannot be read"
    return Grant(
        id=asked.id,
        product=asked.product,
        principals=(asked.principal,),
        purposes=(asked.purpose,),
        until=min(given.until, given.since + timedelta(days=ceiling.days_max)),
        rows=rows,
        masks=_masks(given.masks, ceiling.masks, contract, mesh.standards.reached(asked.purpose)),
        columns=columns,
    )


def ceiling_of(asked: GrantRequest, mesh: Mesh) -> Requestable | str:
    """What the access file lets this person ask for today under the same id, or why not."""
    found = next((e for e in mesh.requestable if (e.product, e.id) == (asked.product, asked.requestable)), None)
    principal = mesh.principal(asked.principal)
    if found is None or asked.product not in mesh.contracts:
        return f"the access file of {asked.product} no longer has the requestable '{asked.requestable}'"
    if principal is None or not may_ask(principal, found):
        return f"{asked.principal} may no longer ask for it"
    if asked.purpose not in mesh.standards.covered(found.purposes):
        return f"it may no longer be asked for {asked.purpose}"
    return found


def may_ask(principal: Principal, requestable: Requestable) -> bool:
    """Whether it is meant for this person."""
    return principal.name in requestable.principals or bool(set(requestable.roles) & set(principal.roles))


def allowed_columns(requestable: Requestable, contract: Contract) -> tuple[str, ...]:
    """The columns that may be asked for: those it names, without those that it denies; all when it names none."""
    denied = {column for column, mask in requestable.masks.items() if mask.kind == "deny" and not mask.unless}
    named = requestable.columns or contract.column_names
    return tuple(name for name in contract.column_names if name in named and name not in denied)


def _grants(requests: Requests, mesh: Mesh) -> Iterator[Grant]:
    for asked in requests.values():
        found = effective(asked, mesh) if asked.state == "granted" else ""
        if isinstance(found, Grant):
            yield found


def _masks(
    given: Mapping[str, Mask], ceiling: Mapping[str, Mask], contract: Contract, purposes: Sequence[str]
) -> dict[str, Mask]:
    put = {c.name: strictest((given.get(c.name), ceiling.get(c.name)), c, purposes) for c in contract.columns}
    return {column: mask for column, mask in put.items() if mask}
