"""One refresh as it goes: what is pending, which runs are at it, what became of each product. Knows no clock and no patience."""

import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

from mesh_defs.errors import UnreachableError
from mesh_defs.model.mesh import DataProduct
from mesh_defs.refresh.graphql import Dagster, Loaded, Run, product_of
from mesh_defs.refresh.order import Group, ready_groups, stopped_by
from mesh_defs.refresh.outcome import WELL, Outcome, Report, State, together
from mesh_defs.refresh.plan import Plan, launching
from mesh_defs.settings import Settings

REFRESH_TAG, GROUP_TAG = "mesh/refresh", "mesh/group"
PARTITION_TAG = "dagster/partition"
_UNREACHED = "DagsterUserCodeUnreachableError"
# One at a time each; a launch waits for the code server, so that several at once take hardly longer than one.
LAUNCHES_AT_ONCE_MAX = 8
# Looks at a location whose code server was killed: about a minute, in which it is started again and reached.
LAUNCH_TRIES_MAX = 120


@dataclass(slots=True)
class _Watched:
    """A run that is followed: how far its events were read, and what they said of the run as a whole."""

    cursor: str | None = None
    started: dict[str, float] = field(default_factory=dict)
    reason: str = ""
    read_to_its_end: bool = False


class Walk:
    """A refresh under way. `outcomes` by product, in the order in which they became known."""

    def __init__(
        self,
        settings: Settings,
        dagster: Dagster,
        products: Mapping[str, DataProduct],
        plan: Plan,
        *,
        report: Report,
        say: Callable[[str], None],
    ) -> None:
        self._settings, self._dagster, self._products, self._plan = settings, dagster, products, plan
        self._report, self._say = report, say
        self._loaded: Mapping[str, Loaded] = {}
        self._watched: dict[str, _Watched] = {}
        self._alive: set[str] = set()  # runs of ours that were not over when we saw them
        self._joined: dict[str, set[str]] = {}  # runs of others -> products of ours that they make
        self._made: dict[str, tuple[str, float]] = {}  # product -> the run that made it, and when
        self._parts: dict[str, dict[str, Outcome]] = {}  # partitioned product -> what became of each partition
        self._mine: tuple[Run, ...] = ()
        self._silent: Counter[str] = Counter()  # location -> launches that its code server did not answer, in a row
        self.pending = {name for name in plan.products if name in products}
        self.busy: set[str] = set()
        self.queued = False
        self.outcomes: dict[str, Outcome] = {}
        for name in sorted(set(plan.products) - self.pending):
            outcome = Outcome(product=name, state="failed", told="no location declares it any more")
            self.outcomes[name] = outcome
            report(outcome)

    def begin(self, loaded: Mapping[str, Loaded]) -> None:
        """Take over what runs of this refresh did, then fail what lies in locations that do not load."""
        self._loaded = loaded
        self.look()
        for name in sorted(self.pending - self.busy):
            error = loaded[self._products[name].location].error
            if error:
                told = f"{self._products[name].location} does not load: {error}"
                self.note(Outcome(product=name, state="failed", told=told))

    def step(self, *, launch: bool) -> None:
        """Look at the runs; stop what cannot be made any more; launch what is ready."""
        self.look()
        self._stop()
        for run in self._over():
            self._undone(run)
        self._stop()
        if launch and ready_groups(self._products, pending=self.pending, blocked=self._failed | self.busy):
            self._launch_ready()
        elif not self.busy and launch:
            for name in sorted(self.pending):
                self.note(Outcome(product=name, state="failed", told="it is part of a cycle; see `mesh validate`"))

    def look(self) -> None:
        """Read what is new in the runs of this refresh, and in those of others that it waits for."""
        self._mine = self._dagster.runs(tags={REFRESH_TAG: self._plan.id})
        joined = self._dagster.runs(ids=self._joined) if self._joined else ()
        for run in (*self._mine, *joined):
            self._read(run)
        self._joined = {_followed(run): self._joined[run.id] for run in joined if not run.ended or run.will_retry}
        mine = [run for run in self._mine if not self._is_over(run)]
        self._alive |= {run.id for run in mine}
        self.queued = any(run.status == "QUEUED" or run.will_retry for run in (*mine, *joined))
        told = [*(run.products for run in mine), *self._joined.values()]
        self.busy = {name for names in told for name in names} & self.pending

    def note(self, outcome: Outcome) -> None:
        """Take down what became of a product, once."""
        if outcome.product in self.pending:
            self.pending.discard(outcome.product)
            self.outcomes[outcome.product] = outcome
            self._report(outcome)

    @property
    def _failed(self) -> set[str]:
        return {name for name, outcome in self.outcomes.items() if outcome.state not in WELL}

    def _is_over(self, run: Run) -> bool:
        """Nothing more comes of it, nor of a retry of Dagster's that is still to be launched."""
        return run.ended and (not run.will_retry or self._is_retried(run))

    def _is_retried(self, run: Run) -> bool:
        return any(each.tags.get("dagster/parent_run_id") == run.id for each in self._mine)

    def _over(self) -> list[Run]:
        """Runs that ended while we followed them. What others left undone, before a kill of ours, is made again."""
        return [r for r in self._mine if r.id in self._alive and self._is_over(r) and not self._is_retried(r)]

    def _stop(self) -> None:
        for name in sorted(stopped_by(self._products, self._failed, self.pending)):
            self.note(Outcome(product=name, state="stopped", told="an input was not made"))

    def _undone(self, run: Run) -> None:
        why = {"CANCELED": "its run was cancelled", "SUCCESS": "its run skipped it"}.get(run.status)
        reason = why or self._watched[run.id].reason or "its run ended without a reason"
        key = run.tags.get(PARTITION_TAG)
        for name in sorted(self.pending.intersection(run.products) - (set() if key else self.busy)):
            self._became(Outcome(product=name, state="failed", told=reason), key)

    def _became(self, outcome: Outcome, key: str | None) -> None:
        """Take down what a run made of a product, or of one of its partitions: the product, when all are accounted for."""
        wanted = self._plan.partitions.get(outcome.product)
        if wanted is None or key is None:
            self.note(outcome)
            return
        told = f"{key}: {outcome.told}" if outcome.told else ""
        parts = self._parts.setdefault(outcome.product, {})
        parts.setdefault(key, replace(outcome, told=told))
        if parts.keys() >= set(wanted):
            self.note(together(outcome.product, [parts[each] for each in wanted], wanted))

    def _read(self, run: Run) -> None:
        watched = self._watched.setdefault(run.id, _Watched())
        if watched.read_to_its_end:
            return
        events, watched.cursor = self._dagster.events(run.id, watched.cursor)
        watched.read_to_its_end = run.ended
        for event in events:
            outcome = _told(event, watched)
            if outcome and outcome.product in self.pending and self._counts(run, outcome.product):
                self._made[outcome.product] = (run.id, float(event["timestamp"]) / 1000)
                self._became(outcome, run.tags.get(PARTITION_TAG))

    def _counts(self, run: Run, product: str) -> bool:
        """A run of others counts when we waited for it, and it began after what we made of the product's inputs."""
        if run.tags.get(REFRESH_TAG) == self._plan.id:
            return True
        made = [self._made[name] for name in self._products[product].inputs if name in self._made]
        return product in self._joined.get(run.id, ()) and all(r == run.id or at <= run.created for r, at in made)

    def _launch_ready(self) -> None:
        """Invariant: under the lock nobody else launches, so that no product is ever given to two runs at once."""
        with launching(self._settings):
            known = {run.id for run in self._mine}
            if any(run.id not in known for run in self._dagster.runs(tags={REFRESH_TAG: self._plan.id})):
                return  # somebody else follows this refresh, too
            self._join()
            blocked = self._failed | self.busy
            groups = ready_groups(self._products, pending=self.pending, blocked=blocked)
            with ThreadPoolExecutor(LAUNCHES_AT_ONCE_MAX) as pool:
                launched = pool.map(self._launch, *zip(*self._runs_of(groups), strict=True))
                unreached = {location for location in launched if location}
            for location in unreached - self._silent.keys():
                self._say(f"{location}: its code server does not answer; trying again")
            self._silent = Counter({location: self._silent[location] + 1 for location in unreached})

    def _runs_of(self, groups: Collection[Group]) -> Iterator[tuple[Group, str | None]]:
        """One run for each group, or for each of its partitions that is not accounted for yet."""
        for group in groups:
            if group.cut is None:
                yield group, None
                continue
            left = {name: self._left(name) for name in group.products}
            for name in [name for name in group.products if not left[name]]:
                self.note(together(name, list(self._parts.get(name, {}).values()), self._plan.partitions.get(name, ())))
            for key in sorted({key for keys in left.values() for key in keys}):
                yield replace(group, products=tuple(name for name in group.products if key in left[name])), key

    def _left(self, product: str) -> list[str]:
        done = self._parts.get(product, {})
        return [key for key in self._plan.partitions.get(product, ()) if key not in done]

    def _join(self) -> None:
        groups = ready_groups(self._products, pending=self.pending, blocked=self._failed | self.busy)
        making = self._dagster.making([name for group in groups for name in group.products])
        for name, runs in making.items():
            self._say(f"{name} is being made by run {runs[-1][:8]} already: waiting for that")
            self._joined.setdefault(runs[-1], set()).add(name)
            self.busy.add(name)

    def _launch(self, group: Group, partition: str | None) -> str | None:
        """What Dagster refuses fails its own group only; what it does not answer is tried again.

        Returns the location when it is its code server that did not answer.
        """
        tags = {REFRESH_TAG: self._plan.id, GROUP_TAG: group_tag(group.location, group.products, partition)}
        repository = self._loaded[group.location].repository
        try:
            run, refusal = self._dagster.launch(
                group.location, repository, group.products, partition=partition, tags=tags
            )
        except UnreachableError as error:
            self._say(f"{group.location}: {error.what}; trying again")
            return None
        if run is None and _UNREACHED in refusal and self._silent[group.location] < LAUNCH_TRIES_MAX:
            return group.location
        if run is None:
            for name in group.products:
                told = f"Dagster did not launch it: {refusal} — reload {group.location} in Dagster's UI if it is older"
                self._became(Outcome(product=name, state="failed", told=told), partition)
        return None


