"""Valid values and documents with sensible defaults; a test states only what it is about."""

import copy
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import yaml

from mesh_defs.documents.snapshot import FORMAT
from mesh_defs.errors import DeclarationError
from mesh_defs.model.access import AccessRequest, Grant, Principal
from mesh_defs.model.contract import Column, Contract, Server
from mesh_defs.model.mesh import DataProduct, Domain, Section, Snapshot, Standards
from mesh_defs.policy.authorize import Policy
from quality_checks import Expectation

TODAY = date(2026, 11, 1)
NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)


def a_column(name: str = "person_id", **given: Any) -> Column:
    return Column(**{"name": name, "logical_type": "string", "type": "VARCHAR", **given})


def a_contract(product: str = "audiences.persons", **given: Any) -> Contract:
    defaults: dict[str, Any] = {
        "id": f"urn:test:{product}",
        "version": "1.0.0",
        "status": "active",
        "description": "One row is one person.",
        "owner": "testers",
        "granularity": "audience",
        "grain": (),
        "columns": (
            a_column("person_id", required=True, primary_key=True, identifies="person"),
            a_column("region", required=True),
        ),
        "servers": (Server(environment="local", kind="parquet", place=product.replace(".", "_")),),
        "tags": {},
        "file": f"domains/{product.replace('.', '/contracts/')}.odcs.yaml",
    }
    return Contract(**{"product": product, **defaults, **given})


def a_product(contract: Contract | None = None, **given: Any) -> DataProduct:
    contract = contract or a_contract()
    defaults: dict[str, Any] = {
        "inputs": (),
        "made_with": "sql",
        "code_version": "1",
        "location": contract.domain,
        "storage": f"storage/{contract.domain}",
    }
    return DataProduct(contract=contract, **{**defaults, **given})


def a_domain(name: str = "audiences", **given: Any) -> Domain:
    defaults = {
        "title": name.capitalize(),
        "description": f"What {name} keeps.",
        "owner": "testers",
        "steward": "grace",
        "organisation": "Northlight",
        "storage": f"storage/{name}",
    }
    return Domain(**{"name": name, **defaults, **given})


def a_grant(product: str = "audiences.persons", *, to: str | None = None, **given: Any) -> Grant:
    """A grant to the role or the principal `to` (a name with a colon, or of one of the people, is a principal)."""
    people = a_standards().people
    named = {} if to is None else {"principals": (to,)} if ":" in to or to in people else {"roles": (to,)}
    return Grant(**{"id": "g", "product": product, "purposes": ("measurement",), **named, **given})


def a_principal(name: str = "ada", *roles: str) -> Principal:
    return Principal(name=name, roles=roles or ("analyst",))


def a_request(*products: str, **given: Any) -> AccessRequest:
    defaults = {"principal": a_principal(), "purpose": "measurement", "now": NOW}
    return AccessRequest(products=products, **{**defaults, **given})


def a_policy(*grants: Grant, of: Iterable[str] = (), contracts: Sequence[Contract] = (), **given: Any) -> Policy:
    """The grants, over contracts of the products that they name, and of those in `of`."""
    products = {*of, *(grant.product for grant in grants)}
    every = {product: a_contract(product) for product in products} | {each.product: each for each in contracts}
    return Policy(grants=grants, contracts=every, **{"standards": a_standards(), **given})


def a_standards(**given: Any) -> Standards:
    people = {
        "ada": Principal(name="ada", roles=("analyst",), title="Analyst"),
        "grace": Principal(name="grace", roles=("steward",), title="Steward"),
    }
    defaults: dict[str, Any] = {
        "organisation": "Northlight",
        "purposes": {"measurement": "Counting.", "planning": "Deciding what runs."},
        "roles": {"analyst": "Reads counts.", "steward": "Answers for data."},
        "people": people,
        "snapshot_age_seconds_max": 604_800.0,
        "retention_seconds": 86_400.0,
        "query_seconds_max": 300.0,
        "query_memory_bytes_max": 2_000_000_000,
    }
    return Standards(**{**defaults, **given})


