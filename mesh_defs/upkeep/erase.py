"""Removes a person from every product that declares a person key, in every version that is kept.

A current version is published anew without the person; versions before it, and quarantined batches, are retired as soon
as no query can be reading them. What cannot be rewritten is told: external products, partners' products, counts.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import duckdb

from mesh_defs.errors import MeshError
from mesh_defs.model.mesh import DataProduct, Mesh
from mesh_defs.model.names import literal, quoted
from mesh_defs.model.version import Part, Version
from mesh_defs.query.mesh import open_storage, served_from
from mesh_defs.settings import Settings
from mesh_defs.storage.base import Storage
from mesh_defs.storage.places import moving
from mesh_defs.upkeep.erased import add_erased
from mesh_defs.upkeep.sweep import retire_previous

State = Literal["erased", "absent", "counted", "impossible"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """What became of the person in one product. `rows` were removed from the current version.

    `versions` are those, kept besides, that hold the person: they go when no query can be reading them. `counted` means
    that the product is made from such rows and names no person: its counts change with its next publication.
    """

    product: str
    state: State
    rows: int = 0
    versions: int = 0
    told: str = ""


def find(person: str, mesh: Mesh, settings: Settings, *, connection: duckdb.DuckDBPyConnection) -> tuple[Erasure, ...]:
    """Say where the person is, and what `erase` would do. Changes nothing."""
    return _with_counts(mesh, (_find(person, product, mesh, settings, connection) for product in _holders(mesh)))


def erase(
    person: str, mesh: Mesh, settings: Settings, *, connection: duckdb.DuckDBPyConnection, now: datetime
) -> tuple[Erasure, ...]:
    """Erase the person and say what became of them in each product; a product that fails harms no other.

    Steps that are publishing are waited for, since they may have read the person before.
    """
    add_erased(settings.home, person, now=now)
    return _with_counts(mesh, (_erase(person, product, mesh, settings, connection) for product in _holders(mesh)))


def retire_erased(erasures: Iterable[Erasure], mesh: Mesh, settings: Settings, *, now: datetime) -> None:
    """Remove the versions, quarantined batches and former places that may hold the person; query.seconds_max later."""
    for erasure in erasures:
        if erasure.state == "erased":
            product = mesh.products[erasure.product]
            open_storage(product, settings, write=True).sweep(now, mesh.standards.query_seconds_max)
            retire_previous(product, settings)


def _holders(mesh: Mesh) -> tuple[DataProduct, ...]:
    return tuple(product for product in mesh.products.values() if product.contract.carrying("person"))


def _find(
    person: str, product: DataProduct, mesh: Mesh, settings: Settings, connection: duckdb.DuckDBPyConnection
) -> Erasure:
    if refusal := _impossible(product, mesh):
        return refusal
    try:
        return _looked(person, product, open_storage(product, settings), connection, settings)
    except MeshError as error:
        return Erasure(product=product.name, state="impossible", told=str(error))


def _erase(
    person: str, product: DataProduct, mesh: Mesh, settings: Settings, connection: duckdb.DuckDBPyConnection
) -> Erasure:
    if refusal := _impossible(product, mesh):
        return refusal
    try:
        with moving(settings.places_folder, product.name):
            storage = open_storage(product, settings, write=True)
            found = _looked(person, product, storage, connection, settings)
            if found.rows:
                _rewrite(person, product, storage, connection)
            return found
    except MeshError as error:
        return Erasure(product=product.name, state="impossible", told=str(error))


def _impossible(product: DataProduct, mesh: Mesh) -> Erasure | None:
    domain = mesh.domains[product.contract.domain]
    told = ""
    if product.contract.external:
        told = f"external: have {product.contract.owner} erase the person in the system that writes it"
    elif domain.organisation != mesh.standards.organisation:
        told = f"it is {domain.organisation}'s: ask {domain.steward}"
    return Erasure(product=product.name, state="impossible", told=told) if told else None


def _looked(
    person: str,
    product: DataProduct,
    storage: Storage,
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
) -> Erasure:
    """Count the person's rows in each part once, however many versions share it. Quarantine is not read: it goes."""
    current, versions = storage.current(), storage.versions()
    counts: dict[str, int] = {}
    for part in _parts(versions):
        counts[part.path] = _count(person, product, storage, connection, part)
    rows = sum(counts[part.path] for part in current.parts) if current else 0
    older = [version for version in versions if current is None or version.id != current.id]
    holding = sum(1 for version in older if any(counts[part.path] for part in version.parts))
    served = served_from(product.contract, settings)
    elsewhere = bool(served.left or storage.refused())
    state: State = "erased" if rows or holding or elsewhere else "absent"
    return Erasure(product=product.name, state=state, rows=rows, versions=holding)


def _parts(versions: Iterable[Version]) -> tuple[Part, ...]:
    return tuple({part.path: part for version in versions for part in version.parts}.values())


def _count(
    person: str, product: DataProduct, storage: Storage, connection: duckdb.DuckDBPyConnection, part: Part
) -> int:
    relation = storage.relation(connection, [part])
    try:
        row = connection.execute(f"SELECT count(*) FROM {relation} WHERE {_names(product, person)}").fetchone()
    finally:
        storage.release(connection, [part])
    return int(row[0]) if row else 0


def _rewrite(person: str, product: DataProduct, storage: Storage, connection: duckdb.DuckDBPyConnection) -> None:
    """Publish each part that names the person anew, without them. No audit: erasing goes before what was promised."""
    current = storage.current()
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE erased_person AS SELECT CAST($person AS VARCHAR)", {"person": person}
    )
    for part in current.parts if current else ():
        if not _count(person, product, storage, connection, part):
            continue
        relation = storage.relation(connection, [part], whole=True)
        try:
            kept = f"SELECT * FROM {relation} WHERE NOT coalesce({_names(product, person)}, false)"
            candidate = storage.stage(connection, kept, partition=part.partition, tokens=part.tokens)
            # What is kept of the rows as they were goes as well.
            stamp = {**(current.stamp if current else {}), "states": {}, "data_version": candidate.id, "erased": True}
            try:
                storage.publish(candidate, stamp=stamp)
            except BaseException:
                storage.discard(candidate)
                raise
        finally:
            storage.release(connection, [part])


def _names(product: DataProduct, person: str) -> str:
    columns = product.contract.carrying("person")
    return "(" + " OR ".join(f"CAST({quoted(column.name)} AS VARCHAR) = {literal(person)}" for column in columns) + ")"


def _with_counts(mesh: Mesh, erasures: Iterable[Erasure]) -> tuple[Erasure, ...]:
    """Add what is made from rows of the person without naming them."""
    found = tuple(erasures)
    touched = {erasure.product for erasure in found if erasure.rows}
    return (*found, *_counted(mesh, touched, {erasure.product for erasure in found}))


def _counted(mesh: Mesh, touched: set[str], known: set[str]) -> Iterator[Erasure]:
    reached, frontier = set(touched), set(touched)
    while frontier:
        frontier = {name for each in frontier for name in mesh.downstream(each)} - reached
        reached |= frontier
    for name in sorted(reached - known):
        told = f"its counts include the person until `mesh refresh --select {name}`"
        yield Erasure(product=name, state="counted", told=told)
