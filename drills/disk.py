"""A disk that is full: a small tmpfs where this process may mount one, else a limit on the size of its files."""

import os
import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from drills.ground import Ground


@contextmanager
def small_disk(ground: Ground, megabytes: int) -> Iterator[tuple[Path, str]]:
    """Yield a folder that can hold this much, and what it is in words."""
    folder = ground.folder("disk")
    folder.chmod(0o755)
    mounted = _ran("mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=755", "tmpfs", str(folder))
    if mounted:
        try:
            yield folder, f"tmpfs of {megabytes} MB"
        finally:
            _ran("umount", "--lazy", str(folder))
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (megabytes << 20, hard))
    try:
        yield folder, f"files limited to {megabytes} MB"
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def filled(folder: Path, left_bytes: int) -> Iterator[None]:
    """Fill a small disk but for so many bytes; where there is only a limit, nothing is filled."""
    filler = folder / "filler"
    if folder.is_mount():
        with filler.open("wb") as file:
            free = _free(folder) - left_bytes
            file.write(b"\0" * max(0, free))
    try:
        yield
    finally:
        filler.unlink(missing_ok=True)


def _free(folder: Path) -> int:
    status = os.statvfs(folder)
    return status.f_bavail * status.f_frsize


def _ran(*command: str) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False
