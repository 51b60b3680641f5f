"""Can I trust it now: what is published, how fresh, which checks it passed, and whether a newer candidate was refused."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from mesh_defs.documents.observed import load_observation, observation_file
from mesh_defs.errors import MeshError
from mesh_defs.model.mesh import DataProduct
from mesh_defs.model.observation import Observation
from mesh_defs.query.mesh import open_storage
from mesh_defs.settings import Settings
from mesh_defs.storage.base import Storage

Freshness = Literal["fresh", "late", "unpromised", "unpublished"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """The state of one product's pointer. `refused` is the newest quarantined candidate, if it is newer than the version.

    `withheld`: input -> what its owner kept back when this version was made ("rows", "columns", "rows and columns").
    Of an external product: the state when it was last looked at, `observed_at`; `published_at` is when its rows changed.
    """

    version: str | None
    contract_version: str | None
    published_at: datetime | None
    rows: int | None
    bytes: int | None
    freshness: Freshness
    checks: tuple[Mapping[str, Any], ...] = ()
    refused: str | None = None
    trouble: str | None = None
    observed_at: datetime | None = None
    withheld: Mapping[str, str] = field(default_factory=dict)

    @property
    def checks_passed(self) -> int:
        """How many checks the published version passed."""
        return sum(1 for check in self.checks if check["passed"])


def product_health(product: DataProduct, settings: Settings, *, now: datetime) -> Health:
    """Look at the product's storage, or at what was last seen of an external one; trouble is told, never raised."""
    if not product.contract.external:
        return health_of(product, open_storage(product, settings), now=now)
    try:
        seen = load_observation(observation_file(settings.home, product.name))
    except MeshError as error:
        return _nothing(trouble=str(error))
    return _observed(product, seen, now) if seen else _nothing()


def health_of(product: DataProduct, storage: Storage, *, now: datetime) -> Health:
    """Look at the product's own storage; what cannot be read is told as `trouble`, never raised."""
    try:
        version = storage.current()
        if version is not None:
            storage.pin(product.name, version)  # a part that is gone is trouble, though the pointer is well
        refused = next((each for each in storage.refused()), None)
    except MeshError as error:
        return _nothing(trouble=str(error))
    if version is None:
        return _nothing(refused=refused.id if refused else None)
    newer = refused is not None and refused.refused_at > version.published_at
    return Health(
        version=version.id,
        contract_version=version.stamp.get("contract_version"),
        published_at=version.published_at,
        rows=version.rows,
        bytes=version.bytes,
        freshness=_freshness(product, version.published_at, now),
        checks=tuple(version.stamp.get("checks", ())),
        refused=refused.id if refused and newer else None,
        trouble=version.recovered,
        withheld={name: told["withheld"] for name, told in version.stamp.get("read", {}).items() if "withheld" in told},
    )


def _observed(product: DataProduct, seen: Observation, now: datetime) -> Health:
    return Health(
        version=seen.version,
        contract_version=seen.contract_version,
        published_at=seen.changed_at,
        rows=seen.rows,
        bytes=seen.bytes,
        freshness=_freshness(product, seen.changed_at, now) if seen.changed_at else "unpublished",
        checks=seen.checks,
        trouble=seen.error,
        observed_at=seen.observed_at,
    )


def _nothing(*, refused: str | None = None, trouble: str | None = None) -> Health:
    return Health(
        version=None,
        contract_version=None,
        published_at=None,
        rows=None,
        bytes=None,
        freshness="unpublished",
        refused=refused,
        trouble=trouble,
    )


def _freshness(product: DataProduct, changed_at: datetime, now: datetime) -> Freshness:
    promised = product.contract.service_level.freshness_hours_max
    if promised is None:
        return "unpromised"
    return "fresh" if now - changed_at <= timedelta(hours=promised) else "late"
