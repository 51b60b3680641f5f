"""Shows that Trino applies what it is told: it fails open when the URI of row filters or of column masks is not set.

As a user whose name nobody knows, the canary reads a table of Trino's own, of which the policy server hides all rows but
one, and masks that. Until exactly this one masked row has come back, the policy server denies everything else.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from mesh_defs.trino.asked import Asked

TABLE = ("system", "jdbc", "types")
SELECT = "SELECT type_name FROM system.jdbc.types"
# Some readings may be late, when Trino is busy; nobody is trusted on because nobody looks any more.
TRUSTED_SECONDS = 60.0
_FILTER, _MASK = "type_name = 'bigint'", "'canary'"
SEEN = [["canary"]]
_MAY = ("ExecuteQuery", "AccessCatalog", "FilterViewQueryOwnedBy")


@dataclass
class Canary:
    """`trusted` for some time after it came back: as long the policy server answers."""

    user: str = field(repr=False)
    clock: Callable[[], float] = time.monotonic
    _until: float | None = None

    @property
    def trusted(self) -> bool:
        """Whether it came back not long ago."""
        return self._until is not None and self.clock() < self._until

    def concerns(self, asked: Asked) -> bool:
        """Whether this is the canary's own reading, or its looking up what others have under way (`trino.coordinator`)."""
        if asked.user != self.user:
            return False
        return asked.catalog in ("", TABLE[0]) and (asked.place == TABLE or asked.operation in _MAY)

    def row_filters(self) -> list[dict[str, str]]:
        """All rows but one are hidden."""
        return [{"expression": _FILTER}]

    def mask(self, asked: Asked) -> str | None:
        """What stands in the one row, in the column that it reads."""
        return _MASK if asked.columns == ("type_name",) else None

    def returned(self, rows: list[list[object]]) -> None:
        """Judge what came back; trust no more when Trino did not apply filter or mask."""
        self._until = self.clock() + TRUSTED_SECONDS if rows == SEEN else None

    def lost(self) -> None:
        """Trust no more: a Trino that is gone may come back set up otherwise."""
        self._until = None
