"""What a guard shows: of one product, by one decision, the columns and masks, and the condition of its rows.

The one place where row rules and masks become Trino's: for a text that passes the door, and for a Trino that enforces
them itself (`sql.translation.native`).
"""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlglot import exp

from mesh_defs.sql.references import folded
from mesh_defs.sql.tokens import DIALECT
from mesh_defs.sql.translation.expressions import Expressions
from mesh_defs.sql.translation.scope import Scope
from mesh_defs.sql.translation.values import Value, trino_type
from mesh_defs.sql.types import duckdb_type


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownColumn:
    """A column under its own name. `value` is None for one of a type that Trino does not keep: who names it is refused.

    `masked`: something else stands there than what is stored.
    """

    name: str
    type: str
    value: Value | None
    masked: bool


def shown(guard: exp.Select, scope: Scope, expressions: Expressions) -> Iterator[ShownColumn]:
    """Yield the columns of a guard; its relation is the scope's one. QueryRejectedError for what was not tried."""
    for projection in guard.expressions:
        source, name = projection.unalias(), projection.alias_or_name
        masked = isinstance(projection, exp.Alias)
        raw = scope.relations[0].find(folded(source.name)) if isinstance(source, exp.Column) else None
        unkept = raw.type if raw and raw.column is None else _unkept(source)
        if unkept:
            yield ShownColumn(name=name, type=unkept, value=None, masked=masked)
            continue
        value = expressions.value(source, scope)
        yield ShownColumn(name=name, type=value.type, value=value, masked=masked)


def condition(guard: exp.Select, scope: Scope, expressions: Expressions) -> exp.Expr | None:
    """Return what a row must fulfil; None for a guard that hides none."""
    where = guard.args.get("where")
    return expressions.condition(where.this, scope) if where else None


def _unkept(source: exp.Expr) -> str | None:
    """The type of a NULL that stands for a value of a type which Trino does not keep."""
    if not isinstance(source, exp.Cast) or not isinstance(source.this, exp.Null):
        return None
    written = source.to.sql(DIALECT)
    type_ = duckdb_type(written) or written
    return None if trino_type(type_) else type_
