"""A few short drills, one after the other: all are survived, and a loss would be told. `make drills` runs the whole of them."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from drills.__main__ import every_drill, run
from drills.drill import Drill, LostError, Outcome, practise, require
from drills.ground import Ground
from drills.places import write
from drills.stops import TOLD, select
from drills.watch import watching
from mesh_defs.model.version import Candidate, Version
from mesh_defs.storage.local import LocalStorage
from tests.storage.places import folder_place

SHORT = (
    *(
        "worker-audit/parquet",
        "worker-flip/parquet",
        "worker-write/parquet",
        "stale-lock/parquet",
        "clock/duckdb",
        "pointer/parquet",
    ),
    *("pointer/postgres", "crash/postgres", "full-disk/duckdb", "s3-503/s3"),
)


def test_what_is_broken_on_purpose_is_survived() -> None:
    chosen = [drill for drill in every_drill() if drill.is_one_of(SHORT)]
    assert len(chosen) == len(SHORT)
    outcomes = run(chosen, seed=3, rounds=1, minutes=0.05, say=lambda outcome: None)
    assert [outcome.line(3) for outcome in outcomes if outcome.lost is not None] == []


def test_every_fault_that_was_promised_has_a_drill() -> None:
    known = {drill.name for drill in every_drill()}
    assert {f"worker-{point}" for point in TOLD} <= known
    assert {"two-refreshes", "stale-lock", "pointer", "clock", "crash", "full-disk", "external"} <= known
    assert {"s3-503", "s3-timeout", "s3-reset", "renovate", "erase", "adapters"} <= known
    assert {"run-worker", "code-server", "daemon", "webserver", "both", "two-walks"} <= known


def a_drill(run) -> Drill:
    return Drill(name="name", part="part", told="what is done", run=run)


def practised(drill: Drill, seed: int = 7) -> Outcome:
    return practise(drill, Ground(), seed=seed, rounds=1, minutes=0)


def test_a_loss_says_what_was_lost_and_how_to_repeat_it() -> None:
    outcome = practised(a_drill(lambda task: require(False, "version 3 was acknowledged and is not read")))
    assert outcome.line(5) == (
        "LOST      part      what is done: version 3 was acknowledged and is not read"
        " — repeat it: python -m drills --seed 5 --only name/part"
    )


def test_whatever_a_drill_raises_is_a_loss() -> None:
    assert practised(a_drill(lambda task: {}["x"])).lost == "KeyError: 'x'"


def test_the_same_seed_strikes_at_the_same_points_and_another_elsewhere() -> None:
    drill = a_drill(lambda task: str(task.chance.random()))
    assert practised(drill).note == practised(drill).note != practised(drill, seed=8).note
    assert practised(drill).note != practised(replace(drill, part="other")).note


@pytest.mark.parametrize("wanted", [["name"], ["part"], ["name/part"], ["na*"], []])
def test_drills_are_chosen_by_name_or_part(wanted: list[str]) -> None:
    assert a_drill(str).is_one_of(wanted)
    assert wanted == [] or not replace(a_drill(str), name="x", part="y").is_one_of(wanted)


def test_the_command_fails_when_nothing_was_drilled_and_tells_it_as_json() -> None:
    command = [sys.executable, "-m", "drills", "--json", "--only", "nothing-like-this"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, json.loads(done.stdout)) == (1, {"seed": 7, "lost": 0, "drills": []})


def test_a_storage_that_acknowledges_and_forgets_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    publish, published = LocalStorage.publish, []

    def forgetful(storage: LocalStorage, candidate: Candidate, **stamp: object) -> Version:
        published.append(candidate)
        return publish(storage, candidate, **stamp) if len(published) < 3 else storage.current()

    monkeypatch.setattr(LocalStorage, "publish", forgetful)
    [drill] = [drill for drill in every_drill() if drill.is_one_of(["pointer/parquet"])]
    [outcome] = run([drill], seed=3, rounds=1, minutes=0, say=lambda outcome: None)
    assert outcome.lost == "the last good version is not read"


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (select(1, rows=100), "generations 1 to 1 after 0, 100 rows, 100 persons"),
        (f"{select(1, rows=4_999)} UNION ALL {select(1, rows=1)}", "5000 rows, 4999 persons"),
        (f"{select(1, rows=4_999)} UNION ALL SELECT 5_000, 'north', 2", "generations 1 to 2"),
    ],
)
def test_a_reader_notices_what_is_not_whole(tmp_path: Path, rows: str, told: str) -> None:
    place = folder_place("parquet", tmp_path / "place")
    with duckdb.connect() as connection:
        storage = place.storage()
        storage.publish(storage.stage(connection, rows), stamp={})
    with pytest.raises(LostError, match=told), watching(place=place):
        pass


def test_a_reader_notices_a_version_that_goes_back(tmp_path: Path) -> None:
    place = folder_place("parquet", tmp_path / "place")
    write(place, 2)
    with pytest.raises(LostError, match="generations 1 to 1 after 2"), watching(place=place):
        write(place, 1)
