"""A run's secret on its way from one party to another, past the join: for the receiver alone, and for this run alone.

X25519 (RFC 7748) with keys made for one run, HKDF-SHA256 (RFC 5869), ChaCha20-Poly1305 (RFC 8439). Who sealed it is not said
here: the message that carries it is signed.
"""

import json

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from mesh_defs.errors import AccessDeniedError

_PURPOSE = "mesh-room-sealed-1"
_PUBLIC_BYTES = 32
# The key serves for one box: it is derived from a pair that is made for it.
_NONCE = bytes(12)


def seal(secret: bytes, receiver: bytes, bound: tuple[str, ...]) -> bytes:
    """Return a box that the holder of the private key of `receiver` (32 bytes) opens, given the same `bound`.

    `bound`: the kind of tokens, the room, the agreement's digest, the run, sender and receiver. AccessDeniedError for a key
    that is none.
    """
    own = X25519PrivateKey.generate()
    public = own.public_key().public_bytes_raw()
    return public + _box(own, receiver, public + receiver, bound).encrypt(_NONCE, secret, None)


def unseal(box: bytes, own: X25519PrivateKey, bound: tuple[str, ...]) -> bytes:
    """Open a box. AccessDeniedError when it was made for another, for another run, or changed."""
    sender = box[:_PUBLIC_BYTES]
    keys = sender + own.public_key().public_bytes_raw()
    try:
        return _box(own, sender, keys, bound).decrypt(_NONCE, box[_PUBLIC_BYTES:], None)
    except InvalidTag:
        raise AccessDeniedError("the run's key was not sealed for this party and run") from None


def _box(own: X25519PrivateKey, other: bytes, keys: bytes, bound: tuple[str, ...]) -> ChaCha20Poly1305:
    try:
        shared = own.exchange(X25519PublicKey.from_public_bytes(other))
    except ValueError:  # too short, or a point of small order
        raise AccessDeniedError("this is no key to seal for") from None
    info = json.dumps([_PURPOSE, *bound]).encode() + keys
    return ChaCha20Poly1305(HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(shared))
