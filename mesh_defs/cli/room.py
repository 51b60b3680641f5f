"""`mesh room`: clean rooms."""

import click

from mesh_defs.cli.room_aws import aws
from mesh_defs.cli.room_processes import join, key, party


@click.group()
def room() -> None:
    """Clean rooms: partners' answers, nobody's rows."""


for each in (key, party, join, aws):
    room.add_command(each)
