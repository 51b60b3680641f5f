"""Two answers that differ in a few persons tell about those. Compares what is to be released with all that was.

For each pair of groups, one new and one released, it counts the persons who are in one of them only, and those who add
different rows to the two. Pairs, and each release as a whole, are compared; what three answers tell together is not seen
(Chin and Ozsoyoglu 1982), and that a group is withheld is an answer as well (Kenthapadi, Mishra and Nissim 2005).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import duckdb

from mesh_defs.cleanroom.join import Sides
from mesh_defs.cleanroom.threshold import Codes, among
from mesh_defs.model.room import Analysis, DimensionValue

# The cell that all groups of a release make together.
_WHOLE: Codes = (-1,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """What was released before: the analysis and the values of the groups that were shown."""

    analysis: Analysis
    groups: tuple[tuple[DimensionValue, ...], ...]


def too_close(
    new: tuple[Sides, Analysis, Iterable[Codes]],
    released: Sequence[tuple[Sides, Earlier]],
    connection: duckdb.DuckDBPyConnection,
    *,
    persons_min: int,
) -> frozenset[Codes]:
    """Return the new groups that differ from a released one by 1 to `persons_min` - 1 persons, or in the rows of so few.

    All of them, when the new release as a whole does. `sides` are those of the extract that has the analysis' tables.
    """
    sides, analysis, shown = new
    cells = sorted(shown)
    found: set[Codes] = set()
    for before, earlier in released:
        by_class = before is sides
        codes = [_codes_of(each, earlier.analysis, before) for each in earlier.groups]
        _see("seen_new", sides, analysis, cells, connection, by_class=by_class)
        _see("seen_old", before, earlier.analysis, codes, connection, by_class=by_class)
        found.update(_close(analysis, earlier.analysis, connection, persons_min=persons_min))
    return frozenset(cells) if _WHOLE in found else frozenset(found)


def _close(new: Analysis, old: Analysis, connection: duckdb.DuckDBPyConnection, *, persons_min: int) -> Iterator[Codes]:
    persons = _counts(new) & _counts(old) & {"reach"}
    rows = bool(_counts(new) - {"reach"}) and bool(_counts(old) - {"reach"})
    for cell, one, other, both, same in connection.execute(_PAIRS).fetchall():
        apart = one + other - 2 * both
        differing = one + other - both - same
        if (persons and 0 < apart < persons_min) or (rows and 0 < differing < persons_min):
            yield tuple(cell)


def _counts(analysis: Analysis) -> set[str]:
    return {each.function for each in analysis.aggregates}


# Every pair of a new and an old cell that have a person in common or could differ by few: sizes, persons in both, and persons
# who add the same to both.
_PAIRS = """
WITH new AS (SELECT cell, count(*) AS persons FROM seen_new GROUP BY cell),
old AS (SELECT cell, count(*) AS persons FROM seen_old GROUP BY cell),
met AS (
    SELECT n.cell AS new, o.cell AS old, count(*) AS persons, count(*) FILTER (WHERE n.print = o.print) AS same
    FROM seen_new AS n JOIN seen_old AS o USING (person) GROUP BY n.cell, o.cell
)
SELECT new.cell, new.persons, old.persons, coalesce(met.persons, 0), coalesce(met.same, 0)
FROM new CROSS JOIN old LEFT JOIN met ON met.new = new.cell AND met.old = old.cell
"""


def _see(
    name: str,
    sides: Sides,
    analysis: Analysis,
    cells: Sequence[Codes],
    connection: duckdb.DuckDBPyConnection,
    *,
    by_class: bool,
) -> None:
    """Make the relation (cell, person, print): what each person adds to each cell, and to all of them together.

    Two prints are equal when the person adds the same rows; where the two analyses read different tables, as many rows.
    """
    rows, groups = _rows(sides, analysis), [f"g{n}" for n in range(len(analysis.dimensions))]
    add = "string_agg(class || ':' || n, ',' ORDER BY class, n)" if by_class else "CAST(sum(n) AS VARCHAR)"
    here = f"({rows}) WHERE {among(analysis, cells)}" if cells else f"({rows}) WHERE false"
    cell = f"[{', '.join(groups)}]" if groups else "CAST([] AS SMALLINT[])"
    one = f"SELECT {cell} AS cell, person, {add} AS print FROM {here} GROUP BY {', '.join([*groups, 'person'])}"
    all_ = f"SELECT {list(_WHOLE)} AS cell, person, {add} AS print FROM {here} GROUP BY person"
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS {one} UNION ALL {all_}")


def _rows(sides: Sides, analysis: Analysis) -> str:
    """Each person's rows for an analysis: the group's codes, the class of the row, and how many there are."""
    parties = list(sides.relations)
    named = {party: f"p{place}" for place, party in enumerate(parties)}
    groups = [f"{named[sides.party(field)]}.{sides.code(field)} AS g{n}" for n, field in enumerate(analysis.dimensions)]
    classes = [
        f"{named[sides.party(field)]}.{sides.code(field)}"
        for field in sides.extract.dimensions
        if sides.party(field) != sides.analyst
    ]
    times = " * ".join(f"{named[party]}.n" for party in sides.protected)
    class_ = f"concat_ws('|', {', '.join(classes)})" if classes else "''"
    shown = [f"{named[parties[0]]}.token AS person", *groups, f"{class_} AS class", f"{times} AS n"]
    first, *further = [f"({_source(sides, analysis, party)}) AS {named[party]}" for party in parties]
    return f"SELECT {', '.join(shown)} FROM {first}" + "".join(f" JOIN {each} USING (token)" for each in further)


def _source(sides: Sides, analysis: Analysis, party: str) -> str:
    where = sides.conditions(analysis, party)
    if party != sides.analyst:
        return f"SELECT * FROM {sides.relations[party]} WHERE {where}"
    kept = [sides.code(field) for field in analysis.dimensions if sides.party(field) == party]
    return f"SELECT DISTINCT {', '.join(['token', *kept])} FROM {sides.relations[party]} WHERE {where}"


def _codes_of(values: Sequence[DimensionValue], analysis: Analysis, sides: Sides) -> Codes:
    agreement = sides.agreement
    return tuple(agreement.domain(f).index(value) for f, value in zip(analysis.dimensions, values, strict=True))
