"""What `mesh room show` says of a room as it stands: lines for people, values for programs."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from mesh_defs.cleanroom import words
from mesh_defs.cleanroom.asking import begun
from mesh_defs.cleanroom.book import Book, analysis_from
from mesh_defs.cleanroom.budget import ABANDONED, ASKED, RECEIVED, RELEASED
from mesh_defs.cleanroom.noise import epsilon_of
from mesh_defs.cleanroom.rules import groups_of
from mesh_defs.cleanroom.signed import RoomFolder
from mesh_defs.documents.room import digest_of
from mesh_defs.errors import MeshError
from mesh_defs.ledger import Ledger, LedgerEntry
from mesh_defs.model.room import Agreement, Analysis, AnalysisTemplate, Release


def agreed_lines(folder: RoomFolder, now: datetime) -> Iterator[str]:
    """Who agreed to what, and what may be asked. DeclarationError, StorageError for files that are not sound."""
    agreement = folder.agreement()
    yield f"{agreement.id}, version {agreement.version}: {agreement.title}"
    yield from _indented(words.parties_told(agreement))
    yield from _section("Agreed", words.standing_told(agreement, folder.statements(), now))
    tables = [line for table in agreement.tables for line in words.table_told(table, agreement)]
    yield from _section("What may be asked of", tables)
    yield from _section("By these rules, the strictest of all tables in a question", _rules(agreement))
    yield from _section("For example", words.examples(agreement, now))
    templates = [f"{each.name}: {' '.join(each.sql.split())}" for each in agreement.templates]
    yield from _section("Signed questions (mesh room templates)", templates)


def released_lines(agreement: Agreement, ledger: Ledger, viewer: str | None) -> Iterator[str]:
    """What is left of the budget and what came out; what was withheld, for a party whose rows it is of."""
    page = Book(ledger, agreement).page()
    yield from _section("Budget", [words.budget_told(agreement, page.micro_rho)])
    asked = begun(ledger, agreement.id)
    lines = [line for each in page.releases for line in _release_lines(each, agreement, asked, viewer)]
    yield from _section("Released", lines or ["nothing yet"])
    if page.releases and viewer is None:
        yield "  (say --party to see what was withheld of that party's rows, and why)"


def told_json(folder: RoomFolder, ledger: Ledger, viewer: str | None, now: datetime) -> dict[str, Any]:
    """The same for programs. `withheld` is None for whoever may not know of it."""
    agreement = folder.agreement()
    page, asked, budget = Book(ledger, agreement).page(), begun(ledger, agreement.id), agreement.privacy
    return {
        **summary(folder, now),
        "title": agreement.title,
        "agreement": digest_of(agreement),
        "as": viewer,
        "analysts": agreement.analysts,
        "recipients": agreement.recipients,
        "standing": list(words.standing_told(agreement, folder.statements(), now)),
        "tables": {
            table.name: {
                "party": table.party,
                "product": table.product,
                "person": table.person,
                "dimensions": table.dimensions,
                "measures": {name: each.functions for name, each in table.measures.items()},
                "rules": table.rules,
                "digest": table.digest,
            }
            for table in agreement.tables
        },
        "rules": list(_rules(agreement)),
        "examples": words.examples(agreement, now),
        "templates": [template_json(each, agreement) for each in agreement.templates],
        "budget": budget
        and {
            "micro_rho": budget.micro_rho,
            "micro_rho_left": max(budget.micro_rho - page.micro_rho, 0),
            "epsilon": epsilon_of(budget.micro_rho, budget.delta),
            "epsilon_left": epsilon_of(max(budget.micro_rho - page.micro_rho, 0), budget.delta),
            "delta": budget.delta,
        },
        "releases": [_release_json(each, agreement, asked, viewer) for each in page.releases],
    }


def summary(folder: RoomFolder, now: datetime) -> dict[str, Any]:
    """One line of all rooms: its state is "open" when all signed, none revoked, and it holds now."""
    agreement = folder.agreement()
    try:
        folder.signed()
        state = "open"
    except MeshError:
        told = words.standing_told(agreement, folder.statements(), now)
        state = "revoked" if any(" revoked it on " in line for line in told) else "not signed by all"
    if not agreement.valid_from <= now < agreement.valid_until:
        state = "not yet" if now < agreement.valid_from else "ended"
    return {
        "room": agreement.id,
        "version": agreement.version,
        "parties": tuple(party.name for party in agreement.parties),
        "state": state,
        "until": agreement.valid_until,
    }


def template_json(template: AnalysisTemplate, agreement: Agreement) -> dict[str, Any]:
    """A signed question, and the values that each of its parameters takes."""
    parameters = {name: {"of": str(of), "values": agreement.domain(of)} for name, of in template.parameters.items()}
    return {"name": template.name, "sql": template.sql, "parameters": parameters}


def entry_told(entry: LedgerEntry) -> str:
    """One entry of a room in a few words. Numbers of groups only: what stands in them is for `mesh room show`."""
    body = entry.body
    if entry.kind == ASKED:
        return f"{body['analyst']} asked for {words.analysis_told(analysis_from(body['analysis']))}"
    if entry.kind == RELEASED:
        return f"{len(body['groups'])} groups released"
    if entry.kind == RECEIVED:
        return f"the numbers of {len(body['groups'])} groups"
    if entry.kind == ABANDONED:
        return f"nothing came out: {body['why']}"
    return ""


def _release_lines(
    release: Release, agreement: Agreement, asked: dict[str, tuple[str, datetime]], viewer: str | None
) -> Iterator[str]:
    analyst, at = asked.get(release.run, ("?", None))
    when = f"{at:%Y-%m-%d %H:%M} UTC, " if at else ""
    yield f"{when}{analyst} asked for {words.analysis_told(release.analysis)}"
    possible = sum(1 for _ in groups_of(release.analysis, agreement))
    if not _is_protected(viewer, release.analysis, analyst, agreement):
        missing = "" if len(release.groups) == possible else ": the others are empty or withheld, and which is not told"
        yield f"  {len(release.groups)} of {possible} possible groups shown{missing}"
        return
    yield f"  {len(release.groups)} of {possible} possible groups shown, {len(release.withheld)} withheld"
    for each in release.withheld:
        yield f"  withheld {', '.join(map(str, each.values)) or 'all of it'}: {words.withheld_told(each.because)}"


def _release_json(
    release: Release, agreement: Agreement, asked: dict[str, tuple[str, datetime]], viewer: str | None
) -> dict[str, Any]:
    analyst, at = asked.get(release.run, (None, None))
    protected = _is_protected(viewer, release.analysis, analyst, agreement)
    withheld = [{"values": each.values, "because": each.because} for each in release.withheld]
    return {
        "run": release.run,
        "at": at,
        "analyst": analyst,
        "analysis": release.analysis.as_json(),
        "groups": [each.values for each in release.groups],
        "groups_possible": sum(1 for _ in groups_of(release.analysis, agreement)),
        "withheld": withheld if protected else None,
        "micro_rho": release.micro_rho,
    }


def _is_protected(viewer: str | None, analysis: Analysis, analyst: str | None, agreement: Agreement) -> bool:
    parties = {table.party for table in agreement.tables if table.name in analysis.tables}
    return viewer in parties and viewer != analyst and analyst is not None


def _rules(agreement: Agreement) -> Iterator[str]:
    yield from (words.rule_told(rule, agreement) for rule in agreement.rules)
    yield from words.waived_told(agreement)


def _section(heading: str, lines: Iterable[str]) -> Iterator[str]:
    listed = list(lines)
    if listed:
        yield ""
        yield heading
        yield from _indented(listed)


def _indented(lines: Iterable[str]) -> Iterator[str]:
    yield from (f"  {line}" for line in lines)
