"""A room in one process: for parties of one owner, who trust it with the rows of all. It sees what no party may.

The same rules, runs and records as between processes.
"""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

import duckdb
import pyarrow as pa

from mesh_defs.cleanroom.book import Book
from mesh_defs.cleanroom.budget import cost_of
from mesh_defs.cleanroom.extract import Extract, Seat, Versions, partial, token_key
from mesh_defs.cleanroom.frozen import current_versions, require_frozen
from mesh_defs.cleanroom.rules import Asked, question_of
from mesh_defs.cleanroom.run import Run, answer
from mesh_defs.cleanroom.signed import RoomFolder
from mesh_defs.errors import EngineError, MeshError
from mesh_defs.ledger import Ledger
from mesh_defs.model.room import Question, Release


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomAnswer:
    """What whoever asked gets: the release, in the words of the question. `repeated`: it was released before."""

    question: Question
    release: Release
    repeated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """All parties' seats at one table, and one ledger for all."""

    folder: RoomFolder
    seats: Mapping[str, Seat]
    ledger: Ledger
    clock: Callable[[], datetime]

    def ask(self, asked: Asked) -> RoomAnswer:
        """Answer a question, or raise a MeshError that depends on no row.

        AccessDeniedError for who may not ask, for an agreement that does not hold and for a table that is not the signed
        one; AnalysisRejectedError; BudgetExhaustedError; StorageError and EngineError when nothing was released.
        """
        agreement = self.folder.signed()
        question, terms = question_of(asked, agreement, self.clock())
        book = Book(self.ledger, agreement)
        page = book.page()
        micro_rho = cost_of(asked, terms, agreement)
        before = page.release(question.analysis, asked.analyst, micro_rho)
        if before is not None:
            return RoomAnswer(question=question, release=before, repeated=True)
        run = Run(
            agreement=agreement,
            analyst=asked.analyst,
            analysis=question.analysis,
            terms=terms,
            earlier=page.earlier,
            micro_rho=micro_rho,
        )
        return RoomAnswer(question=question, release=self._run(run, book, page.versions), repeated=False)

    def _run(self, run: Run, book: Book, pinned: Versions) -> Release:
        current = [current_versions(run.analysis.tables, run.agreement, seat) for seat in self.seats.values()]
        versions = {name: version for each in (*current, pinned) for name, version in each.items()}
        book.begin(run, versions, at=self.clock())
        try:
            release = self._released(run, versions)
        except BaseException as error:
            # What fails by what the rows hold costs as much as an answer: who may try again for nothing would learn from it.
            returned = isinstance(error, MeshError) and not isinstance(error, EngineError)
            book.abandon(run.id, type(error).__name__, returned=returned, at=self.clock())
            raise
        book.release(release, numbers=True, at=self.clock())
        return release

    def _released(self, run: Run, versions: Versions) -> Release:
        key = token_key(secrets.token_bytes(32), run.id)
        try:
            for seat in self.seats.values():
                require_frozen(run.analysis.tables, run.agreement, seat, versions)
            return answer(run, [self._partials(each, run, key, versions) for each in run.extracts])
        except (EngineError, duckdb.Error):
            # Which row an engine stumbles over, and over what, is nobody's business.
            raise EngineError("the run failed, and nothing was released", fix="ask its parties") from None

    def _partials(self, extract: Extract, run: Run, key: str, versions: Versions) -> dict[str, pa.Table]:
        return {
            name: partial(extract, run.agreement, seat, analyst=run.analyst, key=key, versions=versions)
            for name, seat in self.seats.items()
            if extract.of(name, run.agreement)
        }
