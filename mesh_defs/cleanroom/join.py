"""Adds up what the parties sent. Knows tokens, codes and numbers; holds no credential, no key and no name of a person.

An in-memory DuckDB that can open nothing. Every name in its SQL is made here.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mesh_defs.cleanroom.added import TOKEN_BYTES, differ, sortable, token_order
from mesh_defs.cleanroom.extract import Extract
from mesh_defs.model.room import Agreement, Analysis, DimensionValue, Field
from mesh_defs.sql.partial import TOKEN

Partials = Mapping[str, pa.Table]
CONTRIBUTIONS = "contributions"
# What is known of a table because it was looked at (`parcel.unwrapped`); nothing that anybody sent.
ONCE = {b"rows": b"each person once for each combination of codes"}
# The engine reads each piece of a table in one thread.
_PIECE_ROWS = 122_880
_LOCKED = (
    "SET preserve_insertion_order = false",  # of no use here, and half of what writing `contributions` takes
    "SET enable_external_access = false",
    "SET lock_configuration = true",
)


@contextmanager
def joining(threads: int = 2) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open an engine that can read and write nothing but what it is given."""
    connection = duckdb.connect(":memory:", config={"threads": threads})
    try:
        for each in _LOCKED:
            connection.execute(each)
        yield connection
    finally:
        connection.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """One extract's partials in the engine, and how an analysis reads them. `relations`: of each party that has tables in it.

    `once`: whose partial is known to have each person once for each combination of codes. `whole`: a type of whole numbers
    that holds every product of what they sent.
    """

    extract: Extract
    agreement: Agreement
    analyst: str
    relations: Mapping[str, str]
    once: frozenset[str]
    whole: str

    @property
    def protected(self) -> tuple[str, ...]:
        """Parties whose rows are counted and added up."""
        return tuple(party for party in self.relations if party != self.analyst)

    def code(self, field: Field) -> str:
        """The column of a dimension's code in its party's partial."""
        own = [each for each in self.extract.dimensions if self.party(each) == self.party(field)]
        return f"d{own.index(field)}"

    def party(self, field: Field) -> str:
        """Whose column it is."""
        (party,) = (table.party for table in self.agreement.tables if table.name == field.table)
        return party

    def codes(self, field: Field, values: Sequence[DimensionValue]) -> str:
        """The codes of these values, for IN."""
        domain = self.agreement.domain(field)
        return ", ".join(str(domain.index(value)) for value in values)

    def column(self, field: Field) -> str:
        """A dimension's code where `joined` joins the partials."""
        return f"{self.alias(self.party(field))}.{self.code(field)}"

    def alias(self, party: str) -> str:
        """A party's partial where `joined` joins them."""
        return f"p{list(self.relations).index(party)}"

    @property
    def person(self) -> str:
        """The token where `joined` joins the partials."""
        return f"{self.alias(next(iter(self.relations)))}.token"

    def rows(self, *, but: str | None = None) -> str:
        """How many rows a row of the join stands for: the product of the protected parties', of all or but one."""
        return " * ".join(f"{self.alias(party)}.n" for party in self.protected if party != but) or "1"

    def joined(self, sources: Mapping[str, str]) -> str:
        """FROM of all parties' sources (SELECTs), by the person."""
        first, *further = [f"({sources[party]}) AS {self.alias(party)}" for party in self.relations]
        return first + "".join(f" JOIN {each} USING (token)" for each in further)

    def chosen(self, analysis: Analysis) -> str:
        """SELECT of whoever asks: each person once for each of the analysis' own groups."""
        distinct = "" if self.as_it_is(analysis, self.analyst) else "DISTINCT "
        return f"SELECT {distinct}{', '.join(self.own_columns(analysis, self.analyst))} {self.read(analysis, self.analyst)}"

    def as_it_is(self, analysis: Analysis, party: str) -> bool:
        """Whether a party's partial has each person once for each of the analysis' own groups: it has no other dimensions."""
        others = set(self.extract.dimensions) - set(analysis.dimensions)
        return party in self.once and all(self.party(field) != party for field in others)

    def measures(self, party: str) -> int:
        """How many measures a party's partial has."""
        return sum(self.party(field) == party for field in self.extract.measures)

    def own_columns(self, analysis: Analysis, party: str) -> list[str]:
        """The token and the codes of the analysis' dimensions that are a party's, in its partial."""
        return ["token", *(self.code(field) for field in analysis.dimensions if self.party(field) == party)]

    def read(self, analysis: Analysis, party: str) -> str:
        """FROM and WHERE of a party's partial, for an analysis."""
        return f"FROM {self.relations[party]} WHERE {self.conditions(analysis, party)}"

    def conditions(self, analysis: Analysis, party: str) -> str:
        """What a party's row must fulfil to count for an analysis: filters, and public values where groups are made."""
        chosen = dict(analysis.filters)
        return _all(
            f"{self.code(field)} IN ({self.codes(field, chosen.get(field, self.agreement.domain(field)))})"
            for field in sorted({*analysis.dimensions, *chosen})
            if self.party(field) == party
        )


def sides_of(
    extract: Extract,
    partials: Partials,
    agreement: Agreement,
    analyst: str,
    connection: duckdb.DuckDBPyConnection,
    *,
    number: int,
) -> Sides:
    """Give the engine one extract's partials; `number` keeps them apart from other extracts'."""
    relations = {}
    for place, (party, table) in enumerate(sorted(partials.items())):
        relations[party] = f"partial_{number}_{place}"
        connection.register(relations[party], pa.Table.from_batches(table.to_batches(_PIECE_ROWS), table.schema))
    once = frozenset(party for party, table in partials.items() if (table.schema.metadata or {}) == ONCE)
    whole = _whole([table for party, table in partials.items() if party != analyst])
    return Sides(extract=extract, agreement=agreement, analyst=analyst, relations=relations, once=once, whole=whole)


