"""Shows people what the corpora do to plain views and to the door, live: `make attack` or `python -m tests.redteam.show`."""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tests.redteam import limits
from tests.redteam.cases import Case, Corpus, read_corpus
from tests.redteam.door import Outcome, listening
from tests.redteam.markers import HIDDEN, REGIONS
from tests.redteam.reference import reference_for
from tests.redteam.run import Stage, staged
from tests.redteam.verdict import Judge, Verdict, worst
from tests.redteam.views import ENDED, Views

CORPUS = Path(__file__).with_name("sql_attacks.json")
EXAMPLES = 7
_WIDTH = 110
_RED, _GREEN, _BOLD, _DIM, _PLAIN = "\x1b[31m", "\x1b[32m", "\x1b[1m", "\x1b[2m", "\x1b[0m"
_LEAKED = ("leak", "metadata")


@dataclass(frozen=True, kw_only=True)
class Shot:
    """One attack, and how both ways took it."""

    case: Case
    sql: str
    views: Verdict
    door: Verdict
    loot: str
    refused: str


class Screen:
    """A terminal, or a file, where colours and the running line are left out."""

    def __init__(self, out: IO[str]) -> None:
        self._out, self._live = out, out.isatty()

    def paint(self, text: str, colour: str) -> str:
        return f"{colour}{text}{_PLAIN}" if self._live else text

    def line(self, text: str = "") -> None:
        self._out.write(f"{text}\n")
        self._out.flush()

    def running(self, text: str) -> None:
        """Rewrite the last line; nothing where there is no terminal."""
        if self._live:
            self._out.write(f"\r\x1b[K{text}")
            self._out.flush()

    def done(self) -> None:
        self.running("")


def show(corpus: Corpus, out: IO[str], stage: Stage) -> bool:
    """Run the corpus on both; True when nothing came through the door."""
    screen, views = Screen(out), Views(stage.fixture)
    judge = Judge(reference=reference_for(stage.fixture.world, views), names=views.names())
    cases = [case for case in corpus.cases if case.policy is None and case.oracle != "benign"]
    screen.line(screen.paint(f"{len(cases)} attacks on 3,000 orders; ana may see 1,000 of them, and no person.", _BOLD))
    screen.line("  views     DuckDB 1.5, views with filter and masks, hardened settings, locked, secret alias")
    screen.line("  the door  mesh query: rewritten, verified twice, run in a worker, on Parquet")
    shots: list[Shot] = []
    begun = time.monotonic()
    try:
        for case in cases:
            shots.append(_shot(case, views, judge, stage))
            screen.running(_tally(screen, shots, len(cases), begun))
    finally:
        views.close()
    screen.done()
    for line in (*_table(screen, shots), "", *_examples(screen, shots), "", _result(screen, shots, begun)):
        screen.line(line)
    return not [shot for shot in shots if shot.door.kind != "safe"]


def _shot(case: Case, views: Views, judge: Judge, stage: Stage) -> Shot:
    sql = next(views.knowledge(stage.knowledge).variants(case.sql))
    through_views = views.ask(sql, case.parameters)
    if case.oracle == "dos":
        ended = through_views.told == ENDED
        told_by_views = Verdict(kind="leak", why=ENDED) if ended else judge.verdict(case, sql, through_views)
        loot, refused = ENDED, ""
        verdicts = [_limited(case, stage)]
    else:
        told_by_views = judge.verdict(case, sql, through_views)
        loot = _loot(told_by_views, through_views)
        outcomes = [(each, stage.door.ask(each, case.parameters)) for each in stage.knowledge.variants(case.sql)]
        verdicts = [stage.judge.verdict(case, each, outcome) for each, outcome in outcomes]
        refused = outcomes[0][1].told if not outcomes[0][1].answered else "answered, with nothing hidden in it"
    return Shot(case=case, sql=sql, views=told_by_views, door=worst(verdicts), loot=loot, refused=refused)


