"""A domain's storage, its S3 and its DuckDB as Dagster resources, so that operators see them and the environment sets them."""

from collections.abc import Iterable

import dagster as dg
from dagster_duckdb import DuckDBResource

from mesh_defs.model.contract import Contract
from mesh_defs.model.mesh import Domain
from mesh_defs.settings import Settings, storage_variable, warehouse_variable


class DomainStorage(dg.ConfigurableResource[None]):
    """Where a domain keeps its products: a folder that only this domain writes."""

    root: str


def storage_key(domain: str) -> str:
    """Resource key of a domain's storage."""
    return f"{domain}_storage"


def duckdb_key(domain: str) -> str:
    """Resource key of the DuckDB in which a domain's steps work."""
    return f"{domain}_duckdb"


def s3_key(domain: str) -> str:
    """Resource key of a domain's S3; only a domain with a product there has it."""
    return f"{domain}_s3"


def is_on_s3(contracts: Iterable[Contract], environment: str) -> bool:
    """Tell whether one of the contracts lies on S3 in this environment."""
    return any(each.kind == "s3" and each.environment == environment for one in contracts for each in one.servers)


def domain_resources(
    domain: Domain, settings: Settings, *, memory_bytes_max: int, on_s3: bool = False
) -> dict[str, dg.ConfigurableResource[object]]:
    """The resources of a domain. Steps work in memory unless the environment names a private DuckDB file."""
    storage, warehouse = storage_variable(domain.name), warehouse_variable(domain.name)
    root = settings.storage_root(domain.name, domain.storage)
    s3: dict[str, dg.ConfigurableResource[object]] = {}
    if on_s3:
        from mesh_defs.authoring.s3_resource import domain_s3

        s3[s3_key(domain.name)] = domain_s3(domain.name)
    return s3 | {
        storage_key(domain.name): DomainStorage(
            root=dg.EnvVar(storage) if storage in settings.overrides else str(root)
        ),
        duckdb_key(domain.name): DuckDBResource(
            database=dg.EnvVar(warehouse) if warehouse in settings.overrides else ":memory:",
            # Beyond the limit DuckDB spills; audits of large products then cost less CPU, not more.
            connection_config={"temp_directory": str(settings.home / "spill"), "memory_limit": f"{memory_bytes_max}B"},
        ),
    }
