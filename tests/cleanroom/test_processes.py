"""A room in three processes of its own, as a person starts them, with every byte between them on record."""

import base64
import hashlib
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pyarrow as pa
import pytest

from mesh_defs.cleanroom.channel import Trust
from mesh_defs.cleanroom.processes import ask, verify_signed
from mesh_defs.cleanroom.rules import Asked
from mesh_defs.cleanroom.wire import Message, read, unpacked
from mesh_defs.errors import EngineError
from mesh_defs.processes.programs import free_ports
from mesh_defs.settings import Settings
from tests.cleanroom.parties import AGENCY, CHANNELS, JOIN, QUESTION, ROOM, SHOP, Parties, parties, plain

START_SECONDS_MAX = 120.0
_LENGTH = re.compile(rb"content-length: (\d+)\r\n", re.IGNORECASE)


@dataclass
class Recorder:
    """A TCP proxy that keeps what passes in each direction, connection by connection."""

    target: int
    streams: list[bytearray] = field(default_factory=list)
    seen: Callable[[bytes], None] = lambda _: None
    listener: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.listener.getsockname()[1]}"

    def run(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
                server = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                return
            for one, other in ((client, server), (server, client)):
                kept = bytearray()
                self.streams.append(kept)
                threading.Thread(target=self._pass_on, args=(one, other, kept), daemon=True).start()

    def _pass_on(self, one: socket.socket, other: socket.socket, kept: bytearray) -> None:
        try:
            while piece := one.recv(65_536):
                kept += piece
                self.seen(bytes(kept))
                other.sendall(piece)
            other.shutdown(socket.SHUT_WR)
        except OSError:
            other.close()

    def messages(self) -> Iterator[Message]:
        for stream in self.streams:
            head, _, body = bytes(stream).partition(b"\r\n\r\n")
            found = _LENGTH.search(head + b"\r\n")
            if found and body:
                assert len(body) == int(found[1])
                yield read(body)


@dataclass(frozen=True)
class Running:
    parties: Parties
    recorders: Mapping[str, Recorder]
    processes: Mapping[str, subprocess.Popen[bytes]]

    def ask(self, sql: str = QUESTION) -> list[tuple[object, ...]]:
        asked = Asked(analyst=AGENCY, recipient=AGENCY, sql=sql)
        answer = ask(self.parties.meshes[AGENCY], ROOM, asked, trust=Trust())
        assert answer is not None
        return sorted(
            (region, channel, *each.numbers) for each in answer.release.groups for channel, region in [each.values]
        )

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.processes[JOIN].pid).children(recursive=True)


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    with parties() as made, ExitStack() as stack:
        ports = dict(zip((SHOP, AGENCY, JOIN), free_ports(3), strict=True))
        recorders = {name: Recorder(port) for name, port in ports.items()}
        for recorder in recorders.values():
            threading.Thread(target=recorder.run, daemon=True).start()
            stack.callback(recorder.listener.close)
        made.agree({name: recorder.url for name, recorder in recorders.items()})
        processes = {
            name: stack.enter_context(_process(made.meshes[name], "join" if name == JOIN else "party", port))
            for name, port in ports.items()
        }
        for port in ports.values():
            _wait_for(port)
        yield Running(made, recorders, processes)


@contextmanager
def _process(settings: Settings, kind: str, port: int, **told: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "mesh_defs.cli.main", "room", kind, ROOM, "--port", str(port)],
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(Path(__file__).parents[2]),
            "MESH_ROOT": str(settings.root),
            "HOME": str(settings.root),
            **told,
        },
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)


def _wait_for(port: int) -> None:
    until = time.monotonic() + START_SECONDS_MAX
    while time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise AssertionError("a process does not answer")


def test_the_answer_is_that_of_one_database_and_no_person_and_no_row_is_on_the_wire(running: Running) -> None:
    assert running.ask() == plain()
    messages = [each for recorder in running.recorders.values() for each in recorder.messages()]
    assert {"start", "prepare", "partial-answer", "cosign-answer", "deliver"} <= {each.head.kind for each in messages}
    persons = [f"mail{n}@shop.example" for n in range(1, 601)]
    hashes = [hashlib.sha256(each.encode()) for each in persons]
    wanted = [
        b"@shop.example",
        *(each.hexdigest().encode() for each in hashes),
        *(each.digest()[:12] for each in hashes),
    ]
    for message in messages:
        for layer in _layers(message):
            assert not [each for each in wanted if each in layer], message.head.kind
    partials = [each for each in messages if each.head.kind == "partial-answer"]
    assert len(partials) == 2
    for message in partials:
        head, blobs = unpacked(message.body)
        assert [len(blobs[0])] == [12 * part["persons"] for part in head["parts"]]
        columns = pa.ipc.open_stream(pa.py_buffer(blobs[2])).read_all()
        assert all(pa.types.is_integer(each.type) for each in columns.schema)
        assert columns.column_names in (["d0", "n"], ["d0", "n", "s0", "c0"])
    assert not running.children(), "the run's process is gone with the run"


def _layers(message: Message) -> Iterator[bytes]:
    """A message's bytes, what is in base64 within, and its columns as they are without compression."""
    yield message.raw
    if message.head.kind == "partial-answer":
        for blob in unpacked(message.body)[1][1:]:
            table = pa.ipc.open_stream(pa.py_buffer(blob)).read_all()
            yield str(table.to_pydict()).encode()
        return
    for found in re.findall(rb'"([A-Za-z0-9+/]{40,}=*)"', message.body):
        yield base64.b64decode(found + b"=" * (-len(found) % 4))


def test_the_runs_secret_is_in_no_message_that_the_join_could_open(running: Running) -> None:
    running.ask(QUESTION.replace("count(*) AS orders, ", ""))
    shared = [each for each in running.recorders[SHOP].messages() if each.head.kind == "share-answer"]
    assert shared
    for each in shared:
        (box,) = each.json().values()
        assert len(base64.b64decode(box)) == 32 + 32 + 16, "a public key, the secret enciphered, and its tag"


def test_a_runs_process_that_is_killed_leaves_nothing_released(running: Running) -> None:
    def kill(stream: bytes) -> None:
        if b'"kind": "commit"' in stream:
            for child in running.children():
                child.kill()

    running.recorders[SHOP].seen = kill
    other = QUESTION.replace(", sum(o.cents) AS cents", "")
    with pytest.raises(EngineError, match="nothing was released"):
        running.ask(other)
    running.recorders[SHOP].seen = lambda _: None
    assert running.ask(other) == [each[:4] for each in plain()]
    for name in (SHOP, AGENCY):
        assert verify_signed(running.parties.meshes[name], ROOM) == ()


def test_the_runs_process_has_no_environment_and_cannot_read_a_mesh(running: Running) -> None:
    seen: list[dict[str, str]] = []

    def look(stream: bytes) -> None:
        if b'"kind": "partial"' in stream and not seen:
            seen.extend(psutil.Process(each.pid).environ() for each in running.children())

    running.recorders[AGENCY].seen = look
    running.ask(QUESTION.replace(", count(DISTINCT o.email) AS buyers", ""))
    assert seen and not any("MESH" in name or "AWS" in name or name == "HOME" for name in seen[0])


def test_noise_is_added_in_the_runs_own_process(running: Running) -> None:
    running.parties.private({name: recorder.url for name, recorder in running.recorders.items()})
    shown = running.ask()
    assert len(shown) == 2 * len(CHANNELS), "every public group, also where nobody is"
    assert shown == running.ask() != plain()
