"""Moves a product to the storage that its contract names now. Readers notice nothing: they name products, never places."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import duckdb

from mesh_defs.errors import StorageError
from mesh_defs.model.contract import Server
from mesh_defs.model.mesh import DataProduct
from mesh_defs.model.version import Version
from mesh_defs.query.mesh import served_from, server_in
from mesh_defs.settings import Settings
from mesh_defs.storage.base import Storage
from mesh_defs.storage.open import storage_at
from mesh_defs.storage.places import Served, moving, store_served
from mesh_defs.upkeep.carry import carry


@dataclass(frozen=True, slots=True, kw_only=True)
class Renovation:
    """What a move did. `versions` counts those carried; none, and `moved` False, when there was nothing to do."""

    product: str
    old: Server
    new: Server
    versions: int = 0
    moved: bool = False


def renovate(
    product: DataProduct,
    settings: Settings,
    *,
    connection: duckdb.DuckDBPyConnection,
    now: Callable[[], datetime],
    back: bool = False,
    report: Callable[[Version], None] = lambda version: None,
) -> Renovation:
    """Copy the product's versions to its contract's place (or `back` to the one before), then flip in one step.

    Steps go on publishing to the old place during the copy; what they publish meanwhile is carried before the flip, while
    they wait. Running queries keep reading the old place, which stays until the retention is over. On any error the old
    place is served as before. Raises StorageError.
    """
    served = served_from(product.contract, settings)
    target = _target(product, served, settings, back=back)
    unmoved = Renovation(product=product.name, old=served.server, new=target)
    if target == served.server:
        return unmoved

    def opened(server: Server, clock: Callable[[], datetime]) -> Storage:
        access = settings.access(product.contract.domain, product.storage, write=True)
        return storage_at(server, access, clock=clock)

    def catch_up() -> int:
        source = opened(served.server, now)
        return carry(source, lambda clock: opened(target, clock), connection, report)

    with moving(settings.places_folder, product.name):
        served = served_from(product.contract, settings).moving(target, at=now())
        store_served(settings.places_folder, product.name, served)
    versions = catch_up()
    with moving(settings.places_folder, product.name):
        if served_from(product.contract, settings) != served:
            raise StorageError(f"{product.name} was moved by somebody else meanwhile", fix="look with `mesh show`")
        versions += catch_up()
        store_served(settings.places_folder, product.name, served.moved(target, at=now()))
    return Renovation(product=product.name, old=served.server, new=target, versions=versions, moved=True)


def _target(product: DataProduct, served: Served, settings: Settings, *, back: bool) -> Server:
    if product.contract.external:
        what = f"{product.name} is external: another system keeps it"
        raise StorageError(what, where=product.contract.file, fix="move it there, then change the contract's server")
    if not back:
        return server_in(product.contract, settings.environment)
    if served.previous is None:
        what = f"{product.name} has no place to go back to"
        raise StorageError(what, fix="it was never moved, or its old place was retired; change the contract's server")
    return served.previous
