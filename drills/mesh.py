"""The mesh that drills break: `people` with one product on each kind of storage, and `shop` that reads from it."""

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from os import environ
from pathlib import Path
from urllib.parse import urlsplit

import duckdb

from drills.drill import HANGS_AFTER_SECONDS, require
from drills.ground import KINDS, Ground, Place, StorageKind
from drills.stops import SELECTED, Stop
from mesh_defs.model.place import S3Access
from mesh_defs.query.mesh import open_mesh, open_storage, served_from
from mesh_defs.settings import Settings, load_settings
from tests.meshes import PERSON, REGION, contract, derived, grants, python, refresh, settings_of, sql
from tests.servers import new_bucket

GENERATION = "{name: generation, logicalType: integer, required: true}"
COUNTED = "{name: persons, logicalType: integer, required: true}"
TO_ALL = "{id: all, principals: [ada, 'service:shop'], purposes: [measurement]}"
SERVERS: dict[StorageKind, str] = {
    "parquet": "{server: local, type: local, path: PLACE, format: parquet}",
    "duckdb": "{server: local, type: duckdb, database: PLACE, schema: main}",
    "postgres": "{server: local, type: postgres, schema: PLACE}",
    "s3": "{server: local, type: s3, location: 's3://BUCKET/PLACE', format: parquet}",
    "iceberg": "{server: local, type: local, path: lake/PLACE, format: iceberg}",
}
MADE = """@data_product()
def {name}(connection):
    import pathlib
    from drills.stops import obey
    return obey(connection, pathlib.Path({root!r}))
"""


