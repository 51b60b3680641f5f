"""A domain's folder as a Dagster code location: `defs = domain_definitions(__file__)`."""

from pathlib import Path

import dagster as dg

from mesh_defs.authoring.asset import ProductAsset
from mesh_defs.authoring.expected import expectations_job, expected_checks
from mesh_defs.authoring.external import external_assets
from mesh_defs.authoring.folder import read_folder
from mesh_defs.authoring.product import ExternalProduct
from mesh_defs.authoring.resources import domain_resources, is_on_s3
from mesh_defs.authoring.schedules import schedules_of
from mesh_defs.authoring.sweep import sweep_schedule
from mesh_defs.documents.standards import read_standards
from mesh_defs.settings import load_settings
from mesh_defs.upkeep.sweep import retention_of

# The one name that Dagster knows the sensor by; it is stopped unless somebody defines it as running.
_SENSOR = "default_automation_condition_sensor"
_EVERYTHING = dg.AssetSelection.all() | dg.AssetSelection.all_asset_checks()


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
            retention_seconds=retention_of(contract, standards),
        ).build()
        for contract, made in declared.products.values()
        if not isinstance(made, ExternalProduct)
    ]
    contracts = [contract for contract, _ in declared.products.values()]
    external = [contract for contract in contracts if contract.external]
    assets += external_assets(declared, external, settings, memory_bytes_max=standards.query_memory_bytes_max)
    expects = declared.expects
    ours = dg.Definitions(
        assets=assets,
        asset_checks=expected_checks(expects, settings),
        jobs=[expectations_job(declared.domain.name, expects)] if expects else [],
        schedules=[
            *schedules_of(declared.domain.name, contracts),
            sweep_schedule(declared, standards, settings),
        ],
        sensors=[
            dg.AutomationConditionSensorDefinition(
                _SENSOR, target=_EVERYTHING, default_status=dg.DefaultSensorStatus.RUNNING
            )
        ],
        resources=domain_resources(
            declared.domain,
            settings,
            memory_bytes_max=standards.query_memory_bytes_max,
            on_s3=is_on_s3(contracts, settings.environment),
        ),
        # A run is a process already; one more per step costs 3.7 CPU s each.
        executor=None if extra and extra.executor else dg.in_process_executor,
    )
    return dg.Definitions.merge(ours, extra) if extra else ours
