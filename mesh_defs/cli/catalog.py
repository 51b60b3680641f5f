"""`mesh products`, `mesh show`, `mesh lineage`: the catalog in a terminal, without importing Dagster."""

import sys
from typing import Any

import click

from mesh_defs.catalog.describe import lineage_tree, product_page, product_rows
from mesh_defs.cli.main import FINDINGS
from mesh_defs.cli.render import age, print_fields, print_json, print_table, size
from mesh_defs.query.mesh import open_mesh
from mesh_defs.settings import load_settings

_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
_MARKS = {True: "ok", False: "FAILED"}


@click.command()
@click.option("--domain", help="Only this domain's products.")
@_JSON
def products(domain: str | None, as_json: bool) -> None:
    """List all data products: owner, granularity, storage, version, rows, checks, freshness."""
    settings = load_settings()
    mesh = open_mesh(settings)
    rows = product_rows(mesh, settings, domain=domain)
    if as_json:
        print_json(rows)
        return
    print_table(
        ("product", "owner", "class", "storage", "contract", "rows", "size", "checks", "freshness", "published"),
        [
            (
                row["name"],
                row["owner"],
                row["granularity"],
                f"{row['storage']}{' (external)' if row['external'] else ''}",
                row["contract_version"],
                row["rows"],
                size(row["bytes"]),
                f"{row['checks']['passed']}/{row['checks']['promised']}",
                row["freshness"] + ("" if row["trouble"] is None and row["refused"] is None else " (!)"),
                age(row["published_at"]),
            )
            for row in rows
        ],
        right=("rows", "size", "checks"),
    )
    for row in rows:
        _warn(row)
    _warn_broken(mesh)


@click.command()
@click.argument("product")
@_JSON
def show(product: str, as_json: bool) -> None:
    """Show one product: what it is, whether to trust it now, who owns it, its columns and checks."""
    settings = load_settings()
    page = product_page(open_mesh(settings), settings, product)
    if as_json:
        print_json(page)
        return
    sys.stdout.write(f"{page['name']} {page['contract_version']}\n{page['description']}\n\n")
    print_fields(
        {
            "owner": f"{page['owner']} (steward {page['steward']})",
            "class": page["granularity"],
            "one row is one": tuple(page["row_key"]),
            "status": page["status"],
            "lies in": f"{page['storage']} of {page['domain']} ({page['organisation']})",
            "moves to": page["move_to"] and f"{page['move_to']} with `mesh renovate {page['name']}`",
            "way back": page["way_back"] and f"{page['way_back']}, with `mesh renovate {page['name']} --back`",
            "partitions": _partitions(page["partitions"]),
            "version": page["version"],
            "rows": page["rows"],
            "size": size(page["bytes"]),
            "published": age(page["published_at"]),
            "observed": age(page["observed_at"]) if page["external"] else None,
            "external": "outside write-audit-publish: what another system writes is checked when observed"
            if page["external"]
            else None,
            "freshness": f"{page['freshness']} (promised: {page['freshness_hours_max'] or '–'} h)",
            "made from": tuple(_seen(name, page["withheld"]) for name in page["inputs"]),
            "read by": tuple(page["consumers"]),
            "joins on": tuple(page["keys"]),
            "has tokens of": tuple(page["tokens"]),
            "contract": page["contract_file"],
        }
    )
    sys.stdout.write("\n")
    print_table(
        ("column", "type", "class", "required", "description"),
        [(c["name"], c["type"], c["classification"], c["required"], c["description"]) for c in page["columns"]],
    )
    sys.stdout.write("\n")
    print_table(
        ("check", "severity", "outcome"),
        [
            (c["name"], c["severity"], _MARKS[c["passed"]] if c["passed"] is not None else "not yet")
            for c in (*page["check_list"], *page["expected_by"])
        ],
    )
    _warn(page)


@click.command()
@click.argument("product")
@click.option("--depth", default=99, show_default=True, help="How many steps to follow each way.")
@_JSON
def lineage(product: str, depth: int, as_json: bool) -> None:
    """Show what a product is made from, and what is made from it, across all domains."""
    tree = lineage_tree(open_mesh(load_settings()), product, depth=depth)
    if as_json:
        print_json(tree)
        return
    for direction, title in (("upstream", "made from"), ("downstream", "read by")):
        sys.stdout.write(f"{tree['name']}  {title}{'' if tree[direction] else ' nothing in the mesh'}\n")
        _branches(tree[direction], "")


def _partitions(cut: dict[str, Any] | None) -> str | None:
    if cut is None:
        return None
    missing = ", ".join(cut["missing"][:5]) + (", …" if len(cut["missing"]) > 5 else "")
    return f"{cut['made']} by {cut['column']}" + (f"; missing: {missing}" if missing else "")


def _branches(nodes: list[dict[str, Any]], indent: str) -> None:
    for index, node in enumerate(nodes):
        last = index == len(nodes) - 1
        told = "" if node["known"] else "  (no domain offers it)"
        sys.stdout.write(f"{indent}{'└─ ' if last else '├─ '}{node['name']}{told}\n")
        _branches(node["next"], indent + ("   " if last else "│  "))


def _warn(row: dict[str, Any]) -> None:
    if row["trouble"]:
        sys.stderr.write(f"! {row['trouble']}\n")
    if row["refused"]:
        told = "readers keep the last good version" if row["version"] else "nothing is published"
        sys.stderr.write(f"! {row['name']}: candidate {row['refused']} was refused by its checks; {told}\n")


def _seen(name: str, withheld: dict[str, str]) -> str:
    return f"{name} (without some {withheld[name]})" if name in withheld else name


def _warn_broken(mesh: Any) -> None:
    """A location that does not load keeps its last known good declarations; say so, and exit with findings."""
    broken = [section for section in mesh.snapshot.sections if section.error]
    for section in broken:
        sys.stderr.write(f"! {section.location} does not load, shown as last known: {section.error}\n")
    if broken:
        raise click.exceptions.Exit(FINDINGS)
