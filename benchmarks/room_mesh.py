"""A publisher's impressions, an advertiser's customers and a join, each a mesh with processes of its own, and taps between them.

Measures nothing: `benchmarks.room` does. Persons are known by made-up addresses of mail, no two of which are alike.
"""

import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import psutil  # type: ignore[import-untyped]
import yaml

from benchmarks.gate_mesh import published
from benchmarks.scratch import CONTRACT, PRODUCT, make_mesh
from demo.partners import process
from mesh_defs.cleanroom.channel import Trust
from mesh_defs.cleanroom.extract import Seat
from mesh_defs.cleanroom.frozen import content_digest
from mesh_defs.cleanroom.keys import identity, make_identity
from mesh_defs.cleanroom.processes import ask, folder_of
from mesh_defs.cleanroom.rules import Asked
from mesh_defs.cleanroom.signed import state
from mesh_defs.cleanroom.wire import read
from mesh_defs.model.room import Group, SharedTable
from mesh_defs.processes.programs import HOST, free_ports
from mesh_defs.query.platform import open_platform
from mesh_defs.settings import Settings, load_settings

ROOM, PUBLISHER, ADVERTISER, JOIN = "reach", "publisher", "advertiser", "neutral"
CAMPAIGNS = tuple(f"campaign {n}" for n in range(20))
_CLOSED_SECONDS_MAX, _IDLE_SECONDS = 30.0, 2.0
# Every person is a customer, and every impression is of a person and a campaign that were drawn alike: about as many
# different pairs of both as there can be.
CUSTOMERS = "SELECT substr(md5(CAST(n AS VARCHAR)), 1, 12) || '@mail.example' AS email FROM range({persons}) AS _(n)"
IMPRESSIONS = """SELECT n AS impression_id,
    substr(md5(CAST(CAST(floor(random() * {persons}) AS BIGINT) AS VARCHAR)), 1, 12) || '@mail.example' AS email,
    'campaign ' || CAST(floor(random() * 20) AS INTEGER) AS campaign, CAST(1 + floor(random() * 5000) AS BIGINT) AS cost
FROM range({rows}) AS _(n)"""
QUESTION = """SELECT i.campaign, count(*) AS shown, count(DISTINCT i.email) AS reached, sum(i.cost) AS cost
FROM publisher.impressions AS i JOIN advertiser.customers AS c ON i.email = c.email GROUP BY i.campaign"""
_ACCESS = """format: 1
product: {domain}.{name}
grants: [{{id: room, principals: [ada], purposes: [measurement]}}]
"""
_EMAIL = "{name: email, logicalType: string, classification: confidential}"
_SHARED: Mapping[str, tuple[str, str, tuple[str, ...]]] = {
    PUBLISHER: (
        "impressions",
        "impression_id",
        (
            "{name: impression_id, logicalType: integer, primaryKey: true}",
            _EMAIL,
            "{name: campaign, logicalType: string}",
            "{name: cost, logicalType: integer, physicalType: BIGINT}",
        ),
    ),
    ADVERTISER: ("customers", "email", (_EMAIL,)),
}


@dataclass(slots=True, kw_only=True)
class Exchange:
    """One message to a party or the join and its answer, as they passed: seconds of the monotonic clock."""

    to: str
    kind: str = ""
    sent: float = 0.0
    answering: float = 0.0
    answered: float = 0.0
    size: int = 0


