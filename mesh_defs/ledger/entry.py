"""One entry: its text, its hash, and how it follows from the one before. Knows no database and no key."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

# Of one entry; the hash covers it. A ledger may hold entries of several formats: each is checked by its own.
FORMAT = 1
GENESIS = "0" * 64


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """One recorded fact. `body` holds JSON values, never a row of data."""

    seq: int
    at: str
    kind: str
    body: Mapping[str, Any]
    previous: str
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """What is to be recorded, before it has its place in the chain."""

    kind: str
    at: str
    body: str


@dataclass(slots=True)
class Chain:
    """Walks over entries in their order, and says of each what does not follow from the one before."""

    previous: str = GENESIS
    seq: int = 0

    def troubles(self, row: Mapping[Any, Any]) -> tuple[str, ...]:
        """What is wrong with the next entry; nothing when it is whole and in its place."""
        seq, told = int(row["seq"]), []
        if seq > self.seq + 1:
            told.append(f"before it, {_span(self.seq + 1, seq - 1)} missing")
        elif seq <= self.seq:
            told.append("its number was taken by one before it" if seq > 0 else "it is numbered before the first")
        if row["hash"] != digest(row):
            told.append("it was changed: its hash is that of other content")
        elif row["format"] != FORMAT:
            told.append(f"it is of format {row['format']}, which this version of the mesh does not know")
        if row["previous"] != self.previous:
            told.append("it does not follow from the entry before it")
        self.previous, self.seq = row["hash"], seq
        return tuple(told)

    def add(self, fact: Fact) -> dict[str, Any]:
        """Return the fact as the next row."""
        row: dict[str, Any] = {"seq": self.seq + 1, "format": FORMAT, "at": fact.at, "kind": fact.kind}
        row |= {"body": fact.body, "previous": self.previous}
        row["hash"] = digest(row)
        self.previous, self.seq = row["hash"], row["seq"]
        return row


def fact_of(kind: str, body: Mapping[str, Any], at: datetime) -> Fact:
    """Return what will be recorded. Raises TypeError for a body that is not JSON, and for a time without a zone.

    The same text for the same body, in ASCII: a surrogate of some shell's argument must not stop the record. Times are
    in UTC, so that they sort as text.
    """
    if at.tzinfo is None:
        raise TypeError(f"the time of a '{kind}' entry has no zone")
    try:
        text = json.dumps(dict(body), sort_keys=True, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise TypeError(f"the body of a '{kind}' entry is not JSON: {error}") from None
    return Fact(kind=kind, at=at.astimezone(UTC).isoformat(), body=text)


def digest(row: Mapping[Any, Any]) -> str:
    """SHA-256 over all that an entry says, in one unambiguous text."""
    told = [row[name] for name in ("format", "seq", "at", "kind", "body", "previous")]
    return hashlib.sha256(json.dumps(told, default=repr).encode()).hexdigest()


def entry_of(row: Mapping[Any, Any]) -> LedgerEntry:
    """Read a row of the table. Raises ValueError when its body is no JSON."""
    return LedgerEntry(
        seq=row["seq"],
        at=row["at"],
        kind=row["kind"],
        body=json.loads(str(row["body"])),
        previous=row["previous"],
        hash=row["hash"],
    )


def _span(first: int, last: int) -> str:
    return f"entry {first} is" if first == last else f"entries {first} to {last} are"
