"""Decisions as values: who may read which product, and why. Touches no SQL, disk or clock."""

from collections.abc import Iterable, Sequence

from mesh_defs.model.access import AccessRequest, Decision, Grant, Principal


def authorize(request: AccessRequest, grants: Iterable[Grant]) -> Decision:
    """Decide one request over all of its products: allowed only when one grant applies to each of them.

    A domain's service principal needs no grant for its own domain's products, and a request that reads no product needs
    none at all. When several grants apply, the one that names the principal goes before one that names a role; then the
    first by id, so that the choice never depends on order. There is one reason for each product, in the request's order.
    """
    everything = tuple(grants)
    chosen: dict[str, str] = {}
    reasons: list[str] = []
    missing: list[str] = []
    for product in request.products:
        grant = _own(product, request.principal) or _applying(product, request, everything)
        if grant:
            chosen[product] = grant
            reasons.append(f"{product}: grant '{grant}'")
        else:
            missing.append(product)
            reasons.append(_why_not(product, request, everything))
    return Decision(allowed=not missing, grants=chosen, reasons=tuple(reasons), fix=_fix(request, missing, everything))


def _own(product: str, principal: Principal) -> str | None:
    own = principal.domain is not None and product.startswith(f"{principal.domain}.")
    return "own-domain" if own else None


def _applying(product: str, request: AccessRequest, grants: tuple[Grant, ...]) -> str | None:
    fitting = [g for g in grants if _fits(g, product, request) and not _expired(g, request)]
    fitting = [g for g in fitting if request.purpose in g.purposes]
    best = min(fitting, key=lambda g: (request.principal.name not in g.principals, g.id), default=None)
    return best.id if best else None


def _fits(grant: Grant, product: str, request: AccessRequest) -> bool:
    """The grant is for this product and this principal, whatever the purpose and the day."""
    held = request.principal.name in grant.principals or set(grant.roles) & set(request.principal.roles)
    return grant.product == product and bool(held)


def _expired(grant: Grant, request: AccessRequest) -> bool:
    return grant.expires is not None and request.today > grant.expires


def _why_not(product: str, request: AccessRequest, grants: tuple[Grant, ...]) -> str:
    held = sorted((g for g in grants if _fits(g, product, request)), key=lambda g: g.id)
    live = [g for g in held if not _expired(g, request)]
    if live:
        return f"{product}: granted only for {_purposes(live)}, asked for {request.purpose or 'no purpose'}"
    return f"{product}: the grant '{held[0].id}' has expired ({held[0].expires})" if held else f"{product}: no grant"


def _fix(request: AccessRequest, missing: Sequence[str], grants: tuple[Grant, ...]) -> str:
    """How to come to an answer, for all products at once."""
    live = {
        product: [g for g in grants if _fits(g, product, request) and not _expired(g, request)] for product in missing
    }
    ungranted = [product for product in missing if not live[product]]
    mends = [f"ask the owner of {', '.join(ungranted)} for a grant"] if ungranted else []
    mends += [f"state a purpose granted for {product}: {_purposes(held)}" for product, held in live.items() if held]
    return "; ".join(mends)


def _purposes(grants: Iterable[Grant]) -> str:
    return ", ".join(sorted({purpose for grant in grants for purpose in grant.purposes}))
