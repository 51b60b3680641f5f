"""Runs whose worker died unseen are ended, healthy ones never; what was published and not told is recorded."""

import os
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import psutil
import pytest

from mesh_defs.authoring.worker import WORKER_TAG, Worker, mark_worker, parse_worker, started, this_host
from mesh_defs.query.mesh import open_mesh, open_storage
from mesh_defs.refresh.instance import open_instance
from mesh_defs.refresh.jobs import reaper
from mesh_defs.refresh.reaper import Started, reap, why_dead
from mesh_defs.refresh.unrecorded import record_publications
from mesh_defs.settings import Settings
from tests.meshes import refresh, settings_of, two_domains
from tests.refresh.stack import Stack, kill, wait_for
from tests.refresh.test_launch import begun, held, is_made

HERE = "host/boot/pid:[1]"
WORKER = Worker(host=HERE, pid=7, started=1000)


def judged(worker: Worker | None, *, silent: float, now_started: int | None) -> str | None:
    return why_dead(Started(worker=worker, silent_seconds=silent), host=HERE, started=lambda pid: now_started)


def test_a_worker_that_lives_is_never_dead_however_long_it_is_silent() -> None:
    assert judged(WORKER, silent=1e9, now_started=1000) is None


def test_a_worker_that_is_gone_is_dead_after_a_grace() -> None:
    assert judged(WORKER, silent=5, now_started=None) is None
    assert "process 7, is gone" in str(judged(WORKER, silent=60, now_started=None))


def test_a_pid_that_was_given_to_another_process_is_not_the_worker() -> None:
    assert "is gone" in str(judged(WORKER, silent=60, now_started=1001))


@pytest.mark.parametrize("host", ["other/boot/pid:[1]", "host/rebooted/pid:[1]", "host/boot/pid:[2]"])
def test_a_worker_that_cannot_be_seen_from_here_is_judged_by_its_silence_alone(host: str) -> None:
    worker = Worker(host=host, pid=7, started=1000)
    assert judged(worker, silent=3600, now_started=None) is None
    assert "cannot be seen from here" in str(judged(worker, silent=7 * 3600, now_started=None))


def test_a_clock_that_jumps_back_ends_nothing() -> None:
    assert judged(WORKER, silent=-3600, now_started=None) is None
    assert judged(None, silent=-3600, now_started=None) is None


def test_a_worker_s_tag_reads_back_and_a_stranger_s_is_passed_over() -> None:
    assert parse_worker(WORKER.dump()) == WORKER
    assert [parse_worker(text) for text in (None, "", "[]", "7", '{"pid": 1}')] == [None] * 5


def test_a_process_and_its_corpse_are_told_apart() -> None:
    child = subprocess.Popen(["sleep", "60"])
    assert started(child.pid) is not None
    child.kill()
    wait_for(lambda: psutil.Process(child.pid).status() == psutil.STATUS_ZOMBIE)
    assert started(child.pid) is None
    child.wait()
    assert started(child.pid) is None


def test_a_step_s_process_is_not_taken_for_the_run_s(tmp_path: Path) -> None:
    """With a multiprocess executor the step that marks the run ends long before the run does."""
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        run = a_started_run(instance, pid=os.getpid())
        child = Worker(host=str(this_host()), pid=os.getpid() + 1, started=1)
        instance.add_run_tags(run.run_id, {WORKER_TAG: child.dump()})
        assert reap(instance, now=datetime.now(UTC) + timedelta(hours=1)) == ()


def test_a_run_is_ended_once_and_its_reason_is_in_its_log(tmp_path: Path) -> None:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        run = a_started_run(instance, pid=123)
        gone = Worker(host=str(this_host()), pid=123, started=1)
        instance.add_run_tags(run.run_id, {WORKER_TAG: gone.dump()})
        healthy = a_started_run(instance, pid=os.getpid())
        mark_worker(instance, healthy.run_id)
        later = datetime.now(UTC) + timedelta(hours=1)
        assert len(reap(instance, now=later)) == 1
        assert reap(instance, now=later) == ()
        ended, running = instance.get_run_by_id(run.run_id), instance.get_run_by_id(healthy.run_id)
        assert ended and ended.status == dg.DagsterRunStatus.FAILURE
        assert running and running.status == dg.DagsterRunStatus.STARTED
        assert any("Ended by the mesh's reaper" in entry.message for entry in instance.all_logs(run.run_id))


def test_the_reaper_is_a_sensor_that_says_what_it_did(tmp_path: Path) -> None:
    with (
        dg.DagsterInstance.local_temp(str(tmp_path)) as instance,
        dg.build_sensor_context(instance=instance) as context,
    ):
        told = reaper(context)
        assert isinstance(told, dg.SkipReason)
        assert told.skip_message == "no run is dead"


def a_started_run(instance: dg.DagsterInstance, *, pid: int) -> dg.DagsterRun:
    @dg.op
    def nothing() -> None: ...

    @dg.job
    def job() -> None:
        nothing()

    run = instance.create_run_for_job(job)
    from dagster._core.events import DagsterEvent, DagsterEventType, EngineEventData

    instance.report_engine_event("Started process for run", run, EngineEventData.in_process(pid))
    event = DagsterEvent(event_type_value=DagsterEventType.RUN_START.value, job_name="job", message="started")
    instance.report_dagster_event(event, run_id=run.run_id)
    return run


def test_a_publication_whose_run_died_before_its_event_is_recorded_once(tmp_path: Path) -> None:
    settings = settings_of(tmp_path / "mesh", two_domains())
    refresh(settings)
    mesh = open_mesh(settings)
    later = datetime.now(UTC) + timedelta(hours=1)
    with open_instance(settings) as instance:
        assert record_publications(instance, settings, mesh, now=later) == ()
        version = flip_without_an_event(settings)
        assert record_publications(instance, settings, mesh, now=datetime.now(UTC)) == (), "it may still be told"
        (told,) = record_publications(instance, settings, mesh, now=later)
        assert f"people.persons: version {version} is published" in told
        event = instance.get_latest_materialization_event(dg.AssetKey(["people", "persons"]))
        assert event and event.asset_materialization
        assert event.asset_materialization.metadata["mesh/version"].value == version
        assert record_publications(instance, settings, mesh, now=later) == ()


def flip_without_an_event(settings: Settings) -> str:
    import duckdb

    storage = open_storage(open_mesh(settings).products["people.persons"], settings, write=True)
    current = storage.current()
    assert current
    with duckdb.connect() as connection:
        candidate = storage.stage(connection, "SELECT 1::BIGINT AS person_id, 'x' AS region")
    return storage.publish(candidate, stamp=dict(current.stamp)).id


def test_a_silent_step_goes_on_and_a_run_is_ended_when_worker_and_code_server_were_killed(stack: Stack) -> None:
    with held(stack):
        process, refresh = begun(stack, "--select", "people.waits")
        process.kill()
        run = is_made(stack, refresh, "people.waits")
        worker = parse_worker(run.tags[WORKER_TAG]) if run else None
        assert run and worker
        with open_instance(stack.settings) as instance:
            tomorrow = datetime.now(UTC) + timedelta(days=1)
            assert reap(instance, now=tomorrow) == ()
            server = psutil.Process(worker.pid).ppid()
            kill(server)
            kill(worker.pid)
            wait_for(lambda: started(worker.pid) is None)
            assert [told.partition(":")[0] for told in reap(instance, now=tomorrow)] == [f"run {run.id}"]
            ended = instance.get_run_by_id(run.id)
            assert ended and ended.status == dg.DagsterRunStatus.FAILURE
