"""Append-only record of what was asked, decided and answered: a chain of hashes in SQLite or Postgres, its head signed.

`audit` looks for what was changed; `guides/audit.md` says against whom that holds. Rows of data are never recorded.
"""

from mesh_defs.ledger.entry import LedgerEntry
from mesh_defs.ledger.ledger import Ledger, open_ledger
from mesh_defs.ledger.seal import LedgerDamagedError

__all__ = ["Ledger", "LedgerDamagedError", "LedgerEntry", "open_ledger"]
