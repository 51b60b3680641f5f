"""A domain's folder as a Dagster code location: `defs = domain_definitions(__file__)`."""

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import dagster as dg

from mesh_defs.authoring.asset import ProductAsset, asset_key
from mesh_defs.authoring.folder import read_folder
from mesh_defs.authoring.resources import domain_resources
from mesh_defs.documents.standards import read_standards
from mesh_defs.model.contract import Contract
from mesh_defs.settings import load_settings

# The one name that Dagster knows the sensor by; it is stopped unless somebody defines it as running.
_SENSOR = "default_automation_condition_sensor"


def domain_definitions(file: str, *, extra: dg.Definitions | None = None) -> dg.Definitions:
    """Turn the folder of `file` into Definitions: products, checks, schedules, automation, storage resources.

    `extra` is whatever else the team runs (assets, dbt, sensors, jobs, resources); it lives beside the products. Raises
    DeclarationError, with every finding, when the folder says something wrong.
    """
    folder = Path(file).resolve().parent
    settings = load_settings(start=folder)
    declared = read_folder(folder, root=settings.root)
    standards = read_standards(settings.root)
    assets = [
        ProductAsset(
            folder=declared,
            contract=contract,
            made=made,
            settings=settings,
            retention_seconds=standards.retention_seconds,
        ).build()
        for contract, made in declared.products.values()
    ]
    ours = dg.Definitions(
        assets=assets,
        schedules=_schedules(declared.domain.name, [contract for contract, _ in declared.products.values()]),
        sensors=[
            dg.AutomationConditionSensorDefinition(
                _SENSOR, target=dg.AssetSelection.all(), default_status=dg.DefaultSensorStatus.RUNNING
            )
        ],
        resources=domain_resources(declared.domain, settings, memory_bytes_max=standards.query_memory_bytes_max),
        # A run is a process already; one more per step costs 3.7 CPU s each.
        executor=None if extra and extra.executor else dg.in_process_executor,
    )
    return dg.Definitions.merge(ours, extra) if extra else ours


def _schedules(domain: str, contracts: Iterable[Contract]) -> list[dg.ScheduleDefinition]:
    """One job and one running schedule for each cron that the domain's contracts promise."""
    products: dict[str, list[str]] = defaultdict(list)
    for contract in contracts:
        if contract.service_level.schedule:
            products[contract.service_level.schedule].append(contract.product)
    schedules = []
    for number, (cron, names) in enumerate(sorted(products.items()), start=1):
        suffix = f"_{number}" if len(products) > 1 else ""
        job = dg.define_asset_job(
            f"{domain}_refresh{suffix}",
            selection=dg.AssetSelection.assets(*map(asset_key, names)),
            description=f"Refreshes {', '.join(names)} at {cron}.",
        )
        running = dg.DefaultScheduleStatus.RUNNING
        schedules.append(
            dg.ScheduleDefinition(f"{domain}_schedule{suffix}", job=job, cron_schedule=cron, default_status=running)
        )
    return schedules
