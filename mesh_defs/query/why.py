"""Why a person sees what they see of a product: by which grant, which rows, which columns how, and what else would help.

Rows are looked up for the steward alone, as the product's own domain, and no value of one is told: only which part of
which rule is true of it. Whoever asks for themselves learns what a query would tell them, and no more.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from mesh_defs.access.given import allowed_columns, effective
from mesh_defs.access.offer import offers
from mesh_defs.access.words import Told, condition_told, told
from mesh_defs.errors import AccessDeniedError, QueryRejectedError, nearest
from mesh_defs.model.access import AccessRequest, Decision, Grant, Principal, View, service_of
from mesh_defs.model.names import quoted
from mesh_defs.model.query import QueryRequest
from mesh_defs.policy.authorize import authorize, end_of, ended
from mesh_defs.query.bind import refusal
from mesh_defs.query.platform import Platform
from mesh_defs.query.run import run_query
from mesh_defs.sql.row_rule import rule_parts


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Whose right to what is looked at; `by` is the steward who looks, None for the principal themselves."""

    principal: str
    product: str
    purpose: str | None = None
    by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Why:
    """For one purpose: allowed, and what is shown; or denied, and why. `helps` are the ways to more."""

    purpose: str | None
    allowed: bool
    reason: str
    shown: Told | None = None
    until: datetime | None = None
    helps: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One condition of one rule, and whether it is true of the row; None: unknown, which shows nothing either."""

    source: str
    condition: str
    holds: bool | None


def why(question: Question, platform: Platform) -> tuple[Why, ...]:
    """One answer for the stated purpose; without one, for each purpose that allows it, or one that says why none does.

    A product that is missing and one that the principal may not know of are refused alike, as the door refuses them.
    """
    principal = _principal(question, platform)
    purposes = (question.purpose,) if question.purpose else (*platform.mesh.standards.purposes, None)
    decided = {purpose: _decide(question, principal, purpose, platform) for purpose in purposes}
    allowed = {purpose: each for purpose, each in decided.items() if each.allowed}
    if allowed:
        return tuple(_shown(question, purpose, each, platform) for purpose, each in allowed.items())
    [(purpose, decision)] = list(decided.items())[-1:]
    if question.by is None and not _may_know(question, principal, decision, platform):
        raise refusal((question.product,), decision, principal, platform.mesh.products)
    helps = tuple(_helps(question, principal, platform))
    reason = decision.reasons[0].partition(": ")[2]
    return (Why(purpose=purpose, allowed=False, reason=reason, helps=helps),)


def shows_row(question: Question, key: Mapping[str, str], platform: Platform) -> bool:
    """Whether a query of the principal's own finds the row: false says that it is hidden or not there, and not which."""
    query = f"SELECT 1 AS found FROM {_product(question)} WHERE {_where(key)} LIMIT 1"
    request = QueryRequest(sql=query, principal=question.principal, purpose=question.purpose, parameters=_values(key))
    with run_query(request, platform) as answer:
        return answer.table().num_rows > 0


def why_row(question: Question, key: Mapping[str, str], platform: Platform) -> tuple[Part, ...]:
    """Every part of every rule, held against the row with this key, for the steward. Recorded before it is looked up.

    AccessDeniedError when the principal sees no row at all, QueryRejectedError unless exactly one row has the key.
    """
    if question.by is None:
        raise AccessDeniedError("only the steward learns why a row is hidden", fix="ask as the steward: --by NAME")
    principal = _principal(question, platform)
    contract = platform.mesh.contracts[question.product]
    if unknown := [name for name in key if contract.column(name) is None]:
        what = f"{question.product} has no column {', '.join(unknown)}"
        raise QueryRejectedError(what, fix=nearest(unknown[0], contract.column_names))
    decision = _decide(question, principal, question.purpose, platform)
    if not decision.allowed:
        raise AccessDeniedError(f"{principal.name} sees no row: {decision.reasons[0]}", fix=decision.fix)
    body = {"principal": principal.name, "by": question.by, "product": question.product, "purpose": question.purpose}
    platform.ledger.append("row_explained", {**body, "key": sorted(key)}, at=platform.clock())
    return _held(question, decision.views[question.product], key, platform)


