"""What a room may still tell: rho in integer millionths, spent in a protected party's ledger before any data leaves.

One budget for a room over all versions of its agreement, whoever asks. Knows no data and no noise of a release.
"""

import math
import random
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from mesh_defs.cleanroom.noise import epsilon_of
from mesh_defs.documents.room import digest_of
from mesh_defs.errors import AccessDeniedError, AnalysisRejectedError, BudgetExhaustedError, NotFoundError, StorageError
from mesh_defs.ledger import Ledger, LedgerDamagedError, LedgerEntry
from mesh_defs.model.room import Agreement, Analysis, PrivacyBudget

ASKED, RELEASED, ABANDONED = "room-asked", "room-released", "room-abandoned"
KINDS = (ASKED, RELEASED, ABANDONED)
# All rooms of a ledger race for its end; who lost waits a little and concludes anew.
TRIES_MAX = 200
WAIT_SECONDS_MAX = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """What a run is to pay for: who asks what for whom. `micro_rho`: millionths of rho."""

    run: str
    analyst: str
    recipient: str
    analysis: Analysis
    micro_rho: int


@dataclass(slots=True)
class Account:
    """What the entries of one room come to. `newest`: number of the last entry that it knows, of any room."""

    room: str
    newest: int = 0
    _reserved: dict[str, int] = field(default_factory=dict)
    _released: dict[str, int] = field(default_factory=dict)
    _refunded: dict[str, int] = field(default_factory=dict)

    @property
    def spent(self) -> int:
        """Millionths of rho. A run that released something has spent all of it, whatever else is said of it."""
        return sum(self._spent(run) for run in {*self._reserved, *self._released})

    def asked(self, run: str) -> bool:
        """Whether the run was ever begun."""
        return run in self._reserved or run in self._released

    def released(self, run: str) -> bool:
        """Whether something of it went out."""
        return run in self._released

    def abandoned(self, run: str) -> bool:
        """Whether it ended without a release."""
        return run in self._refunded

    def refundable(self, run: str) -> int:
        """What a run gets back when nothing of it went out: no more than it took, and once."""
        return 0 if self.released(run) or self._refunded.get(run) else self._reserved.get(run, 0)

    def add(self, entries: Iterable[LedgerEntry]) -> None:
        """Take in further entries, oldest first. LedgerDamagedError for an amount that is none."""
        for entry in entries:
            self.newest = entry.seq
            if entry.body.get("room") == self.room:
                run = str(entry.body.get("run"))
                if entry.kind == ABANDONED:
                    self._refunded[run] = max(self._refunded.get(run, 0), _amount(entry, "refunded"))
                elif entry.kind == RELEASED:
                    self._released[run] = self._released.get(run, 0) + _amount(entry, "micro_rho")
                else:
                    self._reserved[run] = self._reserved.get(run, 0) + _amount(entry, "micro_rho")

    def _spent(self, run: str) -> int:
        reserved = self._reserved.get(run, 0)
        if self.released(run):
            return max(reserved, self._released[run])
        return max(0, reserved - self._refunded.get(run, 0))


def reserve(asking: Asking, agreement: Agreement, ledger: Ledger, *, at: datetime) -> LedgerEntry:
    """Record the question and spend its rho, as one step: durable when this returns. Call it before any data leaves.

    Who repeats an analysis at no more rho is to get the earlier release instead, for nothing; that is looked up before.
    AnalysisRejectedError for an amount or a run that cannot be, BudgetExhaustedError when too little is left.
    """
    budget = require_budget(agreement)
    require_share(asking.micro_rho, budget)
    body = {
        "room": agreement.id,
        "agreement": digest_of(agreement),
        "run": asking.run,
        "analyst": asking.analyst,
        "recipient": asking.recipient,
        "analysis": asking.analysis.as_json(),
        "micro_rho": asking.micro_rho,
    }

    def step(account: Account) -> tuple[str, dict[str, Any]]:
        if account.asked(asking.run) or account.abandoned(asking.run):
            raise AnalysisRejectedError("this run was asked before", fix="ask again: a new run gets a name of its own")
        remaining = budget.micro_rho - account.spent
        if asking.micro_rho > remaining:
            fix = "ask for less, take an earlier release, or agree on a larger budget with all parties"
            what = f"{max(0, remaining)} millionths of rho are left, of {budget.micro_rho}: too little for this"
            raise BudgetExhaustedError(what, where=f"room '{agreement.id}'", fix=fix)
        return ASKED, body

    return concluded(agreement.id, step, ledger, at=at)


