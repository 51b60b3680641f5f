"""Inputs that a refresh does not make but reads as they were last published, and what is wrong with them."""

from collections.abc import Collection
from datetime import datetime

from mesh_defs.catalog.health import Health, product_health
from mesh_defs.errors import MeshError
from mesh_defs.model.mesh import Mesh
from mesh_defs.settings import Settings


def stale_inputs(settings: Settings, mesh: Mesh, products: Collection[str], *, now: datetime) -> dict[str, str]:
    """Return why for each direct input outside `products` that is older than promised, refused, unread or missing."""
    wanted = {each for name in products if name in mesh.products for each in mesh.products[name].inputs}
    told = {name: _stale(settings, mesh, name, now) for name in sorted(wanted - set(products))}
    return {name: why for name, why in told.items() if why}


def _stale(settings: Settings, mesh: Mesh, name: str, now: datetime) -> str:
    product = mesh.products.get(name)
    if product is None:
        return "no location declares it"
    try:
        return told_of(product_health(product, settings, now=now))
    except MeshError as error:
        return str(error)


def told_of(health: Health) -> str:
    """Say in words what is stale; nothing when all is well."""
    if health.trouble:
        return health.trouble
    if health.published_at is None:
        return "never published"
    since = f"published {health.published_at:%Y-%m-%d %H:%M} UTC"
    if health.refused:
        return f"its newer candidate was refused; {since}"
    return f"older than promised; {since}" if health.freshness == "late" else ""
