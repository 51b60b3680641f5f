"""The platform's code location: what looks after the mesh as a whole, for operators to start, or running from the start."""

from datetime import UTC, datetime

import dagster as dg

from mesh_defs.authoring import jobs as housekeeping
from mesh_defs.authoring.worker import mark_worker
from mesh_defs.query.mesh import open_mesh
from mesh_defs.refresh.launch import refresh_across, resume_refresh
from mesh_defs.refresh.outcome import WELL, Outcome
from mesh_defs.refresh.plan import has_plan
from mesh_defs.refresh.reaper import reap
from mesh_defs.refresh.unrecorded import record_publications
from mesh_defs.refresh.watchdog import watch
from mesh_defs.settings import load_settings

# dagster.yaml lets one walk run at a time: several could take every slot of the queue, and wait for their own runs for ever.
WALK_TAGS = {"mesh/walk": "refresh", "dagster/max_runtime": "86400"}


class RefreshConfig(dg.Config):
    """What to make: `domain`, `domain.product`, `+NAME`, `NAME+`; nothing means all. `partitions`: A..B, one, or all."""

    selections: list[str] = []
    partitions: str | None = None


@dg.op
def refresh_products(context: dg.OpExecutionContext, config: RefreshConfig) -> None:
    """Walk the mesh as `mesh refresh` does. A retry of this run takes up the walk of the first."""
    mark_worker(context.instance, context.run_id)
    settings = load_settings()
    mesh, refresh_id = open_mesh(settings), f"run-{context.run.root_run_id or context.run_id}"
    seen: list[Outcome] = []

    def report(outcome: Outcome) -> None:
        seen.append(outcome)
        told = f"{outcome.product}: {outcome.state} {outcome.told}".rstrip()
        context.log.info(told) if outcome.state in WELL else context.log.warning(told)

    if has_plan(settings, refresh_id):
        resume_refresh(settings, mesh, refresh_id, report=report, say=context.log.info)
    else:
        refresh_across(
            settings,
            mesh,
            selections=config.selections,
            partitions=config.partitions,
            refresh_id=refresh_id,
            report=report,
            say=context.log.info,
        )
    missed = [outcome for outcome in seen if outcome.state not in WELL]
    if missed:
        told = "\n".join(f"{outcome.product} {outcome.state}: {outcome.told}" for outcome in missed)
        raise dg.Failure(f"{len(missed)} of {len(seen)} products were not made\n{told}", allow_retries=False)


@dg.op
def look_for_what_stopped(context: dg.OpExecutionContext) -> None:
    """Record publications that no run told of, then fail with the list of what fires no more."""
    settings = load_settings()
    mesh = open_mesh(settings)
    for told in record_publications(context.instance, settings, mesh, now=datetime.now(UTC)):
        context.log.warning(told)
    findings = watch(settings)
    if findings:
        raise dg.Failure("\n".join(map(str, findings)), allow_retries=False)


@dg.job(
    description="Makes the mesh, or a selection of it, one run per location and ready set, in order.",
    executor_def=dg.in_process_executor,
    tags=WALK_TAGS,
)
def refresh_mesh() -> None:
    """One op."""
    refresh_products()


@dg.job(description="Fails when something that should fire does not.", executor_def=dg.in_process_executor)
def watch_mesh() -> None:
    """One op."""
    look_for_what_stopped()


@dg.sensor(
    name="reaper",
    description="Ends runs whose worker died unseen.",
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
)
def reaper(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """A sensor and no job: dead runs may hold every slot of the queue, and a job that ends them would wait behind them."""
    ended = reap(context.instance, now=datetime.now(UTC))
    for told in ended:
        context.log.warning(told)
    return dg.SkipReason("; ".join(ended) or "no run is dead")


def platform_definitions() -> dg.Definitions:
    """The reaper every minute, the watchdog every quarter of an hour; the whole mesh nightly once somebody starts that."""
    running = dg.DefaultScheduleStatus.RUNNING
    ours = dg.Definitions(
        jobs=[refresh_mesh, watch_mesh],
        sensors=[reaper],
        schedules=[
            dg.ScheduleDefinition("refresh_schedule", job=refresh_mesh, cron_schedule="0 2 * * *"),
            dg.ScheduleDefinition(
                "watch_schedule", job=watch_mesh, cron_schedule="*/15 * * * *", default_status=running
            ),
        ],
    )
    return dg.Definitions.merge(housekeeping.platform_definitions(), ours)
