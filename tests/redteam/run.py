"""Runs a corpus against one fixture mesh: every case judged, none skipped in silence, a fault of ours is no safety."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from drills.ground import Ground
from mesh_defs.model.query import EngineName
from tests.redteam import limits, markers
from tests.redteam.cases import Case, Corpus, Knowledge, knowledge_of
from tests.redteam.data import World
from tests.redteam.door import Door, Ears
from tests.redteam.fixture import Fixture, make_fixture, variant
from tests.redteam.policies import arranged
from tests.redteam.reference import reference_for
from tests.redteam.verdict import Judge, Verdict, worst

Say = Callable[[str], None]
_EVERY = 25


@dataclass(kw_only=True)
class Stage:
    """One fixture with its door open, what an attacker knows of it, and who judges."""

    fixture: Fixture
    door: Door
    knowledge: Knowledge
    judge: Judge
    ground: Ground
    variants: dict[str, list["Stage"]] = field(default_factory=dict)

    def reopen(self) -> None:
        """Open the mesh anew: what crashed may have left anything behind."""
        self.door = replace(self.door, platform=self.fixture.open())


@contextmanager
def staged(kind: str, ears: Ears | None = None, engine: EngineName = "duckdb") -> Iterator[Stage]:
    """The README's fixture in a storage of this kind, asked on this engine, until the end of the block."""
    ground = Ground()
    with ground.exits, TemporaryDirectory(prefix="redteam-", ignore_cleanup_errors=True) as folder:
        fixture = make_fixture(Path(folder) / "mesh", kind, ground, engine=engine)
        with _marked_home(Path(folder) / "LEAKHOME"):
            yield stage_of(fixture, ground, ears)


@contextmanager
def _marked_home(folder: Path) -> Iterator[None]:
    """Let HOME be a marker, for those who ask for the environment."""
    kept = os.environ.get("HOME")
    os.environ["HOME"] = str(folder)
    folder.mkdir()
    try:
        yield
    finally:
        os.environ.pop("HOME") if kept is None else os.environ.update(HOME=kept)


def stage_of(fixture: Fixture, ground: Ground, ears: Ears | None = None) -> Stage:
    """Open a fixture's door, and build the reference from what it shows."""
    door = Door(platform=fixture.open(), ears=ears, engine=fixture.spot.engine)
    judge = Judge(reference=reference_for(fixture.world, door), names=_names(fixture))
    return Stage(fixture=fixture, door=door, knowledge=knowledge_of(fixture), judge=judge, ground=ground)


def _names(fixture: Fixture) -> tuple[str, ...]:
    rules = [grant["rows"] for table in fixture.world.tables for grant in table.grants if "rows" in grant]
    spelt = [
        rule.replace("region", quoted) for rule in rules for quoted in ("region", '"region"', '"governed_0"."region"')
    ]
    granted = {table.product for table in fixture.world.tables if table.grants}
    # A table of another system may be called as the product is, by which everybody names it.
    return tuple(name for name in markers.physical_names(fixture, rules=tuple(spelt)) if name not in granted)


def run(corpus: Corpus, stage: Stage, say: Say) -> tuple[dict[str, Verdict], float]:
    """Judge every case; seconds taken. What is malformed is wrong: nobody knows whether it would have leaked."""
    verdicts = {name: Verdict(kind="wrong", why=why) for name, why in corpus.malformed.items()}
    begun = time.monotonic()
    for number, case in enumerate(corpus.cases, 1):
        try:
            verdicts[case.id] = _judged(case, stage)
        except Exception as error:  # noqa: BLE001  a fault of the harness must not pass for safety
            verdicts[case.id] = Verdict(kind="wrong", why=f"the harness failed: {error!r}")
            stage.reopen()
        if verdicts[case.id].kind not in ("safe", "answered"):
            say(f"{case.id} {verdicts[case.id].kind}: {verdicts[case.id].why}")
        if number % _EVERY == 0:
            say(f"{number} of {len(corpus.cases)}, {time.monotonic() - begun:.0f} s")
    return verdicts, time.monotonic() - begun


def _judged(case: Case, stage: Stage) -> Verdict:
    if case.policy is None:
        return worst([_tried(case, sql, stage) for sql in _readings(case, stage)])
    if case.policy not in stage.variants:
        told = arranged(case.policy, stage.fixture.world, external=stage.fixture.spot.external)
        if not told.worlds:
            return Verdict(kind="not_run", why=told.why_not)
        root = stage.fixture.settings.root.with_name(f"variant-{len(stage.variants)}")
        make = _anew if told.anew else _under_other_rules
        stage.variants[case.policy] = [
            make(stage, root.with_name(f"{root.name}-{n}"), world) for n, world in enumerate(told.worlds.values())
        ]
    varied = stage.variants[case.policy]
    return worst([_tried(case, sql, each) for each in varied for sql in _readings(case, each)])


def _under_other_rules(stage: Stage, root: Path, world: World) -> Stage:
    """Such variants show ana the same rows, or none: the reference is the same."""
    fixture = variant(stage.fixture, root, world)
    door = replace(stage.door, platform=fixture.open())
    judge = Judge(reference=stage.judge.reference, names=_names(fixture))
    return Stage(fixture=fixture, door=door, knowledge=stage.knowledge, judge=judge, ground=stage.ground)


def _anew(stage: Stage, root: Path, world: World) -> Stage:
    place = stage.fixture.spot
    return stage_of(
        make_fixture(root, place.kind, stage.ground, world, engine=place.engine), stage.ground, stage.door.ears
    )


def _readings(case: Case, stage: Stage) -> Iterator[tuple[str, str | None]]:
    others = stage.knowledge.variants(case.sql_b) if case.sql_b else iter(())
    for sql in stage.knowledge.variants(case.sql):
        yield sql, next(others, None)


def _tried(case: Case, sqls: tuple[str, str | None], stage: Stage) -> Verdict:
    sql, sql_b = sqls
    if case.oracle == "dos":
        return _limited(case, sql, stage)
    outcome = stage.door.ask(sql, case.parameters)
    if outcome.crashed:
        stage.reopen()
    if case.oracle != "oracle_pair":
        return stage.judge.verdict(case, sql, outcome)
    if sql_b is None:
        return Verdict(kind="wrong", why="the second guess has another number of readings")
    return stage.judge.pair(case, (sql, sql_b), (outcome, stage.door.ask(sql_b, case.parameters)))


def _limited(case: Case, sql: str, stage: Stage) -> Verdict:
    seen = limits.watched(limits.asking(stage.fixture.settings), sql)
    if seen.outcome is None:
        return Verdict(kind="leak", why=f"{seen.why} ({seen.seconds:.1f} s, {seen.bytes_most / 1e9:.2f} GB)")
    return stage.judge.verdict(case, sql, seen.outcome)
