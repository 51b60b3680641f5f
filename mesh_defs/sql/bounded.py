"""Whether a question costs about the same on every row, whatever the row holds.

DuckDB evaluates an asker's conditions beside a rule, hidden rows included. A condition that is dear on some values tells of
them by the time it takes, and plainly when it ends at its limit. What is not bounded here runs over the visible rows alone
(docs/decisions/0024).
"""

from collections.abc import Mapping
from typing import Any

from sqlglot import exp

from mesh_defs.sql.allowlist import SCALAR
from mesh_defs.sql.functions import BOUNDED, TABLE

# One row may cost so many operations, on what a column holds or on a text of so many characters: some microseconds.
OPERATIONS_MAX = 200
CHARACTERS_MAX = 200
# LIKE tries each % at every place, one within the other. DuckDB matches a constant without _ piece by piece instead.
_WILDCARDS_MAX = 2

_OPERATIONS = (exp.Binary, exp.Unary, exp.Func, exp.Predicate)
_TYPES = frozenset(
    {exp.DType.BOOLEAN, exp.DType.TINYINT, exp.DType.SMALLINT, exp.DType.INT, exp.DType.BIGINT, exp.DType.INT128}
    | {exp.DType.UTINYINT, exp.DType.USMALLINT, exp.DType.UINT, exp.DType.UBIGINT, exp.DType.UINT128, exp.DType.FLOAT}
    | {exp.DType.DOUBLE, exp.DType.DECIMAL, exp.DType.VARCHAR, exp.DType.TEXT, exp.DType.UUID, exp.DType.INTERVAL}
    | {exp.DType.DATE, exp.DType.TIME, exp.DType.TIMESTAMP, exp.DType.TIMESTAMPTZ, exp.DType.TIMESTAMPNTZ}
)


def is_bounded(tree: exp.Expr, parameters: Mapping[str, Any]) -> bool:
    """Tell whether no value is dear to this reviewed SELECT, its parameters' values included. One pass, no recursion."""
    operations = 0
    for node in tree.walk():
        operations += isinstance(node, _OPERATIONS)
        if type(node) not in SCALAR or operations > OPERATIONS_MAX or not _is_bounded(node):
            return False
    return are_short(parameters)


def are_short(parameters: Mapping[str, Any]) -> bool:
    """Tell whether each value is one number, time or short text."""
    return all(_is_short(value) for value in parameters.values())


def _is_bounded(node: exp.Expr) -> bool:
    if isinstance(node, exp.Anonymous):
        return node.name in BOUNDED or (node.name in TABLE and isinstance(node.parent, exp.Table))
    if isinstance(node, exp.DataType):
        return node.this in _TYPES and not node.args.get("nested")
    if isinstance(node, exp.Like | exp.ILike):
        return _is_bounded_pattern(node)
    return not isinstance(node, exp.Literal) or len(node.name) <= CHARACTERS_MAX


def _is_bounded_pattern(like: exp.Like | exp.ILike) -> bool:
    pattern = like.expression
    if not isinstance(pattern, exp.Literal) or not pattern.is_string:
        return False
    pieces = isinstance(like, exp.Like) and "_" not in pattern.name
    return pieces or pattern.name.count("%") <= _WILDCARDS_MAX


def _is_short(value: Any) -> bool:
    if isinstance(value, str | bytes):
        return len(value) <= CHARACTERS_MAX
    return not isinstance(value, list | tuple | dict)
