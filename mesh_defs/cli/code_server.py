"""`mesh code-server` and `mesh interpreter`: one location by itself, for systemd units and containers."""

import os
import sys
from collections.abc import Mapping
from typing import Literal

import click

from mesh_defs.documents.workspace import Location, read_workspace
from mesh_defs.errors import NotFoundError, nearest
from mesh_defs.query.mesh import open_mesh
from mesh_defs.settings import Settings, load_settings


@click.command("code-server")
@click.argument("location")
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="Where it listens. Who reaches it can start its runs."
)
@click.option("--port", default=4000, show_default=True, help="Its port.")
@click.option(
    "--environment",
    type=click.Choice(["apart", "inherit"]),
    default="apart",
    show_default=True,
    help="apart: chosen from this environment and the secrets files. inherit: as it is, for a container or a unit of its own.",
)
def code_server(location: str, host: str, port: int, environment: Literal["apart", "inherit"]) -> None:
    """Become the code server of one LOCATION, by its own interpreter."""
    from mesh_defs.processes.programs import code_server as program_of

    settings = load_settings()
    found = _location(settings, location)
    program = program_of(found, settings, _environment(found, settings, environment), host=host, port=port)
    os.chdir(program.folder)
    os.execve(program.command[0], program.command, dict(program.environment))


@click.command()
def interpreter() -> None:
    """Make the interpreters below .interpreters that workspace.yaml names."""
    from mesh_defs.processes.interpreter import interpreter_of

    settings = load_settings()
    for location in read_workspace(settings.root):
        if location.executable:
            sys.stdout.write(f"{location.name}: {interpreter_of(location, settings.root)}\n")


def _location(settings: Settings, name: str) -> Location:
    locations = {each.name: each for each in read_workspace(settings.root)}
    if name not in locations:
        raise NotFoundError(f"no location '{name}'", where="workspace.yaml", fix=nearest(name, locations))
    return locations[name]


def _environment(location: Location, settings: Settings, chosen: Literal["apart", "inherit"]) -> Mapping[str, str]:
    from mesh_defs.processes.apart import inherited_environment, location_environment

    if chosen == "inherit":
        return inherited_environment(location, settings)
    return location_environment(location, settings, open_mesh(settings).snapshot)
