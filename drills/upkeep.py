"""Kills what moves a product and what erases a person, anywhere in the middle; what is read meanwhile stays whole."""

from datetime import UTC, datetime, timedelta

from drills.drill import Drill, Task, require, times
from drills.ground import KINDS, Place
from drills.mesh import DrillMesh, left_after_sweep, make_drill_mesh
from drills.stops import ROWS
from drills.watch import watching
from mesh_defs.query.mesh import open_mesh, open_storage
from mesh_defs.upkeep.sweep import sweep
from tests.meshes import rows

# How many changes each makes at least, so that it dies in the middle; it is narrowed when one gets through.
_MOVE_CHANGES, _ERASE_CHANGES = 90, 60
MOVED = "people.on_parquet"


def drills() -> list[Drill]:
    """One product that goes round all storages, and one person in all of them."""
    moving = Drill(name="renovate", part="upkeep", told="kill -9 in the middle of `mesh renovate`", run=_renovate)
    erasing = Drill(name="erase", part="upkeep", told="kill -9 in the middle of `mesh erase`", run=_erase)
    return [moving, erasing]


def _renovate(task: Task) -> str:
    mesh = make_drill_mesh(task.ground, "moved", products=("parquet",))
    mesh.next_generation()
    mesh.refresh(MOVED)
    killed, changes, kind, left = 0, _MOVE_CHANGES, "parquet", list[Place]()
    with watching(root=mesh.root, products=[MOVED]) as seen:
        for n in range(task.rounds):
            kind = task.chance.choice([each for each in KINDS if each != kind])
            before, history = mesh.seen(MOVED), _history(mesh)
            left.append(mesh.place(MOVED))
            mesh.serve_from(MOVED, kind, f"place_{n}")
            number = task.chance.randrange(changes)
            died = _killed(mesh, number, "renovate", MOVED)
            killed, changes = killed + died, changes if died else max(1, number)
            require(mesh.seen(MOVED) == before, "after the kill another version is read")
            _require_done(mesh, "renovate", MOVED)
            require(mesh.place(MOVED).server.kind == kind, "the clean retry did not move it")
            require(mesh.seen(MOVED) == before, "after the move another version is read")
            require(_history(mesh) == history, "the history did not come along")
            mesh.next_generation()
            mesh.refresh(MOVED)
    _require_retired(mesh, left)
    return f"{times(task.rounds)}, {killed} killed, {seen.reads} reads through the door"


def _require_retired(mesh: DrillMesh, left: list[Place]) -> None:
    """Once the retention is over nothing lies at any place that the product ever left."""
    opened = open_mesh(mesh.settings)
    sweep(opened.products[MOVED], opened.standards, mesh.settings, now=datetime.now(UTC) + timedelta(days=400))
    for place in left:
        require(not place.stored(), f"{place.server.kind}: the place that was left still holds rows")
    orphans = left_after_sweep(mesh.place(MOVED))
    require(not orphans, f"{len(orphans)} orphans outlive the sweep, the first: {orphans[:1]}")


def _history(mesh: DrillMesh) -> list[object]:
    storage = open_storage(open_mesh(mesh.settings).products[MOVED], mesh.settings)
    return [(version.published_at, version.rows) for version in storage.versions()]


def _erase(task: Task) -> str:
    mesh = make_drill_mesh(task.ground, "erased")
    products = [f"people.on_{kind}" for kind in KINDS]
    killed, changes = 0, _ERASE_CHANGES
    with watching(root=mesh.root, products=products, rows_min=ROWS - task.rounds) as seen:
        for n, person in enumerate(task.chance.sample(range(ROWS), task.rounds)):
            number = task.chance.randrange(changes)
            died = _killed(mesh, number, "erase", "--person", str(person), "--yes", "--no-wait")
            killed, changes = killed + died, changes if died else max(1, number)
            for product in products:
                require(mesh.seen(product)[1] in (ROWS - n, ROWS - n - 1), f"{product} lost more than the person")
            _require_done(mesh, "erase", "--person", str(person), "--yes", "--no-wait")
            _require_gone(mesh, products, person, ROWS - n - 1)
            mesh.next_generation()
            mesh.refresh(*products)
            _require_gone(mesh, products, person, ROWS - n - 1)
    for product in products:
        left = left_after_sweep(mesh.place(product))
        require(not left, f"{len(left)} orphans of {product} outlive the sweep, the first: {left[:1]}")
    return f"{times(task.rounds)}, {killed} killed, {seen.reads} reads through the door"


def _require_gone(mesh: DrillMesh, products: list[str], person: int, count: int) -> None:
    for product in products:
        require(mesh.seen(product)[1] == count, f"{product} has another number of rows than it should")
        found = rows(mesh.settings, f"SELECT count(*) FROM {product} WHERE person_id = {person}")
        require(found == [(0,)], f"{product} still names the person")


def _killed(mesh: DrillMesh, number: int, *arguments: str) -> bool:
    """Run it until it dies before its nth change; False when it had fewer."""
    code, _, error = mesh.mesh(str(number), *arguments, module="drills.victim")
    require(code in (-9, 0), f"it was not killed but ended with {code}: {error[-300:]}")
    return code == -9


def _require_done(mesh: DrillMesh, *arguments: str) -> None:
    code, out, error = mesh.mesh(*arguments)
    require(code == 0, f"the clean retry fails: {out[-300:]} {error[-300:]}")
