"""What a SELECT may be made of: reviewed kinds of nodes, functions and words. Which products it may read is not judged
here. The functions are listed in `functions.toml`; what is not listed, here or there, is refused.
"""

import re

from sqlglot import exp

from mesh_defs.errors import QueryRejectedError, nearest
from mesh_defs.sql.functions import REVIEWED, TABLE, refusal
from mesh_defs.sql.named import misnamed
from mesh_defs.sql.place import place, snippet

_QUERIES = frozenset(
    {exp.Select, exp.Union, exp.Intersect, exp.Except, exp.Subquery, exp.Values, exp.Tuple, exp.With, exp.CTE}
)
_RELATIONS = frozenset({exp.From, exp.Join, exp.Table, exp.TableAlias, exp.TableSample})
_CLAUSES = frozenset(
    {exp.Where, exp.Group, exp.Rollup, exp.Cube, exp.GroupingSets, exp.Having, exp.Qualify, exp.Distinct}
    | {exp.Order, exp.Ordered, exp.Limit, exp.LimitOptions, exp.Offset, exp.Window, exp.WindowSpec, exp.Filter}
    | {exp.IgnoreNulls, exp.RespectNulls}
)
_NAMES = frozenset(
    {exp.Alias, exp.Column, exp.Identifier, exp.PositionalColumn, exp.Star, exp.Var, exp.PropertyEQ, exp.Kwarg}
    | {exp.Placeholder}
)
_VALUES = frozenset(
    {exp.Boolean, exp.Interval, exp.Literal, exp.Null, exp.CurrentDate, exp.CurrentTime, exp.CurrentTimestamp}
    | {exp.Localtime, exp.Localtimestamp, exp.DataType, exp.DataTypeParam, exp.ColumnDef}
)
_OPERATORS = frozenset(
    {exp.Add, exp.Sub, exp.Mul, exp.Div, exp.IntDiv, exp.Mod, exp.Pow, exp.Neg, exp.Paren}
    | {exp.BitwiseAnd, exp.BitwiseOr, exp.BitwiseNot}
    | {exp.And, exp.Or, exp.Not, exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE, exp.Is, exp.In, exp.Between}
    | {exp.NullSafeEQ, exp.NullSafeNEQ, exp.Like, exp.ILike, exp.Any, exp.All, exp.Exists, exp.Case, exp.If}
    | {exp.Cast, exp.TryCast, exp.AtTimeZone}
)
# Functions of a grammar of their own; all others are exp.Anonymous (see sql.tokens).
_FUNCTIONS = frozenset(
    {exp.Anonymous, exp.Extract, exp.Substring, exp.Lag, exp.Lead, exp.FirstValue, exp.LastValue} | {exp.NthValue}
)
# Of these a value comes out in a size of its own: `sql.bounded` tells what can be said of the others.
SCALAR = _QUERIES | _RELATIONS | _CLAUSES | _NAMES | _VALUES | _OPERATORS | _FUNCTIONS
_GROWING = frozenset(
    {exp.Array, exp.Struct, exp.Map, exp.ToMap, exp.Dot, exp.Bracket, exp.Slice, exp.Lambda, exp.Comprehension}
    | {exp.ArrayContainsAll, exp.ArrayContainedBy, exp.ArrayOverlaps, exp.JSONExtract, exp.JSONExtractScalar}
    | {exp.DPipe, exp.BitwiseLeftShift, exp.BitwiseRightShift, exp.Collate}
    | {exp.SimilarTo, exp.Glob, exp.Escape, exp.Columns, exp.Unnest, exp.Lateral, exp.Pivot, exp.PivotAlias}
    | {exp.UnpivotColumns, exp.Summarize}
)
# What may stand where rows come from: nothing is a relation but these.
_MUST_HOLD: dict[type[exp.Expr], tuple[type[exp.Expr], ...]] = {
    exp.From: (exp.Table, exp.Subquery, exp.Values, exp.Lateral),
    exp.Join: (exp.Table, exp.Subquery, exp.Values, exp.Lateral),
    exp.Lateral: (exp.Subquery, exp.Unnest, exp.Anonymous),
    exp.Subquery: (exp.Query, exp.Values, exp.Table, exp.Pivot, exp.Summarize),
    exp.CTE: (exp.Query, exp.Values),
    exp.Summarize: (exp.Query,),
    exp.Exists: (exp.Query,),
}
_NODES = SCALAR | _GROWING

# Names that the engine, finding no such column, takes for a question about itself; also in quotes.
_ENGINE_VALUES = frozenset({"current_catalog", "current_role", "current_schema", "current_user", "session_user"})

# All that reaches the governed text without quotes is a word or a number: no name can end the text it stands in.
_WORDS = re.compile(r"[A-Za-z_][A-Za-z0-9_ ]*")
_NUMBER = re.compile(r"0[xX][0-9A-Fa-f_]+|0[bB][01_]+|(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:[eE][+-]?\d+)?")


