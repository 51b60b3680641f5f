"""Parts as Parquet files. Holds only what differs from other formats."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from duckdb import DuckDBPyConnection

from mesh_defs.errors import StorageError
from mesh_defs.model.contract import StorageKind
from mesh_defs.model.names import literal, quoted
from mesh_defs.storage.parts import Written, described

# 5 million rows of 7 columns; CPU seconds and bytes, where a COPY with DuckDB's defaults (v1, snappy) is 1:
# v2 snappy 0.70 and 0.77 · v2 zstd level 1 0.80 and 0.47 · v2 zstd level 3 1.14 and 0.48. Scans take 0.6-0.9 of it.
# The file is nobody's yet, and S3 hands in one that has no name to write beside.
_OPTIONS = "FORMAT parquet, USE_TMP_FILE false, PARQUET_VERSION {}, COMPRESSION zstd, COMPRESSION_LEVEL 1"
# DuckDB 1.5.5 writes differences of 32-bit integers with 33 bits, which Trino 476 cannot read; within this range none has them.
_WIDE = """
SELECT count(*) FROM parquet_metadata({}) WHERE type = 'INT32' AND encodings LIKE '%DELTA_BINARY_PACKED%'
AND (stats_max = 'infinity' OR stats_min = '-infinity'
    OR TRY_CAST(stats_max AS HUGEINT) - TRY_CAST(stats_min AS HUGEINT) >= 2147483648)
"""
# sum() of integers is a HUGEINT, which COPY would turn into a DOUBLE without a word.
_EXACT = {"HUGEINT": "DECIMAL(38,0)", "UHUGEINT": "DECIMAL(38,0)"}
# COPY takes these and gives back something else: a DOUBLE, a VARCHAR, no microseconds, no offset, no names.
_LOSSY = re.compile(r"\b(U?HUGEINT|INTERVAL|TIME WITH TIME ZONE|TIME_NS|BIT|BIGNUM|UNION|GEOMETRY)\b")
_TEXT_IN_TYPE = re.compile(r"\"(?:[^\"]|\"\")*\"|'(?:[^']|'')*'")
_GLOB = re.compile(r"[*?\[]")


@dataclass(frozen=True, slots=True, kw_only=True)
class ParquetParts:
    """One Parquet file per part, zstd, readable by DuckDB, pandas and Trino. `by_name`: see `scan`."""

    kind: StorageKind = "parquet"
    by_name: bool = False

    def write(self, connection: DuckDBPyConnection, select: str, columns: Mapping[str, str], path: Path) -> Written:
        """Write the file; StorageError for a column whose type Parquet would change."""
        exact = {name: _stored(name, type_) for name, type_ in columns.items()}
        casts = [f"CAST({quoted(name)} AS {type_}) AS {quoted(name)}" for name, type_ in exact.items() if type_]
        if casts:
            select = f"SELECT * REPLACE ({', '.join(casts)}) FROM (\n{select}\n)"
        rows = copy(connection, select, path)
        return Written(rows=rows, columns=described(connection, f"FROM {scan([str(path)])}"))

    def relation(self, connection: DuckDBPyConnection, locations: Sequence[str]) -> str:
        """Return a scan of exactly these files; touches neither the disk nor the connection."""
        return scan(locations, by_name=self.by_name)

    def release(self, connection: DuckDBPyConnection, locations: Sequence[str]) -> None:
        """Do nothing: a scan holds nothing between queries."""

    def opened(self, location: str) -> tuple[str, ...]:
        """Return the path, and the pattern that stands for it when it holds glob characters: DuckDB checks both."""
        return (location,) if _escaped(location) == location else (location, _escaped(location))


def copy(connection: DuckDBPyConnection, select: str, path: Path, *options: str) -> int:
    """Write the SELECT's rows as one file that every engine reads; how many they are. Runs it a second time, for version 1 of
    the format, where 32-bit integers lie too far apart."""
    for version in ("v2", "v1"):
        told = ", ".join((_OPTIONS.format(version), *options))
        row = connection.execute(f"COPY (\n{select}\n) TO {literal(str(path))} ({told})").fetchone()
        if version == "v1" or connection.execute(_WIDE.format(literal(str(path)))).fetchone() == (0,):
            break
    return int(row[0]) if row else 0


def scan(locations: Sequence[str], *, by_name: bool = False) -> str:
    """Return text that may stand after FROM and reads exactly these files, wherever they lie.

    `by_name`: columns that only some of them have are NULL in the others; costs a look into each file when it is bound.
    """
    files = ", ".join(literal(_escaped(location)) for location in locations)
    # Without hive_partitioning=false a folder called `day=1` above the place would add a column to the product.
    union = "true" if by_name else "false"
    return f"read_parquet([{files}], union_by_name={union}, hive_partitioning=false, filename=false)"


def _escaped(location: str) -> str:
    """Return a pattern that matches this path alone: DuckDB would read `a[bc]/0.parquet` from the folder `ab`."""
    return _GLOB.sub(r"[\g<0>]", location)


def _stored(name: str, type_: str) -> str | None:
    """Return the type to cast to before writing, or None to leave it."""
    if type_ in _EXACT:
        return _EXACT[type_]
    lossy = _LOSSY.search(_TEXT_IN_TYPE.sub("", type_))
    if lossy:
        what = f"column '{name}' holds {lossy[1]}, which Parquet cannot keep as it is"
        fix = "CAST it in the product's SELECT (DECIMAL(38,0), BIGINT or VARCHAR), or store as duckdb"
        raise StorageError(what, fix=fix)
    return None
