"""Attacks on a signed ledger: each is found by a look at everything, and those at its end keep it from being opened."""

import json
import shutil
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mesh_defs.errors import StorageError
from mesh_defs.ledger import Ledger, LedgerDamagedError, open_ledger
from mesh_defs.ledger.audit import ACCEPTED, FINDINGS_MAX, Verification, accept, read_kept, verify
from mesh_defs.ledger.entry import digest
from mesh_defs.ledger.head import parse, sign
from mesh_defs.ledger.seal import Seal
from mesh_defs.settings import Settings
from tests.factories import NOW
from tests.ledger.records import file_of, filled, recorded, settings_in, tamper, written_anew

# Hashes of two entries as mesh_defs.ledger computed them before it was a package.
ONE = "08f1f7c94d617a810019c9f53fb9e97c1813b11e4002bb15bea9313464f40eaf"
TWO = "4e1f924f75a4c2c6e08cb79849fbd7eae48de2c0552338892c230f2f38d3b82b"
CUT = "DELETE FROM ledger_entries WHERE seq > 3"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return recorded(tmp_path)


def told(found: Verification) -> str:
    return "\n".join(map(str, found.findings))


def opens(settings: Settings) -> bool:
    """Whether the door would go on, and if so, whether it could append."""
    try:
        open_ledger(settings).append("asked", {}, at=NOW)
    except LedgerDamagedError as error:
        assert error.where
        assert error.fix
        assert error.code == "storage"
        return False
    return True


def copied(source: Path, target: Path) -> None:
    with closing(sqlite3.connect(source)) as one, closing(sqlite3.connect(target)) as other:
        one.backup(other)


def test_a_whole_ledger_is_whole(settings: Settings) -> None:
    found = verify(settings)
    assert (found.entries, found.unsigned, found.findings) == (5, 0, ())
    assert found.head is not None
    assert (found.head.seq, found.head.at) == (5, NOW.isoformat())
    assert opens(settings)


