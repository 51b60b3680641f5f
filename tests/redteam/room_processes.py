"""The same tables with two parties and a join as processes of their own, and an asker who goes past her own process.

What is refused at her side is asked once more at the join, signed with her party's key: only the others can refuse that.
"""

import secrets
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import yaml

from mesh_defs.cleanroom import steps
from mesh_defs.cleanroom.book import Book
from mesh_defs.cleanroom.channel import Trust, poster
from mesh_defs.cleanroom.keys import identity, make_identity
from mesh_defs.cleanroom.processes import ask
from mesh_defs.cleanroom.room import RoomAnswer
from mesh_defs.cleanroom.rules import Asked, question_of
from mesh_defs.cleanroom.signed import RoomFolder, state
from mesh_defs.cleanroom.wire import Speaker, join, party, read
from mesh_defs.documents.room import digest_of
from mesh_defs.errors import MeshError
from mesh_defs.ledger.ledger import open_ledger
from mesh_defs.model.room import Agreement, Question, Release
from mesh_defs.processes.programs import free_ports
from mesh_defs.query.platform import open_platform
from mesh_defs.settings import Settings, load_settings
from tests.cleanroom.parties import ROOM
from tests.cleanroom.test_processes import _process
from tests.redteam.room_cases import RoomCase
from tests.redteam.room_data import TABLES, build
from tests.redteam.room_verdict import Outcome, asked_of
from tests.redteam.room_world import ADVERTISER, HOST, PUBLISHER, RoomWorld, count_asker_once, digests_of, published

_MONTH = timedelta(days=30)
_SECONDS_MAX, _BYTES_MAX = 120.0, 20_000_000


@dataclass(frozen=True, kw_only=True)
class ProcessWorld(RoomWorld):
    """Three meshes, by name of party or join, and the processes that run in them."""

    meshes: Mapping[str, Settings]
    ports: Mapping[str, int]
    running: dict[str, tuple[ExitStack, subprocess.Popen[bytes]]] = field(default_factory=dict)

    def outcomes(self, case: RoomCase) -> list[Outcome]:
        """Ask each step of a case under an agreement of its own."""
        self._arrange(case)
        found = []
        for step in case.steps:
            if step.edited:
                self._edit("count(DISTINCT p.hem)", "count(*)")
            try:
                asked = asked_of(step, self.target, self._folder(ADVERTISER).agreement())
                found.append(self._asked(asked))
            except MeshError as error:
                found.append(Outcome(error=error))
            if case.restarts:
                self.restart()
        return found

    def restart(self) -> None:
        """End all processes, and start them anew."""
        self.stop()
        for name, port in self.ports.items():
            stack = ExitStack()
            kind = "join" if name == HOST else "party"
            self.running[name] = stack, stack.enter_context(_process(self.meshes[name], kind, port))

    def stop(self) -> None:
        """End all processes."""
        for stack, _ in self.running.values():
            stack.close()
        self.running.clear()

    def _asked(self, asked: Asked) -> Outcome:
        try:
            answer = ask(self.meshes[ADVERTISER], ROOM, asked, trust=Trust())
        except MeshError as error:
            past = self._past(asked)
            return Outcome(answer=past) if past else Outcome(error=error)
        assert answer is not None, "nobody but who asks may have answers here"
        release = self._on_record(answer.release.run)
        seen = RoomAnswer(
            question=answer.question,
            release=Release(
                run=release.run,
                analysis=release.analysis,
                groups=answer.release.groups,
                withheld=release.withheld,
                micro_rho=release.micro_rho,
            ),
            repeated=answer.repeated,
        )
        return Outcome(answer=seen)

    def _past(self, asked: Asked) -> RoomAnswer | None:
        """Ask at the join itself; what came of it, if anything did, by the advertiser's own ledger."""
        agreement, run = self._folder(ADVERTISER).agreement(), secrets.token_hex(16)
        speaker = Speaker(name=party(ADVERTISER), key=self.keys[ADVERTISER], clock=lambda: datetime.now(UTC))
        body, digest = steps.asked_as_body(asked), digest_of(agreement)
        start = speaker.say("start", body, to=join(agreement), room=agreement.id, agreement=digest, run=run)
        try:
            post = poster(Trust())
            answer = read(post(str(agreement.joins.url), start.raw, _SECONDS_MAX, _BYTES_MAX)).json()
        except MeshError:
            return None
        if answer.get("state") != "released":
            return None
        release = self._on_record(run, ADVERTISER)
        return RoomAnswer(question=_question(asked, agreement, release), release=release, repeated=False)

    def _on_record(self, run: str, name: str = PUBLISHER) -> Release:
        page = Book(open_ledger(self.meshes[name]), self._folder(name).agreement()).page()
        return next(each for each in page.releases if each.run == run)

    def _folder(self, name: str) -> RoomFolder:
        return RoomFolder(self.meshes[name].root / "rooms" / ROOM)

    def _arrange(self, case: RoomCase) -> None:
        """One agreement in all three meshes, under the circumstances of a case."""
        told, now, signers = case.agreement, datetime.now(UTC), {PUBLISHER, ADVERTISER}
        if told.startswith("one_signature"):
            signers = {PUBLISHER if PUBLISHER in told else ADVERTISER}
        elif told.startswith("unsigned"):
            signers = set()
        middle = now + {"expired": -3, "not_yet": 3}.get(told, 0) * _MONTH
        for name in self.meshes:
            folder = self._folder(name)
            shutil.rmtree(folder.path, ignore_errors=True)
            folder.path.mkdir(parents=True)
            (folder.path / "agreement.yaml").write_text(yaml.safe_dump(self._body(case, middle), sort_keys=False))
            seat = {name: {"principal": "ada", "purpose": "measurement"}}
            (folder.path / "seats.yaml").write_text(yaml.safe_dump({"format": 1, "seats": seat}))
            for signer in signers:
                folder.keep(state("signed", folder.agreement(), signer, self.keys[signer], now))
        if told.startswith("revoked"):
            who = ADVERTISER if ADVERTISER in told else PUBLISHER
            agreement = self._folder(who).agreement()
            self._folder(who).keep(state("revoked", agreement, who, self.keys[who], now))
        elif told.startswith("edited"):
            self._edit("persons_min: 25", "persons_min: 2")

    def _edit(self, old: str, new: str) -> None:
        """Change what was signed, everywhere but at the party whose rows are protected."""
        for name in (ADVERTISER, HOST):
            file = self._folder(name).path / "agreement.yaml"
            file.write_text(file.read_text().replace(old, new))

    def _body(self, case: RoomCase, middle: datetime) -> dict[str, object]:
        """Under an id of its own: a room whose ledgers know of nothing. The id is the same in all meshes."""
        body = self.agreement(case.level, id=f"case-{case.id.lower().replace('_', '-')}")
        for each in (*body["parties"], body["joins"]):
            each["url"] = f"http://127.0.0.1:{self.ports[each['name']]}"
        return {**body, "valid": {"from": (middle - _MONTH).date(), "until": (middle + _MONTH).date()}}


