"""The process that workers are forked from: `python -m mesh_defs.engine.zygote SOCKET CALLER`. One for each calling process.

It has one thread, attaches nothing, is told no secret, and never sees what its workers read. It ends with its caller, and
takes its workers and their spilled rows with it: however the caller ends, the socket does, and so does its process.
"""

import gc
import json
import os
import select
import shutil
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path

import duckdb

from mesh_defs.engine.confine import die_with, first_to_go
from mesh_defs.engine.warm import know, warmed

_REQUEST_BYTES_MAX = 65_536
_BORN = b"+"


class Zygote:
    """Forks a worker for each request, and buries those that ended. `known`: the stores whose drivers are loaded."""

    def __init__(self, control: socket.socket, connection: duckdb.DuckDBPyConnection) -> None:
        self._control, self._connection = control, connection
        self._workers: dict[int, tuple[int, str]] = {}  # pidfd -> (pid, spill folder)
        self._known: set[str] = set()
        self._swept: set[str] = set()
        self._count = 0

    def live(self, caller: int) -> None:
        """Serve until the caller is gone; its pidfd tells even when a child of its own still holds the socket."""
        waiting = select.poll()
        watched = os.pidfd_open(caller)
        for each in (watched, self._control.fileno()):
            waiting.register(each, select.POLLIN)
        while True:
            for ready, _ in waiting.poll():
                if ready in self._workers:
                    waiting.unregister(ready)
                    self._bury(ready)
                elif ready == watched or (born := self._serve()) is None:
                    return
                elif born:
                    waiting.register(born, select.POLLIN)

    def end(self) -> None:
        """Kill the workers that are left."""
        for worker, (pid, _) in list(self._workers.items()):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            self._bury(worker)

    def _serve(self) -> int | None:
        """Fork one worker, send its pidfd and return it; 0 when that failed, None when the caller is gone."""
        body, sockets, _, _ = socket.recv_fds(self._control, _REQUEST_BYTES_MAX, 1)
        if not body:
            return None
        asked = json.loads(body)
        try:
            spill = self._spill(asked["spill"])
            self._know(asked["stores"])
            pid = self._fork(sockets[0], spill)
        except OSError as error:
            self._control.send((error.strerror or type(error).__name__).encode())
            return 0
        finally:
            for each in sockets:
                os.close(each)
        worker = os.pidfd_open(pid)
        self._workers[worker] = (pid, spill)
        socket.send_fds(self._control, [_BORN], [worker])
        return worker

    def _fork(self, number: int, spill: str) -> int:
        parent = os.getpid()
        gc.freeze()
        pid = os.fork()
        if pid == 0:
            try:
                die_with(parent)
                _be_a_worker(number, self._connection, spill)
            finally:
                os._exit(0)
        return pid

    def _know(self, stores: list[str]) -> None:
        new = [store for store in stores if store not in self._known]
        know(self._connection, new)
        self._known.update(new)

    def _spill(self, root: str) -> str:
        """Make a folder for one worker, named after this process; those of processes that are gone are removed first."""
        mine = f"{os.uname().nodename}-{os.getpid()}-"
        if root not in self._swept:
            self._swept.add(root)
            _sweep(Path(root))
        self._count += 1
        folder = Path(root) / f"{mine}{self._count}"
        folder.mkdir(parents=True, mode=0o700)
        return str(folder)

    def _bury(self, worker: int) -> None:
        pid, spill = self._workers.pop(worker)
        os.waitpid(pid, 0)
        os.close(worker)
        shutil.rmtree(spill, ignore_errors=True)


def _be_a_worker(number: int, connection: duckdb.DuckDBPyConnection, spill: str) -> None:
    from mesh_defs.engine.child import serve

    first_to_go()
    os.closerange(3, number)
    os.closerange(number + 1, os.sysconf("SC_OPEN_MAX"))
    serve(socket.socket(fileno=number), connection, spill)


def _sweep(root: Path) -> None:
    here = os.uname().nodename
    for folder in root.glob(f"{here}-*-*"):
        pid = folder.name.removeprefix(f"{here}-").partition("-")[0]
        if pid.isdigit() and not Path(f"/proc/{pid}").exists():
            shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    """Get warm, then fork on request."""
    control, caller = socket.socket(fileno=int(sys.argv[1])), int(sys.argv[2])
    if os.getppid() != caller:
        return
    import mesh_defs.engine.child  # noqa: F401  each worker would import it anew

    zygote = Zygote(control, warmed())
    try:
        zygote.live(caller)
    finally:
        zygote.end()
        os._exit(0)


if __name__ == "__main__":
    main()
