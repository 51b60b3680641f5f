"""A run's secret opens for its receiver, in its run, and for nobody else."""

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from mesh_defs.cleanroom.sealed import seal, unseal
from mesh_defs.errors import AccessDeniedError

BOUND = ("room", "digest", "run", "alpha", "beta")


def public(key: X25519PrivateKey) -> bytes:
    return key.public_key().public_bytes_raw()


def test_the_receiver_opens_it() -> None:
    own = X25519PrivateKey.generate()
    assert unseal(seal(b"secret", public(own), BOUND), own, BOUND) == b"secret"


@pytest.mark.parametrize("place", range(5))
def test_it_is_bound_to_room_agreement_run_sender_and_receiver(place: int) -> None:
    own = X25519PrivateKey.generate()
    other = (*BOUND[:place], "other", *BOUND[place + 1 :])
    with pytest.raises(AccessDeniedError):
        unseal(seal(b"secret", public(own), BOUND), own, other)


def test_nobody_else_opens_it_and_no_byte_of_it_can_be_changed() -> None:
    own = X25519PrivateKey.generate()
    box = seal(b"secret", public(own), BOUND)
    with pytest.raises(AccessDeniedError):
        unseal(box, X25519PrivateKey.generate(), BOUND)
    for place in range(len(box)):
        with pytest.raises(AccessDeniedError):
            unseal(box[:place] + bytes([box[place] ^ 1]) + box[place + 1 :], own, BOUND)


@pytest.mark.parametrize("key", [b"", bytes(32), b"\x01" + bytes(31), bytes(31)])
def test_a_key_of_small_order_or_none_is_refused(key: bytes) -> None:
    with pytest.raises(AccessDeniedError):
        seal(b"secret", key, BOUND)
    with pytest.raises(AccessDeniedError):
        unseal(key + bytes(40), X25519PrivateKey.generate(), BOUND)
