"""`mesh new domain` and `mesh new product`: files that load and pass at once, to be filled with what is meant."""

import re
import sys
from pathlib import Path

import click

from mesh_defs.errors import DeclarationError, Finding, NotFoundError, nearest
from mesh_defs.model.names import is_name, split_product
from mesh_defs.settings import load_settings

_DEFINITIONS = '''"""The {name} domain as a Dagster code location."""

from mesh_defs import domain_definitions

defs = domain_definitions(__file__)
'''
_DOMAIN = """format: 1
name: {name}
title: {title}
description: What the {name} team keeps, and for whom. Say it in a sentence.
owner: {name}-team
steward: {steward}
"""
_LOCATION = "  - python_file: {{relative_path: domains/{name}/definitions.py, location_name: {name}}}\n"
_CONTRACT = """apiVersion: v3.1.0
kind: DataContract
id: urn:mesh:{domain}:{product}
name: {title}
version: 0.1.0
status: draft
domain: {domain}
dataProduct: {product}
description:
  purpose: One row is one … Say what it is, and what for.
team: {{name: {owner}}}
servers:
  - {{server: local, environment: local, type: local, path: {product}, format: parquet}}
schema:
  - name: {product}
    properties:
      - name: {product}_id
        logicalType: string
        primaryKey: true
        description: Tells one row from another.
      - name: {key}
        logicalType: {key_type}
        required: true{identifies}
        description: {key_words}
    quality:
      - name: not_empty
        type: custom
        engine: greatExpectations
        implementation: {{type: expect_table_row_count_to_be_between, kwargs: {{min_value: 1}}}}
slaProperties:
  - {{property: freshness, value: 24, unit: h}}
customProperties:
  - {{property: granularity, value: {granularity}}}
"""
_SQL = """-- One SELECT. Name other products as domain.product; they become this product's inputs.
SELECT
    '{product}-' || n AS {product}_id,
    {value} AS {key}
FROM range(1, 4) AS numbers(n)
"""
_ACCESS = """# Who may read {name}, for which purposes. Nobody may unless a grant says so; the domain's own pipelines always may.
format: 1
product: {name}
grants: []
"""
# granularity -> (key column, logical type, what it identifies, words, a first value)
_KEYS = {
    "event": (
        "occurred_at",
        "timestamp",
        "event_time",
        "When it happened.",
        "TIMESTAMP '2026-01-01' + to_days(n::INTEGER)",
    ),
    "audience": ("person_id", "string", "person", "The person, as all domains know them.", "'person-' || n"),
    "creative": ("creative_file_id", "string", "creative_file", "The creative file.", "'file-' || n"),
    "aggregate": ("measure", "integer", None, "What is counted.", "n"),
}


@click.group()
def new() -> None:
    """Scaffold a domain or a product."""


@new.command("domain")
@click.argument("name")
def new_domain(name: str) -> None:
    """Add the domain NAME: its folder, its definitions, its line in workspace.yaml."""
    settings = load_settings()
    if not is_name(name):
        raise click.UsageError(f"'{name}' is no domain's name: lower case letters, digits and _, a letter first")
    folder = settings.root / "domains" / name
    if folder.exists():
        raise click.UsageError(f"{folder} exists already")
    from mesh_defs.documents.standards import read_standards

    standards = read_standards(settings.root)
    if not standards.people:
        finding = Finding(
            where="mesh.yaml: people", what="there are none", fix="add the person who will be its steward"
        )
        raise DeclarationError([finding])
    steward = next((n for n, p in standards.people.items() if "steward" in p.roles), next(iter(standards.people)))
    for part in ("contracts", "access", "products"):
        (folder / part).mkdir(parents=True)
    _write(folder / "domain.yaml", _DOMAIN.format(name=name, title=_title(name), steward=steward))
    _write(folder / "definitions.py", _DEFINITIONS.format(name=name))
    _add_location(settings.root / "workspace.yaml", name)
    sys.stderr.write(
        f"its steward is {steward}, its owner {name}-team: see domain.yaml\nnext: mesh new product {name}.something\n"
    )


@new.command("product")
@click.argument("name")
@click.option("--granularity", type=click.Choice(list(_KEYS)), default="audience", show_default=True)
def new_product(name: str, granularity: str) -> None:
    """Add the product NAME (domain.product): a contract, a SELECT and an access file that load and pass at once."""
    settings = load_settings()
    try:
        domain, product = split_product(name)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    folder = settings.root / "domains" / domain
    if not (folder / "domain.yaml").exists():
        known = [each.parent.name for each in (settings.root / "domains").glob("*/domain.yaml")]
        raise NotFoundError(f"no domain '{domain}'", fix=f"run `mesh new domain {domain}`; {nearest(domain, known)}")
    files = {
        folder / "contracts" / f"{product}.odcs.yaml": _contract(folder, domain, product, granularity),
        folder / "products" / f"{product}.sql": _select(product, granularity),
        folder / "access" / f"{product}.access.yaml": _ACCESS.format(name=name),
    }
    taken = [
        str(file.relative_to(settings.root))
        for file in (*files, folder / "products" / f"{product}.py")
        if file.exists()
    ]
    if taken:
        raise click.UsageError(f"{', '.join(taken)} exists already")
    for file, text in files.items():
        _write(file, text)
    sys.stderr.write(f"next: mesh validate && mesh refresh --select {name} --in-process\n")


def _contract(folder: Path, domain: str, product: str, granularity: str) -> str:
    key, kind, identifies, words, _ = _KEYS[granularity]
    owner = re.search(r"^owner: *(\S+)", (folder / "domain.yaml").read_text(), re.MULTILINE)
    mark = f"\n        customProperties: [{{property: identifies, value: {identifies}}}]" if identifies else ""
    return _CONTRACT.format(
        domain=domain,
        product=product,
        title=_title(product),
        owner=owner.group(1) if owner else f"{domain}-team",
        key=key,
        key_type=kind,
        identifies=mark,
        key_words=words,
        granularity=granularity,
    )


def _select(product: str, granularity: str) -> str:
    key, _, _, _, value = _KEYS[granularity]
    return _SQL.format(product=product, key=key, value=value)


def _add_location(workspace: Path, name: str) -> None:
    """Add one line; the file's own comments and order stay."""
    text = workspace.read_text(encoding="utf-8")
    before, mark, after = text.partition("load_from:\n")
    if not mark:
        finding = Finding(where="workspace.yaml", what="no `load_from:` list", fix=f"add{_LOCATION.format(name=name)}")
        raise DeclarationError([finding])
    _write(workspace, before + mark + _LOCATION.format(name=name) + after)


def _title(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    sys.stderr.write(f"wrote {file}\n")
