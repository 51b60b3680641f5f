"""Lists and structs: what DuckDB's name of such a type says, taken apart. They are carried and looked into, never compared."""

import re
from functools import cache

_SPAN = re.compile(r"\"(?:[^\"]|\"\")*\"|[(),]|[^\"(),]+")
_NAMED = re.compile(r"\s*(\"(?:[^\"]|\"\")*\"|\S+)\s+(.*)", re.DOTALL)


def element(type_: str) -> str | None:
    """The type of a list's elements; None for what is no list (an ARRAY of a fixed size is none either)."""
    return type_.removesuffix("[]") if type_.endswith("[]") else None


@cache
def fields(type_: str) -> tuple[tuple[str, str], ...] | None:
    """Name and type of a struct's fields, in order; None for what is no struct."""
    if not type_.startswith("STRUCT(") or not type_.endswith(")"):
        return None
    parts, depth = [""], 0
    for span in _SPAN.findall(type_[len("STRUCT(") : -1]):
        depth += (span == "(") - (span == ")")
        if span == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += span
    found = [_NAMED.fullmatch(part) for part in parts]
    if not all(found):
        return None
    return tuple((_unquoted(each[1]), each[2].strip()) for each in found if each)


def is_nested(type_: str) -> bool:
    """Whether a value of the type holds others."""
    return element(type_) is not None or fields(type_) is not None


def _unquoted(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name
