"""`mesh room key`, `mesh room party` and `mesh room join`: a room's processes."""

import click

from mesh_defs.cli.render import print_json
from mesh_defs.settings import load_settings

_FILE = click.Path(exists=True, dir_okay=False)


def _listening(command: click.decorators.FC) -> click.decorators.FC:
    """Where a process listens, and how TLS is set up there and towards others."""
    for option in (
        click.option("--plain", is_flag=True, help="Plain HTTP past this machine: something else encrypts."),
        click.option("--ca", type=_FILE, help="PEM: authorities whose certificates others must show."),
        click.option("--certificate-key", "certificate_key", type=_FILE, help="PEM: the certificate's key."),
        click.option("--certificate", type=_FILE, help="PEM: own certificate; makes it https."),
        click.option(
            "--port", type=click.IntRange(1, 65_535), help="Its port. Default: that of its url in the agreement."
        ),
        click.option("--host", default="127.0.0.1", show_default=True, help="Where it listens."),
    ):
        command = option(command)
    return command


@click.command()
@click.option("--party", metavar="NAME", help="A key for this party alone, where one owner has several in this mesh.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
def key(party: str | None, as_json: bool) -> None:
    """Make this mesh's key for clean rooms, unless there is one, and print its public half for the agreement.

    The private half stays in the secrets folder, for its owner alone.
    """
    from mesh_defs.cleanroom.keys import make_identity
    from mesh_defs.model.names import is_name

    if party is not None and not is_name(party):
        raise click.UsageError(f"'{party}' is no party's name: lower case letters, digits and _, a letter first")
    public, new = make_identity(load_settings(), party)
    if as_json:
        print_json({"key": public, "new": new})
        return
    click.echo(public)


@click.command()
@click.argument("room")
@click.option("--party", metavar="NAME", help="For which party, where this mesh has the keys of several.")
@click.option("--as", "principal", help="Who reads here for the room, by the mesh's grants. Default: its seat's.")
@click.option("--purpose", help="What for. Default: its seat's.")
@click.option("--engine", type=click.Choice(["duckdb", "trino"]), help="Default: its seat's, else as the mesh chooses.")
@_listening
def party(
    room: str,
    party: str | None,
    principal: str | None,
    purpose: str | None,
    engine: str | None,
    host: str,
    port: int | None,
    certificate: str | None,
    certificate_key: str | None,
    ca: str | None,
    plain: bool,
) -> None:
    """Answer for this mesh in a room, until Ctrl-C: the party is the one whose key this mesh has.

    As whom it reads here, what for and by which engine, its seat in rooms/ROOM/seats.yaml says. It believes its own copy of the
    signed agreement alone; both are read anew at every message. What it sends are persons under tokens.
    """
    from mesh_defs.cleanroom.channel import Trust
    from mesh_defs.cleanroom.processes import Listening, serve_party

    trust = Trust(ca=ca, certificate=certificate, key=certificate_key, plain=plain)
    said = {"principal": principal, "purpose": purpose, "engine": engine}
    given = {name: value for name, value in said.items() if value is not None}
    listening = Listening(host=host, port=port, trust=trust)
    serve_party(load_settings(), room, wanted=party, given=given, listening=listening)


@click.command()
@click.argument("room")
@click.option("--seconds-max", default=600.0, show_default=True, type=click.FloatRange(1, 600), help="Of one run.")
@click.option(
    "--memory-mb", default=8192, show_default=True, type=click.IntRange(min=512), help="Of one run's process."
)
@_listening
def join(
    room: str,
    seconds_max: float,
    memory_mb: int,
    host: str,
    port: int | None,
    certificate: str | None,
    certificate_key: str | None,
    ca: str | None,
    plain: bool,
) -> None:
    """Add up for a room, until Ctrl-C, in the mesh whose key the agreement names as the join's.

    It starts a process for each run, which holds no credential and is gone with the run.
    """
    from mesh_defs.cleanroom.channel import Trust
    from mesh_defs.cleanroom.host import Limits
    from mesh_defs.cleanroom.processes import Listening, serve_join

    serve_join(
        load_settings(),
        room,
        limits=Limits(seconds_max=seconds_max, memory_bytes_max=memory_mb << 20),
        listening=Listening(
            host=host, port=port, trust=Trust(ca=ca, certificate=certificate, key=certificate_key, plain=plain)
        ),
    )
