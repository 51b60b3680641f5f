"""What a drill is, and how it ends: survived, or lost with what it takes to repeat it. Breaks nothing itself."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from random import Random

from drills.ground import Ground

HANGS_AFTER_SECONDS = 180.0


class LostError(Exception):
    """The mesh did not keep a promise; says which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What a drill works with: places and servers, a source of chance, and how often it strikes."""

    ground: Ground
    chance: Random
    rounds: int
    minutes: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Drill:
    """One way to break one part. `run` raises when something was lost; what it returns is told with the result."""

    name: str
    part: str
    told: str
    run: Callable[[Task], str]

    def is_one_of(self, wanted: Sequence[str]) -> bool:
        """Tell whether it was asked for, by its name or part, with * for any."""
        known = (self.name, self.part, f"{self.name}/{self.part}")
        return not wanted or any(fnmatch(each, pattern) for each in known for pattern in wanted)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a drill ended. `lost` says what was; none when it was survived."""

    drill: Drill
    note: str = ""
    lost: str | None = None
    seconds: float

    def line(self, seed: int) -> str:
        """The one line that a person reads."""
        head = f"{self.drill.part:<9} {self.drill.told}"
        if self.lost is None:
            return f"survived  {head:<88} ({self.note})"
        again = f"python -m drills --seed {seed} --only {self.drill.name}/{self.drill.part}"
        return f"LOST      {head}: {self.lost} — repeat it: {again}"


def practise(drill: Drill, ground: Ground, *, seed: int, rounds: int, minutes: float) -> Outcome:
    """Run one drill; whatever it raises is a loss. The same seed strikes at the same points."""
    chance = Random(f"{seed} {drill.name} {drill.part}")
    began = time.monotonic()
    try:
        note = drill.run(Task(ground=ground, chance=chance, rounds=rounds, minutes=minutes))
    except Exception as error:  # noqa: BLE001  a drill ends in whatever way the broken thing ends
        told = str(error) if isinstance(error, LostError) else f"{type(error).__name__}: {error}"
        return Outcome(drill=drill, lost=told, seconds=time.monotonic() - began)
    return Outcome(drill=drill, note=note, seconds=time.monotonic() - began)


def require(kept: object, promise: str) -> None:
    """Raise LostError, with the promise that was not kept."""
    if not kept:
        raise LostError(promise)


def until(true: Callable[[], object], waiting_for: str, *, seconds_max: float = HANGS_AFTER_SECONDS) -> None:
    """Wait for something; LostError when it never comes."""
    deadline = time.monotonic() + seconds_max
    while not true():
        require(time.monotonic() < deadline, f"waited in vain for {waiting_for}")
        time.sleep(0.02)


def times(count: int) -> str:
    """How often, in words."""
    return f"{count} round{'s' if count != 1 else ''}"
