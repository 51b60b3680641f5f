"""The fixture's files as text: mesh.yaml, and for each domain contracts, access files and products."""

from collections.abc import Mapping
from typing import Any

import yaml

from benchmarks.scratch import DEFINITIONS
from mesh_defs.documents.odcs_columns import logical_type
from tests.redteam.data import ANA, PURPOSE, Table, World
from tests.redteam.storages import Spot

# What a query may take here. A hostile one must end within 10 s and 2 GB, its process included.
SECONDS_MAX, MEMORY_BYTES_MAX = 5, 1_000_000_000


def mesh_files(world: World, spot: Spot) -> dict[str, str]:
    """Every file of the mesh, by its path below the root."""
    files = {"mesh.yaml": _yaml(_standards(world)), "workspace.yaml": _yaml(_workspace(world))}
    for table in world.tables:
        folder = f"domains/{table.domain}"
        files[f"{folder}/domain.yaml"] = _yaml(_domain(table.domain))
        files[f"{folder}/definitions.py"] = DEFINITIONS
        files[f"{folder}/contracts/{table.name}.odcs.yaml"] = _yaml(_contract(table, spot))
        files[f"{folder}/access/{table.name}.access.yaml"] = _yaml(_access(table))
        if not spot.external:
            files[f"{folder}/products/{table.name}.sql"] = table.select + "\n"
    return files


def _standards(world: World) -> dict[str, Any]:
    attributes = {name: list(values) for name, values in world.attributes.items()}
    return {
        "format": 1,
        "organisation": "Fixture of the red team",
        "purposes": {PURPOSE: "Counting orders.", "stewardship": "Answering for a product."},
        "roles": {"analyst_eu": "Reads what belongs to Europe.", "steward": "Answers for a domain."},
        "people": {
            ANA: {"title": "The attacker", "roles": ["analyst_eu"], "attributes": attributes},
            "sam": {"title": "The steward", "roles": ["steward"]},
        },
        "identifiers": {kind: f"Tokens of kind {kind}." for kind in _token_kinds(world)},
        "query": {"seconds_max": SECONDS_MAX, "memory_bytes_max": MEMORY_BYTES_MAX},
    }


def _token_kinds(world: World) -> list[str]:
    return sorted({kind for table in world.tables for kind in table.tokens.values()})


def _workspace(world: World) -> dict[str, Any]:
    domains = dict.fromkeys(table.domain for table in world.tables)
    files = [
        {"python_file": {"relative_path": f"domains/{name}/definitions.py", "location_name": name}} for name in domains
    ]
    return {"load_from": files}


def _domain(name: str) -> dict[str, Any]:
    told = {"title": name.capitalize(), "description": "Part of the fixture.", "owner": f"team-{name}"}
    return {"format": 1, "name": name, **told, "steward": "sam"}


def _contract(table: Table, spot: Spot) -> dict[str, Any]:
    custom: list[dict[str, Any]] = [{"property": "granularity", "value": "aggregate"}]
    if spot.external:
        custom.append({"property": "external", "value": True})
    return {
        "apiVersion": "v3.1.0",
        "kind": "DataContract",
        "id": f"urn:redteam:{table.domain}:{table.name}",
        "version": "1.0.0",
        "status": "active",
        "domain": table.domain,
        "dataProduct": table.name,
        "description": {"purpose": f"Rows of {table.name}, made to be attacked."},
        "team": {"name": f"team-{table.domain}"},
        "servers": [spot.server(table)],
        "schema": [
            {
                "name": table.name,
                **({"physicalName": table.name} if spot.external else {}),
                "properties": [_column(table, name, n == 0) for n, name in enumerate(table.columns)],
            }
        ],
        "slaProperties": [{"property": "freshness", "value": 8000, "unit": "h"}],
        "customProperties": custom,
    }


def _column(table: Table, name: str, key: bool) -> dict[str, Any]:
    told = logical_type(table.columns[name])
    assert told is not None, table.columns[name]
    column: dict[str, Any] = {"name": name, "logicalType": told[0], "physicalType": table.columns[name]}
    if key:
        column["primaryKey"] = True
    if name in table.tokens:
        column["classification"] = "restricted"
        column["customProperties"] = [{"property": "token", "value": table.tokens[name]}]
    return column


def _access(table: Table) -> dict[str, Any]:
    steward = {"id": "steward", "principals": ["sam"], "purposes": ["stewardship"]}
    return {"format": 1, "product": table.product, "grants": [steward, *map(_plain, table.grants)]}


def _plain(grant: Mapping[str, Any]) -> dict[str, Any]:
    return dict(grant)


def _yaml(document: Mapping[str, Any]) -> str:
    return str(yaml.safe_dump(dict(document), sort_keys=False, allow_unicode=True))
