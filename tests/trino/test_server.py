"""The Trino of the tests: two nodes share the work, and neither outlives who holds it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mesh_defs.errors import UnreachableError
from mesh_defs.trino.server import Machine, running
from tests.trino_server import FILES, Trino

HOLDER = """
import sys
from pathlib import Path
from mesh_defs.trino.server import Machine, running
folder, server, java = map(Path, sys.argv[1:])
with running(folder, Machine(server=server, java=java, state=folder / "state"), {}):
    print("ready", flush=True)
    sys.stdin.read()
"""


def test_a_worker_does_the_work_and_the_coordinator_none(trino: Trino) -> None:
    nodes = trino.rows("SELECT node_id, coordinator, state FROM system.runtime.nodes ORDER BY 1")
    assert nodes == [["coordinator", True, "active"], ["worker", False, "active"]]
    with trino.catalog({"connector.name": "tpch"}) as tpch:
        assert trino.rows(f"SELECT count(*) FROM {tpch}.tiny.lineitem") == [[60175]]
        done = trino.rows("SELECT node_id FROM system.runtime.tasks WHERE processed_input_rows = 60175")
    assert done == [["worker"]]


def test_a_node_that_does_not_start_is_named_with_the_reason(trino_machine: Machine, tmp_path: Path) -> None:
    etc = _etc(tmp_path)
    (etc / "worker.properties").write_text("coordinator=false\nno.such.setting=1\n")
    with (
        pytest.raises(UnreachableError, match=r"trino-worker did not start: .*'no\.such\.setting' was not used"),
        running(tmp_path, trino_machine, {}),
    ):
        pass


def test_no_node_outlives_a_holder_that_is_killed(trino_machine: Machine, tmp_path: Path) -> None:
    _etc(tmp_path)
    places = [str(each) for each in (tmp_path, trino_machine.server, trino_machine.java)]
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, *places], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout and holder.stdout.readline() == "ready\n"
    assert len(_nodes(tmp_path)) == 2
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    deadline = time.monotonic() + 30
    while _nodes(tmp_path):
        assert time.monotonic() < deadline, "a node lives on"
        time.sleep(0.1)


def _etc(folder: Path) -> Path:
    etc = folder / "etc"
    etc.mkdir()
    for name, text in FILES.items():
        (etc / name).write_text(text)
    return etc


def _nodes(folder: Path) -> list[int]:
    """Processes whose data lies below the folder."""
    told = [(each, each / "cmdline") for each in Path("/proc").iterdir() if each.name.isdigit()]
    return [int(each.name) for each, line in told if f"data-dir={folder}".encode() in _read(line)]


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        return b""
