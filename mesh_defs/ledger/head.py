"""The signed head: which entry was the newest, said by whoever holds the key. A value and its text; knows no file.

Ed25519 (RFC 8032). The public key stands in the head, so that whoever keeps one can later tell by whom it was signed;
whether that is the mesh's own key is for the reader to ask.
"""

import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

FORMAT = 1
# What is signed begins so: nothing else that this key may ever sign can be taken for a head.
_PURPOSE = "mesh ledger head"
_TYPES: Mapping[str, type] = {"seq": int, "hash": str, "at": str, "key": str, "signature": str}


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The newest entry at some time, `at` being that entry's, with the public key and the signature in base64."""

    seq: int
    hash: str
    at: str
    key: str
    signature: str

    @property
    def text(self) -> str:
        """One line of JSON; `parse` reads it."""
        told: dict[str, Any] = {"format": FORMAT, "seq": self.seq, "hash": self.hash, "at": self.at}
        return json.dumps(told | {"key": self.key, "signature": self.signature})

    @property
    def is_genuine(self) -> bool:
        """Tell whether the key that it names signed it."""
        try:
            signed = _signed(self.seq, self.hash, self.at)
            Ed25519PublicKey.from_public_bytes(b64decode(self.key)).verify(b64decode(self.signature), signed)
        except (InvalidSignature, ValueError):
            return False
        return True


def sign(key: Ed25519PrivateKey, *, seq: int, hash: str, at: str) -> Head:
    """Sign that this entry is the newest."""
    signature = b64encode(key.sign(_signed(seq, hash, at))).decode()
    return Head(seq=seq, hash=hash, at=at, key=public_text(key), signature=signature)


def public_text(key: Ed25519PrivateKey) -> str:
    """Return the public key as a head names it."""
    return b64encode(key.public_key().public_bytes_raw()).decode()


def parse(text: str | bytes) -> Head:
    """Read a head's text. Raises ValueError when it is none."""
    try:
        told = json.loads(text)
        version, head = told["format"], Head(**{name: told[name] for name in _TYPES})
    except (KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"no head: {type(error).__name__}") from None
    if version != FORMAT or any(type(getattr(head, name)) is not type_ for name, type_ in _TYPES.items()):
        raise ValueError("a head of another format")
    return head


def _signed(seq: int, hash: str, at: str) -> bytes:
    return json.dumps([_PURPOSE, FORMAT, seq, hash, at]).encode()
