"""Decisions as values: who may read which product, by which view of it, and why. Touches no disk and no clock."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from mesh_defs.errors import QueryRejectedError
from mesh_defs.model.access import AccessRequest, Decision, Grant, Principal, Requestable, View
from mesh_defs.model.contract import Contract
from mesh_defs.model.mesh import Standards
from mesh_defs.policy.view import view_of

OWN_DOMAIN = "own-domain"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """All that a decision depends on besides the request: what is granted, what may be asked for, what all obey."""

    grants: tuple[Grant, ...]
    contracts: dict[str, Contract]
    standards: Standards
    requestable: tuple[Requestable, ...] = ()


def authorize(request: AccessRequest, policy: Policy) -> Decision:
    """Decide one request over all of its products: allowed only when one grant applies to each of them.

    A domain's service principal needs no grant for its own domain's products, which it sees whole, and a request that
    reads no product needs none at all. When several grants apply, the one that names the principal goes before one that
    names a role, and one that was given on request before one of a file; then the first by id, so that the choice never
    depends on order: grants are never added up. There is one reason for each product, in the request's order.
    """
    chosen: dict[str, View] = {}
    reasons: list[str] = []
    missing: list[str] = []
    for product in request.products:
        found = _view(product, request, policy)
        if isinstance(found, View):
            chosen[product] = found
            reasons.append(f"{product}: grant '{found.grant}'")
        else:
            missing.append(product)
            reasons.append(f"{product}: {found}")
    return Decision(allowed=not missing, views=chosen, reasons=tuple(reasons), fix=_fix(request, missing, policy))


def applying(product: str, request: AccessRequest, grants: Iterable[Grant]) -> Grant | None:
    """The one grant that applies to the request, or None."""
    fitting = [g for g in grants if _fits(g, product, request) and not ended(g, request.now)]
    fitting = [g for g in fitting if request.purpose in g.purposes]
    named = request.principal.name
    return min(fitting, key=lambda g: (named not in g.principals, g.until is None, g.id), default=None)


def ended(grant: Grant, now: datetime) -> bool:
    """Whether a grant's last day, or its last second, is over."""
    return (grant.expires is not None and now.date() > grant.expires) or (
        grant.until is not None and now >= grant.until
    )


def end_of(grant: Grant) -> datetime | None:
    """The moment from which a grant holds no more."""
    if grant.until or grant.expires is None:
        return grant.until
    return datetime.combine(grant.expires + timedelta(days=1), time(), tzinfo=UTC)


def _view(product: str, request: AccessRequest, policy: Policy) -> View | str:
    """The view that applies, or why there is none."""
    contract = policy.contracts.get(product)
    if contract is None:
        return "no grant"
    if _own(product, request.principal):
        return View(grant=OWN_DOMAIN)
    grant = applying(product, request, policy.grants)
    if grant is None or request.purpose is None:
        return _why_not(product, request, policy.grants)
    try:
        return view_of(contract, grant, request.principal, request.purpose, policy.standards, until=end_of(grant))
    except QueryRejectedError as error:
        return f"a rule does not fit the contract ({error.what})"


def _own(product: str, principal: Principal) -> bool:
    return principal.domain is not None and product.startswith(f"{principal.domain}.")


def _fits(grant: Grant | Requestable, product: str, request: AccessRequest) -> bool:
    """It is for this product and this principal, whatever the purpose and the day."""
    held = request.principal.name in grant.principals or set(grant.roles) & set(request.principal.roles)
    return grant.product == product and bool(held)


def _why_not(product: str, request: AccessRequest, grants: tuple[Grant, ...]) -> str:
    held = sorted((g for g in grants if _fits(g, product, request)), key=lambda g: g.id)
    live = [g for g in held if not ended(g, request.now)]
    if live:
        return f"granted only for {_purposes(live)}, asked for {request.purpose or 'no purpose'}"
    if not held:
        return "no grant"
    return f"the grant '{held[0].id}' has expired ({held[0].expires or held[0].until})"


def _fix(request: AccessRequest, missing: Sequence[str], policy: Policy) -> str:
    """How to come to an answer, for all products at once."""
    live = {
        product: [g for g in policy.grants if _fits(g, product, request) and not ended(g, request.now)]
        for product in missing
    }
    ungranted = [product for product in missing if not live[product]]
    askable = [product for product in ungranted if any(_fits(each, product, request) for each in policy.requestable)]
    others = [product for product in ungranted if product not in askable]
    mends = [f"ask for it: mesh access request {product}" for product in askable]
    mends += [f"ask the owner of {', '.join(others)} for a grant"] if others else []
    mends += [f"state a purpose granted for {product}: {_purposes(held)}" for product, held in live.items() if held]
    return "; ".join(mends)


def _purposes(grants: Iterable[Grant]) -> str:
    return ", ".join(sorted({purpose for grant in grants for purpose in grant.purposes}))
