"""A room's entries in one party's ledger: what was asked, what came of it, and what that leaves for the next question.

room-asked      a run may begin: the analysis, the versions that it reads, the budget that it reserves
room-released   what came out, and what was withheld
room-received   the numbers, at a party that may have them, once all parties have signed for the release
room-abandoned  nothing came out, whatever was recorded before
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from mesh_defs.cleanroom.budget import ABANDONED, ASKED, KINDS, RECEIVED, RELEASED, Account, require_left
from mesh_defs.cleanroom.differencing import Earlier
from mesh_defs.cleanroom.privacy import plan_of
from mesh_defs.cleanroom.run import Run
from mesh_defs.documents.room import digest_of
from mesh_defs.errors import AccessDeniedError, AnalysisRejectedError, MeshError, StorageError, UnreachableError
from mesh_defs.model.room import Aggregate, Agreement, Analysis, Field, Group, Number, Release, Withheld

if TYPE_CHECKING:
    from mesh_defs.ledger import Ledger, LedgerEntry

_TRIES_MAX = 100
# A run that takes longer has lost its process.
RUN_MAX = timedelta(minutes=15)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What a ledger says of one room, up to its entry `newest` of these kinds.

    Of the agreement's own version: `releases`, `analysts` (by run), `populations` (by analyst, the tables of its own that it
    first asked about), `versions` of products. Of all versions together: `unsettled` runs, each with the time it began, and
    the `account`: what was spent.
    """

    newest: int
    releases: tuple[Release, ...]
    analysts: Mapping[str, str]
    populations: Mapping[str, tuple[str, ...]]
    versions: Mapping[str, str]
    unsettled: Mapping[str, datetime]
    account: Account

    @property
    def micro_rho(self) -> int:
        """What the room has spent, in millionths of rho."""
        return self.account.spent

    @property
    def earlier(self) -> tuple[Earlier, ...]:
        """The releases as the next one is compared with them."""
        return tuple(
            Earlier(analysis=each.analysis, groups=tuple(group.values for group in each.groups))
            for each in self.releases
        )

    def release(self, analysis: Analysis, analyst: str, micro_rho: int = 0) -> Release | None:
        """The first release of the same analysis to the same analyst that was had with as much budget or more.

        To another analyst other tables are its own, which count otherwise.
        """
        for each in self.releases:
            if each.analysis == analysis and self.analysts[each.run] == analyst and each.micro_rho >= micro_rho:
                return each
        return None


@dataclass(frozen=True, slots=True)
class Book:
    """Reads and writes one room's entries; safe for many processes. StorageError when the ledger cannot be used."""

    ledger: "Ledger"
    agreement: Agreement

    def page(self) -> Page:
        """Fold the room's entries."""
        digest, fold = digest_of(self.agreement), _Fold()
        newest = 0
        for entry in self.ledger.entries(kinds=KINDS, limit=None, oldest_first=True):
            newest = entry.seq
            if entry.body.get("room") == self.agreement.id:
                fold.add(entry, digest)
        return Page(
            newest=newest,
            releases=tuple(fold.releases.values()),
            analysts=fold.analysts,
            populations=fold.populations,
            versions=fold.versions,
            unsettled=fold.unsettled,
            account=fold.account,
        )

    def begin(self, run: Run, versions: Mapping[str, str], *, at: datetime) -> "LedgerEntry":
        """Record that a run may begin. AnalysisRejectedError for another population; AccessDeniedError when the run does not
        know of a release that it is to be compared with; BudgetExhaustedError when the room cannot pay for its noise.

        Nothing else about a room comes between that look and the entry. One run at a time: two at once could not be
        compared with each other. UnreachableError while another is under way; one that ended without a word is abandoned.
        """
        body = {
            **self._about(run.id),
            "analyst": run.analyst,
            "analysis": run.analysis.as_json(),
            "population": list(population_of(run.analysis, self.agreement, run.analyst)),
            "versions": dict(versions),
            "micro_rho": run.micro_rho,
        }
        if run.terms.level == "privacy":
            plan_of(run.analysis, run.agreement, run.micro_rho)  # refuses what would be paid for in vain
        for _ in range(_TRIES_MAX):
            page = self._settled(at)
            require_population(run, page)
            _require_all_known(run, page)
            if page.account.asked(run.id):
                raise AnalysisRejectedError(
                    "this run was begun before", fix="ask again: each run has a name of its own"
                )
            if run.terms.level == "privacy":
                require_left(run.micro_rho, page.account, run.agreement)
            entry = self.ledger.append_if(ASKED, body, at=at, kinds=KINDS, newest=page.newest)
            if entry is not None:
                return entry
        raise self._busy()

    def release(self, release: Release, *, numbers: bool, at: datetime, sha256: str | None = None) -> "LedgerEntry":
        """Record what came out; `numbers` for a party that may have them, otherwise which groups were shown.

        `sha256`: what all parties sign for. AccessDeniedError when the run is not under way.
        """
        body = {
            **self._about(release.run),
            "analysis": release.analysis.as_json(),
            "groups": groups_as_json(release.groups, numbers=numbers),
            "sha256": sha256,
            "withheld": [[list(each.values), each.because] for each in release.withheld],
            "micro_rho": release.micro_rho,
        }
        for _ in range(_TRIES_MAX):
            page = self.page()
            if release.run not in page.unsettled:
                raise AccessDeniedError(
                    f"run {release.run} is not under way: it ended, or was given up", fix="ask again"
                )
            entry = self.ledger.append_if(RELEASED, body, at=at, kinds=KINDS, newest=page.newest)
            if entry is not None:
                return entry
        raise self._busy()

    def knows(self, run: str) -> bool:
        """Tell whether a run is on record, and not abandoned."""
        page = self.page()
        return run in page.unsettled or any(each.run == run for each in page.releases)

    def receive(self, run: str, groups: tuple[Group, ...], *, at: datetime) -> "LedgerEntry":
        """Record the numbers of a release that is on record without them."""
        body = {**self._about(run), "groups": groups_as_json(groups, numbers=True)}
        return self.ledger.append(RECEIVED, body, at=at)

    def abandon(self, run: str, why: str, *, returned: bool, at: datetime) -> "LedgerEntry":
        """Record that nothing came out; `returned`: the budget too, for nothing was computed that anybody could have."""
        return self.ledger.append(ABANDONED, {**self._about(run), "why": why, "returned": returned}, at=at)

    def _settled(self, now: datetime) -> Page:
        page = self.page()
        for run, began in page.unsettled.items():
            if now - began < RUN_MAX:
                raise UnreachableError(
                    f"run {run} of room '{self.agreement.id}' is under way", fix="ask again in a while"
                )
            self.abandon(run, "no word of it", returned=False, at=now)
        return self.page() if page.unsettled else page

    def _busy(self) -> MeshError:
        return StorageError("the room is too busy", where=self.agreement.id, fix="ask again")

    def _about(self, run: str) -> dict[str, Any]:
        return {"room": self.agreement.id, "agreement": digest_of(self.agreement), "run": run}


