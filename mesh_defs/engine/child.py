"""A worker: one locked DuckDB over one set of pins, in a process of its own, that answers one query at a time.

What leaves it are frames: trees, Arrow batches, and failures without a value in them.
"""

import json
import os
import signal
import socket
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import duckdb
import pyarrow as pa

from mesh_defs.engine import frames
from mesh_defs.engine.attached import attach_all
from mesh_defs.engine.held import Held, apart
from mesh_defs.engine.parameters import values_of
from mesh_defs.engine.setup import Setup, from_json
from mesh_defs.engine.shadow import shadow_of
from mesh_defs.errors import MeshError

BATCH_ROWS = 65_536
# A batch that is still small is joined with the next ones; one of long texts goes as it is.
_BATCH_BYTES = 4 * 2**20
_CHUNK_ROWS = 2_048
_CHUNK_BYTES = 65_536
# The caller stops a query in time; this is for a caller that does not look.
_GRACE_SECONDS = 2.0
_KINDS = {name.casefold(): name for name in dir(duckdb) if name.endswith("Exception")}
# After these DuckDB, or what it reads from, is in a state that the next query must not meet.
_LASTING = {
    *("FatalException", "InternalException", "OutOfMemoryException"),
    *("IOException", "HTTPException", "PermissionException"),
}
_BINDING = (duckdb.BinderException, duckdb.ParserException, duckdb.CatalogException)
_FAILURES = (duckdb.Error, pa.ArrowException, MemoryError, RecursionError, OSError)


def serve(sock: socket.socket, connection: duckdb.DuckDBPyConnection, spill: str) -> None:
    """Take the setup, attach, lock, then answer until the caller closes the socket."""
    try:
        setup = from_json(frames.receive(sock)[1])
        with _limited(setup):
            shadow = shadow_of(setup.pins) if "postgres" in setup.stores else None
            attach_all(connection, setup, spill)
        frames.send_json(sock, frames.ANSWER, {})
        child = _Child(sock, connection, shadow, spill)
        while child.answers(setup):
            pass
    except MeshError as error:
        told = {"code": error.code, "what": error.what, "where": error.where, "fix": error.fix}
        frames.send_json(sock, frames.FAILURE, {"mesh": told})
    except frames.GoneError:
        pass
    except Exception as error:  # noqa: BLE001  a surface: what happened here must not cross with its values
        frames.send_json(sock, frames.FAILURE, {"kind": type(error).__name__})


