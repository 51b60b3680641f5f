"""The asker's text as tokens, prepared such that sqlglot parses without translating. What is written is not judged.

sqlglot reads for many dialects: `list(x)` becomes ARRAY_AGG, `string_agg` LISTAGG, and `x ->> 'a.b'` (one key) the path
from a to b, which is another question. Here calls, keys and strings are kept as they were written.
"""

import logging
import re
from collections.abc import Iterator

from sqlglot import exp
from sqlglot.dialects.duckdb import DuckDB
from sqlglot.errors import TokenError
from sqlglot.parsers.duckdb import DuckDBParser
from sqlglot.tokenizer_core import Token, TokenType

from mesh_defs.errors import QueryRejectedError
from mesh_defs.sql.place import place_of_character, place_of_token, snippet

DIALECT = DuckDB(version="1.5.5")
# It would log the asker's text, whose literals may be personal data.
logging.getLogger("sqlglot").setLevel(logging.CRITICAL)
# Hides a function's name from sqlglot until `uniform` removes it. No asker can write it: a refused character.
MARK = "\x01"

# What a SELECT may begin with.
_STARTS = frozenset(
    {
        TokenType.SELECT,
        TokenType.FROM,
        TokenType.WITH,
        TokenType.VALUES,
        TokenType.TABLE,
        TokenType.PIVOT,
        TokenType.UNPIVOT,
        TokenType.SUMMARIZE,
        TokenType.L_PAREN,
    }
)
# What people want who begin otherwise, and how they get it.
_INSTEAD = {
    **dict.fromkeys(
        ("SHOW", "CALL", "PRAGMA"), "`mesh products` lists what there is; the engine's catalog is nobody's"
    ),
    **dict.fromkeys(
        ("INSERT", "UPDATE", "DELETE", "MERGE", "CREATE", "ALTER", "DROP", "TRUNCATE"),
        "the door only reads: publish a product",
    ),
    **dict.fromkeys(("COPY", "EXPORT"), "ask with one SELECT; `mesh query --out FILE` keeps the answer"),
    **dict.fromkeys(
        ("ATTACH", "DETACH", "USE", "INSTALL", "LOAD", "IMPORT"), "name a product, domain.product, wherever it lies"
    ),
    **dict.fromkeys(
        ("BEGIN", "START", "COMMIT", "ROLLBACK", "ABORT"), "ask with one SELECT: it sees all its products at one time"
    ),
    **dict.fromkeys(("PREPARE", "EXECUTE", "DEALLOCATE"), "ask with one SELECT, and write $name for a parameter"),
}
# NUL ends the text for the engine but not for us; half a surrogate pair cannot be sent at all.
_UNSENDABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_QUOTES = re.compile(r"""'|"|/\*|\$""")
_QUOTES_TRIED = 16
# Functions that sqlglot reads by a grammar of its own, though DuckDB calls them like any other.
_MARKED = frozenset(DuckDBParser.FUNCTION_PARSERS) - frozenset(
    {"CAST", "TRY_CAST", "EXTRACT", "TRIM", "SUBSTRING", "POSITION"}
)
# Operators that sqlglot takes for others, or reads more of than DuckDB does; and what to write instead.
_MISREAD = {
    "~~": "LIKE",
    "!~~": "NOT LIKE",
    "~~*": "ILIKE",
    "!~~*": "NOT ILIKE",
    "~~~": "GLOB",
    "<=>": "IS NOT DISTINCT FROM",
    "@": "abs(…)",
    "|>": "WITH",
}
# What DuckDB and sqlglot make the same character of, in E'…'.
_ESCAPES = re.compile(r"(?:[^\\]|\\[nrt\\'])*", re.DOTALL)


def tokenize(sql: str) -> list[Token]:
    """Return the tokens of exactly one statement that begins like a SELECT; raises QueryRejectedError otherwise."""
    tokens = scan(sql)
    _refuse_others(tokens)
    return tokens


def scan(sql: str) -> list[Token]:
    """Return the tokens of any text, one or more, without the semicolons at its end."""
    if unsendable := _UNSENDABLE.search(sql):
        where = place_of_character(sql, unsendable.start())
        raise QueryRejectedError("the SQL holds a control character", where=where, fix="remove it")
    try:
        tokens = DIALECT.tokenize(sql)
    except TokenError:
        what = "the SQL ends inside a quotation or a comment, or holds a character that SQL does not know"
        raise QueryRejectedError(what, where=_unclosed(sql), fix="""close every ', " and /*""") from None
    while tokens and tokens[-1].token_type is TokenType.SEMICOLON:
        tokens.pop()
    if not tokens:
        raise QueryRejectedError("there is no SQL to run", fix="write one SELECT")
    return tokens


