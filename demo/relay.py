"""A relay on this machine that keeps every byte that passes: what somebody on the way between two processes sees.

Tests of a room's processes listen with it too.
"""

import re
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from mesh_defs.cleanroom.wire import Message, read
from mesh_defs.errors import MeshError

_CHUNK_BYTES = 1 << 16
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)


@dataclass
class Relay:
    """One way to a process: what was said on it, a stream for each direction of each connection."""

    target: int
    streams: list[bytearray] = field(default_factory=list)
    seen: Callable[[bytes], None] = lambda _: None
    listener: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))

    @property
    def url(self) -> str:
        """Where the others find it."""
        return f"http://127.0.0.1:{self.listener.getsockname()[1]}"

    def messages(self) -> Iterator[Message]:
        """What was said, message by message. ValueError for bytes that are no message of a room."""
        for stream in self.streams:
            if stream:
                yield message_in(bytes(stream))

    def run(self) -> None:
        """Pass on until the listener is closed."""
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self.target))
            except OSError:  # nobody is there: as without a relay, who called hears of it
                client.close()
                continue
            for one, other in ((client, server), (server, client)):
                kept = bytearray()
                self.streams.append(kept)
                threading.Thread(target=self._pass_on, args=(one, other, kept), daemon=True).start()

    def _pass_on(self, one: socket.socket, other: socket.socket, kept: bytearray) -> None:
        try:
            while piece := one.recv(_CHUNK_BYTES):
                kept += piece
                self.seen(bytes(kept))
                other.sendall(piece)
            other.shutdown(socket.SHUT_WR)
        except OSError:
            other.close()


@contextmanager
def relayed(ports: Mapping[str, int]) -> Iterator[Mapping[str, Relay]]:
    """A relay in front of each process, by its name."""
    with ExitStack() as stack:
        relays = {name: Relay(port) for name, port in ports.items()}
        for relay in relays.values():
            threading.Thread(target=relay.run, daemon=True).start()
            stack.callback(relay.listener.close)
        yield relays


def message_in(stream: bytes) -> Message:
    """The one message of an HTTP request or answer. ValueError when there is more in the stream than that, or less."""
    head, end, body = stream.partition(b"\r\n\r\n")
    length = _LENGTH.search(head + b"\r\n")
    if not end or not length or int(length[1]) != len(body):
        raise ValueError("this is no HTTP request or answer with one body")
    try:
        return read(body)
    except MeshError:
        raise ValueError("this is no message of a room") from None
