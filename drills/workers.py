"""Kills whoever makes a product, at named points of write, audit, publish; and lets two make the same at once."""

from functools import partial

from drills.drill import Drill, Task, require, times
from drills.ground import KINDS, StorageKind
from drills.mesh import DrillMesh, finished, left_after_sweep, make_drill_mesh
from drills.stops import TOLD, Point, Stop
from drills.watch import watching

POINTS = tuple(TOLD)
_WRITES_MAX = 14


def drills() -> list[Drill]:
    """Every point on every kind of storage, by a real `mesh refresh --in-process`."""
    killed = [
        Drill(
            name=f"worker-{point}",
            part=kind,
            told=f"kill -9 of the worker {TOLD[point]}",
            run=partial(_kill, kind=kind, point=point),
        )
        for kind in KINDS
        for point in POINTS
    ]
    both = [
        Drill(name="two-refreshes", part=kind, told="two refreshes of a product at once", run=partial(_two, kind=kind))
        for kind in KINDS
    ]
    return [*killed, *both]


def _kill(task: Task, *, kind: StorageKind, point: Point) -> str:
    mesh, product = shared_mesh(task), f"people.on_{kind}"
    with watching(root=mesh.root, products=[product]) as seen:
        for _ in range(task.rounds):
            before, now = mesh.seen(product)[0], mesh.next_generation()
            number = task.chance.randrange(_WRITES_MAX if point == "write" else 5_000)
            mesh.order(Stop(point=point, number=number))
            code, _, error = mesh.mesh("refresh", "--in-process", "--select", product)
            require(code == -9, f"the worker was not killed but ended with {code}: {error[-300:]}")
            _require_whole(mesh, product, before, now, point)
            mesh.refresh(product)
            require(mesh.seen(product)[0] == now, "the retry was acknowledged and is not read")
    _require_tidy(mesh, product)
    return f"{times(task.rounds)}, {seen.reads} reads through the door"


def _require_whole(mesh: DrillMesh, product: str, before: int, now: int, point: Point) -> None:
    """A death before the flip leaves what was; one after it what is new; one in the flip either, whole."""
    expected = {"write": {before, now}, "told": {now}}.get(point, {before})
    read = mesh.seen(product)[0]
    require(read in expected, f"generation {read} is read after the kill instead of {sorted(expected)}")


def _require_tidy(mesh: DrillMesh, product: str) -> None:
    left = left_after_sweep(mesh.place(product))
    require(not left, f"{len(left)} orphans outlive the sweep, the first: {left[:1]}")


def _two(task: Task, *, kind: StorageKind) -> str:
    mesh, product = shared_mesh(task), f"people.on_{kind}"
    with watching(root=mesh.root, products=[product]) as seen:
        for _ in range(task.rounds):
            now, versions = mesh.next_generation(), len(mesh.place(product).storage().versions())
            made = [mesh.start("refresh", "--in-process", "--select", product) for _ in range(2)]
            ended = [finished(each) for each in made]
            require(all(code == 0 for code, _, _ in ended), f"one failed: {[error[-300:] for *_, error in ended]}")
            require(mesh.seen(product)[0] == now, "what was acknowledged is not read")
            grown = len(mesh.place(product).storage().versions()) - versions
            require(grown == 2, f"two were acknowledged, the history has {grown} more")
    _require_tidy(mesh, product)
    return f"{times(task.rounds)}, {seen.reads} reads through the door"


def shared_mesh(task: Task) -> DrillMesh:
    """The mesh of all drills that leave it as it was."""
    return task.ground.once("mesh", lambda: make_drill_mesh(task.ground, "mesh"))
