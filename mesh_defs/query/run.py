"""THE ONE DOOR. Every read of another domain's data passes `run_query`: parse, bind, authorize, rewrite, record, run.

Embedded, the door runs in the caller's process and guards against mistakes, not against a hostile program that holds
the storage's credentials.
"""

import hashlib
from typing import Any

from mesh_defs.errors import AccessDeniedError, MeshError, QueryRejectedError, nearest
from mesh_defs.ledger import LedgerEntry
from mesh_defs.model.access import AccessRequest, Decision, Principal
from mesh_defs.model.query import QueryPlan, QueryRequest
from mesh_defs.policy.authorize import authorize
from mesh_defs.query.answer import Answer
from mesh_defs.query.bind import find, pin_all, refusal
from mesh_defs.query.platform import Platform
from mesh_defs.sql.parse import SelectStatement, parse_select
from mesh_defs.sql.rewrite import govern


def run_query(request: QueryRequest, platform: Platform) -> Answer:
    """Answer one SELECT, or raise a MeshError that says why not. Nothing runs before its decision is on record."""
    principal = _who(request, platform)
    statement = _parse(request, platform)
    products = find(statement.products, platform)
    decision = _decide(request, principal, statement.products, platform)
    if not decision.allowed:
        _record("denied", request, decision, platform)
        raise refusal(statement.products, decision, principal, products)
    pins = pin_all(products, platform)
    columns = {name: tuple(pin.columns) for name, pin in pins.items()}
    governed = govern(statement, pins, columns)
    plan = QueryPlan(engine="duckdb", because="every product lies where the embedded engine reaches")
    versions = {name: pin.version for name, pin in pins.items()}
    decided = _record("allowed", request, decision, platform, versions=versions)
    try:
        running = platform.engine.run(governed, request.parameters)
    except MeshError as error:
        platform.ledger.append("failed", {"decision": decided.seq, "code": error.code}, at=platform.clock())
        raise
    return Answer(running, governed.pins, decision, plan, lambda body: _answered(platform, decided.seq, body))


def _who(request: QueryRequest, platform: Platform) -> Principal:
    principal = platform.mesh.principal(request.principal)
    if principal is None:
        fix = (
            f"say who you are with --as or MESH_PRINCIPAL; {nearest(request.principal, platform.mesh.standards.people)}"
        )
        raise AccessDeniedError(f"nobody here is called '{request.principal}'", fix=fix)
    purposes = platform.mesh.standards.purposes
    if request.purpose is not None and request.purpose not in purposes:
        raise AccessDeniedError(f"there is no purpose '{request.purpose}'", fix=nearest(request.purpose, purposes))
    return principal


def _parse(request: QueryRequest, platform: Platform) -> SelectStatement:
    try:
        statement = parse_select(request.sql)
        _require_parameters(statement.parameters, request)
    except QueryRejectedError:
        body = {"principal": request.principal, "purpose": request.purpose, "sql_sha256": _digest(request.sql)}
        platform.ledger.append("rejected", body, at=platform.clock())
        raise
    return statement


def _answered(platform: Platform, decision: int, body: dict[str, Any]) -> None:
    platform.ledger.append("answered", {"decision": decision, **body}, at=platform.clock())


def _require_parameters(wanted: tuple[str, ...], request: QueryRequest) -> None:
    missing, surplus = set(wanted) - set(request.parameters), set(request.parameters) - set(wanted)
    if missing or surplus:
        told = [f"no value for ${name}" for name in sorted(missing)] + [f"no ${name}" for name in sorted(surplus)]
        raise QueryRejectedError("; ".join(told), fix="give each $parameter of the SELECT one value")


def _decide(request: QueryRequest, principal: Principal, names: tuple[str, ...], platform: Platform) -> Decision:
    today = platform.clock().date()
    asked = AccessRequest(principal=principal, purpose=request.purpose, products=names, today=today)
    return authorize(asked, platform.mesh.grants)


def _record(
    kind: str, request: QueryRequest, decision: Decision, platform: Platform, versions: dict[str, str] | None = None
) -> LedgerEntry:
    """Literals of a query may be personal data: the ledger keeps the text's digest, not the text."""
    body = {
        "principal": request.principal,
        "purpose": request.purpose,
        "sql_sha256": _digest(request.sql),
        "grants": dict(decision.grants),
        "reasons": list(decision.reasons),
        "versions": versions or {},
        "generation": platform.mesh.snapshot.generation,
    }
    return platform.ledger.append(kind, body, at=platform.clock())


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
