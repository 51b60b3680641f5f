"""One product as one Dagster asset: its spec, its checks, and the step that writes, audits and publishes it."""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
from dagster_duckdb import DuckDBResource

from mesh_defs.authoring.folder import DomainFolder, Made
from mesh_defs.authoring.inputs import StepInputs
from mesh_defs.authoring.metadata import check_metadata, declared_metadata, described, published_metadata
from mesh_defs.authoring.partitions import (
    declared_expectations,
    partition_mapping,
    partitions_definition,
    unwarned,
)
from mesh_defs.authoring.product import ProductFunction
from mesh_defs.authoring.publish import Audited, audit, write_audit_publish
from mesh_defs.authoring.resources import DomainStorage, duckdb_key, is_on_s3, s3_key, storage_key
from mesh_defs.authoring.worker import mark_worker
from mesh_defs.errors import MeshError, StorageError
from mesh_defs.model.contract import Contract, Server
from mesh_defs.model.partition import Partition
from mesh_defs.model.place import Access, S3Access
from mesh_defs.query.mesh import served_from, server_in
from mesh_defs.query.platform import open_platform
from mesh_defs.settings import Settings
from mesh_defs.storage.base import Readable, Storage
from mesh_defs.storage.open import readable_at, storage_at
from mesh_defs.storage.places import load_served, publishing, store_served
from mesh_defs.upkeep.erased import load_erased
from quality_checks import Result, check_names

Yielded = Iterator[dg.AssetCheckResult | dg.MaterializeResult[None]]


