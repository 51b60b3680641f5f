"""The distributed engine: what DuckDB parsed, planned and verified, run by a Trino over the same versions.

A question on Trino has a worker of DuckDB's too, until it runs: that finds the text governed and names the types of its
answer. So both engines refuse the same, and only a text whose every part was tried on both goes to Trino.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Mapping
from functools import partial
from typing import Any, TypeVar, cast

import pyarrow as pa

from mesh_defs.engine.duckdb import DuckDBEngine
from mesh_defs.engine.session import NO_PARAMETERS, Hold, Rows, Session
from mesh_defs.engine.trino_arrow import batch_of, schema_of
from mesh_defs.engine.trino_client import Client, Statement, Tell
from mesh_defs.errors import EngineError, StorageError
from mesh_defs.model.names import literal, quoted
from mesh_defs.model.place import TrinoAccess
from mesh_defs.model.query import GovernedSQL, TrinoTable
from mesh_defs.model.version import Pin
from mesh_defs.sql.translation.translate import TrinoSQL, translate
from mesh_defs.sql.translation.verify import reads_by_name, verify_fences, verify_moments, verify_reads

KEPT_MAX = 1_000
_Made = TypeVar("_Made")


class TrinoEngine:
    """Safe for many threads. `tables_of` tells by which tables Trino reads a pin; StorageError for one that it does not reach.

    `still_same` raises StorageError for a pin that Trino names by what has become of another table since; `tell` is given
    Trino's statistics of each query while it runs.
    """

    def __init__(
        self,
        *,
        access: TrinoAccess,
        duckdb: DuckDBEngine,
        seconds_max: float,
        tables_of: Callable[[Pin], tuple[TrinoTable, ...]],
        still_same: Callable[[Pin], None],
        tell: Tell | None = None,
    ) -> None:
        self._client, self._duckdb, self._seconds = Client(access, seconds_max), duckdb, seconds_max
        self.tables_of, self._still_same, self._seen, self._tell = tables_of, still_same, Seen(), tell

    def session(self, pins: tuple[Pin, ...]) -> "TrinoSession":
        """Return a session over exactly these pins, for one question. StorageError when a version is gone."""
        tables = {pin.product: self.tables_of(pin) for pin in pins}
        hold = self._duckdb.hold(pins)

        def confirm() -> None:
            for pin in pins:
                self._still_same(pin)
            for table in (each for some in tables.values() for each in some if each.location is not None):
                require_place(table, self._client)

        return TrinoSession(
            hold,
            self._seconds,
            client=self._client,
            tables=tables,
            seen=self._seen,
            confirm=confirm,
            tell=self._tell,
        )


class TrinoSession(Session):
    """DuckDB's session until it runs."""

    def __init__(
        self,
        hold: Hold,
        seconds_max: float,
        *,
        client: Client,
        tables: Mapping[str, tuple[TrinoTable, ...]],
        seen: "Seen",
        confirm: Callable[[], None],
        tell: Tell | None,
    ) -> None:
        super().__init__(hold, seconds_max)
        self._client, self._tables, self._seen = client, tables, seen
        self._confirm, self._tell = confirm, tell
        self._ready: tuple[TrinoSQL, pa.Schema] | None = None
        self._statement: Statement | None = None

    def require_runnable(self, governed: GovernedSQL, parameters: Mapping[str, Any] = NO_PARAMETERS) -> None:
        """Translate it, and see what Trino makes of that: once for a text, its versions and values. QueryRejectedError for
        what has no equal there."""
        shown = tuple((pin.relation, *pin.columns.items(), *pin.tokens.items()) for pin in governed.pins)
        asked = (governed.text, shown, tuple(self._tables.items()), repr(sorted(parameters.items())))
        self._confirm()
        self._ready = self._seen.once(asked, lambda: self._translated(governed, parameters))

    def _translated(self, governed: GovernedSQL, parameters: Mapping[str, Any]) -> tuple[TrinoSQL, pa.Schema]:
        columns = self.describe(governed, parameters)
        sql = translate(governed, parameters, self._tables, [type_ for _, type_ in columns])
        self._seen.require(sql, self._client)
        return sql, schema_of(columns)

    def run(self, governed: GovernedSQL, parameters: Mapping[str, Any] = NO_PARAMETERS) -> Rows:
        """Start it on Trino, and wait for its first rows; DuckDB's worker is let go. EngineError, UnreachableError."""
        if self._ready is None:
            raise EngineError("this was not seen to be runnable on Trino", fix="ask again")
        sql, schema = self._ready
        self.close()
        self._statement = self._client.start(sql.text, self._tell)
        self._statement.wait()
        return TrinoRunning(self._statement, schema, self._confirm)

    def cancel(self) -> None:
        """Stop what was asked, from any thread, its answer too; who waits for it is told so."""
        super().cancel()
        if self._statement is not None:
            self._statement.cancel()


