"""Which columns of a product a question can name: those alone are copied when it runs over the visible rows apart."""

from collections.abc import Iterable

from sqlglot import exp

from mesh_defs.sql.references import folded

# After these columns come without being named.
_UNNAMED = (exp.Columns, exp.Summarize, exp.Pivot, exp.PositionalColumn)


def used_columns(tree: exp.Expr, columns: Iterable[str]) -> tuple[str, ...]:
    """Of `columns` those that the SELECT may use: all when it may mean any without a name, else at least one."""
    offered = tuple(columns)
    if any(_names_none(node) for node in tree.walk()):
        return offered
    named = {folded(name.name) for name in tree.find_all(exp.Identifier)}
    relations = {folded(name) for table in tree.find_all(exp.Table) for name in (table.name, table.alias)}
    whole_rows = relations & {folded(column.name) for column in tree.find_all(exp.Column)}
    return offered if whole_rows else tuple(each for each in offered if folded(each) in named) or offered[:1]


def _names_none(node: exp.Expr) -> bool:
    if isinstance(node, exp.Star):
        return not (isinstance(node.parent, exp.Anonymous) and node.parent.name == "count")
    if isinstance(node, exp.Join):
        return node.text("method").upper() == "NATURAL"
    return isinstance(node, _UNNAMED) or (isinstance(node, exp.TableAlias) and bool(node.args.get("columns")))