def asset_key(product: str) -> dg.AssetKey:
    """`domain.product` as Dagster's key."""
    return dg.AssetKey(product.split("."))


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductAsset:
    """A product about to become an asset."""

    folder: DomainFolder
    contract: Contract
    made: Made
    settings: Settings
    retention_seconds: float
    s3: S3Access | None = None

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
        eager = _eager() if self.made.inputs else None
        return dg.AssetSpec(
            self.key,
            deps=[self._dep(name) for name in self.made.inputs],
            partitions_def=partitions_definition(contract.partitioning),
            skippable=True,
            group_name=contract.domain,
            description=contract.description,
            owners=[f"team:{contract.owner}"],
            tags={"granularity": contract.granularity, "status": contract.status, **contract.tags},
            kinds={self.server.kind, self.made.made_with},
            code_version=self.made.code_version,
            freshness_policy=_freshness(contract.service_level.freshness_hours_max),
            automation_condition=options.automation_condition or eager,
            metadata=declared_metadata(self.folder.declaration(contract.product), self._uri(None)),
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

    def _uri(self, root: str | None) -> str:
        """Where the product lies, without who may reach it."""
        if self.server.kind == "postgres":
            return f"postgres:{self.contract.domain}/{self.server.place}"
        if self.server.kind == "s3":
            return self.server.place
        base = Path(root) if root else self.settings.storage_root(self.contract.domain, self.folder.domain.storage)
        return (base / self.server.place).as_uri()

    def _step(self, taken: set[str]) -> Callable[..., Yielded]:
        """`taken` are the parameters that Dagster fills for the product's own function."""
        domain = self.contract.domain

        def step(context: dg.AssetExecutionContext, **filled: Any) -> Yielded:
            mark_worker(context.instance, context.run_id)
            root = filled[storage_key(domain)].root
            own = {name: value for name, value in filled.items() if name in taken}
            with filled[duckdb_key(domain)].get_connection() as connection:
                try:
                    told = self._access(root).s3
                    it = replace(self, s3=filled[s3_key(domain)].access(told) if self._uses_s3 else told)
                    if context.selected_asset_keys:
                        yield from it._publish(context, connection, root, own)
                    else:
                        yield from it._audit_again(context, connection, root)
                except MeshError as error:
                    metadata = {"mesh/error": error.code, "mesh/mend": error.fix}
                    raise dg.Failure(str(error), metadata, allow_retries=error.retryable) from None
                finally:
                    connection.close()  # dagster-duckdb leaves it open when the step fails

        return step

    def _publish(
        self, context: dg.AssetExecutionContext, connection: Any, root: str, own: Mapping[str, Any]
    ) -> Yielded:
        inputs = StepInputs(
            folder=self.folder,
            contract=self.contract,
            made=self.made,
            connection=connection,
            own_storage=lambda name: self._readable(root, self.folder.products[name][0]),
            own_access=self._access(root),
            door=lambda: open_platform(self.settings),
            erased=load_erased(self.settings.home),
            partition=self._partition(context),
        )
        given = dict(own)
        if isinstance(self.made, ProductFunction):
            offered = {"context": context, "connection": connection, "partition": inputs.partition}
            given |= {name: value for name, value in offered.items() if name in self.made.takes}
        places = self.settings.places_folder
        with publishing(places, self.contract.product):
            served = served_from(self.contract, self.settings)
            audited = write_audit_publish(
                inputs,
                storage_at(served.server, self._access(root)),
                given,
                now=lambda: datetime.now(UTC),
                retention_seconds=self.retention_seconds,
            )
            if audited.published and not load_served(places, self.contract.product):
                store_served(places, self.contract.product, served)
        if served.server != self.server:
            fix = f"`mesh renovate {self.contract.product}` moves it to {self.server.kind}: {self.server.place}"
            context.log.warning(f"published where it was before, to {served.server.kind}: {served.server.place}; {fix}")
        checks = self._check_results(context, audited.results, audited.candidate.id)
        if audited.published is None:
            yield from checks
            raise self._refused(audited)
        yield dg.MaterializeResult(
            asset_key=self.key,
            metadata=published_metadata(audited, inputs.read, self._uri(root)),
            check_results=checks,
            data_version=dg.DataVersion(audited.published.stamp["data_version"]),
        )

    def _audit_again(self, context: dg.AssetExecutionContext, connection: Any, root: str) -> Yielded:
        """Checks selected without the asset: look again at what is published, and change nothing."""
        storage = self._storage(root, self.contract)
        version = storage.current()
        if version is None:
            raise StorageError(f"{self.contract.product} has no published version to check", fix="materialize it first")
        partition = self._partition(context)
        parts = [part for part in version.parts if partition is None or part.partition == partition.key]
        if not parts:
            what = f"partition '{context.partition_key}' of {self.contract.product} was not published"
            raise StorageError(what, fix="materialize it first")
        results = audit(connection, storage, parts, self.contract, partition)
        yield from self._check_results(context, results, version.id)

    def _check_results(
        self, context: dg.AssetExecutionContext, results: Sequence[Result], version: str
    ) -> list[dg.AssetCheckResult]:
        selected = {key.name for key in context.selected_asset_check_keys}
        named = zip(check_names([result.expectation for result in results]), results, strict=True)
        return [
            dg.AssetCheckResult(
                asset_key=self.key,
                check_name=name,
                passed=result.success,
                severity=_SEVERITY[result.expectation.severity],
                metadata=check_metadata(result, version),
            )
            for name, result in named
            if name in selected
        ]

    def _partition(self, context: dg.AssetExecutionContext) -> Partition | None:
        """The partition that this run makes. One run makes one: that is how a failed day harms no other."""
        cut = self.contract.partitioning
        if cut is None:
            return None
        if len(context.partition_keys) > 1:
            fix = "launch one run for each, as Dagster's backfill and `mesh refresh --partitions` do"
            raise StorageError(
                f"a run makes one partition, this one was asked for {len(context.partition_keys)}", fix=fix
            )
        return cut.partition(context.partition_key)

    def _refused(self, audited: Audited) -> dg.Failure:
        failed = [r for r in audited.results if not r.success and r.expectation.severity == "critical"]
        told = "; ".join(
            f"{r.expectation.name} ({r.unexpected_count or 'the'} rows are not as promised)" for r in failed
        )
        of = f" of {audited.candidate.partition}" if audited.candidate.partition else ""
        return dg.Failure(
            f"{self.contract.product}: the new version{of} was quarantined, readers keep the last good one — {told}",
            {"mesh/version": audited.candidate.id, "mesh/quarantined": True},
            allow_retries=False,
        )

    def _storage(self, root: str, contract: Contract) -> Storage:
        return storage_at(served_from(contract, self.settings).server, self._access(root))

    def _readable(self, root: str, contract: Contract) -> Readable:
        return readable_at(contract, served_from(contract, self.settings).server, self._access(root))

    def _access(self, root: str) -> Access:
        """How the domain itself reaches its stores; the folder is the resource's, which an operator may have set."""
        told = self.settings.access(self.contract.domain, self.folder.domain.storage, write=True)
        return replace(told, root=Path(root), s3=self.s3 or told.s3)

    @property
    def _uses_s3(self) -> bool:
        return is_on_s3((contract for contract, _ in self.folder.products.values()), self.settings.environment)


_SEVERITY = {"critical": dg.AssetCheckSeverity.ERROR, "warning": dg.AssetCheckSeverity.WARN}


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