@dataclass
class DrillMesh:
    """A mesh on disk, and what drills do with it from outside. `generation` is what its products are made of next."""

    settings: Settings
    bucket: str
    generation: int = 0

    @property
    def root(self) -> Path:
        """The mesh's folder."""
        return self.settings.root

    def next_generation(self) -> int:
        """Let every product be made anew from other rows."""
        self.generation += 1
        (self.root / "generation").write_text(str(self.generation))
        return self.generation

    def order(self, stop: Stop) -> None:
        """Whoever makes a product next stops so."""
        stop.write(self.root / "stop.json")

    def start(self, *arguments: str, module: str = "mesh_defs.cli.main", **environment: str) -> "subprocess.Popen[str]":
        """Run `mesh …` as a person does."""
        given = {name: value for name, value in environ.items() if not name.startswith(("MESH_", "DAGSTER_"))}
        given |= {"MESH_ROOT": str(self.root), "DAGSTER_DISABLE_TELEMETRY": "1", **environment}
        command = [sys.executable, "-m", module, *arguments]
        return subprocess.Popen(command, env=given, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def mesh(self, *arguments: str, module: str = "mesh_defs.cli.main", **environment: str) -> tuple[int, str, str]:
        """Run `mesh …` to its end: its exit code, output and errors."""
        return finished(self.start(*arguments, module=module, **environment))

    def refresh(self, *products: str) -> None:
        """Make products cleanly, in this process; LostError when that fails."""
        failed = [each for each in refresh(self.settings, *products).values() if each.state != "published"]
        require(not failed, "a clean retry fails: " + "; ".join(f"{each.product}: {each.told}" for each in failed))

    def seen(self, product: str) -> tuple[int, int]:
        """Read a product in full, past the door: its generation, and the number of its rows. LostError when not whole."""
        storage = open_storage(open_mesh(self.settings).products[product], self.settings)
        version = storage.current()
        require(version, f"{product} has no version any more")
        assert version
        with duckdb.connect(config={"threads": 1}) as connection:
            relation = storage.relation(connection, version.parts)
            [(least, most, count, distinct)] = connection.execute(f"SELECT {SELECTED} FROM {relation}").fetchall()
        require(least == most, f"{product} mixes generations {least} and {most}")
        require(count == distinct == version.rows, f"{product} has {count} rows, {distinct} persons of {version.rows}")
        return least, count

    def place(self, product: str) -> Place:
        """Where a product lies now."""
        known = open_mesh(self.settings).products[product]
        access = self.settings.access(known.contract.domain, known.storage, write=True)
        return Place(server=served_from(known.contract, self.settings).server, access=access)

    def serve_from(self, product: str, kind: StorageKind, place: str) -> None:
        """Change the server in the product's contract."""
        file = self.root / "domains" / "people" / "contracts" / f"{product.partition('.')[2]}.odcs.yaml"
        lines = file.read_text().splitlines()
        changed = [f"servers: [{_server(kind, place, self.bucket)}]" if "servers:" in line else line for line in lines]
        file.write_text("\n".join(changed) + "\n")


def finished(process: "subprocess.Popen[str]", *, seconds_max: float | None = None) -> tuple[int, str, str]:
    """Wait for the end: exit code, output and errors."""
    try:
        out, error = process.communicate(timeout=seconds_max or HANGS_AFTER_SECONDS)
    finally:
        process.kill()
    return process.returncode, out, error


def left_after_sweep(place: Place, *, days: float = 1) -> tuple[str, ...]:
    """Sweep as if days had passed, and return what lies there besides the current version. Nobody may be reading."""
    storage = place.storage()
    storage.sweep(datetime.now(UTC) + timedelta(days=days), retention_seconds=0)
    current = storage.current()
    kept = {part.path for part in current.parts} if current else set()
    return tuple(sorted(name for name in place.stored() if name not in kept and not _is_record(name)))


def make_drill_mesh(ground: Ground, name: str, *, products: Sequence[StorageKind] = KINDS, more: str = "") -> DrillMesh:
    """Write the mesh, tell it where its servers are, and publish a first generation of everything."""
    root, bucket = ground.folder(name) / "mesh", new_bucket(ground.s3)
    people = {k: v for kind in products for k, v in _product(f"on_{kind}", kind, root, bucket).items()}
    shop = {
        **derived("shop.counts", grain="region", columns=(REGION, COUNTED), granularity="aggregate"),
        **sql("counts", f"SELECT region, count(*) AS persons FROM people.on_{products[0]} GROUP BY region"),
        **grants("shop.counts", TO_ALL),
    }
    settings = settings_of(root, {"people": people, "shop": shop})
    _tell_servers(settings, ground.database(), ground.proxy.access)
    if more:
        with (root / "workspace.yaml").open("a") as workspace:
            workspace.write(more)
    mesh = DrillMesh(settings=load_settings({"MESH_ROOT": str(root)}), bucket=bucket)
    mesh.next_generation()
    mesh.refresh()
    return mesh


def _product(name: str, kind: StorageKind, root: Path, bucket: str) -> dict[str, str]:
    product = f"people.{name}"
    [(path, text)] = contract(product, columns=(PERSON, REGION, GENERATION)).items()
    lines = text.splitlines()
    served = [f"servers: [{_server(kind, name, bucket)}]" if line.startswith("servers:") else line for line in lines]
    code = python(name, MADE.format(name=name, root=str(root)))
    return {path: "\n".join(served) + "\n", **code, **grants(product, TO_ALL)}


def _server(kind: StorageKind, place: str, bucket: str) -> str:
    return SERVERS[kind].replace("PLACE", place).replace("BUCKET", bucket)


def _tell_servers(settings: Settings, url: str, s3: S3Access) -> None:
    """As a domain's secrets file does; the bucket's keys as others read it, too."""
    settings.secrets.mkdir(parents=True, exist_ok=True)
    told = urlsplit(s3.endpoint or "")
    lines = [f"MESH_PEOPLE_POSTGRES={url}", f"MESH_PEOPLE_S3={told.scheme}://{s3.key}:{s3.secret}@{told.netloc}"]
    file = settings.secrets / "people.env"
    file.write_text("\n".join(lines) + "\n")
    file.chmod(0o600)


def _is_record(name: str) -> bool:
    return name.startswith(("history/", "mesh_history/")) or name == "manifest.json"
