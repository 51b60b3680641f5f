"""A copy for others: complete, checkable with nothing but SHA-256, and told when the chain does not hold."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from mesh_defs.errors import StorageError
from mesh_defs.ledger import open_ledger
from mesh_defs.ledger.export import Form, export
from mesh_defs.settings import Settings
from tests.factories import NOW
from tests.ledger.records import file_of, filled, recorded, settings_in, tamper

FORMS: tuple[Form, ...] = ("jsonl", "parquet")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return recorded(tmp_path / "mesh")


def read(file: Path, form: Form) -> list[dict[str, Any]]:
    if form == "jsonl":
        return [json.loads(line) for line in file.read_text(encoding="utf-8").split("\n")[:-1]]
    rows: list[dict[str, Any]] = pq.read_table(file).to_pylist()
    return rows


@pytest.mark.parametrize("form", FORMS)
def test_whoever_has_the_file_computes_every_hash_anew(settings: Settings, tmp_path: Path, form: Form) -> None:
    ledger = open_ledger(settings)
    ledger.append("asked", {"text": "Ünï\n\u2028 '🙂' \ud800", "n": [1, None, 0.1]}, at=NOW)
    assert export(settings, tmp_path / "all", form) == (6, ())
    rows = read(tmp_path / "all", form)
    assert [row["seq"] for row in rows] == [1, 2, 3, 4, 5, 6]
    previous = "0" * 64
    for row in rows:
        told = [row[name] for name in ("format", "seq", "at", "kind", "body", "previous")]
        assert row["previous"] == previous
        previous = hashlib.sha256(json.dumps(told).encode()).hexdigest()
        assert row["hash"] == previous
    assert json.loads(rows[-1]["body"]) == ledger.entries(limit=1)[0].body


@pytest.mark.parametrize("form", FORMS)
def test_a_broken_chain_is_exported_as_it_is_and_told(settings: Settings, tmp_path: Path, form: Form) -> None:
    tamper(
        file_of(settings),
        "UPDATE ledger_entries SET body = x'00ff' WHERE seq = 2",
        "UPDATE ledger_entries SET body = 7 WHERE seq = 3",
        "DELETE FROM ledger_entries WHERE seq = 5",
    )
    count, findings = export(settings, tmp_path / "all", form)
    assert (count, [each.where for each in findings]) == (4, ["entry 2", "entry 3"])
    assert len(read(tmp_path / "all", form)) == 4


@pytest.mark.parametrize("form", FORMS)
def test_a_mesh_that_was_never_asked_has_an_empty_export(tmp_path: Path, form: Form) -> None:
    assert export(settings_in(tmp_path / "mesh"), tmp_path / "all", form) == (0, ())
    assert read(tmp_path / "all", form) == []


@pytest.mark.parametrize("form", FORMS)
def test_more_than_one_batch_is_written(settings: Settings, tmp_path: Path, form: Form, monkeypatch: Any) -> None:
    monkeypatch.setattr("mesh_defs.ledger.export._BATCH_ROWS", 2)
    filled(open_ledger(settings), 2)
    assert export(settings, tmp_path / "all", form)[0] == len(read(tmp_path / "all", form)) == 7


@pytest.mark.parametrize("form", FORMS)
def test_what_cannot_be_written_leaves_the_older_export_as_it_is(
    settings: Settings, tmp_path: Path, form: Form, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "all"
    export(settings, out, form)
    before = out.read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(StorageError, match="the export could not be written: No space left on device"):
        export(settings, out, form)
    assert out.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir() if "all" in file.name] == ["all"]
