"""`mesh room`: what partners agreed to ask of each other's data, asked and answered."""

import click

from mesh_defs.cli.room_agreement import freeze, new, revoke, sign
from mesh_defs.cli.room_ask import ask
from mesh_defs.cli.room_aws import aws
from mesh_defs.cli.room_processes import join, key, party
from mesh_defs.cli.room_show import ledger, show, templates, verify


@click.group()
def room() -> None:
    """Clean rooms: partners' answers, nobody's rows."""


for each in (key, new, freeze, sign, revoke, show, templates, ask, ledger, verify, party, join, aws):
    room.add_command(each)
