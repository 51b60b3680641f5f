"""`mesh validate` and `mesh diff`: what is wrong before anything runs, and what a change means to consumers."""

import sys
from pathlib import Path

import click

from mesh_defs.cli.main import FINDINGS
from mesh_defs.cli.render import print_json
from mesh_defs.settings import load_settings

_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")


@click.command()
@_JSON
def validate(as_json: bool) -> None:
    """Check contracts, products, access files and standards of all domains. Exits 1 when there are findings."""
    from mesh_defs.authoring.validate import validate as find

    findings = find(load_settings())
    if as_json:
        print_json([{"where": f.where, "what": f.what, "fix": f.fix} for f in findings])
    for finding in () if as_json else findings:
        sys.stdout.write(f"{finding}\n")
    if findings:
        sys.stderr.write(f"{len(findings)} finding{'s' if len(findings) > 1 else ''}\n")
        raise click.exceptions.Exit(FINDINGS)
    sys.stderr.write("no findings\n")


@click.command()
@click.argument("old", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("new", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@_JSON
def diff(old: Path, new: Path, as_json: bool) -> None:
    """Compare two contract files: changes, breaking or not, and the version they demand. Exits 1 when NEW says too little."""
    from mesh_defs.documents.compatibility import compare, demanded_version, is_enough
    from mesh_defs.documents.odcs import read_contract
    from mesh_defs.documents.standards import read_standards

    settings = load_settings()
    standards = read_standards(settings.root)
    before, after = (read_contract(path.resolve(), standards, root=settings.root) for path in (old, new))
    changes = compare(before, after)
    demanded = demanded_version(before.version, changes)
    enough = is_enough(after.version, demanded)
    if as_json:
        listed = [{"level": c.level, "breaking": c.breaking, "what": c.what} for c in changes]
        print_json({"changes": listed, "demanded_version": demanded, "version": after.version, "enough": enough})
    else:
        for change in changes:
            sys.stdout.write(f"{'BREAKING' if change.breaking else change.level:<8}  {change.what}\n")
        sys.stdout.write(f"demanded version: {demanded}; written: {after.version}\n")
    if not enough:
        raise click.exceptions.Exit(FINDINGS)
