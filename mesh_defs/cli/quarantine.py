"""`mesh quarantine`: what was refused, its rows for the domain that owns them, and the way back to readers."""

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

import click

from mesh_defs.catalog.describe import find_product
from mesh_defs.catalog.quality import record_evaluation
from mesh_defs.cli.main import FINDINGS, exit_code
from mesh_defs.cli.render import age, print_json, print_table
from mesh_defs.errors import MeshError
from mesh_defs.model.mesh import Mesh
from mesh_defs.query.mesh import open_mesh, open_storage
from mesh_defs.settings import Settings, load_settings
from mesh_defs.storage.base import Refused

if TYPE_CHECKING:
    from mesh_defs.upkeep.quarantined import Custody
    from mesh_defs.upkeep.release import Release

_Done = TypeVar("_Done")
ROWS_MAX = 20


@click.group()
def quarantine() -> None:
    """What broke its contract and was not published: list it, show its rows to their owner, release it."""


@quarantine.command("list")
@click.argument("product", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print a list of objects.")
def list_(product: str | None, as_json: bool) -> None:
    """List what lies in quarantine, of PRODUCT or of all: newest first, with why. No values of rows.

    It stays for the product's retention, then the nightly sweep removes it.
    """
    settings = load_settings()
    mesh = open_mesh(settings)
    names = [find_product(mesh, product).name] if product else list(mesh.products)
    found, unread = _listed(names, mesh, settings)
    if as_json:
        print_json(found)
    elif found:
        shown = [[e["id"], age(e["at"]), e["product"], e["partition"], e["rows"], e["kind"], e["why"]] for e in found]
        print_table(["id", "when", "product", "partition", "rows", "kind", "why"], shown, right=["rows"])
    else:
        click.echo("nothing is in quarantine")
    for error in unread:
        sys.stderr.write(f"{error}\n")
    if unread:
        raise click.exceptions.Exit(exit_code(unread[0]))


@quarantine.command()
@click.argument("product")
@click.argument("id")
@click.option("--as", "principal", metavar="NAME", help="Who looks: the domain's own service:<domain>, nobody else.")
@click.option("--limit", default=ROWS_MAX, show_default=True, type=click.IntRange(min=0), help="Rows shown; 0: all.")
@click.option("--unmasked", is_flag=True, help="Show all values; that is recorded.")
@click.option("--json", "as_json", is_flag=True, help="Print one object, with the rows as objects.")
def show(product: str, id: str, principal: str | None, limit: int, unmasked: bool, as_json: bool) -> None:
    """Show rows of what lies in quarantine under ID, to the domain's own service identity alone.

    Values are masked but for columns of which the contract allows samples (`samples: true`), and those never when they are
    confidential or restricted. It needs the domain's own write credentials. Recorded in the ledger before the first row is read.
    """
    from mesh_defs.upkeep.quarantined import show as look

    shown = _with_custody(
        product, lambda custody: look(custody, id, principal=principal, limit=limit or None, unmasked=unmasked)
    )
    if as_json:
        rows = [dict(zip(shown.columns, row, strict=True)) for row in shown.rows]
        print_json({**_told(product, shown.refused), "masked": list(shown.hidden), "shown": rows})
        return
    print_table(shown.columns, shown.rows)
    of = shown.refused.rows if shown.refused.rows is not None else "?"
    sys.stderr.write(f"{len(shown.rows)} of {of} rows; masked: {', '.join(shown.hidden) or 'no column'}\n")


@quarantine.command()
@click.argument("product")
@click.argument("id")
@click.option("--as", "principal", metavar="NAME", help="Who releases: the domain's own service:<domain>.")
@click.option("--over-newer", is_flag=True, help="Even where readers have newer data by now.")
@click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON.")
def release(product: str, id: str, principal: str | None, over_newer: bool, as_json: bool) -> None:
    """Publish what lies in quarantine under ID, if it passes the contract as it is today.

    A batch is published as it is; rows that were left out of a version are added to it. What does not pass stays where it
    is, and the answer says which checks still fail (exit code 1).
    """
    from mesh_defs.upkeep.release import release as let_go

    done = _with_custody(product, lambda custody: let_go(custody, id, principal=principal, over_newer=over_newer))
    if as_json:
        version = done.version.id if done.version else None
        print_json(
            {**_told(product, done.refused), "released": version is not None, "version": version, "told": done.told}
        )
    elif done.version:
        click.echo(f"released: {product} is version {done.version.id} now, {done.version.rows:,} rows")
    if done.version is None:
        sys.stderr.write(f"{id} stays in quarantine: {done.told}\n")
        raise click.exceptions.Exit(FINDINGS)
    _keep(done)
    _tell_dagster(done)


def _keep(done: "Release") -> None:
    """A release is audited as any publication is: its findings belong to the product's history."""
    assert done.version is not None
    partition = done.refused.partition
    trouble = record_evaluation(
        load_settings(),
        done.product,
        done.results,
        at=_now(),
        version=done.version.id,
        published=True,
        partition=partition,
        rows=sum(part.rows for part in done.version.parts if part.partition == partition),
    )
    if trouble:
        sys.stderr.write(f"{trouble}\n")


def _tell_dagster(done: "Release") -> None:
    """Only where there is an instance: importing Dagster takes a second."""
    settings = load_settings()
    if (settings.dagster_home / "dagster.yaml").exists():
        from mesh_defs.refresh.released import record_release

        record_release(settings, done)


def _with_custody(product: str, call: "Callable[[Custody], _Done]") -> _Done:
    from mesh_defs.ledger import open_ledger
    from mesh_defs.upkeep.connection import working
    from mesh_defs.upkeep.quarantined import Custody

    settings = load_settings()
    mesh = open_mesh(settings)
    found, ledger = find_product(mesh, product), open_ledger(settings)
    with working(settings, mesh.standards) as connection:
        return call(
            Custody(product=found, mesh=mesh, settings=settings, ledger=ledger, connection=connection, clock=_now)
        )


def _listed(names: list[str], mesh: Mesh, settings: Settings) -> tuple[list[dict[str, Any]], list[MeshError]]:
    """A storage that does not answer hides only its own products."""
    found: list[dict[str, Any]] = []
    unread: list[MeshError] = []
    for name in names:
        if mesh.products[name].contract.external:
            continue
        try:
            found += [_told(name, refused) for refused in open_storage(mesh.products[name], settings).refused()]
        except MeshError as error:
            unread.append(error)
    return sorted(found, key=lambda each: (each["at"], each["id"]), reverse=True), unread


def _told(product: str, refused: Refused) -> dict[str, Any]:
    return {
        "id": refused.id,
        "at": refused.refused_at,
        "product": product,
        "partition": refused.partition,
        "rows": refused.rows,
        "kind": refused.kind,
        "why": [str(reason.get("check", "")) for reason in refused.reasons],
    }


def _now() -> datetime:
    return datetime.now(UTC)
