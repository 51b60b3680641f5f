"""What every product must meet beyond its own contract: no copies of other domains' data without an argument."""

from collections.abc import Iterator, Mapping, Set

from mesh_defs.errors import Finding
from mesh_defs.model.contract import Contract
from mesh_defs.model.lineage import ColumnLineage


def hoarding(contract: Contract, inputs: Mapping[str, Contract], lineage: ColumnLineage | None) -> list[Finding]:
    """Refuse a product that republishes another domain's columns at the same grain and does not argue it.

    `inputs` are the contracts of its inputs. With lineage, a column is republished when it passes through unchanged,
    under whatever name; without (a Python product), when it has the name and type of the input's column.
    """
    if contract.republishes:
        return []
    found = []
    for name, other in inputs.items():
        if other.domain == contract.domain:
            continue
        key, beyond = _republished(contract, _Copies(contract, other, lineage), other)
        if beyond:
            what = f"republishes {', '.join(sorted(beyond))} of {name} at the same grain ({', '.join(sorted(key))})"
            fix = f"read {name} where it lies, or argue it: `{{property: republishes, value: why}}`"
            found.append(Finding(where=f"{contract.file}: customProperties.republishes", what=what, fix=fix))
    return found


def row_key(contract: Contract) -> tuple[str, ...]:
    """The columns that tell one row from another: the stated grain, else the primary key in the columns' order."""
    return contract.grain or _primary_key(contract)


class _Copies:
    """Which columns of a product carry another product's columns unchanged, and which are made of nothing else."""

    def __init__(self, contract: Contract, other: Contract, lineage: ColumnLineage | None) -> None:
        self.outputs: dict[str, set[str]] = {}
        self.made_of_it: set[str] = set()
        if lineage is None or lineage.unknown:
            types = {column.name: column.type for column in other.columns}
            self.made_of_it = {column.name for column in contract.columns if types.get(column.name) == column.type}
            self.outputs = {name: {name} for name in self.made_of_it}
            return
        for output, sources in lineage.columns.items():
            if sources and all(source.product == other.product for source in sources):
                self.made_of_it.add(output)
            for source in sources:
                if source.product == other.product and source.how == "identity":
                    self.outputs.setdefault(source.column, set()).add(output)


def _republished(contract: Contract, copies: _Copies, other: Contract) -> tuple[Set[str], Set[str]]:
    """A key of `other` that tells the product's rows apart too, and the columns it carries besides; or nothing."""
    own = set(row_key(contract))
    for key in _keys(other):
        carried = [copies.outputs.get(column, set()) for column in key]
        # Columns of `other` beside its key follow from the key: they make no grain finer.
        if all(outputs & own for outputs in carried) and own <= copies.made_of_it.union(*carried):
            return key, copies.outputs.keys() - key
    return set(), set()


def _keys(contract: Contract) -> Iterator[Set[str]]:
    """Every set of columns that tells one row from another: each alone suffices to copy row by row."""
    unique = ((column.name,) for column in contract.columns if column.unique)
    for key in (row_key(contract), _primary_key(contract), *unique):
        if key:
            yield set(key)


def _primary_key(contract: Contract) -> tuple[str, ...]:
    return tuple(column.name for column in contract.columns if column.primary_key)
