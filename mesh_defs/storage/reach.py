"""Where a Trino finds a product, by which catalog; or why it cannot, and how to mend that. Connects to nothing.

One catalog for each domain and kind of store: what its readers may use (MESH_<DOMAIN>_…_READ) is what Trino may. Secrets
stay out of the properties: they name variables of Trino's own environment.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode

from mesh_defs.errors import StorageError
from mesh_defs.model.contract import Contract, Server
from mesh_defs.model.place import Access
from mesh_defs.storage.iceberg_names import CATALOG, CATALOG_SCHEMA, listed_namespace
from mesh_defs.storage.postgres_names import view_of

# Parts of a libpq URL that mean the same in a JDBC one.
_JDBC = {"sslmode": "sslmode", "sslrootcert": "sslrootcert", "application_name": "ApplicationName"}
_KNOWN = {"host", "port", "dbname", "user", "password", *_JDBC}
# Postgres would compute by its own rules, in statements that show no table to whoever looks at the plan.
_NOTHING_COMPUTED = {
    f"{what}-pushdown.enabled": "false" for what in ("aggregation", "complex-expression", "join", "topn")
}
_TO_LAKE = "name an Iceberg server in its contract, then `mesh renovate` it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """One of Trino's catalogs. `secrets`: the variables that its properties name, and what they must be."""

    name: str
    properties: Mapping[str, str]
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """Where a product is, for whoever asks Trino directly. (In Postgres that is the view of its major version; a plan
    that pins versions names their tables in the same schema.)

    `location`: of a table that its catalog does not know by itself, what it must be registered for there (`trino.register`).
    """

    product: str
    catalog: Catalog
    schema: str
    table: str
    location: str | None = None


def reach(contract: Contract, server: Server, access: Access, *, seconds_max: float) -> Reached:
    """Return where Trino finds the product; a scan of a database may take `seconds_max`.

    StorageError with the reason for one that it cannot reach.
    """
    if server.kind not in _REACH:
        raise StorageError(f"Trino has no catalog for {server.kind}", where=contract.product, fix=_TO_LAKE)
    return _REACH[server.kind](contract, server, access, seconds_max)


def _postgres(contract: Contract, server: Server, access: Access, seconds_max: float) -> Reached:
    _require_readable_types(contract)
    connection, secrets = _jdbc(contract, access, {"options": f"-c statement_timeout={int(seconds_max * 1000) + 1000}"})
    properties = {
        "connector.name": "postgresql",
        **{f"connection-{name}": value for name, value in connection.items()},
        "postgresql.array-mapping": "AS_ARRAY",
        **_NOTHING_COMPUTED,
    }
    catalog = Catalog(name=f"{contract.domain}_postgres", properties=properties, secrets=secrets)
    table = server.table or view_of({"contract_version": contract.version}) or ""
    return Reached(product=contract.product, catalog=catalog, schema=server.place, table=table)


def _iceberg(contract: Contract, server: Server, access: Access, seconds_max: float) -> Reached:
    return _in_lake(contract, server, access, contract.domain)


def _listed(contract: Contract, server: Server, access: Access, seconds_max: float) -> Reached:
    """A product of Parquet files, by the Iceberg table that lists them."""
    if contract.external:
        what = "the Parquet files of another system are no table that keeps its versions"
        raise StorageError(what, where=contract.product, fix="have its writer offer it as Delta or Postgres")
    if access.postgres is None:
        what = "its Parquet files are read as a table that the domain's Postgres lists, and it has none"
        fix = f"set {access.variable}_POSTGRES, then `mesh trino register {contract.product}`"
        raise StorageError(what, where=contract.product, fix=fix)
    return _in_lake(contract, server, access, listed_namespace(contract.domain))


def _in_lake(contract: Contract, server: Server, access: Access, namespace: str) -> Reached:
    connection, secrets = _jdbc(contract, access, {"currentSchema": CATALOG_SCHEMA})
    on_s3 = server.place.startswith("s3://")
    files, keys = _files(contract, access, on_s3=on_s3)
    properties = {
        "connector.name": "iceberg",
        "iceberg.catalog.type": "jdbc",
        "iceberg.jdbc-catalog.driver-class": "org.postgresql.Driver",
        **{f"iceberg.jdbc-catalog.connection-{name}": value for name, value in connection.items()},
        "iceberg.jdbc-catalog.catalog-name": CATALOG,
        # Trino asks for one, and writes nothing there: it is read only.
        "iceberg.jdbc-catalog.default-warehouse-dir": _root_of(server.place) if on_s3 else f"file://{access.root}",
        "iceberg.security": "read_only",
        **files,
    }
    catalog = Catalog(
        name=f"{contract.domain}_iceberg{'_s3' if on_s3 else ''}", properties=properties, secrets=secrets | keys
    )
    table = server.place.rstrip("/").rpartition("/")[2]
    return Reached(product=contract.product, catalog=catalog, schema=namespace, table=table)


