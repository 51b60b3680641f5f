"""The rows that access tests give: which of them a sight shows. Tried in DuckDB, by the SELECT that governs the product."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import duckdb

from mesh_defs.errors import MeshError
from mesh_defs.model.access import RowRule, View
from mesh_defs.model.names import quoted
from mesh_defs.model.version import Pin
from mesh_defs.review.side import Side
from mesh_defs.review.sight import Sight
from mesh_defs.sql.tree import write
from mesh_defs.sql.view import view_select

# No contract can have a column of this name.
_NUMBER = "__row"
_Row = tuple[tuple[str, Any], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """How many of the given rows these principals see: before, after, and how many came or went."""

    principals: tuple[str, ...]
    given: int
    before: int
    after: int
    came: int
    went: int


def together(tried: Iterable[Tried]) -> tuple[Tried, ...]:
    """Put together those who see the same numbers."""
    alike: dict[Tried, list[str]] = {}
    for each in tried:
        alike.setdefault(replace(each, principals=()), []).extend(each.principals)
    return tuple(replace(each, principals=tuple(sorted(who))) for each, who in alike.items())


@dataclass(frozen=True, kw_only=True)
class Fixtures:
    """The rows that the tests of a product give on either side, each once."""

    before: Side
    after: Side
    _rows: dict[str, list[_Row]] = field(default_factory=dict)
    _tables: dict[tuple[str, str], "_Table"] = field(default_factory=dict)
    _seen: dict[tuple[str, str, tuple[RowRule, ...]], frozenset[int] | None] = field(default_factory=dict)

    def tried(self, principal: str, product: str, was: Sight, now: Sight) -> tuple[Tried, ...]:
        """Compare what two sights show of the product's given rows; nothing where none is given or they cannot be tried."""
        rows = self._given(product)
        sides = ((self.before, was), (self.after, now))
        seen = [self._shown(side, product, sight) for side, sight in sides] if rows else [None, None]
        if seen[0] is None or seen[1] is None:
            return ()
        came, went = seen[1] - seen[0], seen[0] - seen[1]
        counts = {
            "given": len(rows),
            "before": len(seen[0]),
            "after": len(seen[1]),
            "came": len(came),
            "went": len(went),
        }
        return (Tried(principals=(principal,), **counts),)

    def _given(self, product: str) -> list[_Row]:
        """Those with a column that one side does not have cannot be compared."""
        if product not in self._rows:
            sides = (self.before, self.after)
            known = set.intersection(*(set(side.schema(product)) for side in sides if product in side.contracts))
            tests = [test for side in sides for test in side.tests if test.product == product]
            given = {repr(sorted(row.items())): tuple(row.items()) for test in tests for row in test.given}
            self._rows[product] = [row for row in given.values() if known.issuperset(dict(row))]
        return self._rows[product]

    def _shown(self, side: Side, product: str, sight: Sight) -> frozenset[int] | None:
        if sight.view is None:
            return frozenset()
        key = (side.name, product, sight.rules)
        if key not in self._seen:
            try:
                self._seen[key] = self._table(side, product).shown(sight.rules)
            except (MeshError, duckdb.Error):  # a given value that is none of its column's type
                self._seen[key] = None
        return self._seen[key]

    def _table(self, side: Side, product: str) -> "_Table":
        key = (side.name, product)
        if key not in self._tables:
            self._tables[key] = _table(side.schema(product), product, self._given(product))
        return self._tables[key]


@dataclass(frozen=True, kw_only=True)
class _Table:
    """The given rows of a product as a version of it would hold them, numbered."""

    connection: duckdb.DuckDBPyConnection
    pin: Pin

    def shown(self, rules: tuple[RowRule, ...]) -> frozenset[int]:
        """Numbers of the rows that fulfil the rules."""
        select = write(view_select(self.pin, View(grant="given", rules=rules), "given"))
        return frozenset(row[0] for row in self.connection.execute(select).fetchall())


def _table(schema: Mapping[str, str], product: str, rows: list[_Row]) -> _Table:
    columns = {_NUMBER: "INTEGER", **schema}
    pin = Pin(
        product=product,
        version="given",
        kind="duckdb",
        locations=(),
        columns=columns,
        rows=len(rows),
        bytes=0,
        published_at=datetime.min.replace(tzinfo=UTC),
    )
    connection = duckdb.connect(config={"enable_external_access": False})
    listed = ", ".join(f"{quoted(name)} {type_}" for name, type_ in columns.items())
    connection.execute(f"CREATE TABLE {quoted(pin.relation)} ({listed})")
    marks = ", ".join("?" for _ in columns)
    for number, row in enumerate(rows):
        values = {_NUMBER: number, **dict(row)}
        given = [values.get(name) for name in columns]
        connection.execute(f"INSERT INTO {quoted(pin.relation)} VALUES ({marks})", given)
    return _Table(connection=connection, pin=pin)
