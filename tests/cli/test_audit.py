"""`mesh audit` as an auditor, and as an operator after an accident, runs it."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from mesh_defs.ledger import open_ledger
from mesh_defs.settings import Settings
from tests.cli.test_commands import mesh
from tests.factories import NOW
from tests.ledger.records import file_of, recorded, settings_in, tamper, written_anew

CUT = "DELETE FROM ledger_entries WHERE seq > 3"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = recorded(tmp_path / "mesh", 3)
    ledger = open_ledger(settings)
    asked = {"principal": "ada", "purpose": "measurement", "versions": {"events.clicks": "v"}}
    ledger.append("allowed", asked, at=NOW)
    ledger.append("denied", {"principal": "max", "reasons": ["no grant", "none at all"]}, at=NOW.replace(month=12))
    return settings


def audit(settings: Settings, *command: str) -> subprocess.CompletedProcess[str]:
    return mesh(settings, "audit", *command)


def test_verify_says_whole_and_by_whom_it_is_signed(settings: Settings) -> None:
    done = audit(settings, "verify")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "whole: 5 entries, head signed at 2026-12-01T12:00:00+00:00 (entry 5)\n"
    told = json.loads(audit(settings, "verify", "--json").stdout)
    assert (told["whole"], told["entries"], told["unsigned"], told["findings"]) == (True, 5, 0, [])
    assert told["head"]["seq"] == 5


def test_verify_names_what_is_wrong_and_where(settings: Settings) -> None:
    tamper(file_of(settings), "UPDATE ledger_entries SET kind = 'allowed' WHERE seq = 2", CUT)
    done = audit(settings, "verify")
    assert (done.returncode, done.stdout) == (1, "")
    first, second = done.stderr.splitlines()
    assert first.startswith("entry 2: it was changed")
    assert re.search(r"ledger\.head: entries 4 to 5 are missing: the head says 5, on 2026-12-01", second)
    done = audit(settings, "verify", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["findings"][0]["where"] == "entry 2"


def test_verify_before_the_first_question_and_before_the_first_signature(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    done = audit(settings, "verify")
    assert (done.returncode, done.stdout) == (0, "whole: 0 entries, not signed yet\n")
    done = audit(settings, "head")
    assert done.returncode == 1
    assert "no signed head yet" in done.stderr


def test_a_head_that_was_kept_shows_what_the_holder_of_the_key_did(settings: Settings, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.write_text(audit(settings, "head").stdout)
    assert json.loads(kept.read_text()) == json.loads(audit(settings, "head", "--json").stdout)
    assert audit(settings, "verify", "--head", str(kept)).returncode == 0
    written_anew(file_of(settings), tmp_path)
    assert audit(settings, "sign", "--because", "nothing to see").returncode == 0
    assert audit(settings, "verify").returncode == 0
    done = audit(settings, "verify", "--head", str(kept))
    assert done.returncode == 1
    assert "the head that was kept: entry 5 is not the one that was signed" in done.stderr
    kept.write_bytes(b"\xff\xfe")
    done = audit(settings, "verify", "--head", str(kept))
    assert done.returncode == 3
    assert "this is no head of a ledger" in done.stderr


def test_search_finds_by_whom_what_and_when(settings: Settings) -> None:
    done = audit(settings, "search", "--principal", "max")
    assert done.returncode == 0, done.stderr
    heading, _, line = done.stdout.splitlines()
    assert heading.split() == ["entry", "at", "(UTC)", "kind", "who", "products"]
    assert line.split() == ["5", "2026-12-01T12:00:00", "denied", "max", "no", "grant;", "none", "at", "all"]

    def found(*options: str) -> list[int]:
        return [each["seq"] for each in json.loads(audit(settings, "search", "--json", *options).stdout)]

    assert found("--product", "events.clicks") == [4]
    assert found("--kind", "allowed", "--limit", "2") == [4, 3]
    assert found("--since", "2026-11-02") == [5]
    assert found("--until", "2026-11-01") == [4, 3, 2, 1], "a day counts to its end"
    assert found("--until", "2026-11-01T12:00") == []
    assert found("--since", "2026-12-01T21:00+09:00") == [5]
    assert audit(settings, "search", "--kind", "unheard").stdout == "nothing of the kind is on record\n"


@pytest.mark.parametrize("when", ["yesterday", "2026-13-01", "1", ""])
def test_a_time_that_is_none_is_refused(settings: Settings, when: str) -> None:
    done = audit(settings, "search", "--since", when)
    assert done.returncode == 2
    assert "is no day (YYYY-MM-DD) and no time" in done.stderr


def test_a_damaged_ledger_is_searched_and_told(settings: Settings) -> None:
    tamper(file_of(settings), CUT)
    done = audit(settings, "search", "--json")
    assert [each["seq"] for each in json.loads(done.stdout)] == [3, 2, 1]
    assert done.returncode == 1
    assert "entries 4 to 5 are missing" in done.stderr


def test_nothing_is_made_by_looking(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    for command in (["verify"], ["search"], ["head"]):
        audit(settings, *command)
    assert not settings.home.exists()


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_export_writes_all(settings: Settings, tmp_path: Path, form: str) -> None:
    done = audit(settings, "export", "--format", form, "--out", str(tmp_path / "all"), "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"file": str(tmp_path / "all"), "entries": 5, "whole": True}
    assert (tmp_path / "all").stat().st_size > 500
    tamper(file_of(settings), "UPDATE ledger_entries SET kind = 'allowed' WHERE seq = 2")
    done = audit(settings, "export", "--format", form, "--out", str(tmp_path / "all"))
    assert done.returncode == 1
    assert done.stdout == f"5 entries are in {tmp_path / 'all'}\n"
    assert done.stderr.startswith("entry 2: it was changed")
    assert audit(settings, "export", "--out", str(tmp_path / "no" / "x")).returncode == 2


def test_the_door_stays_shut_until_somebody_signs_and_says_why(settings: Settings) -> None:
    tamper(file_of(settings), CUT)
    done = audit(settings, "sign")
    assert done.returncode == 2
    done = audit(settings, "sign", "--because", "backup of Monday", "--as", "ines", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["seq"], told["kind"], told["body"]["principal"]) == (4, "head_accepted", "ines")
    assert audit(settings, "verify").returncode == 0
    tamper(file_of(settings), "UPDATE ledger_entries SET body = '{}' WHERE seq = 2")
    done = audit(settings, "sign", "--because", "please")
    assert done.returncode == 3
    assert "the chain breaks at entry 2" in done.stderr
