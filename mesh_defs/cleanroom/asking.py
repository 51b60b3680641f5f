"""Asks a room of this mesh: the way of the terminal, and of products that are made of releases."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa

from mesh_defs.cleanroom.budget import ASKED
from mesh_defs.cleanroom.channel import Trust
from mesh_defs.cleanroom.room import Room, RoomAnswer
from mesh_defs.cleanroom.rooms import SEATS, readers_of, room_at, seats_of, spoken_for
from mesh_defs.cleanroom.rules import Asked, groups_of, require_valid
from mesh_defs.cleanroom.signed import RoomFolder
from mesh_defs.errors import MeshError, UnreachableError
from mesh_defs.ledger import Ledger
from mesh_defs.model.room import Agreement, Field
from mesh_defs.query.platform import Platform
from mesh_defs.settings import Settings
from mesh_defs.sql.analysis import Arguments


def open_room(settings: Settings, name: str, platform: Platform) -> Room:
    """Open a room in this process: for one owner's parties, all of whom this mesh speaks for.

    UnreachableError when it does not speak for all of them.
    """
    folder = room_at(settings, name)
    seats = seats_of(folder, platform)
    missing = [party.name for party in folder.agreement().parties if party.name not in seats]
    if missing:
        fix = f"name as whom each reads in rooms/{name}/{SEATS}, if they are of one owner"
        raise UnreachableError(f"this mesh does not speak for {', '.join(missing)} in room '{name}'", fix=fix)
    return Room(folder=folder, seats=seats, ledger=platform.ledger, clock=platform.clock)


def ask(
    settings: Settings, name: str, asked: Asked, *, door: Callable[[], Platform], trust: Trust
) -> RoomAnswer | None:
    """Ask in this process where this mesh speaks for all parties, else through our own party's; None when the answer goes
    to another party. Raises what `Room.ask` and `processes.ask` do."""
    folder = room_at(settings, name)
    if speaks_for_all(folder):
        return open_room(settings, name, door()).ask(asked)
    from mesh_defs.cleanroom.processes import ask as ask_party  # HTTP, signatures: not for a room in one process

    return ask_party(settings, name, asked, trust=trust)


def speaks_for_all(folder: RoomFolder) -> bool:
    """Whether this mesh has a seat for every party, and so asks in one process."""
    return {party.name for party in folder.agreement().parties} <= readers_of(folder).keys()


def asker_of(folder: RoomFolder, settings: Settings, party: str | None, recipient: str | None) -> tuple[str, str]:
    """Who asks and who is to have the answer: as said; else our own party, or the first that the agreement names where
    this mesh speaks for all of them. AccessDeniedError, NotFoundError as `spoken_for`."""
    agreement = folder.agreement()
    analyst = party or agreement.analysts[0]
    if not speaks_for_all(folder):
        analyst = spoken_for(agreement, folder, settings, party)
    given = recipient or (analyst if analyst in agreement.recipients else agreement.recipients[0])
    return analyst, given


def arguments_of(given: Mapping[str, str], template: str | None, agreement: Agreement) -> Arguments:
    """Read a template's arguments as they are written in a terminal: whole numbers where its dimension has numbers."""
    found = next((each for each in agreement.templates if each.name == template), None)
    numbers = {name for name, of in found.parameters.items() if type(agreement.domain(of)[0]) is int} if found else ()
    return {name: int(told) if name in numbers and _is_whole(told) else told for name, told in given.items()}


def _is_whole(text: str) -> bool:
    return text.isascii() and text.removeprefix("-").isdigit()


def rows_of(answer: RoomAnswer) -> list[tuple[Any, ...]]:
    """The groups as the question shows them, in the order of the release."""
    analysis, outputs = answer.release.analysis, answer.question.outputs
    dimensions, aggregates = list(analysis.dimensions), list(analysis.aggregates)
    return [
        tuple(
            group.values[dimensions.index(what)] if isinstance(what, Field) else group.numbers[aggregates.index(what)]
            for _, what in outputs
        )
        for group in answer.release.groups
    ]


def accuracy_of(answer: RoomAnswer) -> list[dict[str, Any]]:
    """By how much noise changed each aggregate at most, at 95 %, in the order of `rows_of`; empty without noise."""
    aggregates = list(answer.release.analysis.aggregates)
    named = {name: aggregates.index(what) for name, what in answer.question.outputs if not isinstance(what, Field)}
    return [
        {name: group.accuracy[place] for name, place in named.items()}
        for group in answer.release.groups
        if group.accuracy
    ]


def table_of(answer: RoomAnswer) -> pa.Table:
    """The groups as an Arrow table, with the columns of the question."""
    rows, names = rows_of(answer), [name for name, _ in answer.question.outputs]
    columns: Sequence[Sequence[Any]] = list(zip(*rows, strict=True)) if rows else [[] for _ in names]
    return pa.table({name: list(column) for name, column in zip(names, columns, strict=True)})


def groups_possible(answer: RoomAnswer, agreement: Agreement) -> int:
    """How many groups the question could have had, whatever the rows hold."""
    return sum(1 for _ in groups_of(answer.release.analysis, agreement))


def begun(ledger: Ledger, room: str) -> dict[str, tuple[str, datetime]]:
    """Who began each run of a room, of any version of its agreement, and when, by this ledger."""
    entries = ledger.entries(kind=ASKED, limit=None)
    return {
        str(entry.body["run"]): (str(entry.body["analyst"]), datetime.fromisoformat(entry.at))
        for entry in entries
        if entry.body.get("room") == room
    }


def is_open(folder: RoomFolder, now: datetime) -> bool:
    """Whether all parties signed, none revoked and the agreement holds now, as far as this mesh knows."""
    try:
        require_valid(folder.signed(), now)
    except MeshError:
        return False
    return True
