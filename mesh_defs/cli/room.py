"""`mesh room`: clean rooms."""

import click

from mesh_defs.cli.room_aws import aws


@click.group()
def room() -> None:
    """Clean rooms: partners' answers, nobody's rows."""


room.add_command(aws)
