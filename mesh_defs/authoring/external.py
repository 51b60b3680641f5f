"""An external product as one Dagster asset: observed on a schedule, checked, never made. Outside write-audit-publish.

The checks come first: when a critical one fails there is no observation, so that nothing downstream fires on bad rows.
Readers are not kept from them, since they lie where their writer put them; the catalog says which checks failed.
"""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from mesh_defs.authoring.folder import DomainFolder
from mesh_defs.authoring.metadata import SEVERITY, check_metadata, declared_metadata, described
from mesh_defs.authoring.observe import Look, look_at
from mesh_defs.authoring.step import asset_key
from mesh_defs.catalog.quality import record_evaluation
from mesh_defs.documents.observed import load_observation, observation_file, store_observation
from mesh_defs.errors import MeshError, StorageError
from mesh_defs.model.contract import Contract
from mesh_defs.model.observation import FRESH, SCHEMA, Observation
from mesh_defs.query.mesh import server_in
from mesh_defs.settings import Settings
from quality_checks import check_names

Yielded = Iterator[dg.AssetCheckResult | dg.ObserveResult]
OUTSIDE = "another system writes it: outside write-audit-publish, checked when observed"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalAsset:
    """An external product about to become an asset."""

    folder: DomainFolder
    contract: Contract
    settings: Settings
    memory_bytes_max: int

    @property
    def key(self) -> dg.AssetKey:
        """The asset's key."""
        return asset_key(self.contract.product)

    def build(self) -> dg.AssetsDefinition:
        """The asset, its checks and the step that looks."""

        def step(context: dg.AssetExecutionContext) -> Yielded:
            yield from self._observe()

        with warnings.catch_warnings():
            # A beta of Dagster's, chosen knowingly: no other form records observation and checks in one step.
            warnings.simplefilter("ignore", dg.BetaWarning)
            observed: dg.AssetsDefinition = dg.multi_observable_source_asset(
                name=self.contract.product.replace(".", "__"), specs=[self._spec()], check_specs=self._check_specs()
            )(step)
        return observed

    def _spec(self) -> dg.AssetSpec:
        contract = self.contract
        server = server_in(contract, self.settings.environment)
        declared = declared_metadata(self.folder.declaration(contract.product), self._uri())
        return dg.AssetSpec(
            self.key,
            group_name=contract.domain,
            description=f"{contract.description}\n\nExternal: {OUTSIDE}.",
            owners=[f"team:{contract.owner}"],
            tags=contract.labels,
            kinds={server.kind, "external"},
            metadata={**declared, "mesh/external": OUTSIDE},
        )

    def _check_specs(self) -> list[dg.AssetCheckSpec]:
        contract = self.contract
        promised = [
            dg.AssetCheckSpec(
                name,
                asset=self.key,
                blocking=expectation.severity == "critical",
                description=described(expectation),
                metadata={"type": expectation.type, "kwargs": dg.MetadataValue.json(dict(expectation.kwargs))},
            )
            for name, expectation in zip(check_names(contract.expectations), contract.expectations, strict=True)
        ]
        told = "Every promised column is there, and of the promised type."
        schema = dg.AssetCheckSpec(SCHEMA, asset=self.key, blocking=True, description=told)
        if contract.service_level.freshness_hours_max is None:
            return [schema, *promised]
        told = f"Its rows changed within the last {contract.service_level.freshness_hours_max:g} hours."
        return [schema, dg.AssetCheckSpec(FRESH, asset=self.key, description=told), *promised]

    def _uri(self) -> str:
        """Where it lies, without who may reach it."""
        server = server_in(self.contract, self.settings.environment)
        if server.kind == "postgres":
            return f"postgres:{self.contract.domain}/{server.place}.{server.table}"
        if server.place.startswith("s3://"):
            return server.place
        root = self.settings.storage_root(self.contract.domain, self.folder.domain.storage)
        return (root / server.place).as_uri()

    def _observe(self) -> Yielded:
        file = observation_file(self.settings.home, self.contract.product)
        before = _before(file)
        domain, now = self.folder.domain, datetime.now(UTC)
        access = self.settings.access(domain.name, domain.storage, write=False)
        server = server_in(self.contract, self.settings.environment)
        spill = str(self.settings.home / "spill")
        try:
            look = look_at(
                self.contract, server, access, before, now=now, spill=spill, memory_bytes_max=self.memory_bytes_max
            )
            store_observation(file, look.observation)
            self._keep(look, now)
        except MeshError as error:
            store_observation(file, _unseen(self.contract, before, str(error), now))
            metadata = {"mesh/error": error.code, "mesh/mend": error.fix}
            raise dg.Failure(str(error), metadata, allow_retries=error.retryable) from None
        yield from self._check_results(look)
        if not look.observation.passed:
            raise self._failed(look)
        yield dg.ObserveResult(
            asset_key=self.key,
            data_version=dg.DataVersion(str(look.observation.data_version)),
            metadata=_observed_metadata(look.observation, self._uri()),
        )

    def _keep(self, look: Look, now: datetime) -> None:
        """The history of its checks; it does without what could not be kept."""
        if look.results:
            seen = look.observation
            record_evaluation(
                self.settings,
                self.contract.product,
                look.results,
                at=now,
                version=seen.version or "",
                published=seen.passed,
                rows=seen.rows,
            )

    def _check_results(self, look: Look) -> Iterator[dg.AssetCheckResult]:
        metadata: dict[str, dict[str, Any]] = {
            name: check_metadata(result, look.observation.version or "")
            for name, result in zip(check_names(self.contract.expectations), look.results, strict=False)
        }
        for check in look.observation.checks:
            yield dg.AssetCheckResult(
                asset_key=self.key,
                check_name=check["name"],
                passed=check["passed"],
                severity=SEVERITY[check["severity"]],
                metadata=metadata.get(check["name"], {"mesh/told": check.get("told", "")}),
            )

    def _failed(self, look: Look) -> dg.Failure:
        failed = [check for check in look.observation.checks if not check["passed"] and check["severity"] == "critical"]
        told = "; ".join(f"{check['name']}{_because(check)}" for check in failed)
        return dg.Failure(
            f"{self.contract.product}: what another system wrote is not as promised, nothing downstream is made of it — {told}",
            {"mesh/version": look.observation.version or "", "mesh/external": OUTSIDE},
            allow_retries=False,
        )