@dataclass(slots=True, kw_only=True)
class Tap:
    """Passes on what goes to one process and what comes back; notes when, and how many bytes."""

    name: str
    target: int
    exchanges: list[Exchange]
    listener: socket.socket = field(default_factory=lambda: socket.create_server((HOST, 0)))

    @property
    def url(self) -> str:
        """Where to reach the process by way of this tap."""
        return f"http://{HOST}:{self.listener.getsockname()[1]}"

    def run(self) -> None:
        """Serve until `listener` is closed."""
        with suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                threading.Thread(target=self._pass, args=(client,), daemon=True).start()

    def _pass(self, client: socket.socket) -> None:
        server, seen = socket.create_connection((HOST, self.target)), Exchange(to=self.name, sent=time.monotonic())
        self.exchanges.append(seen)
        back = threading.Thread(target=self._back, args=(client, server, seen), daemon=True)
        back.start()
        asked = bytearray()
        with suppress(OSError):
            while piece := client.recv(1 << 20):
                asked += piece
                server.sendall(piece)
            server.shutdown(socket.SHUT_WR)
        back.join()
        seen.size += len(asked)
        seen.kind = read(bytes(asked).partition(b"\r\n\r\n")[2]).head.kind

    def _back(self, client: socket.socket, server: socket.socket, seen: Exchange) -> None:
        with suppress(OSError):
            while piece := server.recv(1 << 20):
                seen.answering = seen.answering or time.monotonic()
                seen.size += len(piece)
                client.sendall(piece)
                seen.answered = time.monotonic()
            client.shutdown(socket.SHUT_WR)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A party's table as it made it: the file, of nothing but what it shares."""

    file: Path
    settings: Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Processes:
    """A room at work. `exchanges`: all that has passed so far."""

    advertiser: Settings
    exchanges: list[Exchange]
    running: Mapping[str, subprocess.Popen[bytes]]

    def ask(self) -> tuple[Group, ...]:
        """Ask the question in the advertiser's name."""
        asked = Asked(analyst=ADVERTISER, recipient=ADVERTISER, sql=QUESTION)
        answer = ask(self.advertiser, ROOM, asked, trust=Trust())
        assert answer is not None
        return answer.release.groups

    def wait_until_idle(self) -> None:
        """Let them finish what they do when they start: an advertiser's process takes the digest of what it signed."""
        spent = -1.0
        while spent < (now := self.cpu_seconds()):
            spent = now
            time.sleep(_IDLE_SECONDS)

    def settled(self) -> list[Exchange]:
        """All exchanges, once each is over. Connections of people and processes end a moment after their answers."""
        until = time.monotonic() + _CLOSED_SECONDS_MAX
        while not all(each.kind for each in self.exchanges):
            if time.monotonic() > until:
                raise AssertionError("a connection stays open")
            time.sleep(0.01)
        return self.exchanges

    def cpu_seconds(self) -> float:
        """What all processes and what they started have spent so far; not this one, which measures."""
        total = 0.0
        for running in self.running.values():
            started = psutil.Process(running.pid)
            for each in (started, *started.children(recursive=True)):
                with suppress(psutil.NoSuchProcess):
                    total += sum(each.cpu_times()[:4])
        return total


def tables(folder: Path, *, persons: int, rows: int) -> dict[str, Table]:
    """Make both parties' tables and publish each in its own mesh."""
    made = {}
    for party, select in ((PUBLISHER, IMPRESSIONS), (ADVERTISER, CUSTOMERS)):
        file = folder / f"{party}.parquet"
        with duckdb.connect(config={"threads": 1}) as connection:
            connection.execute("SELECT setseed(0.5)")
            copied = select.format(persons=persons, rows=rows)
            connection.execute(f"COPY ({copied}) TO '{file}' (FORMAT parquet, COMPRESSION zstd)")
        root = make_mesh(folder / party, {party: _domain(party, file)})
        settings = load_settings({"MESH_ROOT": str(root), "MESH_PRINCIPAL": "ada"})
        published(settings).engine.close()
        made[party] = Table(file=file, settings=settings)
    return made


@contextmanager
def processes(folder: Path, made: Mapping[str, Table]) -> Iterator[Processes]:
    """Agree on the room, start both parties' processes and the join's; end them all. Each time nothing was asked before."""
    neutral = load_settings({"MESH_ROOT": str(make_mesh(folder / JOIN, {}))})
    meshes = {name: table.settings for name, table in made.items()} | {JOIN: neutral}
    exchanges: list[Exchange] = []
    with ExitStack() as stack:
        taps = {
            name: Tap(name=name, target=port, exchanges=exchanges)
            for name, port in zip(meshes, free_ports(len(meshes)), strict=True)
        }
        for tap in taps.values():
            threading.Thread(target=tap.run, daemon=True).start()
            stack.callback(tap.listener.close)
        _agree(meshes, {name: tap.url for name, tap in taps.items()})
        running = {name: stack.enter_context(_process(meshes[name], name, tap.target)) for name, tap in taps.items()}
        room = Processes(advertiser=meshes[ADVERTISER], exchanges=exchanges, running=running)
        room.wait_until_idle()
        yield room


