"""The seam between a product and the place where its bytes lie. Holds no format, no path and no SQL."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol

from duckdb import DuckDBPyConnection

from mesh_defs.model.contract import StorageKind
from mesh_defs.model.version import Candidate, Part, Pin, Version
from quality_checks import Remote


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A quarantined candidate. `reasons` are the auditor's own words; `path` says where its parts lie.

    `about` is what the auditor noted besides. `parts` (paths as they lie now) are empty when the note does not name them:
    then the rows cannot be read any more. `kind`: a whole batch, or the rows that were left out of one that was published.
    """

    id: str
    refused_at: datetime
    reasons: tuple[Mapping[str, Any], ...]
    path: str
    partition: str | None = None
    rows: int | None = None
    parts: tuple[Part, ...] = ()
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def kind(self) -> Literal["batch", "rows"]:
        """A whole batch, or rows of one."""
        return "rows" if self.about.get("kind") == "rows" else "batch"


class Readable(Protocol):
    """ONE product's bytes at one place, as the door reads them: whatever writes them, and however."""

    def current(self) -> Version | None:
        """Return what is to be read there now, or None if nothing was ever published."""
        ...

    def pin(self, product: str, version: Version) -> Pin:
        """Return where this version lies, for engines. Raises StorageError when it cannot be read as promised."""
        ...


class Storage(Readable, Protocol):
    """ONE product's bytes at one place: stage, audit (the caller's part), then publish or refuse.

    Readers see whole published versions only; a version and its parts never change. Any number of threads and processes
    may use one place. Every method raises StorageError when the place does not answer; no message carries a value.
    """

    @property
    def kind(self) -> StorageKind:
        """The contract's name of this kind of storage."""
        ...

    def stage(
        self,
        connection: DuckDBPyConnection,
        select: str,
        *,
        partition: str | None = None,
        tokens: Mapping[str, str] | None = None,
    ) -> Candidate:
        """Run one SELECT (text of our own making) on the caller's connection and write its rows as new parts.

        Nobody reads them yet. Durable on return; on any error nothing is left behind (but for what an unreachable store
        cannot be asked to remove: the sweep does). `columns` of the candidate are what readers will see, which may be
        wider than the SELECT's own types (an ENUM becomes VARCHAR in Parquet). `tokens`: columns whose tokens the SELECT
        gives besides, as `token_column` names them, and the keys' ids; readers will not see those.
        """
        ...

    def relation(self, connection: DuckDBPyConnection, parts: Sequence[Part], *, whole: bool = False) -> str:
        """Return text that may stand after FROM on this connection and reads exactly these parts.

        Without their tokens, unless the `whole` is asked for, of parts that have the same: to copy them.
        May attach files or databases to the connection, where they stay until `release` or the connection's instance closes.
        """
        ...

    def remote(self, connection: DuckDBPyConnection, parts: Sequence[Part]) -> Remote | None:
        """Return where the rows of what `relation` gave can be judged without moving them; None where only here."""
        ...

    def release(self, connection: DuckDBPyConnection, parts: Sequence[Part]) -> None:
        """Undo what `relation` attached for these parts on this same connection; harmless if that was nothing."""
        ...

    def publish(self, candidate: Candidate, *, stamp: Mapping[str, Any]) -> Version:
        """Flip the pointer in one step: readers see the version before it, or this one. Durable on return.

        A candidate of one partition replaces that partition's parts and keeps the others, as they are at the flip.
        Publishing what is already current changes nothing. `stamp` must hold JSON values.
        """
        ...

    def refuse(
        self, candidate: Candidate, reasons: Sequence[Mapping[str, Any]], about: Mapping[str, Any] | None = None
    ) -> None:
        """Quarantine the candidate's parts with a note of when and why. It can no longer be published."""
        ...

    def refused(self) -> tuple[Refused, ...]:
        """Return what is in quarantine, newest first."""
        ...

    def refused_relation(self, connection: DuckDBPyConnection, refused: Refused) -> str:
        """As `relation`, of what lies in quarantine; `release` its parts afterwards. For the domain itself alone."""
        ...

    def drop_refused(self, id: str) -> bool:
        """Remove one candidate from quarantine; False when it was not there (any more)."""
        ...

    def discard(self, candidate: Candidate) -> None:
        """Remove a candidate whose audit or publication crashed. One that was published after all is left alone."""
        ...

    def current(self) -> Version | None:
        """Return the published version, or None if nothing was ever published. One small read.

        When the pointer is lost or torn: the newest intact version of the history, with `recovered` saying so.
        """
        ...

    def versions(self) -> tuple[Version, ...]:
        """Return the retained versions, newest first; each was superseded when the one before it here was published."""
        ...

    def pin(self, product: str, version: Version) -> Pin:
        """Return where this version's parts lie, for engines; StorageError names a part that is missing or torn."""
        ...

    def sweep(self, now: datetime, retention_seconds: float) -> tuple[str, ...]:
        """Remove what nobody can be reading, and return what was removed, as paths relative to the place.

        That is: versions superseded, candidates staged and never published, and quarantined ones, each longer ago than
        the retention, which must outlive the longest query and the longest step. With a lost pointer nothing goes.
        """
        ...

    def retire(self) -> tuple[str, ...]:
        """Remove everything at the place, published or not, and return what was removed. Nobody may be reading it."""
        ...
