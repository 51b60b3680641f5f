"""The schedules that contracts promise: one job and one running schedule for each cron and cut of a domain."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

import dagster as dg

from mesh_defs.authoring.partitions import partitions_definition
from mesh_defs.authoring.step import asset_key
from mesh_defs.model.contract import Contract
from mesh_defs.model.partition import Partitioning

# How often an external product is looked at, when its contract does not say.
_OBSERVED = "0 * * * *"


def schedules_of(domain: str, contracts: Iterable[Contract]) -> list[dg.ScheduleDefinition]:
    """Products of one cron and one cut share a job: a run has one partition, or none."""
    together: dict[tuple[str, str], list[Contract]] = defaultdict(list)
    for contract in contracts:
        cron = contract.service_level.schedule or (_OBSERVED if contract.external else None)
        if cron:
            # What is observed runs apart: a look that finds fault fails its run.
            together[cron, f"{contract.external} {contract.partitioning!r}"].append(contract)
    several = len(together) > 1
    return [
        _schedule(domain, f"_{number}" if several else "", cron, members)
        for number, ((cron, _), members) in enumerate(sorted(together.items()), start=1)
    ]


def _schedule(domain: str, suffix: str, cron: str, contracts: list[Contract]) -> dg.ScheduleDefinition:
    names, cut = [contract.product for contract in contracts], contracts[0].partitioning
    job = dg.define_asset_job(
        f"{domain}_refresh{suffix}",
        selection=dg.AssetSelection.assets(*map(asset_key, names)),
        description=f"Refreshes {', '.join(names)} at {cron}.",
        partitions_def=partitions_definition(cut),
    )
    name, running = f"{domain}_schedule{suffix}", dg.DefaultScheduleStatus.RUNNING
    if cut is None:
        return dg.ScheduleDefinition(name, job=job, cron_schedule=cron, default_status=running)

    @dg.schedule(name=name, job=job, cron_schedule=cron, default_status=running)
    def partitions(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
        yield from _due(cut, context.scheduled_execution_time)

    return partitions


def _due(cut: Partitioning, now: datetime) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """The last day that is over, or every value."""
    keys = cut.keys(now.astimezone(UTC))
    due = keys[-1:] if cut.is_daily else keys
    if not due:
        yield dg.SkipReason("no day is over yet")
    for key in due:
        yield dg.RunRequest(partition_key=key, run_key=f"{now.isoformat()} {key}")
