"""Decisions as values: who may read which product, by which view of it, and why. Touches no disk and no clock."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta

from mesh_defs.errors import QueryRejectedError
from mesh_defs.model.access import AccessRequest, Decision, Grant, Principal, Requestable, View
from mesh_defs.model.contract import Contract
from mesh_defs.model.mesh import Standards
from mesh_defs.policy.view import view_of

OWN_DOMAIN = "own-domain"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """All that a decision depends on besides the request: what is granted, what may be asked for, what all obey.

    `stewards` of the domains answer what is asked for. `revision` names these rules, for the records of what was decided.
    """

    grants: tuple[Grant, ...]
    contracts: dict[str, Contract]
    standards: Standards
    requestable: tuple[Requestable, ...] = ()
    stewards: Mapping[str, str] = field(default_factory=dict)
    revision: str = ""


def authorize(request: AccessRequest, policy: Policy) -> Decision:
    """Decide one request over all of its products: allowed only when one grant applies to each of them.

    A domain's service principal needs no grant for its own domain's products, which it sees whole, and a request that
    reads no product needs none at all. When several grants apply, the one that names the principal goes before one that
    names a role, one that was given on request before one of a file, and one for the purpose itself before one for a
    wider purpose, the nearest first; then the first by id, so that the choice never depends on order: grants are never
    added up. There is one reason for each product, in the request's order.
    """
    chosen: dict[str, View] = {}
    reasons: list[str] = []
    missing: list[str] = []
    for product in request.products:
        view, reason = _view(product, request, policy)
        if view:
            chosen[product] = view
        else:
            missing.append(product)
        reasons.append(f"{product}: {reason}")
    return Decision(
        allowed=not missing,
        views=chosen,
        reasons=tuple(reasons),
        fix=_fix(request, missing, policy),
        revision=policy.revision,
    )


def applying(product: str, request: AccessRequest, policy: Policy) -> tuple[Grant, str] | None:
    """The one grant that applies to the request, and the purpose of its that the request's is, or lies within; or None."""
    live = [g for g in policy.grants if _fits(g, product, request) and not ended(g, request.now)]
    purposes, named = policy.standards.reached(request.purpose), request.principal.name
    fitting = [(g, n) for g in live for n, purpose in enumerate(purposes) if purpose in g.purposes]
    first = min(fitting, key=lambda f: (named not in f[0].principals, f[0].until is None, f[1], f[0].id), default=None)
    return (first[0], purposes[first[1]]) if first else None


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


def _view(product: str, request: AccessRequest, policy: Policy) -> tuple[View | None, str]:
    """The view that applies and by what, or why there is none."""
    contract = policy.contracts.get(product)
    if contract is None:
        return None, "no grant"
    if _own(product, request.principal):
        return View(grant=OWN_DOMAIN), f"grant '{OWN_DOMAIN}'"
    found = applying(product, request, policy)
    if found is None or request.purpose is None:
        return None, _why_not(product, request, policy)
    grant, purpose = found
    by = f"grant '{grant.id}'" + (
        "" if purpose == request.purpose else f" for {purpose} ({request.purpose} is within it)"
    )
    try:
        view = view_of(contract, grant, request.principal, request.purpose, policy.standards, until=end_of(grant))
    except QueryRejectedError as error:
        return None, f"a rule does not fit the contract ({error.what})"
    return view, by


def _own(product: str, principal: Principal) -> bool:
    return principal.domain is not None and product.startswith(f"{principal.domain}.")


def _fits(grant: Grant | Requestable, product: str, request: AccessRequest) -> bool:
    """It is for this product and this principal, whatever the purpose and the day."""
    held = request.principal.name in grant.principals or set(grant.roles) & set(request.principal.roles)
    return grant.product == product and bool(held)


def _why_not(product: str, request: AccessRequest, policy: Policy) -> str:
    held = sorted((g for g in policy.grants if _fits(g, product, request)), key=lambda g: g.id)
    live = [g for g in held if not ended(g, request.now)]
    if live:
        asked = ", within ".join(policy.standards.reached(request.purpose)) or "no purpose"
        return f"granted only for {_purposes(live)}, asked for {asked}"
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
