"""`mesh up`: everything that runs on one machine, in one terminal."""

import signal
import sys
from threading import Event

import click

from mesh_defs.query.mesh import open_mesh
from mesh_defs.settings import load_settings


@click.command()
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="Where Dagster's UI listens. It asks nobody who they are."
)
@click.option("--port", default=3000, show_default=True, help="Its port.")
def up(host: str, port: int) -> None:
    """Run a code server per location, and Dagster's UI and daemon on them, until Ctrl-C.

    Each location runs by its own interpreter, with its own secrets and the read credentials of its declared inputs.
    """
    from mesh_defs.processes.apart import given_to_none
    from mesh_defs.processes.machine import run_machine
    from mesh_defs.processes.postgres import data_folder, start

    settings = load_settings()
    if data_folder(settings).exists():
        start(settings)
    stop = Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.set())
    for section in open_mesh(settings).snapshot.sections:
        if section.error:
            _say(f"{section.location}: does not load, its last known declarations stay: {section.error}")
    for name in given_to_none(settings):
        _say(f"{name}: given to no location, as it could be of two domains; put it into the secrets file of its own")
    run_machine(settings, host=host, port=port, say=_say, stop=stop)


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