@contextmanager
def process_world(setup_sql: Iterable[str] = ()) -> Iterator[ProcessWorld]:
    """Publish each party's tables in a mesh of its own, and start the processes. Takes some 30 s."""
    with TemporaryDirectory() as name, duckdb.connect() as plain:
        folder = Path(name)
        target = build(plain, setup_sql)
        meshes = {party: published(folder, party, plain, {party: TABLES[party]}) for party in (PUBLISHER, ADVERTISER)}
        (folder / HOST).mkdir()
        shutil.copy(meshes[PUBLISHER].root / "mesh.yaml", folder / HOST)
        meshes[HOST] = load_settings({"MESH_ROOT": str(folder / HOST)})
        for settings in meshes.values():
            make_identity(settings)
        platform = open_platform(meshes[ADVERTISER])
        digests = digests_of(platform)
        count_asker_once(plain)
        world = ProcessWorld(
            folder=folder,
            platform=platform,
            plain=plain,
            target=target,
            digests=digests,
            keys={name: identity(settings) for name, settings in meshes.items()},
            meshes=meshes,
            ports=dict(zip(meshes, free_ports(len(meshes)), strict=True)),
        )
        try:
            world._arrange(RoomCase(id="first", benign=True, expected=("allow",), steps=(), level="threshold"))
            world.restart()
            yield world
        finally:
            world.stop()
            platform.engine.close()


def _question(asked: Asked, agreement: Agreement, release: Release) -> Question:
    try:
        return question_of(asked, agreement, datetime.now(UTC))[0]
    except MeshError:  # answered, though nobody could have read it: shown as it came
        return Question(analysis=release.analysis, outputs=())
