"""How large and how deep a text may be: a parser is recursive, and sqlglot's is compiled and tries things twice.

Without these limits 9,000 nested joins end the process (compiled code overflows the stack instead of raising
RecursionError); 20 nested `date(`, 20 joins without ON or 20 `- if` take minutes (each is tried in two ways, and so is
all that follows: the work doubles per level); and a thousand `[1][1][1]` take seconds.
"""

from collections.abc import Sequence
from typing import Any

from sqlglot.dialects.duckdb import DuckDB
from sqlglot.tokenizer_core import Token, TokenType

from mesh_defs.errors import QueryRejectedError
from mesh_defs.sql.place import place_of_token

CHARACTERS_MAX = 100_000
# Brackets of any kind, one inside the other.
DEPTH_MAX = 64
# Names, subscripts and calls on one value: a.b[1][2].f().g(). Each costs as much as all before it.
LINKS_MAX = 32
LINKS_WORK_MAX = 50_000
# Steps of the parser per token, all its attempts together; ordinary SQL needs less than one (see `Fuel`).
STEPS_PER_TOKEN_MAX = 8
STEPS_FREE = 2_000

_OPENING = frozenset({TokenType.L_PAREN, TokenType.L_BRACKET, TokenType.L_BRACE})
_CLOSING = frozenset({TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.R_BRACE})
_WITHIN_A_CHAIN = _OPENING | _CLOSING | {TokenType.VAR, TokenType.IDENTIFIER}


class OutOfFuel(Exception):
    """The parser took more steps than its text is worth. Unlike a ParseError, no attempt of the parser swallows it."""


class Fuel(DuckDB):
    """The dialect for one parse: it counts how often the parser consults it, and stops it when that is too often.

    A step is a consultation here, or a node built (`max_nodes` of sqlglot's parser). Both are needed: attempts at joins
    consult nothing, and attempts at LIMIT swallow the error of `max_nodes`.
    """

    def __init__(self, steps: int) -> None:
        super().__init__(version="1.5.5")
        self.steps_left = steps

    def __getattribute__(self, name: str) -> Any:
        own = object.__getattribute__(self, "__dict__")
        if "steps_left" in own:
            own["steps_left"] -= 1
            if own["steps_left"] < 0:
                raise OutOfFuel
        return object.__getattribute__(self, name)


def steps_max(tokens: Sequence[Token]) -> int:
    """How many steps the parser may take over these tokens before it gives up."""
    return STEPS_FREE + STEPS_PER_TOKEN_MAX * len(tokens)


def refuse_long(sql: str) -> None:
    """Refuse a text that is too long to be a question."""
    if len(sql) > CHARACTERS_MAX:
        what = f"the SQL has {len(sql):,} characters; the limit is {CHARACTERS_MAX:,}"
        raise QueryRejectedError(what, fix="ask in smaller steps, or publish a product for the intermediate result")


def refuse_deep(tokens: Sequence[Token]) -> None:
    """Refuse what would take a recursive parser too deep. One pass, no recursion."""
    links = [0]  # per open bracket
    work = 0
    for token in tokens:
        kind = token.token_type
        if kind in _OPENING or kind is TokenType.DOT:
            links[-1] += 1
            work += links[-1]
        elif kind not in _WITHIN_A_CHAIN:
            links[-1] = 0
        if kind in _OPENING:
            links.append(0)
        elif kind in _CLOSING and len(links) > 1:
            links.pop()
        if len(links) > DEPTH_MAX or links[-1] > LINKS_MAX or work > LINKS_WORK_MAX:
            raise too_deep(place_of_token(token))


def too_deep(where: str = "") -> QueryRejectedError:
    """Say that a text nests or chains more than this module allows."""
    what = f"the SQL nests or chains too deeply (limits: {DEPTH_MAX} brackets, {LINKS_MAX} links as in a.b[1].f())"
    return QueryRejectedError(what, where=where, fix="name the inner steps: WITH")
