"""`mesh inventory`: what lies somewhere, and what of it no contract names."""

import sys

import click

from mesh_defs.cli.render import print_json, print_table, size
from mesh_defs.settings import load_settings

NO_CONTRACT = "no contract"


@click.command()
@click.argument("location")
@click.option("--domain", help="The domain whose S3 credentials are used, when LOCATION is a bucket.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
def inventory(location: str, domain: str | None, as_json: bool) -> None:
    """List what lies at LOCATION, and which contract names it. Reads names and counts, no rows.

    LOCATION is a domain's name, postgresql://…, s3://bucket/prefix, a folder, or a .duckdb file.
    """
    from mesh_defs.catalog.inventory import inventory as find
    from mesh_defs.catalog.inventory import locate
    from mesh_defs.query.mesh import open_mesh

    settings = load_settings()
    mesh = open_mesh(settings)
    found = find(locate(location, mesh, settings, domain=domain), mesh, settings)
    rows = [
        {
            "name": each.listed.name,
            "kind": each.listed.server.kind,
            "rows": each.listed.rows,
            "rows_are_exact": each.listed.rows_are_exact,
            "bytes": each.listed.bytes,
            "columns": each.listed.columns,
            "products": list(each.products),
            "ours": each.listed.ours,
            "trouble": each.listed.trouble,
        }
        for each in found
    ]
    if as_json:
        print_json(rows)
        return
    print_table(
        ("object", "kind", "rows", "size", "columns", "contract"),
        [
            (
                each.listed.name,
                each.listed.server.kind,
                _count(each.listed.rows, exact=each.listed.rows_are_exact),
                size(each.listed.bytes),
                each.listed.columns,
                ", ".join(each.products) or NO_CONTRACT,
            )
            for each in found
        ],
        right=("rows", "size", "columns"),
    )
    for each in found:
        if each.listed.trouble:
            sys.stderr.write(f"! {each.listed.name}: {each.listed.trouble}\n")
    without = sum(1 for each in found if not each.products)
    sys.stderr.write(f"{len(found)} objects, {without} without a contract; rows marked ~ are the server's estimate\n")


def _count(rows: int | None, *, exact: bool) -> str | None:
    return None if rows is None else f"{'' if exact else '~'}{rows:,}"
