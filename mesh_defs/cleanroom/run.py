"""One run: from the parties' partials to what is released. Pure but for an engine in memory; nothing of it is kept."""

import secrets
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field

import duckdb

from mesh_defs.cleanroom.combining import TooManyError
from mesh_defs.cleanroom.differencing import Compared, Earlier, compared, too_close
from mesh_defs.cleanroom.extract import Extract, extracts_of
from mesh_defs.cleanroom.join import Partials, Sides, contribute, joining, numbered, sides_of, spelt
from mesh_defs.cleanroom.privacy import plan_of, private_groups
from mesh_defs.cleanroom.rules import Terms
from mesh_defs.cleanroom.threshold import Cell, Codes, cells_of, complement, group_of, unfit, withheld_of
from mesh_defs.model.room import Agreement, Analysis, Release, Why


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """All that a run depends on but for the partials. `earlier`: the room's releases before this one."""

    agreement: Agreement
    analyst: str
    analysis: Analysis
    terms: Terms
    earlier: tuple[Earlier, ...] = ()
    micro_rho: int = 0
    id: str = field(default_factory=lambda: uuid.uuid4().hex)

    @property
    def compared(self) -> tuple[Earlier, ...]:
        """The earlier releases that this one is compared with: noise needs no comparison."""
        if self.terms.level == "privacy" or "differencing" in self.terms.waived:
            return ()
        return self.earlier

    @property
    def extracts(self) -> tuple[Extract, ...]:
        """What the parties are asked for, the analysis' own first."""
        return extracts_of(self.analysis, [each.analysis for each in self.compared], self.agreement)


def answer(run: Run, partials: Sequence[Partials]) -> Release:
    """Join, suppress, round up nothing. `partials`: for each extract of the run in order, of every party with tables in it.

    What does not fit the extracts is the caller's to refuse, before.
    """
    private = run.terms.level == "privacy"
    given = spelt(partials) if private else numbered(partials)
    with joining() as connection:
        sides = {
            extract.tables: sides_of(extract, of, run.agreement, run.analyst, connection, number=number)
            for number, (extract, of) in enumerate(zip(run.extracts, given, strict=True))
        }
        contribute(sides[run.analysis.tables], run.analysis, connection, read_once=private)
        if private:
            return _private(run, connection)
        return _thresholded(run, sides, connection)


def _private(run: Run, connection: duckdb.DuckDBPyConnection) -> Release:
    plan = plan_of(run.analysis, run.agreement, run.micro_rho)
    groups = private_groups(plan, connection, secrets.token_bytes(32))
    return Release(run=run.id, analysis=run.analysis, groups=groups, micro_rho=run.micro_rho)


def _thresholded(run: Run, sides: dict[tuple[str, ...], Sides], connection: duckdb.DuckDBPyConnection) -> Release:
    cells = cells_of(run.analysis, connection)
    because: dict[Codes, Why] = {code: why for code, cell in cells.items() if (why := unfit(cell, run.terms))}
    while True:
        hidden = complement(run.analysis, cells, because, run.terms, connection)
        because.update(dict.fromkeys(hidden, "complementary"))
        close = _close(run, cells.keys() - because.keys(), sides, connection)
        if not close:
            break
        because.update(dict.fromkeys(close, "difference"))
    return _release(run, cells, because)


def _close(
    run: Run, shown: set[Codes], sides: dict[tuple[str, ...], Sides], connection: duckdb.DuckDBPyConnection
) -> frozenset[Codes]:
    new = Compared(sides=sides[run.analysis.tables], analysis=run.analysis, cells=tuple(sorted(shown)))
    released = [compared(sides[each.analysis.tables], each) for each in run.compared]
    try:
        return too_close(new, released, connection, persons_min=run.terms.persons_min)
    except TooManyError:
        # Fails closed: what cannot be compared is not released.
        return frozenset(shown)


def _release(run: Run, cells: dict[Codes, Cell], because: dict[Codes, Why]) -> Release:
    shown = sorted(cells.keys() - because.keys())
    return Release(
        run=run.id,
        analysis=run.analysis,
        groups=tuple(group_of(cells[codes], run.analysis, run.agreement) for codes in shown),
        withheld=tuple(withheld_of(codes, because[codes], run.analysis, run.agreement) for codes in sorted(because)),
    )
