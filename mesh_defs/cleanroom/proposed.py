"""What the join says would be released, or was, as one party holds it against what it took part in itself."""

from typing import Any

from mesh_defs.cleanroom import steps
from mesh_defs.cleanroom.book import groups_from
from mesh_defs.cleanroom.rules import groups_of
from mesh_defs.cleanroom.run import Run
from mesh_defs.errors import AccessDeniedError
from mesh_defs.model.room import Agreement, Group, Release, Withheld


def release_of(told: Any, run: Run, agreement: Agreement, *, own: str) -> Release:
    """What a party may know of a release: which groups, and, of its own rows' groups, which were withheld and why.

    AccessDeniedError for groups or a budget that were not asked for.
    """
    try:
        shown = tuple(Group(values=tuple(each), numbers=()) for each in told["shown"])
        withheld = tuple(Withheld(values=tuple(values), because=why) for values, why in told["withheld"])
        spent = told["micro_rho"]
    except (KeyError, TypeError, ValueError):
        raise AccessDeniedError("this is no release") from None
    known = set(groups_of(run.analysis, agreement))
    named = [each.values for each in shown] + [each.values for each in withheld]
    if not set(named) <= known or len(set(named)) != len(named) or spent != run.micro_rho:
        raise AccessDeniedError("the release is not of the groups, or the budget, that were asked for")
    if run.terms.level == "privacy" and {each.values for each in shown} != known:
        raise AccessDeniedError("with noise every public group is shown, whatever the rows hold")
    if withheld and own not in steps.protected(agreement, run.analysis, run.analyst):
        raise AccessDeniedError("only those whose rows are asked about are told what was withheld")
    return Release(run=run.id, analysis=run.analysis, groups=shown, withheld=withheld, micro_rho=run.micro_rho)


def numbered(told: Any, run: Run, due: tuple[Group, ...], sha256: str) -> tuple[Group, ...]:
    """The groups with their numbers: those that all parties signed for, and no others. AccessDeniedError."""
    try:
        groups, salt = groups_from(told["groups"]), str(told["salt"])
    except (KeyError, TypeError, ValueError, ArithmeticError):
        raise AccessDeniedError("the numbers are missing") from None
    if steps.release_sha256(run.id, salt, groups) != sha256:
        raise AccessDeniedError("these are not the numbers that were signed for")
    width = len(run.analysis.aggregates)
    if [each.values for each in groups] != [each.values for each in due] or any(
        len(each.numbers) != width for each in groups
    ):
        raise AccessDeniedError("these are not the groups that were signed for")
    return groups