def test_a_mesh_that_was_never_asked_has_nothing_wrong(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    assert verify(settings) == Verification(entries=0, head=None, unsigned=0, findings=())
    assert not settings.home.exists()


# The entries


@pytest.mark.parametrize(
    ("statements", "says"),
    [
        (["UPDATE ledger_entries SET body = '{}' WHERE seq = 2"], "entry 2: it was changed"),
        (["UPDATE ledger_entries SET body = body || ' ' WHERE seq = 2"], "entry 2: it was changed"),
        (["UPDATE ledger_entries SET kind = 'denied' WHERE seq = 2"], "entry 2: it was changed"),
        (["UPDATE ledger_entries SET at = '1999-01-01' WHERE seq = 2"], "entry 2: it was changed"),
        (["UPDATE ledger_entries SET format = 9 WHERE seq = 2"], "entry 2: it was changed"),
        (["UPDATE ledger_entries SET previous = hash WHERE seq = 2"], "entry 2: it was changed"),
        (["UPDATE ledger_entries SET hash = 'x' WHERE seq = 2"], "entry 3: it does not follow"),
        (["DELETE FROM ledger_entries WHERE seq = 2"], "entry 3: before it, entry 2 is missing"),
        (["DELETE FROM ledger_entries WHERE seq IN (2, 3)"], "entry 4: before it, entries 2 to 3 are missing"),
        (["DELETE FROM ledger_entries WHERE seq < 3"], "entry 3: before it, entries 1 to 2 are missing"),
        (
            ["INSERT INTO ledger_entries SELECT 0, format, at, kind, body, previous, 'y' FROM ledger_entries LIMIT 1"],
            "entry 0: it is numbered before the first",
        ),
        (
            [
                "UPDATE ledger_entries SET seq = -2 WHERE seq = 2",
                "UPDATE ledger_entries SET seq = 2 WHERE seq = 3",
                "UPDATE ledger_entries SET seq = 3 WHERE seq = -2",
            ],
            "entry 2: it was changed",
        ),
    ],
)
def test_what_was_done_to_entries_is_told_and_where(settings: Settings, statements: list[str], says: str) -> None:
    tamper(file_of(settings), *statements)
    assert says in told(verify(settings))


@pytest.mark.parametrize("field", ["format", "at", "kind", "body", "previous", "hash", "seq"])
@pytest.mark.parametrize("seq", [1, 3, 5])
def test_no_field_of_any_entry_can_be_changed_unseen(settings: Settings, field: str, seq: int) -> None:
    value = 77 if field in ("seq", "format") else "'77'"
    tamper(file_of(settings), f"UPDATE ledger_entries SET {field} = {value} WHERE seq = {seq}")
    assert verify(settings).findings
    if seq == 5:
        assert not opens(settings)


@pytest.mark.parametrize("start", [1, 3, 5])
def test_a_chain_that_was_computed_anew_is_not_the_one_that_was_signed(
    settings: Settings, tmp_path: Path, start: int
) -> None:
    written_anew(file_of(settings), tmp_path, start=start)
    assert Ledger(settings.ledger_url).broken_at() is None
    assert "entry 5 is not the one that was signed" in told(verify(settings))
    assert not opens(settings)


def test_a_chain_that_was_computed_anew_and_made_longer_is_not_either(settings: Settings, tmp_path: Path) -> None:
    written_anew(file_of(settings), tmp_path)
    filled(Ledger(settings.ledger_url), 3)  # as somebody without the key appends
    assert "entry 5 is not the one that was signed" in told(verify(settings))
    assert not opens(settings)


@pytest.mark.parametrize(
    ("statements", "says"),
    [
        ([CUT], "entries 4 to 5 are missing"),
        (["DELETE FROM ledger_entries WHERE seq = 5"], "entries 5 to 5 are missing"),
        (["DELETE FROM ledger_entries"], "every entry is missing"),
        (["DROP TABLE ledger_entries"], "every entry is missing"),
    ],
)
def test_a_cut_tail_is_found(settings: Settings, statements: list[str], says: str) -> None:
    tamper(file_of(settings), *statements)
    assert says in told(verify(settings))
    assert not opens(settings)
    assert says in told(verify(settings)), "looking has not made it better"


def test_a_cut_tail_that_was_filled_up_again_is_found(settings: Settings) -> None:
    tamper(file_of(settings), CUT)
    filled(Ledger(settings.ledger_url), 4)
    assert "entry 5 is not the one that was signed" in told(verify(settings))
    assert not opens(settings)


def test_a_removed_file_is_an_emptied_ledger_and_is_not_made_again(settings: Settings) -> None:
    file_of(settings).unlink()
    assert not opens(settings)
    assert not file_of(settings).exists()
    assert "every entry is missing" in told(verify(settings))


def test_an_older_copy_is_found(settings: Settings, tmp_path: Path) -> None:
    copied(file_of(settings), tmp_path / "older.sqlite")
    filled(open_ledger(settings), 2)
    shutil.copy(tmp_path / "older.sqlite", file_of(settings))
    assert "entries 6 to 7 are missing" in told(verify(settings))
    assert not opens(settings)


def test_a_process_that_runs_finds_it_at_its_next_append(settings: Settings) -> None:
    ledger = open_ledger(settings)
    ledger.append("asked", {}, at=NOW)
    tamper(file_of(settings), CUT)
    with pytest.raises(LedgerDamagedError, match="entries 4 to 6 are missing, though signed on 2026-11-01"):
        ledger.append("asked", {}, at=NOW)
    assert len(ledger.entries()) == 3


@pytest.mark.parametrize(
    "trap",
    [
        "CREATE TRIGGER t AFTER INSERT ON ledger_entries BEGIN DELETE FROM ledger_entries WHERE seq = new.seq; END",
        "CREATE TRIGGER t AFTER INSERT ON ledger_entries BEGIN UPDATE ledger_entries SET body = '[]'"
        " WHERE seq = new.seq; END",
        "CREATE TRIGGER t BEFORE INSERT ON ledger_entries BEGIN SELECT RAISE(IGNORE); END",
    ],
)
def test_a_database_that_takes_entries_and_loses_them_is_found_before_anything_runs(
    settings: Settings, trap: str
) -> None:
    tamper(file_of(settings), trap)
    with pytest.raises(LedgerDamagedError, match="the database did not keep entry 6 as it was written"):
        open_ledger(settings).append("asked", {}, at=NOW)
    assert verify(settings).findings == ()


def test_a_view_in_the_tables_place_is_found(settings: Settings) -> None:
    tamper(
        file_of(settings),
        "ALTER TABLE ledger_entries RENAME TO hidden",
        "CREATE VIEW ledger_entries AS SELECT * FROM hidden",
        "CREATE TRIGGER t INSTEAD OF INSERT ON ledger_entries BEGIN SELECT 1; END",
    )
    assert not opens(settings)


def test_a_table_without_its_key_does_not_take_a_number_twice_unseen(settings: Settings) -> None:
    tamper(
        file_of(settings),
        "CREATE TABLE loose AS SELECT * FROM ledger_entries",
        "DROP TABLE ledger_entries",
        "ALTER TABLE loose RENAME TO ledger_entries",
        "INSERT INTO ledger_entries SELECT seq, format, at, 'denied', body, previous, hash FROM ledger_entries"
        " WHERE seq = 3",
    )
    assert "entry 3: its number was taken by one before it" in told(verify(settings))


def test_a_number_at_the_end_of_all_numbers_refuses(settings: Settings) -> None:
    far = {"seq": 2**63 - 1, "format": 1, "at": "x", "kind": "x", "body": "{}", "previous": "0" * 64}
    values = (*far.values(), digest(far))
    with closing(sqlite3.connect(file_of(settings))) as connection, connection:
        connection.execute("INSERT INTO ledger_entries VALUES (?, ?, ?, ?, ?, ?, ?)", values)
    with pytest.raises(StorageError, match="could not be written"):
        open_ledger(settings).append("asked", {}, at=NOW)
    assert verify(settings).findings


def test_text_as_bytes_is_another_text(settings: Settings) -> None:
    """What SQLite compares as equal may be of another type."""
    tamper(file_of(settings), "UPDATE ledger_entries SET body = CAST(body AS BLOB) WHERE seq = 2")
    assert "entry 2: it was changed" in told(verify(settings))


def test_who_signs_by_hand_does_not_set_back_what_others_sign_meanwhile(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process appends and signs after the hand's entry is committed, and before it is signed."""
    original = Seal.accept

    def late(seal: Seal, newest: Mapping[str, object], *, over: bytes) -> None:
        open_ledger(settings).append("asked", {}, at=NOW)
        original(seal, newest, over=over)

    ledger = open_ledger(settings)
    monkeypatch.setattr(Seal, "accept", late)
    assert accept(settings, because="by hand", principal=None, at=NOW).seq == 6
    assert verify(settings).unsigned == 0
    assert ledger.append("asked", {}, at=NOW).seq == 8


def test_no_more_is_told_than_can_be_read(tmp_path: Path) -> None:
    settings = recorded(tmp_path, FINDINGS_MAX + 30)
    tamper(file_of(settings), "UPDATE ledger_entries SET body = '[]'")
    assert len(verify(settings).findings) == FINDINGS_MAX


# The head


def test_entries_beyond_the_head_are_legal_when_they_chain_on(settings: Settings) -> None:
    """A crash between commit and head leaves them so, and a process without the key."""
    filled(Ledger(settings.ledger_url), 3)
    found = verify(settings)
    assert (found.entries, found.unsigned, found.findings) == (8, 3, ())
    assert opens(settings)
    assert verify(settings).unsigned == 0


def test_entries_beyond_the_head_that_do_not_chain_on_are_found(settings: Settings) -> None:
    filled(Ledger(settings.ledger_url), 3)
    tamper(file_of(settings), "UPDATE ledger_entries SET body = '{}' WHERE seq = 7")
    assert "entry 7: it was changed" in told(verify(settings))


@pytest.mark.parametrize("way", ["removed", "emptied", "blank", "nul"])
def test_a_head_that_is_gone_is_found(settings: Settings, way: str) -> None:
    content = {"emptied": b"", "blank": b" \n" * 40, "nul": bytes(512)}
    settings.ledger_head.unlink() if way == "removed" else settings.ledger_head.write_bytes(content[way])
    assert "the signed head of the ledger is gone" in told(verify(settings))
    assert not opens(settings)


def test_a_head_that_was_removed_with_the_tail_is_found(settings: Settings) -> None:
    tamper(file_of(settings), CUT)
    settings.ledger_head.unlink()
    assert not opens(settings)
    assert "the signed head of the ledger is gone" in told(verify(settings))


def test_removing_all_state_but_the_key_is_found(tmp_path: Path) -> None:
    settings = recorded(tmp_path, MESH_SECRETS=str(tmp_path / "secrets"))
    shutil.rmtree(settings.home)
    assert not opens(settings)


@pytest.mark.parametrize(
    "text", ["rubbish", "[" * 4000, "{}", "[]", "null", '{"format": 1}', '{"format": 2, "seq": 3}', "\udcff"]
)
def test_what_is_no_head_is_found(settings: Settings, text: str) -> None:
    settings.ledger_head.write_bytes(text.encode(errors="surrogateescape"))
    assert "this is no head of a ledger" in told(verify(settings))
    assert not opens(settings)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("seq", 3),
        ("seq", 4.0),
        ("seq", True),
        ("hash", "0" * 64),
        ("at", "2027-01-01T00:00:00+00:00"),
        ("signature", ""),
        ("signature", "AAAA"),
        ("signature", None),
        ("key", ""),
        ("key", 7),
        ("key", "A" * 43 + "="),
    ],
)
def test_no_field_of_a_head_can_be_changed(settings: Settings, field: str, value: object) -> None:
    changed = {**json.loads(settings.ledger_head.read_text()), field: value}
    settings.ledger_head.write_text(json.dumps(changed))
    assert "this is no head of a ledger" in told(verify(settings))
    assert not opens(settings)


