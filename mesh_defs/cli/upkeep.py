"""`mesh renovate` and `mesh erase`: change where a product lies, and who is in it."""

import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from mesh_defs.catalog.describe import find_product
from mesh_defs.cli.main import FINDINGS
from mesh_defs.cli.render import print_json, print_table
from mesh_defs.model.contract import Server
from mesh_defs.model.version import Version
from mesh_defs.query.mesh import open_mesh
from mesh_defs.settings import load_settings

if TYPE_CHECKING:
    from mesh_defs.upkeep.erase import Erasure


@click.command()
@click.argument("product")
@click.option("--back", is_flag=True, help="Return to the place before, while that is kept.")
@click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON.")
def renovate(product: str, back: bool, as_json: bool) -> None:
    """Move PRODUCT to the storage that its contract names now. Nobody who reads it notices.

    Change the contract's server, deploy, then run this: versions are copied with their times and compared, and one step
    flips all readers. The old place stays until the product's retention is over; `--back` returns to it.
    """
    from mesh_defs.upkeep.connection import working
    from mesh_defs.upkeep.renovate import renovate as move

    settings = load_settings()
    mesh = open_mesh(settings)

    def report(version: Version) -> None:
        sys.stderr.write(f"  carrying {version.id}: {version.rows:,} rows of {version.published_at:%Y-%m-%d %H:%M}\n")

    with working(settings, mesh.standards) as connection:
        done = move(find_product(mesh, product), settings, connection=connection, now=_now, back=back, report=report)
    if as_json:
        print_json({"product": done.product, "moved": done.moved, "versions": done.versions, "place": _place(done.new)})
    elif done.moved:
        click.echo(f"{product} moved from {_place(done.old)} to {_place(done.new)}; {done.versions} versions carried")
        if back:
            click.echo(
                "its contract still names the other place: take that back, or the next renovation moves it again"
            )
    else:
        click.echo(f"{product} is already where its contract puts it: {_place(done.new)}")


@click.command()
@click.option("--person", required=True, metavar="KEY", help="The person's key; - reads it from standard input.")
@click.option("--dry-run", is_flag=True, help="Only say where the person is.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--no-wait", is_flag=True, help="Leave old versions to the nightly sweep instead of waiting for queries.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def erase(person: str, dry_run: bool, yes: bool, no_wait: bool, as_json: bool) -> None:
    """Remove a person from every product that declares a person key, in all kept versions, for good.

    Exit code 1 when the person could not be removed from some product; the report says whom to ask.
    """
    from mesh_defs.upkeep.connection import working
    from mesh_defs.upkeep.erase import erase as remove
    from mesh_defs.upkeep.erase import find, retire_erased

    settings = load_settings()
    mesh = open_mesh(settings)
    key = sys.stdin.readline().strip() if person == "-" else person
    if person == "-" and not (yes or dry_run):
        raise click.UsageError("add --yes or --dry-run: standard input holds the key, so nobody can be asked there")
    if not key:
        raise click.UsageError("the person's key is empty")
    with working(settings, mesh.standards) as connection:
        report = find(key, mesh, settings, connection=connection)
        if not dry_run:
            if not yes:
                _show(report, as_json=False)
                click.confirm("Erase? This cannot be undone.", abort=True, err=True)
            report = remove(key, mesh, settings, connection=connection, now=_now())
    _show(report, as_json=as_json)
    done = any(each.state == "erased" for each in report) and not dry_run
    if done and not no_wait and _waited(mesh.standards.query_seconds_max):
        retire_erased(report, mesh, settings, now=_now())
    if any(each.state == "impossible" for each in report):
        raise click.exceptions.Exit(FINDINGS)


def _show(erasures: "Sequence[Erasure]", *, as_json: bool) -> None:
    if as_json:
        fields = ("product", "state", "rows", "versions", "told")
        print_json([{name: getattr(each, name) for name in fields} for each in erasures])
        return
    rows = [[each.product, each.state, each.rows, each.versions, each.told] for each in erasures]
    print_table(["product", "person", "rows", "older versions", ""], rows)


def _waited(seconds: float) -> bool:
    """Wait until no query can be reading what was replaced; False when somebody would not."""
    told = "waiting {:g} s for queries that may read the old versions; Ctrl-C leaves them to the nightly sweep\n"
    sys.stderr.write(told.format(seconds))
    try:
        time.sleep(seconds + 1)
    except KeyboardInterrupt:
        return False
    return True


def _place(server: Server) -> str:
    return f"{server.kind}: {server.place}"


def _now() -> datetime:
    return datetime.now(UTC)
