"""A caller's hold on one worker: requests out, frames in, never past a deadline. Ends what does not answer in time."""

import json
import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pyarrow as pa

from mesh_defs.engine import frames
from mesh_defs.engine.spawn import Born
from mesh_defs.engine.told import Names, failure, gone, late
from mesh_defs.errors import MeshError


class Worker:
    """One worker. Used by one thread at a time; `cancel` may come from any."""

    def __init__(self, born: Born, key: object) -> None:
        self._born, self._process = born, os.getpid()
        self.key, self.fit, self._ended = key, True, False
        self._why: MeshError | None = None
        self._lock = threading.Lock()

    def ask(self, request: Mapping[str, Any], parameters: bytes, *, seconds_max: float) -> None:
        """Send a request; its answer is to be complete within `seconds_max` from now."""
        self.fit, self._seconds = False, seconds_max
        self._until = time.monotonic() + seconds_max
        self._send(frames.REQUEST, frames.as_json(request))
        self._send(frames.PARAMETERS, parameters)

    def begin(self, setup: bytes, *, seconds_max: float) -> None:
        """Send the setup, and wait until everything is attached and locked."""
        self._seconds, self._until = seconds_max, time.monotonic() + seconds_max
        self._send(frames.REQUEST, setup)
        self.next(Names())
        self.fit = True

    def next(self, names: Names) -> tuple[bytes, bytearray]:
        """Return the next frame. Raises what the worker says went wrong, repeating no name but those that `names` allows."""
        try:
            kind, body = frames.receive(self._born.socket, self._until)
        except TimeoutError:
            self.end(late(self._seconds))
            raise self._reason() from None
        except (frames.GoneError, OSError):
            self.end(gone())
            raise self._reason() from None
        if kind == frames.FAILURE:
            told = self.told(body)
            # The worker says so itself when it can go on; a failed setup is its end.
            self.fit = bool(told.get("goes_on"))
            raise failure(told, names)
        if kind == frames.END:
            self.fit = self._why is None
        return kind, body

    def batches(self, body: bytearray) -> list[pa.RecordBatch]:
        """The rows of one frame, without a copy."""
        with self._believed():
            found = list(pa.ipc.open_stream(pa.py_buffer(body)))
            for batch in found:
                batch.validate()
            return found

    def schema(self, body: bytearray) -> pa.Schema:
        """The columns that a frame tells."""
        with self._believed():
            return pa.ipc.read_schema(pa.py_buffer(body))

    def told(self, body: bytearray) -> Any:
        """What a frame's JSON says."""
        with self._believed():
            return json.loads(body)

    @contextmanager
    def _believed(self) -> Iterator[None]:
        """A frame that cannot be read is the end of whoever sent it."""
        try:
            yield
        except (pa.ArrowException, ValueError, OSError):
            self.end(gone())
            raise self._reason() from None

    def end(self, why: MeshError | None = None) -> None:
        """Kill it and let go of it. Only for the thread that uses it: another's socket must not close under its hands."""
        with self._lock:
            if self._ended:
                return
            self._ended, self.fit = True, False
            self._why = self._why or why
            self._kill()
            if os.getpid() == self._process:
                self._born.forget()
        self._born.socket.close()

    def cancel(self, why: MeshError) -> None:
        """Kill it, from any thread. Whoever waits for its answer is told `why`."""
        with self._lock:
            if not self._ended:
                self._why, self.fit = self._why or why, False
                self._kill()

    def _kill(self) -> None:
        if os.getpid() == self._process:  # a forked copy of the caller must not end what it has only inherited
            self._born.kill()

    def alive(self) -> bool:
        """Tell whether it still waits for a request."""
        self._born.socket.settimeout(0)
        try:
            self._born.socket.recv(1)
        except BlockingIOError:
            return True
        except OSError:
            pass
        return False

    def __del__(self) -> None:
        self.end()

    def _send(self, kind: bytes, body: bytes) -> None:
        try:
            self._born.socket.settimeout(max(0.001, self._until - time.monotonic()))
            frames.send(self._born.socket, kind, body)
        except TimeoutError:
            self.end(late(self._seconds))
            raise self._reason() from None
        except (frames.GoneError, OSError):
            self.end(gone())
            raise self._reason() from None

    def _reason(self) -> MeshError:
        return self._why or gone()
