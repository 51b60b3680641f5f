"""`mesh room` where each party is a process of its own: what the people on either side see."""

import json
from pathlib import Path
from typing import Any

from mesh_defs.cleanroom.processes import journal_of
from mesh_defs.ledger import open_ledger
from tests.cleanroom.parties import AGENCY, QUESTION, ROOM, SHOP, plain
from tests.cleanroom.test_processes import Running, running  # noqa: F401  the fixture
from tests.cli.room_terminal import Done, invoked


def told(party: str, running: Running, *command: str) -> Done:  # noqa: F811
    settings = running.parties.meshes[party]
    places = {"MESH_ROOT": settings.root, "MESH_HOME": settings.home, "MESH_SECRETS": settings.secrets}
    return invoked(("room", *command), {name: str(path) for name, path in places.items()})


def test_the_terminal_asks_its_partys_process_and_each_side_sees_its_own(running: Running, tmp_path: Path) -> None:  # noqa: F811
    done = told(AGENCY, running, "ask", ROOM, QUESTION, "--json")
    assert done.returncode == 0, done.stderr
    rows = [tuple(row.values()) for row in json.loads(done.stdout)["rows"]]
    assert sorted(row[:4] for row in rows) == sorted(row[:4] for row in plain())
    assert json.loads(told(AGENCY, running, "ask", ROOM, QUESTION, "--json").stdout)["repeated"]
    seen: dict[str, Any] = {
        each: json.loads(told(each, running, "show", ROOM, "--json").stdout) for each in (AGENCY, SHOP)
    }
    assert [seen[each]["as"] for each in (AGENCY, SHOP)] == [AGENCY, SHOP]
    assert [each["withheld"] for each in seen[AGENCY]["releases"]] == [None]
    assert isinstance(seen[SHOP]["releases"][0]["withheld"], list)
    for party in (AGENCY, SHOP):
        found = told(party, running, "verify", ROOM)
        assert found.returncode == 0, found.stderr
    handed = tmp_path / "kept.json"
    assert "signatures are in" in told(AGENCY, running, "verify", ROOM, "--out", str(handed)).stderr
    nowhere = told(AGENCY, running, "verify", ROOM, "--out", str(tmp_path / "no" / "file"))
    assert (
        nowhere.returncode == 3 and "cannot be written: No such file or directory — name another file" in nowhere.stderr
    )
    journal_of(running.parties.meshes[SHOP], "party").file.unlink()
    settings = running.parties.meshes[SHOP]
    for file in (*settings.home.glob("ledger.*"), *settings.secrets.glob("ledger.*")):
        file.unlink()
    open_ledger(settings)
    assert told(SHOP, running, "verify", ROOM).returncode == 0, (
        "whoever rewrites everything of its own shows nothing of it"
    )
    found = told(SHOP, running, "verify", ROOM, "--with", str(handed))
    assert found.returncode == 1
    assert "of the ledger is missing, which was signed for" in found.stderr


def test_who_may_not_ask_is_told_so(running: Running) -> None:  # noqa: F811
    denied = told(SHOP, running, "ask", ROOM, QUESTION)
    assert denied.returncode == 1
    assert "may not ask" in denied.stderr
