"""Writes docs/reference/ from the code: `python docs/generate.py`; `--check` only compares, and exits 1 when it is old.

Commands from click's own help, settings from the table in `mesh_defs.settings`, errors from `mesh_defs.errors`, expectation
types from `quality_checks`. Nothing is written here that the code does not say.
"""

import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from mesh_defs import errors, settings
from mesh_defs.cli.main import exit_code, mesh
from quality_checks.expectation_type import ExpectationType
from quality_checks.registry import TYPES

REFERENCE = Path(__file__).parent / "reference"
_WIDTH = 100
_CONTEXT: dict[str, Any] = {**mesh.context_settings, "max_content_width": _WIDTH}
_GENERATED = "<!-- Written by docs/generate.py. Change the code, then run it. -->"


def pages() -> dict[str, str]:
    """Return every page of the reference: file name -> Markdown."""
    written = {
        "commands.md": _commands(),
        "settings.md": _settings(),
        "errors.md": _errors(),
        "expectations.md": _expectations(),
    }
    return {name: "\n".join((_GENERATED, "", *lines)).rstrip() + "\n" for name, lines in written.items()}


def main(arguments: list[str]) -> int:
    """Write the pages, or with `--check` name those that differ."""
    stale = [name for name, text in pages().items() if _read(REFERENCE / name) != text]
    if "--check" in arguments:
        for name in stale:
            sys.stderr.write(f"docs/reference/{name} is old — run `python docs/generate.py`\n")
        return 1 if stale else 0
    REFERENCE.mkdir(exist_ok=True)
    for name, text in pages().items():
        (REFERENCE / name).write_text(text, encoding="utf-8")
    return 0


def commands() -> dict[str, click.Command]:
    """Return every command by what a person types: `mesh show`, `mesh new domain`."""
    return dict(_below(mesh, "mesh"))


def settings_table() -> list[tuple[str, str, str]]:
    """Return (name, meaning, default) for each variable in the docstring of `mesh_defs.settings`."""
    rows = (line for line in (settings.__doc__ or "").splitlines() if line.startswith(("MESH_", "DAGSTER_")))
    found = []
    for row in rows:
        name, _, rest = row.partition(" ")
        meaning, _, default = rest.partition("default:")
        found.append((name, meaning.strip(), default.strip()))
    return found


def error_classes() -> list[type[errors.MeshError]]:
    """Return the classes that are raised, each after the one that it specialises."""
    found = dict.fromkeys(_subclasses(errors.MeshError))  # one that specialises two comes up twice
    # What a module specialises for itself keeps the code of what it specialises.
    return [kind for kind in found if kind.__module__ == errors.__name__ and kind is not errors.MeshError]


def told_by(kind: ExpectationType) -> str:
    """Return the docstring of the function that declares the type; a row rule's stands inside its planner."""
    declared = inspect.getclosurevars(kind.plan).nonlocals.get("unexpected", kind.plan)
    return _first_sentence(declared.__doc__)


def _commands() -> Iterator[str]:
    yield from ("# Commands", "", "What `mesh … --help` says.", "")
    for name, command in commands().items():
        # As whoever types it sees it: below `mesh`, each command has its help options, and click keeps the first it made.
        context = click.Context(command, info_name=name, terminal_width=_WIDTH, **_CONTEXT)
        yield from (f"## `{name}`", "", "```", *command.get_help(context).splitlines(), "```", "")


def _settings() -> Iterator[str]:
    yield from ("# Settings", "", "Environment variables. What all domains share stands in `mesh.yaml` instead.", "")
    yield from ("| variable | what | default |", "|---|---|---|")
    for name, meaning, default in settings_table():
        yield f"| `{name}` | {_cell(meaning)} | {_cell(default)} |"
    yield from ("", "`<DOMAIN>` stands for a domain's name in upper case.")


def _errors() -> Iterator[str]:
    yield from ("# Errors", "", "Each says what happened, where, and how to mend it. The code never changes.", "")
    yield from ("| code | class | when | a retry can help | exit code of `mesh` |", "|---|---|---|---|---|")
    for kind in error_classes():
        retry = "yes" if kind.retryable else "no"
        told = _cell(_first_sentence(kind.__doc__))
        yield f"| `{kind.code}` | `{kind.__name__}` | {told} | {retry} | {exit_code(kind.__new__(kind))} |"
    yield from ("", "A wrong option exits 2. An error that is not listed here is a fault of ours.")


def _expectations() -> Iterator[str]:
    yield from ("# Expectation types", "", "Great Expectations' own names and arguments, as `quality` has them.", "")
    yield from ("GX itself decides its other types, in memory; a type that GX does not know is refused.", "")
    for name, kind in sorted(TYPES.items()):
        yield from (f"## `{name}`", "", told_by(kind), "", "| argument | what | required |", "|---|---|---|")
        for argument in kind.arguments:
            yield f"| `{argument.name}` | {_cell(argument.wants)} | {'yes' if argument.required else 'no'} |"
        yield ""


def _below(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    yield name, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for each in command.list_commands(context):
            inner = command.get_command(context, each)
            if inner is not None:
                yield from _below(inner, f"{name} {each}")


def _subclasses(kind: type[errors.MeshError]) -> Iterator[type[errors.MeshError]]:
    yield kind
    for each in kind.__subclasses__():
        yield from _subclasses(each)


def _first_sentence(text: str | None) -> str:
    whole = " ".join(inspect.cleandoc(text or "").split("\n\n")[0].split())
    return re.split(r"(?<=\.) ", whole)[0]


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


def _read(file: Path) -> str | None:
    return file.read_text(encoding="utf-8") if file.exists() else None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
