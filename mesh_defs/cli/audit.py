"""`mesh audit`: whether the record is whole, what it says, and a copy of it for others."""

import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mesh_defs.cli.main import FINDINGS
from mesh_defs.cli.render import print_json, print_table
from mesh_defs.errors import Finding
from mesh_defs.settings import load_settings

if TYPE_CHECKING:
    from mesh_defs.ledger import LedgerEntry
    from mesh_defs.ledger.head import Head

ENTRIES_MAX = 40
_DAY = "YYYY-MM-DD"


class _Time(click.ParamType[datetime]):
    """A day or a time of ISO 8601; without a zone it is UTC. `end`: a day counts to its end."""

    name = f"{_DAY}[THH:MM]"

    def __init__(self, *, end: bool) -> None:
        self._end = end

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        try:
            found = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"'{value}' is no day ({_DAY}) and no time ({_DAY}THH:MM)", param, ctx)
        if self._end and len(value) == len(_DAY):
            found += timedelta(days=1)
        return found if found.tzinfo else found.replace(tzinfo=UTC)


@click.group()
def audit() -> None:
    """The ledger: every question, decision, grant and answer. Is it whole, what does it say, a copy of it."""


@audit.command()
@click.option(
    "--head", "kept", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A head kept elsewhere."
)
@click.option("--json", "as_json", is_flag=True, help="Print one object.")
def verify(kept: Path | None, as_json: bool) -> None:
    """Read the whole ledger and say what was changed, removed, inserted, moved, cut off or written anew, and where.

    Exit code 1 when anything was. It is held against its signed head, and with --head also against one that somebody else
    kept (`mesh audit head`): that one shows even what was done by who holds the key, or put back an older ledger and head.
    """
    from mesh_defs.ledger.audit import read_kept
    from mesh_defs.ledger.audit import verify as look

    found = look(load_settings(), kept=read_kept(kept.read_bytes(), str(kept)) if kept else None)
    if as_json:
        head = _told(found.head) if found.head else None
        findings = [{"where": each.where, "what": each.what, "fix": each.fix} for each in found.findings]
        print_json(
            {
                "whole": not findings,
                "entries": found.entries,
                "unsigned": found.unsigned,
                "head": head,
                "findings": findings,
            }
        )
    elif not found.findings:
        signed = f"head signed at {found.head.at} (entry {found.head.seq:,})" if found.head else "not signed yet"
        since = f", {found.unsigned:,} since then not signed yet" if found.head and found.unsigned else ""
        click.echo(f"whole: {found.entries:,} entries, {signed}{since}")
    _leave_with(found.findings)


@audit.command()
@click.option("--json", "as_json", is_flag=True, help="Print it indented; the signature holds either way.")
def head(as_json: bool) -> None:
    """Print the signed head, for somebody else to keep: one line of JSON with the newest entry's number, hash and time.

    Keep it where nobody who writes the ledger can write, or have it co-signed; `mesh audit verify --head FILE` takes it.
    """
    from mesh_defs.errors import NotFoundError
    from mesh_defs.ledger.seal import seal_of

    found = seal_of(load_settings()).head()
    if found is None:
        raise NotFoundError("the ledger has no signed head yet", fix="the next query signs it, or `mesh audit sign`")
    if as_json:
        print_json(_told(found))
    else:
        click.echo(found.text)


@audit.command()
@click.option("--because", required=True, metavar="TEXT", help="Why it may be signed; that is recorded.")
@click.option("--as", "principal", metavar="NAME", help="Who signs (or MESH_PRINCIPAL).")
@click.option("--json", "as_json", is_flag=True, help="Print the entry that records it.")
def sign(because: str, principal: str | None, as_json: bool) -> None:
    """Sign the ledger as it is now, whatever was signed before. An entry says so, with the head that there was.

    For an operator who knows that it is right: a backup was put back, a head or a key was lost, a damaged ledger was moved
    away. A ledger whose chain is broken is not signed. What runs meanwhile must be started anew afterwards.
    """
    from mesh_defs.ledger.audit import accept

    settings = load_settings()
    entry = accept(settings, because=because, principal=principal or settings.principal, at=datetime.now(UTC))
    if as_json:
        print_json(_object(entry))
    else:
        click.echo(f"signed: entry {entry.seq:,} is the head now, and says why")


