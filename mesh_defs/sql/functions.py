"""The functions that a question may call, from the reviewed list beside this module (`functions.toml`)."""

import tomllib
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

_GROUPS: dict[str, list[dict[str, Any]]] = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))


def refusal(name: str) -> str | None:
    """Say why a function is refused, as the end of "… is refused: "; None when nobody has judged it."""
    return next((why for pattern, why in _entries("refused") if fnmatchcase(name, pattern)), None)


def _entries(kind: str) -> Iterator[tuple[str, str]]:
    for group in _GROUPS[kind]:
        for name in group["names"].split():
            yield name, group["why"]


def _names(kind: str) -> frozenset[str]:
    return frozenset(name for name, _ in _entries(kind))


# In lower case, without a schema. SYNTAX holds what only the engine's parser makes of operators and count(*).
REVIEWED = _names("reviewed")
TABLE = _names("table")
SYNTAX = _names("syntax")
# Of the reviewed ones those that cost about as much for every value, and make none that is longer than what they are given.
BOUNDED = _names("bounded")