def _limited(case: Case, stage: Stage) -> Verdict:
    sql = next(stage.knowledge.variants(case.sql))
    seen = limits.watched(limits.asking(stage.fixture.settings), sql)
    return stage.judge.verdict(case, sql, seen.outcome) if seen.outcome else Verdict(kind="leak", why=seen.why)


def _loot(verdict: Verdict, outcome: Outcome) -> str:
    """The first thing that should not have come out, as it came out."""
    if outcome.answered and outcome.rows:
        rows = [str(row if len(row) > 1 else row[0]) for row in outcome.rows]
        return next((row for row in rows if HIDDEN.search(row) or REGIONS.search(row)), rows[0])
    return "carried out" if outcome.answered else outcome.told.partition("\n")[0] if verdict.kind in _LEAKED else ""


def _tally(screen: Screen, shots: Sequence[Shot], total: int, begun: float) -> str:
    through = [sum(getattr(shot, side).kind in _LEAKED for shot in shots) for side in ("views", "door")]
    views = screen.paint(f"views {through[0]:3} through", _RED)
    door = screen.paint(f"the door {through[1]} through", _GREEN if not through[1] else _RED)
    last = " ".join(shots[-1].sql.split())[:50]
    return f"{len(shots):3}/{total}  {views}   {door}   {time.monotonic() - begun:3.0f} s  {screen.paint(last, _DIM)}"


def _table(screen: Screen, shots: Sequence[Shot]) -> list[str]:
    attacks = Counter(shot.case.category for shot in shots)
    views = Counter(shot.case.category for shot in shots if shot.views.kind in _LEAKED)
    door = Counter(shot.case.category for shot in shots if shot.door.kind in _LEAKED)
    lines = ["", screen.paint(f"{'what was tried':28}{'attacks':>9}{'views':>9}{'door':>9}", _BOLD)]
    for name, count in attacks.most_common():
        through = screen.paint(f"{views[name]:9}", _RED if views[name] else _GREEN)
        lines.append(f"{name:28}{count:9}{through}{screen.paint(f'{door[name]:9}', _RED if door[name] else _GREEN)}")
    return lines


def _examples(screen: Screen, shots: Sequence[Shot]) -> list[str]:
    """One of each kind of attack; those that brought home a value first, then the shortest."""
    by_category: dict[str, Shot] = {}
    for shot in sorted(shots, key=lambda shot: (not HIDDEN.search(shot.loot), len(shot.case.sql))):
        if shot.views.kind == "leak" and shot.loot:
            by_category.setdefault(shot.case.category, shot)
    lines = [screen.paint("for instance", _BOLD)]
    for shot in list(by_category.values())[:EXAMPLES]:
        shown = " ".join(shot.case.sql.replace("{A}", "base_…").split())
        lines += [f"  {screen.paint(shot.case.id, _DIM)}  {_cut(shown)}"]
        lines += [f"        views  {screen.paint(_cut(shot.loot), _RED)}"]
        lines += [f"        door   {screen.paint(_cut(shot.refused), _GREEN)}"] if shot.refused else []
    return lines


def _result(screen: Screen, shots: Sequence[Shot], begun: float) -> str:
    through = [sum(getattr(shot, side).kind in _LEAKED for shot in shots) for side in ("views", "door")]
    text = f"{through[0]} of {len(shots)} attacks came through the views, {through[1]} through the door"
    return screen.paint(f"{text}, in {time.monotonic() - begun:.0f} s", _BOLD)


def _cut(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _WIDTH else f"{text[: _WIDTH - 1]}…"


def main(arguments: Sequence[str] | None = None) -> int:
    """Show one corpus."""
    parser = argparse.ArgumentParser(prog="python -m tests.redteam.show", description=__doc__)
    parser.add_argument(
        "file", type=Path, nargs="?", default=CORPUS, help="a corpus; the shared one when none is named"
    )
    given = parser.parse_args(arguments)
    corpus = read_corpus(given.file)
    with listening() as (ears, progress):
        Screen(progress).running("publishing the fixture …")
        with staged("parquet", ears) as stage:
            held = show(corpus, progress, stage)
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