@pytest.mark.parametrize("has_key", [True, False])
def test_a_head_that_another_key_signed_is_forged(settings: Settings, has_key: bool) -> None:
    """Also for whoever has the public key alone."""
    tamper(file_of(settings), CUT)
    newest = Ledger(settings.ledger_url).entries(limit=1)[0]
    forged = sign(Ed25519PrivateKey.generate(), seq=newest.seq, hash=newest.hash, at=newest.at)
    settings.ledger_head.write_text(forged.text)
    if not has_key:
        (settings.secrets / "ledger.key").unlink()
    assert "signed by another key than the mesh's" in told(verify(settings))
    assert not opens(settings)


def test_an_older_head_and_an_older_ledger_are_found_by_who_runs_and_by_who_kept_a_head(
    settings: Settings, tmp_path: Path
) -> None:
    """Alone they look right: that is what a head that is kept elsewhere is for."""
    older, copy = settings.ledger_head.read_bytes(), tmp_path / "older.sqlite"
    copied(file_of(settings), copy)
    ledger = filled(open_ledger(settings), 2)
    kept = read_kept(settings.ledger_head.read_text(), "kept")
    ledger._table._engine.dispose()
    shutil.copy(copy, file_of(settings))
    settings.ledger_head.write_bytes(older)
    assert verify(settings).findings == ()
    assert "the head that was kept: entries 6 to 7 are missing" in told(verify(settings, kept=kept))
    with pytest.raises(LedgerDamagedError, match="the head went back from entry 7 to 5"):
        ledger.append("asked", {}, at=NOW)


