"""Kills what runs the mesh, under a `mesh refresh` across locations: worker, code server, daemon, webserver. All that
`mesh up` keeps running is its own; what a person waits for is the refresh, and it must end well."""

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial

import psutil  # type: ignore[import-untyped]

from drills.drill import Drill, Task, require, times, until
from drills.ground import KINDS
from drills.mesh import DrillMesh, finished, left_after_sweep, make_drill_mesh
from drills.stops import TOLD, Stop
from drills.watch import watching
from tests.processes.machine import Machine, running
from tests.refresh.stack import INSTANCE, PLATFORM

PRODUCTS = tuple(f"people.on_{kind}" for kind in KINDS)
ALL = ("--select", "people", "--select", "shop")


def drills() -> list[Drill]:
    """Each on a mesh with a product on every storage, and one downstream in another location."""
    told: dict[str, tuple[str, Callable[[Task], str]]] = {
        "run-worker": ("kill -9 of Dagster's run worker at each point, then its retry", _workers),
        "code-server": ("kill -9 of the code server during `mesh refresh`", partial(_server, "code-server")),
        "daemon": ("kill -9 of the daemon during `mesh refresh`", partial(_server, "dagster._daemon")),
        "webserver": ("kill -9 of the webserver during `mesh refresh`", partial(_server, "dagster_webserver")),
        "both": ("kill -9 of a code server together with its run worker", _both),
        "two-walks": ("two `mesh refresh` at once across locations", _two),
    }
    return [Drill(name=name, part="dagster", told=words, run=run) for name, (words, run) in told.items()]


def _workers(task: Task) -> str:
    mesh, machine = _machine(task)
    with watching(root=mesh.root, products=PRODUCTS) as seen:
        for _ in range(task.rounds):
            for point in TOLD:
                now = mesh.next_generation()
                mesh.order(Stop(point=point, number=task.chance.randrange(10)))
                _require_well(mesh, _refresh(mesh, machine), now)
                require(not (mesh.root / "stop.json").exists(), "nobody was killed")
    _require_tidy(mesh)
    return f"{times(task.rounds * len(TOLD))}, {seen.reads} reads through the door"


def _server(program: str, task: Task) -> str:
    mesh, machine = _machine(task)
    with watching(root=mesh.root, products=PRODUCTS) as seen:
        for _ in range(task.rounds):
            now = mesh.next_generation()
            with _held(mesh):
                refresh = _refresh(mesh, machine)
                _wait_for_step(mesh, refresh)
                victims = _processes(machine, program, "people" if program == "code-server" else "")
                require(victims, f"no {program} is running")
                for pid in victims:
                    os.kill(pid, signal.SIGKILL)
            _require_well(mesh, refresh, now)
            _require_back(machine)
    _require_tidy(mesh)
    return f"{times(task.rounds)}, {seen.reads} reads through the door"


def _both(task: Task) -> str:
    """Nobody is left who could tell Dagster: the reaper ends the run, and Dagster makes it again."""
    mesh, machine = _machine(task)
    with watching(root=mesh.root, products=PRODUCTS) as seen:
        now = mesh.next_generation()
        with _held(mesh):
            refresh = _refresh(mesh, machine)
            _wait_for_step(mesh, refresh)
            [server, *_] = _processes(machine, "code-server", "people")
            family, worker = _family(server), int((mesh.root / "began").read_text())
            require(worker in family, "the run's worker is no child of its code server")
            for pid in family:
                os.kill(pid, signal.SIGKILL)
        _require_well(mesh, refresh, now, seconds_max=420)
        _require_back(machine)
    _require_tidy(mesh)
    return f"{times(1)}, {seen.reads} reads through the door"


