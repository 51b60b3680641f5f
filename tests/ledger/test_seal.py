"""The key and the head's file: made once, never back, never torn, whoever writes at the same time or dies in the middle."""

import json
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from mesh_defs.errors import StorageError
from mesh_defs.ledger import Ledger, LedgerDamagedError, open_ledger
from mesh_defs.ledger.audit import accept, verify
from mesh_defs.ledger.head import parse
from mesh_defs.ledger.key import KeyFiles
from mesh_defs.ledger.seal import BLOCK_BYTES, Seal
from mesh_defs.settings import Settings
from tests.factories import NOW, write
from tests.ledger.records import filled, recorded, settings_in

BEGIN = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from mesh_defs.ledger import open_ledger
from mesh_defs.settings import load_settings

ledger = open_ledger(load_settings({}, start=Path(sys.argv[1])))
for number in range(20):
    ledger.append("asked", {"number": number}, at=datetime.now(UTC))
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return recorded(tmp_path)


def entry(seq: int) -> dict[str, Any]:
    return {"seq": seq, "hash": f"{seq:064}", "at": NOW.isoformat()}


def head_seq(seal: Seal) -> int:
    head = seal.head()
    assert head is not None
    return head.seq


def test_the_key_is_its_owners_alone_and_lies_nowhere_else(settings: Settings) -> None:
    key = settings.secrets / "ledger.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE(settings.secrets.stat().st_mode) == 0o700
    assert sorted(file.name for file in settings.secrets.iterdir()) == ["ledger.key", "ledger.pub"]
    secret = key.read_bytes().splitlines()[1]
    others = [file for file in settings.root.rglob("*") if file.is_file() and file != key]
    assert not [file for file in others if secret in file.read_bytes()]


def test_a_stranger_verifies_a_head_with_the_public_key_and_openssl_alone(settings: Settings, tmp_path: Path) -> None:
    from base64 import b64decode

    told = json.loads(settings.ledger_head.read_text())
    signed = json.dumps(["mesh ledger head", 1, told["seq"], told["hash"], told["at"]])
    write(tmp_path, "signed", signed)
    (tmp_path / "signature").write_bytes(b64decode(told["signature"]))
    command = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", str(settings.secrets / "ledger.pub"), "-rawin"]
    try:
        done = subprocess.run(
            [*command, "-in", str(tmp_path / "signed"), "-sigfile", str(tmp_path / "signature")], capture_output=True
        )
    except FileNotFoundError:
        pytest.skip("openssl is not installed")
    assert done.returncode == 0, done.stderr


def test_the_head_lies_where_the_settings_say(tmp_path: Path) -> None:
    settings = recorded(tmp_path, MESH_LEDGER_HEAD=str(tmp_path / "elsewhere" / "head"))
    assert parse((tmp_path / "elsewhere" / "head").read_bytes()).seq == 5
    assert not (settings.home / "ledger.head").exists()


def test_the_head_is_one_block_whatever_was_there(settings: Settings) -> None:
    assert settings.ledger_head.stat().st_size == BLOCK_BYTES
    settings.ledger_head.write_bytes(b"x" * 10_000)
    accept(settings, because="somebody wrote over it", principal=None, at=NOW)
    assert settings.ledger_head.stat().st_size == BLOCK_BYTES
    assert verify(settings).findings == ()


def test_the_head_never_goes_back(tmp_path: Path) -> None:
    """Of two processes that have committed, the one with the older entry may come to sign last."""
    one, other = (Seal(tmp_path / "head", tmp_path / "secrets", makes_key=True) for _ in range(2))
    one.sign(entry(7))
    other.sign(entry(6))
    assert head_seq(one) == head_seq(other) == 7
    other.sign(entry(8))
    assert head_seq(one) == 8


