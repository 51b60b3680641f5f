"""By which tables a Trino reads a pinned version; or why it cannot."""

from mesh_defs.errors import StorageError
from mesh_defs.model.mesh import DataProduct, Mesh
from mesh_defs.model.query import TrinoTable
from mesh_defs.model.version import Pin
from mesh_defs.query.mesh import open_registration, open_storage, served_from
from mesh_defs.settings import Settings
from mesh_defs.storage.reach import reach


def tables_of(pin: Pin, mesh: Mesh, settings: Settings) -> tuple[TrinoTable, ...]:
    """Return the tables that hold exactly the pin's rows, in the catalogs that `mesh trino config` writes.

    StorageError for a product that Trino does not reach, or not at one version.
    """
    product = mesh.products[pin.product]
    if pin.scan is not None:
        what = "it is external, and read by a SELECT of its own, which is DuckDB's"
        raise StorageError(what, where=pin.product, fix="publish a product of the mesh from it")
    access = settings.access(product.contract.domain, product.storage, write=False)
    server = served_from(product.contract, settings).server
    found = reach(product.contract, server, access, seconds_max=mesh.standards.query_seconds_max)
    catalog = found.catalog.name
    if pin.kind == "postgres":
        names = [location.partition(".") for location in pin.locations]
        return tuple(TrinoTable(catalog=catalog, schema=schema, name=name) for schema, _, name in names)
    snapshot = pin.snapshot if pin.snapshot is not None else _listed(pin, product, settings)
    return (TrinoTable(catalog=catalog, schema=found.schema, name=found.table, snapshot=snapshot),)


def _listed(pin: Pin, product: DataProduct, settings: Settings) -> int:
    """The snapshot that lists the very files of a pinned version of Parquet."""
    storage, fix = open_storage(product, settings), "ask again to read the newest version"
    version = storage.current()
    if version is None or version.id != pin.version:
        version = next((each for each in storage.versions() if each.id == pin.version), None)
    if version is None:
        raise StorageError(f"version {pin.version} is gone", where=pin.product, fix=fix)
    return open_registration(product, settings).snapshot_of(version)
