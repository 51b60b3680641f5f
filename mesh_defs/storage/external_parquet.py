"""Parquet files that another system writes, on a disk or in a bucket. Pinned as a list: files that come later are not read.

Files may differ: each shape is judged against the promise by itself, so that no file's types decide over another's.
"""

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb
from duckdb import DuckDBPyConnection

from mesh_defs.errors import StorageError
from mesh_defs.model.contract import Column
from mesh_defs.model.names import literal, quoted
from mesh_defs.model.place import Access
from mesh_defs.model.version import Part, Pin, Version
from mesh_defs.storage.extensions import load_extension
from mesh_defs.storage.external_base import Scan, Source, looking
from mesh_defs.storage.external_columns import matching, promised_select
from mesh_defs.storage.external_files import (
    LyingFile,
    common_place,
    identity,
    is_s3,
    parquet_files,
    s3_module,
    shown,
    still_lying,
)
from mesh_defs.storage.failures import told
from mesh_defs.storage.parquet import ParquetParts
from mesh_defs.storage.parts import described

_PARQUET = ParquetParts()
# More branches than this take seconds to plan; a table that is cut finer is read whole or not at all.
BRANCHES_MAX = 2_000


class ParquetSource:
    """A `Reader` of a folder, a prefix or a single file."""

    def look(self, source: Source) -> Version:
        """List the files; their names, sizes and marks are the version."""
        return version_of(parquet_files(source.server.place, source.access), source)

    def scan(self, source: Source, version: Version) -> Scan:
        """Judge every file's footer; StorageError names the file that is not as promised, or no longer there."""
        files = parquet_files(source.server.place, source.access)
        return scan_of(_pinned(files, version, source), source)

    def found(self, source: Source) -> tuple[str, dict[str, str]]:
        """The first file's columns, and those that its folders state."""
        first = parquet_files(source.server.place, source.access)[0]
        columns = file_columns(source, first.location)
        return shown(source.server.place, source.access), columns | dict.fromkeys(first.given, "VARCHAR")

    def prepare(self, connection: DuckDBPyConnection, pin: Pin, access: Access, seconds_max: float) -> None:
        """Let the connection reach the bucket; StorageError when a pinned file was replaced since."""
        place = common_place(pin.locations)
        reach(connection, place, access)
        if identity(still_lying(pin.locations, access).values()) != pin.version:
            what = f"version {pin.version} of {pin.product} is gone: its writer replaced files"
            raise StorageError(what, where=shown(place, access), fix="ask again to read the newest version")

    def opened(self, pin: Pin) -> Sequence[str]:
        """The files, and nothing else of their folder."""
        return [name for location in pin.locations for name in _PARQUET.opened(location)]


def file_columns(source: Source, location: str) -> dict[str, str]:
    """Return one file's columns, name -> DuckDB type."""
    with looking() as connection:
        reach(connection, source.server.place, source.access)
        return _columns(connection, location)


def version_of(files: Sequence[LyingFile], source: Source) -> Version:
    """These files as a version, named after their identity."""
    return Version(
        id=identity(files),
        parts=tuple(Part(path=file.location, rows=0, bytes=file.bytes) for file in files),
        columns=source.promised,
        published_at=max(file.modified_at for file in files),
    )


def scan_of(files: Sequence[LyingFile], source: Source, *, absent: frozenset[str] = frozenset()) -> Scan:
    """Return one SELECT over the files, a branch for each shape and each value that folders or a log state."""
    place = source.server.place
    if not files:
        return Scan(text=f"{_nothing(source)} LIMIT 0", locations=(), rows=0)
    with looking() as connection:
        reach(connection, place, source.access)
        shapes, rows = _shapes(connection, [file.location for file in files], shown(place, source.access))
        _require_values(connection, files, source)
        branches: dict[tuple[str, tuple[tuple[str, str | None], ...]], list[str]] = defaultdict(list)
        for file in files:
            branches[shapes[file.location], _needed(file.given, source.columns)].append(file.location)
        if len(branches) > BRANCHES_MAX:
            what = (
                f"its files have {len(branches):,} different partitions or shapes, at most {BRANCHES_MAX:,} can be read"
            )
            raise StorageError(what, where=shown(place, source.access), fix="partition it more coarsely")
        columns = {shape: _columns(connection, locations[0]) for (shape, _), locations in branches.items()}
        text = " UNION ALL ".join(
            promised_select(
                source.columns,
                columns[shape],
                _PARQUET.relation(connection, locations),
                where=locations[0],
                given=dict(given),
                absent=absent,
            )
            for (shape, given), locations in branches.items()
        )
    return Scan(text=text, locations=tuple(file.location for file in files), rows=rows)


