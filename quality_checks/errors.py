"""The one error of this package, and the end of its messages. Imports nothing."""

import difflib
from collections.abc import Iterable

_NAMES_MAX = 12


class QualityError(Exception):
    """An expectation cannot be evaluated: says which, on which column, and what would do; never a row's value."""


class NotCompiledError(QualityError):
    """SQL cannot say the same as GX: GX itself is to decide."""


def nearest(name: str, known: Iterable[str]) -> str:
    """Return "did you mean 'x'?" for the closest known name, whatever its case, else the first known names."""
    names = sorted(known)
    close = difflib.get_close_matches(name.casefold(), [each.casefold() for each in names], n=1, cutoff=0.6)
    if close:
        return f"did you mean '{next(each for each in names if each.casefold() == close[0])}'?"
    return f"known: {', '.join(names[:_NAMES_MAX])}{', …' if len(names) > _NAMES_MAX else ''}"
