"""`mesh room ask`: a question to a room, and what may be told of the answer."""

import sys
from typing import TYPE_CHECKING, Any

import click

from mesh_defs.cli.render import print_json, print_table
from mesh_defs.cli.room_agreement import PAIR
from mesh_defs.settings import load_settings

_FILE = click.Path(exists=True, dir_okay=False)

if TYPE_CHECKING:
    from mesh_defs.cleanroom.room import RoomAnswer
    from mesh_defs.model.room import Agreement


@click.command()
@click.argument("room")
@click.argument("sql", required=False)
@click.option("--template", metavar="NAME", help="A signed question instead of SQL.")
@click.option("--arg", "arguments", type=PAIR, multiple=True, metavar="NAME=VALUE", help="A value of the template's.")
@click.option("--party", metavar="NAME", help="Who asks, where the agreement lets several.")
@click.option("--for", "recipient", metavar="NAME", help="Who is to have the answer: who asks, by default.")
@click.option("--epsilon", type=float, help="What it may cost where noise is added: by default the agreed share.")
@click.option("--ca", type=_FILE, help="PEM: authorities whose certificates our party's process must show.")
@click.option("--certificate", type=_FILE, help="PEM: own certificate, with its key in --certificate-key.")
@click.option("--certificate-key", "certificate_key", type=_FILE, help="PEM: the certificate's key.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
def ask(
    room: str,
    sql: str | None,
    template: str | None,
    arguments: tuple[tuple[str, str], ...],
    party: str | None,
    recipient: str | None,
    epsilon: float | None,
    ca: str | None,
    certificate: str | None,
    certificate_key: str | None,
    as_json: bool,
) -> None:
    """Ask a room one question: SQL (`-` reads it from stdin), or a template. What it may ask: `mesh room show ROOM`.

    Groups may be missing from the answer, and the room does not say which or why. The same question in other words gets the
    same answer. Our party's own process is asked; where this mesh speaks for all parties (seats.yaml), it is done in this one.
    """
    if (sql is None) == (template is None):
        raise click.UsageError("ask either SQL or a --template")
    if arguments and template is None:
        raise click.UsageError("--arg is for a --template: write values into the SQL")
    if len(dict(arguments)) < len(arguments):
        raise click.UsageError("--arg gives one of the values twice")
    from mesh_defs.cleanroom.asking import arguments_of, asker_of
    from mesh_defs.cleanroom.asking import ask as ask_room
    from mesh_defs.cleanroom.budget import require_budget, rho_of
    from mesh_defs.cleanroom.channel import Trust
    from mesh_defs.cleanroom.rooms import room_at
    from mesh_defs.cleanroom.rules import Asked
    from mesh_defs.query.platform import open_platform

    settings = load_settings()
    folder = room_at(settings, room)
    agreement = folder.agreement()
    analyst, to = asker_of(folder, settings, party, recipient)
    asked = Asked(
        analyst=analyst,
        recipient=to,
        sql=(sys.stdin.read() if sql == "-" else sql) or "",
        template=template,
        arguments=arguments_of(dict(arguments), template, agreement),
        micro_rho=None if epsilon is None else rho_of(epsilon, require_budget(agreement)),
    )
    trust = Trust(ca=ca, certificate=certificate, key=certificate_key)
    answer = ask_room(settings, room, asked, door=lambda: open_platform(settings, warm=True), trust=trust)
    if answer is not None:
        _print(answer, agreement, as_json=as_json)
    elif as_json:
        print_json(None)
    else:
        click.echo(f"answered, to {to}")


def _print(answer: "RoomAnswer", agreement: "Agreement", *, as_json: bool) -> None:
    from mesh_defs.cleanroom.asking import accuracy_of, groups_possible, rows_of
    from mesh_defs.documents.room import MICRO

    names = [name for name, _ in answer.question.outputs]
    rows, possible, release = rows_of(answer), groups_possible(answer, agreement), answer.release
    accuracy = accuracy_of(answer)
    if as_json:
        told: dict[str, Any] = {
            "columns": names,
            "rows": [dict(zip(names, row, strict=True)) for row in rows],
            "run": release.run,
            "repeated": answer.repeated,
            "groups_possible": possible,
            "rho": release.micro_rho / MICRO,
            "accuracy": accuracy,
        }
        print_json(told)
        return
    numbers = [name for place, name in enumerate(names) if rows and not isinstance(rows[0][place], str)]
    within = [f"{name} ±" for name in accuracy[0]] if accuracy else []
    shown = [[*row, *each.values()] for row, each in zip(rows, accuracy, strict=True)] if accuracy else rows
    print_table([*names, *within], shown, right=[*numbers, *within])
    sys.stdout.flush()
    if accuracy:
        spent = f"rho {release.micro_rho / MICRO:g} was spent on it"
        click.echo(f"\nprivate: noise was added, by no more than ± in 19 of 20 numbers; {spent}", err=True)
    if answer.repeated:
        click.echo("\nreleased before: the same answer, and nothing more was spent", err=True)
    if len(rows) < possible:
        what = "no group is shown" if not rows else f"{len(rows):,} of {possible:,} possible groups are shown"
        click.echo(f"\n{what}: the others are empty or withheld, and which is not told", err=True)
