"""The ledger as the door uses it: append, and read by kind. Refuses a ledger that is not what was signed."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

import sqlalchemy as sa

from mesh_defs.ledger.entry import Chain, Fact, LedgerEntry, digest, entry_of, fact_of
from mesh_defs.ledger.group import Group
from mesh_defs.ledger.head import Head
from mesh_defs.ledger.seal import LedgerDamagedError, Seal, seal_of
from mesh_defs.ledger.search import Wanted, search
from mesh_defs.ledger.table import EntryTable, entries, newest
from mesh_defs.settings import Settings


class Ledger:
    """Appends entries durably and in one order; safe to share between threads and processes.

    Without a `seal` nothing is signed, and a cut tail is not seen. `wait_seconds` is how long an append waits for other
    processes, and as long again for threads of this one. StorageError when the database cannot be opened, written or
    read; LedgerDamagedError, at opening and at every append, when its end is not what was signed.
    """

    def __init__(self, url: str, *, seal: Seal | None = None, wait_seconds: float = 30.0) -> None:
        self._table = EntryTable(url, wait_seconds=wait_seconds)
        self._seal = seal
        self._group: Group[Fact, dict[str, Any]] = Group()
        self._adopted = False
        if not checked(self._table, seal):
            self._table.make()

    def append(self, kind: str, body: Mapping[str, Any], *, at: datetime) -> LedgerEntry:
        """Record one fact; it is on disk when this returns, and signed. Raises TypeError for a body that is not JSON."""
        return entry_of(self._group.submit(fact_of(kind, body, at), self._write))

    def append_if(
        self, kind: str, body: Mapping[str, Any], *, at: datetime, kinds: Collection[str], newest: int
    ) -> LedgerEntry | None:
        """As `append`, if the newest entry of `kinds` still has this number; None, and nothing recorded, when it has not.

        So what was concluded from entries of these kinds is recorded before any other of them, or not at all.
        """
        rows = self._write([fact_of(kind, body, at)], still=(kinds, newest))
        return entry_of(rows[0]) if rows else None

    def entries(
        self,
        *,
        kind: str | None = None,
        kinds: Collection[str] | None = None,
        after: int = 0,
        limit: int | None = 100,
        oldest_first: bool = False,
    ) -> tuple[LedgerEntry, ...]:
        """Entries of one kind, of several or of all, later than `after`: the newest first, at most `limit`; None: all."""
        query = sa.select(entries).limit(limit).order_by(entries.c.seq if oldest_first else entries.c.seq.desc())
        if kind is not None or kinds is not None:
            query = query.where(entries.c.kind.in_([*(kinds or ()), *([kind] if kind is not None else ())]))
        if after:
            query = query.where(entries.c.seq > after)
        with self._table.told("read"), self._table.reading() as connection:
            return tuple(entry_of(row._mapping) for row in connection.execute(query))

    def newest(self, kinds: Collection[str]) -> int:
        """Number of the newest entry of these kinds, 0 when there is none: what was folded from them holds until it grows."""
        with self._table.told("read"), self._table.reading() as connection:
            return newest_of(connection, kinds)

    def search(
        self,
        *,
        principal: str | None = None,
        product: str | None = None,
        kind: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        grant: str | None = None,
        oldest_first: bool = False,
        limit: int = 100,
    ) -> tuple[LedgerEntry, ...]:
        """The newest entries first about whom, what and by which grant: `since` counts, `until` not. Reads all of that time."""
        wanted = Wanted(
            principal=principal,
            product=product,
            kind=kind,
            since=since,
            until=until,
            grant=grant,
            oldest_first=oldest_first,
        )
        return search(self._table, wanted, limit=limit)

    def broken_at(self) -> int | None:
        """Return the first entry that does not follow from its content and its predecessor; None when all do."""
        with self._table.told("read"), self._table.reading() as connection:
            return broken_at(connection)

    def _write(
        self, facts: Sequence[Fact], *, still: tuple[Collection[str], int] | None = None
    ) -> Sequence[dict[str, Any]]:
        with self._table.told("written"):
            with self._table.writing() as connection:
                head = self._head()
                last = sound(connection, head, self._table.where)
                if still is not None and newest_of(connection, still[0]) != still[1]:
                    return []
                self._adopt(connection, head, last)
                chain = Chain(previous=last["hash"], seq=last["seq"]) if last else Chain()
                rows = [chain.add(fact) for fact in facts]
                connection.execute(entries.insert(), rows)
                _require_kept(connection, rows[-1], self._table.where)
            if self._seal is not None:
                self._seal.sign(rows[-1])
        return rows

    def _adopt(self, connection: sa.Connection, head: Head | None, last: Mapping[Any, Any] | None) -> None:
        """A ledger from before there was a head is read whole, once, before it is signed: no broken chain gets a seal."""
        if self._adopted or self._seal is None or head is not None or last is None or not self._seal.begins:
            return
        broken = broken_at(connection)
        if broken is not None:
            raise LedgerDamagedError(f"the chain breaks at entry {broken}", where=self._table.where)
        self._adopted = True

    def _head(self) -> Head | None:
        return self._seal.head() if self._seal is not None else None


def open_ledger(settings: Settings) -> Ledger:
    """Open the ledger of a mesh, with its seal."""
    return Ledger(settings.ledger_url, seal=seal_of(settings))


def checked(table: EntryTable, seal: Seal | None) -> bool:
    """Look at the ledger's end, as every opening does; tell whether there is a table. LedgerDamagedError, StorageError."""
    head = seal.head() if seal is not None else None  # before the entries: what others append meanwhile is beyond it
    if not table.open():
        if head is not None:
            raise LedgerDamagedError(_missing(1, head), where=table.where)
        return False
    with table.told("read"), table.reading() as connection:
        sound(connection, head, table.where)
    return True


