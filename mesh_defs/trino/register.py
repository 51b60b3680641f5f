"""Makes known what a Trino does not find by itself: Parquet products' files, in their domains' catalogs, and Delta tables.

May be run again at any time: what is registered as it should be stays. A Trino of the mesh's own need not run for Parquet.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from mesh_defs.engine.trino_client import Client
from mesh_defs.errors import MeshError, StorageError
from mesh_defs.model.mesh import DataProduct, Mesh
from mesh_defs.model.names import literal, quoted
from mesh_defs.query.mesh import open_registration, open_storage, served_from
from mesh_defs.settings import Settings
from mesh_defs.storage.reach import Reached
from mesh_defs.trino.config import reached

State = Literal["registered", "unchanged", "failed"]
_SECONDS_MAX = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """What became of one product."""

    product: str
    state: State
    told: str = ""


def register(
    mesh: Mesh, settings: Settings, *, products: tuple[str, ...] = (), anew: bool = False
) -> Iterator[Registered]:
    """Register what needs it, of these products or of all; yield each as it is done. One that fails harms no other.

    `anew` forgets what is known of them first: for a table that another program wrote, or whose metadata is lost.
    """
    for product in mesh.products.values():
        if products and product.name not in products:
            continue
        try:
            changed = _registered(product, mesh, settings, anew=anew)
        except MeshError as error:
            yield Registered(product=product.name, state="failed", told=f"{error.what} — {error.fix}")
            continue
        if changed is not None:
            yield Registered(product=product.name, state="registered" if changed else "unchanged")


def _registered(product: DataProduct, mesh: Mesh, settings: Settings, *, anew: bool) -> bool | None:
    """Whether it was registered now; None for one that Trino finds by itself, or never reaches."""
    kind = served_from(product.contract, settings).server.kind
    if kind == "delta":
        return _delta(reached(product, mesh, settings), settings, anew=anew)
    if kind not in ("parquet", "s3") or product.contract.external:
        return None
    if settings.access(product.contract.domain, product.storage, write=True).postgres is None:
        return None
    registration = open_registration(product, settings, write=True)
    if anew:
        registration.forget()
    return registration.follow(open_storage(product, settings, write=True))


def _delta(found: Reached, settings: Settings, *, anew: bool) -> bool:
    if settings.trino is None:
        raise StorageError("a Delta table is registered in a Trino itself", fix="set MESH_TRINO_URL")
    client = Client(settings.trino, _SECONDS_MAX)
    catalog, schema, table = found.catalog.name, literal(found.schema), literal(found.table)
    place = literal(found.location or "")
    listed = f"SELECT count(*) FROM {catalog}.information_schema.tables WHERE table_schema = {schema} AND table_name = {table}"
    if client.text(listed) != "0":
        shown = client.text(f"SHOW CREATE TABLE {catalog}.{quoted(found.schema)}.{quoted(found.table)}")
        if f"location = {place}" in shown and not anew:
            return False
        client.run(f"CALL {catalog}.system.unregister_table({schema}, {table})")
    client.run(f"CREATE SCHEMA IF NOT EXISTS {catalog}.{quoted(found.schema)}")
    client.run(f"CALL {catalog}.system.register_table({schema}, {table}, {place})")
    return True
