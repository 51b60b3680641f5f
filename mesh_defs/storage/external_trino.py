"""Which columns of another system's table a Trino reads as DuckDB does; what it would read otherwise is refused by name.

Tried on both engines, type by type (`tests/trino/test_external.py`). Pure.
"""

import re
from collections.abc import Mapping, Sequence

from mesh_defs.errors import StorageError
from mesh_defs.model.contract import Column
from mesh_defs.storage.external_columns import matching

# As Postgres's format_type names them. Not: char(n), whose blanks both count in ways of their own; numeric without digits;
# json, which Trino writes anew; enums, arrays, domains, intervals, times with a zone.
POSTGRES = re.compile(
    r"smallint|integer|bigint|real|double precision|boolean|text|character varying(\(\d+\))?|uuid|bytea|date"
    r"|numeric\(([1-9]|[12]\d|3[0-8]),\d+\)|time(\([0-6]\))? without time zone|timestamp(\([0-6]\))? with(out)? time zone"
)
# As Delta's log names them. Not: timestamp, of which Trino reads the milliseconds alone; nested types.
DELTA = re.compile(
    r"byte|short|integer|long|float|double|boolean|string|binary|date|timestamp_ntz|decimal\(\d+,\s*\d+\)"
)


def alike(
    columns: Sequence[Column], found: Mapping[str, str], known: re.Pattern[str], where: str
) -> tuple[tuple[str, str], ...]:
    """Return (name there, promised name) of the promised columns; `found` are the source's own types, by its names.

    StorageError for a column that is missing, of a type that is not known to be read alike, or one of two whose names
    differ in case alone, which a Trino takes for one.
    """
    told = []
    for column in columns:
        there = matching(column.physical_name or column.name, found)
        if there is None:
            raise StorageError(f"Trino finds no column for '{column.name}' there", where=where, fix="see `mesh show`")
        if not known.fullmatch(found[there]):
            what = f"column '{there}' is {found[there]}, which Trino does not read as DuckDB does"
            raise StorageError(what, where=where, fix="have its writer offer it as another type beside")
        if sum(each.lower() == there.lower() for each in found) > 1:
            raise StorageError(f"two of its columns are '{there}' to a Trino", where=where, fix="rename one of them")
        told.append((there, column.name))
    return tuple(told)
