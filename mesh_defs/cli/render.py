"""How values look in a terminal: tables for people, one JSON object or list for programs."""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import IO, Any


def print_json(value: Any) -> None:
    """Write one JSON document to stdout."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2, default=as_json) + "\n")


def as_json(value: Any) -> Any:
    """JSON for what json does not know: decimals and dates as text, so that nothing is rounded."""
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, Decimal):  # sums of integers are wide decimals without a fraction
        return int(value) if value == value.to_integral_value() and value.as_tuple().exponent == 0 else str(value)
    if isinstance(value, timedelta):
        return str(value)
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, set | frozenset | tuple):
        return list(value)
    raise TypeError(f"no JSON for {type(value).__name__}")


def print_table(
    headings: Sequence[str], rows: Iterable[Sequence[Any]], *, right: Sequence[str] = (), file: IO[str] | None = None
) -> None:
    """Write aligned columns to `file` or stdout; `right` names those that are aligned to the right, as numbers are."""
    cells = [[_cell(value) for value in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(headings, *cells, strict=True)]
    aligned = [heading in right for heading in headings]
    lines = [_line(headings, widths, aligned), "  ".join("─" * width for width in widths)]
    lines += [_line(row, widths, aligned) for row in cells]
    (file or sys.stdout).write("\n".join(lines) + "\n")


def print_fields(fields: Mapping[str, Any]) -> None:
    """Write `name  value` lines, the names aligned; fields without a value are left out."""
    width = max(map(len, fields), default=0)
    for name, value in fields.items():
        if value not in (None, "", ()):
            sys.stdout.write(f"{name:<{width}}  {_cell(value)}\n")


def size(count: int | None) -> str:
    """Bytes for people."""
    if count is None:
        return "–"
    number = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1000:
            return f"{number:.0f} {unit}" if unit == "B" or number >= 100 else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} TB"


def age(moment: datetime | None) -> str:
    """How long ago, in the largest unit that fits."""
    if moment is None:
        return "–"
    seconds = max(0.0, (datetime.now(UTC) - moment).total_seconds())
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.0f} {unit} ago"
    return "just now"


def _line(cells: Sequence[str], widths: Sequence[int], aligned: Sequence[bool]) -> str:
    padded = (
        f"{cell:>{width}}" if right else f"{cell:<{width}}"
        for cell, width, right in zip(cells, widths, aligned, strict=True)
    )
    return "  ".join(padded).rstrip()


def _cell(value: Any) -> str:
    """One line of text: control characters of a value must not move the reader's cursor."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | Decimal):
        return f"{value:,}"
    if isinstance(value, tuple | list):
        return ", ".join(map(_cell, value))
    return plain(value.isoformat(sep=" ") if isinstance(value, datetime) else str(value))


def plain(text: str) -> str:
    """Text without control characters."""
    return "".join(each if each.isprintable() else "�" for each in text)
