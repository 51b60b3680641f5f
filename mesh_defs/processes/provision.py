"""Gives every domain whose contracts say Postgres its part of the laptop's server, by what the mesh declares."""

from collections import defaultdict
from collections.abc import Iterator

from psycopg.conninfo import conninfo_to_dict

from mesh_defs.model.contract import Server
from mesh_defs.model.mesh import DataProduct, Mesh
from mesh_defs.model.names import split_product
from mesh_defs.processes.environment import PLATFORM
from mesh_defs.processes.postgres_roles import provision
from mesh_defs.settings import Settings
from mesh_defs.storage.iceberg_names import CATALOG_SCHEMA


def provision_mesh(settings: Settings, mesh: Mesh) -> tuple[str, ...]:
    """Provision the domains that have no server of their own, and return their names. Safe to repeat after any change."""
    done = []
    for domain in mesh.domains.values():
        places = {
            name: place for name, place in _places(settings, mesh).items() if split_product(name)[0] == domain.name
        }
        schemas = {*places.values(), *_catalogs(settings, mesh, domain.name)}
        url = settings.access(domain.name, domain.storage, write=True).postgres
        if not schemas or (url and not _is_local(url)):
            continue
        # The platform's own jobs look at every pointer.
        readers: dict[str, set[str]] = defaultdict(set, {PLATFORM: set(places.values())})
        for product in mesh.products.values():
            if product.contract.domain != domain.name:
                readers[product.contract.domain] |= {places[name] for name in product.inputs if name in places}
        wanted = {reader: schemas for reader, schemas in readers.items() if schemas}
        provision(settings, domain.name, schemas=sorted(schemas), readers=wanted)
        done.append(domain.name)
    return tuple(done)


def _places(settings: Settings, mesh: Mesh) -> dict[str, str]:
    """Schema by product, of those that lie in a Postgres in this environment, or whose catalog does."""
    found = {name: _schema(product, settings) for name, product in mesh.products.items()}
    return {name: schema for name, schema in found.items() if schema}


def _catalogs(settings: Settings, mesh: Mesh, domain: str) -> set[str]:
    """Where a Trino finds a domain's Parquet files listed; of no use to the mesh's own readers."""
    products = [
        each for each in mesh.products.values() if each.contract.domain == domain and not each.contract.external
    ]
    kinds = {each.kind for product in products for each in _servers(product, settings)}
    return {CATALOG_SCHEMA} if kinds & {"parquet", "s3"} else set()


def _servers(product: DataProduct, settings: Settings) -> Iterator[Server]:
    return (server for server in product.contract.servers if server.environment == settings.environment)


def _schema(product: DataProduct, settings: Settings) -> str | None:
    servers = _servers(product, settings)
    schemas = {server.kind: server.place if server.kind == "postgres" else CATALOG_SCHEMA for server in servers}
    return schemas.get("postgres") or schemas.get("iceberg")


def _is_local(url: str) -> bool:
    """The laptop's server listens on a socket alone."""
    return str(conninfo_to_dict(url).get("host", "/")).startswith("/")
