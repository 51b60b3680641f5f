"""In which order the mesh is made: groups of products that one run of one location can make, and what a failure stops."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from mesh_defs.errors import NotFoundError, nearest
from mesh_defs.model.mesh import DataProduct
from mesh_defs.model.partition import Partitioning


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Products of one location that are ready together: all they need is done, or is in the group.

    They are cut alike, so that one run of a partition, or one run of a whole, makes them all.
    """

    location: str
    products: tuple[str, ...]
    cut: Partitioning | None = None


def ready_groups(
    products: Mapping[str, DataProduct], *, pending: Collection[str], blocked: Collection[str]
) -> tuple[Group, ...]:
    """Return the groups that may run now, at most one per location. `blocked` is what must not be waited for: it failed."""
    groups = []
    for location in sorted({products[name].location for name in pending}):
        here = [name for name in sorted(pending) if products[name].location == location]
        cuts = {repr(cut): cut for name in here if (cut := products[name].contract.partitioning)}
        for cut in (None, *cuts.values()):
            members = _closure(products, location, set(pending), set(blocked), cut)
            if members:
                groups.append(Group(location=location, products=tuple(sorted(members)), cut=cut))
                break
    return tuple(groups)


def stopped_by(products: Mapping[str, DataProduct], failed: Collection[str], pending: Collection[str]) -> set[str]:
    """Return what of `pending` cannot be made because something upstream of it failed."""
    stopped: set[str] = set()
    grown = True
    while grown:
        more = {n for n in set(pending) - stopped if set(products[n].inputs) & (set(failed) | stopped)}
        stopped |= more
        grown = bool(more)
    return stopped


def selected(products: Mapping[str, DataProduct], selections: Collection[str]) -> tuple[str, ...]:
    """Resolve `domain`, `domain.product`, `+name` (with all upstream) and `name+` (with all downstream); none means all."""
    if not selections:
        return tuple(products)
    names: set[str] = set()
    for text in selections:
        core = text.strip("+")
        found = {name for name in products if core in (name, name.partition(".")[0])}
        if not found:
            known = {*products, *(name.partition(".")[0] for name in products)}
            raise NotFoundError(f"nothing is called '{core}'", fix=nearest(core, known))
        names |= found
        if text.startswith("+"):
            names |= _reach(found, {name: set(p.inputs) for name, p in products.items()})
        if text.endswith("+"):
            names |= _reach(found, {n: {c for c, p in products.items() if n in p.inputs} for n in products})
    return tuple(name for name in products if name in names)


def _closure(
    products: Mapping[str, DataProduct], location: str, pending: set[str], blocked: set[str], cut: Partitioning | None
) -> set[str]:
    members: set[str] = set()
    alike = {n for n in pending if products[n].location == location and products[n].contract.partitioning == cut}
    grown = True
    while grown:
        waiting = alike - members - blocked
        more = {n for n in waiting if not (set(products[n].inputs) & (pending | blocked)) - members}
        members |= more
        grown = bool(more)
    return members


def _reach(start: set[str], edges: Mapping[str, set[str]]) -> set[str]:
    reached: set[str] = set()
    frontier = set(start)
    while frontier:
        frontier = {step for name in frontier for step in edges.get(name, ())} - reached
        reached |= frontier
    return reached & edges.keys()
