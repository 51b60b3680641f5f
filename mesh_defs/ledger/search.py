"""Finds entries by whom and what they are about. The database narrows by text, Python decides on the parsed body."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import sqlalchemy as sa

from mesh_defs.ledger.entry import LedgerEntry, entry_of
from mesh_defs.ledger.table import EntryTable, entries


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What an entry must say to be found; `since` counts, `until` does not. What is None is not asked for."""

    principal: str | None = None
    product: str | None = None
    kind: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    grant: str | None = None
    oldest_first: bool = False

    @property
    def query(self) -> sa.Select[Any]:
        """All entries that may be wanted, in order: times are in UTC, and text of a body is JSON in ASCII."""
        query = sa.select(entries).order_by(entries.c.seq if self.oldest_first else entries.c.seq.desc())
        if self.kind is not None:
            query = query.where(entries.c.kind == self.kind)
        if self.since is not None:
            query = query.where(entries.c.at >= self.since.astimezone(UTC).isoformat())
        if self.until is not None:
            query = query.where(entries.c.at < self.until.astimezone(UTC).isoformat())
        for text in (self.principal, self.product, self.grant):
            if text is not None:
                query = query.where(entries.c.body.contains(json.dumps(text), autoescape=True))
        return query

    def includes(self, body: Mapping[str, Any]) -> bool:
        """Tell whether the body says so, where it says whom and what it is about."""
        principal = self.principal is None or body.get("principal") == self.principal
        grant = self.grant is None or self.grant in dict(body.get("grants") or {}).values()
        return principal and grant and (self.product is None or self.product in products_of(body))


def products_of(body: Mapping[str, Any]) -> tuple[str, ...]:
    """The products that an entry is about, each once: those asked for, granted and read."""
    named = [body["product"]] if isinstance(body.get("product"), str) else []
    lists = (body.get(name) or () for name in ("products", "grants", "versions"))
    return tuple(
        dict.fromkeys([*named, *(str(name) for names in lists if not isinstance(names, str) for name in names)])
    )


def search(table: EntryTable, wanted: Wanted, *, limit: int) -> tuple[LedgerEntry, ...]:
    """The newest entries first, unless the oldest are wanted. StorageError when they cannot be read."""
    with table.told("read"), table.reading() as connection:
        rows = connection.execution_options(yield_per=500).execute(wanted.query).mappings()
        return tuple(islice(_found(rows, wanted), limit))


def _found(rows: sa.MappingResult, wanted: Wanted) -> Iterator[LedgerEntry]:
    return (entry for row in rows if wanted.includes((entry := entry_of(row)).body))
