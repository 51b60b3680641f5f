"""Who a party is to the others: an ed25519 key in the secrets folder of its mesh, made once, and never anywhere else.

One key for a mesh is the rule. A mesh whose owner has several parties holds one for each, by the party's name.
"""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from mesh_defs.errors import NotFoundError
from mesh_defs.ledger.head import public_text
from mesh_defs.ledger.key import load, place
from mesh_defs.settings import Settings


def make_identity(settings: Settings, party: str | None = None) -> tuple[str, bool]:
    """Make the mesh's key, or its key of this party, unless there is one; return the public half in base64, and whether
    it is new.

    The file is its owner's alone (0600). StorageError when it is damaged.
    """
    file = settings.secrets / _name(party)
    new = load(file) is None
    if new:
        made = Ed25519PrivateKey.generate()
        place(made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), file)
    return public_text(identity(settings, party)), new


def identity(settings: Settings, party: str | None = None) -> Ed25519PrivateKey:
    """Return the mesh's key, or its key of this party. NotFoundError when there is none that this process may read."""
    file = settings.secrets / _name(party)
    key = load(file)
    if key is None:
        raise NotFoundError("this mesh has no key for clean rooms", where=str(file), fix="`mesh room key` makes one")
    return key


def key_behind(settings: Settings, public: str) -> Ed25519PrivateKey | None:
    """The key of this mesh whose public half this is, whatever its file is called; None when it has no such key."""
    files = (settings.secrets / _name(None), *sorted(settings.secrets.glob(_name("*"))))
    return next((key for file in files if (key := load(file)) and public_text(key) == public), None)


def _name(party: str | None) -> str:
    return "room.key" if party is None else f"room-{party}.key"
