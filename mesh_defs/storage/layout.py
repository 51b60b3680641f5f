"""Where things lie in one place on a local disk, and how candidates are named.

    manifest.json                            the pointer
    lock                                     held while publishing, refusing and sweeping
    history/<sequence>-<id>.json             one record per published version
    parts/<candidate id>/0.<suffix>          staged and published parts, read-only
    refused/<candidate id>/refused.json, …   quarantine: the parts, and why

Touches no file.
"""

import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

_ID = re.compile(r"(\d{8}T\d{12}Z)-[0-9a-f]{8}")
_ID_TIME = "%Y%m%dT%H%M%S%fZ"


@dataclass(frozen=True, slots=True)
class Layout:
    """The paths of one place, which is absolute and belongs to one product alone."""

    place: Path

    @property
    def pointer(self) -> Path:
        """The file that names the version which readers see."""
        return self.place / "manifest.json"

    @property
    def lock(self) -> Path:
        """The file that writers lock; it holds nothing and is never removed."""
        return self.place / "lock"

    @property
    def history(self) -> Path:
        """The folder of records."""
        return self.place / "history"

    @property
    def parts(self) -> Path:
        """The folder that holds one folder of parts per candidate."""
        return self.place / "parts"

    @property
    def refused(self) -> Path:
        """The folder that holds one folder per quarantined candidate."""
        return self.place / "refused"

    def staged(self, id: str) -> Path:
        """Return a candidate's folder of parts; ValueError for an id that is not ours: folders get removed."""
        if staged_at(id) is None:
            raise ValueError(f"'{id}' is not a candidate's id")
        return self.parts / id


def new_id(now: datetime) -> str:
    """Return a candidate's id: unique, and sorted by time to the microsecond."""
    return f"{now.astimezone(UTC).strftime(_ID_TIME)}-{secrets.token_hex(4)}"


def staged_at(name: str) -> datetime | None:
    """Return the time in a candidate's id, or None for a name that is not one of ours."""
    found = _ID.fullmatch(name)
    return datetime.strptime(found[1], _ID_TIME).replace(tzinfo=UTC) if found else None
