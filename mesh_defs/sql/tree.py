"""SQL text to a syntax tree and back, with nothing lost on the way. What a tree may refer to is not judged here."""

from collections.abc import Callable
from typing import Any, TypeVar

from sqlglot import ErrorLevel, exp
from sqlglot.errors import ParseError, UnsupportedError
from sqlglot.tokenizer_core import Token, TokenType

from mesh_defs.errors import QueryRejectedError
from mesh_defs.sql.limits import Fuel, OutOfFuel, refuse_deep, refuse_long, steps_max, too_deep
from mesh_defs.sql.place import snippet
from mesh_defs.sql.precedence import refuse_ambiguous
from mesh_defs.sql.tokens import DIALECT, prepared, tokenize
from mesh_defs.sql.uniform import uniform

_T = TypeVar("_T")


def read(sql: str) -> exp.Query:
    """Parse one SELECT (also WITH, set operations, VALUES, PIVOT, FROM first) within the limits of `sql.limits`.

    Raises QueryRejectedError with the place where known, never RecursionError. About 1 ms for 300 tokens.
    """
    refuse_long(sql)
    tokens = tokenize(sql)
    refuse_deep(tokens)
    return _parsed(tokens, sql)


def reread(sql: str) -> exp.Query:
    """Parse a text of our own making, which may be longer than what askers may send."""
    return _parsed(tokenize(sql), sql)


def write(tree: exp.Expr) -> str:
    """Generate DuckDB's SQL without comments. Refuses what sqlglot cannot write in full."""
    try:
        return _shallow(lambda: _generated(tree))
    except UnsupportedError:
        what = "the SQL uses a form that cannot be written back whole"
        raise QueryRejectedError(what, fix="say it in a simpler form") from None


def reads_back(tree: exp.Expr, text: str) -> bool:
    """Whether a text that was written from a tree says all of it, and nothing else."""
    try:
        return same(tree, reread(text))
    except QueryRejectedError:
        return False


def same(left: exp.Expr, right: exp.Expr) -> bool:
    """Compare two trees node by node; comments, positions and absent arguments do not count."""
    pending: list[tuple[Any, Any]] = [(left, right)]
    while pending:
        one, other = pending.pop()
        if type(one) is not type(other):
            return False
        if isinstance(one, exp.Expr):
            here, there = one.args, other.args
            for key in here.keys() | there.keys():
                value, beside = here.get(key), there.get(key)
                if _present(value) or _present(beside):
                    pending.append((value, beside))
        elif isinstance(one, list):
            if len(one) != len(other):
                return False
            pending.extend(zip(one, other, strict=True))
        elif one != other:
            return False
    return True


def _parsed(tokens: list[Token], sql: str) -> exp.Query:
    dollars = sum(token.token_type is TokenType.PARAMETER for token in tokens)
    double_equals = any(token.token_type is TokenType.EQ and token.text == "==" for token in tokens)
    tree = _shallow(lambda: _grown(prepared(tokens, sql), sql, double_equals))
    if not isinstance(tree, exp.Query):
        raise QueryRejectedError("the SQL is not one SELECT", fix="ask with one SELECT; nothing else passes the door")
    if sum(1 for _ in tree.find_all(exp.Placeholder)) != dollars:
        raise QueryRejectedError("the SQL holds a ? or :name parameter", fix="write $name for a parameter")
    return tree


def _grown(tokens: list[Token], sql: str, double_equals: bool) -> exp.Expr | None:
    try:
        steps = steps_max(tokens)
        trees = Fuel(steps).parser(max_nodes=steps).parse(tokens, sql)
    except OutOfFuel:
        raise too_deep() from None
    except ParseError as error:
        raise _unparsed(error) from None
    except (AttributeError, TypeError):
        # sqlglot 30.30 stumbles over a missing operand (`x ->>`, `{: 1}`) instead of saying that it is missing.
        raise QueryRejectedError(
            "the SQL lacks an operand", fix="look for an operator with nothing beside it"
        ) from None
    if len(trees) != 1 or trees[0] is None:
        return None
    refuse_ambiguous(trees[0], double_equals=double_equals)
    return uniform(trees[0])


def _generated(tree: exp.Expr) -> str:
    return DIALECT.generate(
        tree, copy=False, comments=False, normalize_functions=False, unsupported_level=ErrorLevel.RAISE
    )


def _unparsed(error: ParseError) -> QueryRejectedError:
    """Repeat where the parser stopped, and nothing of how it is built."""
    found = error.errors[0] if error.errors else {}
    near = snippet(str(found.get("highlight") or ""))
    where = f"line {found['line']}, column {found['col']}" if found.get("line") else ""
    said = str(found.get("description") or "")
    if said.startswith("Maximum number of AST nodes"):
        return too_deep(where)
    fix = f"{said[0].lower()}{said[1:]} there" if said.startswith("Expecting") else "check what stands before it"
    return QueryRejectedError(f"the SQL cannot be read near '{near}'", where=where, fix=fix)


def _present(value: Any) -> bool:
    return value is not None and value is not False and value != []


def _shallow(step: Callable[[], _T]) -> _T:
    try:
        return step()
    except RecursionError:
        raise too_deep() from None