def _root_of(place: str) -> str:
    return "/".join(place.split("/")[:3])


def _delta(contract: Contract, server: Server, access: Access, seconds_max: float) -> Reached:
    on_s3 = server.place.startswith("s3://")
    files, keys = _files(contract, access, on_s3=on_s3)
    properties = {
        "connector.name": "delta_lake",
        "hive.metastore": "file",
        "hive.metastore.catalog.dir": "${ENV:MESH_TRINO_METASTORE}",
        "delta.register-table-procedure.enabled": "true",
        **files,
    }
    name, table = f"{contract.domain}_delta{'_s3' if on_s3 else ''}", contract.product.partition(".")[2]
    place = server.place if on_s3 else f"file://{access.root / server.place}"
    catalog = Catalog(name=name, properties=properties, secrets={"MESH_TRINO_METASTORE": "", **keys})
    return Reached(product=contract.product, catalog=catalog, schema=contract.domain, table=table, location=place)


def _single(contract: Contract, server: Server, access: Access, seconds_max: float) -> Reached:
    what = "a DuckDB file is read by one machine at a time: no Trino reaches it"
    fix = "have its writer offer it as Postgres or Delta" if contract.external else _TO_LAKE
    raise StorageError(what, where=contract.product, fix=fix)


_REACH: Mapping[str, Callable[[Contract, Server, Access, float], Reached]] = {
    "postgres": _postgres,
    "iceberg": _iceberg,
    "delta": _delta,
    "parquet": _listed,
    "s3": _listed,
    "duckdb": _single,
}


def _require_readable_types(contract: Contract) -> None:
    """Trino 476 hides a column of INTERVAL without a word, and shows one of TIMETZ that it cannot read."""
    for column in contract.columns:
        if column.type.removesuffix("[]") in ("INTERVAL", "TIME WITH TIME ZONE"):
            what = f"its column '{column.name}' holds {column.type}, which Trino cannot read from Postgres"
            raise StorageError(what, where=contract.product, fix="promise seconds as a number, or a TIMESTAMP")


def _jdbc(contract: Contract, access: Access, extra: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Return url, user and password of a JDBC connection to the domain's Postgres, and the secret that it names."""
    from mesh_defs.storage.postgres_database import database_of

    variable = f"{access.variable}_POSTGRES"
    told = database_of(access).parts
    host = str(told.get("host", ""))
    if not host or host.startswith("/"):
        what = f"{variable} leads to a Unix socket, and Java knows none"
        raise StorageError(what, where=contract.product, fix="let the server listen on a port, and name its host")
    if unknown := sorted(told.keys() - _KNOWN) or ("," in host and ["host"]):
        what = f"{variable} says {', '.join(map(str, unknown))}, which this cannot tell Trino's driver"
        raise StorageError(what, where=contract.product, fix=f"name one host, and of options only: {', '.join(_JDBC)}")
    options = {_JDBC[name]: str(value) for name, value in told.items() if name in _JDBC} | dict(extra)
    place = f"{host}:{told.get('port', 5432)}/{quote(str(told.get('dbname', '')), safe='')}"
    connection = {"url": f"jdbc:postgresql://{place}?{urlencode(options, quote_via=quote)}"}
    connection["user"] = str(told.get("user", ""))
    if "password" not in told:
        return connection, {}
    secret = f"MESH_TRINO_{contract.domain.upper()}_POSTGRES_PASSWORD"
    return {**connection, "password": f"${{ENV:{secret}}}"}, {secret: str(told["password"])}


def _files(contract: Contract, access: Access, *, on_s3: bool) -> tuple[dict[str, str], dict[str, str]]:
    """How Trino reads the files of a lake. `file:///…` paths are found from the root of the disk alone."""
    if not on_s3:
        return {"fs.native-local.enabled": "true", "local.location": "/"}, {}
    told = {"fs.native-s3.enabled": "true", "s3.region": access.s3.region}
    if access.s3.endpoint:
        told |= {"s3.endpoint": access.s3.endpoint, "s3.path-style-access": "true"}
    if access.s3.key is None or access.s3.secret is None:
        return told, {}
    prefix = f"MESH_TRINO_{contract.domain.upper()}_S3"
    secrets = {f"{prefix}_KEY": access.s3.key, f"{prefix}_SECRET": access.s3.secret}
    told |= {"s3.aws-access-key": f"${{ENV:{prefix}_KEY}}", "s3.aws-secret-key": f"${{ENV:{prefix}_SECRET}}"}
    return told, secrets