def test_threads_that_sign_at_once_leave_the_newest_and_read_no_torn_head(tmp_path: Path) -> None:
    seals = [Seal(tmp_path / "head", tmp_path / "secrets", makes_key=True) for _ in range(4)]
    seals[0].sign(entry(1))
    errors: list[Exception] = []

    def signing(number: int) -> None:
        try:
            for seq in range(2 + number, 200, 4):
                seals[number].sign(entry(seq))
                Seal(tmp_path / "head", tmp_path / "secrets", makes_key=False).head()
        except StorageError as error:
            errors.append(error)

    threads = [threading.Thread(target=signing, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert head_seq(seals[0]) == 199


def test_processes_that_begin_at_once_make_one_key(tmp_path: Path) -> None:
    settings, script = settings_in(tmp_path / "mesh"), write(tmp_path, "begin.py", BEGIN)
    processes = [subprocess.Popen([sys.executable, str(script), str(settings.root)]) for _ in range(4)]
    assert [process.wait() for process in processes] == [0] * 4
    found = verify(settings)
    assert (found.entries, found.unsigned, found.findings) == (80, 0, ())
    assert sorted(file.name for file in settings.secrets.iterdir()) == ["ledger.key", "ledger.pub"]


@pytest.mark.parametrize("died", ["before the head", "before the key"])
def test_who_dies_while_it_begins_leaves_what_the_next_one_finishes(
    tmp_path: Path, died: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_in(tmp_path)

    class Died(BaseException):
        pass

    def dies(*_: object, **__: object) -> None:
        raise Died

    with monkeypatch.context() as patched:
        patched.setattr(*((Seal, "_write") if died == "before the head" else (KeyFiles, "settle")), dies)
        with pytest.raises(Died):
            open_ledger(settings).append("asked", {}, at=NOW)
    assert [file.name for file in settings.secrets.iterdir()] == ["ledger.key.new"]
    assert verify(settings).findings == ()
    open_ledger(settings).append("asked", {}, at=NOW)
    found = verify(settings)
    assert (found.entries, found.unsigned, found.findings) == (2, 0, ())
    assert sorted(file.name for file in settings.secrets.iterdir()) == ["ledger.key", "ledger.pub"]


def test_a_code_location_makes_no_key_and_its_entries_are_signed_by_the_next_that_may(tmp_path: Path) -> None:
    location = settings_in(tmp_path, MESH_LOCATION="people")
    filled(open_ledger(location), 3)
    assert not location.secrets.exists()
    assert not location.ledger_head.exists()
    settings = settings_in(tmp_path)
    assert verify(settings).unsigned == 3
    open_ledger(settings).append("asked", {}, at=NOW)
    assert verify(settings).unsigned == 0


def test_a_process_with_other_secrets_signs_nothing_and_spoils_nothing(settings: Settings, tmp_path: Path) -> None:
    other = settings_in(settings.root, MESH_SECRETS=str(tmp_path / "others"))
    before = settings.ledger_head.read_bytes()
    filled(open_ledger(other), 2)
    assert settings.ledger_head.read_bytes() == before
    assert not (tmp_path / "others").exists()
    assert verify(other).unsigned == 2
    open_ledger(settings).append("asked", {}, at=NOW)
    assert (verify(settings).unsigned, verify(settings).findings) == (0, ())


@pytest.mark.parametrize("name", ["ledger.key", "ledger.pub"])
@pytest.mark.parametrize("content", [b"", b"rubbish", b"rsa"])
def test_a_damaged_key_is_told(settings: Settings, name: str, content: bytes) -> None:
    if content == b"rsa":
        rsa = generate_private_key(65537, 2048)
        content = rsa.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    if name == "ledger.pub":
        (settings.secrets / "ledger.key").unlink()
    (settings.secrets / name).write_bytes(content)
    with pytest.raises(StorageError, match="this is no ed25519 key") as caught:
        open_ledger(settings)
    assert caught.value.where.endswith(name)


def test_a_head_that_cannot_be_written_fails_the_append(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = open_ledger(settings)

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "pwrite", full)
        with pytest.raises(StorageError, match="the head of the ledger could not be signed: No space") as caught:
            ledger.append("asked", {}, at=NOW)
        assert not isinstance(caught.value, LedgerDamagedError)
        assert caught.value.where == str(settings.ledger_head)
    assert ledger.append("asked", {}, at=NOW).seq == 7
    assert verify(settings).findings == ()


def test_a_folder_where_the_head_should_be_is_told(settings: Settings) -> None:
    settings.ledger_head.unlink()
    settings.ledger_head.mkdir()
    with pytest.raises(StorageError, match="the head of the ledger could not be read: Is a directory"):
        open_ledger(settings)


def test_a_new_key_is_found_by_who_runs(settings: Settings) -> None:
    """An operator replaces a lost key; what runs takes the new one at its next append."""
    ledger = open_ledger(settings)
    ledger.append("asked", {}, at=NOW)
    (settings.secrets / "ledger.key").unlink()
    accept(settings, because="rotated", principal=None, at=NOW)
    assert ledger.append("asked", {}, at=NOW).seq == 8
    assert (verify(settings).unsigned, verify(settings).findings) == (0, ())


def test_without_a_seal_nothing_is_signed(tmp_path: Path) -> None:
    filled(Ledger(f"sqlite:///{tmp_path}/ledger.sqlite"))
    assert [file.name for file in tmp_path.iterdir()] == ["ledger.sqlite"]


def test_threads_that_append_past_the_group_take_no_head_for_one_that_went_back(settings: Settings) -> None:
    ledger, errors = open_ledger(settings), []

    def appending(number: int) -> None:
        try:
            for _ in range(25):
                if number % 2:
                    ledger.append_if("asked", {}, at=NOW, kinds=("never",), newest=0)
                else:
                    ledger.append("asked", {}, at=NOW)
        except StorageError as error:
            errors.append(str(error))

    threads = [threading.Thread(target=appending, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert (verify(settings).entries, verify(settings).unsigned, verify(settings).findings) == (155, 0, ())
