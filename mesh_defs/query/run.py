"""THE ONE DOOR. Every read of another domain's data passes `run_query`: parse, decide, pin, rewrite, verify, record, run.

Embedded, the door runs in the caller's process and guards against mistakes, not against a hostile program that holds
the storage's credentials.
"""

from collections.abc import Mapping

from mesh_defs.engine.parameters import as_frame
from mesh_defs.engine.session import Rows, Session
from mesh_defs.errors import AccessDeniedError, QueryRejectedError, nearest
from mesh_defs.model.access import AccessRequest, Decision, Principal
from mesh_defs.model.query import QueryPlan, QueryRequest
from mesh_defs.model.version import Pin
from mesh_defs.policy.authorize import authorize
from mesh_defs.query.answer import Answer
from mesh_defs.query.bind import find, pin_all, refusal
from mesh_defs.query.explain import described, explained
from mesh_defs.query.platform import Platform
from mesh_defs.query.prepare import Prepared, parsed
from mesh_defs.query.record import Record
from mesh_defs.sql.statements import Statement


def run_query(request: QueryRequest, platform: Platform) -> Answer:
    """Answer one SELECT, or raise a MeshError that says why not. Nothing runs before its decision is on record."""
    record = Record(request, platform)
    principal = _who(request, platform)
    statement = _parse(request, record)
    names = statement.select.products
    products = find(names, platform)
    decision = _decide(request, principal, names, platform)
    if not decision.allowed:
        record.denied(decision, names)
        raise refusal(names, decision, principal, products)
    with record.refusing(decision):
        pins = pin_all(products, platform, versions=request.versions)
        plan = platform.plan(request.engine, pins)
        session = platform.session(plan, tuple(pins[name] for name in names))
    with session:
        with record.refusing(decision):
            prepared = platform.preparer.prepare(request, statement.select, pins, decision.views, session)
            session.require_runnable(prepared.governed, request.parameters)
        allowed = record.allowed(decision, pins, prepared.digest, plan)
        with record.failing(allowed):
            rows = _rows(request, statement, pins, decision, plan, session, prepared)
    return Answer(
        rows=rows,
        pins=prepared.governed.pins,
        plan=plan,
        decision=decision,
        receipt=record.receipt(allowed),
        record=lambda moved: record.answered(allowed, moved),
    )


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


def _parse(request: QueryRequest, record: Record) -> Statement:
    try:
        statement = parsed(request.sql)
        _require_parameters(statement.select.parameters, request)
    except QueryRejectedError:
        record.rejected()
        raise
    return statement


def _require_parameters(wanted: tuple[str, ...], request: QueryRequest) -> None:
    missing, surplus = set(wanted) - set(request.parameters), set(request.parameters) - set(wanted)
    if missing or surplus:
        told = [f"no value for ${name}" for name in sorted(missing)] + [f"no ${name}" for name in sorted(surplus)]
        raise QueryRejectedError("; ".join(told), fix="give each $parameter of the SELECT one value")
    as_frame(request.parameters)  # refuses a value that cannot travel


def _decide(request: QueryRequest, principal: Principal, names: tuple[str, ...], platform: Platform) -> Decision:
    asked = AccessRequest(principal=principal, purpose=request.purpose, products=names, now=platform.clock())
    return authorize(asked, platform.policy())


def _rows(
    request: QueryRequest,
    statement: Statement,
    pins: Mapping[str, Pin],
    decision: Decision,
    plan: QueryPlan,
    session: Session,
    prepared: Prepared,
) -> Rows:
    if statement.kind == "explain":
        return explained(pins, decision, plan)
    if statement.kind == "describe":
        return described(session.describe(prepared.governed, request.parameters))
    return session.run(prepared.governed, request.parameters)
