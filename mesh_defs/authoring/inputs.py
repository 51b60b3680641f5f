"""How a step reads its inputs: its own domain's in its own connection, others' through the door as its service principal."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cached_property
from typing import Any

import duckdb
import pyarrow as pa

from mesh_defs.authoring.folder import DomainFolder, Made
from mesh_defs.errors import DeclarationError, Finding, StorageError
from mesh_defs.model.access import View, service_of
from mesh_defs.model.contract import Contract
from mesh_defs.model.names import quoted
from mesh_defs.model.partition import Partition
from mesh_defs.model.place import Access
from mesh_defs.model.query import QueryRequest
from mesh_defs.model.version import Pin
from mesh_defs.policy.authorize import OWN_DOMAIN
from mesh_defs.query.answer import Answer
from mesh_defs.query.platform import Platform
from mesh_defs.query.run import run_query
from mesh_defs.sql.build import Within, filled, select_columns
from mesh_defs.sql.parse import parse_select
from mesh_defs.sql.rewrite import govern
from mesh_defs.storage.base import Readable
from mesh_defs.storage.open import attach
from mesh_defs.upkeep.erased import ErasedKeys


@dataclass
class StepInputs:
    """The inputs of one step, read when asked for. `read` tells what was read: version, grant and data version each.

    `own_storage` opens a product of the step's own domain; `door` opens the mesh, and is called for foreign inputs only.
    `erased` are the persons that must not come back; `token_key` gives the key of a kind of tokens.
    """

    folder: DomainFolder
    contract: Contract
    made: Made
    connection: duckdb.DuckDBPyConnection
    own_storage: Callable[[str], Readable]
    own_access: Access
    door: Callable[[], Platform]
    erased: ErasedKeys
    token_key: Callable[[str], str | None] = lambda kind: None
    partition: Partition | None = None
    read: dict[str, Mapping[str, str]] = field(default_factory=dict)

    def select(self, sql: str) -> str:
        """Return a SELECT for the step's own connection that yields the rows of `sql`, which names products.

        With a foreign input the whole SELECT runs behind the door, so that only its result moves.
        """
        statement = parse_select(sql)
        if statement.parameters:
            sql = filled(sql, self.partition.parameters if self.partition else {})
            statement = parse_select(sql)
        names = statement.products
        undeclared = sorted(set(names) - set(self.made.inputs))
        if undeclared:
            fix = f"declare it: @data_product({', '.join(repr(n) for n in (*self.made.inputs, *undeclared))})"
            finding = Finding(where=self.contract.product, what=f"reads {', '.join(undeclared)} undeclared", fix=fix)
            raise DeclarationError([finding])
        if self._foreign(names):
            return self.register(self._ask(sql).reader())
        pins = {name: self._own_pin(name) for name in names}
        return govern(statement, pins, {name: View(grant=OWN_DOMAIN) for name in pins}).text

    def argument(self, name: str, wanted: Any) -> Any:
        """Return one input as `wanted` (a parameter's annotation) says: a DuckDB relation unless told otherwise.

        Whole, or those rows that this partition reads of an input that is partitioned likewise.
        """
        sql = select_columns(name, self.contracts[name].column_names, within=self._within(name))
        if self._foreign((name,)):
            return _as_wanted(self.connection.from_arrow(self._ask(sql).table()), wanted)
        return _as_wanted(self.connection.sql(self.select(sql)), wanted)

    def register(self, rows: Any) -> str:
        """Offer an Arrow stream, a table or a DataFrame to the step's connection; returns a SELECT of its rows."""
        self.connection.register("product_rows", rows)
        return "SELECT * FROM product_rows"

    def _within(self, name: str) -> Within | None:
        cut, own, mine = self.contracts[name].partitioning, self.partition, self.contract.partitioning
        if cut is None or own is None or mine is None or cut.is_daily != mine.is_daily:
            return None
        if own.start is None or own.end is None:
            return Within(column=cut.column, value=own.key) if own.key in cut.values else None
        low = own.start - timedelta(days=mine.lookback_days.get(name, 0))
        return Within(column=cut.column, low=low, high=own.end)

    @cached_property
    def contracts(self) -> Mapping[str, Contract]:
        """Contracts of all inputs; of other domains' as the mesh knows them."""
        own = {name: contract for name, (contract, _) in self.folder.products.items() if name in self.made.inputs}
        foreign = self._foreign(self.made.inputs)
        known = self._platform.mesh.products if foreign else {}
        missing = [name for name in foreign if name not in known]
        if missing:
            fix = "mend the name, or have its domain declare it; then `mesh refresh --catalog`"
            what = f"reads {', '.join(missing)}, which no domain offers"
            raise DeclarationError([Finding(where=self.contract.product, what=what, fix=fix)])
        return own | {name: known[name].contract for name in foreign}

    @cached_property
    def _platform(self) -> Platform:
        return self.door()

    def _foreign(self, names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(name for name in names if name not in self.folder.products)

    def _ask(self, sql: str) -> Answer:
        asked = QueryRequest(sql=sql, principal=service_of(self.contract.domain), purpose=self.contract.purpose)
        answer = run_query(asked, self._platform)
        for pin in answer.pins:
            self._note(pin, answer.decision.views[pin.product])
        return answer

    def _own_pin(self, name: str) -> Pin:
        storage = self.own_storage(name)
        version = storage.current()
        if version is None:
            raise StorageError(f"{name} has no published version yet", fix=f"materialize {name} first")
        pin = replace(storage.pin(name, version), data_version=version.data_version)
        view, relation = quoted(pin.relation), attach(self.connection, pin, self.own_access)
        columns = ", ".join(map(quoted, pin.columns))
        self.connection.execute(f"CREATE OR REPLACE TEMP VIEW {view} AS SELECT {columns} FROM {relation}")
        self._note(pin, View(grant=OWN_DOMAIN))
        return pin

    def _note(self, pin: Pin, view: View) -> None:
        """The same version under another view gives other rows: it is news to whoever is made from this product."""
        told = {"version": pin.version, "grant": view.grant, "data_version": pin.data_version}
        if view.withheld:
            told |= {"data_version": f"{pin.data_version} seen as {view.digest}", "withheld": view.withheld}
        self.read[pin.product] = told


def _as_wanted(relation: duckdb.DuckDBPyRelation, wanted: Any) -> Any:
    """Convert by the annotation's home, so that neither pandas nor polars is imported unless the domain did."""
    home = getattr(wanted, "__module__", "").partition(".")[0]
    if home == "pandas":
        return relation.df()
    if home == "polars":
        return relation.pl()
    if home == "pyarrow":
        return relation.to_arrow_reader() if wanted is pa.RecordBatchReader else relation.to_arrow_table()
    return relation