def _two(task: Task) -> str:
    mesh, machine = _machine(task)
    with watching(root=mesh.root, products=PRODUCTS) as seen:
        for _ in range(task.rounds):
            before = [len(mesh.place(name).storage().versions()) for name in PRODUCTS]
            now = mesh.next_generation()
            with _held(mesh):
                first = _refresh(mesh, machine)
                _wait_for_step(mesh, first)
                second = _refresh(mesh, machine)
                waiting = second.stderr and any("is being made by run" in line for line in second.stderr)
                require(waiting, "the second refresh does not say that it waits")
            for each in (first, second):
                _require_well(mesh, each, now)
            after = [len(mesh.place(name).storage().versions()) for name in PRODUCTS]
            require([n + 1 for n in before] == after, f"not made once: {before} versions, then {after}")
    _require_tidy(mesh)
    return f"{times(task.rounds)}, {seen.reads} reads through the door"


def _machine(task: Task) -> tuple[DrillMesh, Machine]:
    """One `mesh up` for all of them."""

    def start() -> tuple[DrillMesh, Machine]:
        mesh = make_drill_mesh(task.ground, "machine", more=PLATFORM)
        (mesh.settings.dagster_home / "dagster.yaml").write_text(INSTANCE)
        return mesh, task.ground.exits.enter_context(running(mesh.settings))

    return task.ground.once("machine", start)


def _refresh(mesh: DrillMesh, machine: Machine) -> "subprocess.Popen[str]":
    (mesh.root / "began").unlink(missing_ok=True)
    return mesh.start("refresh", "--json", *ALL, MESH_DAGSTER_URL=machine.url)


@contextmanager
def _held(mesh: DrillMesh) -> Iterator[None]:
    """While it lasts, every product's step stands still."""
    hold = mesh.root / "hold"
    hold.touch()
    try:
        yield
    finally:
        hold.unlink()


def _wait_for_step(mesh: DrillMesh, refresh: "subprocess.Popen[str]") -> None:
    def began() -> bool:
        require(refresh.poll() is None, "the refresh ended before it made anything")
        return (mesh.root / "began").exists()

    until(began, "a product's step to begin")


def _require_well(
    mesh: DrillMesh, refresh: "subprocess.Popen[str]", now: int, *, seconds_max: float | None = None
) -> None:
    """The refresh ends well, and everything it acknowledged is read."""
    code, out, error = finished(refresh, seconds_max=seconds_max)
    outcomes = json.loads(out or "[]")
    told = "; ".join(f"{each['product']} {each['state']}: {each['told']}" for each in outcomes) or error[-400:]
    require(code == 0 and len(outcomes) == len(PRODUCTS) + 1, f"the refresh does not end well: {told}")
    for product in PRODUCTS:
        require(mesh.seen(product)[0] == now, f"{product} was acknowledged and is not read")


def _require_back(machine: Machine) -> None:
    """What was killed serves again."""

    def serves() -> bool:
        try:
            return not any("Error" in told for told in machine.locations().values())
        except OSError:
            return False

    until(serves, "everything to serve again")


def _require_tidy(mesh: DrillMesh) -> None:
    for product in PRODUCTS:
        left = left_after_sweep(mesh.place(product))
        require(not left, f"{len(left)} orphans of {product} outlive the sweep, the first: {left[:1]}")


def _processes(machine: Machine, program: str, location: str) -> list[int]:
    """The processes of one program that `mesh up` keeps, but not what they run: a worker is multiprocessing's."""
    serving = [pid for pid in _family(machine.process.pid) if program in _command(pid)]
    of_it = [pid for pid in serving if not location or location in _command(pid)]
    inner = [each for pid in of_it for each in _family(pid) if {"api", "grpc"} <= set(_command(each))]
    return sorted({*of_it, *inner})


def _family(pid: int) -> list[int]:
    """A process and all that descends from it, whichever thread started it."""
    with suppress(psutil.NoSuchProcess):
        return [pid, *(each.pid for each in psutil.Process(pid).children(recursive=True))]
    return []


def _command(pid: int) -> list[str]:
    with suppress(psutil.NoSuchProcess):
        return list(psutil.Process(pid).cmdline())
    return []
