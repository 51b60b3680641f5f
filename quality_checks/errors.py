"""The one error of this package, and the end of its messages. Imports nothing."""

import difflib
from collections.abc import Iterable


class QualityError(Exception):
    """An expectation cannot be evaluated: says which, on which column, and what would do; never a row's value."""


def nearest(name: str, known: Iterable[str]) -> str:
    """Return "did you mean 'x'?" for the closest known name, else the known names."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    return f"did you mean '{close[0]}'?" if close else f"known: {', '.join(names) or 'none'}"
