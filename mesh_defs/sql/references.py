"""Which products a tree reads. A table's name is a product (two parts) or a WITH name that is in scope there; no other.

Scopes are DuckDB's: a WITH name is visible to the later ones beside it and to the query under it, never to itself,
except on the right of a recursive UNION. Elsewhere the engine would look the same name up in its catalog.
"""

import re
from collections.abc import Iterator

from sqlglot import exp

from mesh_defs.errors import QueryRejectedError
from mesh_defs.model.names import is_name
from mesh_defs.sql.place import place, snippet

REFERENCES_MAX = 256
# What the engine offers by one name: pins and its own views. No WITH may be called so, lest two scopes disagree.
_ENGINE_NAMES = re.compile(r"(pin|duckdb|pragma|pg|sqlite)_.*|information_schema|tables|columns")
_WITH_NAME = re.compile(r"\w[\w $-]*")
_TABLE_ARGUMENTS = frozenset({"this", "db", "catalog", "alias", "joins", "laterals", "pivots", "sample", "ordinality"})

_Scope = tuple[
    exp.Expr, frozenset[str], str | None
]  # a node, the WITH names it sees, one more that its right side sees


def product_tables(tree: exp.Expr) -> list[tuple[str, exp.Table]]:
    """Return (product, node) per reference to a product, in the order of the text.

    Raises QueryRejectedError for any table that is neither a product's name nor a WITH name in scope.
    """
    found = []
    pending: list[_Scope] = [(tree, frozenset(), None)]
    while pending:
        node, seen, recursive = pending.pop()
        if isinstance(node, exp.Table) and (product := _product(node, seen)):
            found.append((product, node))
            if len(found) > REFERENCES_MAX:
                what = f"the SQL reads products more than {REFERENCES_MAX} times"
                raise QueryRejectedError(what, where=place(node), fix="read each once, in a WITH")
        if with_ := node.args.get("with_"):
            seen = _enter(with_, seen, pending)
        for key, child in _children(node):
            beside = seen | {recursive} if recursive and key == "expression" else seen
            pending.append((child, beside, None))
    return sorted(found, key=lambda one: one[1].this.meta.get("start", 0))


def product_of(table: exp.Table) -> str | None:
    """Return the product that a checked table reads; None for a WITH name or a function."""
    return f"{table.db}.{table.name}".lower() if table.db else None


def folded(name: str) -> str:
    """Return a name as DuckDB compares it: letters A-Z only."""
    return name.lower() if name.isascii() else name


def _enter(with_: exp.With, seen: frozenset[str], pending: list[_Scope]) -> frozenset[str]:
    for cte in with_.expressions:
        name = _with_name(cte)
        looped = bool(with_.args.get("recursive")) and isinstance(cte.this, exp.SetOperation)
        pending.append((cte.this, seen, name if looped else None))
        pending.extend((child, seen, None) for key, child in _children(cte) if key != "this")
        seen = seen | {name}
    return seen


def _children(node: exp.Expr) -> Iterator[tuple[str, exp.Expr]]:
    for key, value in node.args.items():
        if key == "with_":
            continue
        for child in value if isinstance(value, list) else (value,):
            if isinstance(child, exp.Expr):
                yield key, child


def _with_name(cte: exp.CTE) -> str:
    name = folded(cte.alias)
    if _ENGINE_NAMES.fullmatch(name) or not _WITH_NAME.fullmatch(name):
        what = f"WITH cannot be called '{snippet(cte.alias)}'"
        raise QueryRejectedError(what, where=place(cte.args["alias"]), fix="choose another name: letters, digits and _")
    return name


def _product(table: exp.Table, seen: frozenset[str]) -> str | None:
    if unknown := [key for key, value in table.args.items() if value and key not in _TABLE_ARGUMENTS]:
        what = f"a product cannot be read with {unknown[0].upper()}"
        raise QueryRejectedError(what, where=place(table), fix="name the product alone: domain.product")
    if not isinstance(table.this, exp.Identifier):
        _refuse_schema(table)
        return None
    if table.args.get("ordinality"):
        what = f"'{snippet(table.name)}' has no order to number"
        raise QueryRejectedError(
            what, where=place(table), fix="leave WITH ORDINALITY out, or use row_number() OVER (…)"
        )
    if table.args.get("catalog"):
        what = f"'{snippet('.'.join(part.name for part in table.parts))}' has three parts or more"
        raise QueryRejectedError(what, where=place(table), fix="name a product with two: domain.product")
    if not table.args.get("db"):
        _refuse_unknown(table, seen)
        return None
    if not all(part.name.isascii() and is_name(part.name.lower()) for part in table.parts):
        what = f"'{snippet('.'.join(part.name for part in table.parts))}' is not a product's name"
        raise QueryRejectedError(what, where=place(table), fix="name it domain.product: letters, digits and _")
    return product_of(table)


def _refuse_schema(table: exp.Table) -> None:
    if table.args.get("db") or table.args.get("catalog"):
        what = f"{snippet(table.this.name)}(…) is named with a schema"
        raise QueryRejectedError(what, where=place(table), fix="write the function's plain name")


def _refuse_unknown(table: exp.Table, seen: frozenset[str]) -> None:
    name = table.name
    if folded(name) in seen:
        return
    if re.search(r"[/\\:*]|\.\w+$", name) and not re.fullmatch(r"\w+\.\w+", name):
        what, fix = f"'{snippet(name)}' is a file or an address", "read products: domain.product"
    elif "." in name:
        what, fix = f"'{snippet(name)}' is one quoted name", "quote each part on its own: " + '"domain"."product"'
    else:
        what, fix = f"there is no WITH '{snippet(name)}' here", f"name a product in full: domain.{snippet(name)}"
    raise QueryRejectedError(what, where=place(table), fix=fix)
