"""Attacks the clean room with a corpus: `python -m tests.redteam.room FILE.json [--processes] [--json]`.

In one process, or as two parties' and a join's own processes, with an asker who goes past its own.

Exit code 0 only when nothing leaked, nothing was answered wrongly, and 95 % of the benign questions were answered.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from mesh_defs.cleanroom.room import Room
from mesh_defs.cleanroom.signed import state
from mesh_defs.errors import MeshError
from tests.redteam.room_cases import RoomCase, read_cases
from tests.redteam.room_processes import ProcessWorld, process_world
from tests.redteam.room_verdict import Outcome, Verdict, asked_of, judge, summary
from tests.redteam.room_world import ADVERTISER, NOW, PUBLISHER, RoomWorld, room_world

BENIGN_ANSWERED_MIN = 0.95


def attack(
    file: Path,
    *,
    only: Sequence[str] = (),
    say: Callable[[str], None] = lambda line: None,
    processes: bool = False,
) -> dict[str, Any]:
    """Run a corpus; cases that prepare the tables in the same way share a mesh, or processes, and nothing else."""
    cases, not_run = read_cases(file)
    cases = [case for case in cases if not only or case.id in only]
    verdicts: dict[str, Verdict] = {}
    started = time.monotonic()
    for setup, those in _by_setup(cases):
        with process_world(setup) if processes else room_world(setup) as world:
            for case in those:
                outcomes = world.outcomes(case) if isinstance(world, ProcessWorld) else run_case(case, world)
                verdicts[case.id] = judge(case, outcomes, world)
                say(f"{case.id}: {verdicts[case.id].kind} {verdicts[case.id].why}")
    return summary(cases, verdicts, not_run if not only else {}, time.monotonic() - started)


def run_case(case: RoomCase, world: RoomWorld) -> list[Outcome]:
    """Ask each step of a case in a fresh room."""
    room = arranged(case, world)
    outcomes = []
    for step in case.steps:
        if step.edited:
            _edit(room, step.template or "")
        try:
            asked = asked_of(step, world.target, room.folder.agreement())
            outcomes.append(Outcome(answer=room.ask(asked)))
        except MeshError as error:
            outcomes.append(Outcome(error=error))
        if case.restarts:
            room = world.reopened(room.folder)
    return outcomes


def arranged(case: RoomCase, world: RoomWorld) -> Room:
    """A room under the circumstances of a case."""
    told, body, signers = case.agreement, world.agreement(case.level), [PUBLISHER, ADVERTISER]
    if told.startswith("one_signature"):
        signers = [PUBLISHER if PUBLISHER in told else ADVERTISER]
    elif told.startswith("unsigned"):
        signers = []
    room = world.room(world.folder / "room", body, signers=signers)
    if told.startswith("expired"):
        return world.reopened(room.folder, NOW + timedelta(days=365))
    if told.startswith("not_yet"):
        return world.reopened(room.folder, NOW - timedelta(days=365))
    if told.startswith("revoked"):
        party = ADVERTISER if ADVERTISER in told else PUBLISHER
        room.folder.keep(state("revoked", room.folder.agreement(), party, world.keys[party], NOW))
    elif told.startswith("edited"):
        file = room.folder.path / "agreement.yaml"
        file.write_text(file.read_text().replace("persons_min: 25", "persons_min: 2"))
    return room


def _edit(room: Room, template: str) -> None:
    """Change a template's text after it was signed."""
    file = room.folder.path / "agreement.yaml"
    file.write_text(file.read_text().replace("count(DISTINCT p.hem)", "count(*)"))


def _by_setup(cases: Sequence[RoomCase]) -> Iterator[tuple[tuple[str, ...], list[RoomCase]]]:
    setups = dict.fromkeys(case.setup_sql for case in cases)
    for setup in setups:
        yield setup, [case for case in cases if case.setup_sql == setup]


def passed(told: Mapping[str, Any]) -> bool:
    """Whether the room held: an empty run proves nothing."""
    ran = told["cases"] - len(told["not_run"])
    enough = told["benign_answered"] >= BENIGN_ANSWERED_MIN * told["benign"]
    return bool(ran and enough and not (told["leaks"] or told["metadata_leaks"] or told["wrong"]))


def table(told: Mapping[str, Any]) -> str:
    """The same for people."""
    lines = [f"{name:16} {told[name]}" for name in ("cases", "safe", "leaks", "metadata_leaks", "wrong")]
    lines.append(f"{'benign':16} {told['benign_answered']} of {told['benign']}, refused: {told['benign_refused']}")
    lines += [f"  {name}: {why}" for name, why in told["why"].items()]
    lines += [f"  {name} was not run: {why}" for name, why in told["not_run"].items()]
    return "\n".join([*lines, f"{'passed' if passed(told) else 'FAILED'} in {told['seconds']} s"])


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, attack, print."""
    parser = argparse.ArgumentParser(prog="python -m tests.redteam.room", description=__doc__.partition("\n")[0])
    parser.add_argument("file", type=Path, help="a corpus, in the form that shared/redteam/README.md describes")
    parser.add_argument("--only", nargs="+", default=[], metavar="ID")
    parser.add_argument("--processes", action="store_true", help="each party and the join as a process of its own")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    given = parser.parse_args(arguments)
    try:
        told = attack(
            given.file, only=given.only, say=lambda line: print(line, file=sys.stderr), processes=given.processes
        )
    except (OSError, ValueError) as error:
        print(f"{given.file}: {error}", file=sys.stderr)
        return 2
    print(json.dumps(told, ensure_ascii=False, default=str) if given.json else table(told))
    return 0 if passed(told) else 1


if __name__ == "__main__":
    sys.exit(main())