@audit.command()
@click.option("--principal", metavar="NAME", help="Who asked or acted.")
@click.option("--product", metavar="PRODUCT", help="About which product.")
@click.option("--kind", help="allowed, denied, answered, …")
@click.option("--since", type=_Time(end=False), help="From this day or time on (UTC).")
@click.option("--until", type=_Time(end=True), help="To this day, it included, or to this time.")
@click.option("--limit", default=ENTRIES_MAX, show_default=True, type=click.IntRange(min=1), help="Entries at most.")
@click.option("--json", "as_json", is_flag=True, help="Print a list of objects, with all that was recorded.")
def search(
    principal: str | None,
    product: str | None,
    kind: str | None,
    since: datetime | None,
    until: datetime | None,
    limit: int,
    as_json: bool,
) -> None:
    """Find entries, the newest first: who asked for what, and what was decided. A damaged ledger is searched, too (exit 1)."""
    from mesh_defs.ledger.audit import opened
    from mesh_defs.ledger.search import Wanted, products_of
    from mesh_defs.ledger.search import search as find

    table, trouble = opened(load_settings())
    wanted = Wanted(principal=principal, product=product, kind=kind, since=since, until=until)
    found = find(table, wanted, limit=limit) if table.open() else ()
    if as_json:
        print_json([_object(entry) for entry in found])
    elif found:
        rows = [
            [e.seq, e.at[:19], e.kind, e.body.get("principal"), ", ".join(products_of(e.body)), _rest(e)] for e in found
        ]
        print_table(["entry", "at (UTC)", "kind", "who", "products", ""], rows, right=["entry"])
    else:
        click.echo("nothing of the kind is on record")
    _leave_with([trouble] if trouble else [])


@audit.command()
@click.option("--format", "form", type=click.Choice(["jsonl", "parquet"]), default="jsonl", show_default=True)
@click.option("--out", required=True, type=click.Path(dir_okay=False, path_type=Path), help="File to write.")
@click.option("--json", "as_json", is_flag=True, help="Print what was written as JSON.")
def export(form: str, out: Path, as_json: bool) -> None:
    """Write every entry to a file, with its hash, so that whoever has it can compute the chain anew.

    A broken chain is exported as it is, told, and ends with exit code 1.
    """
    from mesh_defs.ledger.export import export as write

    if not out.absolute().parent.is_dir():
        raise click.UsageError(f"there is no folder {out.absolute().parent}")
    count, findings = write(load_settings(), out, "parquet" if form == "parquet" else "jsonl")
    if as_json:
        print_json({"file": str(out), "entries": count, "whole": not findings})
    else:
        click.echo(f"{count:,} entries are in {out}")
    _leave_with(findings)


def _leave_with(findings: Sequence[Finding]) -> None:
    """Say what is wrong, and leave with the exit code of findings."""
    sys.stdout.flush()
    for each in findings:
        sys.stderr.write(f"{each}\n")
    if findings:
        raise click.exceptions.Exit(FINDINGS)


def _told(head: "Head") -> dict[str, Any]:
    return dict(json.loads(head.text))


def _object(entry: "LedgerEntry") -> dict[str, Any]:
    return {name: getattr(entry, name) for name in ("seq", "at", "kind", "body", "previous", "hash")}


def _rest(entry: "LedgerEntry") -> str:
    """What a reader of the table wants next: what for, which decision it answers, why not."""
    told = (entry.body.get(name) for name in ("purpose", "decision", "code", "reasons", "because"))
    texts = ("; ".join(map(str, each)) if isinstance(each, list) else str(each) for each in told if each)
    return ", ".join(texts)
