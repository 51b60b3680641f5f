"""What happens when a product's step runs: it publishes one version or partition, or audits again what is published."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import dagster as dg
import duckdb
from duckdb import DuckDBPyConnection

from mesh_defs.authoring.folder import DomainFolder, Made
from mesh_defs.authoring.inputs import StepInputs
from mesh_defs.authoring.metadata import SEVERITY, check_metadata, published_metadata
from mesh_defs.authoring.product import ProductFunction
from mesh_defs.authoring.publish import Audited, write_audit_publish
from mesh_defs.catalog.quality import record_evaluation
from mesh_defs.cleanroom.released import ProductRoom
from mesh_defs.errors import DeclarationError, Finding, StorageError
from mesh_defs.model.contract import Contract, Server
from mesh_defs.model.partition import Partition
from mesh_defs.model.place import Access
from mesh_defs.model.version import Version
from mesh_defs.query.mesh import served_from, server_in
from mesh_defs.query.platform import open_platform
from mesh_defs.settings import Settings
from mesh_defs.storage.base import Readable
from mesh_defs.storage.open import readable_at, storage_at
from mesh_defs.storage.places import Served, load_served, publishing, store_served
from mesh_defs.upkeep.audit import audit
from mesh_defs.upkeep.erased import load_erased
from mesh_defs.upkeep.states import verdicts_on_whole
from quality_checks import QualityError, Result, check_names
from quality_checks.figures import figures_of

# A scan more costs little up to here: 0.25 CPU s for ten columns.
FIGURES_ROWS_MAX = 1_000_000
Yielded = Iterator[dg.AssetCheckResult | dg.MaterializeResult[None]]


def asset_key(product: str) -> dg.AssetKey:
    """`domain.product` as Dagster's key."""
    return dg.AssetKey(product.split("."))


