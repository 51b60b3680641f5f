"""The rooms of a mesh: rooms/<id>/ at its root, and for which parties this mesh speaks there."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mesh_defs.cleanroom.extract import Seat
from mesh_defs.cleanroom.keys import identity, key_behind
from mesh_defs.cleanroom.signed import RoomFolder
from mesh_defs.documents.seats import read_seats
from mesh_defs.errors import AccessDeniedError, NotFoundError, nearest
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


def seat_of(folder: RoomFolder, party: str, platform: Platform, given: Mapping[str, str]) -> Seat:
    """The seat of one party; `given` is said instead of what stands in seats.yaml. NotFoundError when nobody is named."""
    found = readers_of(folder).get(party)
    told: dict[str, Any] = {**(asdict(found) if found else {}), **given}
    if not {"principal", "purpose"} <= told.keys():
        fix = f"write `{party}: {{principal: …, purpose: …}}` below `seats:`, as a grant of the shared products names them"
        raise NotFoundError(f"nobody is named who reads here for '{party}'", where=str(folder.path / SEATS), fix=fix)
    return Seat(party=party, platform=platform, **told)


def seats_of(folder: RoomFolder, platform: Platform) -> Mapping[str, Seat]:
    """The seats of the parties that this mesh speaks for."""
    return {party: Seat(party=party, platform=platform, **asdict(each)) for party, each in readers_of(folder).items()}


def keys_of(agreement: Agreement, settings: Settings) -> Mapping[str, Ed25519PrivateKey]:
    """The parties whose keys this mesh has, each with its key."""
    found = {party.name: key_behind(settings, party.key) for party in agreement.parties}
    return {name: key for name, key in found.items() if key is not None}


def signer_of(agreement: Agreement, settings: Settings, wanted: str | None) -> tuple[str, Ed25519PrivateKey]:
    """For which party this mesh can sign, and the key: the one that is wanted, else the only one whose key it has.

    AccessDeniedError when it has no such key; NotFoundError when it has none at all, or several and none is wanted.
    """
    own = keys_of(agreement, settings)
    if not own:
        identity(settings)
    if wanted is None and len(own) > 1:
        what = f"this mesh has the keys of {', '.join(own)}"
        raise NotFoundError(what, fix=f"say --party {' or '.join(own)}")
    name = wanted or next(iter(own), "")
    if name in own:
        return name, own[name]
    what = (
        f"this mesh does not have the key of '{name}'" if own else f"this mesh's key is no party's of '{agreement.id}'"
    )
    fix = "`mesh room key` prints it: the agreement must name it, or this is not the mesh to do it in"
    raise AccessDeniedError(what, fix=f"it has that of {', '.join(own)}" if own else fix)


def spoken_for(agreement: Agreement, folder: RoomFolder, settings: Settings, wanted: str | None) -> str:
    """For which party a command speaks: the one that is wanted, else the only one whose key this mesh has, else the only
    one that it has a seat for.

    AccessDeniedError for a party of another mesh; NotFoundError when it cannot be told.
    """
    keys = list(keys_of(agreement, settings))
    own = list(dict.fromkeys((*readers_of(folder), *keys)))
    names = [party.name for party in agreement.parties]
    if wanted is not None and wanted not in own:
        what = f"this mesh does not speak for '{wanted}' in room '{agreement.id}'"
        fix = f"it speaks for {', '.join(own)}" if own else f"name its reader in {FOLDER}/{agreement.id}/{SEATS}"
        raise AccessDeniedError(what if wanted in names else f"'{wanted}' is no party of '{agreement.id}'", fix=fix)
    (only,) = keys if len(keys) == 1 else own if len(own) == 1 else (None,)
    if wanted is None and only is None:
        fix = f"say --party {' or '.join(own)}" if own else "`mesh room key` prints this mesh's key for the agreement"
        raise NotFoundError(f"for which party of '{agreement.id}' this is cannot be told", fix=fix)
    return wanted or str(only)


def viewer_of(agreement: Agreement, folder: RoomFolder, settings: Settings, wanted: str | None) -> str | None:
    """As which party somebody looks at a room; None where it is not said and this mesh speaks for several, or for none.

    AccessDeniedError for a party of another mesh.
    """
    try:
        return spoken_for(agreement, folder, settings, wanted)
    except NotFoundError:
        return None
