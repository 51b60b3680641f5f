"""By which tables a Trino reads a pinned version; or why it cannot."""

from mesh_defs.errors import StorageError
from mesh_defs.model.contract import Server
from mesh_defs.model.mesh import DataProduct, Mesh
from mesh_defs.model.place import Access
from mesh_defs.model.query import TrinoTable
from mesh_defs.model.version import Pin
from mesh_defs.query.mesh import open_readable, served_from
from mesh_defs.settings import Settings
from mesh_defs.storage.external import External
from mesh_defs.storage.external_delta import number_of
from mesh_defs.storage.open import registration_at, storage_at
from mesh_defs.storage.places import Served
from mesh_defs.storage.reach import Reached, reach


def tables_of(pin: Pin, mesh: Mesh, settings: Settings) -> tuple[TrinoTable, ...]:
    """Return the tables that hold exactly the pin's rows, in the catalogs that `mesh trino config` writes.

    StorageError for a product that Trino does not reach, or not at one version.
    """
    product = mesh.products[pin.product]
    access = settings.access(product.contract.domain, product.storage, write=False)
    server = _server_of(pin, served_from(product.contract, settings), access)
    found = reach(product.contract, server, access, seconds_max=mesh.standards.query_seconds_max)
    catalog = found.catalog.name
    if pin.scan is not None:
        return (_external(pin, product, found, settings),)
    if pin.kind == "postgres":
        names = [location.partition(".") for location in pin.locations]
        return tuple(TrinoTable(catalog=catalog, schema=schema, name=name) for schema, _, name in names)
    snapshot = pin.snapshot if pin.snapshot is not None else _listed(pin, server, access)
    return (TrinoTable(catalog=catalog, schema=found.schema, name=found.table, snapshot=snapshot),)


def _server_of(pin: Pin, served: Served, access: Access) -> Server:
    """Where a pinned version lies: the product may have been moved on since it was pinned, and stays there for a while."""
    for server in (served.server, *served.left):
        beginning = f"{server.place}." if pin.kind == "postgres" else f"{_whole(server, access)}/"
        if pin.scan is not None or all(each.startswith(beginning) for each in pin.locations):
            return server
    what = f"version {pin.version} lies where it is not served from any more"
    raise StorageError(what, where=pin.product, fix="ask again to read the newest version")


def _whole(server: Server, access: Access) -> str:
    return server.place if server.place.startswith("s3://") else str((access.root / server.place).absolute())


def still_same(pin: Pin, mesh: Mesh, settings: Settings) -> None:
    """Raise StorageError when another system made a pinned table anew: a Trino reads it by its number alone."""
    if pin.scan is not None and pin.kind == "delta":
        _source(mesh.products[pin.product], settings).for_trino(pin.version)


def _external(pin: Pin, product: DataProduct, found: Reached, settings: Settings) -> TrinoTable:
    columns = _source(product, settings).for_trino(pin.version)
    delta = pin.kind == "delta"
    return TrinoTable(
        catalog=found.catalog.name,
        schema=found.schema,
        name=found.table,
        snapshot=number_of(pin.version) if delta else None,
        columns=columns,
        location=found.location,
        live=not delta,
    )


def _source(product: DataProduct, settings: Settings) -> External:
    source = open_readable(product, settings)
    assert isinstance(source, External)
    return source


def _listed(pin: Pin, server: Server, access: Access) -> int:
    """The snapshot that lists the very files of a pinned version of Parquet."""
    storage, fix = storage_at(server, access), "ask again to read the newest version"
    version = storage.current()
    if version is None or version.id != pin.version:
        version = next((each for each in storage.versions() if each.id == pin.version), None)
    if version is None:
        raise StorageError(f"version {pin.version} is gone", where=pin.product, fix=fix)
    return registration_at(server, access).snapshot_of(version)
