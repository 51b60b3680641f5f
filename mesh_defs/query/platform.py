"""Wiring: everything that the door needs, opened from the settings."""

import gc
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache

from mesh_defs.access.given import RequestBook
from mesh_defs.engine import spawn
from mesh_defs.engine.duckdb import DuckDBEngine
from mesh_defs.engine.session import Session
from mesh_defs.engine.trino import TrinoEngine
from mesh_defs.engine.trino_client import Tell
from mesh_defs.errors import StorageError
from mesh_defs.ledger import Ledger, open_ledger
from mesh_defs.model.mesh import DataProduct, Mesh
from mesh_defs.model.place import Access
from mesh_defs.model.query import EngineName, QueryPlan
from mesh_defs.model.version import Pin
from mesh_defs.policy.authorize import Policy
from mesh_defs.processes.apart import driver_environment, worker_environment
from mesh_defs.query.mesh import open_mesh, open_readable
from mesh_defs.query.plan import choose
from mesh_defs.query.prepare import Preparer
from mesh_defs.query.tables import still_same, tables_of
from mesh_defs.settings import Settings
from mesh_defs.storage.base import Readable


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """An opened mesh: its declarations, its state, its engine and its clock."""

    settings: Settings
    mesh: Mesh
    ledger: Ledger
    requests: RequestBook
    engine: DuckDBEngine
    clock: Callable[[], datetime]
    trino: TrinoEngine | None = None
    preparer: Preparer = field(default_factory=Preparer)

    def policy(self) -> Policy:
        """What decisions depend on, as it is now: what the files grant, and what was given on request and not taken back."""
        mesh, page = self.mesh, self.requests.page()
        return Policy(
            grants=(*mesh.grants, *self.requests.grants(mesh, page)),
            contracts=mesh.contracts,
            standards=mesh.standards,
            requestable=mesh.requestable,
            revision=f"{mesh.revision}.{page.newest}",
        )

    def plan(self, asked: EngineName | None, pins: Mapping[str, Pin]) -> QueryPlan:
        """Choose the engine. QueryRejectedError, or UnreachableError, when Trino is asked for and cannot have it."""
        above = self.mesh.standards.query_trino_above_bytes
        matters = self.trino is not None and (asked == "trino" or (asked is None and above is not None))
        unreached = dict(self._unreached(pins)) if matters else None
        return choose(asked, pins.values(), unreached=unreached, above_bytes=above)

    def session(self, plan: QueryPlan, pins: tuple[Pin, ...]) -> Session:
        """Open a session of the chosen engine over exactly these pins. StorageError when a version is gone."""
        if plan.engine == "trino" and self.trino is not None:
            return self.trino.session(pins)
        return self.engine.session(pins)

    def _unreached(self, pins: Mapping[str, Pin]) -> Iterator[tuple[str, str]]:
        for name, pin in pins.items():
            try:
                tables_of(pin, self.mesh, self.settings)
            except StorageError as error:
                yield name, f"{error.what} — {error.fix}"

    def storage_of(self, product: DataProduct) -> Readable:
        """Open what is read of the product in the environment of the settings."""
        return open_readable(product, self.settings)


def open_platform(settings: Settings, *, build: bool = True, warm: bool = False, tell: Tell | None = None) -> Platform:
    """Open the mesh; `build` compiles what is missing or changed in the catalog first, in a process of its own.

    `warm`: a question follows at once, so the engine's processes start meanwhile. `tell` is given what a Trino says of each
    query while it runs: its statistics (https://trino.io/docs/current/develop/client-protocol.html).
    """
    if warm:
        spawn.start(worker_environment())
    mesh = open_mesh(settings, build=build)
    standards = mesh.standards
    engine = DuckDBEngine(
        spill=settings.home / "spill",
        seconds_max=standards.query_seconds_max,
        memory_bytes_max=standards.query_memory_bytes_max,
        access_of=lambda pin: _access(mesh.products[pin.product], settings),
        environment=worker_environment(),
        drivers=driver_environment(),
    )
    ledger = open_ledger(settings)
    _settle()
    return Platform(
        settings=settings,
        mesh=mesh,
        ledger=ledger,
        requests=RequestBook(ledger),
        engine=engine,
        clock=_now,
        trino=_trino(settings, mesh, engine, tell),
    )


@cache
def _settle() -> None:
    """What this process has loaded stays: going through all of it cost 0.2 s at about each hundredth question."""
    gc.freeze()


def _trino(settings: Settings, mesh: Mesh, engine: DuckDBEngine, tell: Tell | None) -> TrinoEngine | None:
    if settings.trino is None:
        return None
    return TrinoEngine(
        access=settings.trino,
        duckdb=engine,
        seconds_max=mesh.standards.query_seconds_max,
        tables_of=lambda pin: tables_of(pin, mesh, settings),
        still_same=lambda pin: still_same(pin, mesh, settings),
        tell=tell,
    )


def _access(product: DataProduct, settings: Settings) -> Access:
    return settings.access(product.contract.domain, product.storage, write=False)


def _now() -> datetime:
    return datetime.now(UTC)
