"""A check's past as one line of text: how its measure went, and where it failed."""

from collections.abc import Sequence

LEVELS, NOTHING, FAILED = "▁▂▃▄▅▆▇█", "·", "✗"
Point = tuple[float | None, bool]


def sparkline(points: Sequence[Point | None]) -> str:
    """Return a character for each (measure, passed), oldest first: its level among the others; None is no evaluation."""
    levels = heights([point[0] if point else None for point in points])
    return "".join(_character(point, level) for point, level in zip(points, levels, strict=True))


def heights(values: Sequence[float | None]) -> list[float | None]:
    """Return each value's place between the least (0) and the greatest (1); all 0 where none differs."""
    known = [value for value in values if value is not None]
    low, high = min(known, default=0.0), max(known, default=0.0)
    # Halved first: the span of two floats may be no float.
    span = high / 2 - low / 2
    return [None if value is None else (value / 2 - low / 2) / span if span else 0.0 for value in values]


def _character(point: Point | None, level: float | None) -> str:
    if point is None:
        return NOTHING
    if not point[1]:
        return FAILED
    return NOTHING if level is None else LEVELS[round(level * (len(LEVELS) - 1))]
