"""Programs are kept running, and none outlives who keeps them: real processes, killed in every way."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mesh_defs.processes.programs import Program
from mesh_defs.processes.supervisor import Supervisor

# Leads a family: a child that ignores polite requests, like a run worker in a long call.
FAMILY = """
import subprocess, sys, time
deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
child = subprocess.Popen([sys.executable, "-c", deaf])
print(child.pid, flush=True)
time.sleep(600)
"""
KEEPER = """
import sys, time
from pathlib import Path
from mesh_defs.processes.supervisor import Supervisor
from mesh_defs.processes.programs import Program
folder = Path(sys.argv[1])
keeper = Supervisor(logs=folder, say=lambda text: None, polite_seconds=0.5)
command = (sys.executable, "-c", (folder / "family.py").read_text())
keeper.keep([Program(name=name, command=command, environment={}, folder=folder) for name in ("one", "two")])
print("ready", flush=True)
while True:
    keeper.tend()
    time.sleep(0.05)
"""


def program(folder: Path, code: str, name: str = "one", **environment: str) -> Program:
    return Program(name=name, command=(sys.executable, "-c", code), environment=environment, folder=folder)


def until(true: Callable[[], object], *, tend: Supervisor | None = None) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline, "it never came true"
        if tend:
            tend.tend()
        time.sleep(0.05)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def supervisor(tmp_path: Path, said: list[str]) -> Iterator[Supervisor]:
    keeper = Supervisor(logs=tmp_path / "logs", say=said.append, polite_seconds=0.5)
    yield keeper
    keeper.close()


def numbers(file: Path) -> list[int]:
    return [int(line) for line in file.read_text().split()] if file.exists() else []


def test_a_program_that_ends_is_started_again_and_named(
    tmp_path: Path, supervisor: Supervisor, said: list[str]
) -> None:
    supervisor.keep([program(tmp_path, "import os; print(os.getpid(), flush=True); raise SystemExit(3)")])
    until(lambda: len(numbers(tmp_path / "logs/one.log")) >= 2, tend=supervisor)
    assert said[0].startswith("one: ended with code 3; starting again in 1 s; its output: ")
    until(lambda: len(said) >= 2, tend=supervisor)
    assert "in 2 s" in said[1]


def test_a_killed_program_is_told_by_its_signal(tmp_path: Path, supervisor: Supervisor, said: list[str]) -> None:
    supervisor.keep([program(tmp_path, FAMILY)])
    until(lambda: numbers(tmp_path / "logs/one.log"))
    (family,) = supervisor._groups
    os.kill(family, signal.SIGKILL)
    until(lambda: said, tend=supervisor)
    assert said[0].startswith("one: ended by signal 9;")


def test_one_that_cannot_be_started_harms_no_other(tmp_path: Path, supervisor: Supervisor, said: list[str]) -> None:
    missing = Program(name="gone", command=(str(tmp_path / "python"),), environment={}, folder=tmp_path)
    supervisor.keep([missing, program(tmp_path, "print(7, flush=True); import time; time.sleep(600)")])
    until(lambda: numbers(tmp_path / "logs/one.log") == [7], tend=supervisor)
    assert said[0].startswith("gone: cannot be started: No such file or directory")


def test_a_changed_environment_starts_that_one_again_and_no_other(tmp_path: Path, supervisor: Supervisor) -> None:
    code = "import os, time; print(os.environ['N'], flush=True); time.sleep(600)"
    programs = [program(tmp_path, code, name, N="1") for name in ("one", "two")]
    supervisor.keep(programs)
    until(lambda: numbers(tmp_path / "logs/one.log") == numbers(tmp_path / "logs/two.log") == [1])
    supervisor.keep([program(tmp_path, code, "one", N="2"), programs[1]])
    until(lambda: numbers(tmp_path / "logs/one.log") == [1, 2], tend=supervisor)
    assert numbers(tmp_path / "logs/two.log") == [1]


def test_a_program_has_its_own_environment_and_nothing_of_ours(
    tmp_path: Path, supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OURS", "secret")
    code = "import os; print(int('OURS' in os.environ), flush=True); import time; time.sleep(600)"
    supervisor.keep([program(tmp_path, code)])
    until(lambda: numbers(tmp_path / "logs/one.log") == [0])
    assert supervisor._guard
    assert b"OURS" not in Path(f"/proc/{supervisor._guard.pid}/environ").read_bytes()


def test_close_ends_programs_and_children_that_will_not_listen(tmp_path: Path, said: list[str]) -> None:
    supervisor = Supervisor(logs=tmp_path / "logs", say=said.append, polite_seconds=0.5)
    supervisor.keep([program(tmp_path, FAMILY)])
    until(lambda: numbers(tmp_path / "logs/one.log"))
    (child,) = numbers(tmp_path / "logs/one.log")
    assert alive(child)
    supervisor.close()
    assert not alive(child)


@pytest.mark.parametrize("kill_guard_first", [False, True])
def test_whatever_kills_the_supervisor_no_process_outlives_it(tmp_path: Path, kill_guard_first: bool) -> None:
    (tmp_path / "family.py").write_text(FAMILY)
    keeper = subprocess.Popen([sys.executable, "-c", KEEPER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert keeper.stdout and keeper.stdout.readline() == "ready\n"
    until(lambda: numbers(tmp_path / "one.log") and numbers(tmp_path / "two.log"))
    children = [*numbers(tmp_path / "one.log"), *numbers(tmp_path / "two.log")]
    if kill_guard_first:
        (guard,) = guards(keeper.pid)
        os.kill(guard, signal.SIGKILL)
        until(lambda: guards(keeper.pid) not in ([], [guard]))
    family = [*children_of(keeper.pid), *children]
    keeper.kill()
    keeper.wait()
    until(lambda: not any(map(alive, family)))


def children_of(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def guards(pid: int) -> list[int]:
    return [each for each in children_of(pid) if b"processes.guard" in Path(f"/proc/{each}/cmdline").read_bytes()]


def test_a_log_that_grew_too_long_is_set_aside(
    tmp_path: Path, supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mesh_defs.processes.supervisor.LOG_BYTES_MAX", 3)
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs/one.log").write_text("1234\n")
    supervisor.keep([program(tmp_path, "print(5, flush=True); import time; time.sleep(600)")])
    until(lambda: numbers(tmp_path / "logs/one.log") == [5])
    assert (tmp_path / "logs/one.log.1").read_text() == "1234\n"
