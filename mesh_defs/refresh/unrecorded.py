"""Publications that Dagster was never told of: the worker died between the pointer's flip and its event.

Storage is right: readers have the new version since the flip. The asset graph is made to agree, with a materialization that
belongs to no run, so that what is downstream is made from it. Publishes nothing and takes nothing back.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import dagster as dg

from mesh_defs.errors import MeshError
from mesh_defs.model.mesh import Mesh
from mesh_defs.model.version import Version
from mesh_defs.query.mesh import open_storage
from mesh_defs.settings import Settings

# A step reports within milliseconds of its flip; this leaves room for a slow database.
AGE_SECONDS_MIN = 300.0


def record_publications(
    instance: dg.DagsterInstance,
    settings: Settings,
    mesh: Mesh,
    *,
    now: datetime,
    age_seconds_min: float = AGE_SECONDS_MIN,
) -> tuple[str, ...]:
    """Record what is published and is not the last event's version; return what was done, in words.

    Of a partitioned product it is only told: which of its partitions changed cannot be seen from the pointer.
    """
    keys = {name: dg.AssetKey(name.split(".")) for name, each in mesh.products.items() if not each.contract.external}
    events = instance.get_latest_materialization_events(list(keys.values()))
    told = []
    for name, key in keys.items():
        try:
            version = open_storage(mesh.products[name], settings).current()
        except MeshError as error:
            told.append(f"{name}: {error}")
            continue
        if version is None or version.recovered or now - version.published_at < timedelta(seconds=age_seconds_min):
            continue
        if _version_of(events.get(key)) == version.id:
            continue
        missing = f"{name}: version {version.id} is published, but no run recorded it"
        if mesh.products[name].contract.partitioning:
            told.append(f"{missing} — materialize the partitions that changed")
            continue
        instance.report_runless_asset_event(_materialization(key, version))
        told.append(f"{missing}; it is recorded now")
    return tuple(told)


def _version_of(event: dg.EventLogEntry | None) -> str | None:
    materialization = event.asset_materialization if event else None
    value = materialization.metadata.get("mesh/version") if materialization else None
    return str(value.value) if value else None


def _materialization(key: dg.AssetKey, version: Version) -> dg.AssetMaterialization:
    data_version = version.stamp.get("data_version")
    tags: Mapping[str, str] = {"dagster/data_version": str(data_version)} if data_version else {}
    metadata: dict[str, Any] = {
        "dagster/row_count": version.rows,
        "mesh/version": version.id,
        "mesh/contract_version": str(version.stamp.get("contract_version", "")),
        "mesh/recorded": "afterwards, as its run died before it could",
    }
    return dg.AssetMaterialization(asset_key=key, metadata=metadata, tags=tags)
