"""One product as one Dagster asset: its spec, its checks, and what Dagster fills in when its step runs."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg
from dagster_duckdb import DuckDBResource

from mesh_defs.authoring.folder import DomainFolder, Made
from mesh_defs.authoring.metadata import declared_metadata, described
from mesh_defs.authoring.partitions import (
    declared_expectations,
    partition_mapping,
    partitions_definition,
    unwarned,
)
from mesh_defs.authoring.product import ProductFunction
from mesh_defs.authoring.resources import DomainStorage, duckdb_key, is_on_s3, s3_key, storage_key
from mesh_defs.authoring.step import ProductStep, Yielded, asset_key, place_of
from mesh_defs.authoring.worker import mark_worker
from mesh_defs.errors import MeshError
from mesh_defs.model.contract import Contract, Server
from mesh_defs.model.place import Access
from mesh_defs.query.mesh import server_in
from mesh_defs.settings import Settings
from quality_checks import check_names


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductAsset:
    """A product about to become an asset."""

    folder: DomainFolder
    contract: Contract
    made: Made
    settings: Settings
    retention_seconds: float

    @property
    def key(self) -> dg.AssetKey:
        """The asset's key."""
        return asset_key(self.contract.product)

    @property
    def server(self) -> Server:
        """Where the product lies in this environment. Raises StorageError when the contract does not say."""
        return server_in(self.contract, self.settings.environment)

    def build(self) -> dg.AssetsDefinition:
        """The asset, its checks and its step. Subsettable, so that checks alone can re-audit what is published."""
        options, domain = self.made.options, self.contract.domain
        named = inspect.Parameter.KEYWORD_ONLY
        resources = [
            inspect.Parameter(storage_key(domain), named, annotation=DomainStorage),
            inspect.Parameter(duckdb_key(domain), named, annotation=DuckDBResource),
        ]
        if self._uses_s3:
            from mesh_defs.authoring.s3_resource import DomainS3

            resources.append(inspect.Parameter(s3_key(domain), named, annotation=DomainS3))
        own = self.made.dagster_parameters if isinstance(self.made, ProductFunction) else ()
        taken = {parameter.name for parameter in own}
        extra = [p.replace(kind=named) for p in own] + [p for p in resources if p.name not in taken]
        # Dagster reads config and resources off the signature; every product's step has its own.
        context = inspect.Parameter("context", inspect.Parameter.POSITIONAL_OR_KEYWORD)
        step = self._step(taken)
        step.__signature__ = inspect.Signature([context, *extra])  # type: ignore[attr-defined]
        step.__annotations__ = {parameter.name: parameter.annotation for parameter in extra}
        with unwarned():
            return dg.multi_asset(
                name=self.contract.product.replace(".", "__"),
                specs=[self._spec()],
                check_specs=self._check_specs(),
                can_subset=True,
                retry_policy=options.retry_policy,
                pool=options.pool,
            )(step)

    def _spec(self) -> dg.AssetSpec:
        contract, options = self.contract, self.made.options
        inputs = self.folder.declaration(contract.product).inputs
        eager = _eager() if inputs else None
        return dg.AssetSpec(
            self.key,
            deps=[self._dep(name) for name in inputs],
            partitions_def=partitions_definition(contract.partitioning),
            skippable=True,
            group_name=contract.domain,
            description=contract.description,
            owners=[f"team:{contract.owner}"],
            tags=contract.labels,
            kinds={self.server.kind, self.made.made_with},
            code_version=self.made.code_version,
            freshness_policy=_freshness(contract.service_level.freshness_hours_max),
            automation_condition=options.automation_condition or eager,
            metadata=declared_metadata(
                self.folder.declaration(contract.product), place_of(self.contract, self.server, self._access)
            ),
        )

    def _dep(self, name: str) -> dg.AssetDep:
        return dg.AssetDep(asset_key(name), partition_mapping=partition_mapping(self.contract.partitioning, name))

    def _check_specs(self) -> list[dg.AssetCheckSpec]:
        declared = declared_expectations(self.contract)
        named = zip(check_names(declared), declared, strict=True)
        return [
            dg.AssetCheckSpec(
                name,
                asset=self.key,
                blocking=expectation.severity == "critical",
                description=described(expectation),
                partitions_def=partitions_definition(self.contract.partitioning),
                metadata={"type": expectation.type, "kwargs": dg.MetadataValue.json(dict(expectation.kwargs))},
            )
            for name, expectation in named
        ]

    def _step(self, taken: set[str]) -> Callable[..., Yielded]:
        """`taken` are the parameters that Dagster fills for the product's own function."""
        domain = self.contract.domain

        def step(context: dg.AssetExecutionContext, **filled: Any) -> Yielded:
            mark_worker(context.instance, context.run_id)
            own = {name: value for name, value in filled.items() if name in taken}
            access = replace(self._access, root=Path(filled[storage_key(domain)].root))
            if self._uses_s3:
                access = replace(access, s3=filled[s3_key(domain)].access(access.s3))
            with filled[duckdb_key(domain)].get_connection() as connection:
                it = ProductStep(
                    folder=self.folder,
                    contract=self.contract,
                    made=self.made,
                    settings=self.settings,
                    retention_seconds=self.retention_seconds,
                    connection=connection,
                    access=access,
                )
                try:
                    yield from it.publish(context, own) if context.selected_asset_keys else it.audit_again(context)
                except MeshError as error:
                    metadata = {"mesh/error": error.code, "mesh/mend": error.fix}
                    raise dg.Failure(str(error), metadata, allow_retries=error.retryable) from None
                finally:
                    connection.close()  # dagster-duckdb leaves it open when the step fails

        return step

    @property
    def _access(self) -> Access:
        """How the domain itself reaches its stores."""
        return self.settings.access(self.contract.domain, self.folder.domain.storage, write=True)

    @property
    def _uses_s3(self) -> bool:
        return is_on_s3((contract for contract, _ in self.folder.products.values()), self.settings.environment)


def _eager() -> dg.AutomationCondition[Any]:
    """On news; but not while an external input fails its checks: nothing else keeps its bad rows from being read."""
    external = dg.AssetSelection.kind("external", include_sources=True)
    checked = dg.AutomationCondition.all_deps_blocking_checks_passed().allow(external)
    return (dg.AutomationCondition.eager() & checked).with_label("eager")


def _freshness(hours_max: float | None) -> dg.FreshnessPolicy | None:
    """Warn at three quarters of the promise, so that there is time to act."""
    if hours_max is None:
        return None
    window = timedelta(hours=hours_max)
    return dg.FreshnessPolicy.time_window(fail_window=window, warn_window=window * 3 / 4)
