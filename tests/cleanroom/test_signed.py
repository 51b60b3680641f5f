"""A room is what all parties signed, word for word, and none revoked."""

import base64
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mesh_defs.cleanroom.signed import RoomFolder, Statement, require_signed, state
from mesh_defs.errors import AccessDeniedError, StorageError
from mesh_defs.model.room import Agreement, Party
from tests.cleanroom.agreements import NOW, an_agreement

KEYS = {name: Ed25519PrivateKey.generate() for name in ("pub", "adv")}


def agreement(**changes: Any) -> Agreement:
    public = {name: base64.b64encode(key.public_key().public_bytes_raw()).decode() for name, key in KEYS.items()}
    parties = tuple(Party(name=name, key=key) for name, key in public.items())
    return an_agreement(parties=parties, **changes)


def signed(by: str, kind: str = "signed", **changes: Any) -> Statement:
    return state(kind, agreement(**changes), by, KEYS[by], NOW)


def test_all_signatures_make_a_room() -> None:
    require_signed(agreement(), (signed("pub"), signed("adv")))


@pytest.mark.parametrize(
    "statements",
    [
        (),
        (signed("pub"),),
        (signed("pub"), signed("pub")),
        (signed("pub"), replace(signed("adv"), party="pub")),
        (signed("pub"), replace(signed("pub"), party="adv")),
        (signed("pub"), signed("adv", title="Other")),
        (signed("pub"), replace(signed("adv"), signature="")),
        (signed("pub"), replace(signed("adv"), signature="not base64!")),
        (signed("pub"), replace(signed("adv"), at="2020-01-01T00:00:00+00:00")),
        (signed("pub"), replace(signed("adv", kind="revoked"), kind="signed")),
        (signed("pub"), signed("adv", id="another")),
    ],
)
def test_less_is_none(statements: tuple[Statement, ...]) -> None:
    with pytest.raises(AccessDeniedError, match="has not signed"):
        require_signed(agreement(), statements)


@pytest.mark.parametrize("by", ["pub", "adv"])
def test_any_party_revokes(by: str) -> None:
    with pytest.raises(AccessDeniedError, match=f"'{by}' has revoked"):
        require_signed(agreement(), (signed("pub"), signed("adv"), signed(by, kind="revoked")))


def test_a_stranger_revokes_nothing() -> None:
    forged = replace(signed("adv", kind="revoked"), party="pub")
    require_signed(agreement(), (signed("pub"), signed("adv"), forged))


def test_any_change_of_the_agreement_voids_the_signatures() -> None:
    given = (signed("pub"), signed("adv"))
    for changed in (agreement(version=2), agreement(recipients=("adv", "pub")), agreement(rules=())):
        with pytest.raises(AccessDeniedError):
            require_signed(changed, given)


def test_a_party_signs_with_its_own_key() -> None:
    with pytest.raises(AccessDeniedError, match="not the key"):
        state("signed", agreement(), "adv", KEYS["pub"], NOW)
    with pytest.raises(AccessDeniedError, match="no party"):
        state("signed", agreement(), "mallory", KEYS["pub"], NOW)


def test_statements_are_kept_as_files(tmp_path: Path) -> None:
    folder = RoomFolder(tmp_path)
    said = [signed("pub"), signed("adv"), signed("adv", kind="revoked")]
    for each in said:
        folder.keep(each)
    assert sorted(folder.statements(), key=repr) == sorted(said, key=repr)


@pytest.mark.parametrize("content", ["", "[]", "{}", json.dumps({"format": 2}), "[" * 9_000])
def test_a_file_that_is_no_statement_is_said_to_be_none(tmp_path: Path, content: str) -> None:
    file = RoomFolder(tmp_path).keep(signed("pub"))
    file.write_text(content)
    with pytest.raises(StorageError, match="no statement"):
        RoomFolder(tmp_path).statements()
