"""The kinds of nodes that were tried to mean the same on both engines, and the parts of each. All else is refused by name.

A part that is not listed here is never passed over: one that a translation did not look at, a `negate` say, would turn
an answer into its opposite.
"""

import re
from collections.abc import Mapping

from sqlglot import exp

from mesh_defs.sql.translation.values import refused

_PARTS: Mapping[str, tuple[type[exp.Expr], ...]] = {
    "with_ expressions from_ joins where group having qualify order limit offset distinct": (exp.Select,),
    "with_ this expression distinct order limit offset": (exp.Union, exp.Intersect, exp.Except),
    "this alias": (exp.Subquery, exp.Table, exp.CTE, exp.Alias, exp.Lateral),
    "this expressions offset": (exp.Bracket,),
    "this kind": (exp.ColumnDef,),
    "expressions alias": (exp.Values,),
    "this columns": (exp.TableAlias,),
    "this on side kind using": (exp.Join,),
    "expressions": (exp.With, exp.Distinct, exp.Tuple),
    "expressions all": (exp.Group,),
    "expressions ": (exp.Rollup, exp.Cube, exp.GroupingSets),
    "this expressions using group unpivot": (exp.Pivot,),
    "this": (
        exp.From,
        exp.Where,
        exp.Having,
        exp.Qualify,
        exp.Paren,
        exp.Not,
        exp.Neg,
        exp.Boolean,
        exp.Var,
        exp.Columns,
    ),
    "expression": (exp.Limit, exp.Offset),
    "this expressions": (exp.Order, exp.Anonymous),
    "this desc nulls_first": (exp.Ordered,),
    "this quoted": (exp.Identifier,),
    "this is_string": (exp.Literal,),
    "": (exp.Null,),
    "this table db catalog": (exp.Column,),
    "except_": (exp.Star,),
    "this to": (exp.Cast,),
    "this to safe": (exp.TryCast,),
    "this expressions nested values": (exp.DataType,),
    "this unit": (exp.Interval,),
    "this expressions query": (exp.In,),
    "this low high": (exp.Between,),
    "this expression negate": (exp.Like, exp.ILike),
    "this ifs default": (exp.Case,),
    "this true": (exp.If,),
    "this start length": (exp.Substring,),
    "this partition_by order spec over": (exp.Window,),
    "kind start start_side end end_side": (exp.WindowSpec,),
    "this expression typed safe": (exp.Div, exp.DPipe),
    "this expression": (
        *(exp.And, exp.Or, exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE, exp.Is, exp.NullSafeEQ, exp.NullSafeNEQ),
        *(exp.Add, exp.Sub, exp.Mul, exp.IntDiv, exp.Mod, exp.Extract, exp.Filter, exp.Dot),
    ),
    "this ": (exp.Exists, exp.DataTypeParam),
}
_KNOWN = {kind: frozenset(parts.split()) for parts, kinds in _PARTS.items() for kind in kinds}
# What people write most of what is missing, and what to write instead.
_MENDS: Mapping[str, str] = {
    "WINDOWS": "write OVER (…) out",
    "DISTINCT ON": "number the rows with row_number() and keep the first",
    "SAMPLE": "it differs from engine to engine: ask with --engine duckdb",
    "CURRENT DATE": "the engines' clocks may differ: give the day as a $parameter",
    "CURRENT TIMESTAMP": "the engines' clocks may differ: give the time as a $parameter",
}
_SIMPLER = "say it in a simpler form, or ask with --engine duckdb"


def refuse_untried(tree: exp.Expr) -> None:
    """Raise QueryRejectedError at the first thing in a reviewed tree that is not listed above. One pass, no recursion."""
    for node in tree.walk():
        name = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(node).__name__).upper()
        known = _KNOWN.get(type(node))
        if known is None:
            raise refused(node, f"{name} was not tried to mean the same", _MENDS.get(name, _SIMPLER))
        for part in (key for key, value in node.args.items() if value not in (None, False, []) and key not in known):
            shown = part.strip("_").upper()
            shown = shown if shown in _MENDS else f"{name} {shown}"
            raise refused(node, f"{shown} was not tried to mean the same", _MENDS.get(shown, _SIMPLER))
