"""The part of `mesh doctor` that looks at stores as each location's own process would reach them, and at secrets and locks."""

import fcntl
import os
import tempfile
import time
from collections.abc import Iterator

from mesh_defs.cli.examined import Examined
from mesh_defs.documents.workspace import Location, read_workspace
from mesh_defs.errors import MeshError
from mesh_defs.model.mesh import DataProduct, Mesh
from mesh_defs.query.mesh import open_mesh, open_readable, open_storage
from mesh_defs.settings import Settings, load_settings

SKEW_SECONDS_MAX = 5.0


def stores(settings: Settings) -> Iterator[Examined]:
    """Every location's products with what it writes by, and its inputs with what it reads by: what its runs will meet."""
    from mesh_defs.processes.apart import location_environment

    mesh = open_mesh(settings, build=False)
    for location in read_workspace(settings.root):
        if location.is_domain:
            theirs = load_settings(location_environment(location, settings, mesh.snapshot))
            yield from _reached_by(location, mesh, theirs)


def clocks(settings: Settings) -> Iterator[Examined]:
    """Versions, leases and schedules compare times of several machines."""
    mesh = open_mesh(settings, build=False)
    for domain in mesh.domains.values():
        url = settings.access(domain.name, domain.storage, write=False).postgres
        if url:
            yield _clock(domain.name, url)


def secrets(settings: Settings) -> Iterator[Examined]:
    """Secrets files are for one user's eyes, and each belongs to a domain, to Dagster or to the tokens."""
    from mesh_defs.processes.apart import given_to_none
    from mesh_defs.processes.environment import DAGSTER, TOKENS

    known = {each.folder.name for each in read_workspace(settings.root)} | {DAGSTER, TOKENS}
    for file in sorted(settings.secrets.glob("*.env")):
        mode = file.stat().st_mode & 0o777
        fix = f"chmod 600 {file}" if mode & 0o077 else ""
        if file.stem not in known:
            fix = fix or "no location has this name: nobody is given it"
        yield Examined(name=f"secrets of {file.stem}", found=f"{file.name}, mode {mode:o}", fix=fix)
    for name in given_to_none(settings):
        fix = "put it into the secrets file of the domain that it is for"
        yield Examined(name=name, found="could be of two domains, and is given to neither", fix=fix)


def locks(settings: Settings) -> Iterator[Examined]:
    """Our locks end with their process, so none is ever stale; but only where the file system can lock."""
    settings.home.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=settings.home) as one, open(one.name, "rb") as other:
        try:
            fcntl.flock(one, fcntl.LOCK_EX | fcntl.LOCK_NB)
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield Examined(name="locks", found="work")
            return
        except OSError as error:
            yield Examined(name="locks", found=os.strerror(error.errno or 0), fix="put MESH_HOME on a local disk")
            return
    yield Examined(name="locks", found="two held one lock", fix="put MESH_HOME on a local disk")


def retention(settings: Settings) -> Iterator[Examined]:
    """A version must outlive the longest query that may read it; the same rule as mesh.yaml's, for each contract."""
    mesh = open_mesh(settings, build=False)
    longest = mesh.standards.query_seconds_max
    kept = {name: product.contract.service_level.retention_seconds for name, product in mesh.products.items()}
    short = sorted(name for name, seconds in kept.items() if seconds is not None and seconds <= longest)
    told = f"{mesh.standards.retention_seconds:g} s, queries {longest:g} s at most"
    fix = f"keep versions longer than a query may run: {', '.join(short)}" if short else ""
    yield Examined(name="retention", found=told, fix=fix)


def _reached_by(location: Location, mesh: Mesh, theirs: Settings) -> Iterator[Examined]:
    section = next((each for each in mesh.snapshot.sections if each.location == location.name), None)
    own = section.products if section else ()
    foreign = {name for product in own for name in product.inputs} - {product.name for product in own}
    troubles = [
        trouble
        for product, write in [*((each, not each.contract.external) for each in own)]
        + [(mesh.products[name], False) for name in sorted(foreign) if name in mesh.products]
        if (trouble := _trouble(product, theirs, write=write))
    ]
    told = f"{len(own)} products and {len(foreign)} inputs answer"
    yield from (Examined(name=f"stores of {location.name}", found=what, fix=fix) for what, fix in troubles)
    if not troubles:
        yield Examined(name=f"stores of {location.name}", found=told)


def _trouble(product: DataProduct, theirs: Settings, *, write: bool) -> tuple[str, str] | None:
    from mesh_defs.upkeep.tokens import token_keys

    try:
        (open_storage(product, theirs, write=True) if write else open_readable(product, theirs)).current()
        if write:
            token_keys(product.contract, theirs.token_key)
    except MeshError as error:
        return (
            f"{product.name} cannot be {'written' if write else 'read'}: {error.what}",
            error.fix or "see the message",
        )
    return None


def _clock(domain: str, url: str) -> Examined:
    import psycopg

    name = f"clock of {domain}"
    try:
        with psycopg.connect(url, connect_timeout=5) as connection:
            row = connection.execute("SELECT extract(epoch FROM clock_timestamp())").fetchone()
    except psycopg.Error as error:
        return Examined(name=name, found=f"its Postgres does not answer: {type(error).__name__}", fix="is it running?")
    skew = float(row[0]) - time.time() if row else 0.0
    fix = "" if abs(skew) <= SKEW_SECONDS_MAX else "set both machines by NTP"
    return Examined(name=name, found=f"its Postgres is {skew:+.1f} s off", fix=fix)