def test_a_kept_head_shows_what_the_holder_of_the_key_did(settings: Settings, tmp_path: Path) -> None:
    kept = parse(settings.ledger_head.read_text())
    written_anew(file_of(settings), tmp_path)
    accept(settings, because="nothing to see", principal=None, at=NOW)
    assert verify(settings).findings == ()
    assert "entry 5 is not the one that was signed" in told(verify(settings, kept=kept))


def test_a_kept_head_stays_right_while_the_ledger_grows(settings: Settings) -> None:
    kept = parse(settings.ledger_head.read_text())
    filled(open_ledger(settings), 4)
    assert verify(settings, kept=kept).findings == ()


def test_a_kept_head_that_was_changed_or_is_anothers_is_told(settings: Settings) -> None:
    kept = parse(settings.ledger_head.read_text())
    other = sign(Ed25519PrivateKey.generate(), seq=kept.seq, hash=kept.hash, at=kept.at)
    assert "signed by another key" in told(verify(settings, kept=other))
    changed = read_kept(kept.text.replace(NOW.isoformat(), "2026-11-02T12:00:00+00:00"), "kept")
    assert "its signature does not hold" in told(verify(settings, kept=changed))
    with pytest.raises(StorageError, match="no head of a ledger"):
        read_kept("{", "kept")


