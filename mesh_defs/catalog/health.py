"""Can I trust it now: what is published, how fresh, which checks it passed, and whether a newer candidate was refused."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from mesh_defs.errors import MeshError
from mesh_defs.model.mesh import DataProduct
from mesh_defs.model.version import Version
from mesh_defs.storage.base import Storage

Freshness = Literal["fresh", "late", "unpromised", "unpublished"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """The state of one product's pointer. `refused` is the newest quarantined candidate, if it is newer than the version."""

    version: str | None
    contract_version: str | None
    published_at: datetime | None
    rows: int | None
    bytes: int | None
    freshness: Freshness
    checks: tuple[Mapping[str, Any], ...] = ()
    refused: str | None = None
    trouble: str | None = None

    @property
    def checks_passed(self) -> int:
        """How many checks the published version passed."""
        return sum(1 for check in self.checks if check["passed"])


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
        freshness=_freshness(product, version, now),
        checks=tuple(version.stamp.get("checks", ())),
        refused=refused.id if refused and newer else None,
        trouble=version.recovered,
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


def _freshness(product: DataProduct, version: Version, now: datetime) -> Freshness:
    promised = product.contract.service_level.freshness_hours_max
    if promised is None:
        return "unpromised"
    return "fresh" if now - version.published_at <= timedelta(hours=promised) else "late"