def population_of(analysis: Analysis, agreement: Agreement, analyst: str) -> tuple[str, ...]:
    """The tables by which whoever asks chooses persons."""
    return tuple(table.name for table in agreement.tables if table.party == analyst and table.name in analysis.tables)


def require_population(run: Run, page: Page) -> None:
    """Raise AnalysisRejectedError for another choice of persons than the first: two that differ by one would tell of it."""
    asked = population_of(run.analysis, run.agreement, run.analyst)
    first = page.populations.get(run.analyst, asked)
    if asked != first and "one_population" not in run.terms.waived:
        fix = f"ask about {', '.join(first)}, or agree on a next version"
        raise AnalysisRejectedError("this room has been asked about other tables of yours", fix=fix)


def _require_all_known(run: Run, page: Page) -> None:
    if run.earlier != page.earlier:
        raise AccessDeniedError("something was released in the meantime", fix="ask again")


def analysis_from(body: Mapping[str, Any]) -> Analysis:
    """Read what `Analysis.as_json` wrote. KeyError, TypeError or ValueError for what it did not."""
    return Analysis(
        tables=tuple(body["tables"]),
        dimensions=tuple(Field(*each) for each in body["dimensions"]),
        filters=tuple((Field(*each), tuple(values)) for each, values in body["filters"]),
        aggregates=tuple(Aggregate(function, Field(*of) if of else None) for function, of in body["aggregates"]),
    )


def groups_as_json(groups: Iterable[Group], *, numbers: bool) -> list[list[Any]]:
    """Return groups as lists: their values and, if they are to be told, their numbers and how exact these are."""
    return [
        [list(each.values), *([list(map(_as_json, of)) for of in (each.numbers, each.accuracy)] if numbers else [])]
        for each in groups
    ]


def groups_from(told: Iterable[Any]) -> tuple[Group, ...]:
    """Read what `groups_as_json` wrote. TypeError, ValueError or ArithmeticError for what it did not."""
    return tuple(_group(*each) for each in told)


@dataclass(slots=True)
class _Fold:
    releases: dict[str, Release] = field(default_factory=dict)
    analysts: dict[str, str] = field(default_factory=dict)
    populations: dict[str, tuple[str, ...]] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    account: Account = field(default_factory=Account)
    unsettled: dict[str, datetime] = field(default_factory=dict)

    def add(self, entry: "LedgerEntry", digest: str) -> None:
        body, run = entry.body, str(entry.body["run"])
        current = body["agreement"] == digest
        self.account.add(entry)
        if entry.kind == ASKED:
            self.unsettled[run] = datetime.fromisoformat(entry.at)
            if current:
                self.versions = {**body["versions"], **self.versions}
                self.analysts[run] = body["analyst"]
                self.populations.setdefault(body["analyst"], tuple(body["population"]))
            return
        self.unsettled.pop(run, None)
        if entry.kind == RELEASED and current:
            self.releases[run] = _release(run, body)
        elif entry.kind == RECEIVED and run in self.releases:
            self.releases[run] = replace(self.releases[run], groups=groups_from(body["groups"]))
        elif entry.kind == ABANDONED:
            self.releases.pop(run, None)


def _release(run: str, body: Mapping[str, Any]) -> Release:
    return Release(
        run=run,
        analysis=analysis_from(body["analysis"]),
        groups=groups_from(body["groups"]),
        withheld=tuple(Withheld(values=tuple(values), because=why) for values, why in body["withheld"]),
        micro_rho=int(body["micro_rho"]),
    )


def _group(values: list[Any], numbers: Sequence[Any] = (), accuracy: Sequence[Any] = ()) -> Group:
    return Group(values=tuple(values), numbers=tuple(map(_number, numbers)), accuracy=tuple(map(_number, accuracy)))


def _as_json(number: Number | None) -> Any:
    """A decimal as text, which no other number is."""
    return str(number) if isinstance(number, Decimal) else number


def _number(value: Any) -> Number | None:
    return Decimal(value) if isinstance(value, str) else value
