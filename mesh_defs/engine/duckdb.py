"""The embedded engine: runs governed SQL on a DuckDB that can open the pinned files and nothing else."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from mesh_defs.errors import EngineError, QueryRejectedError
from mesh_defs.model.names import literal, quoted
from mesh_defs.model.place import Access
from mesh_defs.model.query import GovernedSQL
from mesh_defs.model.version import Pin
from mesh_defs.storage.failures import told
from mesh_defs.storage.open import allowed_paths, attach

BATCH_ROWS = 65_536
_CONFIG: Mapping[str, Any] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "allow_community_extensions": False,
    "allow_persistent_secrets": False,
    "python_enable_replacements": False,
    "catalog_error_max_schemas": 0,
}


class DuckDBEngine:
    """Runs one query per connection. `spill` is where a query that outgrows its memory writes; `access_of` tells how
    the stores of a pin are reached."""

    def __init__(
        self, *, spill: Path, seconds_max: float, memory_bytes_max: int, access_of: Callable[[Pin], Access]
    ) -> None:
        self._spill, self._seconds, self._memory = spill, seconds_max, memory_bytes_max
        self._access_of = access_of

    def run(self, governed: GovernedSQL, parameters: Mapping[str, Any]) -> "Running":
        """Start a governed query. Raises QueryRejectedError when it does not bind, EngineError when it fails."""
        config = {**_CONFIG, "temp_directory": str(self._spill), "memory_limit": f"{self._memory}B"}
        connection = duckdb.connect(":memory:", config=config)
        try:
            for pin in governed.pins:
                columns = ", ".join(quoted(name) for name in pin.columns)
                relation = attach(connection, pin, self._access_of(pin), seconds_max=self._seconds)
                with told(f"version {pin.version} of {pin.product} cannot be opened", pin.locations[0]):
                    connection.execute(f"CREATE VIEW {quoted(pin.relation)} AS SELECT {columns} FROM {relation}")
            _lock(connection, [path for pin in governed.pins for path in allowed_paths(pin)])
            return Running(connection, governed.text, dict(parameters), self._seconds)
        except BaseException:
            connection.close()
            raise


class Running:
    """A query under way. Close it, or read it to its end."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, text: str, parameters: dict[str, Any], seconds: float
    ) -> None:
        self._connection, self._seconds, self._late = connection, seconds, False
        self._timer = threading.Timer(seconds, self._interrupt)
        self._timer.daemon = True
        self._timer.start()
        with self._sanitised():
            self._reader = connection.execute(text, parameters or None).to_arrow_reader(BATCH_ROWS)

    @property
    def schema(self) -> pa.Schema:
        """The answer's columns."""
        return self._reader.schema

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the answer in batches of at most BATCH_ROWS rows; closes at the end."""
        try:
            while True:
                with self._sanitised():
                    batch = next(self._reader, None)
                if batch is None:
                    return
                yield batch
        finally:
            self.close()

    def close(self) -> None:
        """Stop the query and let go of its files."""
        self._timer.cancel()
        self._connection.close()

    def _interrupt(self) -> None:
        self._late = True
        self._connection.interrupt()

    @contextmanager
    def _sanitised(self) -> Iterator[None]:
        """DuckDB's messages may quote values of rows; only what it says while binding names nothing but names."""
        try:
            yield
        except (duckdb.BinderException, duckdb.ParserException, duckdb.CatalogException) as error:
            self.close()
            raise QueryRejectedError(_first_line(error), fix="`mesh show PRODUCT` lists its columns") from None
        except (duckdb.Error, pa.ArrowException, OSError) as error:
            self.close()
            raise self._failure(error) from None

    def _failure(self, error: Exception) -> EngineError:
        if self._late:
            return EngineError(f"stopped after {self._seconds:g} s", fix="narrow the query, or raise query.seconds_max")
        if isinstance(error, duckdb.OutOfMemoryException):
            return EngineError("out of memory", fix="aggregate or narrow more, or raise query.memory_bytes_max")
        if isinstance(error, duckdb.HTTPException):
            what = f"a product's storage did not answer as it should (HTTP {getattr(error, 'status_code', '?')})"
            return EngineError(what, fix="ask again; if it stays so, tell the product's owner")
        mend = "a value did not fit a cast or a function: use TRY_CAST, or filter such rows out"
        return EngineError(f"the engine failed ({type(error).__name__})", fix=mend)


def _lock(connection: duckdb.DuckDBPyConnection, paths: list[str]) -> None:
    """Order matters: after the last statement not even we can widen what this instance may open."""
    connection.execute(f"SET allowed_paths = [{', '.join(literal(path) for path in paths)}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


def _first_line(error: Exception) -> str:
    text = str(error).partition("\n")[0].replace("pin_", "")
    return text.partition(" Error: ")[2].strip() or text.strip()
