"""A run's process is ready before its run, serves one, and leaves nothing."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from mesh_defs.cleanroom.runners import Runners


@pytest.fixture
def runners() -> Iterator[Runners]:
    made = Runners()
    yield made
    made.close()


def children() -> set[int]:
    """Of this process, such as are runs', or wait for one."""
    found = set()
    for each in psutil.Process().children():
        with suppress(psutil.Error):  # it ends while we look
            if "mesh_defs.cleanroom.joiner" in each.cmdline() and each.status() != psutil.STATUS_ZOMBIE:
                found.add(each.pid)
    return found


def started(*, without: int) -> int:
    """The process that is started ahead, once it is there."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        if found := children() - {without}:
            return found.pop()
        time.sleep(0.01)
    raise AssertionError("none is started ahead")


def folder_of(pid: int) -> Path:
    return Path(psutil.Process(pid).cwd())


def test_each_serves_one_run_and_the_next_is_started_when_it_is_over(runners: Runners) -> None:
    with runners.one() as first:
        folder = folder_of(first.pid)
        assert first.poll() is None and not list(folder.iterdir())
    assert first.poll() is not None and not folder.exists()
    with runners.one() as second:
        assert second.pid != first.pid


def test_one_that_waits_is_the_one_that_serves(runners: Runners) -> None:
    before = children()
    runners.start_ahead()
    runners.start_ahead()
    with runners.one() as process:
        assert children() - before == {process.pid}


def test_one_that_died_while_it_waited_is_replaced(runners: Runners) -> None:
    runners.start_ahead()
    with runners.one() as process:
        first = process.pid
    waiting = started(without=first)
    os.kill(waiting, 9)
    while waiting in children():
        time.sleep(0.01)
    with runners.one() as process:
        assert process.pid != waiting and process.poll() is None


def test_it_outlives_the_thread_that_asked_for_it(runners: Runners) -> None:
    """The kernel ends a process with the thread that started it (prctl(2), PR_SET_PDEATHSIG)."""

    def ask() -> None:
        runners.start_ahead()
        waiting.append(started(without=0))
        time.sleep(3)  # until it has asked the kernel for that

    waiting: list[int] = []
    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    time.sleep(0.2)
    with runners.one() as process:
        assert [process.pid] == waiting, "not another one in its place"
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write("{}\n")  # it fails at what it is told, and would not have come to it
        process.stdin.flush()
        assert process.wait(30) == 1


def test_one_that_could_not_be_started_is_tried_again(runners: Runners, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as broken:
        broken.setattr("sys.executable", "/nowhere/python")
        runners.start_ahead()
        with pytest.raises(OSError), runners.one():
            pass
    with runners.one() as process:
        assert process.poll() is None


def test_none_is_left(runners: Runners) -> None:
    before = children()
    runners.start_ahead()
    runners.close()
    assert children() <= before
