"""`mesh completion`: what a shell needs to complete commands and options."""

import sys

import click
from click.shell_completion import get_completion_class


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script, e.g. `eval "$(mesh completion bash)"`."""
    from mesh_defs.cli.main import mesh

    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"no completion for {shell}")
    sys.stdout.write(kind(mesh, {}, "mesh", "_MESH_COMPLETE").source() + "\n")
