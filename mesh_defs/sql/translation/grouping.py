"""GROUP BY, ORDER BY and LIMIT: numbers and names of the answer's columns, GROUP BY ALL, NULLs where DuckDB has them."""

from collections.abc import Sequence
from typing import Any

from sqlglot import exp

from mesh_defs.sql.aggregates import is_aggregate
from mesh_defs.sql.references import folded
from mesh_defs.sql.translation.expressions import Expressions
from mesh_defs.sql.translation.scope import Output, Scope
from mesh_defs.sql.translation.tables import quoted
from mesh_defs.sql.translation.values import Value, refused, require_plain


def grouped(
    group: exp.Expr, shown: Sequence[tuple[Any, Value, Any]], scope: Scope, expressions: Expressions
) -> exp.Group:
    """Return GROUP BY with each key written out."""
    if group.args.get("all"):
        keys = [value.tree for _, value, source in shown if source is None or not is_aggregate(source)]
    else:
        keys = [_keys(each, shown, scope, expressions) for each in group.expressions]
    for each in keys:
        if isinstance(each.unnest(), exp.Literal | exp.Null | exp.Boolean):
            raise refused(group, "GROUP BY a literal was not tried", "leave it out of GROUP BY")
    return exp.Group(expressions=[each.copy() for each in keys])


def ordered(order: exp.Expr, outputs: Sequence[Output], scope: Scope | None, expressions: Expressions) -> exp.Order:
    """Return ORDER BY: the answer's columns by their numbers, all else, where there is a scope, written out."""
    items: list[exp.Ordered] = []
    for item in order.expressions:
        by = item.this
        if isinstance(by, exp.Var):
            items += [each for output in outputs for each in expressions.ordered(item, _column(output, by))]
            continue
        number = _number(by, outputs)
        if number is None and scope is None:
            raise refused(by, "a set operation is ordered by its columns' names or numbers")
        if number is None:
            assert scope is not None
            items += expressions.ordered(item, _expression(by, scope, expressions))
        else:
            items += expressions.ordered(item, _column(outputs[number - 1], by))
    return exp.Order(expressions=items)


def limits(node: exp.Expr, tree: exp.Query) -> None:
    """Set LIMIT and OFFSET, which are literal numbers."""
    for key in ("limit", "offset"):
        if found := node.args.get(key):
            number = found.args.get("expression")
            if not isinstance(number, exp.Literal) or not number.name.isdigit() or len(number.name) > 18:
                raise refused(node, f"{key.upper()} takes a literal number")
            tree.set(key, type(found)(expression=number.copy()))


def _column(output: Output, node: exp.Expr) -> Value:
    """A column of the answer, by its name there."""
    if output.column is None:
        raise refused(node, f"a column of type {output.type} is not read")
    return Value(tree=exp.column(quoted(output.column)), type=output.type)


def _keys(node: exp.Expr, shown: Sequence[tuple[Any, Value, Any]], scope: Scope, expressions: Expressions) -> exp.Expr:
    """A key; or ROLLUP, CUBE and GROUPING SETS of columns, which is what Trino takes there."""
    if isinstance(node, exp.Rollup | exp.Cube | exp.GroupingSets):
        return type(node)(expressions=[_column_set(each, scope, expressions) for each in node.expressions])
    return _key(node, shown, scope, expressions)


def _column_set(node: exp.Expr, scope: Scope, expressions: Expressions) -> exp.Expr:
    if isinstance(node, exp.Tuple):
        return exp.Tuple(expressions=[_column_set(each, scope, expressions) for each in node.expressions])
    value = require_plain(expressions.value(node.unnest(), scope), node)
    if not isinstance(value.tree, exp.Column):
        raise refused(node, "ROLLUP, CUBE and GROUPING SETS take columns", "name the expression in a subquery")
    return exp.Paren(this=value.tree) if isinstance(node, exp.Paren) else value.tree


def _key(node: exp.Expr, shown: Sequence[tuple[Any, Value, Any]], scope: Scope, expressions: Expressions) -> exp.Expr:
    if isinstance(node, exp.Literal) and not node.is_string:
        number = int(node.name) if node.name.isdigit() else 0
        if not 1 <= number <= len(shown):
            raise refused(node, f"there is no column {node.name}")
        return shown[number - 1][1].tree
    return require_plain(expressions.value(node, scope), node).tree


def _number(by: exp.Expr, outputs: Sequence[Output]) -> int | None:
    """Which column of the answer is meant; None for something else."""
    if isinstance(by, exp.Literal) and not by.is_string:
        number = int(by.name) if by.name.isdigit() else 0
        if not 1 <= number <= len(outputs):
            raise refused(by, f"there is no column {by.name}")
        return number
    if not isinstance(by, exp.Column) or len(by.parts) != 1:
        return None
    found = [number for number, each in enumerate(outputs, 1) if each.name and folded(each.name) == folded(by.name)]
    if len(found) > 1:
        raise refused(by, f"'{by.name}' is two columns of the answer", "order by the column's number")
    return found[0] if found else None


def _expression(by: exp.Expr, scope: Scope, expressions: Expressions) -> Value:
    for column in by.find_all(exp.Column):
        name = folded(column.name)
        if len(column.parts) == 1 and name in scope.aliases and any(each.find(name) for each in scope.relations):
            raise refused(by, f"'{column.name}' is a column and an alias", "give the alias another name")
    value = expressions.value(by, scope)
    if isinstance(value.tree.unnest(), exp.Literal):
        raise refused(by, "ORDER BY a literal was not tried", "leave it out")
    return value
