"""Which columns of a product a question can name: those alone are copied when it runs over the visible rows apart."""

from collections.abc import Iterable

from sqlglot import exp

from mesh_defs.sql.references import folded

# After these columns come without being named.
_UNNAMED = (exp.Columns, exp.Summarize, exp.Pivot, exp.PositionalColumn)


def used_names(tree: exp.Expr) -> frozenset[str] | None:
    """The folded names that the SELECT holds; None when it may mean any column without a name."""
    named, relations, columns = set(), set(), set()
    for node in tree.walk():
        if _names_none(node):
            return None
        if isinstance(node, exp.Identifier):
            named.add(folded(node.name))
        elif isinstance(node, exp.Column):
            columns.add(folded(node.name))
        elif isinstance(node, exp.Table):
            relations |= {folded(node.name), folded(node.alias)}
    return None if relations & columns else frozenset(named)  # a relation's name for its whole rows


def used_columns(names: frozenset[str] | None, columns: Iterable[str]) -> tuple[str, ...]:
    """Of `columns` those that a SELECT of these names may use: at least one."""
    offered = tuple(columns)
    return offered if names is None else tuple(each for each in offered if folded(each) in names) or offered[:1]


def _names_none(node: exp.Expr) -> bool:
    if isinstance(node, exp.Star):
        return not (isinstance(node.parent, exp.Anonymous) and node.parent.name == "count")
    if isinstance(node, exp.Join):
        return node.text("method").upper() == "NATURAL"
    return isinstance(node, _UNNAMED) or (isinstance(node, exp.TableAlias) and bool(node.args.get("columns")))
