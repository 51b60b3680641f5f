"""From a governed text that DuckDB has verified to the text that Trino runs: the same meaning, or a refusal by name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlglot import ErrorLevel, exp
from sqlglot.dialects.trino import Trino

from mesh_defs.errors import QueryRejectedError
from mesh_defs.model.query import GovernedSQL, TrinoTable
from mesh_defs.sql.limits import too_deep
from mesh_defs.sql.rewrite import inlined
from mesh_defs.sql.translation.nodes import refuse_untried
from mesh_defs.sql.translation.queries import Queries
from mesh_defs.sql.translation.tables import Pinned
from mesh_defs.sql.tree import reread

# Trino refuses a text of more than a million characters.
CHARACTERS_MAX = 900_000
_DIALECT = Trino()


@dataclass(frozen=True, slots=True, kw_only=True)
class TrinoSQL:
    """What runs on Trino. `guards`: of each product with hidden rows, the SELECT that shows the others, by itself;
    `tables`: all that the text may read."""

    text: str
    guards: Mapping[str, str]
    tables: frozenset[TrinoTable]


def translate(
    governed: GovernedSQL,
    parameters: Mapping[str, Any],
    tables: Mapping[str, Sequence[TrinoTable]],
    types: Sequence[str],
) -> TrinoSQL:
    """Return the text over `tables` (by product) whose columns have the DuckDB `types`, which DuckDB found for the answer.

    QueryRejectedError for what was not tried to mean the same on both engines. Pure; about 2 ms for three joined products.
    """
    pinned = {pin.relation: Pinned(pin=pin, tables=tuple(tables[pin.product])) for pin in governed.pins}
    queries = Queries(pinned)
    try:
        asked = reread(inlined(governed, parameters).text)
        refuse_untried(asked)
        tree, _ = queries.query(asked, None, {}, types)
        text, guards = written(tree), {product: written(guard) for product, guard in queries.guards.items()}
    except RecursionError:
        raise too_deep() from None
    if len(text) > CHARACTERS_MAX:
        what = f"on Trino the SQL would have {len(text):,} characters; the limit is {CHARACTERS_MAX:,}"
        raise QueryRejectedError(what, fix="ask in smaller steps, or with --engine duckdb")
    return TrinoSQL(text=text, guards=guards, tables=frozenset(each for some in tables.values() for each in some))


def written(tree: exp.Expr) -> str:
    """Return Trino's text of a tree of its SQL."""
    return _DIALECT.generate(
        tree, copy=True, comments=False, normalize_functions=False, unsupported_level=ErrorLevel.RAISE
    )
