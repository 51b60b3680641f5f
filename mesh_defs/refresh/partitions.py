"""Which partitions a refresh makes: those asked for, or else what is missing and the newest. Launches nothing."""

from collections.abc import Collection, Mapping
from datetime import datetime

from mesh_defs.errors import MeshError, NotFoundError
from mesh_defs.model.mesh import DataProduct
from mesh_defs.model.partition import Partitioning
from mesh_defs.query.mesh import open_storage
from mesh_defs.settings import Settings

ALL = "all"


def keys_of(product: DataProduct, settings: Settings, *, asked: str | None, now: datetime) -> tuple[str, ...] | None:
    """Return the partitions of a product that are to be made, in order; None for one that is not partitioned."""
    cut = product.contract.partitioning
    if cut is None:
        return None
    return chosen(cut, asked, published=_published(product, settings) if asked is None else (), now=now)


def chosen(cut: Partitioning, asked: str | None, *, published: Collection[str], now: datetime) -> tuple[str, ...]:
    """Resolve `A..B` (both included), one key, `all`, or None: what is missing and the newest. NotFoundError if unknown."""
    known = cut.keys(now)
    if asked is None:
        newest = known[-1:] if cut.is_daily else known
        return tuple(key for key in known if key not in published or key in newest)
    if asked == ALL:
        return known
    first, _, last = asked.partition("..")
    return cut.between(first, last or first, now)


def cut_for(products: Mapping[str, DataProduct], names: Collection[str], asked: str, now: datetime) -> tuple[str, ...]:
    """Return those of the products that have the partitions asked for. NotFoundError when none has."""
    complaint: MeshError | None = None
    found = []
    for name in names:
        cut = products[name].contract.partitioning
        if cut is None:
            continue
        try:
            chosen(cut, asked, published=(), now=now)
            found.append(name)
        except NotFoundError as error:
            complaint = error
    if not found:
        raise complaint or NotFoundError("none of these products is partitioned", fix="leave --partitions out")
    return tuple(found)


def _published(product: DataProduct, settings: Settings) -> set[str]:
    version = open_storage(product, settings).current()
    return {part.partition for part in version.parts if part.partition is not None} if version else set()
