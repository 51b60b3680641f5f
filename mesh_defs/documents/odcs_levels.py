"""slaProperties: how fresh a product is kept, when it is refreshed, how long replaced versions stay.

Other levels of ODCS are words to readers.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from open_data_contract_standard.model import ServiceLevelAgreementProperty

from mesh_defs.documents.complaints import Complaints
from mesh_defs.documents.reading import Field
from mesh_defs.errors import nearest
from mesh_defs.model.contract import ServiceLevel

_FRESHNESS = ("freshness", "latency")
# https://bitol-io.github.io/open-data-contract-standard/latest/service-level-agreement/
_TOLD = (
    "availability",
    "endOfLife",
    "endOfSupport",
    "errorRate",
    "frequency",
    "generalAvailability",
    "throughput",
    "timeOfAvailability",
    "timeToDetect",
    "timeToNotify",
    "timeToRepair",
)
_HOURS = {"h": 1.0, "hr": 1.0, "hour": 1.0, "hours": 1.0, "d": 24.0, "day": 24.0, "days": 24.0}
_HOURS |= dict.fromkeys(("m", "min", "minute", "minutes"), 1 / 60)
# Freshness is watched by the minute, and a warning comes before the failure.
_HOURS_MIN, _HOURS_MAX = 5 / 60, 10 * 366 * 24.0
_NUMBER_MAX = 10**9
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
# cron's fields in their order: least and greatest number, names of numbers
_CRON: tuple[tuple[int, int, Mapping[str, int]], ...] = (
    (0, 59, {}),
    (0, 23, {}),
    (1, 31, {}),
    (1, 12, dict(zip(_MONTHS, range(1, 13), strict=True))),
    (0, 7, dict(zip(_DAYS, range(7), strict=True))),
)


def service_level(
    declared: Sequence[ServiceLevelAgreementProperty], wrong: Complaints, *, seconds_min: float
) -> ServiceLevel:
    """Read the levels; a second one of a kind is refused, as is a level that ODCS does not know.

    `seconds_min` is what a retention must exceed: the longest query may be reading the version.
    """
    freshness: list[float | None] = []
    retention: list[float | None] = []
    schedules: list[str] = []
    for index, promise in enumerate(declared):
        at: Field = ("slaProperties", index)
        if promise.property in _FRESHNESS:
            freshness.append(_hours(promise.value, promise.unit, at, wrong))
        elif promise.property == "retention":
            retention.append(_hours(promise.value, promise.unit, at, wrong))
            if retention[-1] and retention[-1] * 3600 <= seconds_min:
                fix = f"keep old versions longer than the longest query ({seconds_min:g} s)"
                wrong.add((*at, "value"), f"found {promise.value:g} {promise.unit}", fix)
        elif promise.property not in _TOLD:
            found = f"found {promise.property!r}" if promise.property else "missing"
            wrong.add((*at, "property"), found, nearest(promise.property or "", (*_FRESHNESS, "retention", *_TOLD)))
        if promise.schedule is not None:
            schedules.append(promise.schedule)
            if promise.scheduler != "cron" or not _is_cron(promise.schedule):
                fix = 'write five fields of cron: `scheduler: cron, schedule: "0 5 * * *"`'
                wrong.add((*at, "schedule"), f"found {promise.schedule!r}", fix)
        if max(len(freshness), len(schedules), len(retention)) > 1:
            wrong.add(at, "a second freshness, schedule or retention", "keep one of each")
    return ServiceLevel(
        freshness_hours_max=freshness[0] if freshness else None,
        schedule=schedules[0] if schedules else None,
        retention_seconds=retention[0] * 3600 if retention and retention[0] else None,
    )


def _hours(value: Any, unit: str | None, at: Field, wrong: Complaints) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < _NUMBER_MAX:
        found = f"found {value!r}" if value is not None else "missing"
        wrong.add((*at, "value"), found, "write a positive number, such as 24")
        return None
    if unit not in _HOURS:
        wrong.add((*at, "unit"), f"found {unit!r}" if unit else "missing", "write h, d or m (minutes)")
        return None
    if not _HOURS_MIN <= value * _HOURS[unit] <= _HOURS_MAX:
        wrong.add((*at, "value"), f"found {value:g} {unit}", "write at least 5 minutes and at most 10 years")
        return None
    return value * _HOURS[unit]


def _is_cron(text: str) -> bool:
    fields = text.split()
    return len(fields) == len(_CRON) and all(
        _is_cron_item(item, *allowed) for field, allowed in zip(fields, _CRON, strict=True) for item in field.split(",")
    )


def _is_cron_item(item: str, least: int, greatest: int, names: Mapping[str, int]) -> bool:
    """A number, a range, or all of them (*), with or without a step."""
    parts = re.fullmatch(r"(?:\*|(\w+)(?:-(\w+))?)(?:/([1-9]\d{0,2}))?", item.lower(), re.ASCII)
    if not parts:
        return False
    first, last = (names.get(end, int(end) if end.isdigit() else -1) if end else None for end in parts.groups()[:2])
    begin = least if first is None else first
    return least <= begin <= (begin if last is None else last) <= greatest
