"""Wiring: everything that the door needs, opened from the settings."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from mesh_defs.documents.snapshot import load_snapshot
from mesh_defs.documents.standards import read_standards
from mesh_defs.documents.workspace import read_workspace
from mesh_defs.engine.duckdb import DuckDBEngine
from mesh_defs.errors import StorageError, UnreachableError
from mesh_defs.ledger import Ledger
from mesh_defs.model.mesh import DataProduct, Mesh, Snapshot
from mesh_defs.settings import Settings
from mesh_defs.storage.base import Storage
from mesh_defs.storage.open import storage_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """An opened mesh: its declarations, its state, its engine and its clock."""

    settings: Settings
    mesh: Mesh
    ledger: Ledger
    engine: DuckDBEngine
    clock: Callable[[], datetime]

    def storage_of(self, product: DataProduct) -> Storage:
        """Open the product's storage for the environment of the settings."""
        return open_storage(product, self.settings)


def open_platform(settings: Settings, *, build: bool = True) -> Platform:
    """Open the mesh; `build` compiles what is missing or changed in the catalog first, in a process of its own."""
    mesh = open_mesh(settings, build=build)
    standards = mesh.standards
    engine = DuckDBEngine(
        spill=settings.home / "spill",
        seconds_max=standards.query_seconds_max,
        memory_bytes_max=standards.query_memory_bytes_max,
    )
    return Platform(settings=settings, mesh=mesh, ledger=Ledger(settings.ledger_url), engine=engine, clock=_now)


def open_mesh(settings: Settings, *, build: bool = True) -> Mesh:
    """Read the standards and the snapshot. Raises UnreachableError when there is no snapshot and none can be built."""
    snapshot = _sound(settings.snapshot_file) if build else load_snapshot(settings.snapshot_file)
    if build and (snapshot is None or _changed(snapshot, settings.root)):
        build_snapshot(settings)
        snapshot = load_snapshot(settings.snapshot_file)
    if snapshot is None:
        raise UnreachableError("the mesh has no catalog yet", fix="run `mesh refresh --catalog`")
    return Mesh(snapshot, read_standards(settings.root))


def build_snapshot(settings: Settings, *, everything: bool = False) -> None:
    """Compile what changed of the catalog, or all of it, in a subprocess: it alone pays for Dagster and the domains' imports."""
    command = [sys.executable, "-m", "mesh_defs.catalog.build", *(["--everything"] if everything else [])]
    environ = {**os.environ, "MESH_ROOT": str(settings.root), "MESH_HOME": str(settings.home)}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise UnreachableError(f"the catalog could not be built: {last}", fix="run `mesh validate`")


def open_storage(product: DataProduct, settings: Settings) -> Storage:
    """Open a product's storage where its contract puts it in this environment."""
    contract = product.contract
    server = next((s for s in contract.servers if s.environment == settings.environment), None)
    if server is None:
        known = ", ".join(sorted(each.environment for each in contract.servers))
        what = f"{contract.product} has no server for the environment '{settings.environment}'"
        raise StorageError(what, where=contract.file, fix=f"add one, or set MESH_ENV to one of: {known}")
    return storage_at(server.kind, settings.storage_root(contract.domain, product.storage) / server.place)


def _sound(file: Path) -> Snapshot | None:
    """A damaged snapshot is built again like a missing one: nothing in it cannot be compiled anew."""
    try:
        return load_snapshot(file)
    except StorageError:
        return None


def _changed(snapshot: Snapshot, root: Path) -> bool:
    known = {section.location: section.fingerprint for section in snapshot.sections}
    locations = [location for location in read_workspace(root) if location.is_domain]
    return known != {location.name: location.fingerprint(root) for location in locations}


def _now() -> datetime:
    return datetime.now(UTC)
