"""A relation's columns as pandas holds them best for GX. Knows no expectation; pandas is imported within.

Traps that the types below avoid: an integer column with a null becomes floats (2**53 + 1 is lost); pandas' `str` is
no "object" to GX; unsigned integers wrap where GX subtracts neighbours; `Decimal("0.1") == 0.1` is false in Python.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import duckdb
from sqlglot import exp

from quality_checks.counts import row_count
from quality_checks.families import family_of, type_name
from quality_checks.relation import Relation, UnansweredError

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

_EXACT_DIGITS = 15  # every decimal of so many digits is told from its neighbours as a float, and read back the same
_WIDE = ("UBIGINT", "INT128", "UINT128")  # int64 does not hold them
_NESTED = ("LIST", "ARRAY", "STRUCT", "MAP", "BINARY", "VARBINARY", "BLOB")


def rows_of(relation: Relation) -> int:
    """Return the number of rows."""
    return int(relation.answer(relation.select(row_count()))[0])


def frame_of(relation: Relation, columns: Mapping[str, str]) -> "pd.DataFrame":
    """Read `columns` (name -> DuckDB type), all rows, into memory; raises UnansweredError when DuckDB cannot."""
    import pandas as pd

    if not columns:
        return pd.DataFrame(index=range(rows_of(relation)))
    # Read by place: what a column is called is then nothing to DuckDB, Arrow or pandas.
    read = [exp.alias_(_as_read(name, type), f"c{at}") for at, (name, type) in enumerate(columns.items())]
    table = _arrow(relation, relation.select(*read))
    return pd.DataFrame({name: _series(table.column(at), type) for at, (name, type) in enumerate(columns.items())})


def _arrow(relation: Relation, query: exp.Select) -> "pa.Table":
    try:
        return relation.connection.execute(query.sql("duckdb")).to_arrow_table()
    except (duckdb.OperationalError, duckdb.InterruptException):
        raise  # as in Relation: disk, memory and cancelling are not the data's fault
    except duckdb.Error as error:
        kind = type(error).__name__
    raise UnansweredError(kind)


def _as_read(name: str, type: str) -> exp.Expr:
    column = exp.column(name, quoted=True)
    return exp.cast(column, wanted, dialect="duckdb") if (wanted := _wanted(type)) else column


def _wanted(type: str) -> str | None:
    """Return the type to cast to before reading; None for those that are read as they are."""
    name = type_name(type)
    match family_of(type):
        case "integer":
            return "VARCHAR" if name in _WIDE else "BIGINT"
        case "decimal":
            return "DOUBLE" if _digits(type) <= _EXACT_DIGITS else None
        case "date" | "timestamp":
            return None if name == "TIMESTAMP_NS" else "TIMESTAMP"
        case "text":
            return "VARCHAR"
        case "float":
            # A FLOAT's 0.1 is 0.10000000149 as a DOUBLE, and no literal equals it: so by its shortest text.
            return "VARCHAR" if name == "FLOAT" else None
        case "boolean" | "zoned timestamp":
            return None
    return None if name in _NESTED else "VARCHAR"


def _digits(type: str) -> int:
    return int(exp.DataType.build(type, dialect="duckdb").expressions[0].name)


def _series(cells: "pa.ChunkedArray[Any]", type: str) -> "pd.Series[Any]":
    import pandas as pd
    import pyarrow as pa

    match family_of(type):
        case "integer" if type_name(type) in _WIDE:
            return _objects(cells, int)
        case "float" if type_name(type) == "FLOAT":
            return _objects(cells, float).astype("float64")
        case "zoned timestamp":
            moments: pd.Series[Any] = cells.to_pandas().dt.tz_convert("UTC")
            return moments
        case "text" | "other":
            return _objects(cells)
    nullable = {pa.int64(): pd.Int64Dtype(), pa.bool_(): pd.BooleanDtype()}
    return pd.Series(cells.to_pandas(types_mapper=nullable.get))


def _objects(cells: "pa.ChunkedArray[Any]", read: Callable[[Any], Any] = lambda cell: cell) -> "pd.Series[Any]":
    import pandas as pd

    return pd.Series([None if cell is None else read(cell) for cell in cells.to_pylist()], dtype="object")