def numbered(partials: Sequence[Partials]) -> list[Partials]:
    """Give each token a number, the same in all partials of a run: persons are told apart by it at a third of the cost.

    A number depends on everybody's tokens. What must depend on a person's own rows alone, as noise does, is for `spelt`.
    """
    chunks = [chunk for column in _tokens(partials) for chunk in column.chunks]
    spelt = [np.frombuffer(chunk.dictionary.buffers()[1] or b"", f"V{TOKEN_BYTES}") for chunk in chunks]
    tokens = np.concatenate([*spelt, np.empty(0, f"V{TOKEN_BYTES}")])
    order = token_order(tokens, stable=True)
    numbers = np.empty(len(tokens), "i4")
    numbers[order] = np.cumsum(differ([each[order] for each in sortable(tokens)])) - 1
    each = np.split(numbers, np.cumsum([len(one) for one in spelt]))
    indices = [pa.array(own[np.asarray(chunk.indices)]) for own, chunk in zip(each, chunks, strict=False)]
    return _with_tokens(partials, indices, pa.int32())


def spelt(partials: Sequence[Partials]) -> list[Partials]:
    """Tokens as they are in each row, not by a dictionary (`parcel.unwrapped`): DuckDB 1.5.5 reads none of bytes."""
    chunks = [chunk.dictionary_decode() for column in _tokens(partials) for chunk in column.chunks]
    return _with_tokens(partials, chunks, pa.binary(TOKEN_BYTES))


def contribute(
    sides: Sides, analysis: Analysis, connection: duckdb.DuckDBPyConnection, *, read_once: bool = False
) -> None:
    """Make the relation `contributions`: what each person adds to each group.

    Columns: `person` (its token), g0, g1, … (codes in the order of the analysis' dimensions), `n` rows, and for each of its
    measures in order the sum s0, … and the number of values c0, …, which count as often as the other parties' rows have it.
    Whoever asks has each person once in each group. `read_once`: it need not be kept, which is a fifth of the work.
    """
    sources = {party: _projected(sides, analysis, party) for party in sides.relations}
    groups = [f"{sides.column(field)} AS g{n}" for n, field in enumerate(analysis.dimensions)]
    shown = [f"{sides.person} AS person", *groups, f"CAST({sides.rows()} AS {sides.whole}) AS n"]
    for number, field in enumerate(analysis.measures):
        party = sides.party(field)
        own = [each for each in sides.extract.measures if sides.party(each) == party].index(field)
        shown += [
            f"CAST({sides.alias(party)}.{kind}{own} * {sides.rows(but=party)} AS {sides.whole}) AS {kind}{number}"
            for kind in "sc"
        ]
    selected = f"SELECT {', '.join(shown)} FROM {sides.joined(sources)}"
    kind = "VIEW" if read_once else "TABLE"
    connection.execute(f"CREATE OR REPLACE TEMP {kind} {CONTRIBUTIONS} AS {selected}")


def _projected(sides: Sides, analysis: Analysis, party: str) -> str:
    """A party's partial with each person once for each of the analysis' own groups, of which the extract may have more.

    Adding up what is so already takes half the time of a run.
    """
    if party == sides.analyst:
        return sides.chosen(analysis)
    columns = ", ".join(sides.own_columns(analysis, party))
    sums = [f"{kind}{n}" for n in range(sides.measures(party)) for kind in "sc"]
    if sides.as_it_is(analysis, party):
        shown = [f"CAST({each} AS {sides.whole}) AS {each}" for each in ("n", *sums)]
        return f"SELECT {columns}, {', '.join(shown)} {sides.read(analysis, party)}"
    totals = [f"CAST(sum({each}) AS {sides.whole}) AS {each}" for each in ("n", *sums)]
    return f"SELECT {columns}, {', '.join(totals)} {sides.read(analysis, party)} GROUP BY {columns}"


def _tokens(partials: Sequence[Partials]) -> list[Any]:
    return [table.column(TOKEN) for each in partials for table in each.values()]


def _with_tokens(partials: Sequence[Partials], chunks: Sequence[Any], type_: pa.DataType) -> list[Partials]:
    """The partials with these in the place of all chunks of their tokens, in order."""
    rest = iter(chunks)

    def replaced(table: pa.Table) -> pa.Table:
        own = [next(rest) for _ in table.column(TOKEN).chunks]
        return table.set_column(0, TOKEN, pa.chunked_array(own, cast(Any, type_)))

    return [{party: replaced(table) for party, table in each.items()} for each in partials]


def _whole(protected: Sequence[pa.Table]) -> str:
    """BIGINT where it holds the product of all that each party's rows come to; HUGEINT, which takes twice the time, else."""
    most = 1
    for table in protected:
        numbers = [table.column(name) for name in table.column_names if name != TOKEN]
        if any(pa.types.is_decimal(column.type) for column in numbers):
            return "HUGEINT"
        ends: list[Any] = [pc.min_max(column)[end].as_py() for column in numbers for end in ("min", "max")]
        most *= max(1, len(table)) * max(1, *(abs(end or 0) for end in ends))
    return "BIGINT" if most < 1 << 63 else "HUGEINT"


def _all(conditions: Iterator[str]) -> str:
    return " AND ".join(conditions) or "true"
