"""Regular expressions that RE2 (DuckDB's) and Joni (Trino's) match alike: a small language, written anew for Trino.

Both take the leftmost match, and of alternatives the first. What they mean apart is said plainly: `\\d` and `\\w` are
ASCII, `.` stops at a line's end, `^` and `$` are the text's. Look-around, back-references, `\\b`, flags, named groups and a
repeated group that may be empty are refused. Absent: the functions (`sql.translation.texts`).
"""

import re
from dataclasses import dataclass

from sqlglot import exp

from mesh_defs.sql.translation.values import refused

_TOKEN = re.compile(
    r"(?P<set>\[\^?\]?(?:\\.|[^\]\\\[])*\])|(?P<repeat>(?:[*+?]|\{\d{1,3}(?:,\d{0,3})?\})\??)|(?P<escape>\\.)|(?P<open>\((?:\?:)?)"
    r"|(?P<close>\))|(?P<bar>\|)|(?P<edge>[\^$])|(?P<dot>\.)|(?P<plain>[^\\\[\](){}*+?|^$.])",
    re.DOTALL,
)
_CLASSES = {"d": "0-9", "w": "0-9A-Za-z_", "s": r"\t\n\f\r "}
_ESCAPED = {"t": r"\t", "n": r"\n", "r": r"\r", "f": r"\f"}
_PUNCTUATION = frozenset(".[]{}()*+?^$|\\/-_ ,:;@#%&=!<>~'\"`")
_SPECIAL = frozenset(".[]{}()*+?^$|\\&-")
_ITEM = re.compile(r"(\\.|[^\\])(?:-(\\.|[^\\]))?", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """A pattern in Trino's words; how many groups it has, and whether it can match nothing at all."""

    text: str
    groups: int
    empty: bool


def pattern(text: str, node: exp.Expr) -> Pattern:
    """Return the pattern as Joni is told it. QueryRejectedError for what is not certainly matched alike."""
    written, groups, at = list[str](), 0, 0
    opened = [_Group()]
    last: _Group | None = None  # what a repeat would follow: a character, or a group that was closed
    for found in _TOKEN.finditer(text):
        if found.start() != at:
            break
        at, kind, token = found.end(), found.lastgroup or "", found[0]
        if kind == "repeat":
            opened[-1].repeated(_checked(token, last, node))
            written.append(token)
            last = None
            continue
        opened[-1].passed(last)
        last = None
        if kind == "open":
            groups += token == "("
            opened.append(_Group())
        elif kind == "close":
            if len(opened) == 1:
                raise _untried(node)
            last = opened.pop()
        elif kind == "bar":
            opened[-1].branch()
        elif kind != "edge":
            last = _Group(empty=False)
        written.append(_one(kind, token, node))
    if at != len(text) or len(opened) != 1:
        raise _untried(node)
    opened[0].passed(last)
    return Pattern(text="".join(written), groups=groups, empty=opened[0].may_be_empty)


@dataclass(slots=True)
class _Group:
    """What was read of a group so far: whether its branch can still match nothing, whether another could; any repeat."""

    empty: bool = True
    other: bool = False
    repeats: bool = False

    @property
    def may_be_empty(self) -> bool:
        return self.empty or self.other

    def passed(self, item: "_Group | None") -> None:
        if item is not None:
            self.empty, self.repeats = self.empty and item.may_be_empty, self.repeats or item.repeats

    def repeated(self, item: "_Group") -> None:
        self.passed(item)
        self.repeats = True

    def branch(self) -> None:
        self.empty, self.other = True, self.may_be_empty


def _checked(repeat: str, item: _Group | None, node: exp.Expr) -> _Group:
    """What a repeat makes of an item. Of one that may be empty it is refused, and within another it takes Joni for ever."""
    bounds = re.match(r"\{(\d+)(?:(,)(\d*))?\}", repeat)
    least = int(bounds[1]) if bounds else int(repeat[0] == "+")
    most = int(bounds[3] or bounds[1]) if bounds else 1
    if item is None or item.may_be_empty or max(least, most) > 100 or (bounds and bounds[3] and most < least):
        raise _untried(node)
    if item.repeats and repeat[0] != "?":
        raise _untried(node)
    return _Group(empty=least == 0)


def _one(kind: str, token: str, node: exp.Expr) -> str:
    if kind == "dot":
        return r"[^\n]"
    if kind == "edge":
        return r"\A" if token == "^" else r"\z"
    if kind in ("plain", "open", "close", "bar"):
        return token
    if kind == "escape":
        return _escape(token[1], node)
    negated = token[1] == "^"
    body = token[2 if negated else 1 : -1]
    if not body or "[" in body:
        raise _untried(node)
    return f"[{'^' if negated else ''}{''.join(_ranges(body, node))}]"


def _escape(letter: str, node: exp.Expr) -> str:
    if letter in _CLASSES:
        return f"[{_CLASSES[letter]}]"
    if letter.lower() in _CLASSES:
        return f"[^{_CLASSES[letter.lower()]}]"
    if letter in _ESCAPED:
        return _ESCAPED[letter]
    if letter not in _PUNCTUATION:
        raise _untried(node)
    return f"\\{letter}" if letter in _SPECIAL else letter


def _ranges(body: str, node: exp.Expr) -> list[str]:
    """The items of a set; a `-` that stands first or last is itself."""
    items = []
    for one, other in _ITEM.findall(body):
        low = _member(one, node)
        if not other:
            items.append(low)
            continue
        high = _member(other, node)
        if not (
            len(one) == len(other) == 1 and one.isascii() and other.isascii() and one.isalnum() and other.isalnum()
        ):
            raise _untried(node)
        if one > other:
            raise _untried(node)
        items.append(f"{low}-{high}")
    return items


def _member(item: str, node: exp.Expr) -> str:
    if len(item) == 1:
        return f"\\{item}" if item in _SPECIAL else item
    letter = item[1]
    if letter in _CLASSES:
        return _CLASSES[letter]
    if letter in _ESCAPED:
        return _ESCAPED[letter]
    if letter not in _PUNCTUATION:
        raise _untried(node)
    return f"\\{letter}" if letter in _SPECIAL else letter


def _untried(node: exp.Expr) -> Exception:
    what = "this regular expression is not certainly matched alike"
    return refused(node, what, "use letters, sets, ( | ) and * + ? alone, or LIKE, or ask with --engine duckdb")
