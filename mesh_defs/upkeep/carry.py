"""Copies published versions from one place of a product to another, and proves that the rows arrived. Flips nothing."""

from collections.abc import Callable, Sequence
from datetime import datetime

import duckdb

from mesh_defs.errors import StorageError
from mesh_defs.model.names import quoted
from mesh_defs.model.version import Part, Version, token_column
from mesh_defs.storage.base import Storage
from mesh_defs.storage.local import utc_now

# The version that a carried one was copied from, first of all: so that it is known again on the way back.
ORIGIN = "origin"
StorageAt = Callable[[Callable[[], datetime]], Storage]


def carry(
    source: Storage, target_at: StorageAt, connection: duckdb.DuckDBPyConnection, report: Callable[[Version], None]
) -> int:
    """Publish at the target what it lacks of the source's versions, oldest first; return how many.

    Each keeps the time of its first publication: moving a product makes it no fresher. `target_at(clock)` opens the
    target. Afterwards the target's current version has the source's rows. StorageError when the target cannot hold them.
    """
    target = target_at(utc_now)
    there = {origin(version) for version in target.versions()}
    versions = tuple(reversed(source.versions()))
    missing = [version for version in versions if origin(version) not in there]
    current, newest = target.current(), versions[-1:]
    if newest and not missing and (current is None or origin(current) != origin(newest[0])):
        missing = [newest[0]]
    before: Sequence[Part] = ()
    for version in versions:
        if version in missing:
            report(version)
            _publish(source, target_at, connection, version, before)
        before = version.parts
    return len(missing)


def origin(version: Version) -> str:
    """The id under which this version was published first, wherever that was."""
    return str(version.stamp.get(ORIGIN, version.id))


def _publish(
    source: Storage,
    target_at: StorageAt,
    connection: duckdb.DuckDBPyConnection,
    version: Version,
    before: Sequence[Part],
) -> None:
    """Copy the parts that this version did not share with the one before it; what it shared is there already."""
    target, dated = target_at(utc_now), target_at(lambda: version.published_at)
    shared = {part.path for part in before} if _has(target, before) else set()
    stamp = {**version.stamp, ORIGIN: origin(version)}
    for part in version.parts:
        if part.path in shared:
            continue
        relation = source.relation(connection, [part], whole=True)
        columns = [*version.columns, *map(token_column, part.tokens)]
        try:
            select = f"SELECT * FROM {relation}"
            candidate = target.stage(connection, select, partition=part.partition, tokens=part.tokens)
            try:
                arrived = target.relation(connection, candidate.parts, whole=True)
                _require_same(connection, relation, arrived, columns)
                dated.publish(candidate, stamp=stamp)
            except BaseException:
                target.discard(candidate)
                raise
            finally:
                target.release(connection, candidate.parts)
        finally:
            source.release(connection, [part])


def _has(target: Storage, parts: Sequence[Part]) -> bool:
    """Tell whether the target's current version holds the partitions of these parts."""
    current = target.current()
    held = {part.partition for part in current.parts} if current else set()
    return {part.partition for part in parts} <= held


def _require_same(connection: duckdb.DuckDBPyConnection, left: str, right: str, columns: Sequence[str]) -> None:
    """Compare number and content of the rows, whatever their order and however each storage keeps the types."""
    values = ", ".join(f"CAST({quoted(name)} AS VARCHAR)" for name in columns)
    digests = [
        connection.execute(f"SELECT count(*), sum(CAST(hash({values}) AS HUGEINT)) FROM {relation}").fetchone()
        for relation in (left, right)
    ]
    if digests[0] != digests[1]:
        what = "the rows did not arrive as they were: the new storage changes their values"
        raise StorageError(what, fix="CAST such columns in the product's SELECT first, or choose another storage")