def _domain(party: str, file: Path) -> dict[str, str]:
    name, key, columns = _SHARED[party]
    lines = "\n".join(f"      - {column}" for column in columns)
    return {
        f"contracts/{name}.odcs.yaml": CONTRACT.format(
            domain=party, name=name, columns=lines, key=key, format="parquet"
        ),
        f"access/{name}.access.yaml": _ACCESS.format(domain=party, name=name),
        f"products/{name}.py": PRODUCT.format(name=name, file=file),
    }


def _agree(meshes: Mapping[str, Settings], urls: Mapping[str, str]) -> None:
    """Write one agreement into all meshes, signed by both parties; forget what was asked."""
    for settings in meshes.values():
        for file in (*settings.home.glob("ledger.*"), *settings.secrets.glob("ledger.*")):
            file.unlink()
        shutil.rmtree(settings.home / "rooms", ignore_errors=True)
    body = yaml.safe_dump(_agreement(meshes, urls), sort_keys=False)
    folders = {name: folder_of(settings, ROOM) for name, settings in meshes.items()}
    for each in folders.values():
        each.path.mkdir(parents=True, exist_ok=True)
        (each.path / "agreement.yaml").write_text(body)
    for name in (PUBLISHER, ADVERTISER):
        agreement = folders[name].agreement()
        said = state("signed", agreement, name, identity(meshes[name]), agreement.valid_from)
        for each in folders.values():
            each.keep(said)


def _agreement(meshes: Mapping[str, Settings], urls: Mapping[str, str]) -> dict[str, Any]:
    named = {
        name: {"name": name, "key": make_identity(settings)[0], "url": urls[name]} for name, settings in meshes.items()
    }
    customers: dict[str, Any] = {"name": "advertiser.customers", "party": ADVERTISER, "product": "advertiser.customers"}
    customers |= {"person": "email", "rules": ["counts"]}
    impressions: dict[str, Any] = {
        "name": "publisher.impressions",
        "party": PUBLISHER,
        "product": "publisher.impressions",
    }
    measures = {"cost": {"functions": ["sum", "avg"]}}
    impressions |= {"person": "email", "rules": ["counts"], "dimensions": {"campaign": list(CAMPAIGNS)}}
    return {
        "format": 1,
        "id": ROOM,
        "title": "Which customers a campaign reached",
        "parties": [named[PUBLISHER], named[ADVERTISER]],
        "analysts": [ADVERTISER],
        "recipients": [ADVERTISER],
        "joins": named[JOIN],
        "valid": {"from": date(2026, 1, 1), "until": date(2036, 1, 1)},
        "tables": [impressions | {"measures": measures}, customers | {"digest": _digest(meshes[ADVERTISER])}],
        "rules": [{"name": "counts", "level": "threshold", "persons_min": 50, "dominance_max": 0.5}],
    }


def _digest(settings: Settings) -> str:
    table = SharedTable(name="advertiser.customers", party=ADVERTISER, product="advertiser.customers", person="email")
    seat = Seat(party=ADVERTISER, platform=open_platform(settings), principal="ada", purpose="measurement")
    return content_digest(table, seat)


def _process(settings: Settings, name: str, port: int) -> AbstractContextManager[subprocess.Popen[bytes]]:
    kind, who = ("join", []) if name == JOIN else ("party", ["--as", "ada", "--purpose", "measurement"])
    own = {"MESH_ROOT": str(settings.root), "HOME": str(settings.root)}
    return process(["room", kind, ROOM, "--port", str(port), *who], own, port)
