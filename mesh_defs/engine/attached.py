"""From a fresh DuckDB to one that can open the pinned versions and nothing else."""

import os
import site
import sysconfig
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import duckdb

import mesh_defs
from mesh_defs.engine.confine import Confinement, confine
from mesh_defs.engine.setup import Setup
from mesh_defs.errors import EngineError
from mesh_defs.model.names import literal, quoted
from mesh_defs.model.version import Pin
from mesh_defs.storage.failures import told
from mesh_defs.storage.open import allowed_paths, attach

_MEBIBYTE = 2**20
# A thread's stack counts as data; most of it is never touched.
_STACK_BYTES = 8 * _MEBIBYTE
# What DuckDB does not count: batches on their way, strings of expressions, the interpreter.
_UNCOUNTED_BYTES = 256 * _MEBIBYTE
_FILES = 512
_GLOB = set("*?[")
# What a driver of a network store may read: how to find a host, whom to trust, who we are.
_NETWORK = (
    *("/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/host.conf", "/etc/gai.conf", "/etc/services"),
    *("/etc/ssl", "/etc/pki", "/etc/ca-certificates", "/etc/crypto-policies", "/usr/share/ca-certificates"),
    *("/etc/passwd", "/etc/krb5.conf", "/run/systemd/resolve", "/lib", "/lib64", "/usr/lib", "/usr/lib64"),
    *("~/.aws", "~/.postgresql", "~/.pgpass", "~/.pg_service.conf"),
)


def attach_all(connection: duckdb.DuckDBPyConnection, setup: Setup, spill: str) -> None:
    """Confine this process, attach the pins read-only, and lock. Raises StorageError when a version cannot be opened."""
    os.environ.update(setup.drivers)
    confine(_confinement(setup, spill))
    limits = setup.limits
    for name, value in {
        "temp_directory": literal(spill),
        "max_temp_directory_size": f"'{limits.spill_bytes_max}B'",
        "memory_limit": f"'{limits.memory_bytes_max * 3 // 4}B'",
        # Long texts are not counted in it: a megabyte, the default, may be gigabytes of them.
        "streaming_buffer_size": "'64KB'",
    }.items():
        connection.execute(f"SET {name} = {value}")
    for pin, access in zip(setup.pins, setup.accesses, strict=True):
        relation = attach(connection, pin, access, seconds_max=limits.seconds_max)
        with told(f"version {pin.version} of {pin.product} cannot be opened", next(iter(pin.locations), pin.product)):
            connection.execute(f"CREATE VIEW {quoted(pin.relation)} AS SELECT {_columns(pin)} FROM {relation}")
    connection.execute(f"SET threads = {limits.threads}")
    _lock(connection, [path for pin in setup.pins for path in allowed_paths(pin)])


def _columns(pin: Pin) -> str:
    """Those of the contract, and those that hold the tokens of some."""
    names = (*pin.columns, *pin.tokens.values())
    if not names:
        raise EngineError(f"{pin.product} has no columns", fix="declare its columns, then re-materialize it")
    return ", ".join(quoted(name) for name in names)


def _lock(connection: duckdb.DuckDBPyConnection, paths: list[str]) -> None:
    """Order matters: after the last statement not even we can widen what this instance may open."""
    connection.execute(f"SET allowed_paths = [{', '.join(literal(path) for path in paths)}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


def _confinement(setup: Setup, spill: str) -> Confinement:
    files = [path for pin in setup.pins for path in allowed_paths(pin)]
    on_disk = [path for path in files if not path.startswith("s3://")]
    network = (os.path.expanduser(each) for each in _NETWORK) if setup.stores else ()  # noqa: PTH111
    return Confinement(
        readable=(*on_disk, *libraries(), *network, *_named(setup)),
        listable=tuple({folder for path in on_disk for folder in _searched(path)}),
        writable=spill,
        network=bool(setup.stores),
        data_bytes_max=_data_bytes(setup),
        file_bytes_max=setup.limits.spill_bytes_max,
        files_max=_FILES + 2 * len(files),
    )


def _searched(path: str) -> Iterator[str]:
    """Folders that DuckDB lists to find a path with glob characters in it."""
    yield from (str(each.parent) for each in (Path(path), *Path(path).parents) if _GLOB & set(each.name))


def _data_bytes(setup: Setup) -> int:
    """All of the process's memory is what was asked for, or a little more when that is hardly more than an interpreter."""
    limits = setup.limits
    least = _data_now() + limits.memory_bytes_max * 3 // 4 + _UNCOUNTED_BYTES
    return max(limits.memory_bytes_max, least) + limits.threads * _STACK_BYTES


def _data_now() -> int:
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    except OSError:  # no such thing on this platform
        return 0
    return next((int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmData:")), 0)


@cache
def libraries() -> tuple[str, ...]:
    """Python's own and what is installed beside it: a module that is imported late. No product lies there."""
    python = [sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    ours = str(Path(mesh_defs.__file__).parent)
    return (*python, *site.getsitepackages(), ours, "/usr/share/zoneinfo", "/dev/null", "/dev/urandom")


def _named(setup: Setup) -> Iterator[str]:
    """Files that a driver is told of by a variable."""
    if setup.stores:
        yield from (value for value in setup.drivers.values() if value.startswith("/"))