def sound(connection: sa.Connection, head: Head | None, where: str) -> Mapping[Any, Any] | None:
    """Return the newest entry after a look at the end alone: it is whole, and what was signed is still there.

    LedgerDamagedError otherwise. Costs one row, two when the newest is not the one that was signed.
    """
    last = connection.execute(newest).mappings().first()
    if last is not None and digest(last) != last["hash"]:
        raise LedgerDamagedError(f"entry {last['seq']} was changed", where=where)
    if head is None:
        return last
    if last is None or last["seq"] < head.seq:
        raise LedgerDamagedError(_missing(last["seq"] + 1 if last else 1, head), where=where)
    at_head = sa.select(entries).where(entries.c.seq == head.seq)
    signed = last if last["seq"] == head.seq else connection.execute(at_head).mappings().first()
    if signed is None or signed["hash"] != head.hash or digest(signed) != head.hash:
        raise LedgerDamagedError(f"entry {head.seq} is not the one that was signed", where=where)
    return last


def _require_kept(connection: sa.Connection, row: Mapping[str, Any], where: str) -> None:
    """A trigger or a view in the table's place could take an entry and lose it."""
    kept = connection.execute(newest).mappings().first()
    if kept is None or digest(kept) != row["hash"]:
        raise LedgerDamagedError(f"the database did not keep entry {row['seq']} as it was written", where=where)


def newest_of(connection: sa.Connection, kinds: Collection[str]) -> int:
    """Number of the newest entry of these kinds, 0 when there is none: one step down an index for each kind."""
    if not kinds:
        return 0
    return max(int(seq or 0) for seq in connection.execute(_newest_of(tuple(kinds))).one())


@lru_cache
def _newest_of(kinds: tuple[str, ...]) -> sa.Select[Any]:
    each = [newest.with_only_columns(entries.c.seq).where(entries.c.kind == kind) for kind in kinds]
    return sa.select(*(one.scalar_subquery() for one in each))


def broken_at(connection: sa.Connection) -> int | None:
    """Return the first entry that does not follow; None when all do. Reads them all."""
    chain = Chain()
    rows = connection.execution_options(yield_per=1000).execute(sa.select(entries).order_by(entries.c.seq))
    return next((int(row["seq"]) for row in rows.mappings() if chain.troubles(row)), None)


def _missing(first: int, head: Head) -> str:
    of = f"entry {first} is" if first == head.seq else f"entries {first} to {head.seq} are"
    return f"{of} missing, though signed on {head.at}"
