"""A room as a product's code meets it: questions in, groups out. What was asked is noted for the product's lineage."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from mesh_defs.cleanroom.asking import ask, asker_of, table_of
from mesh_defs.cleanroom.channel import Trust
from mesh_defs.cleanroom.rooms import room_at
from mesh_defs.cleanroom.rules import Asked
from mesh_defs.documents.room import digest_of
from mesh_defs.errors import AccessDeniedError
from mesh_defs.model.contract import Asks
from mesh_defs.model.room import DimensionValue
from mesh_defs.query.platform import Platform
from mesh_defs.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductRoom:
    """The room that a product's contract names (`asks`). `read`: where what came out is noted, as if read of each product.

    The same question is the same release, and spends nothing again; so a rerun gives the same rows.
    """

    asks: Asks
    settings: Settings
    door: Callable[[], Platform]
    read: dict[str, Any]
    _runs: list[str] = field(default_factory=list)

    def ask(self, sql: str = "", *, template: str | None = None, **arguments: DimensionValue) -> pa.Table:
        """Return the groups of one answer, one row each, in the question's columns.

        Groups may be missing. Raises as `Room.ask`: AccessDeniedError, AnalysisRejectedError, BudgetExhaustedError.
        """
        folder = room_at(self.settings, self.asks.room)
        agreement = folder.agreement()
        analyst, recipient = asker_of(folder, self.settings, None, None)
        asked = Asked(analyst=analyst, recipient=recipient, sql=sql, template=template, arguments=arguments)
        answer = ask(self.settings, self.asks.room, asked, door=self.door, trust=Trust())
        if answer is None:
            raise AccessDeniedError(f"'{analyst}' may ask in room '{agreement.id}', and may not have the answer")
        self._runs.append(answer.release.run)
        digest = digest_of(agreement)
        content = hashlib.sha256(json.dumps([digest, *sorted(self._runs)]).encode()).hexdigest()[:16]
        for product in self.asks.products:
            told = {
                "version": digest[:16],
                "grant": f"room {agreement.id}, version {agreement.version}",
                "data_version": content,
                "room": agreement.id,
                "room_version": str(agreement.version),
                "agreement": digest,
                "runs": ", ".join(self._runs),
            }
            self.read[f"{product} in room {agreement.id}" if self._is_read(product) else product] = told
        return table_of(answer)

    def _is_read(self, product: str) -> bool:
        """Read through the door as well: that has a version of its own."""
        return product in self.read and "room" not in self.read[product]
