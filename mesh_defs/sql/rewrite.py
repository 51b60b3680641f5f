"""From a SELECT over products to the SQL that runs: each product becomes a filtered, masked subquery over its pin.

The only module that makes a GovernedSQL. What the principal may see of the products is decided before.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from sqlglot import exp

from mesh_defs.errors import QueryRejectedError
from mesh_defs.model.access import View
from mesh_defs.model.names import is_name, quoted
from mesh_defs.model.query import GovernedSQL
from mesh_defs.model.version import Pin
from mesh_defs.sql.bounded import is_bounded
from mesh_defs.sql.parse import SelectStatement
from mesh_defs.sql.place import place
from mesh_defs.sql.references import folded, product_of
from mesh_defs.sql.tree import reads_back, reread, write
from mesh_defs.sql.uniform import put
from mesh_defs.sql.used import used_columns, used_names
from mesh_defs.sql.view import Guard, guard_of

NO_PARAMETERS: Mapping[str, Any] = {}
_MOVED = ("joins", "laterals", "pivots", "sample")


def govern(
    statement: SelectStatement,
    pins: Mapping[str, Pin],
    views: Mapping[str, View],
    parameters: Mapping[str, Any] = NO_PARAMETERS,
) -> GovernedSQL:
    """Return the SQL that reads each product from its pin's relation as its view shows it, and nothing else.

    `pins` and `views` are by product and must hold every product of the statement (KeyError: the caller's fault). The
    text is generated from the tree, with a stand-in for each product, and read again; should that give another tree,
    QueryRejectedError. AccessDeniedError when a pinned version lacks a column of a rule. Pure; about 1 ms for three
    joined products.
    """
    tree = statement.tree.copy()
    _name_subqueries(tree)
    _unqualify_columns(tree)
    private = _private_alias(tree, pins)
    guards = {name: guard_of(pins[name], views[name], private) for name in statement.products}
    hiding = any(views[product].rules for product in statement.products)
    return GovernedSQL(
        text=_guarded(tree, private, guards),
        pins=tuple(pins[product] for product in statement.products),
        guards={product: guard.text for product, guard in guards.items()},
        visible=_visible(guards.values(), statement.tree) if hiding else {},
        alone=hiding and not is_bounded(statement.tree, parameters),
    )


def repinned(governed: GovernedSQL, pins: tuple[Pin, ...]) -> GovernedSQL:
    """Return the same text over other versions of the same products, which have the same columns."""
    return replace(governed, pins=pins)


def inlined(governed: GovernedSQL, parameters: Mapping[str, Any]) -> GovernedSQL:
    """Return it with the parameters' values in their places: what an engine can plan without running it."""
    if not parameters:
        return governed
    tree = reread(governed.text)
    for placeholder in list(tree.find_all(exp.Placeholder)):
        put(placeholder, exp.convert(parameters[placeholder.name]))
    return replace(governed, text=write(tree))


def _guarded(tree: exp.Query, private: str, guards: Mapping[str, Guard]) -> str:
    """The text with a guard wherever it names a product: written and read again with stand-ins, as guards were alone."""
    tables = [(table, product) for table in tree.find_all(exp.Table) if (product := product_of(table))]
    for table, product in tables:
        put(table, _subquery(table, exp.Select(expressions=[exp.Column(this=_quoted(f"{private} {product}"))])))
    text = write(tree)
    stand_in = re.compile(f'SELECT "{private} ([^"]+)"')
    if not reads_back(tree, text) or len(stand_in.findall(text)) != len(tables):
        what = "the SQL has a form whose meaning may change when it is rewritten"
        raise QueryRejectedError(what, fix="put brackets around mixed operators, or say it in a simpler form")
    return stand_in.sub(lambda found: guards[found[1]].text, text)


def _visible(guards: Iterable[Guard], asked: exp.Expr) -> dict[str, str]:
    names = used_names(asked)
    used = {guard.text: ", ".join(map(quoted, used_columns(names, guard.columns))) for guard in guards}
    return {text: f"SELECT {columns} FROM ({text})" for text, columns in used.items()}


def _subquery(table: exp.Table, select: exp.Select) -> exp.Subquery:
    alias = table.args.get("alias") or exp.TableAlias()
    if not alias.this:
        alias.set("this", _quoted(table.name))
    moved = {key: table.args.get(key) for key in _MOVED}
    return exp.Subquery(this=select, alias=alias, **moved)


def _private_alias(tree: exp.Expr, pins: Mapping[str, Pin]) -> str:
    """A name that stands nowhere in the asker's text, so that nothing of theirs can stand in for a lost column."""
    taken = {folded(name.name) for name in tree.find_all(exp.Identifier)}
    taken.update(name for pin in pins.values() for name in pin.columns)
    number = 0
    while f"governed_{number}" in taken:
        number += 1
    return f"governed_{number}"


def _name_subqueries(tree: exp.Expr) -> None:
    """Name a column that holds a subquery by what was asked, else the engine names it by what runs: pins and rules."""
    for select in tree.find_all(exp.Select):
        for projection in select.expressions:
            if not isinstance(projection, exp.Alias) and any(
                product_of(table) for table in projection.find_all(exp.Table)
            ):
                asked = projection.copy()
                for name in asked.find_all(exp.Identifier):
                    name.set("quoted", not is_name(name.name))
                named = exp.Alias(alias=_quoted(write(asked)))
                put(projection, named)
                named.set("this", projection)


def _unqualify_columns(tree: exp.Expr) -> None:
    """events.impressions.person_id -> impressions.person_id: the engine has no schema of that name."""
    bare = Counter(product for table in tree.find_all(exp.Table) if not table.alias and (product := product_of(table)))
    if not bare:
        return
    taken = Counter(_relation_names(tree))
    for node in tree.find_all(exp.Column):
        parts = node.parts
        product = ".".join(folded(part.name) for part in parts[:2])
        if len(parts) < 3 or product not in bare:
            continue
        name = folded(parts[1].name)
        if taken[name] > bare[product]:
            what = f"{product} is not the only '{name}' here"
            raise QueryRejectedError(what, where=place(node), fix=f"give it another alias: FROM {product} AS …")
        node.set("catalog" if len(parts) == 4 else "db", None)


def _relation_names(tree: exp.Expr) -> Iterator[str]:
    for relation in tree.find_all(exp.Table, exp.Subquery, exp.Values, exp.Lateral, exp.Pivot):
        alias = relation.alias or (relation.name if isinstance(relation, exp.Table) else "")
        yield folded(alias)


def _quoted(name: str) -> exp.Identifier:
    return exp.to_identifier(name, quoted=True)
