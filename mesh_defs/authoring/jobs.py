"""The platform's job: keep the catalog's snapshot young. What writes to a domain's storage runs in the domain's location."""

import dagster as dg

from mesh_defs.query.mesh import build_snapshot, open_mesh
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


@dg.job(description="Compiles the catalog from all code locations.", executor_def=dg.in_process_executor)
def refresh_catalog() -> None:
    """One op."""
    compile_catalog()


def platform_definitions() -> dg.Definitions:
    """The job and its schedule: every hour."""
    running = dg.DefaultScheduleStatus.RUNNING
    return dg.Definitions(
        jobs=[refresh_catalog],
        schedules=[
            dg.ScheduleDefinition(
                "catalog_schedule", job=refresh_catalog, cron_schedule="0 * * * *", default_status=running
            ),
        ],
    )
