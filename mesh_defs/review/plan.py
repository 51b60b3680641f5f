"""What a change to the mesh's files does, as one value. Asks git and reads files; runs no domain's code and asks no store."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from mesh_defs.errors import Finding
from mesh_defs.model.access import PolicyTest
from mesh_defs.review.access import AccessChange, access_changes
from mesh_defs.review.breaks import Break, breaks
from mesh_defs.review.causes import rule_changes
from mesh_defs.review.contracts import ProductChange, contract_changes
from mesh_defs.review.exposure import exposures
from mesh_defs.review.findings import new_findings
from mesh_defs.review.revision import Revision, find_revision, write_files
from mesh_defs.review.side import Side, read_side
from mesh_defs.review.standards import dropped_governance, new_answerers, standards_changes


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A change, as far as files tell. `unread_before` and `unread_now` are what could not be read, and counts as absent.

    `exposed` are columns made of more sensitive ones, `answerers` domains that somebody else answers for.
    `quiet` are rules of access files that say otherwise, though nobody sees otherwise today; `dropped` governance rules
    that are gone.
    """

    base: Revision
    products: tuple[ProductChange, ...]
    breaks: tuple[Break, ...]
    exposed: tuple[str, ...]
    access: tuple[AccessChange, ...]
    quiet: tuple[str, ...]
    tests_removed: tuple[PolicyTest, ...]
    tests_added: tuple[PolicyTest, ...]
    standards: tuple[str, ...]
    dropped: tuple[str, ...]
    answerers: tuple[str, ...]
    findings: tuple[Finding, ...]
    unread_before: tuple[Finding, ...]
    unread_now: tuple[Finding, ...]

    @property
    def to_approve(self) -> tuple[str, ...]:
        """What somebody has to agree to, in words; nothing when the change takes and gives nothing."""
        return tuple(_to_approve(self))

    @property
    def is_empty(self) -> bool:
        """Whether the change does nothing that is told here."""
        return not any(
            (
                self.products,
                self.breaks,
                self.exposed,
                self.access,
                self.quiet,
                self.tests_removed,
                self.tests_added,
                self.standards,
                self.findings,
                self.unread_now,
            )
        )


def make_plan(root: Path, base: str | None, *, now: datetime) -> Plan:
    """Compare the working tree's files with those of a revision. Raises RevisionNotFoundError."""
    revision = find_revision(root, base)
    with tempfile.TemporaryDirectory(prefix="mesh-plan-") as scratch:
        folder = Path(scratch).resolve()
        missing = write_files(revision.commit, root, folder)
        before = read_side(folder, str(revision), real=root)
        before = replace(before, problems=(*missing, *before.problems))
        return compared(revision, before, read_side(root, "now", real=root), now=now)


def compared(base: Revision, before: Side, after: Side, *, now: datetime) -> Plan:
    """Compare two sides. Reads their folders once more, for the lines of findings."""
    access = access_changes(before, after, now)
    tests = [tuple(_without(one, other)) for one, other in ((before, after), (after, before))]
    return Plan(
        base=base,
        products=contract_changes(before, after),
        breaks=breaks(before, after, now),
        exposed=exposures(before, after),
        access=access,
        quiet=tuple(_quiet(before, after, access)),
        tests_removed=tests[0],
        tests_added=tests[1],
        standards=standards_changes(before, after),
        dropped=dropped_governance(before.standards, after.standards),
        answerers=new_answerers(before, after),
        findings=new_findings(before, after, now),
        unread_before=before.problems,
        unread_now=after.problems,
    )


def _without(side: Side, other: Side) -> Iterator[PolicyTest]:
    """Tests that the other side does not have, whatever they are called and wherever they stand."""
    known = {_meaning(each, other) for each in other.tests}
    return (each for each in side.tests if _meaning(each, side) not in known)


def _meaning(test: PolicyTest, side: Side) -> str:
    """A person's roles stand in mesh.yaml: when they change there, no test did."""
    asker = test.principal.name if test.principal.name in side.principals else test.principal
    return repr((test.product, asker, test.purpose, test.given, test.expected, test.asks))


def _quiet(before: Side, after: Side, access: tuple[AccessChange, ...]) -> Iterator[str]:
    told = {(each.product, cause) for each in access for cause in each.because}
    for product in sorted({*before.access, *after.access}):
        for cause in rule_changes(before, after, product).values():
            if (product, cause) not in told:
                yield f"{product}: {cause}"


def _to_approve(plan: Plan) -> Iterator[str]:
    breaking = sum(change.breaking for each in plan.products for change in each.changes)
    removed = [each.product for each in plan.products if each.after is None]
    if breaking:
        yield counted(breaking, "breaking contract change")
    if removed:
        yield f"{counted(len(removed), 'product')} removed"
    if plan.breaks:
        yield f"{counted(len({each.consumer for each in plan.breaks}), 'consumer')} downstream affected"
    if plan.exposed:
        yield f"{counted(len(plan.exposed), 'column')} made of more sensitive ones"
    for asked, verb in ((False, ""), (True, "ask for ")):
        changes = [each for each in plan.access if (each.offer is not None) == asked]
        for more, gains in (("more", True), ("less", False)):
            who = {name for each in changes if (each.gains if gains else each.loses) for name in each.principals}
            if who:
                yield f"{names(sorted(who))} may {verb or 'see '}{more}"
    if plan.tests_removed:
        yield f"{counted(len(plan.tests_removed), 'access test')} removed or changed"
    if plan.dropped:
        yield f"{counted(len(plan.dropped), 'governance rule')} dropped"
    yield from plan.answerers


def counted(count: int, noun: str) -> str:
    """`1 product`, `2 products`."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def names(listed: list[str], most: int = 6) -> str:
    """Some names, and how many more."""
    more = len(listed) - most
    shown = listed if more <= 0 else listed[:most]
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")
