"""A plan for a terminal."""

from collections.abc import Iterable, Iterator

from mesh_defs.review import told
from mesh_defs.review.access import AccessChange
from mesh_defs.review.plan import Plan


def as_text(plan: Plan) -> str:
    """Return the whole plan; the first line sums it up."""
    return "\n".join((told.summary(plan), told.compared_with(plan), *_sections(plan))) + "\n"


def _sections(plan: Plan) -> Iterator[str]:
    unread = f"Cannot be read at {plan.base}, and counts as absent there"
    sections = (
        ("Cannot be read now, and counts as absent", map(str, plan.unread_now)),
        (unread, map(str, plan.unread_before)),
        ("Contracts", _products(plan)),
        ("Breaks downstream", _breaks(plan)),
        ("Columns made of more sensitive ones", plan.exposed),
        ("Who sees what", _access(each for each in plan.access if each.offer is None)),
        ("What may be asked for", _access(each for each in plan.access if each.offer is not None)),
        ("Access rules that change nothing today", plan.quiet),
        ("Access tests", told.tests_told(plan)),
        ("Standards and domains", plan.standards),
        ("New findings", map(str, plan.findings)),
    )
    for title, lines in sections:
        listed = list(lines)
        if listed:
            yield from ("", title, *(f"  {told.printable(line)}" for line in listed))


def _products(plan: Plan) -> Iterator[str]:
    for change in plan.products:
        yield f"{change.product} {told.version_told(change)}"
        yield from (f"  {level:<8}  {what}" for level, what in told.product_lines(change))


def _breaks(plan: Plan) -> Iterator[str]:
    for found in plan.breaks:
        yield f"{found.consumer} ({found.file})" + ("" if found.sure else ", perhaps")
        yield f"  {told.break_told(found)}"


def _access(changes: Iterable[AccessChange]) -> Iterator[str]:
    product = ""
    for change in changes:
        if change.product != product:
            product = change.product
            yield product
        offer = f", offer '{change.offer}'" if change.offer else ""
        yield f"{told.sign(change)} {told.who_told(change)}, for {', '.join(change.purposes)}{offer}"
        yield from (f"    {line}" for line in told.access_lines(change))
        if change.because:
            yield f"    because {'; '.join(change.because)}"