def a_section(domain: Domain | None = None, *products: DataProduct, **given: Any) -> Section:
    domain = domain or a_domain()
    defaults: dict[str, Any] = {"access": (), "fingerprint": "f", "hash": "h", "loaded_at": NOW}
    return Section(**{"location": domain.name, "domain": domain, "products": products, **defaults, **given})


def a_snapshot(*sections: Section, generation: int = 1) -> Snapshot:
    return Snapshot(format=FORMAT, generation=generation, sections=sections)


def not_null(column: str, **given: Any) -> Expectation:
    return Expectation(type="expect_column_values_to_not_be_null", kwargs={"column": column}, **given)


def between(column: str, low: Any = None, high: Any = None, **given: Any) -> Expectation:
    kwargs = {"column": column, "min_value": low, "max_value": high}
    known = {name: value for name, value in kwargs.items() if value is not None}
    return Expectation(type="expect_column_values_to_be_between", kwargs=known, **given)


def with_column(contract: Contract, column: str, /, **changes: Any) -> Contract:
    """The contract with one of its columns changed."""
    columns = tuple(replace(each, **changes) if each.name == column else each for each in contract.columns)
    return replace(contract, columns=columns)


CONTRACT: dict[str, Any] = {
    "apiVersion": "v3.1.0",
    "kind": "DataContract",
    "id": "urn:test:events:clicks",
    "version": "1.0.0",
    "status": "active",
    "domain": "events",
    "dataProduct": "clicks",
    "description": {"purpose": "One row is one click."},
    "tags": ["origin:synthetic"],
    "team": {"name": "ad-events"},
    "servers": [{"server": "local", "environment": "local", "type": "local", "path": "clicks", "format": "parquet"}],
    "schema": [
        {
            "name": "clicks",
            "properties": [
                {
                    "name": "click_id",
                    "logicalType": "integer",
                    "primaryKey": True,
                    "customProperties": [{"property": "identifies", "value": "event"}],
                },
                {
                    "name": "clicked_at",
                    "logicalType": "timestamp",
                    "required": True,
                    "customProperties": [{"property": "identifies", "value": "event_time"}],
                },
                {"name": "placement", "logicalType": "string"},
            ],
        }
    ],
    "slaProperties": [{"property": "freshness", "value": 24, "unit": "h"}],
    "customProperties": [{"property": "granularity", "value": "event"}],
}


def contract_text(changes: dict[str, Any] | None = None, *, without: Sequence[str] = ()) -> str:
    """A valid contract as YAML; `changes` maps dotted ways (`schema.0.properties.2.enum`) to new values.

    A way may end at a list's length, to add an item.
    """
    body = copy.deepcopy(CONTRACT)
    for way, value in (changes or {}).items():
        holder, last = _holder(body, way)
        if isinstance(holder, list) and last == len(holder):
            holder.append(value)
        else:
            holder[last] = value
    for way in without:
        holder, last = _holder(body, way)
        del holder[last]
    return yaml.safe_dump(body, sort_keys=False, allow_unicode=True)


def findings_of(error: DeclarationError) -> list[str]:
    return [str(finding) for finding in error.findings]


def write(folder: Path, name: str, text: str | bytes) -> Path:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(text.encode("utf-8") if isinstance(text, str) else text)
    return file


def line_of(text: str, beginning: str) -> int:
    """The number of the one line that begins so, blanks and dashes left out."""
    lines = [number for number, line in enumerate(text.splitlines(), 1) if line.lstrip(" -").startswith(beginning)]
    assert len(lines) == 1, f"{beginning!r} begins lines {lines}"
    return lines[0]


def _holder(body: Any, way: str) -> tuple[Any, Any]:
    steps = [int(step) if step.isdigit() else step for step in way.split(".")]
    for step in steps[:-1]:
        body = body[step]
    return body, steps[-1]
