"""The platform's jobs: keep the catalog's snapshot young, sweep what no reader can be reading."""

from datetime import UTC, datetime

import dagster as dg

from mesh_defs.query.mesh import build_snapshot, open_mesh, open_storage
from mesh_defs.settings import load_settings


@dg.op
def compile_catalog(context: dg.OpExecutionContext) -> None:
    """Compile the snapshot of all locations' declarations; the door refuses to work from an old one."""
    settings = load_settings()
    build_snapshot(settings, everything=True)
    mesh = open_mesh(settings, build=False)
    for section in mesh.snapshot.sections:
        if section.error:
            context.log.warning(
                f"{section.location} did not load, its last known good declarations stay: {section.error}"
            )
    context.log.info(f"generation {mesh.snapshot.generation}: {len(mesh.products)} products")


@dg.op
def sweep_storages(context: dg.OpExecutionContext) -> None:
    """Remove versions, quarantined batches and orphans that outlived the retention of mesh.yaml."""
    settings = load_settings()
    mesh = open_mesh(settings)
    for product in mesh.products.values():
        removed = open_storage(product, settings).sweep(datetime.now(UTC), mesh.standards.retention_seconds)
        if removed:
            context.log.info(f"{product.name}: removed {len(removed)} parts")


@dg.job(description="Compiles the catalog from all code locations.", executor_def=dg.in_process_executor)
def refresh_catalog() -> None:
    """One op."""
    compile_catalog()


@dg.job(description="Removes old versions, quarantined batches and orphans.", executor_def=dg.in_process_executor)
def sweep() -> None:
    """One op."""
    sweep_storages()


def platform_definitions() -> dg.Definitions:
    """Jobs and their schedules: the catalog every hour, the sweep every night."""
    running = dg.DefaultScheduleStatus.RUNNING
    return dg.Definitions(
        jobs=[refresh_catalog, sweep],
        schedules=[
            dg.ScheduleDefinition(
                "catalog_schedule", job=refresh_catalog, cron_schedule="0 * * * *", default_status=running
            ),
            dg.ScheduleDefinition("sweep_schedule", job=sweep, cron_schedule="30 3 * * *", default_status=running),
        ],
    )
