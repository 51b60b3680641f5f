"""The threshold level: groups of enough persons, none of whom has most of it, and none to be told by what is missing.

Trust and audit, not privacy: answers about the same persons can be combined in ways that no threshold sees.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import duckdb

from mesh_defs.cleanroom.join import CONTRIBUTIONS
from mesh_defs.cleanroom.rules import Terms
from mesh_defs.model.room import Aggregate, Agreement, Analysis, Group, Number, Why, Withheld

Codes = tuple[int, ...]
_MILLION = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One group as it is, before it is known whether it may be shown.

    `fewest`: persons who have anything to add, by the aggregate to which the fewest have. `shares`: of each aggregate, the
    largest person's part and the whole.
    """

    codes: Codes
    persons: int
    fewest: int
    rows: int
    totals: tuple[tuple[int, int], ...]
    shares: tuple[tuple[int, int], ...]


def cells_of(analysis: Analysis, connection: duckdb.DuckDBPyConnection) -> dict[Codes, Cell]:
    """Add up the contributions by group: all groups that anybody is in, by their codes."""
    return {cell.codes: cell for cell in _cells(analysis, connection, by_group=True)}


def unfit(cell: Cell, terms: Terms) -> Why | None:
    """Why a group by itself may not be shown; None when it may."""
    if cell.fewest < terms.persons_min:
        return "small"
    limit = round(terms.dominance_max * _MILLION)
    if any(largest * _MILLION > limit * whole for largest, whole in cell.shares):
        return "dominated"
    return None


def complement(
    analysis: Analysis,
    cells: Mapping[Codes, Cell],
    hidden: Iterable[Codes],
    terms: Terms,
    connection: duckdb.DuckDBPyConnection,
) -> Iterator[Codes]:
    """Yield further groups to hide, the smallest first, until what is hidden would be fit to be shown as one group.

    Else it could be told from a total less the groups that are shown.
    """
    hidden = set(hidden)
    shown = sorted(
        (cell for code, cell in cells.items() if code not in hidden), key=lambda cell: (cell.persons, cell.codes)
    )
    while hidden and shown and "complementary" not in terms.waived:
        (together,) = _cells(analysis, connection, by_group=False, only=hidden)
        if unfit(together, terms) is None:
            return
        further = shown.pop(0).codes
        hidden.add(further)
        yield further


def group_of(cell: Cell, analysis: Analysis, agreement: Agreement) -> Group:
    """A cell as it is released."""
    return Group(
        values=values_of(cell.codes, analysis, agreement),
        numbers=tuple(_number(each, cell, analysis, agreement) for each in analysis.aggregates),
    )


def withheld_of(codes: Codes, because: Why, analysis: Analysis, agreement: Agreement) -> Withheld:
    """A cell as it is recorded with the protected parties."""
    return Withheld(values=values_of(codes, analysis, agreement), because=because)


def values_of(codes: Codes, analysis: Analysis, agreement: Agreement) -> tuple[str | int, ...]:
    """The public values that codes stand for."""
    return tuple(agreement.domain(field)[code] for field, code in zip(analysis.dimensions, codes, strict=True))


def among(analysis: Analysis, only: Iterable[Codes] | None) -> str:
    """The condition that a row is of one of these groups; of any, for None."""
    if only is None or not analysis.dimensions:
        return "true"
    keys = ", ".join(f"g{n}" for n in range(len(analysis.dimensions)))
    listed = [f"({', '.join(map(str, codes))})" for codes in sorted(only)]
    return f"({keys}) IN ({', '.join(listed)})"


def _cells(
    analysis: Analysis, connection: duckdb.DuckDBPyConnection, *, by_group: bool, only: Iterable[Codes] | None = None
) -> Iterator[Cell]:
    """Over several groups together persons are summed first: within a group each has one row (`join.contribute`)."""
    keys = [f"g{n}" for n in range(len(analysis.dimensions))] if by_group else []
    measures = range(len(analysis.measures))
    persons = f"SELECT * FROM {CONTRIBUTIONS} WHERE {among(analysis, only)}"
    if not by_group:
        summed = ["sum(n) AS n", *(f"sum({kind}{number}) AS {kind}{number}" for number in measures for kind in "sc")]
        persons = f"SELECT {', '.join(summed)} FROM ({persons}) GROUP BY person"
    totals = ["count(*)", "sum(n)", "max(n)"]
    for number in measures:
        totals += [f"sum(s{number})", f"sum(c{number})", f"max(abs(s{number}))", f"sum(abs(s{number}))"]
        totals.append(f"count(*) FILTER (WHERE c{number} > 0)")
    group = f"GROUP BY {', '.join(keys)}" if keys else ""
    rows = connection.execute(f"SELECT {', '.join([*keys, *totals])} FROM ({persons}) {group} HAVING count(*) > 0")
    for row in rows.fetchall():
        yield _cell(row[: len(keys)], list(map(_whole, row[len(keys) :])), analysis)


def _cell(codes: Codes, numbers: list[int | None], analysis: Analysis) -> Cell:
    persons, rows, most_rows = (number or 0 for number in numbers[:3])
    measured = [[each or 0 for each in numbers[3 + 5 * n : 8 + 5 * n]] for n in range(len(analysis.measures))]
    shares = [(most_rows, rows)] if any(each.function == "count" for each in analysis.aggregates) else []
    shares += [(largest, whole) for _, _, largest, whole, _ in measured]
    return Cell(
        codes=tuple(codes),
        persons=persons,
        fewest=min([persons, *(having for *_, having in measured)]),
        rows=rows,
        totals=tuple((total, values) for total, values, *_ in measured),
        shares=tuple(shares),
    )


def _number(aggregate: Aggregate, cell: Cell, analysis: Analysis, agreement: Agreement) -> Number | None:
    if aggregate.field is None:
        return cell.rows if aggregate.function == "count" else cell.persons
    total, values = cell.totals[analysis.measures.index(aggregate.field)]
    if not values:
        return None
    return agreement.measure(aggregate.field).shown(total / values if aggregate.function == "avg" else total)


def _whole(number: Any) -> int | None:
    return None if number is None else int(number)
