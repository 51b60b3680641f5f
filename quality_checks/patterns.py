"""Regular expressions that mean the same to Python's re (GX's reference) and to RE2 (DuckDB's engine).

The pattern is read by Python's own parser and written anew for RE2, node by node, so that no difference in notation
(`{,3}`, `[[:alpha:]]`, `$`) can slip through; a construct that is not listed here is refused.
Syntax: https://docs.python.org/3/library/re.html and https://github.com/google/re2/wiki/Syntax.
"""

import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib import import_module
from typing import Any

from quality_checks.errors import NotCompiledError, QualityError

# Private, but unchanged from 3.11 to 3.13; the tests run every construct through it.
_parser: Any = import_module("re._parser")
_constants: Any = import_module("re._constants")

_REPEATS_MAX = 1000  # RE2's limit, for nested repeats multiplied
_NO_FLAGS = int(re.UNICODE)

# \d, \w and \s are ASCII to RE2; to Python each is what one of str's own methods says.
_CATEGORIES: dict[str, Callable[[str], bool]] = {
    "CATEGORY_DIGIT": str.isdecimal,
    "CATEGORY_WORD": lambda char: char.isalnum() or char == "_",
    "CATEGORY_SPACE": str.isspace,
}
# Of one class, as written and times its repeats. More makes RE2 fifty times slower ([\w.-]{1,64}: 5 s for 1M rows).
_RE2_CHARACTERS_MAX = 100_000
_SURROGATES = range(0xD800, 0xE000)

