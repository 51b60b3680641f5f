"""What lies in a product's quarantine: listed for all, its rows for the domain itself alone. Changes nothing."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import duckdb

from mesh_defs.errors import AccessDeniedError, NotFoundError, nearest
from mesh_defs.ledger import Ledger
from mesh_defs.model.access import service_of
from mesh_defs.model.contract import Classification, Contract
from mesh_defs.model.mesh import DataProduct, Mesh
from mesh_defs.model.refused import REASONS
from mesh_defs.query.mesh import open_storage
from mesh_defs.settings import Settings
from mesh_defs.sql.quarantine import masked
from mesh_defs.storage.base import Refused, Storage
from mesh_defs.storage.failures import told
from mesh_defs.upkeep.erased import load_erased

HIDDEN: tuple[Classification, ...] = ("confidential", "restricted")


@dataclass(frozen=True, slots=True, kw_only=True)
class Custody:
    """One product's quarantine, with what it takes to look into it on the record."""

    product: DataProduct
    mesh: Mesh
    settings: Settings
    ledger: Ledger
    connection: duckdb.DuckDBPyConnection
    clock: Callable[[], datetime]

    @property
    def storage(self) -> Storage:
        """The product's own place, as its domain writes there. Raises StorageError when this process may not."""
        return open_storage(self.product, self.settings, write=True)

    def note(self, kind: str, principal: str | None, id: str, **body: Any) -> int:
        """Put on record what is about to be done, durably, and return the entry's number."""
        noted = {"principal": principal, "product": self.product.name, "id": id, **body}
        return self.ledger.append(kind, noted, at=self.clock()).seq

    def require_owner(self, principal: str | None, id: str) -> str:
        """Return the domain's service identity if that is who acts; else AccessDeniedError, on record."""
        domain = self.mesh.domains[self.product.contract.domain]
        owner = service_of(domain.name)
        if domain.organisation != self.mesh.standards.organisation:
            what, fix = f"{self.product.name} is {domain.organisation}'s", f"ask {domain.steward}"
        elif principal != owner:
            who = f"{principal} may" if principal else "nobody in particular may"
            what = f"{who} not see or release what {self.product.name} has in quarantine"
            fix = f"that is for its own domain: --as {owner}, where the domain's own write credentials are"
        else:
            return owner
        self.note("quarantine_denied", principal, id)
        raise AccessDeniedError(what, fix=fix)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """Rows out of quarantine. Values of `hidden` columns were replaced before they were read."""

    refused: Refused
    columns: tuple[str, ...]
    rows: Sequence[tuple[Any, ...]]
    hidden: tuple[str, ...]


def show(custody: Custody, id: str, *, principal: str | None, limit: int | None, unmasked: bool = False) -> Shown:
    """Return some rows of one quarantined batch, without those of erased persons; on record before one is read.

    Masked unless `unmasked`: columns of which the contract allows no samples, or that it classifies as confidential or
    restricted, or does not know.
    """
    owner = custody.require_owner(principal, id)
    storage = custody.storage
    refused = find(custody.product, storage, id)
    with opened(custody.connection, storage, refused) as relation:
        columns = described(custody.connection, relation)
        masks = {} if unmasked else _masks(custody.product.contract, list(columns))
        seen = [name for name in columns if name not in masks and name != REASONS]
        custody.note("quarantine_shown", owner, id, columns=seen, rows_max=limit, unmasked=unmasked)
        known = _without_erased(custody, relation, list(columns))
        with told("the quarantine cannot be read", refused.path):
            found = custody.connection.sql(masked(known, columns, masks, limit)).to_arrow_table()
    rows = list(zip(*(map(_plain, column.to_pylist()) for column in found.columns), strict=True))
    return Shown(refused=refused, columns=tuple(columns), rows=rows, hidden=tuple(masks))


def find(product: DataProduct, storage: Storage, id: str) -> Refused:
    """Return what lies in quarantine under this id. NotFoundError says when it was released, or what else lies there."""
    known = {refused.id: refused for refused in storage.refused()}
    released = next((each for each in storage.versions() if each.stamp.get("released", {}).get("id") == id), None)
    if released:
        what = f"{id} was released before, as version {released.id} of {product.name}"
        raise NotFoundError(what, fix="there is nothing left to do")
    if id not in known:
        fix = f"see `mesh quarantine list {product.name}`; {nearest(id, known)}"
        raise NotFoundError(f"{product.name} has nothing called '{id}' in quarantine", fix=fix)
    return known[id]


@contextmanager
def opened(connection: duckdb.DuckDBPyConnection, storage: Storage, refused: Refused) -> Iterator[str]:
    """Yield text that may stand after FROM and reads what was refused."""
    relation = storage.refused_relation(connection, refused)
    try:
        yield relation
    finally:
        storage.release(connection, refused.parts)


def described(connection: duckdb.DuckDBPyConnection, relation: str) -> dict[str, str]:
    """Return its columns, name -> type."""
    return {row[0]: row[1] for row in connection.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()}


def _plain(value: Any) -> Any:
    """JSON has no NaN and no infinity."""
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _without_erased(custody: Custody, relation: str, columns: Sequence[str]) -> str:
    persons = [column.name for column in custody.product.contract.carrying("person") if column.name in columns]
    return f"({load_erased(custody.settings.home).without(f'SELECT * FROM {relation}', persons)})"


def _masks(contract: Contract, columns: Sequence[str]) -> Mapping[str, str]:
    """Values are shown only where the contract allows samples of a column, and its classification does not forbid them."""
    masks = {}
    for name in columns:
        column = contract.column(name)
        if name != REASONS and (column is None or column.classification in HIDDEN):
            masks[name] = f"‹{column.classification if column else 'unclassified'}›"
        elif column and not column.samples:
            masks[name] = "‹no samples›"
    return masks
