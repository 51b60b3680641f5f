"""What a refresh set out to make, kept on disk so that it can be taken up again. What became of it is told by Dagster's
runs, which carry the plan's id as a tag; nothing of that is written here."""

import secrets
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from mesh_defs.errors import NotFoundError, StorageError, nearest
from mesh_defs.settings import Settings
from mesh_defs.storage.durable import locked, make_folder, replace

KEPT_MAX = 100


class Plan(BaseModel):
    """The products of one refresh, and the generation of the catalog that they were selected from.

    `partitions` are those to be made of each product that is partitioned.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    id: str
    products: tuple[str, ...]
    partitions: dict[str, tuple[str, ...]] = {}
    generation: int
    started_at: AwareDatetime
    ended_at: AwareDatetime | None = None


def new_id(now: datetime) -> str:
    """An id that sorts by time."""
    return f"{now:%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"


def store_plan(settings: Settings, plan: Plan) -> None:
    """Write the plan in one step, and forget those written longest ago, beyond `KEPT_MAX`."""
    make_folder(_folder(settings))
    replace(_file(settings, plan.id), plan.model_dump_json(indent=1).encode())
    for old in sorted(_files(settings), key=lambda file: file.stat().st_mtime)[:-KEPT_MAX]:
        old.unlink(missing_ok=True)


def find_plan(settings: Settings, wanted: str | None = None) -> Plan:
    """Return the plan of that id, or the last begun that has not ended. NotFoundError names those there are."""
    if wanted is None:
        unfinished = [plan for plan in map(_read, _files(settings)) if plan.ended_at is None]
        if not unfinished:
            raise NotFoundError("no refresh is unfinished", fix="start one with `mesh refresh`")
        return max(unfinished, key=lambda plan: plan.started_at)
    known = [file.stem for file in _files(settings)]
    if wanted not in known:
        raise NotFoundError(f"there is no refresh '{wanted}'", fix=nearest(wanted, known))
    return _read(_file(settings, wanted))


def has_plan(settings: Settings, refresh: str) -> bool:
    """Tell whether a refresh of that id was ever begun here."""
    return _file(settings, refresh) in _files(settings)


def launching(settings: Settings) -> AbstractContextManager[None]:
    """Hold what lets one refresh at a time look for runs that go on and launch its own."""
    make_folder(_folder(settings))
    return locked(_folder(settings) / "lock")


def _read(file: Path) -> Plan:
    try:
        return Plan.model_validate_json(file.read_bytes())
    except (OSError, ValidationError):
        fix = "remove the file, and begin a new refresh: runs that go on are joined, not repeated"
        raise StorageError("this plan of a refresh cannot be read", where=str(file), fix=fix) from None


def _files(settings: Settings) -> tuple[Path, ...]:
    return tuple(sorted(_folder(settings).glob("*.json")))


def _file(settings: Settings, refresh: str) -> Path:
    return _folder(settings) / f"{refresh}.json"


def _folder(settings: Settings) -> Path:
    return settings.home / "refreshes"
