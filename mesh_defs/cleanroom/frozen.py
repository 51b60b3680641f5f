"""Holds parties to the tables and versions of their first run: what changes between two questions tells of the change.

The tables of whoever asks are those that it signed, by content. Its own process sees to that; what a forged process of its
own could send is bounded by the other parties' rules, not by this (docs/guides/room-processes.md).
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress

from mesh_defs.cleanroom.extract import Seat
from mesh_defs.errors import AccessDeniedError, MeshError, StorageError
from mesh_defs.model.room import Agreement, SharedTable
from mesh_defs.sql.frozen import content_sql


def content_digest(table: SharedTable, seat: Seat, version: str | None = None) -> str:
    """SHA-256 of a table's persons and dimensions, through its party's own door; of the current version when none is named."""
    with seat.ask(content_sql(table), {table.product: version} if version else {}) as answer:
        (found,) = answer.table().column(0).to_pylist()
    if found is None:
        raise StorageError(f"{table.product} is empty", fix="publish it before it is shared")
    return str(found)


def current_versions(names: Iterable[str], agreement: Agreement, seat: Seat) -> dict[str, str]:
    """Return the current version of each of the party's products among these shared tables. StorageError when one has none."""
    products = [table.product for table in agreement.tables if table.name in set(names) and table.party == seat.party]
    return dict(_versions(products, seat))


def require_frozen(names: Iterable[str], agreement: Agreement, seat: Seat, versions: Mapping[str, str]) -> None:
    """Raise AccessDeniedError when one of the party's tables is not what was signed of it."""
    for table in agreement.tables:
        if table.name in set(names) and table.party == seat.party and table.digest is not None:
            version = versions[table.product]
            if _kept(table, seat, version) != table.digest:
                fix = "ask with the table that was signed, or agree on a next version"
                raise AccessDeniedError(f"{table.name} is not what its party signed", fix=fix)


def take_digests(agreement: Agreement, seat: Seat) -> None:
    """Take the digests of the party's signed tables as they are now, so that no question waits for that.

    What is not as it was signed, or cannot be read, is refused where it is asked about.
    """
    for table in agreement.tables:
        if table.party == seat.party and table.digest is not None:
            with suppress(MeshError):
                _kept(table, seat, current_versions([table.name], agreement, seat)[table.product])


# A version never changes: its digest need not be taken again. By product, version, and what is taken of it.
_KEPT: dict[tuple[str, ...], str] = {}
_KEPT_MAX = 1_000


def _kept(table: SharedTable, seat: Seat, version: str) -> str:
    key = (str(seat.platform.settings.home), table.product, version, table.person, *table.dimensions)
    if key not in _KEPT:
        if len(_KEPT) >= _KEPT_MAX:
            _KEPT.clear()
        _KEPT[key] = content_digest(table, seat, version)
    return _KEPT[key]


def _versions(products: Iterable[str], seat: Seat) -> Iterable[tuple[str, str]]:
    for name in products:
        product = seat.platform.mesh.products.get(name)
        version = seat.platform.storage_of(product).current() if product else None
        if version is None:
            raise StorageError(f"{name} has no published version", fix=f"run `mesh refresh --select {name}`")
        yield name, version.id
