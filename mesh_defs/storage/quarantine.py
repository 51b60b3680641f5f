"""Where refused candidates go: out of every reader's way, beside a note that says why."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mesh_defs.errors import StorageError
from mesh_defs.model.version import Candidate, Part
from mesh_defs.storage import durable
from mesh_defs.storage.base import Refused
from mesh_defs.storage.layout import Layout, staged_at
from mesh_defs.storage.manifest import document_of, part_of

NOTE = "refused.json"


def quarantine(layout: Layout, candidate: Candidate, document: bytes) -> None:
    """Write the note into the candidate's folder, then move the folder; the note never lags behind its parts."""
    folder = layout.staged(candidate.id)
    durable.replace(folder / NOTE, document)
    durable.make_folder(layout.refused)
    os.rename(folder, layout.refused / candidate.id)
    durable.sync(layout.refused)
    durable.sync(layout.parts)


def note(
    candidate: Candidate, reasons: Sequence[Mapping[str, Any]], about: Mapping[str, Any] | None, at: datetime
) -> bytes:
    """Return the document that says when and why a candidate was refused, and what it was made of."""
    body = {
        "id": candidate.id,
        "refused_at": at.astimezone(UTC).isoformat(),
        "partition": candidate.partition,
        "rows": candidate.rows,
        "reasons": [dict(reason) for reason in reasons],
        "about": dict(about or {}),
        "parts": list(map(document_of, candidate.parts)),
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
        return Refused(id=id, refused_at=staged, reasons=(), path=path)
    told = Refused(id=id, refused_at=at, reasons=reasons, path=path)
    return with_parts(told, body, staged=f"parts/{id}/", now=f"refused/{id}/")


def with_parts(refused: Refused, body: Mapping[str, Any], *, staged: str, now: str) -> Refused:
    """Add what the note tells of the rows: where they lie now, their partition, and what the auditor noted besides.

    The paths of its parts begin with `staged`, and begin with `now` since they were moved.

    A note of an earlier release, or one that was changed by hand, names no parts that can be believed.
    """
    try:
        parts = tuple(_moved(part_of(each), staged, now) for each in body["parts"])
        about = dict(body["about"])
    except (ValueError, KeyError, TypeError, AttributeError):
        parts, about = (), {}
    rows = body.get("rows")
    known = rows if isinstance(rows, int) else None
    return replace(refused, partition=body.get("partition"), rows=known, parts=parts, about=about)


def require_parts_of(refused: Refused) -> None:
    """Raise StorageError when the note does not tell where the rows lie."""
    if not refused.parts:
        what = f"the note of {refused.id} does not tell what its parts are"
        raise StorageError(what, where=refused.path, fix="re-materialize the product; the sweep removes this batch")


def _moved(part: Part, staged: str, now: str) -> Part:
    """Where a part lies after it was moved. Invariant: never a part of another candidate."""
    if not part.path.startswith(staged):
        raise ValueError
    return replace(part, path=now + part.path.removeprefix(staged))
