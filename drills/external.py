"""An external table that loses a column, and gets it back: the fault of a system that nobody here can mend."""

import os
from collections.abc import Callable
from functools import partial

import duckdb
import psycopg
import yaml

from drills.drill import Drill, LostError, Task, require, times
from drills.ground import StorageKind
from drills.mesh import GENERATION, TO_ALL, DrillMesh
from drills.stops import ROWS, select
from drills.watch import watching
from mesh_defs.errors import MeshError
from mesh_defs.settings import load_settings
from tests.meshes import PERSON, REGION, contract, derived, grants, refresh, rows, settings_of, sql

COLUMNS = (PERSON, REGION, GENERATION)
Write = Callable[[int, bool], None]


def drills() -> list[Drill]:
    """In a Postgres, and in a folder of Parquet."""
    kinds: tuple[StorageKind, ...] = ("postgres", "parquet")
    told = "an external table that loses a column"
    return [Drill(name="external", part=kind, told=told, run=partial(_lose_column, kind=kind)) for kind in kinds]


def _lose_column(task: Task, *, kind: StorageKind) -> str:
    mesh, write = _mesh(task, kind)
    write(1, True)
    _require_states(mesh, "observed", "published")
    with watching(root=mesh.root, products=["shop.copies"]) as seen:
        for n in range(1, 1 + task.rounds):
            write(n + 1, False)
            told = _require_states(mesh, "failed", "stopped")
            require("'region' is missing" in told, f"the error does not name the column: {told}")
            _require_refused(mesh)
            require(mesh.seen("shop.copies") == (n, ROWS), "the last good version downstream is not read")
            write(n + 1, True)
            _require_states(mesh, "observed", "published")
            require(mesh.seen("shop.copies") == (n + 1, ROWS), "what was acknowledged downstream is not read")
    return f"{times(task.rounds)}, {seen.reads} reads downstream"


def _mesh(task: Task, kind: StorageKind) -> tuple[DrillMesh, Write]:
    """`crm.people`, which another system writes, and `shop.copies`, made from it."""
    root, url = task.ground.folder("external") / "mesh", task.ground.database()
    server = {"server": "local", "type": "local", "path": "exports/people", "format": "parquet"}
    if kind == "postgres":
        server = {"server": "local", "type": "postgres", "schema": "crm"}
    copies = derived("shop.copies", columns=COLUMNS, custom=("{property: republishes, value: A drill.}",))
    select_all = sql("copies", "SELECT person_id, region, generation FROM crm.people")
    crm = {**_external(server), **grants("crm.people", TO_ALL)}
    shop = {**copies, **select_all, **grants("shop.copies", TO_ALL)}
    settings = settings_of(root, {"crm": crm, "shop": shop})
    settings.secrets.mkdir(parents=True)
    (settings.secrets / "crm.env").write_text(f"MESH_CRM_POSTGRES={url}\n")
    mesh = DrillMesh(settings=load_settings({"MESH_ROOT": str(root)}), bucket="")
    return mesh, partial(_write_table, url) if kind == "postgres" else partial(_write_file, mesh)


def _external(server: dict[str, str]) -> dict[str, str]:
    [(path, text)] = contract("crm.people", columns=COLUMNS, custom=("{property: external, value: true}",)).items()
    document = yaml.safe_load(text)
    document["servers"] = [server]
    document["schema"][0]["physicalName"] = "people"
    return {path: yaml.safe_dump(document)}


def _write_table(url: str, generation: int, whole: bool) -> None:
    """As the other system would: in one transaction."""
    column = "'north'::text AS region, " if whole else ""
    with psycopg.connect(url) as connection:
        connection.execute("CREATE SCHEMA IF NOT EXISTS crm")
        connection.execute("DROP TABLE IF EXISTS crm.people")
        made = f"SELECT n::bigint AS person_id, {column}{generation} AS generation FROM generate_series(1, {ROWS}) n"
        connection.execute(f"CREATE TABLE crm.people AS {made}")


def _write_file(mesh: DrillMesh, generation: int, whole: bool) -> None:
    folder = mesh.settings.storage_root("crm", "storage/crm") / "exports" / "people"
    folder.mkdir(parents=True, exist_ok=True)
    columns = "*" if whole else "* EXCLUDE (region)"
    with duckdb.connect() as connection:
        connection.execute(f"COPY (SELECT {columns} FROM ({select(generation)})) TO '{folder}/.new' (FORMAT parquet)")
    os.replace(folder / ".new", folder / "a.parquet")


def _require_states(mesh: DrillMesh, external: str, downstream: str) -> str:
    outcomes = refresh(mesh.settings)
    states = {name: outcome.state for name, outcome in outcomes.items()}
    told = outcomes["crm.people"].told
    require(states == {"crm.people": external, "shop.copies": downstream}, f"the refresh ended with {states}: {told}")
    return told


def _require_refused(mesh: DrillMesh) -> None:
    """The door says which column is missing; it never answers without it."""
    try:
        rows(mesh.settings, "SELECT count(*) FROM crm.people")
    except MeshError as error:
        require("region" in str(error), f"the door's error does not name the column: {error}")
        return
    raise LostError("the door answers from a table without a promised column")
