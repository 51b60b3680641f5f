"""Tells Dagster of what was released from quarantine: a materialization and its checks, which belong to no run."""

from typing import Any

import dagster as dg

from mesh_defs.authoring.metadata import SEVERITY, check_metadata
from mesh_defs.refresh.instance import open_instance
from mesh_defs.settings import Settings
from mesh_defs.upkeep.release import Release
from quality_checks import Result, check_names


def record_release(settings: Settings, release: Release) -> None:
    """Record it on the instance of DAGSTER_HOME, so that what is downstream is made from it."""
    version = release.version
    if version is None:
        return
    key, results = dg.AssetKey(release.product.split(".")), release.results
    with open_instance(settings) as instance:
        instance.report_runless_asset_event(_materialization(key, release))
        for name, result in zip(check_names([each.expectation for each in results]), results, strict=True):
            instance.report_runless_asset_event(_evaluation(key, name, result, release))


def _materialization(key: dg.AssetKey, release: Release) -> dg.AssetMaterialization:
    version = release.version
    assert version is not None
    metadata: dict[str, Any] = {
        "dagster/row_count": version.rows,
        "mesh/version": version.id,
        "mesh/bytes": version.bytes,
        "mesh/contract_version": str(version.stamp["contract_version"]),
        "mesh/read": dg.MetadataValue.json(version.stamp["read"]),
        "mesh/released": release.refused.id,
    }
    tags = {"dagster/data_version": str(version.stamp["data_version"])}
    return dg.AssetMaterialization(asset_key=key, partition=release.refused.partition, metadata=metadata, tags=tags)


def _evaluation(key: dg.AssetKey, name: str, result: Result, release: Release) -> dg.AssetCheckEvaluation:
    version = release.version.id if release.version else ""
    return dg.AssetCheckEvaluation(
        asset_key=key,
        check_name=name,
        passed=result.success,
        severity=SEVERITY[result.expectation.severity],
        metadata=check_metadata(result, version),
        partition=release.refused.partition,
    )
