"""`mesh trino`: the same products, rules and SQL on a Trino."""

import click

from mesh_defs.settings import load_settings


@click.group()
def trino() -> None:
    """Past one machine: a Trino over the same products."""


@trino.command()
def fetch() -> None:
    """Fetch the Trino that tests and laptops run, unless it is here: 0.8 GB by Maven, into MESH_TRINO_HOME.

    It is old and for trials alone: a production has its own.
    """
    from mesh_defs.trino.release import VERSION, java_home
    from mesh_defs.trino.release import fetch as fetch_server

    settings = load_settings()
    java = java_home(settings.trino_java)
    news = "fetched, checked and unpacked" if fetch_server(settings.trino_home) else "was here already"
    click.echo(f"Trino {VERSION} {news}: {settings.trino_home}; it runs on the Java in {java}")
