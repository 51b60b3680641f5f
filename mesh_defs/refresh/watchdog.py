"""Notices when nothing fires any more: daemons, schedules and sensors that fell silent, locations in error, products that are
late although what they are made from is newer. Looks only, through Dagster's webserver and the storages; imports no Dagster."""

import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from mesh_defs.catalog.health import Health, health_of
from mesh_defs.errors import Finding, MeshError, UnreachableError
from mesh_defs.model.mesh import DataProduct, Mesh
from mesh_defs.query.mesh import open_mesh, open_storage
from mesh_defs.refresh.graphql import LOADED, Dagster, loaded
from mesh_defs.settings import Settings

HEARTBEAT_SECONDS_MAX = 120.0
TICK_SECONDS_MAX = 600.0
_TICKS_MISSED_MAX = 10
_QUERY = f"""query ($since: Float!) {{
  instance {{ daemonHealth {{ allDaemonStatuses {{ daemonType required lastHeartbeatTime
    lastHeartbeatErrors {{ message }} }} }} }}
  workspaceOrError {{ __typename ... on PythonError {{ message }} ... on Workspace {{ locationEntries {{ name
    locationOrLoadError {{ {LOADED}
      ... on RepositoryLocation {{ repositories {{
        sensors {{ name defaultStatus minIntervalSeconds
          sensorState {{ status ticks(limit: 1) {{ timestamp status error {{ message }} }} }} }}
        schedules {{ name defaultStatus
          potentialTickTimestamps(startTimestamp: $since, upperLimit: 1, lowerLimit: 1)
          scheduleState {{ status ticks(limit: 1) {{ timestamp status error {{ message }} }}
            typeSpecificData {{ ... on ScheduleData {{ startTimestamp }} }} }} }} }} }} }} }} }} }} }}"""


def watch(settings: Settings) -> tuple[Finding, ...]:
    """Return what has stopped, and what is late because of it; nothing when all is well. Changes nothing."""
    now = time.time()
    try:
        told = Dagster(settings.dagster_url).ask(_QUERY, since=now - TICK_SECONDS_MAX)
        stopped = tuple(stopped_in(told, now))
    except UnreachableError as error:
        stopped = (Finding(where="webserver", what=error.what, fix=error.fix),)
    mesh = open_mesh(settings)
    return (*stopped, *late_although(mesh.products, _healths(settings, mesh)))


def stopped_in(told: Mapping[str, Any], now: float) -> Iterator[Finding]:
    """Judge Dagster's own account of itself; `now` in seconds since the epoch."""
    for daemon in told["instance"]["daemonHealth"]["allDaemonStatuses"]:
        yield from _daemon(daemon, now)
    workspace = told["workspaceOrError"]
    if workspace["__typename"] != "Workspace":
        yield Finding(where="workspace", what=workspace["message"], fix="see workspace.yaml")
    for entry in workspace.get("locationEntries", ()):
        name, location = entry["name"], entry["locationOrLoadError"]
        error = loaded(location).error
        if error:
            yield Finding(where=name, what=f"does not load: {error}", fix="run `mesh validate`, then reload it")
            continue
        for repository in location["repositories"]:
            for sensor in repository["sensors"]:
                yield from _sensor(f"{name}.{sensor['name']}", sensor, now)
            for schedule in repository["schedules"]:
                yield from _schedule(f"{name}.{schedule['name']}", schedule, now)


def late_although(products: Mapping[str, DataProduct], healths: Mapping[str, Health]) -> Iterator[Finding]:
    """Name products that broke their promise while newer inputs were there: whatever should have made them did not."""
    for name, product in products.items():
        health = healths.get(name)
        if health is None or health.freshness != "late" or health.published_at is None:
            continue
        inputs = {each: healths[each].published_at for each in product.inputs if each in healths}
        newer = sorted(each for each, at in inputs.items() if at and at > health.published_at)
        if newer:
            refused = f"; candidate {health.refused} was refused" if health.refused else ""
            what = f"is older than promised, though {', '.join(newer)} was published since{refused}"
            fix = "look at its last run; if there is none, its automation has stopped: reload the location"
            yield Finding(where=name, what=what, fix=fix)


def _daemon(daemon: Mapping[str, Any], now: float) -> Iterator[Finding]:
    where, last = f"daemon {daemon['daemonType'].lower()}", daemon["lastHeartbeatTime"]
    if not daemon["required"]:
        return
    if last is None:
        yield Finding(where=where, what="never ran", fix="start `dagster-daemon run`")
    elif now - last > HEARTBEAT_SECONDS_MAX:
        yield Finding(where=where, what=f"last heard of {_ago(now - last)}", fix="start `dagster-daemon run`")
    elif daemon["lastHeartbeatErrors"]:
        message = _first_line(daemon["lastHeartbeatErrors"][0]["message"])
        yield Finding(where=where, what=f"runs with errors: {message}", fix="see the daemon's log")


def _sensor(where: str, sensor: Mapping[str, Any], now: float) -> Iterator[Finding]:
    state = sensor["sensorState"]
    yield from _state(where, sensor["defaultStatus"], state)
    allowed = max(TICK_SECONDS_MAX, _TICKS_MISSED_MAX * sensor["minIntervalSeconds"])
    last = _last_tick(state["ticks"])
    if state["status"] == "RUNNING" and last is not None and now - last > allowed:
        fix = "reload its location; if that does not help, restart the daemon"
        yield Finding(where=where, what=f"is running, but was last evaluated {_ago(now - last)}", fix=fix)


def _schedule(where: str, schedule: Mapping[str, Any], now: float) -> Iterator[Finding]:
    state = schedule["scheduleState"]
    yield from _state(where, schedule["defaultStatus"], state)
    if state["status"] != "RUNNING":
        return
    due = [at for at in schedule["potentialTickTimestamps"] if at <= now - TICK_SECONDS_MAX]
    since = (state["typeSpecificData"] or {}).get("startTimestamp")
    last = _last_tick(state["ticks"]) or since
    if due and last is not None and last < max(due):
        when = f"{datetime.fromtimestamp(max(due), UTC):%Y-%m-%d %H:%M} UTC"
        yield Finding(where=where, what=f"was due at {when} and did not fire", fix="restart the daemon")


def _state(where: str, declared: str, state: Mapping[str, Any]) -> Iterator[Finding]:
    if declared == "RUNNING" and state["status"] != "RUNNING":
        yield Finding(where=where, what="is declared as running, but was stopped", fix="start it in Dagster's UI")
    failed = next((tick for tick in state["ticks"] if tick["status"] == "FAILURE"), None)
    if failed:
        message = _first_line((failed["error"] or {}).get("message") or "no reason was given")
        yield Finding(where=where, what=f"failed when it last fired: {message}", fix="see its page in Dagster's UI")


def _healths(settings: Settings, mesh: Mesh) -> dict[str, Health]:
    found = {}
    for name, product in mesh.products.items():
        try:
            found[name] = health_of(product, open_storage(product, settings), now=datetime.now(UTC))
        except MeshError:
            continue  # a store that this process was not told of: its own domain's to watch
    return found


def _last_tick(ticks: Sequence[Mapping[str, Any]]) -> float | None:
    return ticks[0]["timestamp"] if ticks else None


def _ago(seconds: float) -> str:
    return f"{seconds / 3600:.1f} h ago" if seconds >= 3600 else f"{seconds / 60:.0f} min ago"


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0]
