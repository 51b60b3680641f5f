"""`mesh room` where each party is a process of its own: what the people on either side see."""

import json
from typing import Any

from tests.cleanroom.parties import AGENCY, QUESTION, ROOM, SHOP, plain
from tests.cleanroom.test_processes import Running, running  # noqa: F401  the fixture
from tests.cli.test_room import Done, invoked


def told(party: str, running: Running, *command: str) -> Done:  # noqa: F811
    settings = running.parties.meshes[party]
    places = {"MESH_ROOT": settings.root, "MESH_HOME": settings.home, "MESH_SECRETS": settings.secrets}
    return invoked(("room", *command), {name: str(path) for name, path in places.items()})


def test_the_terminal_asks_its_partys_process_and_each_side_sees_its_own(running: Running) -> None:  # noqa: F811
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
    denied = told(SHOP, running, "ask", ROOM, QUESTION)
    assert denied.returncode == 1
    assert "may not ask" in denied.stderr
