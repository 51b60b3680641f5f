"""Who a party is to the others: one ed25519 key of its mesh, in the secrets folder, made once, and never anywhere else."""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from mesh_defs.errors import NotFoundError
from mesh_defs.ledger.head import public_text
from mesh_defs.ledger.key import load, place
from mesh_defs.settings import Settings

_FILE = "room.key"


def make_identity(settings: Settings) -> tuple[str, bool]:
    """Make the mesh's key unless there is one; return its public key in base64, and whether it is new.

    The file is its owner's alone (0600). StorageError when it is damaged.
    """
    file = settings.secrets / _FILE
    new = load(file) is None
    if new:
        made = Ed25519PrivateKey.generate()
        place(made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), file)
    return public_text(identity(settings)), new


def identity(settings: Settings) -> Ed25519PrivateKey:
    """Return the mesh's key. NotFoundError when there is none that this process may read."""
    file = settings.secrets / _FILE
    key = load(file)
    if key is None:
        raise NotFoundError("this mesh has no key for clean rooms", where=str(file), fix="`mesh room key` makes one")
    return key
