"""A room in three processes of its own, as a person starts them, with every byte between them on record."""

import base64
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from demo.accounted import crossed
from demo.examined import Wanted
from demo.partners import process
from demo.relay import Relay, relayed
from mesh_defs.cleanroom.channel import Trust
from mesh_defs.cleanroom.processes import ask, folder_of, verify_signed
from mesh_defs.cleanroom.rules import Asked
from mesh_defs.errors import EngineError, UnreachableError
from mesh_defs.processes.programs import free_ports
from mesh_defs.settings import Settings
from tests.cleanroom.certificates import trust_of
from tests.cleanroom.parties import AGENCY, CHANNELS, JOIN, QUESTION, ROOM, SHOP, Parties, parties, plain

PLAIN = Trust()


@dataclass(frozen=True)
class Running:
    parties: Parties
    relays: Mapping[str, Relay]
    processes: Mapping[str, subprocess.Popen[bytes]]
    trust: Trust

    def ask(self, sql: str = QUESTION) -> list[tuple[object, ...]]:
        asked = Asked(analyst=AGENCY, recipient=AGENCY, sql=sql)
        answer = ask(self.parties.meshes[AGENCY], ROOM, asked, trust=self.trust)
        assert answer is not None
        return sorted(
            (region, channel, *each.numbers) for each in answer.release.groups for channel, region in [each.values]
        )

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.processes[JOIN].pid).children(recursive=True)


@contextmanager
def started(made: Parties, trust: Trust = PLAIN) -> Iterator[Running]:
    """Three processes, and a relay before each; `trust`: with TLS."""
    with ExitStack() as stack:
        ports = dict(zip((SHOP, AGENCY, JOIN), free_ports(3), strict=True))
        relays = stack.enter_context(relayed(ports))
        encrypted = trust.certificate is not None
        made.agree(
            {name: relay.url.replace("http:", "https:" if encrypted else "http:") for name, relay in relays.items()}
        )
        files = {"--ca": trust.ca, "--certificate": trust.certificate, "--certificate-key": trust.key}
        shown = [word for option, file in files.items() if file for word in (option, file)]
        processes = {}
        for name, port in ports.items():
            kind = "join" if name == JOIN else "party"
            processes[name] = stack.enter_context(_process(made.meshes[name], kind, port, *shown))
        yield Running(made, relays, processes, trust)


def _process(
    settings: Settings, kind: str, port: int, *options: str, **told: str
) -> AbstractContextManager[subprocess.Popen[bytes]]:
    own = {"MESH_ROOT": str(settings.root), "HOME": str(settings.root), **told}
    return process(["room", kind, ROOM, "--port", str(port), *options], own, port)


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    with parties() as made, started(made) as found:
        yield found


def test_the_answer_is_that_of_one_database_and_no_person_and_no_row_is_on_the_wire(running: Running) -> None:
    before = running.children()
    assert running.ask() == plain()
    assert not {*before} & {*running.children()}, (
        "the run's process is gone with the run; another waits for the next one"
    )
    streams = [bytes(stream) for relay in running.relays.values() for stream in relay.streams if stream]
    told = crossed(streams, folder_of(running.parties.meshes[SHOP], ROOM).signed())
    assert {"start", "prepare", "partial-answer", "cosign-answer", "deliver"} <= told.messages.keys()
    assert told.findings == []
    assert {party: persons for _, party, persons, _ in told.partials} == {SHOP: 400, AGENCY: 400}
    wanted = Wanted.of({"email": [f"mail{n}@shop.example" for n in range(1, 601)], "domain": ["@shop.example"]})
    assert [found for stream in streams if (found := wanted.found_in(stream))] == []


def test_with_tls_the_answer_is_the_same_and_nothing_of_it_can_be_read_on_the_way(certificates: Path) -> None:
    with parties() as made, started(made, trust_of(certificates)) as running:
        assert running.ask() == plain()
        passed = b"".join(bytes(stream) for relay in running.relays.values() for stream in relay.streams)
        assert len(passed) > 20_000
        for word in (b"POST /room", b"mesh-room-1", b"partial-answer", b"SELECT", ROOM.encode()):
            assert word not in passed
        with pytest.raises(UnreachableError):
            ask(made.meshes[AGENCY], ROOM, Asked(analyst=AGENCY, recipient=AGENCY, sql=QUESTION), trust=PLAIN)


def test_the_runs_secret_is_in_no_message_that_the_join_could_open(running: Running) -> None:
    running.ask(QUESTION.replace("count(*) AS orders, ", ""))
    shared = [each for each in running.relays[SHOP].messages() if each.head.kind == "share-answer"]
    assert shared
    for each in shared:
        (box,) = each.json().values()
        assert len(base64.b64decode(box)) == 32 + 32 + 16, "a public key, the secret enciphered, and its tag"


def test_a_runs_process_that_is_killed_leaves_nothing_released(running: Running) -> None:
    def kill(stream: bytes) -> None:
        if b'"kind": "commit"' in stream:
            for child in running.children():
                child.kill()

    running.relays[SHOP].seen = kill
    other = QUESTION.replace(", sum(o.cents) AS cents", "")
    with pytest.raises(EngineError, match="nothing was released"):
        running.ask(other)
    running.relays[SHOP].seen = lambda _: None
    assert running.ask(other) == [each[:4] for each in plain()]
    for name in (SHOP, AGENCY):
        assert verify_signed(running.parties.meshes[name], ROOM) == ()


def test_the_runs_process_has_no_environment_and_cannot_read_a_mesh(running: Running) -> None:
    seen: list[dict[str, str]] = []

    def look(stream: bytes) -> None:
        if b'"kind": "partial"' in stream and not seen:
            seen.extend(psutil.Process(each.pid).environ() for each in running.children())

    running.relays[AGENCY].seen = look
    running.ask(QUESTION.replace(", count(DISTINCT o.email) AS buyers", ""))
    assert seen and not any("MESH" in name or "AWS" in name or name == "HOME" for name in seen[0])


def test_noise_is_added_in_the_runs_own_process(running: Running) -> None:
    running.parties.private({name: relay.url for name, relay in running.relays.items()})
    shown = running.ask()
    assert len(shown) == 2 * len(CHANNELS), "every public group, also where nobody is"
    assert shown == running.ask() != plain()
