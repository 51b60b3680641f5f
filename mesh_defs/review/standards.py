"""What a change does to mesh.yaml and to each domain.yaml: who answers for what, and all that was agreed on."""

from collections.abc import Iterator, Mapping
from typing import get_args

from mesh_defs.model.contract import Classification
from mesh_defs.model.mesh import Standards
from mesh_defs.review.causes import masks_told, person_told, purpose_told, role_told, rule_told
from mesh_defs.review.side import Side

_LIMITS = (
    "organisation",
    "snapshot_age_seconds_max",
    "retention_seconds",
    "query_seconds_max",
    "query_memory_bytes_max",
)


def standards_changes(before: Side, after: Side) -> tuple[str, ...]:
    """Every difference, in words. What it does to anybody's access is told with the access."""
    return tuple(_changes(before, after))


def dropped_governance(before: Standards, after: Standards) -> tuple[str, ...]:
    """Governance rules that products need not meet any more."""
    kept = {each.rule for each in after.governance}
    return tuple(each.rule for each in before.governance if each.rule not in kept)


def new_answerers(before: Side, after: Side) -> tuple[str, ...]:
    """Domains that somebody else answers for: whoever is their steward gives access to what they offer."""
    return tuple(
        f"domain {name}: {field} {getattr(was, field)} → {getattr(now, field)}"
        for name, was in before.domains.items()
        if was and (now := after.domains.get(name))
        for field in ("steward", "owner")
        if getattr(was, field) != getattr(now, field)
    )


def _changes(before: Side, after: Side) -> Iterator[str]:
    old, new = before.standards, after.standards
    yield from _words("purpose", old.purposes, new.purposes)
    yield from _words("role", old.roles, new.roles)
    for name in sorted({*old.purposes, *new.purposes}):
        yield from purpose_told(before, after, name)
    for name in sorted({*old.roles, *new.roles}):
        yield from role_told(before, after, name)
    for name in sorted({*old.people, *new.people}):
        yield from person_told(before, after, name)
    yield from masks_told(before, after, set(get_args(Classification)))
    olds, news = ({rule.name: rule for rule in each.row_rules} for each in (old, new))
    for name in sorted({*olds, *news}):
        if told := rule_told(name, olds.get(name), news.get(name)):
            yield told
    yield from _words("kind of identifier", old.identifiers, new.identifiers)
    rules = ({each.rule: f"{each.why} {each.mend}" for each in side.governance} for side in (old, new))
    yield from _words("governance rule", *rules)
    for field in _LIMITS:
        was, now = getattr(old, field), getattr(new, field)
        if was != now:
            yield f"{field}: {_value(was)} → {_value(now)}"
    yield from new_answerers(before, after)


def _value(value: object) -> str:
    return f"{value:,.12g}" if isinstance(value, int | float) else str(value)


def _words(kind: str, old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[str]:
    for name in sorted({*old, *new}):
        if name not in old or name not in new:
            yield f"{kind} {name} is {'new' if name in new else 'gone'}"
        elif old[name] != new[name]:
            yield f"{kind} {name} is described otherwise: {new[name]}"
