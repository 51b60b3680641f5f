"""The key that signs the ledger's head: a file in the secrets folder, made once, and never anywhere else.

While the first head is being signed the key lies under another name. So a key without a head can only mean that the
head was taken away.
"""

import errno
import os
import secrets
from base64 import b64encode
from contextlib import suppress
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from mesh_defs.errors import StorageError
from mesh_defs.ledger.head import public_text
from mesh_defs.storage import durable


class KeyFiles:
    """`ledger.key` and `ledger.pub` in the secrets folder. Who may not look into that folder has no key."""

    def __init__(self, folder: Path) -> None:
        self._key, self._public, self._new = (folder / f"ledger.{name}" for name in ("key", "pub", "key.new"))

    @property
    def where(self) -> str:
        """The private key's file."""
        return str(self._key)

    def load(self) -> Ed25519PrivateKey | None:
        """Return the key; None when there is none that this process may read. StorageError when it is damaged."""
        return load(self._key)

    def public(self) -> str | None:
        """Return the public key in base64, of the private one if we have it; None when neither can be read."""
        key = self.load()
        if key is not None:
            return public_text(key)
        text = _read(self._public)
        try:
            return None if text is None else _base64(load_pem_public_key(text))
        except (ValueError, TypeError):
            raise _damaged(self._public) from None

    def prepared(self, *, make: bool) -> Ed25519PrivateKey | None:
        """Return the key that is to sign the first head, made now unless another process began it; None when it cannot be."""
        found = load(self._new)
        if found is not None or not make:
            return found
        key = Ed25519PrivateKey.generate()
        try:
            place(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), self._new)
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
                return None
            raise
        return load(self._new)  # another's, if that was faster

    def settle(self) -> None:
        """The first head is signed: from now on the prepared key is the key."""
        with suppress(FileNotFoundError, FileExistsError):  # another process has just done it
            os.link(self._new, self._key)
        key = self.load()
        if key is not None:
            public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
            durable.replace(self._public, public)
        self._new.unlink(missing_ok=True)
        durable.sync(self._key.parent)


def place(content: bytes, file: Path) -> None:
    """Make a file of ours alone, with all of its content in one step, unless it is there: who sees it can read it whole."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = file.with_name(f".{file.name}.{secrets.token_hex(8)}{durable.TEMPORARY}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(descriptor, "wb") as opened:
            opened.write(content)
            opened.flush()
            os.fsync(opened.fileno())
        with suppress(FileExistsError):
            os.link(temporary, file)
    finally:
        temporary.unlink(missing_ok=True)
    durable.sync(file.parent)


def load(file: Path) -> Ed25519PrivateKey | None:
    """Read a private key; None when there is none that this process may read. StorageError when it is damaged."""
    text = _read(file)
    if text is None:
        return None
    try:
        key = load_pem_private_key(text, password=None)
    except (ValueError, TypeError):
        raise _damaged(file) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise _damaged(file)
    return key


def _read(file: Path) -> bytes | None:
    try:
        return file.read_bytes()
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return None


def _base64(key: PublicKeyTypes) -> str:
    return b64encode(key.public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()


def _damaged(file: Path) -> StorageError:
    return StorageError("this is no ed25519 key", where=str(file), fix="put the key back from your backup")
