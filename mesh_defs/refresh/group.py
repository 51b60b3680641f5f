"""Makes one group of products in this process: one Dagster run, or one for each partition. A partition harms no other."""

import time
import uuid
from collections.abc import Sequence
from typing import Any

import dagster as dg

from mesh_defs.refresh.outcome import Outcome, Report, State, together

UNMADE = "an input was not made"
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def make_group(
    products: Sequence[str],
    keys: Sequence[str | None],
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    note: Report,
) -> None:
    """Run the products of one location once for each key; the only key of what is not partitioned is None.

    Notes each product's outcome as soon as it is known, and one for each product in the end.
    """
    if None in keys:
        _run(products, None, definitions, instance, note)
        for name in products:
            note(Outcome(product=name, state="stopped", told=UNMADE))
        return
    made: dict[str, list[Outcome]] = {name: [] for name in products}
    for key in keys:
        _run(products, key, definitions, instance, lambda outcome: made[outcome.product].append(outcome))
    for name in products:
        note(together(name, made[name], keys))


def _run(
    products: Sequence[str], key: str | None, definitions: dg.Definitions, instance: dg.DagsterInstance, note: Report
) -> None:
    run_id = str(uuid.uuid4())
    instance.add_event_listener(run_id, _Watch(note, key))
    definitions.resolve_implicit_global_asset_job_def().execute_in_process(
        instance=instance,
        run_id=run_id,
        run_config=QUIET,
        raise_on_error=False,
        partition_key=key,
        asset_selection=[dg.AssetKey(name.split(".")) for name in products],
        tags={"mesh/refresh": "in-process"},
    )


class _Watch:
    """Turns Dagster's events into outcomes while the run goes on."""

    def __init__(self, note: Report, key: str | None) -> None:
        self._note, self._key, self._started = note, key, time.perf_counter()

    def __call__(self, entry: dg.EventLogEntry) -> None:
        event = entry.dagster_event
        if event is None:
            return
        if event.event_type == dg.DagsterEventType.STEP_START:
            self._started = time.perf_counter()
        elif event.event_type == dg.DagsterEventType.ASSET_MATERIALIZATION and event.asset_key:
            self._report(".".join(event.asset_key.path), "published", "")
        elif event.event_type == dg.DagsterEventType.ASSET_OBSERVATION and event.asset_key:
            self._report(".".join(event.asset_key.path), "observed", "")
        elif event.event_type == dg.DagsterEventType.STEP_FAILURE and event.step_key:
            self._report(event.step_key.replace("__", ".", 1), "failed", _why(event.step_failure_data))

    def _report(self, product: str, state: State, told: str) -> None:
        seconds = time.perf_counter() - self._started
        where = f"{self._key}: " if self._key and told else ""
        self._note(Outcome(product=product, state=state, seconds=seconds, told=where + told))


def _why(failure: Any) -> str:
    """Our own failures explain themselves; a product's exception is told by its class and place, not its whole trace."""
    if failure.user_failure_data and failure.user_failure_data.description:
        return str(failure.user_failure_data.description)
    error = failure.error.cause or failure.error if failure.error else None
    if error is None:
        return "no reason was given"
    message = error.message.strip()
    return message if message.startswith(str(error.cls_name)) else f"{error.cls_name}: {message}"
