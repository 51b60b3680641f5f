"""Reads a code location back from its asset graph: what it declares, not what we believe it declares."""

import hashlib
import importlib.util
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from types import ModuleType

import dagster as dg

from mesh_defs.documents.access import read_access
from mesh_defs.documents.snapshot import dump_section, parse_expected, parse_product
from mesh_defs.documents.standards import read_domain, read_standards
from mesh_defs.documents.workspace import Location
from mesh_defs.errors import DeclarationError, Finding
from mesh_defs.model.access import AccessRules
from mesh_defs.model.expected import Expected
from mesh_defs.model.mesh import DataProduct, Section, Standards

_PRODUCT_KEY, _EXPECTED_KEY = "mesh/product", "mesh/expected"


def load_definitions(location: Location) -> dg.Definitions:
    """Import the location's file and return its Definitions. What the import raises passes."""
    module = _import(location)
    found = [value for value in vars(module).values() if isinstance(value, dg.Definitions)]
    if len(found) != 1:
        finding = Finding(
            where=str(location.file),
            what=f"holds {len(found)} Definitions",
            fix="write `defs = domain_definitions(__file__)` once",
        )
        raise DeclarationError([finding])
    return found[0]


def load_section(location: Location, *, root: Path, now: datetime) -> Section:
    """Read what a domain's location declares: products from its asset graph, access from its access files."""
    standards = read_standards(root)
    domain = read_domain(location.folder, standards, root=root)
    definitions = load_definitions(location)
    products = tuple(_products(definitions))
    access = _access(location.folder, products, standards, root)
    section = Section(
        location=location.name,
        domain=domain,
        products=products,
        access=access,
        fingerprint=location.fingerprint(root),
        hash="",
        loaded_at=now,
        expects=_expects(definitions),
    )
    return with_hash(section)


def with_hash(section: Section) -> Section:
    """The section with the hash of what it means: not of when it was read, nor of the files' times."""
    fields = {name: getattr(section, name) for name in Section.__slots__}
    meaning = Section(**{**fields, "fingerprint": "", "hash": "", "loaded_at": datetime.min})
    return Section(**{**fields, "hash": hashlib.sha256(dump_section(meaning)).hexdigest()})


def _expects(definitions: dg.Definitions) -> tuple[Expected, ...]:
    """What checks on other domains' assets declare; each carries the whole of what its domain expects of that product."""
    graph = definitions.resolve_asset_graph()
    found: dict[str, Expected] = {}
    for key in sorted(graph.asset_check_keys):
        declared = graph.get_check_spec(key).metadata.get(_EXPECTED_KEY)
        if isinstance(declared, dg.JsonMetadataValue):
            expected = parse_expected(declared.value)
            found[expected.product] = expected
    return tuple(found.values())


def _products(definitions: dg.Definitions) -> Iterator[DataProduct]:
    """From the location that makes an asset, never from a stub: only what is materialized or observed declares."""
    graph = definitions.resolve_asset_graph()
    for key in sorted(graph.materializable_asset_keys | graph.observable_asset_keys):
        declared = graph.get(key).metadata.get(_PRODUCT_KEY)
        if declared is not None:
            yield parse_product(declared.value if isinstance(declared, dg.JsonMetadataValue) else declared)


def _access(
    folder: Path, products: tuple[DataProduct, ...], standards: Standards, root: Path
) -> tuple[AccessRules, ...]:
    contracts = {product.name: product.contract for product in products}
    findings: list[Finding] = []
    found: list[AccessRules] = []
    seen: dict[str, str] = {}
    for file in sorted((folder / "access").glob("*.access.yaml")):
        try:
            read = read_access(file, standards, contracts=contracts, root=root)
        except DeclarationError as error:
            findings += error.findings
            continue
        if read.product in seen:
            what = f"a second access file of {read.product}, the first is {seen[read.product]}"
            findings.append(Finding(where=str(file), what=what, fix="keep one access file per product"))
        seen[read.product] = file.name
        found.append(read)
    if findings:
        raise DeclarationError(findings)
    return tuple(found)


def _import(location: Location) -> ModuleType:
    name = f"mesh_location_{location.name}"
    spec = importlib.util.spec_from_file_location(name, location.file)
    if spec is None or spec.loader is None:
        raise ImportError(f"cannot import {location.file}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
