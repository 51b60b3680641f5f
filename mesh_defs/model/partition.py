"""How a product is cut into partitions, and what one of them holds. Pure; the clock is an argument."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from mesh_defs.errors import NotFoundError, nearest

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Partitioning:
    """Cut by the days (UTC) of a column, from `start` to before `end` (None: for ever), or by a column's values.

    `lookback_days` says, for inputs that are cut by days too, how many days before its own a partition reads of them.
    """

    column: str
    start: date | None = None
    end: date | None = None
    values: tuple[str, ...] = ()
    lookback_days: Mapping[str, int] = field(default_factory=dict)

    @property
    def is_daily(self) -> bool:
        """True when the partitions are days, named YYYY-MM-DD."""
        return self.start is not None

    @property
    def first(self) -> "Partition":
        """The first partition, which stands for all of them before any is made."""
        return self.partition(self.start.isoformat() if self.start else self.values[0])

    def keys(self, now: datetime) -> tuple[str, ...]:
        """Names of all partitions that can be made by now: a day when it is over, a value at once."""
        if self.start is None:
            return self.values
        today = now.astimezone(UTC).date()
        days = (min(self.end, today) if self.end else today) - self.start
        return tuple((self.start + n * _DAY).isoformat() for n in range(days.days))

    def partition(self, key: str) -> "Partition":
        """Return the partition of that name. Raises NotFoundError for one that the contract does not know."""
        if self.start is None:
            if key not in self.values:
                raise NotFoundError(f"no partition '{key}'", fix=nearest(key, self.values))
            return Partition(key=key, column=self.column)
        day = _day(key)
        if day is None or day < self.start or (self.end and day >= self.end):
            until = f" to {self.end - _DAY}" if self.end else ""
            raise NotFoundError(f"no partition '{key}'", fix=f"name a day from {self.start}{until}, as YYYY-MM-DD")
        return Partition(key=key, column=self.column, start=day, end=day + _DAY)

    def between(self, first: str, last: str, now: datetime) -> tuple[str, ...]:
        """Names of the partitions from `first` to `last`, both included. Raises NotFoundError for an unknown one."""
        known = self.keys(now)
        for key in (first, last):
            if key not in known:
                self.partition(key)
                raise NotFoundError(f"partition '{key}' is not over yet", fix=f"the newest is {known[-1:] or 'none'}")
        if known.index(first) > known.index(last):
            raise NotFoundError(f"'{first}' comes after '{last}'", fix=f"write {last}..{first}")
        return known[known.index(first) : known.index(last) + 1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """One partition: the rows whose `column` lies in [start, end) when it is a day, or else equals the key."""

    key: str
    column: str
    start: date | None = None
    end: date | None = None

    @property
    def parameters(self) -> Mapping[str, str | date]:
        """What `$name` in a product's SELECT stands for."""
        if self.start is None or self.end is None:
            return {"partition": self.key}
        return {"partition": self.key, "window_start": self.start, "window_end": self.end}


PARAMETERS = ("partition", "window_start", "window_end")


def _day(text: str) -> date | None:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if day.isoformat() == text else None
