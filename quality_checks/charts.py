"""A check's and a table's past as inline SVG: drawn without a script, told apart without colour, read out by a screen reader."""

from collections.abc import Sequence
from xml.etree.ElementTree import Element

from quality_checks.html import el
from quality_checks.sparkline import heights

_BAR, _GAP, _HEIGHT = 5, 2, 26
_MARGIN = 8


def bars(points: Sequence[tuple[float | None, bool | None, str]], *, label: str) -> Element:
    """Draw (measure, passed, what a pointer is told) from the oldest to the newest; passed None is no evaluation."""
    levels = heights([measure for measure, _, _ in points])
    drawn = [
        _bar(at, level, passed, told) for at, (level, (_, passed, told)) in enumerate(zip(levels, points, strict=True))
    ]
    width = max(1, len(points) * (_BAR + _GAP) - _GAP)
    size = {"width": str(width), "height": str(_HEIGHT), "viewBox": f"0 0 {width} {_HEIGHT}"}
    return el("svg", *drawn, class_="bars", role="img", aria_label=label, **size)


def line(
    points: Sequence[tuple[float | None, bool, str]],
    *,
    label: str,
    usual: float | None,
    width: int = 720,
    height: int = 110,
) -> Element:
    """Draw (value, published, what a pointer is told) from the oldest to the newest, over a line at what is usual.

    What was not published is a ring beside the line, which is drawn through what was.
    """
    places = heights([*(value for value, _, _ in points), usual])
    step = (width - 2 * _MARGIN) / max(1, len(points) - 1)
    at = [
        (_MARGIN + index * step, _y(place, height), published, told)
        for index, (place, (_, published, told)) in enumerate(zip(places, points, strict=False))
        if place is not None
    ]
    through = [f"{x:.1f} {y:.1f}" for x, y, published, _ in at if published]
    path = el("path", d=f"M{'L'.join(through)}", class_="line") if through else None
    median = None if places[-1] is None else _rule(_y(places[-1], height), width)
    dots = [_dot(x, y, told, "dot" if published else "refused") for x, y, published, told in at]
    box = {"viewBox": f"0 0 {width} {height}"}
    return el("svg", median, path, *dots, class_="chart", role="img", aria_label=label, **box)


def _dot(x: float, y: float, told: str, kind: str) -> Element:
    return el(
        "circle", el("title", told), cx=f"{x:.1f}", cy=f"{y:.1f}", r="4" if kind == "refused" else "2", class_=kind
    )


def _y(place: float, height: int) -> float:
    return height - 10 - place * (height - 20)


def _rule(y: float, width: int) -> Element:
    return el("line", x1="0", x2=str(width), y1=f"{y:.1f}", y2=f"{y:.1f}", class_="usual")


def _bar(at: int, level: float | None, passed: bool | None, told: str) -> Element:
    x = at * (_BAR + _GAP)
    if passed is None:
        return el("circle", el("title", told), cx=f"{x + _BAR / 2}", cy=f"{_HEIGHT - 2}", r="1", class_="none")
    if not passed:
        return _cross(x, told)
    height = 3 + (level or 0.0) * (_HEIGHT - 3)
    shape = {"x": str(x), "y": f"{_HEIGHT - height:.1f}", "width": str(_BAR), "height": f"{height:.1f}", "rx": "1"}
    return el("rect", el("title", told), class_="passed", **shape)


def _cross(x: int, told: str) -> Element:
    """A full bar with a cross above it: a failure is seen by its shape too."""
    right, top, low = x + _BAR, 1, 1 + _BAR
    shape = {"x": str(x), "y": str(low + 2), "width": str(_BAR), "height": str(_HEIGHT - low - 2), "rx": "1"}
    mark = el("path", d=f"M{x} {top}L{right} {low}M{right} {top}L{x} {low}", class_="cross")
    return el("g", el("title", told), mark, el("rect", **shape), class_="failed")
