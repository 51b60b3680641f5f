"""The rooms of a mesh: rooms/<id>/ at its root, and for which parties this mesh speaks there."""

from collections.abc import Mapping
from pathlib import Path

from mesh_defs.cleanroom.extract import Seat
from mesh_defs.cleanroom.keys import identity
from mesh_defs.cleanroom.signed import RoomFolder
from mesh_defs.documents.seats import read_seats
from mesh_defs.errors import AccessDeniedError, NotFoundError, nearest
from mesh_defs.ledger.head import public_text
from mesh_defs.model.names import is_name
from mesh_defs.model.room import Agreement, Reader
from mesh_defs.query.platform import Platform
from mesh_defs.settings import Settings

FOLDER, SEATS = "rooms", "seats.yaml"


def room_names(root: Path) -> tuple[str, ...]:
    """Ids of the rooms that this mesh has an agreement of, signed or not, in order."""
    return tuple(sorted(file.parent.name for file in (root / FOLDER).glob("*/agreement.yaml")))


def place_of(settings: Settings, room: str) -> Path:
    """The folder of a room, whether or not there is one. NotFoundError for what cannot be a room's id."""
    if not is_name(room.replace("-", "_")):
        what = f"'{room}' is no room's id"
        raise NotFoundError(what, fix="write lower case letters, digits, _ and -, a letter first")
    return settings.root / FOLDER / room


def room_at(settings: Settings, room: str) -> RoomFolder:
    """The files of a room of this mesh. NotFoundError, with the nearest name, when there is none."""
    place = place_of(settings, room)
    if not (place / "agreement.yaml").is_file():
        known = room_names(settings.root)
        fix = nearest(room, known) if known else "`mesh room new` writes one, or put the partner's into rooms/"
        raise NotFoundError(f"this mesh has no room '{room}'", fix=fix)
    return RoomFolder(place)


def readers_of(folder: RoomFolder) -> Mapping[str, Reader]:
    """As whom this mesh reads for each party that it speaks for in a room (seats.yaml). DeclarationError."""
    return read_seats(folder.path / SEATS, root=folder.path.parent)


def seats_of(folder: RoomFolder, platform: Platform) -> Mapping[str, Seat]:
    """The seats of the parties that this mesh speaks for."""
    return {
        party: Seat(party=party, platform=platform, principal=each.principal, purpose=each.purpose, engine=each.engine)
        for party, each in readers_of(folder).items()
    }


def party_by_key(agreement: Agreement, settings: Settings) -> str | None:
    """The party whose key this mesh has, if it is one's. NotFoundError when this mesh has no key."""
    key = public_text(identity(settings))
    return next((each.name for each in agreement.parties if each.key == key), None)


def spoken_for(agreement: Agreement, folder: RoomFolder, settings: Settings, wanted: str | None) -> str:
    """For which party a command speaks: the one that is wanted, else the only one that is this mesh's own.

    AccessDeniedError for a party of another mesh; NotFoundError when it cannot be told.
    """
    own = list(readers_of(folder))
    try:
        by_key = party_by_key(agreement, settings)
    except NotFoundError:
        by_key = None
    own += [by_key] if by_key and by_key not in own else []
    names = [party.name for party in agreement.parties]
    if wanted is not None and wanted not in own:
        what = f"this mesh does not speak for '{wanted}' in room '{agreement.id}'"
        fix = f"it speaks for {', '.join(own)}" if own else f"name its reader in {FOLDER}/{agreement.id}/{SEATS}"
        raise AccessDeniedError(what if wanted in names else f"'{wanted}' is no party of '{agreement.id}'", fix=fix)
    if wanted is None and by_key is None and len(own) != 1:
        fix = f"say --party {' or '.join(own)}" if own else "`mesh room key` prints this mesh's key for the agreement"
        raise NotFoundError(f"for which party of '{agreement.id}' this is cannot be told", fix=fix)
    return wanted or by_key or own[0]


def viewer_of(agreement: Agreement, folder: RoomFolder, settings: Settings, wanted: str | None) -> str | None:
    """As which party somebody looks at a room; None where it is not said and this mesh speaks for several, or for none.

    AccessDeniedError for a party of another mesh.
    """
    try:
        return spoken_for(agreement, folder, settings, wanted)
    except NotFoundError:
        return None
