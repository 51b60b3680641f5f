"""`mesh room show`, `templates`, `ledger` and `verify`: reading a room."""

import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import click

from mesh_defs.cli.main import FINDINGS
from mesh_defs.cli.render import plain, print_json, print_table
from mesh_defs.settings import load_settings

_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
_FILE = click.Path(path_type=Path, dir_okay=False)
_PARTY = click.option("--party", metavar="NAME", help="As which party, where this mesh speaks for several.")


@click.command()
@click.argument("room", required=False)
@_PARTY
@_JSON
def show(room: str | None, party: str | None, as_json: bool) -> None:
    """Say in plain words who agreed to what, what may be asked, what is left of the budget, and what was released.

    Why a group is missing from a release is told to the parties whose rows it is of, and to nobody else. Without ROOM: all.
    """
    from mesh_defs.cleanroom.room_told import agreed_lines, released_lines, told_json
    from mesh_defs.cleanroom.rooms import room_at, room_names, viewer_of
    from mesh_defs.ledger import open_ledger

    settings = load_settings()
    if room is None:
        _list(room_names(settings.root), as_json=as_json)
        return
    folder = room_at(settings, room)
    agreement = folder.agreement()
    viewer = viewer_of(agreement, folder, settings, party)
    ledger, now = open_ledger(settings), datetime.now(UTC)
    if as_json:
        print_json(told_json(folder, ledger, viewer, now))
        return
    _print(agreed_lines(folder, now))
    _print(released_lines(agreement, ledger, viewer))


@click.command()
@click.argument("room")
@_JSON
def templates(room: str, as_json: bool) -> None:
    """List the questions that all parties signed, and what each takes."""
    from mesh_defs.cleanroom.room_told import template_json
    from mesh_defs.cleanroom.rooms import room_at

    agreement = room_at(load_settings(), room).agreement()
    found = [template_json(each, agreement) for each in agreement.templates]
    if as_json:
        print_json(found)
    elif not found:
        click.echo(f"no template was agreed on in room '{room}'")
    for each in () if as_json else found:
        click.echo(f"{each['name']}: {plain(' '.join(each['sql'].split()))}")
        for name, parameter in each["parameters"].items():
            values = ", ".join(map(str, parameter["values"]))
            click.echo(f"  --arg {name}=… is a value of {parameter['of']}: {plain(values)}")


@click.command()
@click.argument("room")
@_JSON
def ledger(room: str, as_json: bool) -> None:
    """List what this mesh's ledger holds of a room: questions, releases, runs that came to nothing; oldest first."""
    from mesh_defs.cleanroom.budget import KINDS
    from mesh_defs.cleanroom.room_told import entry_told
    from mesh_defs.cleanroom.rooms import room_at
    from mesh_defs.ledger import open_ledger

    settings = load_settings()
    name = room_at(settings, room).agreement().id
    kept = open_ledger(settings).entries(kinds=KINDS, limit=None, oldest_first=True)
    found = [entry for entry in kept if entry.body.get("room") == name]
    if as_json:
        print_json([{"entry": e.seq, "at": e.at, "kind": e.kind, "body": e.body} for e in found])
    elif found:
        rows = [[e.seq, e.at[:19], e.kind, str(e.body["run"])[:8], entry_told(e)] for e in found]
        print_table(["entry", "at (UTC)", "kind", "run", ""], rows, right=["entry"])
    else:
        click.echo(f"nothing was asked in room '{room}' yet")


@click.command()
@click.argument("room")
@click.option(
    "--out", type=_FILE, help="Also write what this mesh keeps of all parties' signatures, to hand to another party."
)
@click.option(
    "--with", "handed", type=_FILE, multiple=True, help="Such a file of another party's; can be given more than once."
)
@_PARTY
@_JSON
def verify(room: str, out: Path | None, handed: tuple[Path, ...], party: str | None, as_json: bool) -> None:
    """Check the signatures under the agreement, this mesh's whole ledger with its signed head, and that ledger against what all
    parties signed of it at each release, where they are processes of their own. Exits 1 on a finding.

    A signature that is missing is told, and a finding too: the room answers nothing until all have signed. Who writes a
    ledger anew can delete its own copies of what was signed: other parties' (--with) show it all the same.
    """
    from mesh_defs.cleanroom.examined import statement_findings
    from mesh_defs.cleanroom.handed import hand_over, taken_over
    from mesh_defs.cleanroom.processes import cosigned_findings, kept_signatures
    from mesh_defs.cleanroom.rooms import room_at
    from mesh_defs.cleanroom.signed import require_signed
    from mesh_defs.errors import AccessDeniedError, Finding, StorageError
    from mesh_defs.ledger.audit import verify as look

    settings = load_settings()
    folder = room_at(settings, room)
    agreement = folder.agreement()
    theirs = taken_over(handed, agreement.id)
    findings = list(statement_findings(folder, agreement, f"rooms/{room}"))
    try:
        require_signed(agreement, folder.statements())
    except AccessDeniedError as error:
        findings.append(Finding(where=f"rooms/{room}", what=error.what, fix=error.fix or "agree on a next version"))
    except StorageError:
        pass  # is among the findings
    findings += cosigned_findings(folder, settings, theirs, party)
    looked = look(settings)
    findings += looked.findings
    if out is not None:
        kept = kept_signatures(settings, room)
        hand_over(out, agreement.id, kept)
        click.echo(f"{len(kept):,} signatures are in {out}: hand it to another party", err=True)
    if as_json:
        told = [{"where": each.where, "what": each.what, "fix": each.fix} for each in findings]
        print_json({"sound": not findings, "entries": looked.entries, "handed": len(theirs), "findings": told})
    elif not findings:
        names = ", ".join(party.name for party in agreement.parties)
        others = f"; it is as {len(theirs):,} signatures that were handed over say" if handed else ""
        click.echo(f"sound: signed by {names}; the ledger is whole, {looked.entries:,} entries{others}")
    sys.stdout.flush()
    for each in findings:
        click.echo(str(each), err=True)
    if findings:
        raise click.exceptions.Exit(FINDINGS)


def _list(names: Iterable[str], *, as_json: bool) -> None:
    from mesh_defs.cleanroom.room_told import summary
    from mesh_defs.cleanroom.rooms import room_at

    settings, now = load_settings(), datetime.now(UTC)
    found = [summary(room_at(settings, name), now) for name in names]
    if as_json:
        print_json(found)
    elif found:
        print_table(["room", "version", "parties", "state", "until"], [list(each.values()) for each in found])
    else:
        click.echo("this mesh has no room: `mesh room new` writes the draft of an agreement")


def _print(lines: Iterable[str]) -> None:
    for line in lines:
        click.echo(plain(line))
