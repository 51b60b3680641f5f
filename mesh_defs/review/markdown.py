"""A plan for a pull request: one line that sums it up, then tables. Whatever the files say is shown, and never obeyed."""

import html
import re
from collections.abc import Iterable, Iterator, Sequence

from mesh_defs.review import told
from mesh_defs.review.access import AccessChange
from mesh_defs.review.plan import Plan

# GitHub takes 65,536 characters for a comment.
CHARACTERS_MAX = 60_000
_MEANING = re.compile(r"([\\`*_\[\]|~])")
_MENTION = re.compile(r"([@#])(?=\w)")


def as_markdown(plan: Plan) -> str:
    """Return the plan as GitHub's Markdown, at most CHARACTERS_MAX long: what is left out is counted."""
    head = ["## What this change does to the mesh", "", _summary(plan), "", plain(told.compared_with(plan))]
    lines = [*head, *_sections(plan)]
    kept: list[str] = []
    length = 0
    for line in lines:
        length += len(line) + 1
        if length > CHARACTERS_MAX:
            left = len(lines) - len(kept)
            kept += ["", f"**{left} more lines are not shown: run `mesh plan` to see them all.**"]
            break
        kept.append(line)
    return "\n".join(kept) + "\n"


def plain(text: str) -> str:
    """Text of the files such that Markdown takes it for nothing but text: no mark-up, no HTML, no mention, one line."""
    shown = html.escape(told.printable(text), quote=False)
    return _MENTION.sub("\\1\N{ZERO WIDTH SPACE}", _MEANING.sub(r"\\\1", shown))


def _summary(plan: Plan) -> str:
    first, colon, rest = told.summary(plan).partition(":")
    return f"**{first}:**{plain(f'·{rest}').removeprefix('·')}" if colon else f"**{first}**"


def _sections(plan: Plan) -> Iterator[str]:
    yield from _list("Cannot be read now, and counts as absent", map(str, plan.unread_now))
    yield from _list(f"Cannot be read at {plan.base}, and counts as absent there", map(str, plan.unread_before))
    yield from _table("Contracts", ("product", "version", "change"), _products(plan))
    yield from _table("Breaks downstream", ("who", "what they no longer find so"), _breaks(plan))
    yield from _list("Columns made of more sensitive ones", plan.exposed)
    seen = [each for each in plan.access if each.offer is None]
    asked = [each for each in plan.access if each.offer is not None]
    yield from _table("Who sees what", ("", "product", "who", "for", "before → after"), _access(seen))
    yield from _table("What may be asked for", ("", "product", "who", "for", "before → after"), _access(asked))
    yield from _list("Access rules that change nothing today", plan.quiet)
    yield from _list("Access tests", told.tests_told(plan))
    yield from _list("Standards and domains", plan.standards)
    yield from _list("New findings", map(str, plan.findings))


def _products(plan: Plan) -> Iterator[Sequence[str]]:
    for change in plan.products:
        lines = (
            f"**breaking:** {plain(what)}" if level == "breaking" else f"{level}: {plain(what)}"
            for level, what in told.product_lines(change)
        )
        version = plain(told.version_told(change))
        yield plain(change.product), version if change.enough else f"**{version}**", "<br>".join(lines)


def _breaks(plan: Plan) -> Iterator[Sequence[str]]:
    for found in plan.breaks:
        sure = "" if found.sure else " (perhaps)"
        yield f"{plain(found.consumer)}<br>{plain(found.file)}", plain(told.break_told(found)) + sure


def _access(changes: Iterable[AccessChange]) -> Iterator[Sequence[str]]:
    for change in changes:
        offer = f", offer '{change.offer}'" if change.offer else ""
        lines = [plain(line) for line in told.access_lines(change)]
        lines += [f"<sub>because {plain('; '.join(change.because))}</sub>"] if change.because else []
        yield (
            told.sign(change),
            plain(change.product),
            plain(told.who_told(change)),
            plain(f"{', '.join(change.purposes)}{offer}"),
            "<br>".join(lines),
        )


def _table(title: str, headings: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    listed = [f"| {' | '.join(row)} |" for row in rows]
    if listed:
        yield from ("", f"### {title}", "", f"| {' | '.join(headings)} |", f"|{'---|' * len(headings)}", *listed)


def _list(title: str, lines: Iterable[str]) -> Iterator[str]:
    listed = [f"* {plain(line)}" for line in lines]
    if listed:
        yield from ("", f"### {plain(title)}", "", *listed)
