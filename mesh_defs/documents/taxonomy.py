"""Purposes and roles as mesh.yaml writes them: each a text, or a mapping with what it lies within, or what it includes."""

from collections.abc import Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Annotated

from mesh_defs.documents.complaints import Complaints
from mesh_defs.documents.strict import Strict, Text
from mesh_defs.documents.structure import known_name


class _Purpose(Strict):
    meaning: Text
    within: Annotated[str, known_name("purposes", "no purpose of mesh.yaml")] | None = None


class _Role(Strict):
    meaning: Text
    includes: list[Annotated[str, known_name("roles", "no role of mesh.yaml")]] = []


PurposeField = Text | _Purpose
RoleField = Text | _Role


def meanings(declared: Mapping[str, Text | _Purpose | _Role]) -> dict[str, str]:
    """What each name means."""
    return {name: each if isinstance(each, str) else each.meaning for name, each in declared.items()}


def within(purposes: Mapping[str, PurposeField], wrong: Complaints) -> dict[str, str]:
    """Narrower purposes -> the purpose that each lies within. A purpose within itself is complained of."""
    found = {name: each.within for name, each in purposes.items() if isinstance(each, _Purpose) and each.within}
    _refuse_cycle("purposes", "within", {name: [wider] for name, wider in found.items()}, wrong)
    return found


def held_roles(roles: Mapping[str, RoleField], wrong: Complaints) -> dict[str, tuple[str, ...]]:
    """Every role -> itself and all that it includes, directly or not. A role that includes itself is complained of."""
    includes = {name: [] if isinstance(each, str) else each.includes for name, each in roles.items()}
    held: dict[str, tuple[str, ...]] = {}
    if not _refuse_cycle("roles", "includes", includes, wrong):
        for role in TopologicalSorter(includes).static_order():
            held[role] = tuple(dict.fromkeys((role, *(each for name in includes[role] for each in held[name]))))
    return held


def _refuse_cycle(kind: str, field: str, leads_to: Mapping[str, Sequence[str]], wrong: Complaints) -> bool:
    try:
        TopologicalSorter(leads_to).prepare()
    except CycleError as error:
        way = error.args[1][::-1]
        wrong.add((kind, way[0], field), f"leads back to {way[0]}: {' → '.join(way)}", "take one of these steps out")
        return True
    return False
