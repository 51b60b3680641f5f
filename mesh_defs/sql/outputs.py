"""Output columns as values, and how queries put them together. What a name stands for is `sql.scopes`."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlglot import exp

from mesh_defs.sql.references import folded

# (product, column, passed through unchanged?) of each product's column that a value is made from.
Sources = frozenset[tuple[str, str, bool]]
NOTHING: Sources = frozenset()


class Unresolved(Exception):
    """Something whose sources cannot be told for certain; the message says what. Never leaves `sql`."""


@dataclass(frozen=True, slots=True)
class Output:
    """A column of a query or of a relation. `name` is None when only the engine knows what it is called."""

    name: str | None
    sources: Sources


Outputs = tuple[Output, ...]


def transformed(*parts: Sources) -> Sources:
    """Sources of a value that is computed from others."""
    return frozenset((product, column, False) for part in parts for product, column, _ in part)


def together(outputs: Iterable[Output]) -> Sources:
    """Sources of several columns at once."""
    return NOTHING.union(*(output.sources for output in outputs))


def united(left: Outputs, right: Outputs) -> Outputs:
    """The columns of a set operation, matched by position."""
    if len(left) != len(right):
        raise Unresolved("the sides of a set operation have different numbers of columns")
    return tuple(Output(one.name, one.sources | two.sources) for one, two in zip(left, right, strict=True))


def united_by_name(left: Outputs, right: Outputs) -> Outputs:
    """The columns of UNION BY NAME: the left side's, then those that only the right side has."""
    sides = [{folded(output.name): output for output in side if output.name} for side in (left, right)]
    if len(sides[0]) != len(left) or len(sides[1]) != len(right):
        raise Unresolved("UNION BY NAME of columns without certain names is not traced")
    names = {**sides[0], **{name: output for name, output in sides[1].items() if name not in sides[0]}}
    return tuple(
        Output(output.name, together(side[name] for side in sides if name in side)) for name, output in names.items()
    )


def renamed(outputs: Sequence[Output], alias: exp.Expr | None) -> Outputs:
    """The columns under the names that an alias gives the first of them: t(a, b)."""
    columns = alias.args.get("columns") or () if alias else ()
    if len(columns) > len(outputs):
        raise Unresolved("an alias names more columns than there are")
    named = tuple(Output(column.name, output.sources) for column, output in zip(columns, outputs, strict=False))
    return named + tuple(outputs[len(named) :])


def ordinal(node: exp.Expr, outputs: Sequence[Output]) -> Sources | None:
    """Sources of the column that a number in GROUP BY or ORDER BY counts to; None when it is no number."""
    if not isinstance(node, exp.Literal) or node.is_string:
        return None
    place = int(node.this) if node.this.isdigit() else 0
    if not 1 <= place <= len(outputs):
        raise Unresolved(f"there is no column {node.this}")
    return outputs[place - 1].sources
