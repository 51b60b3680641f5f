"""Two answers that differ in a few persons tell about those, and so can more than two. Compares what is to be released with
all that was.

For each pair of groups, one new and one released, it counts the persons who are in one of them only, and those who add
different rows to the two; and it looks for combinations of groups, old and new, that come down to few persons. That a group
is withheld is an answer as well (Kenthapadi, Mishra and Nissim 2005): only noise is private.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import duckdb

from mesh_defs.cleanroom.combining import tells_of_few
from mesh_defs.cleanroom.join import Sides
from mesh_defs.cleanroom.threshold import Codes, among
from mesh_defs.model.room import Analysis, DimensionValue

# The cell that all groups of a release make together.
_WHOLE: Codes = (-1,)
_NEW = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """What was released before: the analysis and the values of the groups that were shown."""

    analysis: Analysis
    groups: tuple[tuple[DimensionValue, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """A release among those that are compared. `sides` are those of the extract that has the analysis' tables."""

    sides: Sides
    analysis: Analysis
    cells: tuple[Codes, ...]

    @property
    def counts_persons(self) -> bool:
        """Whether it tells how many persons there are."""
        return any(each.function == "reach" for each in self.analysis.aggregates)

    @property
    def counts_rows(self) -> bool:
        """Whether it tells anything that adds up over rows."""
        return any(each.function != "reach" for each in self.analysis.aggregates)


def too_close(
    new: Compared, released: Sequence[Compared], connection: duckdb.DuckDBPyConnection, *, persons_min: int
) -> frozenset[Codes]:
    """Return the new groups that, with released ones, tell of 1 to `persons_min` - 1 persons: all, when as a whole they do.

    `combining.TooManyError` when there is too much to compare.
    """
    if not released or not new.cells:
        return frozenset()
    _see(_NEW, new, connection)
    for number, each in enumerate(released, start=1):
        _see(number, each, connection)
    found = set(_close(new, released, connection, persons_min=persons_min))
    if _WHOLE in found:
        return frozenset(new.cells)
    rest = [cell for cell in new.cells if cell not in found]
    for kind, those in _comparable(new, released):
        found.update(_combined(kind, those, rest, connection, persons_min=persons_min))
    return frozenset(found)


def compared(sides: Sides, earlier: Earlier) -> Compared:
    """An earlier release, by today's codes."""
    domains = [sides.agreement.domain(field) for field in earlier.analysis.dimensions]
    cells = [tuple(domain.index(v) for domain, v in zip(domains, values, strict=True)) for values in earlier.groups]
    return Compared(sides=sides, analysis=earlier.analysis, cells=tuple(cells))


def _comparable(new: Compared, released: Sequence[Compared]) -> Iterator[tuple[str, list[int]]]:
    """What adds up together: persons, whatever was joined; rows, of the same tables."""
    if new.counts_persons:
        yield "person", [number for number, each in enumerate(released, 1) if each.counts_persons]
    if new.counts_rows:
        same = [n for n, each in enumerate(released, 1) if each.counts_rows and each.sides is new.sides]
        yield "person, class", same


def _combined(
    kind: str,
    those: Sequence[int],
    cells: Sequence[Codes],
    connection: duckdb.DuckDBPyConnection,
    *,
    persons_min: int,
) -> Iterator[Codes]:
    """Yield the new cells that cannot be added to the released ones; each is tried on its own only when not all can."""

    def tell(tried: Iterable[Codes]) -> bool:
        return _tell(kind, those, tried, connection, persons_min=persons_min)

    if not those or not cells or not tell(cells):
        return
    added: list[Codes] = []
    for cell in cells:
        if tell([*added, cell]):
            yield cell
        else:
            added.append(cell)


def _tell(
    kind: str,
    those: Sequence[int],
    tried: Iterable[Codes],
    connection: duckdb.DuckDBPyConnection,
    *,
    persons_min: int,
) -> bool:
    new = ", ".join(str(list(cell)) + "::SMALLINT[]" for cell in tried)
    chosen = f"release IN ({', '.join(map(str, those))}) OR (release = {_NEW} AND cell IN ({new}))"
    of = f"FROM {_ROWS} WHERE cell <> {list(_WHOLE)} AND ({chosen})"
    numbered = f"SELECT {kind}, dense_rank() OVER (ORDER BY release, cell) - 1 AS number {of}"
    covered = f"SELECT {kind}, list(DISTINCT number ORDER BY number) AS cells FROM ({numbered}) GROUP BY {kind}"
    classes = connection.execute(f"SELECT cells, count(DISTINCT person) FROM ({covered}) GROUP BY cells").fetchall()
    cells = 1 + max((max(each[0]) for each in classes), default=-1)
    return tells_of_few(classes, cells, persons_min)


