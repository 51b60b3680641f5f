"""Makes the mesh across code locations: one run of Dagster's for each location and ready set, in dependency order.

The state is Dagster's own runs, which carry the refresh's id as a tag: whoever follows a refresh, the first time or after
a kill, reads it from there. Runs no product itself, and imports no Dagster.
"""

import threading
import time
from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import UTC, datetime

from mesh_defs.errors import UnreachableError
from mesh_defs.model.mesh import Mesh
from mesh_defs.refresh.graphql import Dagster, Loaded
from mesh_defs.refresh.order import selected
from mesh_defs.refresh.outcome import Outcome, Report
from mesh_defs.refresh.partitions import cut_for, keys_of
from mesh_defs.refresh.plan import Plan, find_plan, new_id, store_plan
from mesh_defs.refresh.rooms import waiting
from mesh_defs.refresh.stale import stale_inputs
from mesh_defs.refresh.walk import Walk
from mesh_defs.settings import Settings

POLL_SECONDS = 0.5
# The daemon's heart beats every 30 s.
DAEMON_SILENCE_SECONDS_MAX = 120.0
UNREACHABLE_SECONDS_MAX = 120.0
_DAEMON_LOOK_SECONDS = 15.0
Say = Callable[[str], None]


def refresh_across(
    settings: Settings,
    mesh: Mesh,
    *,
    selections: Collection[str] = (),
    partitions: str | None = None,
    refresh_id: str | None = None,
    report: Report = lambda outcome: None,
    say: Say = lambda text: None,
    stop: threading.Event | None = None,
) -> tuple[Outcome, ...]:
    """Make the selected products through Dagster's webserver and return one outcome each.

    `partitions` restricts it to the products that have them; see `refresh.partitions.chosen`.
    A failure, or a location that does not load, stops only what is downstream. `say` is told what is not about one
    product. Once `stop` is set nothing more is launched, and the runs that go on are waited for. Raises
    UnreachableError when the webserver or the daemon is gone for long; the runs go on, and `resume_refresh` takes it up.
    """
    now = datetime.now(UTC)
    left_out = {} if selections else waiting(settings, mesh.products, now)
    for name, why in left_out.items():
        say(f"{name} {why}")
    products = tuple(name for name in selected(mesh.products, selections) if name not in left_out)
    if partitions is not None:
        products = cut_for(mesh.products, products, partitions, now)
    keys = {name: keys_of(mesh.products[name], settings, asked=partitions, now=now) for name in products}
    _daemon_there(Dagster(settings.dagster_url))
    plan = Plan(
        id=refresh_id or new_id(now),
        products=products,
        partitions={name: wanted for name, wanted in keys.items() if wanted is not None},
        generation=mesh.snapshot.generation,
        started_at=now,
    )
    store_plan(settings, plan)
    return follow(settings, mesh, plan, report=report, say=say, stop=stop or threading.Event())


def resume_refresh(
    settings: Settings,
    mesh: Mesh,
    refresh_id: str | None = None,
    *,
    report: Report = lambda outcome: None,
    say: Say = lambda text: None,
    stop: threading.Event | None = None,
) -> tuple[Outcome, ...]:
    """Take up a refresh, the last unfinished one by default: what its runs made or failed to make stays, runs that go
    on are joined, and the rest is launched, as is what a run left undone because it was killed or cancelled."""
    plan = find_plan(settings, refresh_id)
    return follow(settings, mesh, plan, report=report, say=say, stop=stop or threading.Event())


def follow(
    settings: Settings, mesh: Mesh, plan: Plan, *, report: Report, say: Say, stop: threading.Event
) -> tuple[Outcome, ...]:
    """Walk the plan to its end. One that was told to stop stays unfinished, so that it can be resumed."""
    dagster = Dagster(settings.dagster_url)
    say(f"refresh {plan.id}: {len(plan.products)} products")
    stale = stale_inputs(settings, mesh, plan.products, now=datetime.now(UTC))
    for name, why in stale.items():
        say(f"{name} is not part of this refresh, and read as it is: {why}")

    def noted(outcome: Outcome) -> None:
        inputs = mesh.products[outcome.product].inputs if outcome.product in mesh.products else ()
        report(replace(outcome, stale_inputs=tuple(name for name in inputs if name in stale)))

    walk = Walk(settings, dagster, mesh.products, plan, report=noted, say=say)
    walk.begin(_loaded(dagster, {mesh.products[name].location for name in walk.pending}, say))
    patience = _Patience(dagster, plan.id, say)
    while walk.pending and not (stop.is_set() and not walk.busy):
        patience.step(walk, stop)
    if walk.pending:
        say(f"nothing more is launched; `mesh refresh --resume {plan.id}` makes the rest")
        for name in sorted(walk.pending):
            walk.note(Outcome(product=name, state="stopped", told="the refresh was interrupted"))
    else:
        store_plan(settings, plan.model_copy(update={"ended_at": datetime.now(UTC)}))
    return tuple(walk.outcomes.values())


class _Patience:
    """How long a walk goes on while Dagster does not answer, or nobody serves its queue."""

    def __init__(self, dagster: Dagster, refresh: str, say: Say) -> None:
        self._dagster, self._say = dagster, say
        self._mend = f"start it again, then `mesh refresh --resume {refresh}`; runs that were started go on"
        self._answered, self._looked, self._told = time.monotonic(), time.monotonic(), False

    def step(self, walk: Walk, stop: threading.Event) -> None:
        """One look at the runs, and a pause."""
        try:
            walk.step(launch=not stop.is_set())
            self._look_for_the_daemon(walk)
            self._answered, self._told = time.monotonic(), False
        except _DaemonGoneError:
            raise
        except UnreachableError as error:
            if time.monotonic() - self._answered > UNREACHABLE_SECONDS_MAX:
                raise UnreachableError(error.what, fix=self._mend) from None
            if not self._told:
                self._say(f"{error.what}; waiting for it")
            self._told = True
        if walk.pending:
            time.sleep(POLL_SECONDS)

    def _look_for_the_daemon(self, walk: Walk) -> None:
        if not walk.queued or time.monotonic() - self._looked < _DAEMON_LOOK_SECONDS:
            return
        self._looked = time.monotonic()
        silence = self._dagster.queue_silence(time.time())
        if silence is not None and silence > DAEMON_SILENCE_SECONDS_MAX:
            raise _DaemonGoneError("no daemon is running: runs stay queued", fix=self._mend)


class _DaemonGoneError(UnreachableError):
    """Not mended by waiting."""


def _daemon_there(dagster: Dagster) -> None:
    """Before anything is launched: with no daemon a run stays queued for ever, without a word from Dagster."""
    silence = dagster.queue_silence(time.time())
    if silence is not None and silence > DAEMON_SILENCE_SECONDS_MAX:
        since = "it never ran" if silence == float("inf") else f"last heard of {silence:.0f} s ago"
        fix = "start `dagster-daemon run`, or `make dev`"
        raise UnreachableError(f"no daemon is running ({since}), so that runs would stay queued", fix=fix)


def _loaded(dagster: Dagster, wanted: Collection[str], say: Say) -> dict[str, Loaded]:
    """The locations' state; one that is in error is loaded once more, as it may have been mended since."""
    loaded = dagster.locations()
    for name in sorted(wanted):
        if name not in loaded:
            loaded[name] = Loaded(error="Dagster's workspace has no such location")
        elif loaded[name].error:
            loaded[name] = dagster.reload(name)
        if loaded[name].error:
            say(f"location {name} does not load: {loaded[name].error}")
    return loaded
