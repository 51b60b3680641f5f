"""How a candidate joins what is published: whole, or one partition beside the others. Pure; knows no file."""

from dataclasses import replace

from mesh_defs.errors import StorageError
from mesh_defs.model.version import Candidate, Part, Version
from mesh_defs.storage.postgres_names import candidate_of


def merged_parts(base: Version | None, candidate: Candidate, *, may_add: bool = False) -> tuple[Part, ...]:
    """Return the next version's parts, ordered by partition.

    StorageError if the candidate's partition cannot stand beside the parts that stay: those are not partitioned, so its
    rows would count twice, or they have other columns. `may_add`: columns at the candidate's end may be new, for those
    parts then lack them.
    """
    if candidate.partition is None or base is None:
        return candidate.parts
    if any(part.partition is None for part in base.parts):
        what = f"the published version is one whole, so partition '{candidate.partition}' would count its rows twice"
        raise StorageError(what, fix="give the partitioned product another place in its contract")
    staying = tuple(part for part in base.parts if part.partition != candidate.partition)
    old, new = tuple(base.columns.items()), tuple(candidate.columns.items())
    added = dict(new[len(old) :]) if may_add and new[: len(old)] == old else {}
    if added:
        staying = tuple(replace(part, absent={**part.absent, **added}) for part in staying)
    elif staying and old != new:
        what = f"partition '{candidate.partition}' has other columns than the rest: {_difference(base, candidate)}"
        raise StorageError(what, fix="publish new columns to another place, every partition of it")
    return tuple(sorted(staying + candidate.parts, key=lambda part: (part.partition or "", part.path)))


def staged_for(part: Part) -> str:
    """Return the candidate that a part of a version was staged for."""
    return candidate_of(part.path) or part.path.split("/")[1]


def _difference(base: Version, candidate: Candidate) -> str:
    old, new = dict(base.columns), dict(candidate.columns)
    for name in [*old, *new]:
        if old.get(name) != new.get(name):
            return f"'{name}' is {new.get(name, 'absent')}, was {old.get(name, 'absent')}"
    return "their order changed"
