"""The questions beside SELECT: DESCRIBE and EXPLAIN are answered by the platform, on the SELECT that they hold.

SUMMARIZE needs nothing of its own: it is read as SELECT * FROM (SUMMARIZE …), so that the engine summarises governed rows.
"""

import re
from dataclasses import dataclass
from typing import Literal

from sqlglot.tokenizer_core import Token, TokenType

from mesh_defs.errors import QueryRejectedError
from mesh_defs.sql.limits import refuse_long
from mesh_defs.sql.parse import SelectStatement, parse_select
from mesh_defs.sql.place import place_of_token
from mesh_defs.sql.tokens import scan

Kind = Literal["select", "describe", "explain"]
_KINDS: dict[str, Kind] = {"DESCRIBE": "describe", "DESC": "describe", "SHOW": "describe", "EXPLAIN": "explain"}
_PERHAPS = re.compile(rf"\b(?:{'|'.join(_KINDS)})\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What is asked of a SELECT: its rows, the names and types of its columns, or how it would be answered."""

    kind: Kind
    select: SelectStatement


def parse_statement(sql: str) -> Statement:
    """Parse a SELECT, a SUMMARIZE, or one of these with DESCRIBE (DESC) or EXPLAIN before it; DESCRIBE and SHOW also
    take a product's name. Raises QueryRejectedError as `parse_select` does; places count in the text as it was sent.
    """
    refuse_long(sql)
    first = scan(sql)[0] if _PERHAPS.search(sql) else None
    word = first.text.upper() if first and first.token_type is not TokenType.IDENTIFIER else ""
    if first is None or word not in _KINDS:
        return Statement(kind="select", select=parse_select(sql))
    return Statement(kind=_KINDS[word], select=parse_select(_inner(sql, first, word)))


def _inner(sql: str, first: Token, word: str) -> str:
    """The text with blanks, or a FROM, in the place of its first word: all else stands where it stood."""
    before, after = sql[: first.start], sql[first.end + 1 :]
    tokens = scan(before + " " * len(word) + after)
    names_only = len(tokens) % 2 == 1 and all(token.token_type is TokenType.DOT for token in tokens[1::2])
    if word == "SHOW" and (len(tokens) < 3 or not names_only):
        fix = "write SHOW domain.product for one product; `mesh products` lists them"
        raise QueryRejectedError("SHOW does not name a product", where=place_of_token(first), fix=fix)
    if word == "EXPLAIN":
        _refuse_options(tokens)
    return before + ("FROM" if names_only and word != "EXPLAIN" else "").ljust(len(word)) + after


def _refuse_options(tokens: list[Token]) -> None:
    option = tokens[1] if tokens[0].token_type is TokenType.L_PAREN and len(tokens) > 1 else tokens[0]
    if option.text.upper() in ("ANALYZE", "ANALYSE", "FORMAT"):
        what = f"EXPLAIN takes no {option.text.upper()}: it tells how a SELECT is governed, and runs nothing"
        raise QueryRejectedError(what, where=place_of_token(option), fix="write EXPLAIN SELECT …")
