"""A refresh across code locations, with a real webserver, daemon and code servers, and what is killed under way."""

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from mesh_defs.authoring.worker import WORKER_TAG, parse_worker
from mesh_defs.errors import StorageError, UnreachableError
from mesh_defs.query.mesh import open_mesh, open_storage
from mesh_defs.refresh.graphql import Run
from mesh_defs.refresh.launch import _loaded, resume_refresh
from mesh_defs.refresh.plan import Plan, find_plan, store_plan
from mesh_defs.refresh.walk import GROUP_TAG, REFRESH_TAG
from tests.refresh.stack import Stack, kill, wait_for


def finished(process: subprocess.Popen[str]) -> tuple[int, dict[str, dict[str, Any]], str]:
    """Exit code, outcomes by product, and what was said."""
    out, said = process.communicate(timeout=90)
    outcomes = json.loads(out) if out.strip() else []
    return process.returncode, {outcome["product"]: outcome for outcome in outcomes}, said


def states(outcomes: dict[str, dict[str, Any]]) -> dict[str, str]:
    return {name: outcome["state"] for name, outcome in outcomes.items()}


def runs_of(stack: Stack, refresh: str) -> tuple[Run, ...]:
    return stack.dagster.runs(tags={REFRESH_TAG: refresh})


def refresh_id(said: str) -> str:
    return said.partition("refresh ")[2].partition(":")[0]


@contextmanager
def held(stack: Stack) -> Iterator[Path]:
    """While it lasts, `people.waits` does not end."""
    hold = stack.settings.root / "hold"
    hold.touch()
    try:
        yield hold
    finally:
        hold.unlink(missing_ok=True)


def is_made(stack: Stack, refresh: str, product: str) -> Run | None:
    """The run of a refresh that is in the middle of a product's step."""
    found = (run for run in runs_of(stack, refresh) if product in run.products and run.status == "STARTED")
    return next((run for run in found if WORKER_TAG in run.tags), None)


def begun(stack: Stack, *arguments: str) -> tuple[subprocess.Popen[str], str]:
    """A refresh, once `people.waits` is being made by a run of its own, and its id."""
    before = {file.stem for file in (stack.settings.home / "refreshes").glob("*.json")}
    process = stack.mesh("refresh", "--json", *arguments)
    folder = stack.settings.home / "refreshes"
    wait_for(lambda: {file.stem for file in folder.glob("*.json")} - before)
    refresh = ({file.stem for file in folder.glob("*.json")} - before).pop()
    wait_for(lambda: is_made(stack, refresh, "people.waits"))
    return process, refresh


def test_makes_each_location_s_products_in_runs_of_its_own_and_in_order(stack: Stack) -> None:
    code, outcomes, said = finished(stack.mesh("refresh", "--json", "--select", "+shop.regions"))
    assert (code, states(outcomes)) == (0, {"people.persons": "published", "shop.regions": "published"}), said
    runs = runs_of(stack, refresh_id(said))
    assert [run.products for run in runs] == [("people.persons",), ("shop.regions",)]
    assert len({run.tags[GROUP_TAG] for run in runs}) == 2
    checked = stack.dagster.ask(
        """{ assetNodes(assetKeys: [{path: ["shop", "regions"]}]) {
             assetChecksOrError { ... on AssetChecks { checks { executionForLatestMaterialization { status } } } } } }"""
    )["assetNodes"][0]["assetChecksOrError"]["checks"]
    assert {check["executionForLatestMaterialization"]["status"] for check in checked} == {"SUCCEEDED"}


def test_a_location_that_does_not_load_fails_alone_and_is_named(stack: Stack) -> None:
    chosen = [word for name in ("broken", "shop.hurt", "people.persons") for word in ("--select", name)]
    code, outcomes, said = finished(stack.mesh("refresh", "--json", *chosen))
    expected = {"broken.thing": "failed", "shop.hurt": "stopped", "people.persons": "published"}
    assert (code, states(outcomes)) == (1, expected)
    assert "nothing_like_this" in outcomes["broken.thing"]["told"]
    assert "location broken does not load" in said


def test_a_product_s_failure_is_told_in_its_own_words_and_stops_nothing_else(stack: Stack) -> None:
    code, outcomes, _ = finished(
        stack.mesh("refresh", "--json", "--select", "people.fails", "--select", "people.persons")
    )
    assert (code, states(outcomes)) == (1, {"people.fails": "failed", "people.persons": "published"})
    assert "quarantined" in outcomes["people.fails"]["told"]


