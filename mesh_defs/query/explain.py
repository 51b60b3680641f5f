"""EXPLAIN and DESCRIBE, answered by the platform itself: how a question is governed, and the columns of its answer."""

from collections.abc import Iterator, Mapping, Sequence

import pyarrow as pa

from mesh_defs.model.access import Decision, Mask, View
from mesh_defs.model.query import QueryPlan
from mesh_defs.model.version import Pin

_SHOWN = {"null": "empty", "deny": "left out", "token": "a keyed token", "constant": "a constant"}


class Told:
    """An answer that no engine computes, in the shape of a running query."""

    def __init__(self, table: pa.Table) -> None:
        self._table = table

    @property
    def schema(self) -> pa.Schema:
        """Columns of the answer."""
        return self._table.schema

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the answer."""
        yield from self._table.to_batches()

    def close(self) -> None:
        """Nothing is held."""


def described(columns: Sequence[tuple[str, str]]) -> Told:
    """One row per column of the answer, in the six columns of DuckDB's DESCRIBE of a query."""
    unknown = pa.nulls(len(columns), pa.string())
    names, types = ([each[place] for each in columns] for place in (0, 1))
    told = {"column_name": names, "column_type": types, "null": ["YES"] * len(columns)}
    return Told(pa.table(told | {"key": unknown, "default": unknown, "extra": unknown}))


def explained(pins: Mapping[str, Pin], decision: Decision, plan: QueryPlan) -> Told:
    """One row per product and thing that the door does with it, then the engine. Tells the asker's own view, but no place and
    no rule's text."""
    lines: list[tuple[str | None, str, str]] = [
        (name, kind, text) for name, pin in pins.items() for kind, text in _lines(pin, decision.views[name])
    ]
    named = zip(*lines, (None, "engine", f"{plan.engine}: {plan.because}"), strict=True)
    return Told(pa.table(dict(zip(("product", "step", "detail"), map(list, named), strict=True))))


def _lines(pin: Pin, view: View) -> Iterator[tuple[str, str]]:
    yield "read", f"version {pin.version} of {pin.published_at:%Y-%m-%d %H:%M} UTC, in {pin.kind}"
    yield "grant", f"'{view.grant}'" + (f", until {view.until:%Y-%m-%d %H:%M} UTC" if view.until else "")
    if view.rules:
        sources = " and ".join(rule.source for rule in view.rules)
        yield "rows", f"those that {sources} lets you see; by which rule: mesh access why {pin.product}"
    for column, mask in view.masks.items():
        yield "mask", f"{column}: {mask_in_words(mask)}"


def mask_in_words(mask: Mask) -> str:
    """What a reader sees in the column."""
    if mask.kind == "truncate":
        return f"its first {mask.value} characters" if isinstance(mask.value, int) else f"up to the {mask.value}"
    return _SHOWN[mask.kind]
