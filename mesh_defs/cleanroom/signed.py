"""Signatures of an agreement: ed25519 (RFC 8032) over its digest, one by every party. And revocation, by any of them.

`rooms/<id>/agreement.yaml` beside `rooms/<id>/signatures/<party>.json` and `rooms/<id>/revoked/<party>.json`. A room is what
all parties signed; an edited file has another digest and no signatures.
"""

import base64
import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import TypeAdapter, ValidationError

from mesh_defs.documents.room import digest_of, read_agreement
from mesh_defs.errors import AccessDeniedError, NotFoundError, StorageError
from mesh_defs.model.room import Agreement, Party
from mesh_defs.storage import durable

FORMAT = 1
_BYTES_MAX = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One party's word about one version of an agreement. `kind`: "signed" or "revoked"."""

    kind: str
    room: str
    agreement: str
    party: str
    at: str
    signature: str = ""

    def message(self) -> bytes:
        """Return what is signed; says what it is for, so that it can serve for nothing else."""
        body = {key: value for key, value in asdict(self).items() if key != "signature"}
        return b"mesh-room-statement-1\n" + json.dumps(body, sort_keys=True, separators=(",", ":")).encode()


def state(kind: str, agreement: Agreement, party: str, key: Ed25519PrivateKey, at: datetime) -> Statement:
    """Return a party's signed statement. AccessDeniedError when the key is not the one that the agreement names."""
    named = _party(agreement, party)
    if base64.b64encode(key.public_key().public_bytes_raw()).decode() != named.key:
        fix = f"sign with {party}'s own key, or correct the key in the agreement"
        raise AccessDeniedError(f"this is not the key that the agreement names for '{party}'", fix=fix)
    said = Statement(
        kind=kind, room=agreement.id, agreement=digest_of(agreement), party=party, at=at.astimezone(UTC).isoformat()
    )
    return Statement(**{**asdict(said), "signature": base64.b64encode(key.sign(said.message())).decode()})


def require_signed(agreement: Agreement, statements: tuple[Statement, ...]) -> None:
    """Raise AccessDeniedError unless every party signed this very agreement and none revoked it."""
    digest = digest_of(agreement)
    sound = [each for each in statements if each.room == agreement.id and each.agreement == digest]
    for party in agreement.parties:
        own = [each for each in sound if each.party == party.name and is_genuine(each, party)]
        if any(each.kind == "revoked" for each in own):
            raise AccessDeniedError(f"'{party.name}' has revoked the agreement of '{agreement.id}'")
        if not any(each.kind == "signed" for each in own):
            what = f"'{party.name}' has not signed this version of the agreement of '{agreement.id}'"
            raise AccessDeniedError(what, fix="`mesh room sign` in that party's own mesh")


def is_genuine(said: Statement, party: Party) -> bool:
    """Tell whether a statement was signed with the party's key, as it stands."""
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(party.key))
    try:
        key.verify(base64.b64decode(said.signature), said.message())
    except (InvalidSignature, ValueError):
        return False
    return True


_STATEMENT = TypeAdapter(Statement)


@dataclass(frozen=True, slots=True)
class RoomFolder:
    """The files of one room: what a party keeps of it, and sends to the others by whatever means."""

    path: Path

    def agreement(self) -> Agreement:
        """Read the agreement, whoever signed it. DeclarationError; NotFoundError when there is none."""
        file = self.path / "agreement.yaml"
        if not file.is_file():
            raise NotFoundError(f"there is no room '{self.path.name}'", where=str(file), fix="`mesh room new`")
        return read_agreement(file, root=self.path.parent)

    def signed(self) -> Agreement:
        """Read the agreement; AccessDeniedError unless all parties signed it and none revoked it."""
        agreement = self.agreement()
        require_signed(agreement, self.statements())
        return agreement

    def statements(self) -> tuple[Statement, ...]:
        """Read what the parties stated, whether or not it is true. StorageError for a file that is no statement."""
        files = (*sorted((self.path / "signatures").glob("*.json")), *sorted((self.path / "revoked").glob("*.json")))
        return tuple(_read(file) for file in files)

    def keep(self, said: Statement) -> Path:
        """Write a statement where the others look for it."""
        folder = self.path / {"signed": "signatures", "revoked": "revoked"}[said.kind]
        durable.make_folder(folder)
        file = folder / f"{said.party}.json"
        durable.replace(file, json.dumps({"format": FORMAT, **asdict(said)}, indent=2).encode() + b"\n")
        return file


def _party(agreement: Agreement, name: str) -> Party:
    for party in agreement.parties:
        if party.name == name:
            return party
    names = ", ".join(party.name for party in agreement.parties)
    raise AccessDeniedError(f"'{name}' is no party of '{agreement.id}'", fix=f"its parties: {names}")


def _read(file: Path) -> Statement:
    try:
        with file.open("rb") as opened:
            body: Any = json.loads(opened.read(_BYTES_MAX))
        known = isinstance(body, dict) and body.pop("format", None) == FORMAT
        said: Statement | None = _STATEMENT.validate_python(body) if known else None
    except (OSError, ValueError, RecursionError, ValidationError):
        said = None
    if said is None:
        raise StorageError(
            f"this is no statement of format {FORMAT}", where=str(file), fix="ask its party for it again"
        )
    return said
