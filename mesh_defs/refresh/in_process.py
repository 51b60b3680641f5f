"""Materializes the mesh in this process, one Dagster run for each group, on the instance that `make dev` shows.

For development, demos and tests: there is no isolation between domains here, and what is killed is not resumed.
"""

import time
import uuid
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Literal

import dagster as dg

from mesh_defs.catalog.loader import load_definitions
from mesh_defs.documents.workspace import read_workspace
from mesh_defs.model.mesh import Mesh
from mesh_defs.refresh.instance import open_instance
from mesh_defs.refresh.order import Group, ready_groups, selected, stopped_by
from mesh_defs.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one product. `seconds` is wall time of its step; `told` says why it was not made."""

    product: str
    state: Literal["published", "failed", "stopped"]
    seconds: float = 0.0
    told: str = ""


Report = Callable[[Outcome], None]
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def refresh_in_process(
    settings: Settings, mesh: Mesh, *, selections: Collection[str] = (), report: Report = lambda outcome: None
) -> tuple[Outcome, ...]:
    """Make the selected products in dependency order and return one outcome each. A failure stops only what is downstream."""
    products = mesh.products
    pending = set(selected(products, selections))
    outcomes: dict[str, Outcome] = {}

    def note(outcome: Outcome) -> None:
        if outcome.product in pending:
            pending.discard(outcome.product)
            outcomes[outcome.product] = outcome
            report(outcome)

    with open_instance(settings) as instance:
        locations = _load(settings, {products[name].location for name in pending})
        while pending:
            failed = {name for name, outcome in outcomes.items() if outcome.state != "published"}
            for name in sorted(stopped_by(products, failed, pending)):
                note(Outcome(product=name, state="stopped", told="an input was not made"))
            groups = ready_groups(products, pending=pending, blocked=failed)
            if groups:
                _run(groups[0], locations[groups[0].location], instance, note)
                continue
            for name in sorted(pending):
                note(Outcome(product=name, state="failed", told="it is part of a cycle; see `mesh validate`"))
    return tuple(outcomes.values())


def _load(settings: Settings, names: Collection[str]) -> dict[str, dg.Definitions | Exception]:
    """Definitions by location; one that does not import is kept as its error, and fails its own products only."""
    loaded: dict[str, dg.Definitions | Exception] = {}
    for location in read_workspace(settings.root):
        if location.name in names:
            try:
                loaded[location.name] = load_definitions(location)
            except Exception as error:  # noqa: BLE001  a domain's import may raise anything
                loaded[location.name] = error
    return loaded


def _run(group: Group, definitions: dg.Definitions | Exception, instance: dg.DagsterInstance, note: Report) -> None:
    if isinstance(definitions, Exception):
        for name in group.products:
            note(Outcome(product=name, state="failed", told=f"{group.location} does not load: {definitions}"))
        return
    run_id = str(uuid.uuid4())
    instance.add_event_listener(run_id, _Watch(note))
    definitions.resolve_implicit_global_asset_job_def().execute_in_process(
        instance=instance,
        run_id=run_id,
        run_config=_QUIET,
        raise_on_error=False,
        asset_selection=[dg.AssetKey(name.split(".")) for name in group.products],
        tags={"mesh/refresh": "in-process"},
    )
    for name in group.products:
        note(Outcome(product=name, state="stopped", told="an input was not made"))


class _Watch:
    """Turns Dagster's events into outcomes while the run goes on."""

    def __init__(self, note: Report) -> None:
        self._note, self._started = note, time.perf_counter()

    def __call__(self, entry: dg.EventLogEntry) -> None:
        event = entry.dagster_event
        if event is None:
            return
        if event.event_type == dg.DagsterEventType.STEP_START:
            self._started = time.perf_counter()
        elif event.event_type == dg.DagsterEventType.ASSET_MATERIALIZATION and event.asset_key:
            self._report(".".join(event.asset_key.path), "published", "")
        elif event.event_type == dg.DagsterEventType.STEP_FAILURE and event.step_key:
            self._report(event.step_key.replace("__", ".", 1), "failed", _why(event.step_failure_data))

    def _report(self, product: str, state: Literal["published", "failed"], told: str) -> None:
        seconds = time.perf_counter() - self._started
        self._note(Outcome(product=product, state=state, seconds=seconds, told=told))


def _why(failure: Any) -> str:
    """Our own failures explain themselves; a product's exception is told by its class and place, not its whole trace."""
    if failure.user_failure_data and failure.user_failure_data.description:
        return str(failure.user_failure_data.description)
    error = failure.error.cause or failure.error if failure.error else None
    if error is None:
        return "no reason was given"
    message = error.message.strip()
    return message if message.startswith(str(error.cls_name)) else f"{error.cls_name}: {message}"
