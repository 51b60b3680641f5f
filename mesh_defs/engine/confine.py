"""What the kernel lets a worker do, whatever a query makes DuckDB do: read its pinned files, write its spill folder, no more.

Landlock (Linux 5.13; TCP from 6.7, signals from 6.12): https://docs.kernel.org/userspace-api/landlock.html. It does not
cover UDP, Unix sockets with a path, or what is open already. Where the kernel has none, the rest holds without it.
"""

import ctypes
import os
import resource
import struct
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

_CREATE, _ADD, _RESTRICT = 444, 445, 446
_READ_FILE, _READ_FOLDER, _EXECUTE = 1 << 2, 1 << 3, 1 << 0
# Rights on files came with these versions of the interface: all of the first, then REFER, TRUNCATE, IOCTL_DEV.
_RIGHTS = ((1, (1 << 13) - 1), (2, 1 << 13), (3, 1 << 14), (5, 1 << 15))
_ON_FILES = _EXECUTE | 1 << 1 | _READ_FILE | 1 << 14 | 1 << 15
_TCP, _SCOPES = 0b11, 0b11
# The versions of the interface that can also keep a process from TCP, and from signals to others.
TCP_SINCE, SCOPES_SINCE = 4, 6
_DEATH_SIGNAL, _DUMPABLE, _NO_NEW_PRIVILEGES = 1, 4, 38


@dataclass(frozen=True, slots=True, kw_only=True)
class Confinement:
    """What one worker may have: files and folders to read, folders only to list, one to write in, and how much of what."""

    readable: tuple[str, ...]
    listable: tuple[str, ...] = ()
    writable: str
    network: bool
    data_bytes_max: int
    file_bytes_max: int
    files_max: int


@cache
def landlock() -> int:
    """Version of the kernel's Landlock; 0 when there is none."""
    return max(0, _libc().syscall(_CREATE, None, 0, 1)) if sys.platform == "linux" else 0


def confine(to: Confinement) -> None:
    """Give up everything else, for good. Before any thread starts: a thread that runs already would keep its rights."""
    for limit, value in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_DATA, to.data_bytes_max),
        (resource.RLIMIT_FSIZE, to.file_bytes_max),
        (resource.RLIMIT_NOFILE, to.files_max),
    ):
        hard = resource.getrlimit(limit)[1]
        least = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(limit, (least, least))
    if sys.platform == "linux":
        _prctl(_DUMPABLE, 0)
        _prctl(_NO_NEW_PRIVILEGES, 1)
    if landlock():
        _restrict(to)


def die_with(parent: int) -> None:
    """End this process when its parent ends, whatever it is doing then. Linux only; elsewhere, its socket's end ends it."""
    if sys.platform == "linux":
        _prctl(_DEATH_SIGNAL, 9)
    if os.getppid() != parent:
        os._exit(1)


def first_to_go() -> None:
    """Ask the kernel to end this process before others when memory runs out."""
    if sys.platform == "linux":
        Path("/proc/self/oom_score_adj").write_text("1000")


def _restrict(to: Confinement) -> None:
    version = landlock()
    files = sum(rights for since, rights in _RIGHTS if version >= since)
    tcp = _TCP if version >= TCP_SINCE and not to.network else 0
    scopes = _SCOPES if version >= SCOPES_SINCE else 0
    size = 8 if version < TCP_SINCE else 16 if version < SCOPES_SINCE else 24
    attributes = struct.pack("=QQQ", files, tcp, scopes)[:size]
    rules = _checked(_libc().syscall(_CREATE, attributes, len(attributes), 0), "landlock_create_ruleset")
    _allow(rules, to.readable, _READ_FILE | _READ_FOLDER)
    _allow(rules, to.listable, _READ_FOLDER)
    _allow(rules, [to.writable], files & ~_EXECUTE)
    _checked(_libc().syscall(_RESTRICT, rules, 0), "landlock_restrict_self")
    os.close(rules)


def _allow(rules: int, paths: Iterable[str], rights: int) -> None:
    """What does not exist now stays out of reach."""
    for path in paths:
        try:
            opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except OSError:
            continue
        allowed = rights if os.path.isdir(path) else rights & _ON_FILES  # noqa: PTH112
        rule = struct.pack("=Qi", allowed, opened)
        _checked(_libc().syscall(_ADD, rules, 1, rule, 0), "landlock_add_rule")
        os.close(opened)


def _prctl(option: int, value: int) -> None:
    _checked(_libc().prctl(option, value, 0, 0, 0), "prctl")


def _checked(result: int, what: str) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), what)
    return result


@cache
def _libc() -> Any:
    return ctypes.CDLL(None, use_errno=True)
