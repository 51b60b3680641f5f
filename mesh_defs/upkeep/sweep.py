"""Retires what nobody can be reading any more: superseded versions, quarantined batches, places that were moved from."""

from datetime import datetime, timedelta

from mesh_defs.model.contract import Contract
from mesh_defs.model.mesh import DataProduct, Standards
from mesh_defs.query.mesh import open_storage, served_from
from mesh_defs.settings import Settings
from mesh_defs.storage.open import storage_at
from mesh_defs.storage.places import Served, moving, store_served
from mesh_defs.upkeep.erased import load_erased


def retention_of(contract: Contract, standards: Standards) -> float:
    """Seconds that a superseded version of this product is kept: as its contract says, else as mesh.yaml does."""
    return contract.service_level.retention_seconds or standards.retention_seconds


def sweep(product: DataProduct, standards: Standards, settings: Settings, *, now: datetime) -> tuple[str, ...]:
    """Remove what is superseded, quarantined or orphaned longer than the retention; return what went.

    After somebody was erased, versions that may hold them go as soon as no query can be reading them.
    """
    retention_seconds = retention_of(product.contract, standards)
    erased_at = load_erased(settings.home).last_at
    if erased_at and product.contract.carrying("person") and now - erased_at < timedelta(seconds=retention_seconds):
        retention_seconds = standards.query_seconds_max
    removed = open_storage(product, settings, write=True).sweep(now, retention_seconds)
    served = served_from(product.contract, settings)
    if served.left and served.moved_at and now - served.moved_at > timedelta(seconds=retention_seconds):
        removed += retire_previous(product, settings)
    return removed


def retire_previous(product: DataProduct, settings: Settings) -> tuple[str, ...]:
    """Remove everything at the places that the product was moved from; there is no way back afterwards."""
    with moving(settings.places_folder, product.name):
        served = served_from(product.contract, settings)
        if not served.left:
            return ()
        access = settings.access(product.contract.domain, product.storage, write=True)
        removed = tuple(name for place in served.left for name in storage_at(place, access).retire())
        store_served(settings.places_folder, product.name, Served(server=served.server))
    return removed
