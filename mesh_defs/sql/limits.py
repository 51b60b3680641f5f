"""How large and how deep a text may be before anyone parses it: a parser is recursive, and sqlglot's is compiled.

Measured on tokens, which cost no recursion. Without these limits 9,000 nested joins end the process (compiled code
overflows the stack instead of raising RecursionError), 20 nested `date(` take seconds (sqlglot tries each as a type,
then as a call: twice the work per level), so do 20 joins without ON, and a thousand `[1][1][1]` take more than one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlglot.parsers.duckdb import DuckDBParser
from sqlglot.tokenizer_core import Token, TokenType

from mesh_defs.errors import QueryRejectedError
from mesh_defs.sql.place import place_of_token

CHARACTERS_MAX = 100_000
# Brackets of any kind, one inside the other.
DEPTH_MAX = 64
# Names, subscripts and calls on one value: a.b[1][2].f().g().
LINKS_MAX = 32
# Tokens to read, each counted as often as the parser tries it; about 4 microseconds each.
EFFORT_MAX = 200_000
# What one more link costs, per link before it: sqlglot infers the type of the whole chain again.
_EFFORT_PER_LINK = 4

_OPENING = frozenset({TokenType.L_PAREN, TokenType.L_BRACKET, TokenType.L_BRACE})
_CLOSING = frozenset({TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.R_BRACE})
_LINKING = _OPENING | _CLOSING | {TokenType.VAR, TokenType.IDENTIFIER}
_COMPLETE_JOINS = frozenset({TokenType.CROSS, TokenType.NATURAL, TokenType.ASOF, TokenType.POSITIONAL})
_TRIED_TWICE = frozenset(DuckDBParser.TYPE_TOKENS)


def refuse_long(sql: str) -> None:
    """Refuse a text that is too long to be a question."""
    if len(sql) > CHARACTERS_MAX:
        what = f"the SQL has {len(sql):,} characters; the limit is {CHARACTERS_MAX:,}"
        raise QueryRejectedError(what, fix="ask in smaller steps, or publish a product for the intermediate result")


def refuse_deep(tokens: Sequence[Token]) -> None:
    """Refuse what would take a recursive parser too deep or too long. One pass, no recursion."""
    levels = [_Level(tries=1)]
    effort = 0
    previous = TokenType.SEMICOLON
    for token in tokens:
        kind, level = token.token_type, levels[-1]
        effort += level.tries
        if kind in _OPENING:
            level.links += 1
            effort += level.links * _EFFORT_PER_LINK * level.tries
            levels.append(_Level(tries=level.tries * 2 if previous in _TRIED_TWICE else level.tries))
        elif kind in _CLOSING:
            if len(levels) > 1:
                levels.pop()
        elif kind is TokenType.DOT:
            level.links += 1
        elif kind not in _LINKING:
            level.links = 0
            level.join(kind, previous)
        if len(levels) > DEPTH_MAX or levels[-1].links > LINKS_MAX or effort > EFFORT_MAX:
            raise _too_deep(token)
        previous = kind


@dataclass(slots=True)
class _Level:
    """What is open within one bracket. `tries`: how often the parser reads each token there."""

    tries: int
    links: int = 0
    joins: int = 0

    def join(self, kind: TokenType, previous: TokenType) -> None:
        """A JOIN that waits for its ON is read as far as it goes, and again, before the parser gives it up."""
        if kind is TokenType.JOIN and previous not in _COMPLETE_JOINS:
            self.joins += 1
            if self.joins > 1:
                self.tries *= 2
        elif kind in (TokenType.ON, TokenType.USING) and self.joins:
            self.joins -= 1
            if self.joins:
                self.tries //= 2


def _too_deep(token: Token) -> QueryRejectedError:
    what = (
        f"the SQL nests or chains too deeply (limits: {DEPTH_MAX} brackets, {LINKS_MAX} subscripts or calls in a row)"
    )
    return QueryRejectedError(what, where=place_of_token(token), fix="name the inner steps: WITH")
