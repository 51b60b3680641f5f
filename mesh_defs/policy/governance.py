"""What every product must meet beyond its own contract: no copies of other domains' data without an argument."""

from collections.abc import Mapping

from mesh_defs.errors import Finding
from mesh_defs.model.contract import Contract
from mesh_defs.model.lineage import ColumnLineage


def hoarding(contract: Contract, inputs: Mapping[str, Contract], lineage: ColumnLineage | None) -> list[Finding]:
    """Refuse a product that republishes another domain's columns at the same grain and does not argue it.

    `inputs` are the contracts of its inputs. With lineage, a column is republished when it passes through unchanged;
    without (a Python product), when it has the name and type of the input's column.
    """
    if contract.republishes:
        return []
    found = []
    for name, other in inputs.items():
        if other.domain == contract.domain:
            continue
        copied = _copied(contract, other, lineage)
        beyond_key = sorted(set(copied) - set(row_key(other)))
        if beyond_key and _same_grain(contract, other, copied):
            what = f"republishes {', '.join(beyond_key)} of {name} at the same grain ({', '.join(row_key(other))})"
            fix = f"read {name} where it lies, or argue it: `{{property: republishes, value: why}}`"
            found.append(Finding(where=contract.file, what=what, fix=fix))
    return found


def row_key(contract: Contract) -> tuple[str, ...]:
    """The columns that tell one row from another: the stated grain, else the primary key."""
    return contract.grain or tuple(column.name for column in contract.columns if column.primary_key)


def _copied(contract: Contract, other: Contract, lineage: ColumnLineage | None) -> dict[str, str]:
    """Columns of `other` -> the columns of `contract` that carry them unchanged."""
    if lineage is None or lineage.unknown:
        types = {column.name: column.type for column in other.columns}
        return {column.name: column.name for column in contract.columns if types.get(column.name) == column.type}
    return {
        source.column: column
        for column, sources in lineage.columns.items()
        for source in sources
        if source.product == other.product and source.how == "identity"
    }


def _same_grain(contract: Contract, other: Contract, copied: Mapping[str, str]) -> bool:
    theirs, ours = row_key(other), row_key(contract)
    return bool(theirs) and {copied.get(column) for column in theirs} == set(ours)
