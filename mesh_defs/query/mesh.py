"""Opens the mesh's declarations and storages: all that reading the catalog needs, and no engine, ledger or Dagster."""

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from mesh_defs.documents.snapshot import load_snapshot
from mesh_defs.documents.standards import read_standards
from mesh_defs.documents.workspace import read_workspace
from mesh_defs.errors import StorageError, UnreachableError
from mesh_defs.model.contract import Contract, Server
from mesh_defs.model.mesh import DataProduct, Mesh, Snapshot
from mesh_defs.processes.apart import loading_environment
from mesh_defs.settings import Settings
from mesh_defs.storage.base import Readable, Storage
from mesh_defs.storage.open import readable_at, registration_at, storage_at
from mesh_defs.storage.places import Served, load_served

if TYPE_CHECKING:
    from mesh_defs.storage.registered import Registration


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
    done = subprocess.run(command, env=loading_environment(settings), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise UnreachableError(f"the catalog could not be built: {last}", fix="run `mesh validate`")


def open_storage(product: DataProduct, settings: Settings, *, write: bool = False) -> Storage:
    """Open a product's storage where it is served from in this environment, to read it or to write it too."""
    if product.contract.external:
        what = f"{product.name} is external: it has no storage here"
        raise StorageError(what, where=product.contract.file, fix="write it with the system that it belongs to")
    access = settings.access(product.contract.domain, product.storage, write=write)
    return storage_at(served_from(product.contract, settings).server, access)


def open_registration(product: DataProduct, settings: Settings, *, write: bool = False) -> "Registration":
    """Open the table by which a Trino reads the product's Parquet files, where they are served from."""
    access = settings.access(product.contract.domain, product.storage, write=write)
    return registration_at(served_from(product.contract, settings).server, access)


def open_readable(product: DataProduct, settings: Settings) -> Readable:
    """Open what the door reads of a product, whoever writes it."""
    access = settings.access(product.contract.domain, product.storage, write=False)
    return readable_at(product.contract, served_from(product.contract, settings).server, access)


def served_from(contract: Contract, settings: Settings) -> Served:
    """Where a product is read from and written to: where it was published last, else where its contract puts it.

    An external product is where its contract says: nobody moves it but its own system.
    """
    recorded = None if contract.external else load_served(settings.places_folder, contract.product)
    return recorded or Served(server=server_in(contract, settings.environment))


def server_in(contract: Contract, environment: str) -> Server:
    """The contract's server for an environment. Raises StorageError, naming those there are."""
    found = next((server for server in contract.servers if server.environment == environment), None)
    if found is None:
        known = ", ".join(sorted(server.environment for server in contract.servers))
        what = f"{contract.product} has no server for the environment '{environment}'"
        raise StorageError(what, where=contract.file, fix=f"add one, or set MESH_ENV to one of: {known}")
    return found


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
