"""How requests and grants look: in words for people, as JSON values for programs."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import click

from mesh_defs.access.given import effective
from mesh_defs.access.listed import Listed
from mesh_defs.access.requests import GrantRequest
from mesh_defs.access.words import WHOLE, Told, condition_told, told
from mesh_defs.access.workflow import Desk
from mesh_defs.cli.render import plain, print_table
from mesh_defs.model.access import AccessRequest, Decision, Grant, View
from mesh_defs.policy.authorize import Policy, authorize


def print_preview(desk: Desk, would_be: GrantRequest, view: View) -> None:
    """What a grant would show, and what it would take away."""
    contract = desk.mesh.contracts[would_be.product]
    click.echo(f"{would_be.product} for {would_be.purpose}, {would_be.days} days, by '{would_be.requestable}':")
    print_told(told(view, contract))
    if lost := _lost(desk, would_be, view):
        grant, names = lost
        click.echo(f"  instead of grant '{grant}', which also shows {', '.join(names)}")


def preview_json(desk: Desk, would_be: GrantRequest, view: View) -> dict[str, Any]:
    """The same for programs; `until` is when it would end if it were given now."""
    shown = told(view, desk.mesh.contracts[would_be.product])
    lost = _lost(desk, would_be, view)
    return {
        "product": would_be.product,
        "purpose": would_be.purpose,
        "requestable": would_be.requestable,
        "columns": shown.columns,
        "rows": shown.rows,
        "until": view.until,
        "no_longer_shown": lost[1] if lost else [],
    }


def print_told(shown: Told) -> None:
    """A line for each column that is not shown as it is, and for each rule."""
    whole = [name for name, how in shown.columns.items() if how == WHOLE]
    lines = [("columns", f"{', '.join(whole)}")] if whole else []
    lines += [(name, how) for name, how in shown.columns.items() if how != WHOLE]
    lines += [("rows", rule) for rule in shown.rows] or [("rows", "all")]
    width = max(len(name) for name, _ in lines)
    for name, how in lines:
        click.echo(f"  {name:<{width}}  {plain(how)}")


def sentence(desk: Desk, asked: GrantRequest) -> str:
    """What became of a request, and what to do next."""
    by = f" by {asked.by}" if asked.by else ""
    if asked.state == "waiting":
        steward = desk.steward_of(asked.product)
        return f"{asked.id} waits for {steward}: mesh access approve {asked.id} --as {steward}"
    if asked.state == "granted":
        grant = effective(asked, desk.mesh)
        if not isinstance(grant, Grant) or grant.until is None:
            return f"{asked.id} is granted{by}, and holds no more: {grant}"
        rows = f", only where {condition_told(grant.rows)}" if grant.rows else ""
        return f"{asked.id} is granted{by} until {when(grant.until)}: {', '.join(grant.columns)}{plain(rows)}"
    return f"{asked.id} is {asked.state}{by}: {plain(asked.reason)}"


def request_json(desk: Desk, asked: GrantRequest) -> dict[str, Any]:
    """A request for programs, and for a line of a table."""
    given = asked.given
    return {
        "id": asked.id,
        "by": asked.principal,
        "product": asked.product,
        "purpose": asked.purpose,
        "columns": asked.columns,
        "days": asked.days,
        "why": asked.why,
        "requestable": asked.requestable,
        "asked_at": asked.asked_at,
        "state": asked.state,
        "answers": (desk.steward_of(asked.product) or "") if asked.state == "waiting" else asked.by,
        "reason": asked.reason,
        "granted_at": asked.granted_at,
        "until": given.until if given else None,
        "ended_at": asked.ended_at,
    }


def print_listed(found: Sequence[Listed]) -> None:
    """A line for each grant; waits are told of grants on request: to the answer, and from there to the first query."""
    headings = ["grant", "product", "to", "purposes", "columns", "rows", "ends", "granted after", "first query after"]
    print_table(headings, [_line(each) for each in found])


def listed_json(each: Listed) -> dict[str, Any]:
    """A grant for programs."""
    told = {name: getattr(each, name) for name in Listed.__slots__}
    return {
        **told,
        "seconds_to_grant": _seconds(each.requested_at, each.granted_at),
        "seconds_to_first_query": _seconds(each.granted_at, each.first_used_at),
    }


def _line(each: Listed) -> list[Any]:
    ends = f"{when(each.ends)}" if each.ends else "–"
    return [
        each.id,
        each.product,
        each.to,
        each.purposes,
        each.columns or "all",
        condition_told(each.rows) if each.rows else "all",
        f"{ends} ({each.over})" if each.over else ends,
        _span(each.requested_at, each.granted_at),
        _span(each.granted_at, each.first_used_at),
    ]


def _lost(desk: Desk, would_be: GrantRequest, view: View) -> tuple[str, list[str]] | None:
    """Grants are never added up: which one applies today, and what it shows that the new one will not."""
    mesh, now = desk.mesh, desk.clock()
    grants = (*mesh.grants, *desk.book.grants(mesh))
    policy = Policy(grants=grants, contracts=mesh.contracts, standards=mesh.standards, requestable=mesh.requestable)
    principal = mesh.standards.people[would_be.principal]
    asked = AccessRequest(principal=principal, purpose=would_be.purpose, products=(would_be.product,), now=now)
    decision: Decision = authorize(asked, policy)
    if not decision.allowed:
        return None
    contract, today = mesh.contracts[would_be.product], decision.views[would_be.product]
    gone = [name for name in told(today, contract).columns if name not in told(view, contract).columns]
    return (today.grant, gone) if gone else None


def _seconds(start: datetime | None, end: datetime | None) -> float | None:
    return round((end - start).total_seconds(), 3) if start and end else None


def _span(start: datetime | None, end: datetime | None) -> str:
    seconds = _seconds(start, end)
    return "–" if seconds is None else f"{seconds:.1f} s" if seconds < 60 else str(timedelta(seconds=round(seconds)))


def when(moment: datetime) -> str:
    """A time as people read it, to the second."""
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
