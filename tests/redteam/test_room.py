"""The room's corpus: everything as expected, and the harness tells a room that leaks."""

import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from mesh_defs.errors import AnalysisRejectedError
from tests.redteam.room import attack, passed
from tests.redteam.room_cases import read_cases
from tests.redteam.room_data import key

CORPUS, OWN = (Path(__file__).parent / name for name in ("room_attacks.json", "own_room_attacks.json"))


@pytest.fixture(scope="module", params=[CORPUS, OWN], ids=["shared", "own"])
def told(request: pytest.FixtureRequest) -> Mapping[str, Any]:
    return attack(request.param)


def test_every_case_is_as_expected(told: Mapping[str, Any]) -> None:
    assert told["why"] == {}
    assert passed(told)


def test_every_case_was_run(told: Mapping[str, Any]) -> None:
    assert told["not_run"] == {}
    assert told["safe"] + told["benign_answered"] == told["cases"]


def test_the_parties_own_processes_hold_as_well() -> None:
    """A few drawn from the shared corpus, the same each time, and own ones that only processes can hold apart."""
    drawn = [case.id for case in random.Random(7).sample(read_cases(CORPUS)[0], 8)]
    for corpus, only in ((CORPUS, ["P02", "B02", *drawn]), (OWN, ["R19", "R20", "R24"])):
        found = attack(corpus, only=only, processes=True)
        assert found["why"] == {}
        assert found["safe"] + found["benign_answered"] == found["cases"] == len(set(only))


def test_a_room_without_its_threshold_leaks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mesh_defs.cleanroom.run.unfit", lambda cell, terms: None)
    found = attack(CORPUS, only=["T13", "T14", "B02"])
    assert found["leaks"] == ["T13", "T14"]
    assert not passed(found)


def test_a_room_whose_errors_tell_of_values_or_names_leaks(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AnalysisRejectedError(told.pop())

    told = ["there is a column 'diagnosis' too", f"cannot cast '{key('u1')}'"]
    monkeypatch.setattr("mesh_defs.cleanroom.room.question_of", refuse)
    found = attack(CORPUS, only=["C01", "C02"])
    assert (found["leaks"], found["metadata_leaks"]) == (["C01"], ["C02"])
