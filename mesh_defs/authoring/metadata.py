"""What an asset says of itself, under Dagster's standard keys. Never a sample of data, never a rule of access."""

from typing import Any

import dagster as dg

from mesh_defs.authoring.publish import Audited
from mesh_defs.documents.snapshot import dump_product
from mesh_defs.model.contract import Column
from mesh_defs.model.lineage import ColumnLineage
from mesh_defs.model.mesh import DataProduct
from quality_checks import Expectation, Result

PRODUCT_KEY = "mesh/product"
SEVERITY = {"critical": dg.AssetCheckSeverity.ERROR, "warning": dg.AssetCheckSeverity.WARN}


def declared_metadata(product: DataProduct, uri: str) -> dict[str, Any]:
    """What the definition knows: the whole declaration (the catalog reads it back), and Dagster's own keys."""
    contract = product.contract
    return {
        "dagster/table_name": contract.product,
        "dagster/uri": uri,
        "dagster/column_schema": dg.TableSchema(columns=[_column(column) for column in contract.columns]),
        "mesh/contract_version": contract.version,
        "mesh/contract_file": contract.file,
        PRODUCT_KEY: dg.MetadataValue.json(dump_product(product)),
    }


def published_metadata(audited: Audited, uri: str) -> dict[str, Any]:
    """What a publication knows: the version, its size, and what it was made from and under which grants."""
    version = audited.published
    if version is None:
        raise ValueError("nothing was published")
    metadata: dict[str, Any] = {
        "dagster/row_count": version.rows,
        "dagster/uri": uri,
        "mesh/version": version.id,
        "mesh/contract_version": version.stamp["contract_version"],
        "mesh/bytes": version.bytes,
    }
    if asked := next((each for each in audited.read.values() if "room" in each), None):
        names = ("room", "room_version", "agreement", "runs")
        metadata["mesh/room"] = dg.MetadataValue.json({name: asked[name] for name in names})
    metadata["mesh/read"] = dg.MetadataValue.json({name: dict(each) for name, each in audited.read.items()})
    if audited.columns_left_out:
        metadata["mesh/columns_left_out"] = ", ".join(audited.columns_left_out)
    if audited.left_out:
        metadata["mesh/quarantined_rows"] = audited.left_out.rows
        metadata["mesh/quarantine"] = audited.left_out.id
    if audited.lineage.unknown:
        metadata["mesh/column_lineage_unknown"] = audited.lineage.unknown
    else:
        metadata["dagster/column_lineage"] = _lineage(audited.lineage)
    return metadata


def check_metadata(result: Result, version: str) -> dict[str, Any]:
    """Counts, shares and aggregates only; the version says which candidate or publication they are about."""
    told = {
        "observed_value": result.observed_value,
        "element_count": result.element_count,
        "unexpected_count": result.unexpected_count,
        "unexpected_percent": result.unexpected_percent,
        "mesh/told": result.error,
    }
    known = {name: _shown(value) for name, value in told.items() if value is not None}
    return {"mesh/version": version, "mesh/engine": result.engine, **known}


def described(expectation: Expectation) -> str:
    """A check's own words, or GX's call: what is expected of which column, within which bounds."""
    written = str(expectation.meta.get("description", ""))
    arguments = ", ".join(f"{name}={value!r}" for name, value in expectation.kwargs.items())
    return written or f"{expectation.type}({arguments})"


def _shown(value: Any) -> Any:
    return dg.MetadataValue.json(value) if isinstance(value, list) else value


def _column(column: Column) -> dg.TableColumn:
    tags: dict[str, str] = {"classification": column.classification}
    if column.identifies:
        tags["identifies"] = column.identifies
    constraints = dg.TableColumnConstraints(nullable=not column.required, unique=column.unique)
    return dg.TableColumn(
        name=column.name, type=column.type, description=column.description or None, constraints=constraints, tags=tags
    )


def _lineage(lineage: ColumnLineage) -> dg.TableColumnLineage:
    deps = {
        column: [
            dg.TableColumnDep(asset_key=dg.AssetKey(source.product.split(".")), column_name=source.column)
            for source in sources
        ]
        for column, sources in lineage.columns.items()
    }
    return dg.TableColumnLineage(deps)