def place_of(contract: Contract, server: Server, access: Access) -> str:
    """Where a product lies, as a URI that does not say who may reach it."""
    if server.kind == "postgres":
        return f"postgres:{contract.domain}/{server.place}"
    return server.place if server.kind == "s3" else (access.root / server.place).as_uri()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductStep:
    """One run of a product's step, with the connection it works in and the stores that its domain reaches."""

    folder: DomainFolder
    contract: Contract
    made: Made
    settings: Settings
    retention_seconds: float
    connection: DuckDBPyConnection
    access: Access

    def publish(self, context: dg.AssetExecutionContext, own: Mapping[str, Any]) -> Yielded:
        """Write, audit, publish; `own` are the config and resources that the product's function takes."""
        partition = self._partition(context)
        given = dict(own)
        if isinstance(self.made, ProductFunction):
            offered = {"context": context, "connection": self.connection, "partition": partition}
            given |= {name: value for name, value in offered.items() if name in self.made.takes}
        audited, served = self._published(partition, given)
        self._tell_of_the_move(context, served)
        self._tell_of_rows_left_out(context, audited)
        candidate = audited.candidate
        self._keep(
            context,
            audited.results,
            version=candidate.id,
            published=audited.published is not None,
            partition=candidate.partition,
            rows=candidate.rows,
            figures=self._figures(audited, served),
        )
        checks = self._check_results(context, audited.reported, audited.candidate.id)
        if audited.published is None:
            yield from checks
            raise self._refused(audited)
        yield dg.MaterializeResult(
            asset_key=asset_key(self.contract.product),
            metadata={
                **published_metadata(audited, place_of(self.contract, served.server, self.access)),
                **self._whole(context, audited.published),
            },
            check_results=checks,
            data_version=dg.DataVersion(audited.published.stamp["data_version"]),
        )

    def audit_again(self, context: dg.AssetExecutionContext) -> Yielded:
        """Checks selected without the asset: look again at what is published, and change nothing."""
        storage = storage_at(served_from(self.contract, self.settings).server, self.access)
        version = storage.current()
        if version is None:
            raise StorageError(f"{self.contract.product} has no published version to check", fix="materialize it first")
        partition = self._partition(context)
        parts = [part for part in version.parts if partition is None or part.partition == partition.key]
        if not parts:
            what = f"partition '{context.partition_key}' of {self.contract.product} was not published"
            raise StorageError(what, fix="materialize it first")
        results = audit(self.connection, storage, parts, self.contract, partition)
        key, rows = partition.key if partition else None, sum(part.rows for part in parts)
        self._keep(context, results, version=version.id, published=True, partition=key, rows=rows)
        yield from self._check_results(context, results, version.id)

    def _published(self, partition: Partition | None, given: Mapping[str, Any]) -> tuple[Audited, Served]:
        """Invariant: where the product is served from, and who was erased, are read while nobody can change either."""
        places = self.settings.places_folder
        with publishing(places, self.contract.product):
            served = served_from(self.contract, self.settings)
            inputs = StepInputs(
                folder=self.folder,
                contract=self.contract,
                made=self.made,
                connection=self.connection,
                own_storage=self._input,
                own_access=self.access,
                door=lambda: open_platform(self.settings),
                erased=load_erased(self.settings.home),
                token_key=self.settings.token_key,
                partition=partition,
            )
            audited = write_audit_publish(
                inputs,
                storage_at(served.server, self.access),
                {**given, **self._room(inputs.read)},
                now=lambda: datetime.now(UTC),
                retention_seconds=self.retention_seconds,
            )
            if audited.published and not load_served(places, self.contract.product):
                store_served(places, self.contract.product, served)
        return audited, served

    def _room(self, read: dict[str, Any]) -> dict[str, Any]:
        """The room that the contract asks, for a function that takes one."""
        if not (isinstance(self.made, ProductFunction) and "room" in self.made.takes):
            return {}
        if self.contract.asks is None:
            fix = "add `{property: asks, value: {room: …, products: […]}}` to its customProperties"
            raise DeclarationError([Finding(where=self.contract.file, what="its function asks a room", fix=fix)])
        room = ProductRoom(
            asks=self.contract.asks, settings=self.settings, door=lambda: open_platform(self.settings), read=read
        )
        return {"room": room}

    def _input(self, name: str) -> Readable:
        contract = self.folder.products[name][0]
        return readable_at(contract, served_from(contract, self.settings).server, self.access)

    def _tell_of_the_move(self, context: dg.AssetExecutionContext, served: Served) -> None:
        wanted = server_in(self.contract, self.settings.environment)
        if served.server != wanted:
            fix = f"`mesh renovate {self.contract.product}` moves it to {wanted.kind}: {wanted.place}"
            context.log.warning(f"published where it was before, to {served.server.kind}: {served.server.place}; {fix}")

    def _whole(self, context: dg.AssetExecutionContext, version: Version) -> dict[str, Any]:
        """After one partition the verdict on all of them, from what is kept of each: nothing is read again."""
        results = verdicts_on_whole(version, self.contract) if self.contract.partitioning else None
        if results is None:
            return {}
        decided = [result for result in results if not result.error]
        failed = [result.expectation.name for result in decided if not result.success]
        if failed:
            context.log.warning(f"each partition passes, but all of them together do not: {', '.join(failed)}")
        return {"mesh/whole_checks": len(decided), "mesh/whole_failed": ", ".join(failed)}

    def _keep(self, context: dg.AssetExecutionContext, results: Sequence[Result], **told: Any) -> None:
        """What was found goes into the product's history: of what was published, refused, or looked at again."""
        trouble = record_evaluation(self.settings, self.contract.product, results, at=datetime.now(UTC), **told)
        if trouble:
            context.log.warning(trouble)

    def _figures(self, audited: Audited, served: Served) -> dict[str, dict[str, float]]:
        """What is watched for drift: of what was published, and is not so large that looking at it twice costs much."""
        candidate = audited.candidate
        if audited.published is None or candidate.rows > FIGURES_ROWS_MAX:
            return {}
        storage = storage_at(served.server, self.access)
        with suppress(QualityError, StorageError, duckdb.Error):  # nothing depends on them
            try:
                figures = figures_of(self.connection, storage.relation(self.connection, candidate.parts))
                return {name: self._shown(name, found) for name, found in figures.items()}
            finally:
                storage.release(self.connection, candidate.parts)
        return {}

    def _shown(self, name: str, figures: dict[str, float]) -> dict[str, float]:
        """How the values of a sensitive column are spread is nobody's business; how many there are may be known."""
        column = self.contract.column(name)
        sensitive = column is not None and column.classification in ("confidential", "restricted")
        return {figure: value for figure, value in figures.items() if not (sensitive and figure == "mean")}

    def _tell_of_rows_left_out(self, context: dg.AssetExecutionContext, audited: Audited) -> None:
        if audited.left_out:
            checks = ", ".join(result.expectation.name for result in audited.left_out.failed)
            fix = f"`mesh quarantine show {self.contract.product} {audited.left_out.id}` shows them"
            share = f"{audited.left_out.rows} of {audited.candidate.rows + audited.left_out.rows} rows"
            context.log.warning(f"{share} were quarantined, the others published ({checks}); {fix}")

    def _check_results(
        self, context: dg.AssetExecutionContext, results: Sequence[Result], version: str
    ) -> list[dg.AssetCheckResult]:
        selected = {key.name for key in context.selected_asset_check_keys}
        named = zip(check_names([result.expectation for result in results]), results, strict=True)
        return [
            dg.AssetCheckResult(
                asset_key=asset_key(self.contract.product),
                check_name=name,
                passed=result.success,
                severity=SEVERITY[result.expectation.severity],
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
        told = "; ".join(f"{result.expectation.name} ({_why(result)})" for result in failed)
        of = f" of {audited.candidate.partition}" if audited.candidate.partition else ""
        return dg.Failure(
            f"{self.contract.product}: the new version{of} was quarantined, readers keep the last good one — {told}",
            {"mesh/version": audited.candidate.id, "mesh/quarantined": True},
            allow_retries=False,
        )


def _why(result: Result) -> str:
    return result.error or f"{result.unexpected_count or 'the'} rows are not as promised"
