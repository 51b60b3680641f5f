"""From what a source holds to what its contract promises: by name, of the promised type, and nothing else.

A cast is written only where no value can change by it. Anything else is an error that names the column: another
system's drift must not reach readers as NULLs or rounded numbers. Pure; builds text, runs none.
"""

import re
from collections.abc import Iterator, Mapping, Sequence

from mesh_defs.errors import StorageError, closest
from mesh_defs.model.contract import Column
from mesh_defs.model.names import literal, quoted
from mesh_defs.sql.types import duckdb_type

_BITS = {"TINYINT": 8, "SMALLINT": 16, "INTEGER": 32, "BIGINT": 64, "HUGEINT": 128}
_RANGES = {name: (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) for name, bits in _BITS.items()}
_RANGES |= {f"U{name}": (0, 2**bits - 1) for name, bits in _BITS.items()}
# Integers up to this size are exact in a floating point number.
_EXACT = {"FLOAT": 2**24, "DOUBLE": 2**53}
_WIDER = {
    ("FLOAT", "DOUBLE"),
    ("DATE", "TIMESTAMP"),
    ("TIMESTAMP_S", "TIMESTAMP"),
    ("TIMESTAMP_MS", "TIMESTAMP"),
    ("UUID", "VARCHAR"),
    ("JSON", "VARCHAR"),
}
_DECIMAL = re.compile(r"DECIMAL\((\d+),(\d+)\)")


def widens(found: str, promised: str) -> bool:
    """Tell whether every value of one DuckDB type is the same value in the other."""
    if found == promised or (found, promised) in _WIDER:
        return True
    if found.startswith("ENUM("):
        return promised == "VARCHAR"
    decimal = _DECIMAL.fullmatch(promised)
    if found in _RANGES:
        low, high = _RANGES[found]
        if promised in _RANGES:
            return bool(_RANGES[promised][0] <= low and high <= _RANGES[promised][1])
        if promised in _EXACT:
            return bool(max(-low, high) <= _EXACT[promised])
        return bool(decimal) and len(str(max(-low, high))) <= int(decimal[1]) - int(decimal[2])  # type: ignore[index]
    given = _DECIMAL.fullmatch(found)
    if given and decimal:
        more = int(decimal[2]) - int(given[2])
        return more >= 0 and int(decimal[1]) - int(given[1]) >= more
    return False


def promised_select(
    columns: Sequence[Column],
    found: Mapping[str, str],
    relation: str,
    *,
    where: str,
    given: Mapping[str, str | None] | None = None,
    absent: frozenset[str] = frozenset(),
) -> str:
    """Return the SELECT of the promised columns from a relation whose columns are `found` (name -> DuckDB type).

    `given` are values that stand beside the rows, not in them: of a partition's folder. Columns in `absent` may be
    missing and are then NULL, because the source's own schema says so. Raises StorageError for any other.
    """
    told = list(_problems(columns, found, given or {}, absent))
    if told:
        raise StorageError("; ".join(what for what, _ in told), where=where, fix=told[0][1])
    return f"SELECT {', '.join(_projection(each, found, given or {}) for each in columns)} FROM {relation}"


def _problems(
    columns: Sequence[Column], found: Mapping[str, str], given: Mapping[str, str | None], absent: frozenset[str]
) -> Iterator[tuple[str, str]]:
    for column in columns:
        name = column.physical_name or column.name
        if matching(name, given) is not None:
            continue
        there = matching(name, found)
        if there is None:
            if matching(name, dict.fromkeys(absent)) is None:
                yield f"the promised column '{name}' is missing", _mend_missing(column, name, found)
            continue
        type_ = duckdb_type(found[there]) or found[there]
        if not widens(type_, column.type):
            fix = f"have its writer keep {column.type}, or promise `physicalType: {type_}` in a new major version"
            yield f"column '{name}' is {type_}, promised is {column.type}", fix


def _mend_missing(column: Column, name: str, found: Mapping[str, str]) -> str:
    close = closest(name, found)
    if close:
        return f"write `physicalName: {close}` at '{column.name}', if that is the column; or have its writer restore it"
    return "have its writer restore it, or take it out of the contract in a new major version"


def matching(name: str, known: Mapping[str, object]) -> str | None:
    """Return the name as it is written there: exactly, or as the only one that differs in case."""
    if name in known:
        return name
    alike = [each for each in known if each.casefold() == name.casefold()]
    return alike[0] if len(alike) == 1 else None


def _projection(column: Column, found: Mapping[str, str], given: Mapping[str, str | None]) -> str:
    name, alias = column.physical_name or column.name, quoted(column.name)
    beside = matching(name, given)
    if beside is not None:
        value = given[beside]
        return f"CAST({'NULL' if value is None else literal(value)} AS {column.type}) AS {alias}"
    there = matching(name, found)
    if there is None:
        return f"CAST(NULL AS {column.type}) AS {alias}"
    if (duckdb_type(found[there]) or found[there]) == column.type:
        return f"{quoted(there)} AS {alias}"  # without a cast, so that filters are pushed down to it
    return f"CAST({quoted(there)} AS {column.type}) AS {alias}"
