"""The catalog as a document: what each location declares, at a generation that only grows. The door binds against it.

Beside it lie a lock, and the count of generations, so that even a lost catalog does not start to count again.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from mesh_defs.errors import StorageError
from mesh_defs.model.expected import Expected
from mesh_defs.model.mesh import DataProduct, Section, Snapshot

FORMAT = 2
_MEND = "run `mesh refresh --catalog` to build it again"
# Costs some ten milliseconds to make, so not before it is needed, and once.
_adapter = cache(TypeAdapter)


def load_snapshot(file: Path) -> Snapshot | None:
    """Read the snapshot; None when there is none yet. Raises StorageError when it cannot be read."""
    try:
        text = file.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StorageError(
            f"the catalog's snapshot is unreadable: {error.strerror}", where=str(file), fix=_MEND
        ) from None
    snapshot: Snapshot | None
    try:
        snapshot = _adapter(Snapshot).validate_json(text)
    except ValidationError:
        snapshot = None
    found = snapshot.format if snapshot else _format_of(text)
    if found not in (None, FORMAT):
        what = f"the catalog's snapshot has format {found}, this platform reads {FORMAT}"
        raise StorageError(what, where=str(file), fix=_MEND)
    if snapshot is None:
        raise StorageError("the catalog's snapshot is damaged", where=str(file), fix=_MEND)
    return snapshot


def store_snapshot(file: Path, sections: tuple[Section, ...], *, previous: int) -> Snapshot:
    """Write the next generation, atomically. The caller holds `writing`. Raises StorageError when it cannot be written.

    Later than `previous` and than any generation that was ever written here: a snapshot that was lost or damaged does
    not start the count again.
    """
    temporary = file.with_suffix(f".{os.getpid()}.tmp")
    try:
        count = _count_file(file)
        snapshot = Snapshot(format=FORMAT, generation=max(previous, _counted(count)) + 1, sections=sections)
        # Counted first: after a crash in between a generation is skipped, never given twice.
        _write_durably(count, b"%d\n" % snapshot.generation)
        _write_durably(temporary, _adapter(Snapshot).dump_json(snapshot, indent=1))
        temporary.replace(file)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        what = f"the catalog's snapshot could not be written: {error.strerror}"
        raise StorageError(what, where=str(file), fix="mend the rights or the disk of the state folder") from None
    return snapshot


@contextmanager
def writing(file: Path) -> Iterator[None]:
    """Hold the only right to write the snapshot: one builder works while the others wait for its result.

    The right ends with its process, however that ends. Raises StorageError when the state folder cannot be written.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        lock = file.with_suffix(".lock").open("w")
        fcntl.flock(lock, fcntl.LOCK_EX)
    except OSError as error:
        what = f"the catalog's snapshot cannot be locked: {error.strerror}"
        raise StorageError(what, where=str(file.parent), fix="make the state folder (MESH_HOME) writable") from None
    with lock:
        yield


def dump_product(product: DataProduct) -> dict[str, Any]:
    """A product's declaration as JSON values, for the metadata of its asset."""
    dumped: dict[str, Any] = _adapter(DataProduct).dump_python(product, mode="json")
    return dumped


def parse_product(body: Any) -> DataProduct:
    """Read a declaration back from an asset's metadata. Raises StorageError for what no such declaration can be."""
    product: DataProduct = _parsed(DataProduct, body, "an asset's declaration (mesh/product) is unreadable")
    return product


def dump_expected(expected: Expected) -> dict[str, Any]:
    """What a domain expects as JSON values, for the metadata of its checks."""
    dumped: dict[str, Any] = _adapter(Expected).dump_python(expected, mode="json")
    return dumped


def parse_expected(body: Any) -> Expected:
    """Read it back from a check's metadata. Raises StorageError for what no such declaration can be."""
    expected: Expected = _parsed(Expected, body, "a check's declaration (mesh/expected) is unreadable")
    return expected


def dump_section(section: Section) -> bytes:
    """A section as JSON, to cross from the process that loaded a location."""
    dumped: bytes = _adapter(Section).dump_json(section)
    return dumped


def parse_section(text: bytes) -> Section:
    """Read a section that another process dumped."""
    section: Section = _adapter(Section).validate_json(text)
    return section


def _parsed(kind: Any, body: Any, otherwise: str) -> Any:
    try:
        return _adapter(kind).validate_python(body)
    except ValidationError:
        raise StorageError(otherwise, fix="load its location with the platform's own version") from None


def _format_of(text: bytes) -> Any:
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return body.get("format") if isinstance(body, dict) else None


def _count_file(file: Path) -> Path:
    return file.with_suffix(".generation")


def _counted(count: Path) -> int:
    try:
        return int(count.read_bytes())
    except (FileNotFoundError, ValueError):
        return 0


def _write_durably(file: Path, content: bytes) -> None:
    with file.open("wb") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())
