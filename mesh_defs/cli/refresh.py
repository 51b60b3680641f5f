"""`mesh refresh`: make the mesh, or only compile its catalog."""

import os
import signal
import sys
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, TextIO

import click

from mesh_defs.cli.main import FINDINGS
from mesh_defs.cli.render import print_json
from mesh_defs.query.mesh import build_snapshot, open_mesh
from mesh_defs.settings import Settings, load_settings

if TYPE_CHECKING:
    from mesh_defs.refresh.outcome import Outcome

_LAST = "the last unfinished one"


@click.command()
@click.option("--select", "selections", multiple=True, metavar="NAME", help="domain, domain.product, +NAME, NAME+.")
@click.option("--partitions", metavar="A..B", help="These partitions only, both included: A..B, one, or `all`.")
@click.option("--in-process", is_flag=True, help="Materialize here, on the instance that `make dev` shows.")
@click.option("--resume", is_flag=False, flag_value=_LAST, metavar="[ID]", help="Take up a refresh that was killed.")
@click.option("--catalog", "catalog_only", is_flag=True, help="Only compile the catalog of all locations.")
@click.option("--json", "as_json", is_flag=True, help="Print the outcomes as JSON.")
def refresh(
    selections: tuple[str, ...],
    partitions: str | None,
    in_process: bool,
    resume: str | None,
    catalog_only: bool,
    as_json: bool,
) -> None:
    """Materialize products in dependency order: write, audit, publish. A failure stops only what is downstream of it.

    The runs are launched through Dagster's webserver (MESH_DAGSTER_URL), one for each location and set of products that
    are ready, and go on when this command ends. Ctrl-C: nothing more is launched; once more: leave.

    Of a partitioned product, what is missing is made, and the newest day again; each partition is a run of its own.
    """
    settings = load_settings()
    if catalog_only:
        build_snapshot(settings, everything=True)
        _report_catalog(settings)
        return
    if resume and (in_process or selections or partitions):
        raise click.UsageError("--resume takes up what was selected then: leave out the other options")
    # Dagster turns stderr into the step's compute log while a step runs in this process.
    with os.fdopen(os.dup(2), "w", encoding="utf-8") as screen:
        made = _in_process if in_process else _across
        outcomes = made(settings, selections, partitions, resume, screen)
    if as_json:
        print_json([_as_json(outcome) for outcome in outcomes])
    if any(outcome.state not in ("published", "observed") for outcome in outcomes):
        raise click.exceptions.Exit(FINDINGS)


def _in_process(
    settings: Settings, selections: tuple[str, ...], partitions: str | None, _resume: str | None, screen: TextIO
) -> "Sequence[Outcome]":
    mesh = open_mesh(settings)
    # Only here: importing Dagster alone takes a second.
    from mesh_defs.refresh.in_process import refresh_in_process

    return refresh_in_process(
        settings,
        mesh,
        selections=selections,
        partitions=partitions,
        report=lambda outcome: _show(screen, outcome),
        say=lambda text: _say(screen, text),
    )


def _across(
    settings: Settings, selections: tuple[str, ...], partitions: str | None, resume: str | None, screen: TextIO
) -> "Sequence[Outcome]":
    from mesh_defs.refresh.launch import refresh_across, resume_refresh

    mesh, stop = open_mesh(settings), threading.Event()

    def report(outcome: "Outcome") -> None:
        _show(screen, outcome)

    def say(text: str) -> None:
        _say(screen, text)

    _leave_gently(stop)
    if resume:
        wanted = None if resume == _LAST else resume
        return resume_refresh(settings, mesh, wanted, report=report, say=say, stop=stop)
    return refresh_across(
        settings, mesh, selections=selections, partitions=partitions, report=report, say=say, stop=stop
    )


def _leave_gently(stop: threading.Event) -> None:
    """The first Ctrl-C ends the launching, the second one the command; the runs are Dagster's, and go on."""

    def interrupted(_number: int, _frame: object) -> None:
        stop.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        sys.stderr.write("· runs that were launched go on, and nothing more is launched; Ctrl-C again to leave them\n")

    signal.signal(signal.SIGINT, interrupted)


def _say(screen: TextIO, text: str) -> None:
    screen.write(f"· {text}\n")
    screen.flush()


def _show(screen: TextIO, outcome: "Outcome") -> None:
    mark = {"published": "✓", "observed": "✓", "failed": "✗", "stopped": "–"}[outcome.state]
    stale = f"made from stale {', '.join(outcome.stale_inputs)}" if outcome.stale_inputs else ""
    told = "; ".join(filter(None, (outcome.told, stale)))
    screen.write(f"{mark} {outcome.product:<34} {outcome.state:<9} {outcome.seconds:6.2f} s  {told}\n")
    screen.flush()


def _as_json(outcome: "Outcome") -> dict[str, object]:
    return {
        "product": outcome.product,
        "state": outcome.state,
        "seconds": outcome.seconds,
        "told": outcome.told,
        "stale_inputs": list(outcome.stale_inputs),
    }


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
