"""Two contracts of one product, compared: what changed, whether it breaks a consumer, and the version that demands.

Breaking is what can make a query fail, or make a promise that somebody relied on weaker. Where a product lies is no
promise: consumers name products, never places.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Literal, get_args

from mesh_defs.model.contract import Classification, Column, Contract
from quality_checks import Expectation

Level = Literal["major", "minor", "patch"]
_LEVELS: tuple[Level, ...] = ("patch", "minor", "major")
_RANKS = {name: rank for rank, name in enumerate(get_args(Classification))}


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One difference, in words, and the part of the version that it raises. Only `major` breaks consumers."""

    level: Level
    what: str

    @property
    def breaking(self) -> bool:
        """True when a consumer's query or trust can break."""
        return self.level == "major"


def compare(old: Contract, new: Contract) -> tuple[Change, ...]:
    """Return every change from `old` to `new`, breaking ones first."""
    changes = [*_columns(old, new), *_expectations(old, new), *_promises(old, new), *_texts(old, new)]
    return tuple(sorted(changes, key=lambda change: -_LEVELS.index(change.level)))


def demanded_version(old: str, changes: tuple[Change, ...]) -> str:
    """The lowest version that may carry these changes: `old` itself when there are none."""
    if not changes:
        return old
    major, minor, patch = _numbers(old)
    level = max((change.level for change in changes), key=_LEVELS.index)
    return {
        "major": f"{major + 1}.0.0",
        "minor": f"{major}.{minor + 1}.0",
        "patch": f"{major}.{minor}.{patch + 1}",
    }[level]


def is_enough(version: str, demanded: str) -> bool:
    """Tell whether `version` is at least the demanded one."""
    return _numbers(version) >= _numbers(demanded)


def _numbers(version: str) -> tuple[int, int, int]:
    major, minor, patch = version.split(".")
    return int(major), int(minor), int(patch)


def _columns(old: Contract, new: Contract) -> Iterator[Change]:
    before, after = ({column.name: column for column in contract.columns} for contract in (old, new))
    for name in before:
        if name not in after:
            yield Change(level="major", what=f"column {name} removed")
    for name in after:
        if name not in before:
            yield Change(level="minor", what=f"column {name} added")
    for name in before:
        if name in after:
            yield from _column(before[name], after[name])
    kept = [[name for name in each if name in before and name in after] for each in (before, after)]
    if kept[0] != kept[1]:
        yield Change(level="minor", what="columns stand in another order")


def _column(old: Column, new: Column) -> Iterator[Change]:
    name = old.name
    if old.type != new.type:
        yield Change(level="major", what=f"column {name}: type {old.type} became {new.type}")
    for word in ("required", "unique"):
        if getattr(old, word) != getattr(new, word):
            weaker = getattr(old, word)
            what = f"column {name} is {'no longer' if weaker else 'now'} {word}"
            yield Change(level="major" if weaker else "minor", what=what)
    if old.primary_key != new.primary_key:
        yield Change(level="major", what=f"column {name} {'left' if old.primary_key else 'joined'} the primary key")
    if old.identifies != new.identifies:
        what = f"column {name} identifies {new.identifies or 'nothing'}, before {old.identifies or 'nothing'}"
        yield Change(level="major" if old.identifies else "minor", what=what)
    if old.token != new.token:
        what = f"column {name} has {_token(new)}, before {_token(old)}"
        yield Change(level="major" if old.token else "minor", what=what)
    if old.classification != new.classification:
        stricter = _RANKS[new.classification] > _RANKS[old.classification]
        what = f"column {name}: classification {old.classification} became {new.classification}"
        yield Change(level="major" if stricter else "minor", what=what)
    words = (old.description, old.logical_type, old.sources, old.physical_name, old.samples)
    if words != (new.description, new.logical_type, new.sources, new.physical_name, new.samples):
        yield Change(level="patch", what=f"column {name}: described otherwise")


def _token(column: Column) -> str:
    return f"a token of {column.token}" if column.token else "no token"


def _expectations(old: Contract, new: Contract) -> Iterator[Change]:
    """Pairs the checks that judge the same columns: equal ones first, then those of one name, then in order."""
    after = list(new.expectations)
    unpaired = [each for each in old.expectations if not _take(after, each.__eq__)]
    for likeness in (_same_promise, _same_name, _same_subject):
        pairs = [(each, _take(after, partial(likeness, each))) for each in unpaired]
        for was, is_now in pairs:
            if is_now is not None:
                yield from _expectation(was, is_now)
        unpaired = [was for was, is_now in pairs if is_now is None]
    for was in unpaired:
        yield Change(level=_weight(was), what=f"check {was.name} removed")
    for is_now in after:
        yield Change(level="minor", what=f"check {is_now.name} added")