def _followed(run: Run) -> str:
    """The run to wait for: Dagster's retry of it, once that is launched."""
    return run.tags.get("dagster/auto_retry_run_id", run.id) if run.will_retry else run.id


def group_tag(location: str, products: Collection[str], partition: str | None) -> str:
    """Name a group within its refresh: the same products of a location are the same group, whoever launches them."""
    digest = hashlib.sha256("\n".join(sorted(products)).encode()).hexdigest()[:12]
    return ":".join((location, digest, *([partition] if partition else [])))


def _told(event: Mapping[str, Any], watched: _Watched) -> Outcome | None:
    """What an event says of a product; what it says of the run is kept."""
    kind, at = event["__typename"], float(event.get("timestamp") or 0) / 1000
    step = event.get("stepKey") or ""
    seconds = max(0.0, at - watched.started.get(step, at))
    if kind == "ExecutionStepStartEvent":
        watched.started[step] = at
    elif kind in ("MaterializationEvent", "ObservationEvent"):
        made: State = "published" if kind == "MaterializationEvent" else "observed"
        return Outcome(product=product_of(event), state=made, seconds=seconds)
    elif kind == "ExecutionStepFailureEvent":
        return Outcome(product=step.replace("__", ".", 1), state="failed", seconds=seconds, told=_why(event))
    elif kind == "EngineEvent" and event.get("error"):
        watched.reason = f"{event['message']}: {_why(event)}"
    elif kind == "RunFailureEvent":
        message = str(event["message"]).strip()
        # Of a run that never left the queue Dagster says only this at its end; what went before says why.
        vague = message.startswith("This run has been marked as failed from outside")
        watched.reason = watched.reason if vague and watched.reason else message
    return None


def _why(event: Mapping[str, Any]) -> str:
    """Our own failures explain themselves; a product's exception is told by its class and message, not its whole trace."""
    described = (event.get("failureMetadata") or {}).get("description")
    if described:
        return str(described)
    error = event.get("error") or {}
    error = error.get("cause") or error
    message = str(error.get("message") or "no reason was given").strip()
    name = str(error.get("className") or "")
    return message if message.startswith(name) else f"{name}: {message}"
