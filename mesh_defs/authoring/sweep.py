"""The nightly sweep of one domain, in the domain's own location: nobody else holds the credentials that write there."""

from datetime import UTC, datetime

import dagster as dg

from mesh_defs.authoring.folder import DomainFolder
from mesh_defs.errors import MeshError
from mesh_defs.model.mesh import Standards
from mesh_defs.settings import Settings
from mesh_defs.upkeep.sweep import sweep

_NIGHTLY = "30 3 * * *"


def sweep_schedule(declared: DomainFolder, standards: Standards, settings: Settings) -> dg.ScheduleDefinition:
    """A running schedule `<domain>_sweep`: retires versions, quarantined batches and places that outlived their retention."""
    products = [
        declared.declaration(name) for name, (contract, _) in declared.products.items() if not contract.external
    ]
    name = f"{declared.domain.name}_sweep"

    @dg.op(name=f"{name}_storages")
    def sweep_storages(context: dg.OpExecutionContext) -> None:
        failed: list[str] = []
        for product in products:
            try:
                removed = sweep(product, standards, settings, now=datetime.now(UTC))
            except MeshError as error:
                failed.append(f"{product.name}: {error}")
                continue
            context.log.info(f"{product.name}: removed {len(removed)}")
        if failed:
            raise dg.Failure("\n".join(failed))

    @dg.job(name=name, description=f"Sweeps {declared.domain.name}'s storages.", executor_def=dg.in_process_executor)
    def nightly() -> None:
        sweep_storages()

    running = dg.DefaultScheduleStatus.RUNNING
    return dg.ScheduleDefinition(f"{name}_schedule", job=nightly, cron_schedule=_NIGHTLY, default_status=running)
