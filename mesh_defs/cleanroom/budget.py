"""What a room may still tell: rho in integer millionths, spent in a protected party's ledger before any data leaves.

One budget for a room over all versions of its agreement, whoever asks. Knows no data and no noise of a release.
"""

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mesh_defs.cleanroom.noise import epsilon_of
from mesh_defs.cleanroom.rules import Asked, Terms
from mesh_defs.errors import AnalysisRejectedError, BudgetExhaustedError
from mesh_defs.model.room import Agreement, PrivacyBudget

if TYPE_CHECKING:  # the join has no ledger
    from mesh_defs.ledger import Ledger, LedgerEntry

ASKED, RELEASED, RECEIVED, ABANDONED = KINDS = ("room-asked", "room-released", "room-received", "room-abandoned")


@dataclass(slots=True)
class Account:
    """What one room's entries come to, over all versions of its agreement. Amounts in millionths of rho, by run."""

    _reserved: dict[str, int] = field(default_factory=dict)
    _released: dict[str, int] = field(default_factory=dict)
    _returned: set[str] = field(default_factory=set)

    @property
    def spent(self) -> int:
        """A run that released something has spent all that it reserved or released, whatever else is said of it."""
        return sum(self._spent(run) for run in {*self._reserved, *self._released})

    def asked(self, run: str) -> bool:
        """Whether there ever was such a run."""
        return run in self._reserved or run in self._released or run in self._returned

    def add(self, entry: "LedgerEntry") -> None:
        """Take in the room's next entry. LedgerDamagedError for an amount that is none."""
        run = str(entry.body.get("run"))
        if entry.kind == ASKED:
            self._reserved[run] = self._reserved.get(run, 0) + _amount(entry)
        elif entry.kind == RELEASED:
            self._released[run] = self._released.get(run, 0) + _amount(entry)
        elif entry.body.get("returned") is True:
            self._returned.add(run)

    def _spent(self, run: str) -> int:
        if run in self._returned and run not in self._released:
            return 0
        return max(self._reserved.get(run, 0), self._released.get(run, 0))


def require_left(micro_rho: object, account: Account, agreement: Agreement) -> None:
    """Raise BudgetExhaustedError unless the room can pay for one more release, AnalysisRejectedError for what is no amount.

    The room's book asks this and records the run in one step, so that no two runs are paid from the same.
    """
    budget = require_budget(agreement)
    remaining = max(0, budget.micro_rho - account.spent)
    if require_share(micro_rho, budget) > remaining:
        fix = "ask for less, take an earlier release, or agree on a larger budget with all parties"
        what = f"{remaining} millionths of rho are left, of {budget.micro_rho}: too little for this"
        raise BudgetExhaustedError(what, where=f"room '{agreement.id}'", fix=fix)


def account_of(room: str, ledger: "Ledger") -> Account:
    """Return what the ledger's entries of one room come to, over all versions of its agreement."""
    account = Account()
    for entry in ledger.entries(kinds=KINDS, limit=None, oldest_first=True):
        if entry.body.get("room") == room:
            account.add(entry)
    return account


def spent(agreement: Agreement, ledger: "Ledger") -> int:
    """Millionths of rho that the room has spent."""
    return account_of(agreement.id, ledger).spent


def left(agreement: Agreement, ledger: "Ledger") -> int:
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


def cost_of(asked: Asked, terms: Terms, agreement: Agreement) -> int:
    """Return what a question costs: nothing where no noise is added. AnalysisRejectedError for a cost that cannot be."""
    if terms.level != "privacy":
        if asked.micro_rho is not None:
            raise AnalysisRejectedError("nothing is paid for with rho here: no noise is added", fix="leave it out")
        return 0
    budget = require_budget(agreement)
    return require_share(budget.micro_rho_per_release if asked.micro_rho is None else asked.micro_rho, budget)


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


def _amount(entry: "LedgerEntry") -> int:
    amount = entry.body.get("micro_rho")
    if type(amount) is not int or amount < 0:
        from mesh_defs.ledger import LedgerDamagedError

        raise LedgerDamagedError(f"entry {entry.seq} says no amount of rho", where=entry.kind)
    return amount
