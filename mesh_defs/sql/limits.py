"""How large and how deep a text may be before anyone parses it: a parser is recursive, and sqlglot's is compiled.

Measured on tokens, which cost no recursion. Without these limits 9,000 nested joins end the process (compiled code
overflows the stack instead of raising RecursionError), 20 nested `date(` take seconds (sqlglot tries each as a type,
then as a call: twice the work per level), and a thousand `[1][1][1]` take more than one.
"""

from collections.abc import Sequence

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
_TRIED_TWICE = frozenset(DuckDBParser.TYPE_TOKENS)


def refuse_long(sql: str) -> None:
    """Refuse a text that is too long to be a question."""
    if len(sql) > CHARACTERS_MAX:
        what = f"the SQL has {len(sql):,} characters; the limit is {CHARACTERS_MAX:,}"
        raise QueryRejectedError(what, fix="ask in smaller steps, or publish a product for the intermediate result")


def refuse_deep(tokens: Sequence[Token]) -> None:
    """Refuse what would take a recursive parser too deep or too long. One pass, no recursion."""
    links = [0]
    tries, effort = [1], 0
    previous = TokenType.SEMICOLON
    for token in tokens:
        kind = token.token_type
        effort += tries[-1]
        if kind in _OPENING:
            links[-1] += 1
            effort += links[-1] * _EFFORT_PER_LINK * tries[-1]
            links.append(0)
            tries.append(tries[-1] * 2 if previous in _TRIED_TWICE else tries[-1])
        elif kind in _CLOSING:
            if len(links) > 1:
                links.pop()
                tries.pop()
        elif kind is TokenType.DOT:
            links[-1] += 1
        elif kind not in _LINKING:
            links[-1] = 0
        if len(links) > DEPTH_MAX or links[-1] > LINKS_MAX or effort > EFFORT_MAX:
            raise _too_deep(token)
        previous = kind


def _too_deep(token: Token) -> QueryRejectedError:
    what = (
        f"the SQL nests or chains too deeply (limits: {DEPTH_MAX} brackets, {LINKS_MAX} subscripts or calls in a row)"
    )
    return QueryRejectedError(what, where=place_of_token(token), fix="name the inner steps: WITH")