def prepared(tokens: list[Token], sql: str) -> list[Token]:
    """Return the tokens as `sql` means them: calls by their own names, JSON keys as keys, strings as characters."""
    _keep_calls(tokens)
    for token in tokens:
        if token.token_type is TokenType.HEREDOC_STRING:
            token.token_type = TokenType.STRING
        elif token.token_type is TokenType.BYTE_STRING:
            _decode(token, sql)
    return list(_with_brackets(tokens))


def _unclosed(sql: str) -> str:
    """Where the last quotation or comment begins that nothing ends: all before it can be read. A few tries."""
    for quote in [found.start() for found in _QUOTES.finditer(sql)][: -_QUOTES_TRIED - 1 : -1]:
        try:
            DIALECT.tokenize(sql[:quote])
        except TokenError:
            continue
        return place_of_character(sql, quote)
    return ""


def _refuse_others(tokens: list[Token]) -> None:
    if tokens[0].token_type not in _STARTS:
        what = f"'{snippet(tokens[0].text)}' does not begin a SELECT"
        fix = _INSTEAD.get(tokens[0].text.upper(), "ask with one SELECT; nothing else passes the door")
        raise QueryRejectedError(what, where=place_of_token(tokens[0]), fix=fix)
    for token in tokens:
        if token.token_type is TokenType.SEMICOLON:
            what = "the SQL holds more than one statement"
            raise QueryRejectedError(what, where=place_of_token(token), fix="send one SELECT at a time")
        if token.token_type not in (TokenType.STRING, TokenType.IDENTIFIER) and token.text in _MISREAD:
            what = f"the operator {token.text} is not supported"
            raise QueryRejectedError(what, where=place_of_token(token), fix=f"write {_MISREAD[token.text]}")


def _keep_calls(tokens: list[Token]) -> None:
    """Tell sqlglot to keep each call as written, but for COLUMNS(…) and f(… IGNORE NULLS), which it reads well."""
    translated: list[bool] = []
    for token, after in zip(tokens, [*tokens[1:], None], strict=True):
        token.comments = []
        word = token.text.upper()
        if after and after.token_type is TokenType.L_PAREN:
            translated.append(word == "COLUMNS")
            if word in _MARKED and token.token_type is TokenType.VAR:
                token.text = MARK + token.text
        elif after and word in ("IGNORE", "RESPECT") and after.text.upper() == "NULLS" and translated:
            translated[-1] = True
        if token.token_type is TokenType.R_PAREN and translated and not translated.pop():
            token.comments = [exp.SQLGLOT_ANONYMOUS]


def _decode(token: Token, sql: str) -> None:
    if not _ESCAPES.fullmatch(sql, token.start, token.end + 1):
        what = "this E'…' holds an escape other than \\n \\r \\t \\\\ \\'"
        raise QueryRejectedError(
            what, where=place_of_token(token), fix="write the character itself, or chr(<its number>)"
        )
    token.token_type = TokenType.STRING


def _with_brackets(tokens: list[Token]) -> Iterator[Token]:
    """Put a JSON key in brackets, so that sqlglot leaves it alone, and give `[:n]` its 1, lest it be a parameter."""
    before = TokenType.SEMICOLON
    for token, after in zip(tokens, [*tokens[1:], tokens[-1]], strict=True):
        kind = token.token_type
        if before in (TokenType.ARROW, TokenType.DARROW) and kind in (TokenType.STRING, TokenType.NUMBER):
            yield _beside(token, TokenType.L_PAREN, "(")
            yield token
            yield _beside(token, TokenType.R_PAREN, ")")
        elif before is TokenType.L_BRACKET and kind is TokenType.COLON and after.token_type is TokenType.VAR:
            yield _beside(token, TokenType.NUMBER, "1")
            yield token
        else:
            yield token
        before = kind


def _beside(token: Token, kind: TokenType, text: str) -> Token:
    comments = [exp.SQLGLOT_ANONYMOUS] if kind is TokenType.R_PAREN else []
    return Token(kind, text, line=token.line, col=token.col, start=token.start, end=token.end, comments=comments)
