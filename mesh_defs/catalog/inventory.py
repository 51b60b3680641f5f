"""What lies at a location, and which contract names it. Reads names and counts; no rows, and no secret leaves it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from mesh_defs.errors import NotFoundError, UnreachableError
from mesh_defs.model.contract import Server
from mesh_defs.model.mesh import DataProduct, Mesh
from mesh_defs.model.place import Access
from mesh_defs.settings import Settings
from mesh_defs.storage.external_files import is_s3
from mesh_defs.storage.external_listing import Listed, list_duckdb, list_files, list_postgres

_POSTGRES = ("postgresql://", "postgres://")
# server, /database, /object, ?options; matches whatever begins like one
_URL = re.compile(r"(postgres(?:ql)?://[^/?]*)(/[^/?]*)?(?:/([^?]*))?(\?.*)?", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lying:
    """One thing that lies there, how it is reached, and the products whose contracts name it."""

    listed: Listed
    access: Access
    products: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """Where to look: a domain's stores, a Postgres, a bucket's prefix, a folder or a DuckDB file. `object` is what of it.

    `domain` is the domain that it is, or that was named beside it.
    """

    access: Access
    places: tuple[str, ...]
    postgres: bool = False
    domain: str | None = None
    object: str | None = None


def locate(text: str, mesh: Mesh, settings: Settings, *, domain: str | None = None) -> Location:
    """Read LOCATION or LOCATION/object as a person writes it. Raises NotFoundError when it is neither here nor there."""
    if text.startswith(_POSTGRES):
        return _postgres(text, domain)
    if is_s3(text):
        access = _access(domain, mesh, settings) or _bucket_access(text, mesh, settings)
        return Location(access=access, places=(text.rstrip("/"),), domain=domain)
    name, _, rest = text.partition("/")
    if name in mesh.domains and not Path(text).exists():
        return _domain(name, rest or None, mesh, settings)
    return _path(text, domain)


def inventory(location: Location, mesh: Mesh, settings: Settings) -> list[Lying]:
    """List what lies there, each with the products that name it."""
    found = [each for place in location.places for each in _listed(place, location.access)]
    if location.postgres:
        found += list_postgres(location.access)
    named = list(_named(mesh, settings))
    return [
        Lying(
            listed=each,
            access=location.access,
            products=tuple(sorted({name for name, key in named if key & _keys(each.server, location.access)})),
        )
        for each in found
    ]


def _listed(place: str, access: Access) -> list[Listed]:
    if not is_s3(place) and (access.root / place).is_file() and place.endswith((".duckdb", ".db")):
        return list_duckdb(place, access)
    if not is_s3(place) and not (access.root / place).exists():
        return []
    return list_files(place, access)


def _postgres(text: str, domain: str | None) -> Location:
    """postgresql://host/database/schema.table: what stands after the database is the object."""
    server, database, object_, options = (part or "" for part in _URL.fullmatch(text).groups())  # type: ignore[union-attr]
    access = Access(root=Path.cwd(), postgres=f"{server}{database}{options}", variable="LOCATION")
    return Location(access=access, places=(), postgres=True, domain=domain, object=unquote(object_) or None)


def _domain(name: str, object_: str | None, mesh: Mesh, settings: Settings) -> Location:
    access = settings.access(name, mesh.domains[name].storage, write=False)
    servers = [
        server
        for product in mesh.products.values()
        if product.contract.domain == name
        for server in _server(product, settings)
    ]
    # What lies beside a product may be one too.
    buckets = {server.place.rpartition("/")[0] for server in servers if is_s3(server.place)}
    return Location(
        access=access,
        places=("", *sorted(buckets)),
        postgres=access.postgres is not None,
        domain=name,
        object=object_,
    )


def _path(text: str, domain: str | None) -> Location:
    path, object_ = Path(text), None
    if ".duckdb/" in text:
        file, _, object_ = text.partition(".duckdb/")
        path = Path(f"{file}.duckdb")
    if not path.exists():
        fix = "name a domain, a folder, a .duckdb file, postgresql://… or s3://bucket/prefix"
        raise NotFoundError(f"nothing is at '{text}', and no domain is called so", fix=fix)
    root = path.resolve()
    if root.is_file():
        return Location(access=Access(root=root.parent), places=(root.name,), domain=domain, object=object_)
    return Location(access=Access(root=root), places=("",), domain=domain, object=object_)


def _access(domain: str | None, mesh: Mesh, settings: Settings) -> Access | None:
    if domain is None or domain not in mesh.domains:
        return None
    return settings.access(domain, mesh.domains[domain].storage, write=False)


def _bucket_access(place: str, mesh: Mesh, settings: Settings) -> Access:
    """As the domain that keeps products in that bucket; else as the machine's own AWS settings say."""
    bucket = place.removeprefix("s3://").partition("/")[0]
    for product in mesh.products.values():
        for server in _server(product, settings):
            if server.place.startswith(f"s3://{bucket}/"):
                return settings.access(product.contract.domain, product.storage, write=False)
    return Access(root=Path.cwd())


def _server(product: DataProduct, settings: Settings) -> Iterator[Server]:
    yield from (each for each in product.contract.servers if each.environment == settings.environment)


def _named(mesh: Mesh, settings: Settings) -> Iterator[tuple[str, frozenset[str]]]:
    for product in mesh.products.values():
        for server in _server(product, settings):
            access = settings.access(product.contract.domain, product.storage, write=False)
            yield product.name, _keys(server, access, external=product.contract.external)


def _keys(server: Server, access: Access, *, external: bool | None = None) -> frozenset[str]:
    """Names for a place by which two servers are seen to mean the same one.

    A product of the mesh has a schema to itself; an external one a table; what was listed may be either's (None).
    """
    if server.kind == "postgres":
        schema = f"{_database(access)}\0{server.place}"
        table = f"{schema}\0{server.table}"
        return frozenset({True: {table}, False: {schema}, None: {schema, table}}[external])
    place = server.place if is_s3(server.place) else str((access.root / server.place).resolve())
    return frozenset({f"{place}\0{server.table or ''}"})


def _database(access: Access) -> str:
    try:
        from psycopg.conninfo import conninfo_to_dict
    except ImportError:
        raise UnreachableError(
            "Postgres needs psycopg, which is not installed", fix="install mesh-defs[postgres]"
        ) from None
    told = conninfo_to_dict(access.postgres or "")
    return "\0".join(str(told.get(name) or "") for name in ("host", "port", "dbname"))


def chosen(location: Location, found: list[Lying]) -> Lying:
    """The one object that is meant. Raises NotFoundError, naming those there are, when that is not plain."""
    names = [each.listed.name for each in found]
    matching = [each for each in found if location.object in (None, each.listed.name)]
    if len(matching) == 1:
        return matching[0]
    told = ", ".join(names[:12]) + (", …" if len(names) > 12 else "")
    what = f"no object '{location.object}' lies there" if location.object else f"{len(names)} objects lie there"
    raise NotFoundError(what, fix=f"name one of them behind the location: {told}" if names else "look at the location")
