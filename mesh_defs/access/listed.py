"""Grants and requests as people list them: to whom what for, until when, and how long it took from asking to asking the data."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from mesh_defs.access.given import effective
from mesh_defs.access.requests import GrantRequest
from mesh_defs.access.workflow import Desk
from mesh_defs.model.access import Grant, Principal
from mesh_defs.policy.authorize import end_of, ended


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One grant, of a file or on request. `ends` is the moment from which it holds no more; `over` says why it does not."""

    id: str
    product: str
    to: tuple[str, ...]
    purposes: tuple[str, ...]
    columns: tuple[str, ...]
    rows: str | None
    ends: datetime | None
    over: str = ""
    requested_at: datetime | None = None
    granted_at: datetime | None = None
    first_used_at: datetime | None = None


def listed(desk: Desk, *, principal: Principal | None = None, product: str | None = None) -> list[Listed]:
    """All grants, those that are over too; of one product, or of what one person holds, by product and id."""
    found = [*_of_files(desk, principal), *_on_request(desk, principal)]
    return sorted(
        (each for each in found if product in (None, each.product)),
        key=lambda each: (each.product, each.requested_at is not None, each.requested_at or datetime.min, each.id),
    )


def first_used_at(desk: Desk, asked: GrantRequest) -> datetime | None:
    """When a question was first allowed by this grant."""
    found = desk.ledger.search(
        kind="allowed", grant=asked.id, principal=asked.principal, since=asked.granted_at, oldest_first=True, limit=1
    )
    return datetime.fromisoformat(found[0].at) if found else None


def _of_files(desk: Desk, principal: Principal | None) -> Iterator[Listed]:
    for grant in desk.mesh.grants:
        held = principal is None or principal.name in grant.principals or set(grant.roles) & set(principal.roles)
        if held:
            yield Listed(
                id=grant.id,
                product=grant.product,
                to=(*grant.principals, *(f"role {role}" for role in grant.roles)),
                purposes=grant.purposes,
                columns=grant.columns,
                rows=grant.rows,
                ends=end_of(grant),
                over="expired" if ended(grant, desk.clock()) else "",
            )


def _on_request(desk: Desk, principal: Principal | None) -> Iterator[Listed]:
    for asked in desk.book.page().requests.values():
        if asked.given is None or principal not in (None, desk.mesh.principal(asked.principal)):
            continue
        grant = effective(asked, desk.mesh)
        yield Listed(
            id=asked.id,
            product=asked.product,
            to=(asked.principal,),
            purposes=(asked.purpose,),
            columns=grant.columns if isinstance(grant, Grant) else asked.given.columns,
            rows=grant.rows if isinstance(grant, Grant) else None,
            ends=grant.until if isinstance(grant, Grant) else asked.ended_at,
            over=_over(asked, grant, desk.clock()),
            requested_at=asked.asked_at,
            granted_at=asked.granted_at,
            first_used_at=first_used_at(desk, asked),
        )


def _over(asked: GrantRequest, grant: Grant | str, now: datetime) -> str:
    if asked.state != "granted":
        return asked.reason if asked.state == "replaced" else f"{asked.state} by {asked.by}: {asked.reason}"
    if isinstance(grant, str):
        return grant
    return "ended by itself" if ended(grant, now) else ""
