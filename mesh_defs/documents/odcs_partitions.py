"""How a contract cuts its product: ODCS marks the column (`partitioned: true`), our `partitions` says from when to when.

{property: partitions, value: {start: "2026-11-01"}}                          days of a DATE or TIMESTAMP column
{property: partitions, value: {start: …, end: …, lookback_days: {a.b: 6}}}    before `end`; reads 6 days more of a.b
{property: partitions, value: {values: [north, south]}}                       values of a VARCHAR column
"""

import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from open_data_contract_standard.model import SchemaObject

from mesh_defs.documents.complaints import Complaints
from mesh_defs.documents.reading import Field
from mesh_defs.errors import nearest
from mesh_defs.model.contract import Column
from mesh_defs.model.names import split_product
from mesh_defs.model.partition import Partitioning

_AT: Field = ("customProperties", "partitions")
_FIELDS = ("start", "end", "values", "lookback_days")
_EXAMPLE = 'write `{start: "2026-11-01"}` for days, or `{values: [north, south]}`'
_VALUES_MAX = 1_000
# `A..B` means a range, and Dagster takes no control characters.
_VALUE = re.compile(r"(?!.*\.\.)(?=.*\S)[^\x00-\x1f\x7f]{1,200}")
_FIRST_DAY = date(1900, 1, 1)
_LOOKBACK_DAYS_MAX = 366


def partitioning(
    schema: SchemaObject, columns: Sequence[Column], declared: Any, wrong: Complaints
) -> Partitioning | None:
    """Read the cut; None for a product that is published whole."""
    cut = [index for index, each in enumerate(schema.properties or []) if each.partitioned]
    if len(cut) > 1:
        wrong.add(("schema", 0, "properties", cut[1], "partitioned"), "a second one", "cut a product by one column")
    if not cut:
        if declared is not None:
            wrong.add(_AT, "no column is cut by", "add `partitioned: true` to the column that holds the partition")
        return None
    if not isinstance(declared, Mapping):
        wrong.add(_AT, "missing" if declared is None else f"found {declared!r}", _EXAMPLE)
        return None
    for name in declared:
        if name not in _FIELDS:
            wrong.add(_AT, f"unknown field '{name}'", nearest(str(name), _FIELDS))
    column, at = columns[cut[0]], ("schema", 0, "properties", cut[0])
    if not column.required:
        wrong.add((*at, "required"), "missing", "write `required: true`: a row without it belongs to no partition")
    if ("values" in declared) == ("start" in declared):
        wrong.add(_AT, "one of `start` and `values` is needed", _EXAMPLE)
        return None
    if "values" in declared:
        return _by_values(column, declared, at, wrong)
    return _by_days(column, declared, at, wrong)


def _by_values(column: Column, declared: Mapping[str, Any], at: Field, wrong: Complaints) -> Partitioning | None:
    if column.type != "VARCHAR":
        wrong.add((*at, "partitioned"), f"found {column.type}", "cut by the values of a string, or by days")
    for name in ("end", "lookback_days"):
        if name in declared:
            wrong.add(_AT, f"`{name}` has no meaning beside `values`", "leave it out")
    values = declared["values"]
    texts = isinstance(values, list) and all(isinstance(each, str) and _VALUE.fullmatch(each) for each in values)
    if not texts or not 0 < len(values) <= _VALUES_MAX or len(set(values)) < len(values):
        wrong.add(_AT, f"found {values!r}", f"list 1 to {_VALUES_MAX} different texts of one line, without `..`")
        return None
    return Partitioning(column=column.name, values=tuple(values))


def _by_days(column: Column, declared: Mapping[str, Any], at: Field, wrong: Complaints) -> Partitioning | None:
    if column.type != "DATE" and not column.type.startswith("TIMESTAMP"):
        wrong.add((*at, "partitioned"), f"found {column.type}", "cut by the days of a date or timestamp")
    days = {name: _day(declared[name]) for name in ("start", "end") if name in declared}
    for name, day in days.items():
        if day is None:
            wrong.add(_AT, f"`{name}`: found {declared[name]!r}", 'write a day such as "2026-11-01"')
    start, end = days["start"], days.get("end")
    if start is None:
        return None
    if start < _FIRST_DAY:
        wrong.add(_AT, f"`start`: found {start}", f"begin at {_FIRST_DAY} or later")
    if end is not None and end <= start:
        wrong.add(_AT, f"`end`: found {end}", f"write the day after the last, later than {start}")
    return Partitioning(column=column.name, start=start, end=end, lookback_days=_lookback(declared, wrong))


def _lookback(declared: Mapping[str, Any], wrong: Complaints) -> Mapping[str, int]:
    told = declared.get("lookback_days", {})
    fix = f"name inputs and days, 1 to {_LOOKBACK_DAYS_MAX}: `{{events.impressions: 6}}`"
    if not isinstance(told, Mapping):
        wrong.add(_AT, f"`lookback_days`: found {told!r}", fix)
        return {}
    for name, days in told.items():
        if not _is_product(name) or type(days) is not int or not 1 <= days <= _LOOKBACK_DAYS_MAX:
            wrong.add(_AT, f"`lookback_days`: found {name!r}: {days!r}", fix)
    return dict(told)


def _is_product(name: Any) -> bool:
    try:
        split_product(str(name))
    except ValueError:
        return False
    return True


def _day(value: Any) -> date | None:
    """YAML reads an unquoted day as a date already."""
    if type(value) is date:
        return value
    try:
        return date.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