def reach(connection: DuckDBPyConnection, place: str, access: Access) -> None:
    """Let a connection read one bucket's prefix as the domain may; a place on a disk needs nothing."""
    if not is_s3(place):
        return
    load_extension(connection, "httpfs")
    s3 = s3_module()
    key, secret, token = s3.credentials(access.s3, variable=access.variable)
    endpoint = access.s3.endpoint or ""
    options = {
        "KEY_ID": key,
        "SECRET": secret,
        "SESSION_TOKEN": token,
        "REGION": access.s3.region,
        "ENDPOINT": endpoint.partition("://")[2],
        "URL_STYLE": "vhost" if s3.is_aws(access.s3) else "path",
        "SCOPE": place,
    }
    told_options = ", ".join(f"{name} {literal(value)}" for name, value in options.items() if value)
    tls = ", USE_SSL false" if endpoint.startswith("http://") else ""
    name = "external_" + hashlib.blake2b(place.encode(), digest_size=8).hexdigest()
    connection.execute(f"CREATE OR REPLACE SECRET {name} (TYPE s3, {told_options}{tls})")


def _nothing(source: Source) -> str:
    return "SELECT " + ", ".join(f"CAST(NULL AS {type_}) AS {quoted(name)}" for name, type_ in source.promised.items())


def _pinned(files: Sequence[LyingFile], version: Version, source: Source) -> list[LyingFile]:
    wanted = {part.path for part in version.parts}
    kept = [file for file in files if file.location in wanted]
    if identity(kept) != version.id:
        where = shown(source.server.place, source.access)
        fix = "ask again to read the newest version"
        raise StorageError(f"version {version.id} is gone: its writer replaced files", where=where, fix=fix)
    return kept


def _shapes(connection: DuckDBPyConnection, locations: Sequence[str], where: str) -> tuple[dict[str, str], int]:
    """Return what the footers say: a digest of each file's columns, and the rows of all."""
    files = ", ".join(literal(name) for location in locations for name in _PARQUET.opened(location)[-1:])
    told_columns = "concat_ws('|', name, type, num_children, converted_type, scale, precision, logical_type)"
    shape = f"md5(string_agg({told_columns}, ';' ORDER BY column_id))"
    try:
        shapes = connection.execute(
            f"SELECT file_name, {shape} FROM parquet_schema([{files}]) GROUP BY file_name"
        ).fetchall()
        counted = connection.execute(f"SELECT sum(num_rows) FROM parquet_file_metadata([{files}])").fetchone()
    except duckdb.Error as error:
        broken = _broken(connection, locations)
        what = f"'{broken.rpartition('/')[2]}' is no readable Parquet file ({type(error).__name__})"
        fix = "have its writer put it there again, or move it away"
        raise StorageError(what, where=where, fix=fix) from None
    return dict(shapes), int(counted[0]) if counted else 0


def _broken(connection: DuckDBPyConnection, locations: Sequence[str]) -> str:
    for location in locations:
        try:
            connection.execute(f"FROM parquet_schema([{literal(_PARQUET.opened(location)[-1])}])").fetchall()
        except duckdb.Error:
            return location
    return locations[0]


def _columns(connection: DuckDBPyConnection, location: str) -> dict[str, str]:
    with told("its columns cannot be read", Path(location)):
        return described(connection, f"FROM {_PARQUET.relation(connection, [location])}")


def _needed(given: Mapping[str, str | None], columns: Sequence[Column]) -> tuple[tuple[str, str | None], ...]:
    """What of the given values the promise asks for: other folders do not split the scan."""
    names = {matching(column.physical_name or column.name, given) for column in columns}
    return tuple((name, value) for name, value in sorted(given.items()) if name in names)


def _require_values(connection: DuckDBPyConnection, files: Sequence[LyingFile], source: Source) -> None:
    """A folder's value must be one of the promised type: found here, since the engine would say so with the value."""
    for column in source.columns:
        name = column.physical_name or column.name
        given = {file.given[there] for file in files if (there := matching(name, file.given)) is not None}
        values = sorted(value for value in given if value is not None)
        if not values:
            continue
        listed = ", ".join(f"({literal(value)})" for value in values)
        wrong = f"SELECT 1 FROM (VALUES {listed}) AS given(v) WHERE TRY_CAST(v AS {column.type}) IS NULL LIMIT 1"
        if connection.execute(wrong).fetchone():
            what = f"a folder's value of '{name}' is no {column.type}"
            fix = "promise VARCHAR for it, or have its writer name the folder rightly"
            raise StorageError(what, where=shown(source.server.place, source.access), fix=fix)
