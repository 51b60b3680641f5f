"""The watchdog names what has stopped, and nothing else."""

from datetime import UTC, datetime, timedelta
from typing import Any

from mesh_defs.catalog.health import Freshness, Health
from mesh_defs.refresh.watchdog import late_although, stopped_in, watch
from tests.factories import a_contract, a_product
from tests.refresh.stack import Stack

NOW = 1_800_000_000.0
PUBLISHED = datetime(2026, 11, 1, tzinfo=UTC)


def told(*, daemons: tuple[Any, ...] = (), sensors: tuple[Any, ...] = (), schedules: tuple[Any, ...] = ()) -> Any:
    repository = {"name": "__repository__", "sensors": sensors, "schedules": schedules}
    location = {"__typename": "RepositoryLocation", "repositories": [repository]}
    return {
        "instance": {"daemonHealth": {"allDaemonStatuses": daemons}},
        "workspaceOrError": {
            "__typename": "Workspace",
            "locationEntries": [{"name": "shop", "locationOrLoadError": location}],
        },
    }


def a_daemon(ago: float | None, *, required: bool = True, errors: tuple[str, ...] = ()) -> dict[str, Any]:
    last = None if ago is None else NOW - ago
    problems = [{"message": each} for each in errors]
    kind = "SENSOR"
    return {"daemonType": kind, "required": required, "lastHeartbeatTime": last, "lastHeartbeatErrors": problems}


def a_sensor(ago: float | None, *, status: str = "RUNNING", tick: str = "SKIPPED") -> dict[str, Any]:
    ticks = [] if ago is None else [{"timestamp": NOW - ago, "status": tick, "error": {"message": "it broke\nhere"}}]
    return {
        "name": "sensor",
        "defaultStatus": "RUNNING",
        "minIntervalSeconds": 30,
        "sensorState": {"status": status, "ticks": ticks},
    }


def a_schedule(
    *, due: float, ticked: float | None, since: float | None = None, status: str = "RUNNING"
) -> dict[str, Any]:
    ticks = [] if ticked is None else [{"timestamp": NOW - ticked, "status": "SUCCESS", "error": None}]
    since_data = {"startTimestamp": None if since is None else NOW - since}
    return {
        "name": "nightly",
        "defaultStatus": "RUNNING",
        "potentialTickTimestamps": [NOW - due, NOW + 60],
        "scheduleState": {"status": status, "ticks": ticks, "typeSpecificData": since_data},
    }


def whats(**given: Any) -> list[str]:
    return [finding.what for finding in stopped_in(told(**given), NOW)]


def test_a_stack_that_is_well_has_no_findings() -> None:
    well = {"daemons": (a_daemon(10),), "sensors": (a_sensor(20),), "schedules": (a_schedule(due=3600, ticked=3599),)}
    assert whats(**well) == []


def test_a_daemon_without_a_heartbeat_is_named_and_one_that_is_not_needed_is_not() -> None:
    assert whats(daemons=(a_daemon(None), a_daemon(900), a_daemon(None, required=False))) == [
        "never ran",
        "last heard of 15 min ago",
    ]
    assert whats(daemons=(a_daemon(5, errors=("disk full\nmore",)),)) == ["runs with errors: disk full"]


def test_a_sensor_that_is_no_longer_evaluated_stopped_or_fails_is_named() -> None:
    assert whats(sensors=(a_sensor(7200),)) == ["is running, but was last evaluated 2.0 h ago"]
    assert whats(sensors=(a_sensor(20, status="STOPPED"),)) == ["is declared as running, but was stopped"]
    assert whats(sensors=(a_sensor(20, tick="FAILURE"),)) == ["failed when it last fired: it broke"]
    assert whats(sensors=(a_sensor(None),)) == []


def test_a_schedule_that_missed_its_time_is_named_and_a_new_one_is_not() -> None:
    assert "and did not fire" in whats(schedules=(a_schedule(due=3600, ticked=90_000),))[0]
    assert "and did not fire" in whats(schedules=(a_schedule(due=3600, ticked=None, since=7200),))[0]
    assert whats(schedules=(a_schedule(due=3600, ticked=None, since=1800),)) == []
    assert whats(schedules=(a_schedule(due=3600, ticked=None),)) == []
    assert whats(schedules=(a_schedule(due=60, ticked=90_000),)) == [], "it has just become due"


def a_health(hours: float, freshness: Freshness) -> Health:
    return Health(
        version="1",
        contract_version="1.0.0",
        published_at=PUBLISHED + timedelta(hours=hours),
        rows=1,
        bytes=1,
        freshness=freshness,
    )


def test_a_late_product_is_named_only_when_an_input_is_newer() -> None:
    names = {"a.one": (), "b.two": ("a.one",), "c.three": ("b.two", "d.gone")}
    products = {name: a_product(contract=a_contract(product=name), inputs=each) for name, each in names.items()}
    healths = {"a.one": a_health(5, "late"), "b.two": a_health(1, "late"), "c.three": a_health(2, "late")}
    (finding,) = late_although(products, healths)
    assert finding.where == "b.two"
    assert "though a.one was published since" in finding.what
    assert list(late_although(products, {**healths, "b.two": a_health(1, "fresh")})) == []


def test_of_a_real_stack_it_names_the_location_that_does_not_load_and_nothing_else(stack: Stack) -> None:
    assert [(finding.where, "nothing_like_this" in finding.what) for finding in watch(stack.settings)] == [
        ("broken", True)
    ]


def test_without_a_daemon_it_says_which_never_ran(stack_without_daemon: Stack) -> None:
    findings = {finding.where: finding.what for finding in watch(stack_without_daemon.settings)}
    assert findings["daemon scheduler"] == findings["daemon queued_run_coordinator"] == "never ran"


def test_without_a_webserver_it_says_so(stack_without_daemon: Stack) -> None:
    from dataclasses import replace

    nowhere = replace(stack_without_daemon.settings, dagster_url="http://somebody:secret@127.0.0.1:9")
    (finding,) = watch(nowhere)
    assert "does not answer at http://127.0.0.1:9 " in finding.what
    assert "secret" not in str(finding)