def refuse_unreviewed(tree: exp.Expr) -> None:
    """Raise QueryRejectedError at the first thing in the tree that is not reviewed. One pass, no recursion."""
    for node in tree.walk():
        if type(node) not in _NODES:
            what = f"{_shown(node)} is not something the door can govern"
            raise QueryRejectedError(what, where=place(node), fix="ask with a plain SELECT over products")
        if isinstance(node, exp.Anonymous):
            _refuse_function(node)
        elif isinstance(node, exp.Column):
            _refuse_engine_value(node)
        elif isinstance(node, exp.DataType):
            _refuse_type(node)
        elif isinstance(node, exp.Pivot):
            _refuse_open_pivot(node)
        elif isinstance(node, exp.TableSample) and node.args.get("seed") and node.text("method").upper() == "RESERVOIR":
            what = "a RESERVOIR sample that is REPEATABLE would tell of stored blocks"
            raise QueryRejectedError(what, where=place(node), fix="leave the seed out, or write BERNOULLI (10%)")
        elif isinstance(node, exp.Interval) and node.args.get("unit") is None and _NUMBER.fullmatch(node.name):
            raise QueryRejectedError("an interval has no unit", where=place(node), fix="write INTERVAL 1 DAY")
        elif isinstance(node, exp.Select) and not node.expressions:
            raise QueryRejectedError("this SELECT names no column", where=place(node), fix="write SELECT column, …")
        elif type(node) in _MUST_HOLD and not isinstance(node.this, _MUST_HOLD[type(node)]):
            what = f"{_shown(node)} holds something that is neither a product nor a SELECT"
            raise QueryRejectedError(what, where=place(node), fix="read products: domain.product")
        _refuse_raw_text(node)


def _refuse_function(function: exp.Anonymous) -> None:
    name = function.this
    if not isinstance(name, str) or not name.isascii() or not name.isidentifier():
        what = f"'{snippet(function.name)}' is not the name of a function"
        raise QueryRejectedError(what, where=place(function), fix="write the function's plain name, without quotes")
    relation = isinstance(function.parent, exp.Table | exp.Lateral) and function.arg_key == "this"
    if relation and name not in TABLE:
        what = f"{snippet(name)}(…) is not a product"
        raise QueryRejectedError(what, where=place(function), fix=f"read products, or {', '.join(sorted(TABLE))}")
    if not relation and name not in REVIEWED:
        raise _unreviewed(name, place(function))
    if wrong := misnamed(function):
        raise QueryRejectedError(wrong[0], where=place(function), fix=wrong[1])


def _unreviewed(name: str, where: str) -> QueryRejectedError:
    if why := refusal(name):
        return QueryRejectedError(f"the function {snippet(name)} is refused: {why}", where=where, fix="leave it out")
    what = f"there is no reviewed function '{snippet(name)}'"
    return QueryRejectedError(what, where=where, fix=nearest(name, REVIEWED))


def _refuse_engine_value(column: exp.Column) -> None:
    if column.name.lower() in _ENGINE_VALUES and len(column.parts) == 1:
        what = f"{column.name} may be a question about the engine"
        raise QueryRejectedError(what, where=place(column), fix=f"if it is a column, write product.{column.name}")


def _refuse_type(declared: exp.DataType) -> None:
    if declared.this is exp.DType.USERDEFINED:
        what = f"'{snippet(declared.sql('duckdb'))}' is not a type that DuckDB knows"
        where = place(declared) or (place(declared.parent) if declared.parent else "")
        raise QueryRejectedError(what, where=where, fix="write one such as VARCHAR, BIGINT or DECIMAL(12, 2)")


def _refuse_open_pivot(pivot: exp.Pivot) -> None:
    """A PIVOT without listed values is two statements to the engine, and its columns depend on the rows."""
    ranges = pivot.args.get("fields") or pivot.expressions
    listed = all(isinstance(one, exp.In) and one.expressions and not one.args.get("query") for one in ranges)
    if not pivot.args.get("unpivot") and not (ranges and listed):
        raise QueryRejectedError(
            "this PIVOT does not list its values", where=place(pivot), fix="list them: ON column IN ('a', 'b')"
        )


def _refuse_raw_text(node: exp.Expr) -> None:
    for key, value in node.args.items():
        if not isinstance(value, str) or (isinstance(node, exp.Identifier) and key == "this"):
            continue
        if isinstance(node, exp.Literal):
            safe = node.is_string or _NUMBER.fullmatch(value) is not None
        else:
            safe = _WORDS.fullmatch(value) is not None
        if not safe:
            what = f"'{snippet(value)}' cannot stand here"
            raise QueryRejectedError(what, where=place(node), fix="write a plain word or number")


def _shown(node: exp.Expr) -> str:
    """Name a kind of node as SQL does: CurrentUser -> CURRENT USER."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(node).__name__).upper()