class _Child:
    """Asks the connection that attached, not a cursor of it: some of what attaching sets holds for its own alone."""

    def __init__(self, sock: socket.socket, connection: Any, shadow: Any, spill: str) -> None:
        self._sock, self._connection, self._shadow, self._spill = sock, connection, shadow, spill
        self._guards: dict[tuple[Any, str], str] = {}

    def answers(self, setup: Setup) -> bool:
        """Answer one request; False when this worker had better not answer another."""
        asked = json.loads(frames.receive(self._sock)[1])
        text, parameters = asked["text"], values_of(frames.receive(self._sock)[1])
        started = time.process_time()
        try:
            with _limited(setup):
                if asked["do"] == "run":
                    self._run(text, parameters, asked["visible"], alone=asked["alone"])
                elif asked["do"] == "trees":
                    frames.send_json(self._sock, frames.ANSWER, self._trees(text, parameters, asked["guards"]))
                else:
                    frames.send_json(self._sock, frames.ANSWER, self._columns(text, parameters))
            frames.send_json(self._sock, frames.END, {"cpu_seconds": time.process_time() - started})
            return True
        except _FAILURES as error:
            kind = _kind(error)
            goes_on = kind in _KINDS.values() and kind not in _LASTING
            told = {"kind": kind, "status": getattr(error, "status_code", None), "goes_on": goes_on}
            binding = self._binding(text, parameters) if isinstance(error, _BINDING) else ""
            frames.send_json(self._sock, frames.FAILURE, {**told, "binding": binding})
            return goes_on

    def _run(self, text: str, parameters: dict[str, Any] | None, visible: Mapping[str, str], *, alone: bool) -> None:
        """`visible` tells how each guard's rows are set apart, where one keeps some back; `alone`, that they must be."""
        if visible:
            held = self._apart(text, parameters, visible) if alone else self._believed(text, parameters, visible)
            self._send(held.schema, held.tables())
            return
        reader = self._reader(text, parameters)
        self._send(reader.schema, _joined(reader))

    def _reader(self, text: str, parameters: dict[str, Any] | None) -> pa.RecordBatchReader:
        reader: pa.RecordBatchReader = self._connection.execute(text, parameters).to_arrow_reader(_CHUNK_ROWS)
        return reader

    def _believed(self, text: str, parameters: dict[str, Any] | None, visible: Mapping[str, str]) -> Held:
        """What fails is run again over the visible rows alone, and comes to what that comes to."""
        try:
            return self._held(text, parameters)
        except _FAILURES:
            return self._apart(text, parameters, visible)

    def _apart(self, text: str, parameters: dict[str, Any] | None, visible: Mapping[str, str]) -> Held:
        with apart(self._connection, text, visible) as seen:
            return self._held(seen, parameters)

    def _held(self, text: str, parameters: dict[str, Any] | None) -> Held:
        reader = self._reader(text, parameters)
        return Held(reader.schema, _joined(reader), self._spill)

    def _send(self, schema: pa.Schema, tables: Iterable[pa.Table]) -> None:
        """Send each piece but the first while the next one is made: most answers are one piece."""
        frames.send(self._sock, frames.SCHEMA, schema.serialize())
        with ThreadPoolExecutor(max_workers=1) as sender:
            sent: Future[None] | None = None
            for number, table in enumerate(tables):
                if sent is not None:
                    sent.result()
                if number:
                    sent = sender.submit(self._send_rows, table)
                else:
                    self._send_rows(table)
            if sent is not None:
                sent.result()

    def _send_rows(self, table: pa.Table) -> None:
        """A whole IPC stream each time, so that a column's dictionary is always in it. Its size is counted first, not copied."""
        table = table.combine_chunks()
        counted = pa.MockOutputStream()
        with pa.ipc.new_stream(counted, table.schema) as writer:
            writer.write_table(table)
        frames.send_head(self._sock, frames.ROWS, counted.size())
        out = self._sock.makefile("wb", buffering=_CHUNK_BYTES)
        with out, pa.ipc.new_stream(out, table.schema) as writer:
            writer.write_table(table)

    def _trees(self, text: str, parameters: dict[str, Any] | None, guards: Mapping[str, str]) -> dict[str, Any]:
        """The text goes in as a value, and is never run. What has no JSON, as scans of Postgres, is planned over its shadow."""
        plans = self._plans(self._connection, text, guards)
        if not plans["plan"].startswith('{"error":false'):
            self._require_bound(text, parameters)
            plans = self._plans(self._shadow, text, guards) if self._shadow is not None else plans
        return {"parsed": _serialized(self._connection, "sql", text), **plans}

    def _plans(self, connection: Any, text: str, guards: Mapping[str, str]) -> dict[str, Any]:
        """A guard's plan is the same for as long as this worker lives: its pins are."""
        for guard in guards.values():
            if (connection, guard) not in self._guards:
                self._guards[connection, guard] = _serialized(connection, "plan", guard)
        alone = {product: self._guards[connection, guard] for product, guard in guards.items()}
        return {"plan": _serialized(connection, "plan", text), "guards": alone}

    def _require_bound(self, text: str, parameters: dict[str, Any] | None) -> None:
        """Raise what does not bind. Another failure may come of the statistics of hidden rows: it is not told."""
        try:
            self._connection.execute(f"EXPLAIN {text}", parameters)
        except _BINDING:
            raise
        except _FAILURES:
            pass

    def _columns(self, text: str, parameters: dict[str, Any] | None) -> list[list[str]]:
        return [list(row[:2]) for row in self._connection.execute(f"DESCRIBE {text}", parameters).fetchall()]

    def _binding(self, text: str, parameters: dict[str, Any] | None) -> str:
        """What DuckDB says while it binds, and nothing else: the same class of error may quote a value while it runs."""
        try:
            self._connection.execute(f"EXPLAIN {text}", parameters)
        except _BINDING as error:
            return str(error).partition("\n")[0]
        except _FAILURES:
            pass
        return ""


def _joined(reader: pa.RecordBatchReader) -> Iterator[pa.Table]:
    waiting: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in reader:
        waiting.append(batch)
        rows, size = rows + batch.num_rows, size + batch.nbytes
        del batch  # the next ones may be large
        if rows + _CHUNK_ROWS > BATCH_ROWS or size >= _BATCH_BYTES:
            yield pa.Table.from_batches(waiting)
            waiting, rows, size = [], 0, 0
    if waiting:
        yield pa.Table.from_batches(waiting)


def _serialized(connection: Any, what: str, text: str) -> str:
    return str(connection.execute(f"SELECT json_serialize_{what}(?)", [text]).fetchone()[0])


def _kind(error: Exception) -> str:
    """The class of the error. One that comes while rows are read arrives as Arrow's, and begins with what DuckDB calls it."""
    name = type(error).__name__
    if isinstance(error, duckdb.Error):
        return name
    said = str(error).partition(" Error: ")[0].replace(" ", "")
    return _KINDS.get(f"{said}Exception".casefold(), name)


@contextmanager
def _limited(setup: Setup) -> Iterator[None]:
    """A query's time, by the kernel's clock: its end is the end of this process."""
    signal.setitimer(signal.ITIMER_REAL, setup.limits.seconds_max + _GRACE_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def main(number: int, spill: str) -> None:
    """Serve in this very process: for platforms on which no zygote forks."""
    from mesh_defs.engine.warm import know, warmed

    connection = warmed()
    know(connection, ("postgres", "s3"))
    serve(socket.socket(fileno=number), connection, spill)
    os._exit(0)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
