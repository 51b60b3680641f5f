"""What crosses the socket between a caller and its worker: frames of a kind, a length and a body. Nothing is unpickled."""

import json
import socket
import struct
import time
from typing import Any

_HEAD = struct.Struct("!cQ")
# A worker's batches are far smaller; whoever claims more is not ours.
FRAME_BYTES_MAX = 2**32
_JOINED_BYTES_MAX = 65_536

# From the caller: a request, and its parameters. From the worker: an answer, a schema, rows, an end, or a failure.
REQUEST, PARAMETERS = b"q", b"p"
ANSWER, SCHEMA, ROWS, END, FAILURE = b"a", b"s", b"r", b"e", b"x"


class GoneError(Exception):
    """The other side closed the socket, or died."""


def send(sock: socket.socket, kind: bytes, body: Any = b"") -> None:
    """Send one frame; `body` is bytes or a buffer. Raises GoneError; TimeoutError when the socket has a timeout."""
    view = memoryview(body).cast("B")
    head = _HEAD.pack(kind, len(view))
    try:
        if len(view) <= _JOINED_BYTES_MAX:
            sock.sendall(head + view)
        else:
            sock.sendall(head)
            sock.sendall(view)
    except TimeoutError:
        raise
    except OSError:
        raise GoneError from None


def send_head(sock: socket.socket, kind: bytes, size: int) -> None:
    """Begin a frame whose body the caller writes itself."""
    sock.sendall(_HEAD.pack(kind, size))


def send_json(sock: socket.socket, kind: bytes, body: Any) -> None:
    """Send one frame that holds JSON."""
    send(sock, kind, as_json(body))


def as_json(body: Any) -> bytes:
    """The body of a frame that holds JSON."""
    return json.dumps(body).encode()


def receive(sock: socket.socket, until: float | None = None) -> tuple[bytes, bytearray]:
    """Return the next frame's kind and body. `until` is a monotonic time, after which TimeoutError; raises GoneError."""
    kind, size = _HEAD.unpack(_exactly(sock, _HEAD.size, until))
    if size > FRAME_BYTES_MAX:
        raise GoneError
    return kind, _exactly(sock, size, until)


def _exactly(sock: socket.socket, size: int, until: float | None) -> bytearray:
    body = bytearray(size)
    left = memoryview(body)
    while left:
        if until is not None:
            remaining = until - time.monotonic()
            if remaining <= 0:
                raise TimeoutError
            sock.settimeout(remaining)
        try:
            count = sock.recv_into(left)
        except TimeoutError:
            raise
        except OSError:
            raise GoneError from None
        if not count:
            raise GoneError
        left = left[count:]
    return body
