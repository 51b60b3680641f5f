"""What a request would give: its terms, within what the access file lets people ask for, and what that shows. Records nothing."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from mesh_defs.access.given import allowed_columns, ceiling_of, effective
from mesh_defs.access.offer import Wanted, chosen, person
from mesh_defs.access.requests import Given, GrantRequest
from mesh_defs.errors import AccessDeniedError, QueryRejectedError
from mesh_defs.model.access import Grant, View
from mesh_defs.model.mesh import Mesh
from mesh_defs.policy.view import view_of
from mesh_defs.sql.row_rule import check_rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Narrowing:
    """What an answer leaves out of what was asked for: fewer days, fewer columns, a further row rule."""

    days: int | None = None
    columns: tuple[str, ...] = ()
    rows: str | None = None


def wish(mesh: Mesh, wanted: Wanted, *, at: datetime) -> GrantRequest:
    """The request that a wish makes, not numbered yet. AccessDeniedError or NotFoundError for what may not be asked for."""
    offer, columns = chosen(mesh, wanted)
    domain = mesh.domains[wanted.product.partition(".")[0]]
    if not offer.instant and domain.steward == wanted.principal:
        what = f"{wanted.principal} is the steward of {domain.name}: nobody else answers, and nobody answers themselves"
        raise AccessDeniedError(
            what, fix=f"grant it in the access file of {wanted.product}, where a colleague reviews it"
        )
    return GrantRequest(
        number=0,
        principal=wanted.principal,
        product=wanted.product,
        purpose=wanted.purpose,
        columns=columns,
        days=wanted.days,
        why=wanted.why.strip(),
        requestable=offer.id,
        asked_at=at,
    )


def preview(mesh: Mesh, wanted: Wanted, *, at: datetime) -> tuple[GrantRequest, View]:
    """What would be given if the answer came now, and what that shows. Raises as `wish` does."""
    asked, view = granted(mesh, wish(mesh, wanted, at=at), Narrowing(), at)
    ours = f"grant '{asked.id}'"
    rules = tuple(
        replace(r, source=f"requestable '{asked.requestable}'") if r.source == ours else r for r in view.rules
    )
    return asked, replace(view, rules=rules)


def granted(mesh: Mesh, asked: GrantRequest, narrowing: Narrowing, now: datetime) -> tuple[GrantRequest, View]:
    """The request as granted, and what it shows. Raises AccessDeniedError when it shows more than the file allows today."""
    ceiling = ceiling_of(asked, mesh)
    if isinstance(ceiling, str):
        raise AccessDeniedError(f"{asked.id} cannot be granted any more: {ceiling}", fix="refuse it, with that reason")
    contract = mesh.contracts[asked.product]
    columns, days = narrowing.columns or asked.columns, narrowing.days or asked.days
    surplus = set(columns) - set(asked.columns)
    if surplus or days > asked.days:
        what = f"an answer gives no more than was asked for: {', '.join(asked.columns)}, {asked.days} days"
        raise AccessDeniedError(what, fix="leave out what is beyond that")
    gone = set(columns) - set(allowed_columns(ceiling, contract))
    if gone or days > ceiling.days_max:
        what = f"today the access file allows {ceiling.days_max} days"
        what += f", and not {', '.join(sorted(gone))}" if gone else ""
        raise AccessDeniedError(
            f"{asked.id} asks for more than may be given: {what}", fix="narrow it: --days, --columns"
        )
    if narrowing.rows is not None:
        check_rule(narrowing.rows, {column.name: column.type for column in contract.columns})
    rows = tuple(rule for rule in (ceiling.rows, narrowing.rows) if rule is not None)
    given = Given(since=now, until=now + timedelta(days=days), columns=columns, rows=rows, masks=ceiling.masks)
    would_be = replace(asked, state="granted", granted_at=now, given=given)
    return would_be, _view(mesh, would_be)


def _view(mesh: Mesh, asked: GrantRequest) -> View:
    grant, principal = effective(asked, mesh), person(mesh, asked.principal)
    if not isinstance(grant, Grant):
        raise AccessDeniedError(f"{asked.id} would give nothing: {grant}")
    contract = mesh.contracts[asked.product]
    try:
        return view_of(contract, grant, principal, asked.purpose, mesh.standards, until=grant.until)
    except QueryRejectedError as error:
        what = f"{asked.product} would show {asked.principal} nothing for {asked.purpose}: {error.what}"
        raise AccessDeniedError(what, fix=error.fix) from None
