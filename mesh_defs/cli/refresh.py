"""`mesh refresh`: make the mesh, or only compile its catalog."""

import os
import sys

import click

from mesh_defs.cli.main import FINDINGS
from mesh_defs.cli.render import print_json
from mesh_defs.query.mesh import build_snapshot, open_mesh
from mesh_defs.settings import load_settings


@click.command()
@click.option("--select", "selections", multiple=True, metavar="NAME", help="domain, domain.product, +NAME, NAME+.")
@click.option("--in-process", is_flag=True, help="Materialize here, on the instance that `make dev` shows.")
@click.option("--catalog", "catalog_only", is_flag=True, help="Only compile the catalog of all locations.")
@click.option("--json", "as_json", is_flag=True, help="Print the outcomes as JSON.")
def refresh(selections: tuple[str, ...], in_process: bool, catalog_only: bool, as_json: bool) -> None:
    """Materialize products in dependency order: write, audit, publish. A failure stops only what is downstream of it."""
    settings = load_settings()
    if catalog_only:
        build_snapshot(settings, everything=True)
        _report_catalog(settings)
        return
    if not in_process:
        raise click.UsageError("add --in-process, or start the runs from Dagster's UI (`make dev`)")
    mesh = open_mesh(settings)
    # Only here: importing Dagster alone takes a second.
    from mesh_defs.refresh.in_process import Outcome, refresh_in_process

    # Dagster turns stderr into the step's compute log while a step runs.
    screen = os.fdopen(os.dup(2), "w", encoding="utf-8")

    def report(outcome: Outcome) -> None:
        mark = {"published": "✓", "failed": "✗", "stopped": "–"}[outcome.state]
        screen.write(f"{mark} {outcome.product:<34} {outcome.state:<9} {outcome.seconds:6.2f} s  {outcome.told}\n")
        screen.flush()

    outcomes = refresh_in_process(settings, mesh, selections=selections, report=report)
    if as_json:
        print_json([{"product": o.product, "state": o.state, "seconds": o.seconds, "told": o.told} for o in outcomes])
    if any(outcome.state != "published" for outcome in outcomes):
        raise click.exceptions.Exit(FINDINGS)


def _report_catalog(settings: object) -> None:
    mesh = open_mesh(load_settings(), build=False)
    for section in mesh.snapshot.sections:
        told = (
            f"does not load, last known kept: {section.error}" if section.error else f"{len(section.products)} products"
        )
        sys.stderr.write(f"{'✗' if section.error else '✓'} {section.location:<16} {told}\n")
    sys.stderr.write(f"generation {mesh.snapshot.generation}\n")
    if any(section.error for section in mesh.snapshot.sections):
        raise click.exceptions.Exit(FINDINGS)
