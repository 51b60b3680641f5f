"""The files of a source as they lie there now: on a disk or in a bucket. Reads names, sizes and marks, never content."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import import_module
from itertools import takewhile
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote

from mesh_defs.errors import StorageError, UnreachableError
from mesh_defs.model.place import Access
from mesh_defs.storage.failures import told

PARQUET = (".parquet", ".parq", ".pq")
FILES_MAX = 100_000
_NULL = "__HIVE_DEFAULT_PARTITION__"


@dataclass(frozen=True, slots=True, kw_only=True)
class LyingFile:
    """One file. `mark` changes when its content does: time and size on a disk, the ETag in a bucket.

    `given` are the values that its folders state (`day=2026-11-01`), or its table's log.
    """

    location: str
    bytes: int
    mark: str
    modified_at: datetime
    given: Mapping[str, str | None] = field(default_factory=dict)


def is_s3(place: str) -> bool:
    """Tell whether a place is in a bucket."""
    return place.startswith("s3://")


def parquet_files(place: str, access: Access) -> tuple[LyingFile, ...]:
    """Return the Parquet files at or below a place, by name; hidden ones (_ or . in front) and other kinds are no data.

    Raises StorageError when there is none, or when there are too many to be a product's.
    """
    found, others = [], 0
    for file in files_below(place, access):
        if _is_data(file.location, place, access):
            found.append(file)
        else:
            others += 1
    if not found:
        beside = f" ({others} other files)" if others else ""
        fix = "look whether its writer has run, or mend the contract's server"
        raise StorageError(f"no Parquet file lies there{beside}", where=shown(place, access), fix=fix)
    return tuple(sorted(found, key=lambda file: file.location))


def files_below(place: str, access: Access) -> Iterator[LyingFile]:
    """Yield every file at or below a place. Raises StorageError when it does not answer or has more than FILES_MAX."""
    listed = _in_bucket(place, access) if is_s3(place) else _on_disk(access.root / place)
    for number, file in enumerate(listed, start=1):
        if number > FILES_MAX:
            fix = "point the contract's server at a smaller folder"
            raise StorageError(f"more than {FILES_MAX:,} files lie there", where=shown(place, access), fix=fix)
        yield file


def still_lying(locations: Sequence[str], access: Access) -> dict[str, LyingFile]:
    """Return those of these locations that are still there, as they are now."""
    if locations and is_s3(locations[0]):
        listed = _in_bucket(common_place(locations), access)
        return {file.location: file for file in listed if file.location in set(locations)}
    with told("the source cannot be read", locations[0] if locations else ""):
        return {each: _file(Path(each), Path(each).parent) for each in locations if Path(each).is_file()}


def common_place(locations: Sequence[str]) -> str:
    """The deepest folder that holds all locations, or the one location itself."""
    if len(locations) == 1:
        return locations[0]
    first, last = min(locations).split("/"), max(locations).split("/")
    steps = list(takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False)))
    return "/".join(step for step, _ in steps)


def identity(files: Iterable[LyingFile]) -> str:
    """Return a name for exactly these files as they are now; the same files give the same name."""
    lines = sorted(f"{file.location}\0{file.bytes}\0{file.mark}" for file in files)
    return "files-" + hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def shown(place: str, access: Access) -> str:
    """A place for messages."""
    return place if is_s3(place) else str(access.root / place)


def bucket_and_key(location: str) -> tuple[str, str]:
    """Return (bucket, key) of an s3:// location."""
    bucket, _, key = location.removeprefix("s3://").partition("/")
    return bucket, key


def _on_disk(path: Path) -> Iterator[LyingFile]:
    with told("the source cannot be read", path):
        if path.is_file():
            yield _file(path, path.parent)
        elif not path.is_dir():
            raise StorageError("nothing lies there", fix="look whether its writer has run, or mend the server")
        else:
            for each in sorted(path.rglob("*")):
                if each.is_file():
                    _require_inside(each, path)
                    yield _file(each, path)


def _require_inside(path: Path, top: Path) -> None:
    """Invariant: the source's writer cannot name files elsewhere, another domain's for instance, by a link to them."""
    if path.is_symlink() and not path.resolve().is_relative_to(top.resolve()):
        raise StorageError(
            f"'{path.name}' is a link out of the source", where=str(top), fix="put the file itself there"
        )


def _file(path: Path, top: Path) -> LyingFile:
    status = path.stat()
    return LyingFile(
        location=str(path.absolute()),
        bytes=status.st_size,
        mark=f"{status.st_mtime_ns:x}-{status.st_ino:x}",
        modified_at=datetime.fromtimestamp(status.st_mtime, UTC),
        given=_stated(path.relative_to(top).parts[:-1]),
    )


def _in_bucket(place: str, access: Access) -> Iterator[LyingFile]:
    s3 = s3_module()
    bucket, prefix = bucket_and_key(place)
    with s3.told("the source cannot be listed", place, variable=access.variable):
        pages = s3.s3_client(access.s3).get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        for page in pages:
            for each in page.get("Contents", ()):
                key = each["Key"]
                if not prefix or key == prefix or key.startswith(f"{prefix}/"):
                    yield LyingFile(
                        location=f"s3://{bucket}/{key}",
                        bytes=each["Size"],
                        mark=each["ETag"].strip('"'),
                        modified_at=each["LastModified"],
                        given=_stated(PurePosixPath(key.removeprefix(prefix)).parts[:-1]),
                    )


def s3_module() -> Any:
    """The client's module: its driver is an extra. Raises UnreachableError when that is not installed."""
    try:
        return import_module("mesh_defs.storage.s3_client")
    except ImportError:
        raise UnreachableError("S3 needs boto3, which is not installed", fix="install mesh-defs[s3]") from None


def _is_data(location: str, place: str, access: Access) -> bool:
    top = place if is_s3(place) else str((access.root / place).absolute())
    steps = [step for step in location.removeprefix(top).split("/") if step] or [location.rpartition("/")[2]]
    hidden = any(step.startswith((".", "_")) and "=" not in step for step in steps)
    return not hidden and location.lower().endswith(PARQUET)


def _stated(folders: Iterable[str]) -> dict[str, str | None]:
    """Values in Hive's way of naming folders: `day=2026-11-01/`."""
    pairs = (folder.partition("=") for folder in folders if "=" in folder)
    return {unquote(name): None if value == _NULL else unquote(value) for name, _, value in pairs if name}
