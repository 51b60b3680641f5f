"""A group made by its location's own interpreter, with its own secrets: `<its python> -m mesh_defs.refresh.apart GROUP`.

The child writes one outcome per line, as JSON, to its standard output.
"""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict

from mesh_defs.catalog.loader import load_definitions
from mesh_defs.documents.workspace import Location, read_workspace
from mesh_defs.errors import MeshError
from mesh_defs.model.mesh import Mesh
from mesh_defs.processes.apart import command
from mesh_defs.refresh.group import make_group
from mesh_defs.refresh.instance import open_instance
from mesh_defs.refresh.outcome import Outcome, Report
from mesh_defs.settings import Settings, load_settings


def make_apart(
    location: Location,
    settings: Settings,
    mesh: Mesh,
    products: Sequence[str],
    keys: Sequence[str | None],
    note: Report,
) -> None:
    """Run the group in a process of the location; whatever ends that process fails the rest of its products."""
    group = json.dumps({"location": location.name, "products": list(products), "keys": list(keys)})
    try:
        prefix, environ = command(location, settings, mesh)
    except MeshError as error:
        _fail(products, str(error), note)
        return
    arguments = [*prefix, "-m", "mesh_defs.refresh.apart", group]
    with subprocess.Popen(arguments, env=environ, stdout=subprocess.PIPE, text=True, encoding="utf-8") as child:
        for line in child.stdout or ():
            note(Outcome(**json.loads(line)))
    _fail(products, f"the process of {location.name} ended with {child.returncode}", note)


def main() -> None:
    """Make the group that the first argument tells."""
    group, settings = json.loads(sys.argv[1]), load_settings()
    # Dagster turns both streams into the step's compute log while a step runs.
    told = os.fdopen(os.dup(1), "w", encoding="utf-8")

    def note(outcome: Outcome) -> None:
        told.write(json.dumps(asdict(outcome)) + "\n")
        told.flush()

    location = next(each for each in read_workspace(settings.root) if each.name == group["location"])
    try:
        definitions = load_definitions(location)
    except Exception as error:  # noqa: BLE001  a domain's import may raise anything
        _fail(group["products"], f"{location.name} does not load: {error}", note)
        return
    with open_instance(settings) as instance:
        make_group(group["products"], group["keys"], definitions, instance, note)


def _fail(products: Sequence[str], told: str, note: Report) -> None:
    """Outcomes that are known already stand: only the first of each product counts."""
    for name in products:
        note(Outcome(product=name, state="failed", told=told))


if __name__ == "__main__":
    main()