def _held(question: Question, view: View, key: Mapping[str, str], platform: Platform) -> tuple[Part, ...]:
    parts = [(rule.source, part) for rule in view.rules for part in rule_parts(rule.bound)]
    columns = ", ".join([f"{part} AS part_{n}" for n, (_, part) in enumerate(parts)] or ["TRUE AS part_0"])
    query = f"SELECT {columns} FROM {_product(question)} WHERE {_where(key)} LIMIT 2"
    own = service_of(question.product.partition(".")[0])
    with run_query(QueryRequest(sql=query, principal=own, parameters=_values(key)), platform) as answer:
        rows = answer.table().to_pylist()
    if len(rows) != 1:
        what = "no row has this key" if not rows else "several rows have this key"
        raise QueryRejectedError(what, fix="name all columns of the key: --row COLUMN=VALUE, several times")
    return tuple(
        Part(source=source, condition=condition_told(part), holds=rows[0][f"part_{n}"])
        for n, (source, part) in enumerate(parts)
    )


def _principal(question: Question, platform: Platform) -> Principal:
    """Who is looked at; whoever looks at somebody else's right must be the product's steward."""
    mesh = platform.mesh
    domain = mesh.domains.get(question.product.partition(".")[0])
    is_steward = domain is not None and domain.steward == question.by and question.product in mesh.products
    if question.by is not None and not is_steward:
        what = f"{question.product}: not found, or {question.by} is not the steward of its domain"
        raise AccessDeniedError(what, fix="its steward may ask; leave out --by to ask for yourself")
    principal = mesh.principal(question.principal)
    if principal is None:
        fix = nearest(question.principal, mesh.standards.people)
        raise AccessDeniedError(f"nobody here is called '{question.principal}'", fix=fix)
    if question.purpose not in (None, *mesh.standards.purposes):
        fix = nearest(str(question.purpose), mesh.standards.purposes)
        raise AccessDeniedError(f"there is no purpose '{question.purpose}'", fix=fix)
    return principal


def _decide(question: Question, principal: Principal, purpose: str | None, platform: Platform) -> Decision:
    asked = AccessRequest(principal=principal, purpose=purpose, products=(question.product,), now=platform.clock())
    return authorize(asked, platform.policy())


def _may_know(question: Question, principal: Principal, decision: Decision, platform: Platform) -> bool:
    """They hold a grant that does not apply now, or may ask for one."""
    told_more = not decision.reasons[0].endswith(": no grant")
    return told_more or bool(offers(platform.mesh, principal, question.product))


def _shown(question: Question, purpose: str | None, decision: Decision, platform: Platform) -> Why:
    view = decision.views[question.product]
    return Why(
        purpose=purpose,
        allowed=True,
        reason=decision.reasons[0].partition(": ")[2],
        shown=told(view, platform.mesh.contracts[question.product]),
        until=view.until,
    )


def _helps(question: Question, principal: Principal, platform: Platform) -> list[str]:
    """Grants that would apply for another purpose or did once, what may be asked for, and what became of requests."""
    mesh, now = platform.mesh, platform.clock()
    policy = platform.policy()
    held = [g for g in policy.grants if g.product == question.product and _holds(g, principal)]
    found = [
        f"grant '{g.id}' {f'ended {end_of(g):%Y-%m-%d %H:%M}' if ended(g, now) else 'applies'} for {', '.join(g.purposes)}"
        for g in sorted(held, key=lambda g: g.id)
    ]
    for each in platform.requests.page().requests.values():
        if (each.principal, each.product) == (principal.name, question.product) and each.id not in {g.id for g in held}:
            ending = effective(each, mesh) if each.state == "granted" else (each.reason or "not answered yet")
            found.append(f"{each.id} ({each.purpose}): {each.state}, {ending}")
    contract = mesh.contracts.get(question.product)
    for offer in offers(mesh, principal, question.product):
        assert contract is not None  # what is offered has one
        answer = "answered at once" if offer.instant else "answered by its steward"
        what = f"{', '.join(allowed_columns(offer, contract))} for {', '.join(offer.purposes)}"
        found.append(f"may be asked for ('{offer.id}', {answer}): {what}, {offer.days_max} days at most")
    return found or ["no grant names them, and nothing may be asked for: its owner can change that"]


def _holds(grant: Grant, principal: Principal) -> bool:
    return principal.name in grant.principals or bool(set(grant.roles) & set(principal.roles))


def _product(question: Question) -> str:
    return ".".join(map(quoted, question.product.split(".")))


def _where(key: Mapping[str, str]) -> str:
    return " AND ".join(f"CAST({quoted(name)} AS VARCHAR) = $key_{n}" for n, name in enumerate(key))


def _values(key: Mapping[str, str]) -> dict[str, str]:
    return {f"key_{n}": value for n, value in enumerate(key.values())}
