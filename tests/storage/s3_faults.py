"""A real HTTP proxy before an S3 API that breaks what it is told to break, and remembers what was asked.

It also lets one PUT through at a time: moto looks whether an object is there and creates it in two steps, where Amazon
takes one.
"""

import http.client
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal
from urllib.parse import urlsplit

from mesh_defs.model.place import S3Access

# busy: 503 · cut: the connection is reset, and nothing was done · lost: it is done, and the answer never arrives ·
# torn: half of the answer arrives · late: reset, and done when `land` is called · slow: done after the client gave up ·
# stale: a listing as it was when it was first asked for · unconditional: what a PUT was to depend on is left out
Fault = Literal["busy", "cut", "lost", "torn", "late", "slow", "stale", "unconditional"]
_BUSY = b"<?xml version='1.0'?><Error><Code>SlowDown</Code><Message>secret-of-the-server</Message></Error>"
_OWN = {"connection", "transfer-encoding", "content-length", "date", "server"}


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One request: its method, and its path with the query."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Proxy(ThreadingHTTPServer):
    """Set `choose` to say what goes wrong with a request, if anything."""

    daemon_threads = True

    def __init__(self, target: S3Access) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        parts = urlsplit(target.endpoint or "")
        self.host, self.port = parts.hostname or "", parts.port or 80
        self.access = replace(target, endpoint=f"http://127.0.0.1:{self.server_address[1]}")
        self.choose: Callable[[Asked], Fault | None] = lambda asked: None
        self.asked: list[Asked] = []
        self.writing, self.late, self.listings = threading.Lock(), list[Asked](), dict[str, tuple[int, dict, bytes]]()

    def forward(self, asked: Asked) -> tuple[int, dict[str, str], bytes]:
        """Do it, and return the answer."""
        if asked.method == "GET":
            return self._forward(asked)
        with self.writing:
            return self._forward(asked)

    def _forward(self, asked: Asked) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection(self.host, self.port, timeout=60)
        try:
            connection.request(asked.method, asked.path, asked.body, asked.headers)
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()

    def land(self) -> None:
        """Do now what was late."""
        while self.late:
            self.forward(self.late.pop(0))

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that were killed, or that gave up."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Proxy

    def _answer(self) -> None:
        asked = Asked(method=self.command, path=self.path, headers=self._headers(), body=self._body())
        self.server.asked.append(asked)
        fault = self.server.choose(asked)
        if fault == "busy":
            self._send(503, {}, _BUSY)
        elif fault in ("cut", "late"):
            if fault == "late":
                self.server.late.append(asked)
            self._reset()
        elif fault == "slow":
            threading.Event().wait(2.5)
            self.server.forward(asked)
            self._reset()
        else:
            self._forwarded(asked, fault)

    def _forwarded(self, asked: Asked, fault: Fault | None) -> None:
        if fault == "unconditional":
            asked = replace(asked, headers={n: v for n, v in asked.headers.items() if not n.lower().startswith("if-")})
        answer = self.server.forward(asked)
        if fault == "stale":
            answer = self.server.listings.setdefault(asked.path, answer)
        if fault == "lost":
            self._reset()
        elif fault == "torn" and asked.method == "GET" and len(answer[2]) > 1:
            self._send(*answer, torn=True)
        else:
            self._send(*answer)

    def _headers(self) -> dict[str, str]:
        return {name: value for name, value in self.headers.items() if name.lower() not in _OWN | {"expect"}}

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") == "chunked":
            return b"".join(self._chunks())
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self.rfile.readline(), 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()

    def _send(self, status: int, headers: dict[str, str], body: bytes, *, torn: bool = False) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in _OWN:
                self.send_header(name, value)
        length = (
            len(body)
            if self.command != "HEAD"
            else int(headers.get("Content-Length", headers.get("content-length", 0)))
        )
        self.send_header("Content-Length", str(length))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[: len(body) // 2] if torn else body)
        if torn:
            self.wfile.flush()
            self._reset()

    def _reset(self) -> None:
        """Hang up without the usual farewell."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _answer


@contextmanager
def proxied(target: S3Access) -> Iterator[Proxy]:
    """Run a proxy before this API; its `access` leads through it."""
    proxy = Proxy(target)
    thread = threading.Thread(target=proxy.serve_forever, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.shutdown()
        proxy.server_close()
