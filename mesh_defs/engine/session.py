"""One question's hold on one worker: what the engine makes of its text, then its rows."""

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol

import pyarrow as pa

from mesh_defs.engine import frames
from mesh_defs.engine.parameters import as_frame
from mesh_defs.engine.told import Names, cancelled, names_of
from mesh_defs.engine.worker import Worker
from mesh_defs.errors import EngineError
from mesh_defs.model.query import GovernedSQL

NO_PARAMETERS: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Trees:
    """What DuckDB makes of a text, as JSON text: its parse tree and its plan, not optimised, and each guard's plan alone.

    Of Postgres, whose scans DuckDB cannot write, the plans are those over empty tables of the same columns.
    """

    parsed: str
    plan: str
    guards: Mapping[str, str]


class Rows(Protocol):
    """A query under way, or an answer that was ready at once."""

    @property
    def schema(self) -> pa.Schema:
        """Columns of the answer."""
        ...

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the answer."""
        ...

    def close(self) -> None:
        """Let go of what it holds."""
        ...


class Hold:
    """A worker while one question has it. `cancel` may come from any thread, and never reaches a worker that was let go."""

    def __init__(self, worker: Worker, let_go: Callable[[Worker], None]) -> None:
        self._worker: Worker | None = worker
        self._let_go, self._lock = let_go, threading.Lock()

    @property
    def worker(self) -> Worker | None:
        """The worker; None once it was let go."""
        return self._worker

    def cancel(self) -> None:
        """Stop what the worker does. Whoever waits for it is told so."""
        with self._lock:
            if self._worker is not None:
                self._worker.cancel(cancelled())

    def close(self) -> None:
        """Let go of the worker; one that is not at its answer's end is killed."""
        with self._lock:
            worker, self._worker = self._worker, None
        if worker is not None:
            self._let_go(worker)


class Session:
    """A worker for one question. Close it; what `run` returned goes on, and has the worker from then on."""

    def __init__(self, hold: Hold, seconds_max: float) -> None:
        self._hold, self._seconds, self._given = hold, seconds_max, False

    def trees(self, governed: GovernedSQL, parameters: Mapping[str, Any] = NO_PARAMETERS) -> Trees:
        """Parse and plan without running anything. QueryRejectedError when it does not bind."""
        return Trees(**self._answer("trees", governed, parameters, guards=dict(governed.guards)))

    def describe(self, governed: GovernedSQL, parameters: Mapping[str, Any] = NO_PARAMETERS) -> list[tuple[str, str]]:
        """Return the answer's columns, each with its DuckDB type, without running it."""
        return [(name, type_) for name, type_ in self._answer("describe", governed, parameters)]

    def require_runnable(self, governed: GovernedSQL, parameters: Mapping[str, Any] = NO_PARAMETERS) -> None:
        """Raise QueryRejectedError when the engine cannot run it as it is meant: never here, where it was verified."""

    def run(self, governed: GovernedSQL, parameters: Mapping[str, Any] = NO_PARAMETERS) -> "Rows":
        """Start it, and hand the worker over to its answer. QueryRejectedError when it does not bind; EngineError."""
        worker, names = self._mine(), names_of(governed)
        request = {"do": "run", "text": governed.text, "visible": dict(governed.visible), "alone": governed.alone}
        worker.ask(request, as_frame(parameters), seconds_max=self._seconds)
        schema = worker.schema(worker.next(names)[1])
        self._given = True
        return Running(self._hold, schema, names)

    def cancel(self) -> None:
        """Stop what was asked, from any thread, its answer too; who waits for it is told so."""
        self._hold.cancel()

    def close(self) -> None:
        """Let go of the worker, unless an answer has it."""
        if not self._given:
            self._hold.close()

    def __enter__(self) -> "Session":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()

    def _answer(self, do: str, governed: GovernedSQL, parameters: Mapping[str, Any], **more: Any) -> Any:
        worker, names = self._mine(), names_of(governed)
        request = {"do": do, "text": governed.text, **more}
        worker.ask(request, as_frame(parameters), seconds_max=self._seconds)
        answer = worker.told(worker.next(names)[1])
        worker.next(names)
        return answer

    def _mine(self) -> Worker:
        worker = self._hold.worker
        if worker is None or self._given:
            raise EngineError("this session has ended", fix="open another for each question")
        return worker


class Running:
    """A query under way. Close it, or read it to its end; who stops early ends its worker.

    `rows` and `bytes` are what has come so far; `cpu_seconds` are the worker's, known at the end.
    """

    def __init__(self, hold: Hold, schema: pa.Schema, names: Names) -> None:
        self._hold, self._schema, self._names = hold, schema, names
        self.rows = self.bytes = 0
        self.cpu_seconds: float | None = None

    @property
    def schema(self) -> pa.Schema:
        """The answer's columns."""
        return self._schema

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the answer in batches; closes at the end. The worker waits while nobody reads, until its deadline."""
        try:
            while (worker := self._hold.worker) is not None:
                kind, body = worker.next(self._names)
                if kind == frames.END:
                    self.cpu_seconds = worker.told(body)["cpu_seconds"]
                    return
                for batch in worker.batches(body):
                    self.rows, self.bytes = self.rows + batch.num_rows, self.bytes + batch.nbytes
                    yield batch
        finally:
            self.close()

    def close(self) -> None:
        """Let go of the worker; one that is not at its end is killed."""
        self._hold.close()

    def cancel(self) -> None:
        """Stop the query, from any thread; who reads it is told so."""
        self._hold.cancel()

    def __del__(self) -> None:
        self.close()
