"""What the catalog says of products, as JSON values: one row each, one page, one lineage tree."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from mesh_defs.catalog.health import Health, product_health
from mesh_defs.documents.observed import expected_file, load_observation
from mesh_defs.errors import MeshError, NotFoundError, nearest
from mesh_defs.model.contract import Contract
from mesh_defs.model.expected import Expected
from mesh_defs.model.mesh import DataProduct, Mesh
from mesh_defs.policy.governance import row_key
from mesh_defs.query.mesh import open_storage, served_from, server_in
from mesh_defs.settings import Settings
from quality_checks import check_names


def product_rows(mesh: Mesh, settings: Settings, *, domain: str | None = None) -> list[dict[str, Any]]:
    """One row for each product, with the state of its pointer. Raises NotFoundError for an unknown domain."""
    if domain is not None and domain not in mesh.domains:
        raise NotFoundError(f"no domain '{domain}'", fix=nearest(domain, mesh.domains))
    chosen = [p for p in mesh.products.values() if domain in (None, p.contract.domain)]
    return [_row(product, product_health(product, settings, now=datetime.now(UTC)), settings) for product in chosen]


def product_page(mesh: Mesh, settings: Settings, name: str) -> dict[str, Any]:
    """Everything a person asks of one product. Raises NotFoundError with the nearest name."""
    product = find_product(mesh, name)
    contract, domain = product.contract, mesh.domains[product.contract.domain]
    health = product_health(product, settings, now=datetime.now(UTC))
    outcomes = {check["name"]: check["passed"] for check in health.checks}
    return {
        **_row(product, health, settings),
        "description": contract.description,
        "steward": domain.steward,
        "organisation": domain.organisation,
        "status": contract.status,
        "row_key": list(row_key(contract)),
        **_whereabouts(product, settings),
        "freshness_hours_max": contract.service_level.freshness_hours_max,
        "schedule": contract.service_level.schedule,
        "purpose": contract.purpose,
        "inputs": list(product.inputs),
        "withheld": dict(health.withheld),
        "consumers": list(mesh.downstream(name)),
        "keys": [f"{column.name} ({column.identifies})" for column in contract.columns if column.identifies],
        "tokens": [f"{name} ({kind})" for name, kind in contract.tokens.items()],
        "contract_file": contract.file,
        "columns": [
            {
                "name": column.name,
                "type": column.type,
                "classification": column.classification,
                "required": column.required,
                "description": column.description,
            }
            for column in contract.columns
        ],
        "check_list": [
            *_seen_checks(product, health),
            *(
                {"name": check, "type": rule.type, "severity": rule.severity, "passed": outcomes.get(check)}
                for check, rule in zip(check_names(contract.expectations), contract.expectations, strict=True)
            ),
        ],
        "expected_by": [row for expected in mesh.expected_of(name) for row in _expected(expected, settings)],
    }


def _expected(expected: Expected, settings: Settings) -> Iterator[dict[str, Any]]:
    """A consumer's expectations with what it last saw: `passed` is None when it has not looked, or not at this rule yet."""
    try:
        seen = load_observation(expected_file(settings.home, expected.product, expected.consumer))
    except MeshError:
        seen = None
    outcomes = {check["name"]: check["passed"] for check in seen.checks} if seen else {}
    for name, rule in zip(expected.check_names, expected.expectations, strict=True):
        yield {
            "consumer": expected.consumer,
            "name": name,
            "type": rule.type,
            "severity": rule.severity,
            "passed": outcomes.get(name),
            "version": seen.version if seen else None,
        }


def _whereabouts(product: DataProduct, settings: Settings) -> dict[str, Any]:
    """Where it is served from, where its contract would have it, and which partitions it has. Nothing for trouble."""
    try:
        served, wanted = served_from(product.contract, settings), server_in(product.contract, settings.environment)
        cut = product.contract.partitioning
        version = open_storage(product, settings).current() if cut else None
    except MeshError:
        return {"place": None, "move_to": None, "way_back": None, "partitions": None}
    held = {part.partition for part in version.parts} if version else set()
    known = cut.keys(datetime.now(UTC)) if cut else ()
    return {
        "place": f"{served.server.kind}: {served.server.place}",
        "move_to": f"{wanted.kind}: {wanted.place}" if wanted != served.server else None,
        "way_back": f"{served.previous.kind}: {served.previous.place}" if served.previous else None,
        "partitions": {"column": cut.column, "made": len(held), "missing": [key for key in known if key not in held]}
        if cut
        else None,
    }


def _seen_checks(product: DataProduct, health: Health) -> list[dict[str, Any]]:
    """What observing an external product checks besides its contract's rules: its columns, how fresh it is."""
    own = set(check_names(product.contract.expectations))
    seen = (check for check in health.checks if product.contract.external and check["name"] not in own)
    return [
        {"name": each["name"], "type": "observed", "severity": each["severity"], "passed": each["passed"]}
        for each in seen
    ]


def lineage_tree(mesh: Mesh, name: str, *, depth: int) -> dict[str, Any]:
    """The product with its upstream and downstream as trees, `depth` steps each way."""
    find_product(mesh, name)
    return {
        "name": name,
        "upstream": _tree(mesh, name, mesh.upstream, depth, (name,)),
        "downstream": _tree(mesh, name, mesh.downstream, depth, (name,)),
    }


def find_product(mesh: Mesh, name: str) -> DataProduct:
    """Return the product of that name. Raises NotFoundError with the nearest name."""
    if name not in mesh.products:
        raise NotFoundError(f"no product '{name}'", fix=nearest(name, mesh.products))
    return mesh.products[name]


def _tree(
    mesh: Mesh, name: str, step: Callable[[str], tuple[str, ...]], depth: int, path: tuple[str, ...]
) -> list[dict[str, Any]]:
    """`path` keeps a cycle from being followed for ever."""
    if depth == 0:
        return []
    return [
        {
            "name": each,
            "known": each in mesh.products,
            "next": _tree(mesh, each, step, depth - 1, (*path, each)),
        }
        for each in step(name)
        if each not in path
    ]


def _storage(contract: Contract, settings: Settings) -> str | None:
    try:
        return served_from(contract, settings).server.kind
    except MeshError:
        return None


def _row(product: DataProduct, health: Health, settings: Settings) -> dict[str, Any]:
    contract = product.contract
    return {
        "domain": contract.domain,
        "name": contract.product,
        "owner": contract.owner,
        "granularity": contract.granularity,
        "storage": _storage(contract, settings),
        "contract_version": contract.version,
        "version": health.version,
        "rows": health.rows,
        "bytes": health.bytes,
        "checks": {
            "promised": max(len(contract.expectations), len(health.checks)),
            "passed": health.checks_passed,
            "failed": len(health.checks) - health.checks_passed,
        },
        "freshness": health.freshness,
        "published_at": health.published_at,
        "refused": health.refused,
        "trouble": health.trouble,
        "made_with": product.made_with,
        "external": contract.external,
        "observed_at": health.observed_at,
    }
