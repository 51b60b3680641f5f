"""A party whose own process reads by Trino, as its seat says, in a room with one that reads by DuckDB."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
import yaml

from mesh_defs.cleanroom.channel import Trust
from mesh_defs.cleanroom.processes import ask, folder_of, verify_signed
from mesh_defs.cleanroom.rules import Asked
from mesh_defs.processes.programs import free_ports
from mesh_defs.query.mesh import open_mesh
from mesh_defs.settings import Settings, load_settings
from mesh_defs.trino.register import register
from tests.cleanroom.parties import AGENCY, JOIN, QUESTION, ROOM, SHOP, Parties, parties, plain
from tests.cleanroom.test_processes import _process
from tests.servers import new_database
from tests.trino.conftest import _url
from tests.trino_server import Trino, catalogs


@contextmanager
def reached(settings: Settings, trino: Trino, server: str) -> Iterator[None]:
    """Let the Trino read what this mesh has published."""
    with new_database(server) as database:
        settings.secrets.mkdir(parents=True, exist_ok=True)
        (settings.secrets / "sales.env").write_text(f"MESH_SALES_POSTGRES={_url(database)}\n")
        known = load_settings({"MESH_ROOT": str(settings.root), "MESH_TRINO_URL": trino.url})
        with catalogs(trino, known):
            assert {each.state for each in register(open_mesh(known), known)} == {"registered"}
            yield


@pytest.fixture(scope="module")
def running(trino: Trino, postgres_tcp_server: str) -> Iterator[Parties]:
    with parties() as made, ExitStack() as stack:
        stack.enter_context(reached(made.meshes[SHOP], trino, postgres_tcp_server))
        ports = dict(zip((SHOP, AGENCY, JOIN), free_ports(3), strict=True))
        made.agree({name: f"http://127.0.0.1:{port}" for name, port in ports.items()})
        seat = {"principal": "ada", "purpose": "measurement", "engine": "trino"}
        seats = folder_of(made.meshes[SHOP], ROOM).path / "seats.yaml"
        seats.write_text(yaml.safe_dump({"format": 1, "seats": {SHOP: seat}}))
        for name, port in ports.items():
            told = {"MESH_TRINO_URL": trino.url} if name == SHOP else {}
            stack.enter_context(_process(made.meshes[name], "join" if name == JOIN else "party", port, **told))
        yield made


def answered(running: Parties) -> list[tuple[object, ...]]:
    asked = Asked(analyst=AGENCY, recipient=AGENCY, sql=QUESTION)
    answer = ask(running.meshes[AGENCY], ROOM, asked, trust=Trust())
    assert answer is not None
    groups = [(*reversed(each.values), *each.numbers) for each in answer.release.groups]
    return sorted(groups)


def test_the_answer_is_that_of_one_database_and_was_read_by_trino(running: Parties, trino: Trino) -> None:
    assert answered(running) == plain()
    ran = trino.rows("SELECT query, state FROM system.runtime.queries WHERE query LIKE '%to_hex(sha256%'")
    assert "FINISHED" in {state for _, state in ran}
    assert all(verify_signed(running.meshes[name], ROOM) == () for name in (SHOP, AGENCY))


def test_a_seat_that_names_nobody_ends_in_a_refusal_and_a_mended_one_is_read_anew(running: Parties) -> None:
    file = folder_of(running.meshes[SHOP], ROOM).path / "seats.yaml"
    sound = file.read_text()
    file.write_text(sound.replace("principal: ada", "principal: nobody"))
    other = Asked(analyst=AGENCY, recipient=AGENCY, sql=QUESTION.replace("count(*) AS orders, ", ""))
    with pytest.raises(Exception, match="nothing was released"):
        ask(running.meshes[AGENCY], ROOM, other, trust=Trust())
    file.write_text(sound)
    assert ask(running.meshes[AGENCY], ROOM, other, trust=Trust())
