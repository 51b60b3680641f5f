"""`mesh trino`: the same products, rules and SQL on a Trino."""

from pathlib import Path

import click

from mesh_defs.cli.main import FINDINGS, UNREACHABLE
from mesh_defs.cli.render import print_json, print_table
from mesh_defs.errors import NotFoundError, nearest
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


@trino.command()
@click.option("--port", default=8080, show_default=True, help="The coordinator's port of 127.0.0.1.")
@click.option("--policy-port", default=8181, show_default=True, help="The policy server's.")
@click.option("--heap-mb", default=1024, show_default=True, type=click.IntRange(min=768), help="Heap of each node.")
@_JSON
def start(port: int, policy_port: int, heap_mb: int, as_json: bool) -> None:
    """Start a Trino on this machine, for trials: coordinator, worker and policy server, over all products that it reaches.

    From the release that `mesh trino fetch` brought. It stays when this command ends, and starts its nodes again when they
    die. It asks nobody for a password. Afterwards `mesh query --engine trino` finds it. Run it again when products changed.
    """
    from mesh_defs.processes.postgres import data_folder
    from mesh_defs.processes.postgres import start as start_postgres
    from mesh_defs.processes.programs import HOST
    from mesh_defs.query.mesh import open_mesh
    from mesh_defs.trino.config import Sizing
    from mesh_defs.trino.laptop import start as start_trino
    from mesh_defs.trino.register import register

    settings = load_settings()
    if data_folder(settings).exists():
        start_postgres(settings)
    mesh, url = open_mesh(settings), f"http://{HOST}:{port}"
    sizing = Sizing(discovery_url=url, policy_url=f"http://{HOST}:{policy_port}", heap_megabytes=heap_mb)
    config, changed, ran = start_trino(mesh, settings, sizing, policy_port=policy_port, report=_say)
    settings = load_settings()  # with the secrets that were written meanwhile
    done = list(register(mesh, settings))
    if ran and changed:
        _say("it ran already, and its catalogs changed: `mesh trino stop`, then start it again")
    if as_json:
        reached = {each.product: f"{each.catalog.name}.{each.schema}.{each.table}" for each in config.reached}
        told = {each.product: each.state for each in done}
        print_json({"url": url, "ran": ran, "reached": reached, "refused": config.refused, "registered": told})
        return
    for each in done:
        if each.state == "failed":
            _say(f"not registered: {each.product}: {each.told}")
    for product, why in config.refused.items():
        _say(f"not reached: {product}: {why}")
    click.echo(f"Trino {'ran already' if ran else 'runs'} at {url}, over {len(config.reached)} products")


@trino.command()
def stop() -> None:
    """Stop the Trino that `mesh trino start` started."""
    from mesh_defs.trino.laptop import stop as stop_trino

    click.echo("stopped" if stop_trino(load_settings()) else "it did not run")


@trino.command()
@_JSON
def status(as_json: bool) -> None:
    """Tell whether it runs, and what its nodes are at; exit code 3 when not all of it does."""
    from mesh_defs.trino.laptop import nodes, running

    state = running(load_settings())
    told = nodes(state) if state is not None else {}
    if as_json:
        print_json({"runs": state is not None, "url": state.url if state else None, "nodes": told})
    elif state is None:
        click.echo("does not run — `mesh trino start`")
    else:
        click.echo(f"runs at {state.url}: {', '.join(f'{name} {each}' for name, each in told.items())}")
    if state is None or set(told.values()) != {"active"}:
        raise click.exceptions.Exit(UNREACHABLE)


@trino.command()
@click.argument("products", nargs=-1)
@click.option("--anew", is_flag=True, help="Forget first what is known of them, as when another program wrote it.")
@_JSON
def register(products: tuple[str, ...], anew: bool, as_json: bool) -> None:
    """Make known what a Trino does not find by itself: the files of Parquet products, and other systems' Delta tables.

    Once registered, a Parquet product's table follows its publications by itself. Copies no row; may be run at any time.
    """
    from mesh_defs.query.mesh import open_mesh
    from mesh_defs.trino.register import register as register_all

    settings = load_settings()
    mesh = open_mesh(settings)
    for name in products:
        if name not in mesh.products:
            raise NotFoundError(f"no product '{name}'", fix=nearest(name, mesh.products))
    done = list(register_all(mesh, settings, products=products, anew=anew))
    if as_json:
        print_json([{"product": each.product, "state": each.state, "told": each.told} for each in done])
    else:
        print_table(("product", "state", "told"), [(each.product, each.state, each.told) for each in done])
    if any(each.state == "failed" for each in done):
        raise click.exceptions.Exit(FINDINGS)


def _say(text: str) -> None:
    click.echo(text, err=True)
