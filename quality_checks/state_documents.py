"""A table's state as a JSON document of a known version. What cannot be believed is refused, never guessed."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from math import isfinite
from typing import Any

from quality_checks.errors import QualityError
from quality_checks.families import family_of
from quality_checks.sketch import Sketch
from quality_checks.state import ColumnState, Extreme, TableState

STATE_VERSION = 1


def state_document(state: TableState) -> dict[str, Any]:
    """Return JSON values from which `read_state` gives an equal state."""
    columns = {name: _column_document(column) for name, column in state.columns.items()}
    return {"version": STATE_VERSION, "rows": state.rows, "columns": columns}


def read_state(document: Any) -> TableState:
    """Return the state that a document tells of; QualityError for another version, or for a damaged one."""
    version = document.get("version") if isinstance(document, Mapping) else None
    if version != STATE_VERSION:
        raise QualityError(f"this is no state of version {STATE_VERSION} — compute it anew from the table")
    try:
        rows = _count(document["rows"])
        columns = {str(name): _column(body, rows) for name, body in document["columns"].items()}
    except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError):
        pass
    else:
        return TableState(rows=rows, columns=columns)
    raise QualityError("this state is damaged — compute it anew from the table")


def _column_document(column: ColumnState) -> dict[str, Any]:
    document: dict[str, Any] = {"type": column.type, "present": column.present}
    for name in ("total", "squares", "low", "high"):
        value = getattr(column, name)
        if value is not None:
            document[name] = value if isinstance(value, int | float) else str(value)
    if column.sketch is not None:
        document["sketch"] = {"size": column.sketch.size, "hashes": column.sketch.as_text()}
    return document


def _column(body: Mapping[str, Any], rows: int) -> ColumnState:
    present, sketch = _count(body["present"]), body.get("sketch")
    if present > rows:
        raise ValueError
    return ColumnState(
        type=str(body["type"]),
        present=present,
        total=_fraction(body.get("total")),
        squares=_fraction(body.get("squares")),
        low=_extreme(body.get("low"), body["type"]),
        high=_extreme(body.get("high"), body["type"]),
        sketch=None if sketch is None else Sketch.from_text(sketch["hashes"], _count(sketch["size"])),
    )


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError
    return value


def _fraction(text: Any) -> Fraction | None:
    return None if text is None else Fraction(str(text))


def _extreme(value: Any, type: str) -> Extreme | None:
    if value is None:
        return None
    family = family_of(type)
    if family == "decimal":
        try:
            read: Extreme = Decimal(str(value))
        except InvalidOperation:
            raise ValueError from None
    elif family == "float":
        read = float(value)
    else:
        read = int(value)
    if not isfinite(read):
        raise ValueError
    return read
