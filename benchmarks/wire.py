"""What crosses a wire, counted where it crosses: a process between a client and a server, whose CPU is neither's.

    python -m benchmarks.wire TARGET       a Unix socket's path, or a port of this machine

Prints the port on which it listens; for each line that it reads, how many bytes the server has sent so far.
"""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import IO

CHUNK_BYTES = 1 << 18


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """A counted way to a server."""

    port: int
    ask: IO[str]
    told: IO[str]

    def bytes_sent(self) -> int:
        """What the server has sent on this way since it was opened."""
        self.ask.write("\n")
        self.ask.flush()
        return int(self.told.readline())


@contextmanager
def counted(target: str) -> Iterator[Wire]:
    """Open a counted way to a server on this machine."""
    command = [sys.executable, "-m", "benchmarks.wire", target]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdin and process.stdout
        yield Wire(port=int(process.stdout.readline()), ask=process.stdin, told=process.stdout)
    finally:
        process.kill()
        process.wait()


async def _serve(target: str) -> None:
    sent = 0

    async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, answers: bool) -> None:
        nonlocal sent
        with suppress(ConnectionError):
            while chunk := await source.read(CHUNK_BYTES):
                sent += len(chunk) if answers else 0
                sink.write(chunk)
                await sink.drain()
        sink.close()

    async def relay(asks: asyncio.StreamReader, hears: asyncio.StreamWriter) -> None:
        opened = asyncio.open_connection("127.0.0.1", int(target)) if target.isdigit() else None
        answers, told = await (opened or asyncio.open_unix_connection(target))
        await asyncio.gather(pump(asks, told, answers=False), pump(answers, hears, answers=True))

    server = await asyncio.start_server(relay, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    while await asyncio.to_thread(sys.stdin.readline):
        print(sent, flush=True)


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1]))
