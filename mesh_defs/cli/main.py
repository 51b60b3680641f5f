"""`mesh`: the terminal's way in. Parses, calls one function, renders. Imports each command only when it runs."""

import sys
from collections.abc import Mapping
from importlib import import_module

import click

from mesh_defs.errors import MeshError, StorageError, UnreachableError

FINDINGS, USAGE, UNREACHABLE = 1, 2, 3
# command -> module of mesh_defs.cli that defines it
_COMMANDS: Mapping[str, str] = {
    "products": "catalog",
    "show": "catalog",
    "lineage": "catalog",
    "query": "query",
    "replay": "replay",
    "access": "access",
    "refresh": "refresh",
    "new": "new",
    "renovate": "upkeep",
    "erase": "upkeep",
    "quarantine": "quarantine",
    "quality": "quality",
    "inventory": "inventory",
    "draft": "draft",
    "validate": "validate",
    "diff": "validate",
    "plan": "plan",
    "up": "up",
    "code-server": "code_server",
    "interpreter": "code_server",
    "postgres": "postgres",
    "trino": "trino",
    "room": "room",
    "audit": "audit",
    "doctor": "doctor",
    "completion": "completion",
}


class _Lazy(click.Group):
    """Knows its commands by name, so that `mesh products` does not pay for what `mesh refresh` needs."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = import_module(f"mesh_defs.cli.{_COMMANDS[cmd_name]}")
        command: click.Command = getattr(module, cmd_name.replace("-", "_"))
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in _COMMANDS:
            from mesh_defs.errors import nearest

            ctx.fail(f"no command '{args[0]}'; {nearest(args[0], _COMMANDS)}")
        return super().resolve_command(ctx, args)


@click.command(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(package_name="mesh-defs", prog_name="mesh")
def mesh() -> None:
    """A data mesh on Dagster: one contract, one door, no copies.

    Exit codes: 0 fine, 1 findings (also: denied, not found, rejected), 2 usage, 3 something needed does not answer.
    """


def main() -> None:
    """Run the command line; a person's fault is one message and an exit code, our own fault crashes."""
    try:
        code = mesh.main(prog_name="mesh", standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)  # click returns the code of an Exit, or what the command did
    except click.Abort:
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(USAGE)
    except MeshError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(exit_code(error))
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)


def exit_code(error: MeshError) -> int:
    """1 for what a person wrote or may not see, 3 for what does not answer."""
    return UNREACHABLE if isinstance(error, StorageError | UnreachableError) else FINDINGS


if __name__ == "__main__":
    main()