_REFUSED = {
    "AT_BOUNDARY": r"\b differs between Python and RE2 beyond ASCII — name the characters around it",
    "AT_NON_BOUNDARY": r"\B differs between Python and RE2 beyond ASCII — name the characters around it",
    "ASSERT": "RE2 has no lookahead or lookbehind — use a second expectation",
    "ASSERT_NOT": "RE2 has no lookahead or lookbehind — use a second expectation",
    "GROUPREF": "RE2 has no references to groups — spell the alternatives out",
    "GROUPREF_EXISTS": "RE2 has no conditional groups — spell the alternatives out",
    "POSSESSIVE_REPEAT": "RE2 has no possessive repeats — drop the second +",
    "ATOMIC_GROUP": "RE2 has no atomic groups — use (?:…)",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """A pattern for RE2, to be searched for; `anchored` when it can only match a whole value."""

    re2: str
    anchored: bool


def pattern_for_re2(regex: str) -> Pattern:
    """Translate a Python regex; raises QualityError, with the reason, for what the two engines do not share."""
    try:
        tree = _parser.parse(regex)
    except (re.error, OverflowError, RecursionError) as error:
        raise QualityError(f"'regex' {regex!r} is not one: {error} — mend the pattern") from None
    if tree.state.flags != _NO_FLAGS:
        raise NotCompiledError(
            f"'regex' {regex!r} sets flags, which differ beyond ASCII — spell out what they stand for"
        )
    nodes = list(tree)
    anchored = bool(nodes) and _is_at(nodes[0], "AT_BEGINNING") and _is_at(nodes[-1], "AT_END")
    try:
        return Pattern(re2=_sequence(nodes, _Place()), anchored=anchored)
    except _NotSharedError as error:
        raise NotCompiledError(f"'regex' {regex!r} is not the same to Python and RE2: {error}") from None


class _NotSharedError(Exception):
    """Why one construct was refused."""


def _is_at(node: tuple[Any, Any], place: str) -> bool:
    code, argument = node
    return code.name == "AT" and argument.name in (place, f"{place}_STRING")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where nodes stand: whether nothing of the pattern precedes or follows them, and the repeats around multiplied."""

    first: bool = True
    last: bool = True
    repeats: int = 1


def _sequence(nodes: Sequence[tuple[Any, Any]], place: _Place) -> str:
    end = len(nodes) - 1
    return "".join(
        _node(node, replace(place, first=place.first and at == 0, last=place.last and at == end))
        for at, node in enumerate(nodes)
    )


def _node(node: tuple[Any, Any], place: _Place) -> str:
    code, argument = node
    match code.name:
        case "LITERAL":
            return _character(argument)
        case "NOT_LITERAL":
            return f"[^{_character(argument)}]"
        case "ANY":
            return r"[^\n]"
        case "IN":
            members = "".join(map(_member, argument))
            if len(members) * place.repeats > _RE2_CHARACTERS_MAX:
                raise _NotSharedError(
                    "so many characters, so often, are slow in RE2 — write [0-9] or [A-Za-z] where it will do"
                )
            return f"[{members}]"
        case "AT":
            return _anchor(argument.name, place)
        case "BRANCH":
            return f"(?:{'|'.join(_sequence(branch, place) for branch in argument[1])})"
        case "SUBPATTERN" if not (argument[1] or argument[2]):  # no flags of its own
            return f"(?:{_sequence(argument[3], place)})"
        case "MAX_REPEAT" | "MIN_REPEAT":
            return _repeat(argument, place)
    raise _NotSharedError(_REFUSED.get(code.name, f"{code.name} has no counterpart — write it otherwise"))


def _repeat(argument: tuple[int, Any, Sequence[tuple[Any, Any]]], place: _Place) -> str:
    low, high, nodes = argument
    unlimited = high is _constants.MAXREPEAT
    repeats = place.repeats * max(low if unlimited else high, 1)
    if repeats > _REPEATS_MAX:
        raise _NotSharedError(f"RE2 repeats at most {_REPEATS_MAX} times, nested repeats multiplied — use fewer")
    once = high == 1
    inner = _sequence(nodes, _Place(first=place.first and once, last=place.last and once, repeats=repeats))
    return f"(?:{inner}){{{low},{'' if unlimited else high}}}"


def _member(node: tuple[Any, Any]) -> str:
    code, argument = node
    match code.name:
        case "NEGATE":
            return "^"
        case "LITERAL":
            return _character(argument)
        case "RANGE":
            return f"{_character(argument[0])}-{_character(argument[1])}"
        case "CATEGORY":
            return _category(argument.name)
    raise _NotSharedError(f"{code.name} has no counterpart — list the characters")


@cache
def _category(name: str) -> str:
    """Return the ranges of a category's characters, for a class: this Python's own, whichever Unicode RE2 knows."""
    holds, wanted = _CATEGORIES[name.replace("_NOT_", "_")], "_NOT_" not in name
    chosen = (code for code in range(sys.maxunicode + 1) if code not in _SURROGATES and holds(chr(code)) == wanted)
    ranges: list[tuple[int, int]] = []
    for code in chosen:
        if ranges and ranges[-1][1] == code - 1:
            ranges[-1] = (ranges[-1][0], code)
        else:
            ranges.append((code, code))
    return "".join(_character(low) if low == high else f"{_character(low)}-{_character(high)}" for low, high in ranges)


def _anchor(name: str, place: _Place) -> str:
    # At the edges only: DuckDB 1.5.5 finds `a^` in "a", and does not find `^^` in it.
    if name in ("AT_BEGINNING", "AT_BEGINNING_STRING") and place.first:
        return r"\A"
    if name == "AT_END_STRING" and place.last:
        return r"\z"
    if name == "AT_END" and place.last:
        return r"(?:\n?\z)"  # Python's $ also matches before a final newline, RE2's does not
    raise _NotSharedError(_REFUSED.get(name, "an anchor inside differs — put ^ first and $ last"))


def _character(code_point: int) -> str:
    if 0xD800 <= code_point <= 0xDFFF:
        raise _NotSharedError("a lone surrogate is no character in UTF-8 — leave it out")
    char = chr(code_point)
    return char if char.isascii() and char.isalnum() else f"\\x{{{code_point:x}}}"
