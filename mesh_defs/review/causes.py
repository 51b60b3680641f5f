"""Why somebody sees otherwise: which words of which file make the difference. Told for a reviewer; decides nothing."""

from collections.abc import Iterator, Mapping, Set
from typing import Any

from mesh_defs.model.access import Grant, Mask, Requestable
from mesh_defs.model.mesh import StandardRule
from mesh_defs.review.side import Side
from mesh_defs.review.sight import Difference, Sight

_FIELDS = ("roles", "principals", "purposes", "expires", "rows", "masks", "columns", "days_max", "instant")
NOTHING = "nothing"


def causes(
    before: Side,
    after: Side,
    product: str,
    offer: str | None,
    principal: str,
    sights: tuple[Sight, Sight],
    differences: tuple[Difference, ...],
) -> tuple[str, ...]:
    """What changed in the files that this principal's sight of the product depends on."""
    whole = any(each.of == "access" for each in differences)
    columns = {each.name for each in differences if each.of == "column"}
    rules = [
        rule for side in (before, after) for rule in (side.requestable(product) if offer else side.grants(product))
    ]
    held = [rule for rule in rules if offer in (None, rule.id)]
    told = [
        *person_told(
            before, after, principal, roles={role for rule in held for role in rule.roles}, texts=_texts(sights)
        ),
        *_given(before, after, product, offer, sights),
        *_contract(before, after, product, columns),
        *masks_told(before, after, _classes(before, after, product, columns)),
        *(_standard_rules(before, after, product) if whole or any(each.of == "rows" for each in differences) else ()),
    ]
    return tuple(dict.fromkeys(told))


def rule_changes(before: Side, after: Side, product: str) -> dict[str, str]:
    """Grants and offers of a product that are new, gone or say otherwise: what they are -> what changed, in words."""
    found: dict[str, str] = {}
    for kind, olds, news in (
        ("grant", before.grants(product), after.grants(product)),
        ("offer", before.requestable(product), after.requestable(product)),
    ):
        pairs = {each.id: (each, None) for each in olds} | {each.id: (None, each) for each in news}
        both = {each.id: (each, other) for each in olds for other in news if each.id == other.id}
        for name, (old, new) in (pairs | both).items():
            if told := _rule(old, new):
                found[f"{kind} '{name}'"] = f"{kind} '{name}' {told}"
    return found


def person_told(
    before: Side, after: Side, name: str, *, roles: Set[str] | None = None, texts: str | None = None
) -> Iterator[str]:
    """What changed about a principal; only these roles and the attributes that row rules name, when they are given."""
    was, now = before.principals.get(name), after.principals.get(name)
    if was is None or now is None:
        if was or now:
            yield f"{name} is {'new' if now else 'gone'}"
        return
    for role in dict.fromkeys((*was.roles, *now.roles)):
        if (role in was.roles) != (role in now.roles) and (roles is None or role in roles):
            yield f"{name} is {role} now" if role in now.roles else f"{name} is no longer {role}"
    for attribute in sorted({*was.attributes, *now.attributes}):
        old, new = (", ".join(each.attributes.get(attribute, ())) or NOTHING for each in (was, now))
        if old != new and (texts is None or f"principal.{attribute}}}" in texts):
            yield f"{name}'s {attribute}: {old} → {new}"


def purpose_told(before: Side, after: Side, name: str) -> Iterator[str]:
    """Whether a purpose lies within others than before."""
    was, now = (side.standards.reached(name)[1:] for side in (before, after))
    if was != now:
        yield f"purpose {name} lies within {_value(was)} → {_value(now)}"


def role_told(before: Side, after: Side, name: str) -> Iterator[str]:
    """Whether a role includes others than before."""
    was, now = (side.standards.held_roles.get(name, ())[1:] for side in (before, after))
    if was != now:
        yield f"role {name} includes {_value(was)} → {_value(now)}"