def abandon(
    run: str, agreement: Agreement, ledger: Ledger, *, why: str, nothing_released: bool, at: datetime
) -> LedgerEntry:
    """Record that a run ended without a release. `nothing_released`: the join signed so, and the caller verified it.

    Only then its rho comes back, once, and its run can release nothing any more; else it stays spent. `why` must not depend
    on data: who may try again for nothing would learn from it. NotFoundError for a run that was never asked,
    AccessDeniedError for one that was released.
    """

    def step(account: Account) -> tuple[str, dict[str, Any]]:
        if account.released(run):
            raise AccessDeniedError("something of this run was released: what it spent stays spent")
        if not account.asked(run):
            raise NotFoundError("no such run was asked in this room")
        refunded = account.refundable(run) if nothing_released else 0
        return ABANDONED, {"room": agreement.id, "run": run, "why": why, "refunded": refunded}

    return concluded(agreement.id, step, ledger, at=at)


def concluded(
    room: str, step: Callable[[Account], tuple[str, Mapping[str, Any]]], ledger: Ledger, *, at: datetime
) -> LedgerEntry:
    """Record what `step` concludes from a room's account, before any other entry of a room, or conclude anew.

    What `step` raises is passed on, and nothing is recorded then. A release belongs here too: its step refuses when the run
    was abandoned. StorageError when others are always faster.
    """
    account = account_of(room, ledger)
    for _ in range(TRIES_MAX):
        kind, body = step(account)
        entry = ledger.append_if(kind, body, at=at, kinds=KINDS, newest=account.newest)
        if entry is not None:
            return entry
        time.sleep(random.uniform(0, WAIT_SECONDS_MAX))
        account.add(ledger.entries(kinds=KINDS, after=account.newest, limit=None, oldest_first=True))
    raise StorageError("others ask all the time", fix="try again in a moment; nothing was recorded or spent")


def account_of(room: str, ledger: Ledger) -> Account:
    """Return what the ledger's entries of one room come to, over all versions of its agreement."""
    account = Account(room=room)
    account.add(ledger.entries(kinds=KINDS, limit=None, oldest_first=True))
    return account


def spent(agreement: Agreement, ledger: Ledger) -> int:
    """Millionths of rho that the room has spent."""
    return account_of(agreement.id, ledger).spent


def left(agreement: Agreement, ledger: Ledger) -> int:
    """Millionths of rho that the room may still spend; 0 also when an amendment allows less than was spent before."""
    return max(0, require_budget(agreement).micro_rho - spent(agreement, ledger))


def require_budget(agreement: Agreement) -> PrivacyBudget:
    """Return the agreement's budget. AnalysisRejectedError when it has none."""
    if agreement.privacy is None:
        raise AnalysisRejectedError("the agreement has no privacy budget", fix="agree on `privacy: {rho: …, …}`")
    return agreement.privacy


def require_share(micro_rho: object, budget: PrivacyBudget) -> int:
    """Return the millionths of rho of one release. AnalysisRejectedError for what is no whole number of them from 1 to the
    share of one release."""
    share = budget.micro_rho_per_release
    if type(micro_rho) is not int or not 0 < micro_rho <= share:
        raise AnalysisRejectedError(
            "one release cannot cost so much, or nothing", fix=f"give whole millionths of rho, from 1 to {share}"
        )
    return micro_rho


def rho_of(epsilon: object, budget: PrivacyBudget) -> int:
    """Return the most millionths of rho that keep one release within (epsilon, budget.delta), never more than its share.

    AnalysisRejectedError for what is no finite number above 0, or so small that it buys nothing.
    """
    if isinstance(epsilon, bool) or not isinstance(epsilon, int | float) or not 0 < epsilon < math.inf:
        raise AnalysisRejectedError("this is no epsilon", fix="give a number above 0")
    least, beyond = 0, budget.micro_rho_per_release + 1
    while beyond - least > 1:
        middle = (least + beyond) // 2
        least, beyond = (middle, beyond) if epsilon_of(middle, budget.delta) <= epsilon else (least, middle)
    if least == 0:
        raise AnalysisRejectedError("so small an epsilon buys no answer", fix="give a larger one")
    return least


def _amount(entry: LedgerEntry, name: str) -> int:
    amount = entry.body.get(name)
    if type(amount) is not int or amount < 0:
        raise LedgerDamagedError(f"entry {entry.seq} says no amount of rho", where=f"{entry.kind}: {name}")
    return amount
