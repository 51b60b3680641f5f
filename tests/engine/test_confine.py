"""What the kernel keeps from a worker that does what it wants: everything but its own files."""

import json
import os
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mesh_defs.engine.confine import landlock
from mesh_defs.engine.duckdb import DuckDBEngine
from mesh_defs.engine.setup import Limits, Setup, to_json
from mesh_defs.model.place import Access
from mesh_defs.model.version import Pin
from tests.engine.questions import a_pin, rows, zygotes
from tests.storage.sources import postgres_says

needs_landlock = pytest.mark.skipif(landlock() < 6, reason=f"the kernel's Landlock is of version {landlock()}, not 6")


def attempts(folder: Path, pin: Pin, *tried: str, access: Access | None = None, **more: Any) -> dict[str, str]:
    limits = Limits(seconds_max=60, memory_bytes_max=10**9, spill_bytes_max=10**6, threads=2)
    told = {"drivers": {}, **more}
    setup = Setup(pins=(pin,), accesses=(access or Access(root=folder),), limits=limits, **told)
    (folder / "setup.json").write_bytes(to_json(setup))
    (folder / "spill").mkdir(exist_ok=True)
    command = [sys.executable, "-m", "tests.engine.attacker", str(folder / "setup.json"), str(folder / "spill"), *tried]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    outcomes: dict[str, str] = json.loads(done.stdout)
    return outcomes


@needs_landlock
@pytest.mark.parametrize("kind", ["parquet", "duckdb"])
def test_reads_its_own_files_and_no_others(tmp_path: Path, kind: str) -> None:
    pin, other = a_pin(tmp_path, kind=kind), a_pin(tmp_path, product="x.other", kind=kind)
    own = pin.locations[0]
    (tmp_path / "secrets.env").write_text("MESH_X_POSTGRES=…")
    denied = (
        *(f"read:{other.locations[0]}", f"read:{tmp_path}/secrets.env", "read:/etc/passwd", "read:/etc/hostname"),
        *("read:/proc/self/environ", "read:/proc/self/mem", "read:/proc/self/maps", "read:/proc/1/environ"),
        *(f"read:/proc/{os.getpid()}/environ", f"list:{tmp_path}", "list:/", "list:/proc", "list:/proc/self/fd"),
        *(f"read:{Path.home()}/.bashrc" if (Path.home() / ".bashrc").exists() else "read:/etc/shadow",),
    )
    outcomes = attempts(tmp_path, pin, f"read:{own}", *denied)
    assert outcomes == {f"read:{own}": "done", **dict.fromkeys(denied, "PermissionError")}


@needs_landlock
def test_writes_nowhere_but_into_its_own_spill_folder(tmp_path: Path, people: Pin) -> None:
    own, (inside, beside) = people.locations[0], (tmp_path / "spill" / "a", tmp_path / "b")
    before = Path(own).read_bytes()
    denied = (
        *(f"write:{own}", f"append:{own}", f"truncate:{own}", f"remove:{own}", f"rename:{own}"),
        *(
            f"write:{beside}",
            f"make_folder:{beside}",
            f"link:{beside}",
            "write:/tmp/of-an-attacker",
            "write:/dev/shm/a",
        ),
    )
    outcomes = attempts(tmp_path, people, f"write:{inside}", *denied)
    assert outcomes == {f"write:{inside}": "done", **dict.fromkeys(denied, "PermissionError")}
    assert Path(own).read_bytes() == before


@needs_landlock
def test_a_link_that_it_makes_in_its_spill_folder_leads_nowhere(tmp_path: Path, people: Pin) -> None:
    link = tmp_path / "spill" / "passwd"
    assert attempts(tmp_path, people, f"link:{link}", f"read:{link}")[f"read:{link}"] == "PermissionError"


@needs_landlock
def test_reaches_no_network_and_no_other_process(tmp_path: Path, people: Pin) -> None:
    name = f"of-a-test-{os.getpid()}"
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as abstract:
        abstract.bind(f"\0{name}")
        abstract.listen()
        denied = (f"connect:{server.getsockname()[1]}", "listen:", f"abstract:{name}", f"signal:{os.getpid()}")
        denied += (f"trace:{os.getpid()}", f"trace:{os.getppid()}", "run:/bin/true", f"run:{sys.executable}")
        assert attempts(tmp_path, people, *denied) == dict.fromkeys(denied, "PermissionError")


@needs_landlock
def test_a_store_in_the_network_is_reached_and_files_are_still_not(tmp_path: Path, postgres: str) -> None:
    postgres_says(postgres, "CREATE SCHEMA x", "CREATE TABLE x.people AS SELECT 1::bigint AS id")
    access = Access(root=tmp_path, postgres=postgres, variable="MESH_X")
    pin = replace(a_pin(tmp_path), kind="postgres", locations=("x.people",), columns={"id": "BIGINT"})
    with socket.create_server(("127.0.0.1", 0)) as server:
        done = (f"connect:{server.getsockname()[1]}", "environment:PGAPPNAME")
        denied = ("read:/etc/shadow", f"list:{tmp_path}", f"write:{tmp_path}/a", "read:/proc/self/environ")
        denied += (f"read:{tmp_path}/x.people-1.parquet", "run:/bin/true")
        outcomes = attempts(tmp_path, pin, *done, *denied, access=access, drivers={"PGAPPNAME": "x"})
    assert outcomes == {**dict.fromkeys(done, "done"), **dict.fromkeys(denied, "PermissionError")}


def test_takes_no_more_memory_and_disk_than_it_may(tmp_path: Path, people: Pin) -> None:
    outcomes = attempts(tmp_path, people, f"allocate:{10**10}", f"allocate:{2 * 10**9}", f"allocate:{10**8}", "core:")
    assert list(outcomes.values()) == ["MemoryError", "MemoryError", "done", "ValueError"]


def test_what_workers_are_forked_from_has_one_thread(engine: DuckDBEngine, people: Pin) -> None:
    """A thread that ran before would keep its rights, and locks that it holds at the fork would never open again."""
    rows(engine, "SELECT 1 AS a", people)
    assert [zygote.num_threads() for zygote in zygotes()] == [1] * len(zygotes()) != []
