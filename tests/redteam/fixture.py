"""Writes the fixture mesh, so that anyone can attack it with a client of their own.

    python -m tests.redteam.fixture --out DIR [--storage KIND]

Then `MESH_ROOT=DIR mesh query "select …" --as ana --purpose reporting`. Where the storage is a server (postgres, s3) the
command serves it until it is interrupted.
"""

import argparse
import shutil
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from drills.ground import Ground
from mesh_defs.model.query import EngineName
from mesh_defs.model.version import Pin
from mesh_defs.query.mesh import open_mesh
from mesh_defs.query.platform import Platform, open_platform
from mesh_defs.refresh.in_process import refresh_in_process
from mesh_defs.settings import Settings, load_settings, storage_variable, token_variable
from mesh_defs.trino.config import Sizing, config_of
from tests.redteam.data import ANA, ORDERS, PURPOSE, README, World, without_structs, without_tokens
from tests.redteam.documents import mesh_files
from tests.redteam.storages import KINDS, Spot, spot
from tests.trino_server import catalogs, machine_here, plain

CANARY = "LEAKFILE"


@dataclass(frozen=True, kw_only=True)
class Fixture:
    """A fixture mesh that was published. `canaries` is the folder of the files that nobody may read."""

    settings: Settings
    world: World
    spot: Spot

    @property
    def canaries(self) -> Path:
        return self.settings.root / "canaries"

    def open(self) -> Platform:
        """Open the door, as a client would."""
        return open_platform(self.settings)

    def pins(self) -> dict[str, Pin]:
        """Each product as it was published: what an attacker is assumed to know of its places."""
        platform = self.open()
        pins = {}
        for name, product in platform.mesh.products.items():
            storage = platform.storage_of(product)
            version = storage.current()
            assert version is not None, name
            pins[name] = storage.pin(name, version)
        return pins


def make_fixture(
    root: Path,
    kind: str,
    ground: Ground,
    world: World = README,
    *,
    keys: Mapping[str, str] | None = None,
    engine: EngineName = "duckdb",
) -> Fixture:
    """Write, publish and open a fixture mesh below `root`, which is emptied first. Takes 5 s and more.

    With `engine` "trino" one is started that reads it, and structs are JSON in a text, since that engine keeps none.
    `keys` by kind of token: two meshes with the same ones show the same tokens. Made by the platform, when none are given.
    """
    place = spot(kind, ground, engine)
    if not place.keeps_structs:
        world = replace(world, tables=tuple(map(without_structs, world.tables)))
    if place.external:
        world = replace(world, tables=tuple(map(without_tokens, world.tables)))
    shutil.rmtree(root, ignore_errors=True)
    _write(root, world, place)
    if keys:
        lines = [f"{token_variable(kind)}={key}\n" for kind, key in keys.items()]
        (root / ".mesh" / "secrets" / "tokens.env").write_text("".join(lines))
    settings = load_settings({"MESH_ROOT": str(root)})
    if place.external:
        for table in world.tables:
            place.write(table, settings.storage_root(table.domain, f"storage/{table.domain}"))
    outcomes = refresh_in_process(settings, open_mesh(settings))
    states = {outcome.product: (outcome.state, outcome.told) for outcome in outcomes}
    assert {state for state, _ in states.values()} <= {"published", "observed"}, states
    return Fixture(settings=_with_trino(settings, ground) if engine == "trino" else settings, world=world, spot=place)


def _with_trino(settings: Settings, ground: Ground) -> Settings:
    folder = ground.folder("trino")
    trino = ground.exits.enter_context(plain(folder, machine_here(folder / "nodes")))
    ground.exits.enter_context(catalogs(trino, settings))
    # The first of all questions waits until the nodes know each other and are compiled; no attacker's should.
    for each in config_of(open_mesh(settings), settings, Sizing()).reached:
        trino.rows(f"SELECT * FROM {each.catalog.name}.{each.schema}.{each.table} ORDER BY 1 DESC, 2")
    return load_settings({"MESH_ROOT": str(settings.root), "MESH_TRINO_URL": trino.url})


def variant(fixture: Fixture, root: Path, world: World) -> Fixture:
    """The same published bytes under other access rules: only the declarations are written anew."""
    shutil.rmtree(root, ignore_errors=True)
    # Not the ledger: it is open, and a copy of it would be torn.
    shutil.copytree(fixture.settings.root, root, ignore=shutil.ignore_patterns("ledger*"))
    place = fixture.spot
    if place.kind == "iceberg":  # its metadata names its files by their whole paths: they are read where they are
        where = {domain: str(fixture.settings.storage_root(domain, f"storage/{domain}")) for domain in place.secrets}
        told = {domain: {**given, storage_variable(domain): where[domain]} for domain, given in place.secrets.items()}
        place = replace(place, secrets=told)
    _write(root, world, place)
    access = fixture.settings.trino
    told_trino = {"MESH_TRINO_URL": access.url} if access is not None else {}
    return Fixture(settings=load_settings({"MESH_ROOT": str(root), **told_trino}), world=world, spot=place)


def _write(root: Path, world: World, place: Spot) -> None:
    for path, text in mesh_files(world, place).items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    secrets = root / ".mesh" / "secrets"
    secrets.mkdir(parents=True, exist_ok=True)
    for domain, variables in place.secrets.items():
        (secrets / f"{domain}.env").write_text("".join(f"{name}={value}\n" for name, value in variables.items()))
    _write_canaries(root / "canaries")


def _write_canaries(folder: Path) -> None:
    """Files that the door must never open: of plain kinds, and a raw copy of the orders in two formats."""
    folder.mkdir(exist_ok=True)
    (folder / "canary.txt").write_text(f"{CANARY}\n")
    (folder / "canary.csv").write_text(f"a,b\n1,{CANARY}\n")
    (folder / "canary.json").write_text(f'{{"a": "{CANARY}"}}\n')
    database = folder / "canary.duckdb"
    database.unlink(missing_ok=True)
    with duckdb.connect(str(database)) as connection:
        connection.execute(f"CREATE TABLE orders AS {ORDERS.select}")
        connection.execute("CREATE SEQUENCE sq")
        connection.execute("CREATE MACRO mac(x) AS x || 'LEAKMAC'")
        connection.execute(f"COPY orders TO '{folder}/canary.parquet' (FORMAT parquet)")


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the mesh, say how to attack it, and serve its storage where that is a server."""
    parser = argparse.ArgumentParser(prog="python -m tests.redteam.fixture", description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, required=True, help="the folder to write; it is emptied first")
    parser.add_argument("--storage", choices=KINDS, default="parquet")
    told = parser.parse_args(arguments)
    root = told.out.resolve()
    if root.exists() and any(root.iterdir()) and not (root / "canaries").is_dir():
        print(f"{root} holds something that is no fixture: name an empty folder", file=sys.stderr)
        return 2
    ground = Ground()
    with ground.exits:
        fixture = make_fixture(root, told.storage, ground)
        for product, pin in fixture.pins().items():
            print(f"{product}: {pin.rows} rows, {pin.kind}, {', '.join(pin.locations)}")
        print(f'attack it:  MESH_ROOT={root} mesh query "select * from sales.orders" --as {ANA} --purpose {PURPOSE}')
        if fixture.spot.secrets:
            print("its storage is served until you interrupt this command", flush=True)
            signal.sigwait({signal.SIGINT, signal.SIGTERM})
    return 0


if __name__ == "__main__":
    sys.exit(main())