def _take(waiting: list[Expectation], fits: Callable[[Expectation], bool]) -> Expectation | None:
    """Remove and return the first that fits."""
    found = next((index for index, each in enumerate(waiting) if fits(each)), None)
    return None if found is None else waiting.pop(found)


def _same_subject(one: Expectation, other: Expectation) -> bool:
    return one.type == other.type and sorted(one.columns) == sorted(other.columns)


def _same_name(one: Expectation, other: Expectation) -> bool:
    return _same_subject(one, other) and one.meta.get("name") == other.meta.get("name")


def _same_promise(one: Expectation, other: Expectation) -> bool:
    return _same_subject(one, other) and (one.kwargs, one.severity) == (other.kwargs, other.severity)


def _expectation(was: Expectation, is_now: Expectation) -> Iterator[Change]:
    if was.severity != is_now.severity:
        level: Level = "major" if was.severity == "critical" else "minor"
        yield Change(level=level, what=f"check {was.name}: {was.severity} became {is_now.severity}")
    if was.kwargs != is_now.kwargs:
        looser = not _tightens(was.kwargs, is_now.kwargs)
        what = f"check {was.name} is {'looser or different' if looser else 'not looser'}"
        yield Change(level=_weight(was) if looser else "minor", what=what)
    if was.meta != is_now.meta:
        yield Change(level="patch", what=f"check {was.name}: named or described otherwise")


def _weight(expectation: Expectation) -> Level:
    return "major" if expectation.severity == "critical" else "minor"


_STRICTER: Mapping[str, Callable[[Any, Any], bool]] = {
    "min_value": lambda was, now: now is not None and (was is None or _ordered(now) >= _ordered(was)),
    "max_value": lambda was, now: now is not None and (was is None or _ordered(now) <= _ordered(was)),
    "strict_min": lambda was, now: bool(now) >= bool(was),
    "strict_max": lambda was, now: bool(now) >= bool(was),
    "value_set": lambda was, now: set(map(str, now or ())) <= set(map(str, was or ())),
    "column_list": lambda was, now: sorted(was) == sorted(now),
    "mostly": lambda was, now: (1 if now is None else now) >= (1 if was is None else was),
}


def _tightens(was: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """True when every differing argument is known to allow less than before."""
    differing = {key for key in was.keys() | now.keys() if was.get(key) != now.get(key)}
    try:
        return all(key in _STRICTER and _STRICTER[key](was.get(key), now.get(key)) for key in differing)
    except TypeError:
        return False


def _ordered(bound: Any) -> Any:
    """A bound as it compares: ISO text as the moment it names, since zones upset the order of the letters."""
    try:
        return datetime.fromisoformat(bound)
    except (TypeError, ValueError):
        return bound


def _promises(old: Contract, new: Contract) -> Iterator[Change]:
    if old.product != new.product:
        yield Change(level="major", what=f"product {old.product} became {new.product}")
    if old.granularity != new.granularity:
        yield Change(level="major", what=f"granularity {old.granularity} became {new.granularity}")
    if old.grain != new.grain:
        what = f"grain ({', '.join(old.grain)}) became ({', '.join(new.grain)})"
        yield Change(level="patch" if set(old.grain) == set(new.grain) else "major", what=what)
    if old.status != new.status:
        what = f"status {old.status} became {new.status}"
        yield Change(level="major" if new.status == "retired" else "minor", what=what)
    if old.quarantine_fraction_max != new.quarantine_fraction_max:
        what = f"rows left out {_share(old.quarantine_fraction_max)} became {_share(new.quarantine_fraction_max)}"
        yield Change(level="minor", what=what)
    was, now = old.service_level.freshness_hours_max, new.service_level.freshness_hours_max
    if was != now:
        staler = was is not None and (now is None or now > was)
        what = f"freshness {_hours(was)} became {_hours(now)}"
        yield Change(level="major" if staler else "minor", what=what)


def _texts(old: Contract, new: Contract) -> Iterator[Change]:
    for field in (
        "description",
        "owner",
        "purpose",
        "republishes",
        "asks",
        "tags",
        "servers",
        "id",
        "partitioning",
        "external",
    ):
        if getattr(old, field) != getattr(new, field):
            yield Change(level="patch", what=f"{field} changed")
    if old.service_level.schedule != new.service_level.schedule:
        yield Change(level="patch", what="schedule changed")
    if old.service_level.retention_seconds != new.service_level.retention_seconds:
        yield Change(level="patch", what="retention changed")


def _share(fraction: float | None) -> str:
    return "none" if fraction is None else f"up to {fraction:g}"


def _hours(hours: float | None) -> str:
    return "unpromised" if hours is None else f"{hours:g} h"
