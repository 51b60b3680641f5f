"""A worker that somebody has taken over: sets itself up as any worker does, then tries what it was not given.

`python -m tests.engine.attacker SETUP SPILL ATTEMPT…` prints each attempt's outcome as JSON: "done", or the error's name.
"""

import ctypes
import json
import os
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path

from mesh_defs.engine.warm import know, warmed  # first: it keeps pandas and numpy out

from mesh_defs.engine.attached import attach_all  # isort: skip
from mesh_defs.engine.setup import from_json  # isort: skip


def _read(path: str) -> None:
    with open(path, "rb") as file:
        file.read(1)


def _write(path: str) -> None:
    with open(path, "wb") as file:
        file.write(b"x")


def _connect(port: str) -> None:
    socket.create_connection(("127.0.0.1", int(port)), 5).close()


def _listen(_: str) -> None:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))


def _abstract(name: str) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        one.connect(f"\0{name}")


def _trace(pid: str) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.ptrace(16, int(pid), None, None) < 0:
        raise OSError(ctypes.get_errno(), "ptrace")


ATTEMPTS: dict[str, Callable[[str], object]] = {
    "read": _read,
    "write": _write,
    "append": lambda path: open(path, "ab").close(),
    "truncate": lambda path: os.truncate(path, 0),
    "list": os.listdir,
    "remove": os.unlink,
    "rename": lambda path: os.rename(path, f"{path}.moved"),
    "make_folder": os.mkdir,
    "link": lambda path: Path(path).symlink_to("/etc/passwd"),
    "run": lambda path: os.execv(path, [path]),
    "connect": _connect,
    "listen": _listen,
    "abstract": _abstract,
    "signal": lambda pid: os.kill(int(pid), signal.SIGUSR1),
    "trace": _trace,
    "allocate": lambda size: bytearray(int(size)),
    "core": lambda _: __import__("resource").setrlimit(4, (10**6, 10**6)),
    "environment": lambda name: os.environ[name],
}


def main() -> None:
    connection, setup = warmed(), from_json(Path(sys.argv[1]).read_bytes())
    know(connection, setup.stores)
    attach_all(connection, setup, sys.argv[2])
    outcomes = {}
    for attempt in sys.argv[3:]:
        name, _, target = attempt.partition(":")
        try:
            ATTEMPTS[name](target)
            outcomes[attempt] = "done"
        except Exception as error:  # noqa: BLE001
            outcomes[attempt] = type(error).__name__
    print(json.dumps(outcomes))


if __name__ == "__main__":
    main()