def test_a_refresh_that_is_killed_is_taken_up_without_launching_anything_twice(stack: Stack) -> None:
    with held(stack):
        process, refresh = begun(
            stack, "--select", "people.persons", "--select", "people.waits", "--select", "shop.after"
        )
        process.kill()
        process.wait()
        assert find_plan(stack.settings, None).id == refresh
        again = stack.mesh("refresh", "--json", "--resume")
        twice = stack.mesh("refresh", "--json", "--resume", refresh)
    for follower in (again, twice):
        code, outcomes, said = finished(follower)
        expected = {"people.persons": "published", "people.waits": "published", "shop.after": "published"}
        assert (code, states(outcomes)) == (0, expected), said
    products = [name for run in runs_of(stack, refresh) for name in run.products]
    assert sorted(products) == ["people.persons", "people.waits", "shop.after"]
    assert find_plan(stack.settings, refresh).ended_at is not None


def test_two_refreshes_at_once_make_a_product_once(stack: Stack) -> None:
    with held(stack):
        first, one = begun(stack, "--select", "people.waits")
        second = stack.mesh("refresh", "--json", "--select", "+shop.after")
        assert second.stderr
        line = ""
        while "is being made by run" not in line:
            line = second.stderr.readline()
            assert line, "the second refresh ended"
    assert finished(first)[0] == 0
    code, outcomes, _ = finished(second)
    assert (code, states(outcomes)) == (0, {"people.waits": "published", "shop.after": "published"})
    two = max(file.stem for file in (stack.settings.home / "refreshes").glob("*.json"))
    assert [run.products for run in runs_of(stack, one)] == [("people.waits",)]
    assert [run.products for run in runs_of(stack, two)] == [("shop.after",)]


def test_ctrl_c_launches_nothing_more_waits_for_what_runs_and_can_be_resumed(stack: Stack) -> None:
    with held(stack):
        process, refresh = begun(stack, "--select", "+shop.after")
        process.send_signal(signal.SIGINT)
        assert process.stderr
        while "nothing more is launched" not in (line := process.stderr.readline()):
            assert line
    code, outcomes, _ = finished(process)
    assert (code, states(outcomes)) == (1, {"people.waits": "published", "shop.after": "stopped"})
    code, outcomes, _ = finished(stack.mesh("refresh", "--json", "--resume"))
    assert (code, states(outcomes)) == (0, {"people.waits": "published", "shop.after": "published"})
    assert len(runs_of(stack, refresh)) == 2


def test_a_killed_worker_is_retried_by_dagster_and_the_refresh_waits_for_that(stack: Stack) -> None:
    with held(stack):
        process, refresh = begun(stack, "--select", "people.waits")
        run = is_made(stack, refresh, "people.waits")
        worker = parse_worker(run.tags[WORKER_TAG]) if run else None
        assert worker
        kill(worker.pid)
    code, outcomes, said = finished(process)
    assert (code, states(outcomes)) == (0, {"people.waits": "published"}), said
    wait_for(lambda: [run.status for run in runs_of(stack, refresh)] == ["FAILURE", "SUCCESS"])


def test_a_webserver_that_is_killed_is_waited_for(stack: Stack) -> None:
    with held(stack):
        process, refresh = begun(stack, "--select", "+shop.after")
        stack.stop("webserver")
        assert process.stderr
        while "waiting for it" not in (line := process.stderr.readline()):
            assert line
        stack.start("webserver")
    code, outcomes, said = finished(process)
    assert (code, states(outcomes)) == (0, {"people.waits": "published", "shop.after": "published"}), said
    assert len(runs_of(stack, refresh)) == 2


def test_operators_start_the_same_walk_from_the_platform_s_location(stack: Stack) -> None:
    selector = {
        "repositoryLocationName": "platform",
        "repositoryName": "__repository__",
        "pipelineName": "refresh_mesh",
    }
    config = {"ops": {"refresh_products": {"config": {"selections": ["people.persons", "people.fails"]}}}}
    told = stack.dagster.ask(
        "mutation ($p: ExecutionParams!) { launchRun(executionParams: $p) { ... on LaunchRunSuccess { run { runId } } } }",
        p={"selector": selector, "runConfigData": config},
    )
    walk = told["launchRun"]["run"]["runId"]
    wait_for(lambda: stack.dagster.runs(ids=[walk])[0].ended)
    assert [run.products for run in runs_of(stack, f"run-{walk}")] == [("people.fails", "people.persons")]
    events, _ = stack.dagster.events(walk, None)
    reasons = [event["failureMetadata"]["description"] for event in events if event.get("failureMetadata")]
    assert len(reasons) == 1
    assert "1 of 2 products were not made" in reasons[0]
    assert "people.fails failed: people.fails: the new version was quarantined" in reasons[0]


