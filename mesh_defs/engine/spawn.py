"""Where workers come from: one zygote for each calling process, started when first needed, started anew when it died.

On Linux a worker is forked from it. Elsewhere each worker is a process that starts from nothing: slower, and unconfined.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from mesh_defs.engine.frames import as_json
from mesh_defs.errors import EngineError

FORKS = sys.platform == "linux"
# Arrow's and numpy's own threads and allocators: a process that forks wants neither.
_QUIET = {
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "OPENBLAS_NUM_THREADS": "1",
}
# To get warm, to load a store's drivers, to fork: a second on an idle machine. One that does not answer is started anew.
ANSWER_SECONDS_MAX = 60.0
_MEND = "run `python -m mesh_defs.engine.zygote` to see why"


@dataclass(frozen=True, slots=True)
class Born:
    """A new worker: the socket that leads to it, and how to end it, at once and for certain."""

    socket: socket.socket
    kill: Callable[[], None]
    forget: Callable[[], None]


@dataclass
class _Zygote:
    environment: tuple[tuple[str, str], ...]
    lock: threading.Lock = field(default_factory=threading.Lock)
    process: subprocess.Popen[bytes] | None = None
    control: socket.socket | None = None

    def start(self) -> socket.socket:
        """Start it unless it runs. It gets warm while the caller goes on."""
        if self.process is None or self.control is None or self.process.poll() is not None:
            self.stop()
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            with theirs:
                self.process = _python("zygote", theirs, str(os.getpid()), self.environment)
            ours.settimeout(ANSWER_SECONDS_MAX)
            self.control = ours
        return self.control

    def stop(self) -> None:
        """Let go of it: it ends when its socket does."""
        if self.control is not None:
            self.control.close()
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        self.process = self.control = None

    def fork(self, request: bytes, theirs: socket.socket) -> int:
        """Return the new worker's pidfd. OSError when the zygote is gone; EngineError when it cannot fork."""
        control = self.start()
        socket.send_fds(control, [request], [theirs.fileno()])
        told, descriptors, _, _ = socket.recv_fds(control, 4096, 1)
        if descriptors:
            return descriptors[0]
        if not told:
            raise ConnectionError
        raise EngineError(
            f"no worker could be started ({told.decode()})", fix="ask again later, or end other work here"
        )


def start(environment: Mapping[str, str]) -> None:
    """Start this process's zygote, so that it is warm when the first query comes."""
    if FORKS:
        zygote = _zygote(os.getpid(), tuple(sorted(environment.items())))
        with zygote.lock, suppress(OSError):
            zygote.start()


def new_worker(environment: Mapping[str, str], *, stores: tuple[str, ...], spill: Path) -> Born:
    """Fork a worker, which waits for its setup. EngineError when none can be had."""
    told = tuple(sorted(environment.items()))
    ours, theirs = socket.socketpair()
    with theirs:
        try:
            if not FORKS:
                return _spawned(ours, theirs, told, spill)
            descriptor = _forked(theirs, told, as_json({"stores": stores, "spill": str(spill.absolute())}))
        except OSError as error:
            ours.close()
            reason = error.strerror or type(error).__name__
            raise _unborn(reason, _MEND) from None
        except BaseException:
            ours.close()
            raise
    return Born(ours, lambda: _kill(descriptor), lambda: os.close(descriptor))


def _forked(theirs: socket.socket, environment: tuple[tuple[str, str], ...], request: bytes) -> int:
    """One that died since is started anew, once."""
    zygote = _zygote(os.getpid(), environment)
    with zygote.lock:
        try:
            return zygote.fork(request, theirs)
        except OSError:
            zygote.stop()
            return zygote.fork(request, theirs)


def _unborn(reason: str, fix: str) -> EngineError:
    return EngineError(f"no process for the query could be started ({reason})", fix=fix)


def _kill(descriptor: int) -> None:
    with suppress(ProcessLookupError):
        signal.pidfd_send_signal(descriptor, signal.SIGKILL)


def _spawned(ours: socket.socket, theirs: socket.socket, told: tuple[tuple[str, str], ...], spill: Path) -> Born:
    folder = Path(tempfile.mkdtemp(dir=_made(spill)))
    process = _python("child", theirs, str(folder), told)
    return Born(ours, process.kill, lambda: _bury(process, folder))


def _bury(process: subprocess.Popen[bytes], folder: Path) -> None:
    process.wait()
    shutil.rmtree(folder, ignore_errors=True)


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder.absolute()


def _python(
    module: str, theirs: socket.socket, argument: str, told: tuple[tuple[str, str], ...]
) -> subprocess.Popen[bytes]:
    """Start one of our modules in a session of its own: a terminal's Ctrl-C is the caller's to answer."""
    path = os.pathsep.join(each for each in sys.path if each)
    return subprocess.Popen(
        [sys.executable, "-P", "-m", f"mesh_defs.engine.{module}", str(theirs.fileno()), argument],
        env={**dict(told), **_QUIET, "PYTHONPATH": path},
        pass_fds=[theirs.fileno()],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


@cache
def _zygote(process: int, environment: tuple[tuple[str, str], ...]) -> _Zygote:
    """`process`: a forked child must not talk to the zygote of its parent."""
    return _Zygote(environment)
