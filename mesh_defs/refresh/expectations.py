"""Looks, in this process, at what domains expect of others' products that were just made. Whatever it finds stops nothing.

Across locations Dagster's own automation does it: each such check is eager.
"""

from collections.abc import Callable, Collection

import dagster as dg

from mesh_defs.authoring.expected import job_name
from mesh_defs.catalog.loader import load_definitions
from mesh_defs.documents.workspace import read_workspace
from mesh_defs.model.mesh import Mesh, Section
from mesh_defs.refresh.group import QUIET
from mesh_defs.settings import Settings


def look_at_others(
    settings: Settings, mesh: Mesh, made: Collection[str], instance: dg.DagsterInstance, say: Callable[[str], None]
) -> None:
    """Run the expectations job of each domain that expects something of a product among `made`.

    `say` is told of a job that failed. A location with an interpreter of its own is left to its own code server.
    """
    concerned = {section.location for section in mesh.snapshot.sections if _concerns(section, made)}
    for location in read_workspace(settings.root):
        if location.name in concerned and location.executable is None:
            job = load_definitions(location).resolve_job_def(job_name(location.folder.name))
            done = job.execute_in_process(
                instance=instance, run_config=QUIET, raise_on_error=False, tags={"mesh/refresh": "in-process"}
            )
            if not done.success:
                say(f"{location.name}: what it expects of others could not be looked at; see run {done.run_id[:8]}")


def _concerns(section: Section, made: Collection[str]) -> bool:
    named = {name for expected in section.expects for name in (expected.product, *expected.tables)}
    return section.error is None and bool(named.intersection(made))