class TrinoRunning:
    """A query under way on Trino. `rows` and `bytes` are what has come so far.

    `confirm` raises when what was read may have been something else: it is asked before the answer counts as whole.
    """

    def __init__(self, statement: Statement, schema: pa.Schema, confirm: Callable[[], None]) -> None:
        self._statement, self._schema, self._confirm = statement, schema, confirm
        self.rows = self.bytes = 0

    @property
    def schema(self) -> pa.Schema:
        """The answer's columns."""
        return self._schema

    @property
    def progress(self) -> tuple[int, int]:
        """Splits done, and how many there are so far."""
        told = self._statement.progress
        return int(told.get("completedSplits", 0)), int(told.get("totalSplits", 0))

    @property
    def cpu_seconds(self) -> float:
        """What all nodes spent on it so far."""
        return float(self._statement.progress.get("cpuTimeMillis", 0)) / 1000

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the answer, a page of Trino's at a time."""
        for page in self._statement.pages():
            batch = batch_of(page, self._schema)
            self.rows, self.bytes = self.rows + batch.num_rows, self.bytes + batch.nbytes
            yield batch
        self._confirm()

    def close(self) -> None:
        """Stop what is left of it."""
        self._statement.close()

    def cancel(self) -> None:
        """Stop the query, from any thread; who reads it is told so."""
        self._statement.cancel()


def require_place(table: TrinoTable, client: Client) -> None:
    """Raise StorageError unless a registered table's name leads to where the product lies now."""
    told = client.text(f"SHOW CREATE TABLE {table.catalog}.{quoted(table.schema)}.{quoted(table.name)}")
    if f"location = {literal(table.location or '')}" not in told:
        what = f"the Trino knows {table.schema}.{table.name} at another place than it lies at"
        raise StorageError(what, fix="run `mesh trino register`")


class Seen:
    """What was found of texts, the last used kept. What it depends on is all in the keys: versions, rules, masks, values."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, Any] = OrderedDict()

    def require(self, sql: TrinoSQL, client: Client) -> None:
        """Raise QueryRejectedError unless Trino reads the text as it is meant: one EXPLAIN; where it scans something else
        than Iceberg another, and one for each guard that hides rows and was not met before."""
        plan = _plan(sql.text, client)
        if not reads_by_name(plan, sql.tables):
            verify_reads(client.text(f"EXPLAIN (TYPE IO, FORMAT JSON) {sql.text}"), sql.tables)
        if sql.guards:
            guards = [self.once(("guard", each), partial(_plan, each, client)) for each in sql.guards.values()]
            verify_fences(plan, guards)
        if any(each.live for each in sql.tables):
            verify_moments(plan, sql.tables)

    def once(self, key: Hashable, make: Callable[[], _Made]) -> _Made:
        """Return what was made for the key before, else make it now; what raises is not kept."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return cast(_Made, self._kept[key])
        made = make()
        with self._lock:
            self._kept[key] = made
            if len(self._kept) > KEPT_MAX:
                self._kept.popitem(last=False)
        return made


def _plan(text: str, client: Client) -> str:
    return client.text(f"EXPLAIN (TYPE LOGICAL, FORMAT JSON) {text}")
