"""The catalog as a document: what each location declares, at a generation that only grows. The door binds against it."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from mesh_defs.errors import StorageError
from mesh_defs.model.mesh import DataProduct, Section, Snapshot

FORMAT = 1
_MEND = "run `mesh refresh --catalog` to build it again"


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
    try:
        snapshot = TypeAdapter(Snapshot).validate_json(text)
    except ValidationError:
        raise StorageError("the catalog's snapshot is damaged", where=str(file), fix=_MEND) from None
    if snapshot.format != FORMAT:
        what = f"the catalog's snapshot has format {snapshot.format}, this platform reads {FORMAT}"
        raise StorageError(what, where=str(file), fix=_MEND)
    return snapshot


def store_snapshot(file: Path, sections: tuple[Section, ...], *, previous: int) -> Snapshot:
    """Write the next generation, atomically. The caller holds `writing`."""
    snapshot = Snapshot(format=FORMAT, generation=previous + 1, sections=sections)
    temporary = file.with_suffix(f".{os.getpid()}.tmp")
    with temporary.open("wb") as out:
        out.write(TypeAdapter(Snapshot).dump_json(snapshot, indent=1))
        out.flush()
        os.fsync(out.fileno())
    temporary.replace(file)
    return snapshot


@contextmanager
def writing(file: Path) -> Iterator[None]:
    """Hold the only right to write the snapshot: one builder works while the others wait for its result."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def dump_product(product: DataProduct) -> dict[str, Any]:
    """A product's declaration as JSON values, for the metadata of its asset."""
    dumped: dict[str, Any] = TypeAdapter(DataProduct).dump_python(product, mode="json")
    return dumped


def parse_product(body: Any) -> DataProduct:
    """Read a declaration back from an asset's metadata."""
    return TypeAdapter(DataProduct).validate_python(body)


def dump_section(section: Section) -> bytes:
    """A section as JSON, to cross from the process that loaded a location."""
    return TypeAdapter(Section).dump_json(section)


def parse_section(text: bytes) -> Section:
    """Read a section that another process dumped."""
    return TypeAdapter(Section).validate_json(text)
