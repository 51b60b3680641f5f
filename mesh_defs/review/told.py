"""The parts of a plan in words, as both its text and its Markdown have them."""

import re
from collections.abc import Iterator

from mesh_defs.access.words import WHOLE, mask_told
from mesh_defs.review.access import AccessChange
from mesh_defs.review.breaks import Break
from mesh_defs.review.contracts import ProductChange
from mesh_defs.review.fixtures import Tried
from mesh_defs.review.plan import Plan, counted, names
from mesh_defs.review.sight import Difference, Sight, end_told, rows_told, terms_told

_TESTS_MAX = 20
_BREAK = re.compile(r"\s*[\r\n\t]\s*")


def summary(plan: Plan) -> str:
    """One line: what there is to approve, or that there is nothing."""
    told = "; ".join(plan.to_approve)
    if plan.unread_now:
        mend = f"Not to be judged: {counted(len(plan.unread_now), 'problem')} in files that cannot be read"
        return f"{mend}; what can be: {told}." if told else f"{mend}."
    if told:
        return f"To approve: {told}."
    return "Nothing changes for anybody." if plan.is_empty else "Nothing to approve."


def compared_with(plan: Plan) -> str:
    """What the files were compared with."""
    note = f" {plan.base.note[0].upper()}{plan.base.note[1:]}." if plan.base.note else ""
    return f"The files as they are here, compared with {plan.base}.{note}"


def printable(text: str) -> str:
    """One line of text of the files, which no terminal and no page obeys: control characters and marks of direction are gone."""
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in _BREAK.sub(" ", text))


def version_told(change: ProductChange) -> str:
    """A contract's version before and now, and whether it says enough."""
    if change.before is None or change.after is None:
        return change.after or change.before or ""
    same = change.before == change.after
    told = change.after if same else f"{change.before} → {change.after}"
    return told if change.enough else f"{told}, too low: write {change.demanded}"


def product_lines(change: ProductChange) -> Iterator[tuple[str, str]]:
    """(level, what) of each change of a product: `breaking`, `minor` or `patch`."""
    if change.kind == "changed":
        yield from (("breaking" if each.breaking else each.level, each.what) for each in change.changes)
    else:
        told = {"added": "new product", "removed": "product removed", "unreadable": "its contract cannot be read"}
        yield "minor" if change.kind == "added" else "breaking", told[change.kind]
    if change.made:
        yield "patch", change.made
    if change.hint:
        yield "note", change.hint


def break_told(found: Break) -> str:
    """What a consumer will not find so any more."""
    made = f"; {', '.join(found.outputs)} made of it" if found.outputs else ""
    further = f"; further downstream: {names(list(found.further))}" if found.further else ""
    return f"{found.what}{made}{further}"


def sign(change: AccessChange) -> str:
    """More, less, or what cannot be compared."""
    return {(True, False): "+", (False, True): "−", (False, False): "·"}.get((change.gains, change.loses), "±")


def who_told(change: AccessChange) -> str:
    """Whom a change is for, and by what they have it."""
    by: dict[str, list[str]] = {}
    for name, via in zip(change.principals, change.via, strict=True):
        by.setdefault(via, []).append(name)
    return ", ".join(names(who, most=12) + (f" ({via})" if via else "") for via, who in by.items())


def access_lines(change: AccessChange) -> Iterator[str]:
    """What differs, with all that is seen where nothing was, and the rows of the tests that came or went."""
    yield from (_difference(each) for each in change.differences)
    if change.before.view is None:
        yield from _whole(change.after)
    if change.after.view is None:
        yield from _whole(change.before, "before: ")
    if change.tried:
        told = "; ".join(_tried(each, alone=len(change.tried) == 1) for each in change.tried)
        yield f"of {counted(change.tried[0].given, 'test row')}: {told}"


def tests_told(plan: Plan) -> Iterator[str]:
    """Access tests that are gone, say otherwise, or are new."""
    removed, added = ({(each.product, each.name) for each in tests} for tests in (plan.tests_removed, plan.tests_added))
    words = (("gone", removed - added), ("changed", removed & added), ("new", added - removed))
    listed = [f"{word}: {product}, {name}" for word, tests in words for product, name in sorted(tests)]
    yield from listed[:_TESTS_MAX]
    if len(listed) > _TESTS_MAX:
        yield f"and {len(listed) - _TESTS_MAX} more"


def _tried(tried: Tried, *, alone: bool) -> str:
    came = f", {tried.came} came" if tried.came else ""
    went = f", {tried.went} went" if tried.went else ""
    who = "" if alone else f"{names(list(tried.principals))} "
    return f"{who}{tried.before} → {tried.after}{came}{went}"


def _difference(each: Difference) -> str:
    subject = {"column": each.name, "rows": "rows", "end": "holds", "terms": "terms", "access": ""}[each.of]
    return f"{subject}: {each.before} → {each.after}" if subject else f"{each.before} → {each.after}"


def _whole(sight: Sight, prefix: str = "") -> Iterator[str]:
    yield f"{prefix}rows: {rows_told(sight.rules)}"
    yield f"{prefix}columns: {_columns(sight)}"
    if sight.view and sight.view.until:
        yield f"{prefix}{end_told(sight.view.until)}"
    if sight.terms:
        yield f"{prefix}{terms_told(sight.terms)}"


def _columns(sight: Sight) -> str:
    masks = {name: sight.mask(name) for name in sight.columns}
    told = [f"{name} {mask_told(mask)}" for name, mask in masks.items() if mask]
    whole = [name for name, mask in masks.items() if mask is None]
    as_they_are = "as they are" if len(whole) > 1 else WHOLE
    return "; ".join([*told, *([f"{names(whole, most=8)} {as_they_are}"] if whole else [])])
