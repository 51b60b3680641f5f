"""Looks at the whole ledger, whatever state it is in: what was changed, what was signed. The door only looks at its end."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from mesh_defs.errors import Finding, StorageError
from mesh_defs.ledger.entry import Chain, LedgerEntry, entry_of, fact_of
from mesh_defs.ledger.head import Head, parse
from mesh_defs.ledger.ledger import broken_at, checked
from mesh_defs.ledger.seal import LedgerDamagedError, Seal, seal_of
from mesh_defs.ledger.table import EntryTable, entries, newest
from mesh_defs.settings import Settings

FINDINGS_MAX = 20
ACCEPTED = "head_accepted"
WAIT_SECONDS = 30.0
_KEEP = "keep everything as it is, and find out who changed it"
_AGAIN = "a backup that was put back on purpose is accepted with `mesh audit sign`; else " + _KEEP


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What a look at every entry found: `unsigned` entries came after the head, or all, when nothing was signed yet."""

    entries: int
    head: Head | None
    unsigned: int
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Walked:
    count: int
    last: int
    hashes: Mapping[int, str]
    findings: tuple[Finding, ...]


def verify(settings: Settings, *, kept: Head | None = None) -> Verification:
    """Read the whole ledger and hold it against its head, and against one that was kept elsewhere.

    At most FINDINGS_MAX broken entries are told. StorageError when the ledger cannot be read at all.
    """
    seal, table = seal_of(settings), EntryTable(settings.ledger_url, wait_seconds=WAIT_SECONDS)
    found: list[Finding] = []
    head: Head | None = None
    try:
        head = seal.head()  # before the entries: what others append meanwhile is beyond it
    except LedgerDamagedError as error:
        found.append(_finding(error))
    signed = {str(seal.file): head, "the head that was kept": kept}
    walked = _walk(table, {each.seq for each in signed.values() if each})
    found += walked.findings
    for name, each in signed.items():
        found += _against(each, walked, name) if each else ()
    found += _strange(kept, seal) if kept else ()
    unsigned = walked.last - head.seq if head else walked.count
    return Verification(entries=walked.count, head=head, unsigned=max(unsigned, 0), findings=tuple(found))


def accept(settings: Settings, *, because: str, principal: str | None, at: datetime) -> LedgerEntry:
    """Sign the ledger as it is, whatever was signed before; an entry says why, by whom, and what the head was.

    For the first time, or after a backup was put back, a head or a key lost, a damaged ledger moved away. LedgerDamagedError
    when its chain is broken: that is not mended by signing it.
    """
    seal, table = seal_of(settings), EntryTable(settings.ledger_url, wait_seconds=WAIT_SECONDS)
    raw = seal.raw()
    try:
        head = seal.head()
        before: Any = {"seq": head.seq, "hash": head.hash, "key": head.key} if head else None
    except LedgerDamagedError as error:
        before = {"damaged": error.what}
    if not table.open():
        table.make()
    with table.told("written"):
        with table.writing() as connection:
            if (broken := broken_at(connection)) is not None:
                fix = f"{_KEEP}; to go on, move the whole ledger away, then sign the new, empty one"
                raise LedgerDamagedError(f"the chain breaks at entry {broken}", where=table.where, fix=fix)
            last = connection.execute(newest).mappings().first()
            chain = Chain(previous=last["hash"], seq=last["seq"]) if last else Chain()
            row = chain.add(fact_of(ACCEPTED, {"because": because, "principal": principal, "before": before}, at))
            connection.execute(entries.insert(), row)
        seal.accept(row, over=raw)
    return entry_of(row)


def read_kept(text: str | bytes, where: str) -> Head:
    """Read a head that was kept elsewhere. StorageError when it is none."""
    try:
        return parse(text)
    except ValueError:
        raise StorageError("this is no head of a ledger", where=where, fix="`mesh audit head` prints one") from None


def opened(settings: Settings) -> tuple[EntryTable, Finding | None]:
    """Open the ledger to read it though it may be damaged; with what a look at its end found."""
    table = EntryTable(settings.ledger_url, wait_seconds=WAIT_SECONDS)
    try:
        checked(table, seal_of(settings))
    except LedgerDamagedError as error:
        return table, _finding(error)
    return table, None


def rows(table: EntryTable) -> Iterator[Mapping[Any, Any]]:
    """Every row in its order, read as they are asked for; none where no table was made. StorageError when they cannot be."""
    if not table.open():
        return
    with table.told("read"), table.reading() as connection:
        query = sa.select(entries).order_by(entries.c.seq)
        yield from connection.execution_options(yield_per=1000).execute(query).mappings()


def breaks(chain: Chain, row: Mapping[Any, Any]) -> Iterator[Finding]:
    """What is wrong with the chain's next entry."""
    for what in chain.troubles(row):
        yield Finding(where=f"entry {row['seq']}", what=what, fix=_KEEP)


def _finding(error: LedgerDamagedError) -> Finding:
    return Finding(where=error.where, what=error.what, fix=error.fix)


def _walk(table: EntryTable, seqs: set[int]) -> _Walked:
    chain, count = Chain(), 0
    found: list[Finding] = []
    hashes: dict[int, str] = {}
    for row in rows(table):
        count += 1
        found += list(breaks(chain, row))[: FINDINGS_MAX - len(found)]
        if row["seq"] in seqs:
            hashes[row["seq"]] = row["hash"]
    return _Walked(count=count, last=chain.seq, hashes=hashes, findings=tuple(found))


def _against(head: Head, walked: _Walked, name: str) -> Iterator[Finding]:
    if walked.last < head.seq:
        gone = "every entry is" if not walked.count else f"entries {walked.last + 1} to {head.seq} are"
        yield Finding(where=name, what=f"{gone} missing: the head says {head.seq}, on {head.at}", fix=_AGAIN)
    elif head.seq not in walked.hashes:
        yield Finding(where=name, what=f"entry {head.seq} is missing, which it says was the newest", fix=_KEEP)
    elif walked.hashes[head.seq] != head.hash:
        what = f"entry {head.seq} is not the one that was signed: it, or the chain before it, was written anew"
        yield Finding(where=name, what=what, fix=_KEEP)


def _strange(kept: Head, seal: Seal) -> Iterator[Finding]:
    name = "the head that was kept"
    if not kept.is_genuine:
        yield Finding(where=name, what="its signature does not hold: it was changed", fix="take the one that was kept")
    elif not seal.is_ours(kept):
        yield Finding(where=name, what=f"it is signed by another key, {kept.key}", fix="find out whose key that is")
