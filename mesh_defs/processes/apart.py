"""One location's process: by which Python, in which environment. Reads the secrets files, and hands our environment on.

What a location reads is known from the snapshot, before any of its code runs. Code that is only loaded gets no secret.
"""

import os
import re
from pathlib import Path

from mesh_defs.documents.workspace import Location, read_workspace
from mesh_defs.model.mesh import Mesh, Snapshot
from mesh_defs.model.names import split_product
from mesh_defs.processes.environment import DAGSTER, TOKENS, Resident, bare, environment_of, unclear
from mesh_defs.processes.interpreter import interpreter_of
from mesh_defs.settings import Settings, read_secrets

_NOT_A_WORKERS = re.compile(r"MESH_|DAGSTER_|GX_|PYTHON|AWS_|\w+_proxy$", re.IGNORECASE)
_DRIVERS = re.compile(r"AWS_|PG[A-Z]|SSL_CERT_|REQUESTS_CA_BUNDLE$|\w+_proxy$", re.IGNORECASE)


def command(location: Location, settings: Settings, mesh: Mesh) -> tuple[list[str], dict[str, str]]:
    """Return (argv prefix, environment) of a process for one location: `[*prefix, "-m", …]` runs as that location alone.

    Raises UnreachableError when its interpreter is missing.
    """
    executable = interpreter_of(location, settings.root)
    return [str(executable)], location_environment(location, settings, mesh.snapshot)


def location_environment(location: Location, settings: Settings, snapshot: Snapshot) -> dict[str, str]:
    """The environment of a location's own process: own secrets, read credentials of its inputs, keys of its tokens."""
    told = _environment(_resident(location, snapshot), settings) | _ledger(settings)
    # Whoever reaches Dagster's webserver may start any run: a domain is not told where it is.
    return told if location.is_domain else {**told, "MESH_DAGSTER_URL": settings.dagster_url}


def inherited_environment(location: Location, settings: Settings) -> dict[str, str]:
    """Our environment as it is, where a container or a unit of its own already keeps a location apart."""
    return {**os.environ, **_whereabouts(settings), "MESH_LOCATION": location.name}


def dagster_environment(settings: Settings) -> dict[str, str]:
    """The environment of Dagster's webserver and daemon: the instance's variables, and no domain's."""
    return _environment(Resident(location=DAGSTER), settings)


def loading_environment(settings: Settings) -> dict[str, str]:
    """The environment of a process that only loads definitions: no secret at all."""
    return {**bare(os.environ), **_whereabouts(settings), "MESH_LOCATION": "catalog"}


def worker_environment() -> dict[str, str]:
    """The environment of the processes that run queries: no secret, nothing of any mesh, and nothing of Python's."""
    return {name: value for name, value in bare(os.environ).items() if not _NOT_A_WORKERS.match(name)}


def driver_environment() -> dict[str, str]:
    """What the drivers of stores read of our environment, for those query processes that need one. May hold secrets."""
    return {name: value for name, value in os.environ.items() if _DRIVERS.match(name)}


def forget_secrets(settings: Settings) -> None:
    """Leave this very process only the environment that `loading_environment` gives; for a forked child."""
    kept = loading_environment(settings)
    os.environ.clear()
    os.environ.update(kept)


def given_to_none(settings: Settings) -> tuple[str, ...]:
    """Variables of our environment that could be of two domains, and therefore reach neither."""
    return unclear(os.environ, _domains(settings, _secrets(settings.secrets)))


def _environment(resident: Resident, settings: Settings) -> dict[str, str]:
    secrets = _secrets(settings.secrets)
    domains = _domains(settings, secrets)
    told = environment_of(resident, domains=domains, environ=os.environ, secrets=secrets)
    return told | _whereabouts(settings)


def _resident(location: Location, snapshot: Snapshot) -> Resident:
    if not location.is_domain:
        reads = frozenset(each.domain.name for each in snapshot.sections if each.domain)
        return Resident(location=location.name, reads=reads)
    section = next((each for each in snapshot.sections if each.location == location.name), None)
    products = section.products if section else ()
    inputs = [name for product in products for name in product.inputs]
    inputs += [name for each in (section.expects if section else ()) for name in (each.product, *each.tables)]
    reads = frozenset(split_product(name)[0] for name in inputs)
    kinds = frozenset(kind for product in products for kind in product.contract.tokens.values())
    return Resident(location=location.name, domain=location.folder.name, reads=reads, kinds=kinds)


def _whereabouts(settings: Settings) -> dict[str, str]:
    return {
        "MESH_ROOT": str(settings.root),
        "MESH_HOME": str(settings.home),
        "MESH_ENV": settings.environment,
        "DAGSTER_HOME": str(settings.dagster_home),
    }


def _ledger(settings: Settings) -> dict[str, str]:
    """Every step that reads through the door writes to the mesh's one ledger."""
    names = ("MESH_LEDGER", "MESH_LEDGER_HEAD")
    return {name: settings.overrides[name] for name in names if settings.overrides.get(name)}


def _domains(settings: Settings, secrets: dict[str, dict[str, str]]) -> frozenset[str]:
    listed = {each.folder.name for each in read_workspace(settings.root) if each.is_domain}
    return frozenset(listed | (secrets.keys() - {DAGSTER, TOKENS}))


def _secrets(folder: Path) -> dict[str, dict[str, str]]:
    return {file.stem: read_secrets(file) for file in sorted(folder.glob("*.env"))}