# Going on


def test_a_backup_that_was_put_back_is_accepted_and_that_is_on_record(settings: Settings) -> None:
    tamper(file_of(settings), CUT)
    assert not opens(settings)
    entry = accept(settings, because="backup of Monday", principal="ines", at=NOW)
    assert (entry.seq, entry.kind, entry.body["because"], entry.body["principal"]) == (
        4,
        ACCEPTED,
        "backup of Monday",
        "ines",
    )
    assert entry.body["before"]["seq"] == 5
    assert verify(settings).findings == ()
    assert opens(settings)


def test_a_lost_head_is_accepted_and_what_was_wrong_is_on_record(settings: Settings) -> None:
    settings.ledger_head.unlink()
    entry = accept(settings, because="lost", principal=None, at=NOW)
    assert entry.body["before"] == {"damaged": "the signed head of the ledger is gone"}
    assert opens(settings)


def test_a_broken_chain_is_not_signed_and_a_new_ledger_is(settings: Settings, tmp_path: Path) -> None:
    tamper(file_of(settings), "UPDATE ledger_entries SET body = '{}' WHERE seq = 2")
    with pytest.raises(LedgerDamagedError, match=r"the chain breaks at entry 2 — .*move the whole ledger away"):
        accept(settings, because="x", principal=None, at=NOW)
    assert verify(settings).entries == 5
    shutil.move(file_of(settings), tmp_path / "evidence.sqlite")
    assert accept(settings, because="begun anew", principal=None, at=NOW).seq == 1
    assert opens(settings)


def test_a_lost_key_is_replaced_by_a_new_one(settings: Settings) -> None:
    for name in ("ledger.key", "ledger.pub"):
        (settings.secrets / name).unlink()
    assert verify(settings).findings == ()
    accept(settings, because="lost the key", principal=None, at=NOW)
    assert opens(settings)
    assert verify(settings).unsigned == 0


# From before there was a head


def test_a_ledger_from_before_is_signed_by_its_next_append(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    filled(Ledger(settings.ledger_url), 5)
    before = verify(settings)
    assert (before.head, before.unsigned, before.findings) == (None, 5, ())
    ledger = open_ledger(settings)
    assert verify(settings).head is None, "opening signs nothing"
    ledger.append("asked", {}, at=NOW)
    after = verify(settings)
    assert (after.entries, after.unsigned, after.findings) == (6, 0, ())


def test_a_broken_ledger_from_before_is_not_signed(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    filled(Ledger(settings.ledger_url), 5)
    tamper(file_of(settings), "DELETE FROM ledger_entries WHERE seq = 2")
    ledger = open_ledger(settings)
    for _ in range(2):
        with pytest.raises(LedgerDamagedError, match="the chain breaks at entry 3"):
            ledger.append("asked", {}, at=NOW)
    assert not settings.ledger_head.exists()
    assert not settings.secrets.exists()


def test_a_ledger_that_version_one_wrote_still_verifies(tmp_path: Path) -> None:
    """Rows as they were written before this package was: their text and their hashes are what they were."""
    rows = [
        (1, 1, "2026-11-01T12:00:00+00:00", "asked", '{"n": 1}', "0" * 64, ONE),
        (2, 1, "2026-11-01T12:00:00.5+00:00", "allowed", '{"\\u00fc": null}', ONE, TWO),
    ]
    settings = settings_in(tmp_path)
    Ledger(settings.ledger_url)
    with closing(sqlite3.connect(file_of(settings))) as connection, connection:
        connection.executemany("INSERT INTO ledger_entries VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
    assert verify(settings).findings == ()