def masks_told(before: Side, after: Side, classes: set[Any]) -> Iterator[str]:
    """Standard masks that say otherwise, for these classifications."""
    for class_ in sorted(classes):
        was, now = (side.standards.masks.get(class_) for side in (before, after))
        if was != now:
            yield f"standard mask of {class_} columns: {_mask(was)} → {_mask(now)}"


def rule_told(name: str, was: StandardRule | None, now: StandardRule | None) -> str | None:
    """What changed about a standard row rule."""
    if was is None or now is None:
        return f"standard rule '{name}' is {'new' if now else 'gone'}" if was or now else None
    told = [f"for {was.granularity} → {now.granularity} products"] if was.granularity != now.granularity else []
    for purpose in sorted({*was.rows, *now.rows}):
        old, new = was.rows.get(purpose, NOTHING), now.rows.get(purpose, NOTHING)
        told += [f"for {purpose}: {old} → {new}"] if old != new else []
    return f"standard rule '{name}' {'; '.join(told)}" if told else None


def _texts(sights: tuple[Sight, Sight]) -> str:
    return " ".join(rule.text for sight in sights for rule in sight.rules)


def _given(before: Side, after: Side, product: str, offer: str | None, sights: tuple[Sight, Sight]) -> Iterator[str]:
    ids = [offer] if offer else [each.view.grant for each in sights if each.view]
    kind = "offer" if offer else "grant"
    changed = rule_changes(before, after, product)
    yield from (changed[name] for each in ids if (name := f"{kind} '{each}'") in changed)
    if not offer and len(set(ids)) == 2:
        yield f"grant '{ids[1]}' applies instead of '{ids[0]}'"


def _contract(before: Side, after: Side, product: str, columns: set[str]) -> Iterator[str]:
    was, now = (side.contracts.get(product) for side in (before, after))
    if was is None or now is None:
        if was or now:
            yield f"{product} is {'new' if now else 'gone'}"
        return
    if was.granularity != now.granularity:
        yield f"granularity {was.granularity} → {now.granularity}"
    for name in sorted(columns):
        old, new = was.column(name), now.column(name)
        if old is None or new is None:
            yield f"column {name} is {'new' if new else 'gone'}"
            continue
        if old.classification != new.classification:
            yield f"column {name}: {old.classification} → {new.classification}"
        if old.token != new.token:
            yield f"column {name}: token of {old.token or NOTHING} → {new.token or NOTHING}"


def _classes(before: Side, after: Side, product: str, columns: set[str]) -> set[Any]:
    contracts = [side.contracts.get(product) for side in (before, after)]
    return {c.classification for contract in contracts if contract for c in contract.columns if c.name in columns}


def _standard_rules(before: Side, after: Side, product: str) -> Iterator[str]:
    contracts = [side.contracts.get(product) for side in (before, after)]
    granularities = {contract.granularity for contract in contracts if contract}
    olds, news = ({rule.name: rule for rule in side.standards.row_rules} for side in (before, after))
    for name in sorted({*olds, *news}):
        held = {rule.granularity for rule in (olds.get(name), news.get(name)) if rule}
        told = rule_told(name, olds.get(name), news.get(name))
        if told and held & granularities:
            yield told


def _rule(old: Grant | Requestable | None, new: Grant | Requestable | None) -> str:
    if old is None or new is None:
        return "is new" if new else "is gone"
    fields = [name for name in _FIELDS if getattr(old, name, None) != getattr(new, name, None)]
    return "; ".join(f"{name} {_value(getattr(old, name))} → {_value(getattr(new, name))}" for name in fields)


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_mask(mask)}" for name, mask in sorted(value.items())) or NOTHING
    if isinstance(value, tuple):
        return ", ".join(value) or NOTHING
    return NOTHING if value is None else str(value)


def _mask(mask: Mask | None) -> str:
    """As the file says it."""
    if mask is None:
        return NOTHING
    free = f" unless for {', '.join(mask.unless)}" if mask.unless else ""
    return f"{mask.kind}{'' if mask.value is None else f' {mask.value!r}'}{free}"
