"""Asks as a client does, and keeps everything that comes back: rows, names, errors with all they carry, and what was said."""

import logging
import os
import sys
import tempfile
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import IO, Any, Protocol

import pyarrow as pa

from mesh_defs.errors import MeshError
from mesh_defs.model.query import EngineName, QueryRequest
from mesh_defs.query.platform import Platform
from mesh_defs.query.run import run_query
from tests.redteam.data import ANA, PURPOSE

ROWS_MAX = 200_000


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What one question came to. `error` is the code of a refusal, None for an answer; `texts` hold all that it says.

    `crashed`: the error is none that the platform means to raise. `said`: what was written to stdout, stderr and logs.
    """

    columns: tuple[str, ...] = ()
    rows: tuple[tuple[Any, ...], ...] = ()
    error: str | None = None
    texts: tuple[str, ...] = ()
    crashed: bool = False
    said: str = ""
    cut: bool = False

    @property
    def answered(self) -> bool:
        return self.error is None

    @property
    def told(self) -> str:
        """The message of a refusal."""
        return self.texts[0] if self.texts else ""


class Asked(Protocol):
    """Whatever takes a question and comes to an outcome."""

    def ask(self, sql: str, parameters: Mapping[str, Any] | None = None) -> Outcome:
        """Never raises."""
        ...


class Ears:
    """Everything that this process and its children write to stdout and stderr, logs included, since one last listened."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._heard = file, 0

    def new(self) -> str:
        sys.stdout.flush()
        sys.stderr.flush()
        size = os.fstat(self._file.fileno()).st_size
        text = os.pread(self._file.fileno(), size - self._heard, self._heard)
        self._heard = size
        return text.decode("utf-8", "replace")


@contextmanager
def listening() -> Iterator[tuple[Ears, IO[str]]]:
    """Turn stdout and stderr of this process into a file; yields the ears, and a way to the real stderr for progress."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = {fd: os.dup(fd) for fd in (1, 2)}
    handler = logging.StreamHandler()
    with tempfile.TemporaryFile() as file, os.fdopen(os.dup(kept[2]), "w", buffering=1) as progress:
        for fd in kept:
            os.dup2(file.fileno(), fd)
        handler.setStream(os.fdopen(os.dup(file.fileno()), "w", buffering=1))
        logging.getLogger().addHandler(handler)
        try:
            yield Ears(file), progress
        finally:
            logging.getLogger().removeHandler(handler)
            sys.stdout.flush()
            sys.stderr.flush()
            for fd, saved in kept.items():
                os.dup2(saved, fd)
                os.close(saved)


@dataclass(frozen=True, kw_only=True)
class Door:
    """The one door of an opened platform, as ana reaches it."""

    platform: Platform
    ears: Ears | None = None
    principal: str = ANA
    purpose: str | None = PURPOSE
    engine: EngineName = "duckdb"

    def ask(self, sql: str, parameters: Mapping[str, Any] | None = None) -> Outcome:
        """Ask and read everything. Never raises for what the platform does; its crash is an outcome too."""
        request = QueryRequest(
            sql=sql,
            principal=self.principal,
            purpose=self.purpose,
            parameters=dict(parameters or {}),
            engine=self.engine,
        )
        try:
            outcome = self._asked(request)
        except Exception as error:  # noqa: BLE001  whatever the platform raises is what we are here to look at
            outcome = refusal_of(error)
        return outcome if self.ears is None else replace(outcome, said=self.ears.new())

    def _asked(self, request: QueryRequest) -> Outcome:
        rows: list[tuple[Any, ...]] = []
        with run_query(request, self.platform) as answer:
            columns = tuple(answer.schema.names)
            for batch in answer.reader():
                rows.extend(rows_of(batch))
                if len(rows) > ROWS_MAX:
                    break
        return Outcome(columns=columns, rows=tuple(rows), cut=len(rows) > ROWS_MAX)


def rows_of(batch: pa.RecordBatch | pa.Table) -> Iterator[tuple[Any, ...]]:
    """Rows of Python values."""
    return zip(*(_values(column) for column in batch.columns), strict=True)


def _values(column: Any) -> list[Any]:
    """As Python values; a column that holds one that Python has not (an infinite date) as Arrow prints it."""
    try:
        return list(column.to_pylist())
    except (ValueError, OverflowError, pa.ArrowException):
        return [str(getattr(scalar, "value", scalar)) for scalar in column]


def refusal_of(error: BaseException) -> Outcome:
    """All that an error says: itself, its parts, what it came from, and how Python prints it."""
    texts, pending, seen = [], [error], set()
    while pending:
        each = pending.pop(0)
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        texts += [str(each), repr(each), *(f"{value}" for value in vars(each).values())]
        texts += list(getattr(each, "__notes__", ()))
        pending += [each.__cause__, each.__context__]  # type: ignore[list-item]
    texts.append("".join(traceback.format_exception(error)))
    code = error.code if isinstance(error, MeshError) else f"crash {type(error).__name__}"
    return Outcome(error=code, texts=tuple(texts), crashed=not isinstance(error, MeshError))
