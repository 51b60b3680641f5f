"""Lets the table by which a Trino reads a product's Parquet files (`storage.registered`) follow its publications and sweeps.

Only where it was registered, and without failing them: a table that lags behind is refused to whoever pins a version.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from mesh_defs.errors import MeshError
from mesh_defs.model.contract import Server
from mesh_defs.model.place import Access
from mesh_defs.storage.base import Storage
from mesh_defs.storage.iceberg_names import CATALOG_SCHEMA, domain_of, listed_namespace, table_of

if TYPE_CHECKING:
    from mesh_defs.storage.registered import Registration

_LOG = logging.getLogger(__name__)
_EXISTS = "SELECT to_regclass(%s) IS NOT NULL"
_LISTED = f"SELECT 1 FROM {CATALOG_SCHEMA}.iceberg_tables WHERE table_namespace = %s AND table_name = %s"


@dataclass(frozen=True, slots=True)
class Follower:
    """Of one place, in a domain that has a Postgres. Costs one connection where the product was never registered."""

    server: Server
    access: Access

    def changed(self, storage: Storage, *, retention_seconds: float | None = None) -> None:
        """After a publication, or, with the retention, after a sweep."""
        with self._not_failing():
            if self._is_registered():
                self._registration().follow(storage, retention_seconds=retention_seconds)

    def retired(self) -> None:
        """After the place was removed."""
        with self._not_failing():
            if self._is_registered():
                self._registration().forget()

    @contextmanager
    def _not_failing(self) -> Iterator[None]:
        try:
            yield
        except (MeshError, ModuleNotFoundError) as error:
            _LOG.warning(
                "%s: its table for Trino lags behind, `mesh trino register` mends it: %s", self.server.place, error
            )

    def _is_registered(self) -> bool:
        from mesh_defs.storage.postgres_database import database_of
        from mesh_defs.storage.postgres_failures import told

        domain = domain_of(self.access)
        _, name = table_of(domain, self.server.place)
        with told("its table cannot be looked for", self.server.place), database_of(self.access).connect() as own:
            known = own.execute(_EXISTS, [f"{CATALOG_SCHEMA}.iceberg_tables"]).fetchone()
            return known == (True,) and own.execute(_LISTED, [listed_namespace(domain), name]).fetchone() is not None

    def _registration(self) -> "Registration":
        """As late as this: importing pyiceberg takes 0.5 s."""
        found: Registration = import_module("mesh_defs.storage.registered").registration_at(self.server, self.access)
        return found


def follower_of(server: Server, access: Access) -> Follower | None:
    """Return who lets a place's table follow; None in a domain without a Postgres, where there can be none."""
    return Follower(server, access) if access.postgres is not None else None
