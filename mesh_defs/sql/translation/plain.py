"""Tells a plain query from every other statement that a client sends to a Trino, by the words that Trino's lexer reads first.

An EXPLAIN, and what else tells of a query instead of answering it, begins with its own word; so the words that begin a query are
a positive list. Blanks and comments are exactly those of Trino's grammar (SqlBase.g4): a comment that we thought longer than
Trino does would hide its first word.
"""

import re

_BETWEEN = re.compile(r"(?:[ \t\r\n]++|--[^\r\n]*+|(?>/\*.*?\*/))*+", re.DOTALL)
_FIRST = re.compile(r"[A-Za-z]+|\(")
_TEXT = re.compile(r"'([^']*+(?:''[^']*+)*+)'")
_BEGIN_A_QUERY = frozenset({"SELECT", "WITH", "TABLE", "VALUES", "("})


def is_plain(text: str) -> bool:
    """Whether this is a SELECT, WITH, TABLE, VALUES or what stands in brackets, itself or in an EXECUTE IMMEDIATE.

    A statement that is executed by its name is none: its text stands elsewhere.
    """
    word, rest = _first(text)
    if word != "EXECUTE":
        return word in _BEGIN_A_QUERY
    word, rest = _first(rest)
    quoted = _TEXT.match(rest, _past(rest))
    return word == "IMMEDIATE" and quoted is not None and _first(quoted[1].replace("''", "'"))[0] in _BEGIN_A_QUERY


def _first(text: str) -> tuple[str, str]:
    """The first word in capitals, or nothing, and what follows it."""
    found = _FIRST.match(text, _past(text))
    return (found[0].upper(), text[found.end() :]) if found else ("", "")


def _past(text: str) -> int:
    """Where blanks and comments end."""
    found = _BETWEEN.match(text)
    return found.end() if found else 0
