"""`mesh room aws`: the same agreement at AWS Clean Rooms."""

import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from mesh_defs.cli.render import print_json, print_table
from mesh_defs.errors import UnreachableError

if TYPE_CHECKING:
    from mesh_defs.cleanroom.aws_places import Places
    from mesh_defs.cleanroom.aws_plan import Step
    from mesh_defs.cleanroom.signed import RoomFolder
    from mesh_defs.errors import Finding
    from mesh_defs.model.room import Agreement

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.group()
def aws() -> None:
    """The same agreement at AWS Clean Rooms."""


@aws.command()
@click.argument("room")
@click.option("--party", help="Only this party's requests; with --apply, whose account this is.")
@click.option("--places", type=_FILE, help="Where parties and tables are at AWS.  [default: aws.yaml in its folder]")
@click.option("--apply", "applies", is_flag=True, help="Send them, as the AWS credentials of this environment.")
@click.option("--yes", is_flag=True, help="With --apply: do not ask first.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
def plan(room: str, party: str | None, places: Path | None, applies: bool, yes: bool, as_json: bool) -> None:
    """Print the requests that make a room's collaboration at AWS Clean Rooms, in order. ROOM: its id, or its folder.

    Nothing is planned for an agreement that AWS cannot express (exit code 1): each such control is named, and can be waived for
    AWS by all parties together. Without --apply nothing is sent, and the same agreement gives the same text.
    """
    _require_boto3()
    from mesh_defs.cleanroom.aws_losses import losses_of, refusals
    from mesh_defs.cleanroom.aws_places import read_places
    from mesh_defs.cleanroom.aws_plan import plan as planned
    from mesh_defs.cleanroom.rooms import room_at
    from mesh_defs.cleanroom.signed import RoomFolder
    from mesh_defs.documents.room import digest_of
    from mesh_defs.errors import DeclarationError
    from mesh_defs.settings import load_settings

    folder = RoomFolder(Path(room)) if Path(room).is_dir() else room_at(load_settings(), room)
    agreement = folder.signed() if applies else folder.agreement()
    if (party is not None or applies) and party not in [each.name for each in agreement.parties]:
        raise click.UsageError(f"--party is one of {', '.join(each.name for each in agreement.parties)}")
    said: dict[str, Any] = {
        "room": agreement.id,
        "version": agreement.version,
        "agreement": digest_of(agreement),
        "unsigned": _unsigned(folder),
        "refused": [],
        "waived": [each.control for each in losses_of(agreement) if each.control in agreement.waived.get("aws", ())],
        "steps": [],
    }
    if found := refusals(agreement):
        _refuse(said, found, as_json=as_json)
    at = read_places(places or folder.path / "aws.yaml", agreement)
    try:
        steps = planned(agreement, at)
    except DeclarationError as error:
        _refuse(said, error.findings, as_json=as_json)
    if applies and party is not None:
        _apply(agreement, at, steps, party, yes=yes, as_json=as_json)
        return
    said["steps"] = [_shown(step, at) for step in steps if party in (None, step.party)]
    _show(said, as_json=as_json)


def _require_boto3() -> None:
    if find_spec("boto3") is None:
        raise UnreachableError("AWS needs boto3, which is not installed", fix="install mesh-defs[room]")


def _unsigned(folder: "RoomFolder") -> str | None:
    """Why this is not what all signed; None when it is."""
    from mesh_defs.errors import AccessDeniedError

    try:
        folder.signed()
    except AccessDeniedError as error:
        return error.what
    return None


def _shown(step: "Step", at: "Places") -> dict[str, Any]:
    return {
        "step": step.name,
        "party": step.party,
        "account": at.account(step.party),
        "operation": step.operation,
        "request": _plain(step.request),
    }


def _plain(value: Any) -> Any:
    """A request as JSON: what another step gives stands as `${step:id}`."""
    from mesh_defs.cleanroom.aws_plan import Reference

    if isinstance(value, Reference):
        return str(value)
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list) else value


def _refuse(said: dict[str, Any], found: Iterable["Finding"], *, as_json: bool) -> NoReturn:
    from mesh_defs.cli.main import FINDINGS

    said["refused"] = [{"control": each.where, "what": each.what, "fix": each.fix} for each in found]
    if as_json:
        print_json(said)
    else:
        print_table(("not at AWS", "why", "mend"), [tuple(each.values()) for each in said["refused"]])
        click.echo("nothing is planned: AWS Clean Rooms cannot express this agreement", err=True)
    sys.exit(FINDINGS)


def _show(said: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(said)
        return
    if said["unsigned"]:
        click.echo(f"not signed by all: {said['unsigned']}", err=True)
    if said["waived"]:
        click.echo(f"waived by the agreement, and not kept at AWS: {', '.join(said['waived'])}", err=True)
    for each in said["steps"]:
        click.echo(f"# {each['step']}: {each['party']}, account {each['account']}, {each['operation']}")
        print_json(each["request"])


def _apply(
    agreement: "Agreement", at: "Places", steps: Iterable["Step"], party: str, *, yes: bool, as_json: bool
) -> None:
    from mesh_defs.cleanroom.aws_apply import apply, client_of
    from mesh_defs.cleanroom.rules import require_valid

    require_valid(agreement, datetime.now(UTC))
    steps = tuple(steps)
    account = at.account(party)
    count = sum(step.party == party for step in steps)
    if not yes:
        question = f"Make up to {count} resources of room '{agreement.id}' in account {account}, {at.region}?"
        click.confirm(question, abort=True, err=True)
    accounts = {name: each.account for name, each in at.parties.items()}
    done = []
    for each in apply(steps, party, accounts, client_of(account, at.region)):
        done.append({"step": each.step.name, "state": each.state})
        if not as_json:
            click.echo(f"{each.state:<6} {each.step.name}")
    waiting = [each["step"] for each in done if each["state"] == "waits"]
    if as_json:
        print_json({"room": agreement.id, "party": party, "account": account, "done": done})
    elif waiting:
        click.echo(f"{len(waiting)} steps wait for the other parties': run this again after theirs", err=True)