def _close(
    new: Compared, released: Sequence[Compared], connection: duckdb.DuckDBPyConnection, *, persons_min: int
) -> Iterator[Codes]:
    for number, old in enumerate(released, start=1):
        persons, rows = new.counts_persons and old.counts_persons, new.counts_rows and old.counts_rows
        add = "print" if old.sides is new.sides else "n"
        pairs = connection.execute(_PAIRS.format(add=add, rows=_ROWS), {"old": number}).fetchall()
        for cell, one, other, both, same in pairs:
            apart = one + other - 2 * both
            differing = one + other - both - same
            if (persons and 0 < apart < persons_min) or (rows and 0 < differing < persons_min):
                yield tuple(cell)


_ROWS = "seen"
# Every pair of a new and an old cell: their sizes, the persons in both, and those who add the same to both.
_PAIRS = """
WITH added AS (
    SELECT release, cell, person, sum(n) AS n, string_agg(class || ':' || n, ',' ORDER BY class, n) AS print
    FROM {rows} WHERE release IN (0, $old) GROUP BY release, cell, person
),
new AS (SELECT cell, count(*) AS persons FROM added WHERE release = 0 GROUP BY cell),
old AS (SELECT cell, count(*) AS persons FROM added WHERE release <> 0 GROUP BY cell),
met AS (
    SELECT n.cell AS new, o.cell AS old, count(*) AS persons, count(*) FILTER (WHERE n.{add} = o.{add}) AS same
    FROM added AS n JOIN added AS o USING (person) WHERE n.release = 0 AND o.release <> 0 GROUP BY n.cell, o.cell
)
SELECT new.cell, new.persons, old.persons, coalesce(met.persons, 0), coalesce(met.same, 0)
FROM new CROSS JOIN old LEFT JOIN met ON met.new = new.cell AND met.old = old.cell
"""


def _see(number: int, release: Compared, connection: duckdb.DuckDBPyConnection) -> None:
    """Add to the relation (release, cell, person, class, n): each person's rows in each cell, and in all of them together.

    A class is of rows with the same values of the protected parties' dimensions.
    """
    groups = [f"g{n}" for n in range(len(release.analysis.dimensions))]
    cell = f"[{', '.join(groups)}]" if groups else "[]"
    where = among(release.analysis, release.cells) if release.cells else "false"
    rows = f"({_rows(release.sides, release.analysis)}) WHERE {where}"
    each = f"SELECT {number} AS release, {cell}::SMALLINT[] AS cell, person, class, n FROM {rows}"
    whole = f"SELECT {number}, {list(_WHOLE)}::SMALLINT[], person, class, n FROM {rows}"
    begin = f"CREATE OR REPLACE TEMP TABLE {_ROWS} AS" if number == _NEW else f"INSERT INTO {_ROWS}"
    connection.execute(f"{begin} {each} UNION ALL {whole}")


def _rows(sides: Sides, analysis: Analysis) -> str:
    """Each person's rows for an analysis: the group's codes, the class of the row, and how many there are."""
    groups = [f"{sides.column(field)} AS g{n}" for n, field in enumerate(analysis.dimensions)]
    classes = [sides.column(field) for field in sides.extract.dimensions if sides.party(field) != sides.analyst]
    class_ = f"concat_ws('|', {', '.join(classes)})" if classes else "''"
    shown = [f"{sides.person} AS person", *groups, f"{class_} AS class", f"CAST({sides.rows()} AS HUGEINT) AS n"]
    sources = {
        party: sides.chosen(analysis) if party == sides.analyst else f"SELECT * {sides.read(analysis, party)}"
        for party in sides.relations
    }
    return f"SELECT {', '.join(shown)} FROM {sides.joined(sources)}"
