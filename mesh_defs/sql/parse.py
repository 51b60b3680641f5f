"""From text to one SELECT over products, or a reason why not. The only way from an asker's words to the rewriter."""

from dataclasses import dataclass

from sqlglot import exp

from mesh_defs.errors import QueryRejectedError
from mesh_defs.model.partition import PARAMETERS
from mesh_defs.sql.allowlist import refuse_unreviewed
from mesh_defs.sql.place import place
from mesh_defs.sql.references import product_tables
from mesh_defs.sql.tree import read


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectStatement:
    """One SELECT that names only products, WITH names and reviewed functions.

    `products` and `parameters` (names of `$name`) stand in the order of first mention. Invariant: made by
    `parse_select`; nobody changes the tree (the rewriter works on a copy).
    """

    tree: exp.Query
    products: tuple[str, ...]
    parameters: tuple[str, ...]


def parse_select(sql: str) -> SelectStatement:
    """Parse DuckDB SQL: one SELECT, also WITH, set operations, VALUES, PIVOT with listed values, FROM first.

    Raises QueryRejectedError, with line and column where known, for everything else: it never guesses, never falls
    back, and never raises RecursionError. Pure; about 1 ms for three joined products.
    """
    tree = read(sql)
    parameters = _parameters(tree)
    refuse_unreviewed(tree)
    products = tuple(dict.fromkeys(product for product, _ in product_tables(tree)))
    return SelectStatement(tree=tree, products=products, parameters=parameters)


def parse_product(sql: str) -> SelectStatement:
    """Parse a `.sql` product. Same rules; the only parameters are those of its partition."""
    statement = parse_select(sql)
    for name in statement.parameters:
        if name not in PARAMETERS:
            what = f"${name} is not known when a product is made"
            raise QueryRejectedError(what, fix=f"use ${' or $'.join(PARAMETERS)}")
    return statement


def _parameters(tree: exp.Query) -> tuple[str, ...]:
    names = []
    for placeholder in tree.find_all(exp.Placeholder, bfs=False):
        if not placeholder.name.isidentifier():
            what = f"the parameter ${placeholder.name or '?'} has no name"
            raise QueryRejectedError(what, where=place(placeholder), fix="write $name for a parameter")
        names.append(placeholder.name)
    return tuple(dict.fromkeys(names))
