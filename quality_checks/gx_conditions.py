"""Which columns a row_condition names, when GX is to evaluate it: and that it does nothing but compare them.

GX hands a condition's text to pandas' `DataFrame.query`, which calls whatever it names (`@pd.read_pickle(…)`,
`c.to_csv(…)`): a contract would run code. So only what is listed here is passed on. Imports neither GX nor pandas.
"""

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from quality_checks.errors import QualityError, nearest

GX_PARSERS = ("great_expectations", "great_expectations__experimental__")

_METHODS = frozenset({"isnull", "isna", "notnull", "notna", "isin", "between"})
_ACCESSORS = {
    "str": frozenset({"contains", "startswith", "endswith", "match", "fullmatch", "len", "lower", "upper", "strip"}),
    "dt": frozenset({"year", "month", "day", "hour", "minute", "second", "dayofweek", "quarter"}),
}
_NODES = (
    *(ast.BoolOp, ast.boolop, ast.UnaryOp, ast.unaryop, ast.Compare, ast.cmpop, ast.Constant, ast.List, ast.Tuple),
    *(ast.BitAnd, ast.BitOr, ast.Add, ast.Sub, ast.Div, ast.Mod, ast.Load, ast.keyword),
)
_QUOTED = re.compile("`([^`]*)`")
_PLACE = "_quoted_column_"
# GX reads one comparison and silently drops what follows it (`… and col("b") > 1`): so the whole text must be one.
_GX_TEXT = re.compile(
    r"""\s*col\("(?P<column>[^"]+)"\)\s*
    (?: (?i:\.notnull\(\)) | (?:[<>]=?|==|!=)\s* (?: [+-]?\d+(?:\.\d*)?(?:[eE][+-]?\d+)? | (?:date\()?(?:"[^"']*"|'[^"']*')\)? ) )
    \s*""",
    re.VERBOSE,
)


def columns_in_condition(kwargs: Mapping[str, Any], known: Iterable[str] | None) -> frozenset[str]:
    """Return the columns that the row_condition among `kwargs` names; all of them are `known`, when that is given.

    Raises QualityError for a condition that names another column, or does more than compare.
    """
    condition = kwargs.get("row_condition")
    if condition is None:
        return frozenset()
    try:
        named = frozenset(_columns(condition, kwargs.get("condition_parser")))
    except RecursionError:
        raise _refused("it is nested too deeply") from None
    for name in sorted(named.difference(named if known is None else known)):
        raise QualityError(f"'row_condition' names no column '{name}' — {nearest(name, known or ())}")
    if any("`" in name for name in named):
        raise QualityError("'row_condition' names a column with a backtick, which pandas cannot — rename the column")
    return named


def _columns(condition: Any, parser: Any) -> Iterator[str]:
    match condition:
        case str() if parser in GX_PARSERS:
            if not (found := _GX_TEXT.fullmatch(condition)):
                raise _refused('GX reads one comparison of the form col("a") > 5')
            yield found["column"]
        case str() if parser in (None, "pandas"):
            yield from _columns_in_query(condition)
        case {"type": "pass_through", "pass_through_filter": str(text)}:
            yield from _columns_in_query(text)
        case {"type": "and" | "or", "conditions": [*parts]}:
            for part in parts:
                yield from _columns(part, None)
        case {"type": "comparison" | "nullity", "column": {"name": str(name)}}:
            yield name
        case _:
            raise _refused("it is none of GX's conditions")


def _columns_in_query(text: str) -> Iterator[str]:
    if "`" in text and re.search(r"""["'\\#]""", text):
        # Where a quoted text ends must not be a matter of opinion between this reader and pandas'.
        raise _refused("it has both quoted columns and quoted text")
    if _PLACE in text:
        raise _refused(f"it names '{_PLACE}…'")
    quoted = _QUOTED.findall(text)
    places = iter(range(len(quoted)))
    try:
        tree = ast.parse(_QUOTED.sub(lambda _: f"{_PLACE}{next(places)}", text).strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise _refused("it is not an expression") from None
    for node in _allowed(tree.body):
        yield quoted[int(node.id.removeprefix(_PLACE))] if node.id.startswith(_PLACE) else node.id


def _allowed(node: ast.AST) -> Iterator[ast.Name]:
    """Yield the names that a tree of nothing but comparisons compares."""
    match node:
        case ast.Name():
            yield node
            return
        case ast.Call(func=ast.Attribute(value=of, attr=method)) if _is_method(of, method):
            children: Iterable[ast.AST] = (of, *node.args, *node.keywords)
        case ast.Attribute(value=of, attr=part) if part in _ACCESSORS or _is_part(of, part):
            children = (of,)
        case ast.BinOp() if not isinstance(node.op, _NODES):  # 9**9**9, text * 10**9
            raise _refused("it calculates")
        case ast.BinOp():
            children = ast.iter_child_nodes(node)
        case _ if isinstance(node, _NODES):
            children = ast.iter_child_nodes(node)
        case _:
            raise _refused(f"it does more than compare columns ({type(node).__name__})")
    for child in children:
        yield from _allowed(child)


def _is_method(of: ast.AST, method: str) -> bool:
    return method in _METHODS or _is_part(of, method)


def _is_part(of: ast.AST, part: str) -> bool:
    return isinstance(of, ast.Attribute) and part in _ACCESSORS.get(of.attr, ())


def _refused(why: str) -> QualityError:
    return QualityError(
        f"'row_condition' cannot be passed to GX: {why}"
        ' — write it as {"type": "comparison", "column": {"name": "a"}, "operator": ">", "parameter": 5}'
    )
