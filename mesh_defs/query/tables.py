"""By which tables a Trino reads a pinned version; or why it cannot."""

from mesh_defs.errors import StorageError
from mesh_defs.model.mesh import Mesh
from mesh_defs.model.query import TrinoTable
from mesh_defs.model.version import Pin
from mesh_defs.query.mesh import served_from
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
    if pin.snapshot is None:
        what = f"its version {pin.version} is no snapshot of a table there"
        raise StorageError(what, where=pin.product, fix="store it as iceberg or postgres")
    return (TrinoTable(catalog=catalog, schema=found.schema, name=found.table, snapshot=pin.snapshot),)
