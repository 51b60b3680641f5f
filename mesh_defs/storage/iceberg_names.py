"""What our Iceberg tables are called, for whoever reads them by other means (Trino, Spark). Touches no catalog and no file.

    database      the domain's own Postgres: MESH_<DOMAIN>_POSTGRES
    its schema    mesh_iceberg: `iceberg_tables` and `iceberg_namespace_properties`, Iceberg's JDBC schema V1
    catalog       mesh
    namespace     the domain
    table         the last folder of the product's place, by custom its name; the major version is in the snapshot

The Parquet products of a domain may be listed besides, in the namespace `<domain>_parquet` (`storage.registered`).
The table's `main` is what readers of the product see; each published version is one snapshot of it.
"""

import re

from mesh_defs.errors import StorageError
from mesh_defs.model.place import Access

CATALOG = "mesh"
CATALOG_SCHEMA = "mesh_iceberg"
# In a snapshot's summary: which version it is, and which form these properties and the record that they lead to have.
FORMAT_PROPERTY, VERSION_PROPERTY = "mesh.format", "mesh.version"
FORMAT = "1"
_TABLE = re.compile(r"[a-z][a-z0-9_]{0,62}")


def listed_namespace(domain: str) -> str:
    """Return the namespace of a domain's Parquet products: never one of its Iceberg products."""
    return f"{domain}_parquet"


def domain_of(access: Access) -> str:
    """Return the domain whose stores these are."""
    return access.variable.removeprefix("MESH_").lower()


def table_of(domain: str, place: str) -> tuple[str, str]:
    """Return (namespace, table) of the product that lies at a server's place. StorageError for one that names no table."""
    table = place.rstrip("/").rpartition("/")[2]
    if not _TABLE.fullmatch(table):
        fix = "let the place's last folder be lower case letters, digits and _: it is the table's name"
        raise StorageError(f"'{table}' is no name of a table", where=place, fix=fix)
    return domain, table
