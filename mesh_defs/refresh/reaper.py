"""Ends runs whose worker died unseen. Dagster's default launcher asks no worker for its health: when a run's process and its
code server are both gone, the run stays STARTED for ever. Runs that never started, or are being cancelled, are Dagster's own
monitoring's to end."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import dagster as dg

from mesh_defs.authoring.worker import WORKER_TAG, Worker, parse_worker, started, this_host

# A worker that has just ended may have its last words still to be written.
GRACE_SECONDS = 30.0
# Of a run on another machine only its events are seen; a step that says nothing for longer is taken for dead.
SILENT_SECONDS_MAX = 6 * 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """A run that has started and not ended. `worker` None: it was not written, or is a step's process, not the run's."""

    worker: Worker | None
    silent_seconds: float


def why_dead(
    run: Started,
    *,
    host: str | None,
    started: Callable[[int], int | None],
    grace_seconds: float = GRACE_SECONDS,
    silent_seconds_max: float = SILENT_SECONDS_MAX,
) -> str | None:
    """Say why the run's worker is dead, or None. A process that lives is never dead, however long it is silent."""
    worker = run.worker
    if worker is None or host is None or worker.host != host:
        if run.silent_seconds <= silent_seconds_max:
            return None
        return f"it said nothing for {run.silent_seconds / 3600:.1f} h, and its worker cannot be seen from here"
    if run.silent_seconds < grace_seconds or started(worker.pid) == worker.started:
        return None
    return f"its worker, process {worker.pid}, is gone, and nobody told: it was killed together with its code server"


def reap(
    instance: dg.DagsterInstance,
    *,
    now: datetime,
    grace_seconds: float = GRACE_SECONDS,
    silent_seconds_max: float = SILENT_SECONDS_MAX,
) -> tuple[str, ...]:
    """Fail every run whose worker is dead and return what was done, in words. Dagster retries such a run, if it is told to."""
    told = []
    for run in instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED])):
        why = why_dead(
            _started(instance, run, now),
            host=this_host(),
            started=started,
            grace_seconds=grace_seconds,
            silent_seconds_max=silent_seconds_max,
        )
        # Looked at again: it may have ended by itself meanwhile.
        latest = instance.get_run_by_id(run.run_id) if why else None
        if latest and latest.status == dg.DagsterRunStatus.STARTED:
            instance.report_run_failed(latest, f"Ended by the mesh's reaper: {why}.")
            told.append(f"run {run.run_id}: {why}")
    return tuple(told)


def _started(instance: dg.DagsterInstance, run: dg.DagsterRun, now: datetime) -> Started:
    last = instance.get_records_for_run(run.run_id, limit=1, ascending=False).records
    silent = now.timestamp() - last[0].timestamp if last else 0.0
    worker = parse_worker(run.tags.get(WORKER_TAG))
    # With an executor of several processes the product's step runs in a child, which ends before the run does.
    if worker and worker.pid != _worker_pid(instance, run.run_id):
        worker = None
    return Started(worker=worker, silent_seconds=silent)


def _worker_pid(instance: dg.DagsterInstance, run_id: str) -> int | None:
    """The pid that Dagster wrote first: the run's own process."""
    events = instance.get_records_for_run(run_id, of_type=dg.DagsterEventType.ENGINE_EVENT, limit=20).records
    for record in events:
        event = record.event_log_entry.dagster_event
        pid = event.engine_event_data.metadata.get("pid") if event else None
        if pid is not None:
            return int(str(pid.value))
    return None
