"""Which of DuckDB's types Postgres keeps, widened where that loses nothing, and which columns it must not be given."""

import re
from collections.abc import Mapping

from mesh_defs.errors import StorageError
from mesh_defs.model.names import quoted

_KEPT = re.compile(
    r"(BOOLEAN|SMALLINT|INTEGER|BIGINT|FLOAT|DOUBLE|DECIMAL\(\d+,\d+\)|VARCHAR|BLOB|UUID|DATE|TIME|TIMESTAMP|"
    r"TIMESTAMP WITH TIME ZONE|TIME WITH TIME ZONE|INTERVAL)(\[\])?|JSON"
)
# Left alone, the scanner would make a DOUBLE of a HUGEINT and text of a UHUGEINT.
_WIDER: Mapping[str, str] = {
    "TINYINT": "SMALLINT",
    "UTINYINT": "SMALLINT",
    "USMALLINT": "INTEGER",
    "UINTEGER": "BIGINT",
    "UBIGINT": "DECIMAL(20,0)",
    "HUGEINT": "DECIMAL(38,0)",
    "UHUGEINT": "DECIMAL(38,0)",
    "TIMESTAMP_S": "TIMESTAMP",
    "TIMESTAMP_MS": "TIMESTAMP",
}
_LABELS = re.compile(r"ENUM\(('([^']|'')*'(, )?)*\)")
_SIZED = re.compile(r"(.+)\[\d+\]")
# Postgres cuts a longer name off without a word.
_NAME_BYTES_MAX = 63
# Every table of Postgres has these columns already.
_TAKEN = frozenset({"ctid", "xmin", "xmax", "cmin", "cmax", "tableoid"})


def exact_select(select: str, columns: Mapping[str, str]) -> str:
    """Return the SELECT with every column cast to the type that Postgres will keep.

    StorageError names a column that it would change (nested and nanosecond types, an unfit name), and how to mend it.
    """
    for name in columns:
        _require_name(name)
    casts = [(name, stored_type(name, type_)) for name, type_ in columns.items()]
    changed = [f"CAST({quoted(name)} AS {to}) AS {quoted(name)}" for name, to in casts if to != columns[name]]
    return f"SELECT * REPLACE ({', '.join(changed)}) FROM (\n{select}\n)" if changed else select


def stored_type(name: str, type_: str) -> str:
    """Return the DuckDB type as which Postgres gives this column back."""
    if _LABELS.fullmatch(type_):
        return "VARCHAR"
    sized = _SIZED.fullmatch(type_)
    element, list_ = (sized[1], "[]") if sized else (type_.removesuffix("[]"), "[]" if type_.endswith("[]") else "")
    stored = _WIDER.get(element, "VARCHAR" if _LABELS.fullmatch(element) else element) + list_
    if not _KEPT.fullmatch(stored):
        what = f"column '{name}' holds {_told(type_)}, which Postgres cannot keep as it is"
        fix = (
            "CAST it in the product's SELECT (TIMESTAMP, VARCHAR or JSON), give its fields columns, or store as duckdb"
        )
        raise StorageError(what, fix=fix)
    return stored


def _told(type_: str) -> str:
    """The type's family: its labels and fields may be long, and labels are values."""
    if type_.endswith("]"):
        return "a list of such values"
    return type_.partition("(")[0]


def _require_name(name: str) -> None:
    if len(name.encode()) > _NAME_BYTES_MAX:
        what = f"the name of column '{name}' is longer than Postgres's {_NAME_BYTES_MAX} bytes"
        raise StorageError(what, fix="give it a shorter one with AS")
    if name in _TAKEN:
        raise StorageError(f"Postgres allows no column called '{name}'", fix="give it another name with AS")