def external_assets(
    folder: DomainFolder, contracts: Sequence[Contract], settings: Settings, *, memory_bytes_max: int
) -> list[dg.AssetsDefinition]:
    """The assets of a domain's external products."""
    return [
        ExternalAsset(folder=folder, contract=contract, settings=settings, memory_bytes_max=memory_bytes_max).build()
        for contract in contracts
    ]


def _before(file: Any) -> Observation | None:
    """A damaged record of the last look costs the time of the last change, and no more."""
    try:
        return load_observation(file)
    except StorageError:
        return None


def _unseen(contract: Contract, before: Observation | None, error: str, now: datetime) -> Observation:
    return Observation(
        format=1,
        product=contract.product,
        observed_at=now,
        contract_version=contract.version,
        passed=False,
        version=before.version if before else None,
        data_version=before.data_version if before else None,
        changed_at=before.changed_at if before else None,
        rows=before.rows if before else None,
        bytes=before.bytes if before else None,
        error=error,
    )


def _observed_metadata(seen: Observation, uri: str) -> dict[str, Any]:
    metadata: dict[str, Any] = {
        "dagster/row_count": seen.rows,
        "dagster/uri": uri,
        "mesh/version": seen.version,
        "mesh/contract_version": seen.contract_version,
        "mesh/bytes": seen.bytes,
        "mesh/external": OUTSIDE,
    }
    if seen.changed_at:
        metadata["dagster/last_updated_timestamp"] = dg.MetadataValue.timestamp(seen.changed_at)
    return metadata


def _because(check: Any) -> str:
    if check.get("told"):
        return f" ({check['told']})"
    count = check.get("unexpected_count")
    return f" ({count} rows are not as promised)" if count else ""
