"""`mesh trino`: the same products, rules and SQL on a Trino."""

from pathlib import Path

import click

from mesh_defs.cli.render import print_json, print_table
from mesh_defs.settings import load_settings

_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")


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


@trino.command()
@click.option("--out", "folder", required=True, type=click.Path(file_okay=False, path_type=Path), help="Its folder.")
@click.option("--discovery", "discovery_url", default="http://127.0.0.1:8080", show_default=True, help="Coordinator.")
@click.option("--policy", "policy_url", default="http://127.0.0.1:8181", show_default=True, help="Policy server.")
@click.option("--heap-mb", default=2048, show_default=True, type=click.IntRange(min=768), help="Heap of each node.")
@_JSON
def config(folder: Path, discovery_url: str, policy_url: str, heap_mb: int, as_json: bool) -> None:
    """Write what a Trino needs to read the mesh's products: catalogs, limits, and whom it asks what may be read.

    From contracts, mesh.yaml and MESH_<DOMAIN>_…_READ. Run again it changes only what must change. Holds no secret: the
    files name variables of Trino's environment.
    """
    from mesh_defs.query.mesh import open_mesh
    from mesh_defs.trino.config import Sizing, config_of
    from mesh_defs.trino.folder import write

    settings = load_settings()
    sizing = Sizing(discovery_url=discovery_url.rstrip("/"), policy_url=policy_url.rstrip("/"), heap_megabytes=heap_mb)
    made = config_of(open_mesh(settings), settings, sizing)
    changed = write(folder, made.files)
    reached = {each.product: f"{each.catalog.name}.{each.schema}.{each.table}" for each in made.reached}
    if as_json:
        print_json(
            {"changed": changed, "reached": reached, "refused": made.refused, "environment": sorted(made.secrets)}
        )
        return
    for path, what in changed.items():
        click.echo(f"{what} {folder / path}")
    if not changed:
        click.echo("nothing changed")
    print_table(("product", "in Trino"), list(reached.items()))
    for product, why in made.refused.items():
        click.echo(f"not reached: {product}: {why}", err=True)
    if made.secrets:
        click.echo(f"Trino's environment must hold: {', '.join(sorted(made.secrets))}")


@trino.command()
@click.option("--trino", "trino_url", required=True, help="The coordinator, to see that it applies what it is told.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Where it listens. It asks nobody who they are.")
@click.option("--port", default=8181, show_default=True, help="Its port.")
def policy_server(trino_url: str, host: str, port: int) -> None:
    """Answer a Trino's questions about who may read what, by the mesh's own decisions, until Ctrl-C.

    It denies everything until it has seen that Trino applies row filters and column masks. Who asks names their purpose:
    user `ada+measurement`.
    """
    from mesh_defs.trino.serve import serve

    serve(load_settings(), host=host, port=port, trino_url=trino_url)
