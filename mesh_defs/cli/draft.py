"""`mesh draft`: a first contract for what another system keeps."""

import sys
import tempfile
from pathlib import Path

import click

from mesh_defs.errors import DeclarationError, NotFoundError, nearest
from mesh_defs.settings import load_settings


@click.command()
@click.argument("location")
@click.option("--domain", help="The domain that will answer for it.")
@click.option("--out", type=click.Path(path_type=Path), help="Write to this file; one that exists is never replaced.")
def draft(location: str, domain: str | None, out: Path | None) -> None:
    """Write a first contract for LOCATION[/OBJECT]: columns, types, keys, suggested classes. Guesses are marked `confirm:`.

    LOCATION is a domain's name, postgresql://host/database, s3://bucket/prefix, a folder, or a .duckdb file; OBJECT what
    `mesh inventory LOCATION` lists there. No value of a row is written.
    """
    from mesh_defs.catalog.draft import draft as write
    from mesh_defs.catalog.inventory import chosen, inventory, locate
    from mesh_defs.documents.odcs import read_contract
    from mesh_defs.query.mesh import open_mesh

    if out is not None and out.exists():
        raise click.UsageError(f"{out} exists: name another file, or remove it")
    settings = load_settings()
    mesh = open_mesh(settings)
    if domain is not None and domain not in mesh.domains:
        raise NotFoundError(f"no domain '{domain}'", fix=nearest(domain, mesh.domains))
    where = locate(location, mesh, settings, domain=domain)
    lying = chosen(where, inventory(where, mesh, settings))
    found = mesh.domains.get(where.domain or "")
    drafted = write(
        lying,
        found,
        environment=settings.environment,
        root=settings.access(found.name, found.storage, write=False) if found else None,
        spill=str(settings.home / "spill"),
        memory_bytes_max=mesh.standards.query_memory_bytes_max,
    )
    if lying.products:
        sys.stderr.write(f"! {', '.join(lying.products)} already names it\n")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "draft.odcs.yaml"
        file.write_text(drafted.text, encoding="utf-8")
        try:
            read_contract(file, mesh.standards, root=Path(folder))
        except DeclarationError as error:
            for finding in error.findings:
                sys.stderr.write(f"! to mend by hand: {finding}\n")
    if out is None:
        sys.stdout.write(drafted.text)
        return
    out.parent.mkdir(parents=True, exist_ok=True)
    with out.open("x", encoding="utf-8") as file_:
        file_.write(drafted.text)
    sys.stderr.write(f"{out}: {drafted.product}, from {drafted.rows:,} rows; confirm what is marked\n")