def test_a_location_that_was_mended_is_loaded_again(stack_without_daemon: Stack) -> None:
    file, dagster = stack_without_daemon.settings.root / "domains/people/definitions.py", stack_without_daemon.dagster
    sound = file.read_text()
    said: list[str] = []
    file.write_text("import nothing_like_this\n")
    assert "nothing_like_this" in str(dagster.reload("people").error)
    assert "nothing_like_this" in str(_loaded(dagster, {"people"}, said.append)["people"].error)
    file.write_text(sound)
    assert _loaded(dagster, {"people"}, said.append)["people"].error is None
    assert len(said) == 1


def test_a_location_that_dagster_does_not_know_is_named(stack_without_daemon: Stack) -> None:
    told = _loaded(stack_without_daemon.dagster, {"nowhere"}, lambda text: None)["nowhere"].error
    assert told == "Dagster's workspace has no such location"


def test_says_that_no_daemon_is_running_and_launches_nothing(stack_without_daemon: Stack) -> None:
    code, _, said = finished(stack_without_daemon.mesh("refresh"))
    assert code == 3
    assert "no daemon is running (it never ran), so that runs would stay queued" in said
    assert said.count("\n") == 1, "nothing was begun"


def test_a_daemon_that_goes_under_way_is_noticed_and_the_queued_run_is_taken_up(
    stack_without_daemon: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mesh_defs.refresh.launch._DAEMON_LOOK_SECONDS", 0.0)
    settings, mesh = stack_without_daemon.settings, open_mesh(stack_without_daemon.settings)
    plan = Plan(id="gone", products=("people.persons",), generation=1, started_at=datetime.now(UTC))
    store_plan(settings, plan)
    for _ in range(2):
        with pytest.raises(UnreachableError, match=r"runs stay queued — .*`mesh refresh --resume gone`"):
            resume_refresh(settings, mesh, "gone")
    assert [run.status for run in runs_of(stack_without_daemon, "gone")] == ["QUEUED"]
    store_plan(settings, plan.model_copy(update={"ended_at": datetime.now(UTC)}))


def test_a_plan_that_cannot_be_read_is_named(stack_without_daemon: Stack) -> None:
    settings = stack_without_daemon.settings
    torn = settings.home / "refreshes" / "torn.json"
    torn.parent.mkdir(exist_ok=True)
    torn.write_text('{"format": 2}')
    with pytest.raises(StorageError, match=r"torn\.json"):
        find_plan(settings, "torn")
    torn.unlink()


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("--resume", "nothing"), 1, "there is no refresh 'nothing'"),
        (("--resume",), 1, "no refresh is unfinished"),
        (("--resume", "x", "--select", "people"), 2, "leave out the other options"),
        (("--select", "peple"), 1, "did you mean 'people'"),
    ],
)
def test_a_wrong_call_says_what_is_right(
    stack_without_daemon: Stack, arguments: tuple[str, ...], code: int, told: str
) -> None:
    exit_code, _, said = finished(stack_without_daemon.mesh("refresh", *arguments))
    assert (exit_code, told in said) == (code, True), said


def test_each_partition_is_a_run_of_its_own_and_one_that_fails_harms_no_other(stack: Stack) -> None:
    code, outcomes, said = finished(
        stack.mesh("refresh", "--json", "--select", "people.days", "--partitions", "2026-11-02..2026-11-03")
    )
    assert (code, states(outcomes)) == (1, {"people.days": "failed"})
    assert outcomes["people.days"]["told"].startswith("1 of 2 partitions — 2026-11-03: people.days: the new version of")
    assert {run.tags["dagster/partition"] for run in runs_of(stack, refresh_id(said))} == {"2026-11-02", "2026-11-03"}
    version = open_storage(open_mesh(stack.settings).products["people.days"], stack.settings).current()
    assert version is not None
    assert {part.partition for part in version.parts} == {"2026-11-02"}
