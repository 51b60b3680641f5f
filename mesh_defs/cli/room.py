"""`mesh room`: what partners agreed to ask of each other's data."""

import click

from mesh_defs.cli.room_processes import join, key, party


@click.group()
def room() -> None:
    """Clean rooms: partners' answers, nobody's rows."""


for each in (key, party, join):
    room.add_command(each)
