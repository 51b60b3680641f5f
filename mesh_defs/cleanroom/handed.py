"""What a party keeps of all parties' signatures, as a file: handed to another, it tells of a ledger that was written anew.

    {"format": 1, "room": the room's id, "kept": [signed messages in base64]}

It holds heads of ledgers and digests of releases; no number of a release, and nothing of a row.
"""

import base64
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from mesh_defs.errors import NotFoundError, StorageError


def hand_over(file: Path, room: str, kept: Sequence[bytes]) -> None:
    """Write such a file. NotFoundError where nothing is kept, StorageError where it cannot be written."""
    if not kept:
        raise NotFoundError("this mesh keeps no signatures to hand over", fix="`mesh room party` does, at each release")
    told = {"format": 1, "room": room, "kept": [base64.b64encode(each).decode() for each in kept]}
    try:
        file.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        what = f"the signatures cannot be written: {error.strerror}"
        raise StorageError(what, where=str(file), fix="name another file") from None


def taken_over(files: Iterable[Path], room: str) -> tuple[bytes, ...]:
    """Read what others handed over. NotFoundError for a missing file, StorageError for one that is none, or another room's."""
    return tuple(message for file in files for message in _taken(file, room))


def _taken(file: Path, room: str) -> tuple[bytes, ...]:
    fix = f"give the file that another party's `mesh room verify {room} --out FILE` wrote"
    try:
        told = json.loads(file.read_bytes())
        kept, of = [base64.b64decode(each, validate=True) for each in told["kept"]], (told["format"], told["room"])
    except OSError as error:
        raise NotFoundError(f"there are no signatures: {error.strerror}", where=str(file), fix=fix) from None
    except (ValueError, KeyError, TypeError, RecursionError):
        raise StorageError("these are no kept signatures", where=str(file), fix=fix) from None
    if not kept or of != (1, room):
        raise StorageError(f"these are no signatures of room '{room}', in format 1", where=str(file), fix=fix)
    return tuple(kept)
