"""Where things stand in the asker's text, and how much of it a message may repeat."""

from sqlglot import exp
from sqlglot.tokenizer_core import Token

SNIPPET_CHARACTERS = 40


def place(node: exp.Expr) -> str:
    """Line and column of a node, as far as they are known: its own, else its first name's."""
    for inner in node.walk():
        if "line" in inner.meta:
            return _said(inner.meta["line"], inner.meta["col"], inner.meta["end"] - inner.meta["start"] + 1)
    return ""


def place_of_token(token: Token) -> str:
    """Line and column of a token."""
    return _said(token.line, token.col, token.end - token.start + 1)


def place_of_character(sql: str, offset: int) -> str:
    """Line and column of a character."""
    return _said(sql.count("\n", 0, offset) + 1, offset - sql.rfind("\n", 0, offset), 1)


def snippet(text: str) -> str:
    """Cut the asker's own words to what a message may repeat, and make characters visible that are not."""
    cut = text if len(text) <= SNIPPET_CHARACTERS else text[: SNIPPET_CHARACTERS - 1] + "…"
    return "".join(each if each.isprintable() else f"\\u{ord(each):04x}" for each in cut)


def _said(line: int, end: int, length: int) -> str:
    """`end` is the column of the last character, quotes included."""
    return f"line {line}, column {max(1, end - length + 1)}"
