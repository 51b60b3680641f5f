"""Where refused candidates go: out of every reader's way, beside a note that says why."""

import json
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mesh_defs.model.version import Candidate
from mesh_defs.storage import durable
from mesh_defs.storage.base import Refused
from mesh_defs.storage.layout import Layout, staged_at

NOTE = "refused.json"


def quarantine(layout: Layout, candidate: Candidate, reasons: Sequence[Mapping[str, Any]], at: datetime) -> None:
    """Write the note into the candidate's folder, then move the folder; the note never lags behind its parts."""
    folder = layout.staged(candidate.id)
    durable.replace(folder / NOTE, note(candidate, reasons, at))
    durable.make_folder(layout.refused)
    os.rename(folder, layout.refused / candidate.id)
    durable.sync(layout.refused)
    durable.sync(layout.parts)


def note(candidate: Candidate, reasons: Sequence[Mapping[str, Any]], at: datetime) -> bytes:
    """Return the document that says when and why a candidate was refused."""
    body = {
        "id": candidate.id,
        "refused_at": at.astimezone(UTC).isoformat(),
        "partition": candidate.partition,
        "rows": candidate.rows,
        "reasons": [dict(reason) for reason in reasons],
    }
    # Reasons are for people: one that is not JSON must not save a bad candidate from quarantine.
    return json.dumps(body, indent=1, default=str).encode()


def quarantined(layout: Layout) -> tuple[Refused, ...]:
    """Return what lies in quarantine, newest first. A note that cannot be read leaves the reasons empty."""
    folders = [path for path in layout.refused.iterdir() if staged_at(path.name)] if layout.refused.is_dir() else []
    return tuple(sorted(map(_refused, folders), key=lambda one: (one.refused_at, one.id), reverse=True))


def _refused(folder: Path) -> Refused:
    try:
        content = (folder / NOTE).read_bytes()
    except FileNotFoundError:
        content = b""
    return noted(folder.name, content, str(folder))


def noted(id: str, content: bytes, path: str) -> Refused:
    """Return what a note says; one that cannot be read leaves the reasons empty, and the time that of the staging."""
    staged = staged_at(id)
    assert staged is not None
    try:
        body = json.loads(content)
        at, reasons = datetime.fromisoformat(body["refused_at"]), tuple(body["reasons"])
    except (ValueError, KeyError, TypeError):
        at, reasons = staged, ()
    return Refused(id=id, refused_at=at, reasons=reasons, path=path)
